package operators

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/zeebo/xxh3"

	"github.com/tidemill/tidemill/batch"
)

// byteSet numbers strings of bytes from 0. A slot is three words: two that stand for the bytes, and length and number plus one.
// Up to 16 bytes the first two words hold the bytes themselves, so that a lookup touches the slot alone; of longer ones they
// hold a hash and where the bytes are in the arena.
type byteSet struct {
	mem  memory.Allocator
	mask uint64 // of hashes

	slots []uint64 // triples, the third 0 if free; a power of two of them
	shift uint
	arena []byte
	ends  []int64 // by number: where its bytes end in the arena
	n     int
}

// shortBytes is the length up to which bytes are in the slot.
const shortBytes = 16

// words returns two words that, with the length, stand for up to 16 bytes: the first and the last eight, which overlap; of fewer
// than eight, the first and last four in one word, of fewer than four the first, middle and last.
func words(s []byte) (a, b uint64) {
	n := len(s)
	switch {
	case n >= 8:
		return binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[n-8:])
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(s)) | uint64(binary.LittleEndian.Uint32(s[n-4:]))<<32, 0
	case n > 0:
		return uint64(s[0]) | uint64(s[n/2])<<8 | uint64(s[n-1])<<16, 0
	}
	return 0, 0
}

// group returns the number of s, a new one if insert, else -1 if it has none.
func (t *byteSet) group(s []byte, insert bool) int32 {
	if slotsPerGroup*(t.n+1) > len(t.slots)/3 {
		t.grow()
	}
	if len(s) > shortBytes {
		return t.longGroup(s, insert)
	}
	a, b := words(s)
	slots, length := t.slots, uint64(len(s))
	last := uint64(len(slots)/3 - 1)
	for at := (mix(a^length<<56, b) & t.mask) >> t.shift; ; at++ {
		slot := slots[3*(at&last) : 3*(at&last)+3]
		if slot[2] == 0 {
			if !insert {
				return -1
			}
			id := t.add(s)
			slot[0], slot[1], slot[2] = a, b, length<<32|uint64(id+1)
			return id
		}
		if slot[0] == a && slot[1] == b && slot[2]>>32 == length {
			return int32(uint32(slot[2])) - 1
		}
	}
}

func (t *byteSet) longGroup(s []byte, insert bool) int32 {
	hash := xxh3.HashSeed(s, probeSeed) & t.mask
	last := uint64(len(t.slots)/3 - 1)
	for at := hash >> t.shift; ; at++ {
		slot := t.slots[3*(at&last) : 3*(at&last)+3]
		if slot[2] == 0 {
			if !insert {
				return -1
			}
			start := len(t.arena)
			id := t.add(s)
			slot[0], slot[1], slot[2] = hash, uint64(start), uint64(len(s))<<32|uint64(id+1)
			return id
		}
		if slot[0] == hash && slot[2]>>32 == uint64(len(s)) {
			if start := slot[1]; string(t.arena[start:start+uint64(len(s))]) == string(s) {
				return int32(uint32(slot[2])) - 1
			}
		}
	}
}

// add makes a number for s, without a slot.
func (t *byteSet) add(s []byte) int32 {
	start := len(t.arena)
	t.arena = batch.GrowSlice(t.mem, t.arena, start+len(s))
	copy(t.arena[start:], s)
	t.ends = batch.GrowSlice(t.mem, t.ends, t.n+1)
	t.ends[t.n] = int64(len(t.arena))
	t.n++
	return int32(t.n - 1)
}

// bytes returns the string with a number, valid until the next one is added.
func (t *byteSet) bytes(id int32) []byte {
	start := int64(0)
	if id > 0 {
		start = t.ends[id-1]
	}
	return t.arena[start:t.ends[id]]
}

// grow doubles the slots. Slots keep what they hold, so that no string is read again, but for its hash.
func (t *byteSet) grow() {
	old := t.slots
	n := max(minSlots, 2*len(old)/3)
	t.makeSlots(n)
	last := uint64(n - 1)
	for i := 0; i < len(old); i += 3 {
		slot := old[i : i+3]
		if slot[2] == 0 {
			continue
		}
		hash := slot[0]
		if length := slot[2] >> 32; length <= shortBytes {
			hash = mix(slot[0]^length<<56, slot[1]) & t.mask
		}
		at := hash >> t.shift
		for t.slots[3*(at&last)+2] != 0 {
			at++
		}
		copy(t.slots[3*(at&last):], slot)
	}
	batch.FreeSlice(t.mem, old)
}

func (t *byteSet) makeSlots(n int) {
	t.slots = batch.MakeSlice[uint64](t.mem, 3*n)
	clear(t.slots)
	t.shift = slotShift(n)
}

func (t *byteSet) reset() {
	if n := slotsAfterReset(t.n, len(t.slots)/3); n < len(t.slots)/3 {
		t.release()
		t.makeSlots(n)
	} else {
		clear(t.slots)
	}
	t.arena, t.n = t.arena[:0], 0
}

func (t *byteSet) release() {
	batch.FreeSlice(t.mem, t.slots)
	batch.FreeSlice(t.mem, t.arena)
	batch.FreeSlice(t.mem, t.ends)
	t.slots, t.arena, t.ends, t.n = nil, nil, nil, 0
}

// textTable is the table for one key of type TEXT. Of a dictionary, each entry is looked up once per batch.
type textTable struct {
	set       byteSet
	nullGroup int32   // -1 if none; its string is empty and has no slot
	codes     []int32 // scratch: group of a dictionary's entry, -1 where not looked up yet
}

var _ groupTable = (*textTable)(nil)

func newTextTable(mem memory.Allocator) *textTable {
	return &textTable{set: byteSet{mem: mem, mask: probeMask}, nullGroup: -1}
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
	if sel == nil && a.NullN() == 0 {
		for i := range groups {
			groups[i] = t.set.group(text[offsets[i]:offsets[i+1]], true)
		}
		return
	}
	hasNulls := a.NullN() > 0
	for k := range groups {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if hasNulls && a.IsNull(i) {
			groups[k] = t.null(true)
		} else {
			groups[k] = t.set.group(text[offsets[i]:offsets[i+1]], true)
		}
	}
}

func (t *textTable) lookupCodes(a *array.Dictionary, sel, groups []int32) {
	entries := a.Dictionary().(*array.String)
	t.codes = extendTo(t.codes, entries.Len())
	for i := range t.codes {
		t.codes[i] = -1
	}
	offsets, text := entries.ValueOffsets(), textOf(entries)
	for k := range groups {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if a.IsNull(i) {
			groups[k] = t.null(true)
			continue
		}
		code := a.GetValueIndex(i)
		if t.codes[code] < 0 {
			if entries.IsNull(code) {
				t.codes[code] = t.null(true)
			} else {
				t.codes[code] = t.set.group(text[offsets[code]:offsets[code+1]], true)
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
	from := src.(*textTable)
	for k, id := range ids {
		if id == from.nullGroup {
			groups[k] = t.null(insert)
		} else {
			groups[k] = t.set.group(from.set.bytes(id), insert)
		}
	}
}

func (t *textTable) null(insert bool) int32 {
	if t.nullGroup < 0 && insert {
		t.nullGroup = t.set.add(nil)
	}
	return t.nullGroup
}

func (t *textTable) appendKeys(cols []*batch.Column, ids []int32) {
	c := cols[0]
	for _, id := range ids {
		if id == t.nullGroup {
			c.AppendNull()
		} else {
			c.AppendText(t.set.bytes(id))
		}
	}
}

func (t *textTable) appendKey(dst []byte, id int32) []byte {
	if id == t.nullGroup {
		return append(dst, nullTag)
	}
	return appendTextKey(dst, t.set.bytes(id))
}

func (t *textTable) reset() {
	t.set.reset()
	t.nullGroup = -1
}

func (t *textTable) close() {
	t.set.release()
	t.nullGroup = -1
}
