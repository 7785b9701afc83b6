package bench

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

type arrowTime = arrow.Timestamp

// appendRow appends row i as text: columns divided by |, TIMESTAMP in microseconds, DOUBLE as decimal has it.
func appendRow(dst []byte, columns []arrow.Array, i int) []byte {
	for c, col := range columns {
		if c > 0 {
			dst = append(dst, '|')
		}
		if col.IsNull(i) {
			dst = append(dst, "null"...)
			continue
		}
		switch a := col.(type) {
		case *array.Int64:
			dst = strconv.AppendInt(dst, a.Value(i), 10)
		case *array.Timestamp:
			dst = strconv.AppendInt(dst, int64(a.Value(i)), 10)
		case *array.Float64:
			dst = append(dst, decimal(a.Value(i))...)
		case *array.String:
			dst = append(dst, a.Value(i)...)
		default:
			dst = append(append(dst, '?'), a.ValueStr(i)...)
		}
	}
	return dst
}
