package batch

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// MaxNesting is how many arrays, structs and maps a type may have inside each other: as many as a record of JSON may have, less than
// what recursion over a value costs a noticeable part of a stack.
const MaxNesting = 64

// Nesting returns how many arrays, structs and maps t has inside each other, 0 for a scalar type.
func Nesting(t arrow.DataType) int {
	depth := 0
	switch t := t.(type) {
	case *arrow.ListType:
		depth = Nesting(t.Elem())
	case *arrow.MapType:
		depth = max(Nesting(t.KeyType()), Nesting(t.ItemType()))
	case *arrow.StructType:
		for _, f := range t.Fields() {
			depth = max(depth, Nesting(f.Type))
		}
	default:
		return 0
	}
	return depth + 1
}

// IsComparable says whether values of t are equal or not, have an order and can be keys of groups: all scalar ones, and lists and
// structs of them. A MAP is not, since the order of its entries means nothing.
func IsComparable(t arrow.DataType) bool {
	switch t := t.(type) {
	case *arrow.ListType:
		return IsComparable(t.Elem())
	case *arrow.StructType:
		for _, f := range t.Fields() {
			if !IsComparable(f.Type) {
				return false
			}
		}
		return true
	}
	return IsScalar(t)
}

// ListParts returns the offsets of the rows of an ARRAY or MAP, one more than there are rows, and the array of all elements, for a MAP
// of its entries (a STRUCT of key and value). ok is false for an array of another type.
func ListParts(arr arrow.Array) (offsets []int32, elements arrow.Array, ok bool) {
	var list *array.List
	switch a := arr.(type) {
	case *array.List:
		list = a
	case *array.Map:
		list = a.List
	default:
		return nil, nil, false
	}
	offsets = list.Offsets()
	if len(offsets) > 0 {
		offsets = offsets[list.Data().Offset():]
	}
	return offsets, list.ListValues(), true
}

// appendNested adds the rows of an array of lists, maps or structs that sel names, or its first n rows where sel is nil, and says
// whether arr is one.
func (c *Column) appendNested(arr arrow.Array, n int, sel []int32) bool {
	count := n
	if sel != nil {
		count = len(sel)
	}
	if a, isStruct := arr.(*array.Struct); isStruct {
		old := c.n
		c.extend(count)
		for k, f := range c.fields {
			f.AppendArray(a.Field(k), n, sel)
		}
		c.copyNulls(arr, old, count, sel)
		return true
	}
	offsets, elements, isList := ListParts(arr)
	if !isList {
		return false
	}
	if count == 0 {
		return true
	}
	old := c.n
	c.extend(count)
	c.fillLists(old)
	hasNulls := arr.NullN() > 0
	picked, end := c.picked[:0], c.child.n
	for k := range count {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if hasNulls && arr.IsNull(i) {
			c.SetNull(old + k)
		} else {
			from, to := offsets[i], offsets[i+1]
			picked = GrowSlice(c.mem, picked, len(picked)+int(to-from))[:len(picked)]
			for j := from; j < to; j++ {
				picked = append(picked, j)
			}
			end += int(to - from)
		}
		c.offsets[old+k+1] = int32(end)
	}
	c.next = c.n
	c.picked = picked
	if len(picked) > 0 {
		c.child.AppendArray(elements, elements.Len(), picked)
	}
	return true
}

// fillLists makes the rows of a list column before row i, as far as they were left out, empty.
func (c *Column) fillLists(i int) {
	if c.next < i {
		end := c.offsets[c.next]
		for r := c.next; r < i; r++ {
			c.offsets[r+1] = end
		}
		c.next = i
	}
}

// copyNulls makes row old+k NULL where the row of arr that was added there is.
func (c *Column) copyNulls(arr arrow.Array, old, count int, sel []int32) {
	if arr.NullN() == 0 {
		return
	}
	for k := range count {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if arr.IsNull(i) {
			c.SetNull(old + k)
		}
	}
}
