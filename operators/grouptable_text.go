package operators

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// textTable is the table for one key of type TEXT. Of a dictionary, each entry is looked up once per batch.
type textTable struct {
	set byteSet

	codes []int32 // scratch: group of a dictionary's entry, -1 where not looked up yet
	key   []byte  // scratch: canonical bytes
}

var _ groupTable = (*textTable)(nil)

func newTextTable(mem memory.Allocator, room int) *textTable {
	return &textTable{set: byteSet{mem: mem, mask: probeMask, room: room, nullGroup: -1}}
}

func (t *textTable) len() int { return t.set.n }

func (t *textTable) lookup(cols []arrow.Array, sel, groups []int32) {
	switch a := cols[0].(type) {
	case *array.String:
		t.lookupTexts(a, sel, groups)
	case *array.Dictionary:
		t.lookupCodes(a, sel, groups)
	}
}

func (t *textTable) lookupTexts(a *array.String, sel, groups []int32) {
	offsets := a.ValueOffsets()
	text := textOf(a)
	if a.NullN() == 0 {
		t.set.lookupAll(text, offsets, sel, groups)
		return
	}
	for k := range groups {
		if i := rowOf(sel, k); a.IsNull(i) {
			groups[k] = t.set.null(true)
		} else {
			groups[k] = t.set.group(text[offsets[i]:offsets[i+1]])
		}
	}
}

func (t *textTable) lookupCodes(a *array.Dictionary, sel, groups []int32) {
	entries := a.Dictionary().(*array.String)
	t.codes = batch.GrowSlice(t.set.mem, t.codes, entries.Len())
	for i := range t.codes {
		t.codes[i] = -1
	}
	offsets, text := entries.ValueOffsets(), textOf(entries)
	if indices, isUsual := a.Indices().(*array.Int32); isUsual && a.NullN() == 0 && entries.NullN() == 0 {
		codes := indices.Int32Values()
		for k := range groups {
			code := codes[rowOf(sel, k)]
			group := t.codes[code]
			if group < 0 {
				group = t.set.group(text[offsets[code]:offsets[code+1]])
				t.codes[code] = group
			}
			groups[k] = group
		}
		return
	}
	for k := range groups {
		i := rowOf(sel, k)
		if a.IsNull(i) {
			groups[k] = t.set.null(true)
			continue
		}
		code := a.GetValueIndex(i)
		if t.codes[code] < 0 {
			if entries.IsNull(code) {
				t.codes[code] = t.set.null(true)
			} else {
				t.codes[code] = t.set.group(text[offsets[code]:offsets[code+1]])
			}
		}
		groups[k] = t.codes[code]
	}
}

// textOf returns the bytes that the offsets of a refer to.
func textOf(a *array.String) []byte {
	if b := a.Data().Buffers()[2]; b != nil {
		return b.Bytes()
	}
	return nil
}

func (t *textTable) lookupFrom(src groupTable, ids []int32, insert bool, groups []int32) {
	t.set.lookupFrom(&src.(*textTable).set, ids, insert, groups)
}

func (t *textTable) appendKeys(cols []*batch.Column, ids []int32) {
	c := cols[0]
	for _, id := range ids {
		if id == t.set.nullGroup {
			c.AppendNull()
		} else {
			c.AppendText(t.set.bytes(id))
		}
	}
}

func (t *textTable) inOrder(ids []int32) []int32 { return t.set.inOrder(ids) }

func (t *textTable) shards(shards []uint8) {
	for id := range int32(t.set.n) {
		if id == t.set.nullGroup {
			t.key = append(t.key[:0], nullTag)
		} else {
			t.key = appendTextKey(t.key[:0], t.set.bytes(id))
		}
		shards[id] = uint8(ShardOf(t.key))
	}
}

func (t *textTable) compact() {
	t.set.compact()
	batch.FreeSlice(t.set.mem, t.codes)
	t.codes = nil
}

func (t *textTable) reset() { t.set.reset() }

func (t *textTable) close() {
	t.compact()
	t.set.release()
}
