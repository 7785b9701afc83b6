package batch

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch/decimal"
)

// AppendTime appends t in the form of TIMESTAMP values: RFC 3339 in UTC with up to six decimals and Z.
func AppendTime(dst []byte, t Time) []byte {
	return t.Go().AppendFormat(dst, "2006-01-02T15:04:05.999999Z")
}

// AppendDouble appends v in the form of DOUBLE values: the shortest that reads back equal.
func AppendDouble(dst []byte, v float64) []byte {
	switch {
	case v != v:
		return append(dst, "NaN"...)
	case v > 1.7976931348623157e308:
		return append(dst, "Infinity"...)
	case v < -1.7976931348623157e308:
		return append(dst, "-Infinity"...)
	}
	return appendFinite(dst, v, 64)
}

// AppendFloat appends v in the form of FLOAT values: the shortest that reads back as the same 32 bits.
func AppendFloat(dst []byte, v float64) []byte {
	if v-v != 0 {
		return AppendDouble(dst, v)
	}
	return appendFinite(dst, v, 32)
}

func appendFinite(dst []byte, v float64, bits int) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'g', -1, bits)
	if exp := strings.IndexByte(string(dst[start:]), 'e'); exp >= 0 {
		if abs := max(v, -v); abs >= 1e-3 && abs < 1e21 {
			dst = strconv.AppendFloat(dst[:start], v, 'f', -1, bits)
		}
	}
	if !strings.ContainsAny(string(dst[start:]), ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

// AppendValue appends the text form of value i of arr, as CSV and tests show it, without quotes; NULL appends nothing.
// BINARY is base64, intervals are as AppendDayTime and AppendYearMonth have them, lists and structs have their JSON form.
func AppendValue(dst []byte, arr arrow.Array, i int) []byte {
	if arr.IsNull(i) {
		return dst
	}
	switch a := arr.(type) {
	case *array.Int64:
		return AppendInt(dst, a.DataType(), a.Value(i))
	case *array.Timestamp:
		return AppendTime(dst, Time(a.Value(i)))
	case *array.Float64:
		if a.DataType() == Float {
			return AppendFloat(dst, a.Value(i))
		}
		return AppendDouble(dst, a.Value(i))
	case *array.Boolean:
		return strconv.AppendBool(dst, a.Value(i))
	case *array.String:
		if a.DataType() == Binary {
			return base64.StdEncoding.AppendEncode(dst, textBytes(a.Value(i)))
		}
		return append(dst, a.Value(i)...)
	case *array.Decimal128:
		return decimal.Append(dst, a.Value(i), a.DataType().(*arrow.Decimal128Type).Scale)
	case *array.Dictionary:
		return AppendValue(dst, a.Dictionary(), a.GetValueIndex(i))
	}
	return AppendJSON(dst, arr, i)
}

// AppendInt appends the text form of v, a value of a type that is stored as BIGINT.
func AppendInt(dst []byte, dtype arrow.DataType, v int64) []byte {
	switch dtype {
	case Date:
		return AppendDate(dst, v)
	case DayTime:
		return AppendDayTime(dst, v)
	case YearMonth:
		return AppendYearMonth(dst, v)
	}
	return strconv.AppendInt(dst, v, 10)
}

// textBytes returns the bytes of s, not to be written.
func textBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
