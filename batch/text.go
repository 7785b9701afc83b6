package batch

import (
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
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
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
	if exp := strings.IndexByte(string(dst[start:]), 'e'); exp >= 0 {
		if abs := max(v, -v); abs >= 1e-3 && abs < 1e21 {
			dst = strconv.AppendFloat(dst[:start], v, 'f', -1, 64)
		}
	}
	if !strings.ContainsAny(string(dst[start:]), ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

// AppendValue appends the text form of value i of arr, as CSV and tests show it, without quotes; NULL appends nothing.
// Lists and structs have their JSON form.
func AppendValue(dst []byte, arr arrow.Array, i int) []byte {
	if arr.IsNull(i) {
		return dst
	}
	switch a := arr.(type) {
	case *array.Int64:
		return strconv.AppendInt(dst, a.Value(i), 10)
	case *array.Timestamp:
		return AppendTime(dst, Time(a.Value(i)))
	case *array.Float64:
		return AppendDouble(dst, a.Value(i))
	case *array.Boolean:
		return strconv.AppendBool(dst, a.Value(i))
	case *array.String:
		return append(dst, a.Value(i)...)
	case *array.Dictionary:
		return AppendValue(dst, a.Dictionary(), a.GetValueIndex(i))
	}
	return AppendJSON(dst, arr, i)
}
