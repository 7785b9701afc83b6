package expr

import (
	"bytes"
	"cmp"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// viewParts looks at the elements of a list or map, or the fields of a struct. A field counts as it stands, whether or not the struct
// itself is NULL.
func (o *operand) viewParts(arr arrow.Array) {
	if a, isStruct := arr.(*array.Struct); isStruct {
		if o.fields == nil {
			o.fields = make([]operand, a.NumField())
		}
		for k := range o.fields {
			o.fields[k].view(a.Field(k))
		}
		return
	}
	if o.child == nil {
		o.child = &operand{env: o.env}
	}
	var elements arrow.Array
	o.offsets, elements, _ = batch.ListParts(arr)
	o.child.view(elements)
}

// span returns where the elements of row i of a list or map begin and end.
func (o *operand) span(i int32) (from, to int32) { return o.offsets[i], o.offsets[i+1] }

// copyParts sets row i of out, a list, map or struct, to row i of o.
func (o *operand) copyParts(out *batch.Column, i int32) {
	if o.fields != nil {
		for k := range o.fields {
			if f := &o.fields[k]; f.isNull(i) {
				out.Field(k).SetNull(int(i))
			} else {
				f.copyRow(out.Field(k), i)
			}
		}
		return
	}
	from, to := o.span(i)
	for j := from; j < to; j++ {
		out.Child().AppendRow(o.child.arr, int(j))
	}
	out.EndList(int(i))
}

// compareAt compares row i of o with row j of other, which have the same type, as ORDER BY does: NULL before everything, NaN after
// every other number, lists by their first different element and then by length, structs by their first different field.
func (o *operand) compareAt(i int32, other *operand, j int32) int {
	switch isNull, otherIsNull := o.isNull(i), other.isNull(j); {
	case isNull && otherIsNull:
		return 0
	case isNull:
		return -1
	case otherIsNull:
		return 1
	}
	switch o.arr.DataType().ID() {
	case arrow.INT64, arrow.TIMESTAMP:
		return cmp.Compare(o.ints[i], other.ints[j])
	case arrow.FLOAT64:
		return compareDoubles(o.floats[i], other.floats[j])
	case arrow.DECIMAL128:
		return decimal.Compare(o.nums[i], other.nums[j])
	case arrow.BOOL:
		return int(bitOf(o.bit(i))) - int(bitOf(other.bit(j)))
	case arrow.STRING:
		return bytes.Compare(o.bytes(i), other.bytes(j))
	case arrow.LIST:
		from, to := o.span(i)
		otherFrom, otherTo := other.span(j)
		for k := range min(to-from, otherTo-otherFrom) {
			if c := o.child.compareAt(from+k, other.child, otherFrom+k); c != 0 {
				return c
			}
		}
		return cmp.Compare(to-from, otherTo-otherFrom)
	case arrow.STRUCT:
		for k := range o.fields {
			if c := o.fields[k].compareAt(i, &other.fields[k], j); c != 0 {
				return c
			}
		}
		return 0
	}
	return o.compareOther(i, other, j)
}

// compareOther compares types without plain slices of their own.
func (o *operand) compareOther(i int32, other *operand, j int32) int {
	if _, isNull := o.arr.(*array.Null); isNull {
		return 0
	}
	return bytes.Compare(batch.AppendValue(nil, o.arr, int(i)), batch.AppendValue(nil, other.arr, int(j)))
}

func bitOf(v bool) uint8 {
	if v {
		return 1
	}
	return 0
}

// isOrdered says whether values of a type compare: all but maps, and what has maps in it.
func isOrdered(t arrow.DataType) bool {
	switch t := t.(type) {
	case *arrow.MapType:
		return false
	case *arrow.ListType:
		return isOrdered(t.Elem())
	case *arrow.StructType:
		for _, f := range t.Fields() {
			if !isOrdered(f.Type) {
				return false
			}
		}
	}
	return true
}

// nullHash is the hash of NULL: any odd number.
const nullHash = 0x9E3779B97F4A7C15

// hashRows sets hashes[k] to a hash of row from+k of o; rows that compare equal have the same.
func (o *operand) hashRows(hashes []uint64, from int32) {
	switch o.arr.DataType().ID() {
	case arrow.INT64, arrow.TIMESTAMP:
		for k := range hashes {
			hashes[k] = mixHash(uint64(o.ints[from+int32(k)]))
		}
	case arrow.FLOAT64:
		for k := range hashes {
			hashes[k] = mixHash(doubleHash(o.floats[from+int32(k)]))
		}
	case arrow.STRING:
		for k := range hashes {
			hashes[k] = xxh3.Hash(o.bytes(from + int32(k)))
		}
	default:
		for k := range hashes {
			hashes[k] = o.hashAt(from + int32(k))
		}
		return
	}
	if o.valid != nil {
		for k := range hashes {
			if o.isNull(from + int32(k)) {
				hashes[k] = nullHash
			}
		}
	}
}

// hashAt returns the hash of row i.
func (o *operand) hashAt(i int32) uint64 {
	if o.isNull(i) {
		return nullHash
	}
	switch o.arr.DataType().ID() {
	case arrow.INT64, arrow.TIMESTAMP:
		return mixHash(uint64(o.ints[i]))
	case arrow.FLOAT64:
		return mixHash(doubleHash(o.floats[i]))
	case arrow.DECIMAL128:
		return mixHash(o.nums[i].LowBits() ^ mixHash(uint64(o.nums[i].HighBits())))
	case arrow.BOOL:
		return mixHash(uint64(bitOf(o.bit(i))))
	case arrow.STRING:
		return xxh3.Hash(o.bytes(i))
	case arrow.LIST:
		from, to := o.span(i)
		h := uint64(to - from)
		for j := from; j < to; j++ {
			h = mixHash(h ^ o.child.hashAt(j))
		}
		return h
	case arrow.STRUCT:
		h := uint64(0)
		for k := range o.fields {
			h = mixHash(h ^ o.fields[k].hashAt(i))
		}
		return h
	}
	return 1 // what else there is has to be compared
}

// mixHash spreads the bits of v: the finaliser of MurmurHash3 (Appleby 2011), a bijection.
func mixHash(v uint64) uint64 {
	v ^= v >> 33
	v *= 0xFF51AFD7ED558CCD
	v ^= v >> 33
	v *= 0xC4CEB9FE1A85EC53
	return v ^ v>>33
}

// doubleHash returns bits that are the same for numbers that compare equal: -0 and 0, and all NaN.
func doubleHash(v float64) uint64 {
	switch {
	case v == 0:
		return 0
	case math.IsNaN(v):
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(v)
}
