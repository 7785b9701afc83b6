package operators

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// appendListKey appends the canonical bytes of row i of a list: how many elements it has, then theirs.
func appendListKey(dst []byte, a *array.List, i int) []byte {
	from, to := a.ValueOffsets(i)
	dst = binary.LittleEndian.AppendUint32(append(dst, listTag), uint32(to-from))
	for j := from; j < to; j++ {
		dst = AppendKey(dst, a.ListValues(), int(j))
	}
	return dst
}

// appendStructKey appends the canonical bytes of row i of a struct: those of its fields.
func appendStructKey(dst []byte, a *array.Struct, i int) []byte {
	dst = append(dst, structTag)
	for k := range a.NumField() {
		dst = AppendKey(dst, a.Field(k), i)
	}
	return dst
}

// keyLen returns how many canonical bytes value i of arr has.
func keyLen(arr arrow.Array, i int) int32 {
	if arr.IsNull(i) {
		return 1
	}
	switch a := arr.(type) {
	case *array.Boolean:
		return 2
	case *array.Decimal128:
		return 17
	case *array.String:
		return 5 + int32(a.ValueLen(i))
	case *array.Dictionary:
		return keyLen(a.Dictionary(), a.GetValueIndex(i))
	case *array.List:
		n := int32(5)
		from, to := a.ValueOffsets(i)
		for j := from; j < to; j++ {
			n += keyLen(a.ListValues(), int(j))
		}
		return n
	case *array.Struct:
		n := int32(1)
		for k := range a.NumField() {
			n += keyLen(a.Field(k), i)
		}
		return n
	}
	return 9
}

// appendDecodedParts appends the list or struct to c whose canonical bytes are behind the tag in key, and returns what is behind these.
func appendDecodedParts(c *batch.Column, tag byte, key []byte) []byte {
	if tag == listTag {
		n := binary.LittleEndian.Uint32(key)
		key = key[4:]
		for range n {
			key = appendDecodedValue(c.Child(), key)
		}
		c.AppendList()
		return key
	}
	for k := range c.Type().(*arrow.StructType).NumFields() {
		key = appendDecodedValue(c.Field(k), key)
	}
	c.AppendStruct()
	return key
}

// appendSortParts appends a list or struct to a sort key: of a list each element behind a 1, then 0, so that what is longer comes
// behind what it begins with; NULLs come first.
func appendSortParts(dst []byte, arr arrow.Array, i int) []byte {
	inner := SortKey{NullsFirst: true}
	switch a := arr.(type) {
	case *array.List:
		from, to := a.ValueOffsets(i)
		for j := from; j < to; j++ {
			dst = appendSortKey(append(dst, 1), a.ListValues(), int(j), inner)
		}
		return append(dst, 0)
	case *array.Struct:
		for k := range a.NumField() {
			dst = appendSortKey(dst, a.Field(k), i, inner)
		}
	}
	return dst
}
