package expr

import (
	"bytes"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// appendCast appends the text that value i of arr has as CAST(… AS TEXT). That of FLOAT, DOUBLE,
// BINARY and TIMESTAMP is Spark's, which differs from the one that they have in files.
func appendCast(dst []byte, arr arrow.Array, i int) []byte {
	switch a := arr.(type) {
	case *array.Float64:
		if a.DataType() == batch.Float {
			return appendJavaDouble(dst, a.Value(i), 32)
		}
		return appendJavaDouble(dst, a.Value(i), 64)
	case *array.String:
		return append(dst, a.Value(i)...)
	case *array.Timestamp:
		return appendSparkTime(dst, int64(a.Value(i)))
	}
	return batch.AppendValue(dst, arr, i)
}

// appendJavaDouble appends v as Java's Double.toString does since Java 19: the shortest digits that read back equal, as a decimal number
// from 10^-3 up to 10^7, otherwise with an exponent. With bits 32 it is that of Float.
func appendJavaDouble(dst []byte, v float64, bits int) []byte {
	abs := math.Abs(v)
	if v-v != 0 || v == 0 || abs >= 1e-3 && abs < 1e7 {
		if bits == 32 {
			return batch.AppendFloat(dst, v)
		}
		return batch.AppendDouble(dst, v)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'e', -1, bits)
	at := start + bytes.IndexByte(dst[start:], 'e')
	var memory [8]byte
	exponent := append(memory[:0], dst[at+1:]...)
	dst = dst[:at]
	if bytes.IndexByte(dst[start:], '.') < 0 {
		dst = append(dst, '.', '0')
	}
	dst = append(dst, 'E')
	if exponent[0] == '-' {
		dst = append(dst, '-')
	}
	exponent = exponent[1:]
	if exponent[0] == '0' {
		exponent = exponent[1:]
	}
	return append(dst, exponent...)
}

// appendSparkTime appends a time in UTC with a space before the hour and without a zone.
func appendSparkTime(dst []byte, us int64) []byte {
	start := len(dst)
	dst = batch.AppendTime(dst, batch.Time(us))
	dst = dst[:len(dst)-1]
	if at := bytes.IndexByte(dst[start:], 'T'); at >= 0 {
		dst[start+at] = ' '
	}
	return dst
}
