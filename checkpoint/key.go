package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/invariants"
)

// Tags precede the values in the canonical bytes of a key. They are those of operators.AppendKey, which chooses shards by them, and
// lists and structs besides.
const (
	nullTag byte = iota
	boolTag
	intTag
	doubleTag
	textTag
	timeTag
	listTag
	structTag
	decimalTag
)

// keyKind is the layout of a key column.
type keyKind uint8

const (
	keyInts keyKind = iota
	keyFloats
	keyText
	keyOther
)

// keyColumn is a column of keys, taken apart once per batch.
type keyColumn struct {
	kind    keyKind
	tag     byte
	arr     arrow.Array
	nulls   bool
	ints    []int64
	floats  []float64
	offsets []int32
	text    []byte
}

// keyReader makes canonical bytes of keys. Rows have equal keys if and only if their bytes are equal.
type keyReader struct {
	columns []keyColumn
	key     []byte // scratch
}

// read takes the columns of a batch; they are used until the next read.
func (r *keyReader) read(rows arrow.RecordBatch, keys []int) {
	r.columns = r.columns[:0]
	for _, k := range keys {
		c := keyColumn{kind: keyOther, arr: rows.Column(k), nulls: rows.Column(k).NullN() > 0}
		switch arr := c.arr.(type) {
		case *array.Int64:
			c.kind, c.tag, c.ints = keyInts, intTag, arr.Int64Values()
		case *array.Timestamp:
			c.kind, c.tag, c.ints = keyInts, timeTag, batch.Int64s(arr)
		case *array.Float64:
			c.kind, c.tag, c.floats = keyFloats, doubleTag, arr.Float64Values()
		case *array.String:
			c.kind, c.tag, c.offsets, c.text = keyText, textTag, arr.ValueOffsets(), arr.ValueBytes()
		}
		r.columns = append(r.columns, c)
	}
}

// keyOf returns the canonical bytes of a row's key, valid until the next call.
func (r *keyReader) keyOf(row int) []byte {
	r.key = r.key[:0]
	for i := range r.columns {
		c := &r.columns[i]
		if c.nulls && c.arr.IsNull(row) {
			r.key = append(r.key, nullTag)
			continue
		}
		switch c.kind {
		case keyInts:
			r.key = append(r.key, c.tag)
			r.key = binary.LittleEndian.AppendUint64(r.key, uint64(c.ints[row]))
		case keyFloats:
			r.key = append(r.key, c.tag)
			r.key = binary.LittleEndian.AppendUint64(r.key, canonicalBits(c.floats[row]))
		case keyText:
			from, to := c.offsets[row]-c.offsets[0], c.offsets[row+1]-c.offsets[0]
			r.key = append(r.key, c.tag)
			r.key = binary.LittleEndian.AppendUint32(r.key, uint32(to-from))
			r.key = append(r.key, c.text[from:to]...)
		default:
			r.key = appendKey(r.key, c.arr, row)
		}
	}
	return r.key
}

// canonicalBits are equal for values that are equal as keys: 0 and -0, and all NaNs.
func canonicalBits(v float64) uint64 {
	switch {
	case v == 0:
		return 0
	case v != v:
		return 0x7FF8000000000000
	}
	return math.Float64bits(v)
}

// appendKey appends the canonical bytes of any value.
func appendKey(dst []byte, arr arrow.Array, i int) []byte {
	if arr.IsNull(i) {
		return append(dst, nullTag)
	}
	switch a := arr.(type) {
	case *array.Int64:
		return binary.LittleEndian.AppendUint64(append(dst, intTag), uint64(a.Value(i)))
	case *array.Timestamp:
		return binary.LittleEndian.AppendUint64(append(dst, timeTag), uint64(a.Value(i)))
	case *array.Float64:
		return binary.LittleEndian.AppendUint64(append(dst, doubleTag), canonicalBits(a.Value(i)))
	case *array.Decimal128:
		v := a.Value(i)
		dst = binary.LittleEndian.AppendUint64(append(dst, decimalTag), v.LowBits())
		return binary.LittleEndian.AppendUint64(dst, uint64(v.HighBits()))
	case *array.Boolean:
		if a.Value(i) {
			return append(dst, boolTag, 1)
		}
		return append(dst, boolTag, 0)
	case *array.String:
		s := a.Value(i)
		dst = binary.LittleEndian.AppendUint32(append(dst, textTag), uint32(len(s)))
		return append(dst, s...)
	case *array.List:
		from, to := a.ValueOffsets(i)
		dst = binary.LittleEndian.AppendUint32(append(dst, listTag), uint32(to-from))
		for j := from; j < to; j++ {
			dst = appendKey(dst, a.ListValues(), int(j))
		}
		return dst
	case *array.Struct:
		dst = append(dst, structTag)
		for f := range a.NumField() {
			dst = appendKey(dst, a.Field(f), i)
		}
		return dst
	}
	panic(invariants.Failf("checkpoint: key of type %s", arr.DataType()))
}

// keySet is a set of keys: open addressing with linear probing, at most half full. Its memory is used again after reset.
type keySet struct {
	slots []keySlot
	keys  []byte // every key, with its length in front
	n     int
}

type keySlot struct {
	hash uint64
	at   uint64 // 1 + index in keys, 0 for a free slot
}

const minKeySlots = 1024

func (s *keySet) reset() {
	clear(s.slots)
	s.keys, s.n = s.keys[:0], 0
}

// find returns the slot of a key, or the free one where it would be.
func (s *keySet) find(key []byte, hash uint64) *keySlot {
	mask := uint64(len(s.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := &s.slots[i]
		if slot.at == 0 || slot.hash == hash && bytes.Equal(s.keyAt(slot.at-1), key) {
			return slot
		}
	}
}

func (s *keySet) keyAt(at uint64) []byte {
	n := binary.LittleEndian.Uint32(s.keys[at:])
	return s.keys[at+4:][:n]
}

func (s *keySet) contains(key []byte) bool {
	return s.n > 0 && s.find(key, xxh3.Hash(key)).at != 0
}

// add returns false if the key was there.
func (s *keySet) add(key []byte) bool {
	if 2*s.n >= len(s.slots) {
		s.grow()
	}
	hash := xxh3.Hash(key)
	slot := s.find(key, hash)
	if slot.at != 0 {
		return false
	}
	*slot = keySlot{hash: hash, at: uint64(len(s.keys)) + 1}
	s.keys = binary.LittleEndian.AppendUint32(s.keys, uint32(len(key)))
	s.keys = append(s.keys, key...)
	s.n++
	return true
}

func (s *keySet) grow() {
	old := s.slots
	s.slots = make([]keySlot, max(minKeySlots, 2*len(old)))
	mask := uint64(len(s.slots) - 1)
	for _, slot := range old {
		if slot.at == 0 {
			continue
		}
		i := slot.hash & mask
		for s.slots[i].at != 0 {
			i = (i + 1) & mask
		}
		s.slots[i] = slot
	}
}
