package operators

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// compositeTable is the table for several keys, and for types without a table of their own: keys are encoded to their canonical
// bytes, a column at a time, and these are numbered.
//
// Keys (7, "ab") and (NULL, "c"): lengths 9+7 and 1+6, so the bytes of row 0 are buf[0:16] and those of row 1 are buf[16:23].
type compositeTable struct {
	set byteSet

	// Scratch of a lookup.
	buf     []byte
	cursors []int32 // 0, then per live row where its next column goes; in the end, where the row ends
}

var _ groupTable = (*compositeTable)(nil)

func newCompositeTable(mem memory.Allocator, room int) *compositeTable {
	return &compositeTable{set: byteSet{mem: mem, mask: probeMask, room: room, nullGroup: -1}}
}

func (t *compositeTable) len() int { return t.set.n }

func (t *compositeTable) lookup(cols []arrow.Array, sel, groups []int32) {
	t.cursors = batch.GrowSlice(t.set.mem, t.cursors, len(groups)+1)
	clear(t.cursors)
	cursors := t.cursors[1:]
	for _, c := range cols {
		addLengths(cursors, c, sel)
	}
	total := int32(0)
	for k, n := range cursors {
		cursors[k] = total
		total += n
	}
	t.buf = batch.GrowSlice(t.set.mem, t.buf, int(total))
	for _, c := range cols {
		encodeKeys(t.buf, cursors, c, sel)
	}
	t.set.lookupAll(t.buf, t.cursors, nil, groups)
}

// rowOf returns the row of the k-th live one.
func rowOf(sel []int32, k int) int {
	if sel == nil {
		return k
	}
	return int(sel[k])
}

// addLengths adds to each entry of lengths how many canonical bytes the row has in arr.
func addLengths(lengths []int32, arr arrow.Array, sel []int32) {
	width := int32(9)
	switch a := arr.(type) {
	case *array.Boolean:
		width = 2
	case *array.Decimal128:
		width = 17
	case *array.List, *array.Struct:
		for k := range lengths {
			lengths[k] += keyLen(arr, rowOf(sel, k))
		}
		return
	case *array.String:
		for k := range lengths {
			if i := rowOf(sel, k); a.IsNull(i) {
				lengths[k]++
			} else {
				lengths[k] += 5 + int32(a.ValueLen(i))
			}
		}
		return
	case *array.Dictionary:
		entries := a.Dictionary().(*array.String)
		for k := range lengths {
			if i := rowOf(sel, k); a.IsNull(i) || entries.IsNull(a.GetValueIndex(i)) {
				lengths[k]++
			} else {
				lengths[k] += 5 + int32(entries.ValueLen(a.GetValueIndex(i)))
			}
		}
		return
	}
	if arr.NullN() == 0 {
		for k := range lengths {
			lengths[k] += width
		}
		return
	}
	for k := range lengths {
		if arr.IsNull(rowOf(sel, k)) {
			lengths[k]++
		} else {
			lengths[k] += width
		}
	}
}

// encodeKeys writes the canonical bytes of each row's value at its cursor in buf, and moves the cursor behind them.
func encodeKeys(buf []byte, cursors []int32, arr arrow.Array, sel []int32) {
	switch a := arr.(type) {
	case *array.Int64:
		encodeWords(buf, cursors, arr, intTag, sel)
	case *array.Timestamp:
		encodeWords(buf, cursors, arr, timeTag, sel)
	case *array.Float64:
		values, hasNulls := a.Float64Values(), a.NullN() > 0
		for k, at := range cursors {
			i := rowOf(sel, k)
			if hasNulls && a.IsNull(i) {
				buf[at] = nullTag
				cursors[k] = at + 1
				continue
			}
			buf[at] = doubleTag
			binary.LittleEndian.PutUint64(buf[at+1:], doubleBits(values[i]))
			cursors[k] = at + 9
		}
	default:
		for k, at := range cursors {
			cursors[k] = int32(len(AppendKey(buf[:at:len(buf)], arr, rowOf(sel, k))))
		}
	}
}

func encodeWords(buf []byte, cursors []int32, arr arrow.Array, tag byte, sel []int32) {
	values, hasNulls := batch.Int64s(arr), arr.NullN() > 0
	for k, at := range cursors {
		i := rowOf(sel, k)
		if hasNulls && arr.IsNull(i) {
			buf[at] = nullTag
			cursors[k] = at + 1
			continue
		}
		buf[at] = tag
		binary.LittleEndian.PutUint64(buf[at+1:], uint64(values[i]))
		cursors[k] = at + 9
	}
}

func (t *compositeTable) lookupFrom(src groupTable, ids []int32, insert bool, groups []int32) {
	t.set.lookupFrom(&src.(*compositeTable).set, ids, insert, groups)
}

func (t *compositeTable) appendKeys(cols []*batch.Column, ids []int32) {
	for _, id := range ids {
		appendDecodedKey(cols, t.set.bytes(id))
	}
}

func (t *compositeTable) inOrder(ids []int32) []int32 { return t.set.inOrder(ids) }

func (t *compositeTable) shards(shards []uint8) {
	for id := range int32(t.set.n) {
		shards[id] = uint8(ShardOf(t.set.bytes(id)))
	}
}

func (t *compositeTable) compact() {
	t.set.compact()
	batch.FreeSlice(t.set.mem, t.buf)
	batch.FreeSlice(t.set.mem, t.cursors)
	t.buf, t.cursors = nil, nil
}

func (t *compositeTable) reset() { t.set.reset() }

func (t *compositeTable) close() {
	t.compact()
	t.set.release()
}
