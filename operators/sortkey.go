package operators

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// A sort key is a string of bytes that compares as the ORDER BY terms do. Each term is a byte for NULL (0 where NULLs come first,
// 2 where they come last, 1 for a value), then the value: integers as big-endian with the sign flipped, doubles in
// their total order (NaN last, -0 = 0), booleans as a byte, text with 00 written as 00 FF and ended by 00 00; in descending order
// the value's bytes are inverted. No key is a prefix of another, so that terms never run together.

// appendSortKey appends the term for value i of arr.
func appendSortKey(dst []byte, arr arrow.Array, i int, k SortKey) []byte {
	if arr.IsNull(i) {
		if k.NullsFirst {
			return append(dst, 0)
		}
		return append(dst, 2)
	}
	dst = append(dst, 1)
	start := len(dst)
	switch a := arr.(type) {
	case *array.Int64:
		dst = binary.BigEndian.AppendUint64(dst, uint64(a.Value(i))^1<<63)
	case *array.Timestamp:
		dst = binary.BigEndian.AppendUint64(dst, uint64(a.Value(i))^1<<63)
	case *array.Float64:
		dst = binary.BigEndian.AppendUint64(dst, uint64(orderOf(a.Value(i)))^1<<63)
	case *array.Decimal128:
		v := a.Value(i)
		dst = binary.BigEndian.AppendUint64(dst, uint64(v.HighBits())^1<<63)
		dst = binary.BigEndian.AppendUint64(dst, v.LowBits())
	case *array.Boolean:
		b := byte(0)
		if a.Value(i) {
			b = 1
		}
		dst = append(dst, b)
	case *array.String:
		dst = appendSortText(dst, a.Value(i))
	case *array.Dictionary:
		dst = appendSortText(dst, a.Dictionary().(*array.String).Value(a.GetValueIndex(i)))
	case *array.List, *array.Struct:
		dst = appendSortParts(dst, arr, i)
	}
	if k.Descending {
		for j := start; j < len(dst); j++ {
			dst[j] = ^dst[j]
		}
	}
	return dst
}

func appendSortText(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = append(dst, s[i])
		if s[i] == 0 {
			dst = append(dst, 0xFF)
		}
	}
	return append(dst, 0, 0)
}

// orderOf maps doubles to integers in the same order: -Inf < … < -0 = 0 < … < +Inf < NaN. doubleOf is its inverse.
func orderOf(v float64) int64 {
	switch {
	case v != v:
		return math.MaxInt64
	case v == 0:
		return 0
	}
	b := int64(math.Float64bits(v))
	return b ^ int64(uint64(b>>63)>>1)
}

func doubleOf(order int64) float64 {
	if order == math.MaxInt64 {
		return math.NaN()
	}
	return math.Float64frombits(uint64(order ^ int64(uint64(order>>63)>>1)))
}

// isSortable says whether values of a type can be ordered.
func isSortable(t arrow.DataType) bool {
	return batch.IsComparable(t) || t.ID() == arrow.NULL
}
