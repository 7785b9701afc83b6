package operators

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// intTable is the table for one key of type BIGINT or TIMESTAMP. A slot is two words, the key and its group plus one, so that a
// lookup touches one cache line of it.
type intTable struct {
	mem  memory.Allocator
	tag  byte
	mask uint64 // of hashes

	slots     []int64 // pairs of key and group+1, 0 if free; a power of two of them
	shift     uint    // 64 minus the logarithm of the number of slots
	keys      []int64 // by group
	n         int
	nullGroup int32 // -1 if none
}

var _ groupTable = (*intTable)(nil)

func newIntTable(mem memory.Allocator, tag byte) *intTable {
	return &intTable{mem: mem, tag: tag, mask: probeMask, nullGroup: -1}
}

func (t *intTable) len() int { return t.n }

func (t *intTable) lookup(cols []arrow.Array, sel, groups []int32) {
	arr := cols[0]
	values := batch.Int64s(arr)
	if arr.NullN() == 0 {
		if sel == nil {
			for i, v := range values[:len(groups)] {
				groups[i] = t.group(v)
			}
			return
		}
		for k, i := range sel {
			groups[k] = t.group(values[i])
		}
		return
	}
	for k := range groups {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if arr.IsNull(i) {
			groups[k] = t.null(true)
		} else {
			groups[k] = t.group(values[i])
		}
	}
}

func (t *intTable) lookupFrom(src groupTable, ids []int32, insert bool, groups []int32) {
	from := src.(*intTable)
	for k, id := range ids {
		switch {
		case id == from.nullGroup:
			groups[k] = t.null(insert)
		case insert:
			groups[k] = t.group(from.keys[id])
		default:
			groups[k] = t.find(from.keys[id])
		}
	}
}

func (t *intTable) null(insert bool) int32 {
	if t.nullGroup < 0 && insert {
		t.nullGroup = t.add(0)
	}
	return t.nullGroup
}

// add makes a group, without a slot.
func (t *intTable) add(key int64) int32 {
	t.keys = batch.GrowSlice(t.mem, t.keys, t.n+1)
	t.keys[t.n] = key
	t.n++
	return int32(t.n - 1)
}

// group returns the group of a key, a new one if need be.
func (t *intTable) group(key int64) int32 {
	if slotsPerGroup*(t.n+1) > len(t.slots)/2 {
		t.grow()
	}
	slots := t.slots
	last := uint64(len(slots)/2 - 1)
	for at := (mix(uint64(key), 0) & t.mask) >> t.shift; ; at++ {
		slot := slots[2*(at&last) : 2*(at&last)+2]
		if slot[1] == 0 {
			id := t.add(key)
			slot[0], slot[1] = key, int64(id)+1
			return id
		}
		if slot[0] == key {
			return int32(slot[1] - 1)
		}
	}
}

// find returns the group of a key, -1 if there is none.
func (t *intTable) find(key int64) int32 {
	if len(t.slots) == 0 {
		return -1
	}
	last := uint64(len(t.slots)/2 - 1)
	for at := (mix(uint64(key), 0) & t.mask) >> t.shift; ; at++ {
		slot := t.slots[2*(at&last) : 2*(at&last)+2]
		if slot[1] == 0 {
			return -1
		}
		if slot[0] == key {
			return int32(slot[1] - 1)
		}
	}
}

// grow doubles the slots and puts all keys in again.
func (t *intTable) grow() {
	n := max(minSlots, len(t.slots)) // twice the number of slots so far
	batch.FreeSlice(t.mem, t.slots)
	t.makeSlots(n)
	last := uint64(n - 1)
	for id, key := range t.keys[:t.n] {
		if int32(id) == t.nullGroup {
			continue
		}
		at := (mix(uint64(key), 0) & t.mask) >> t.shift
		for t.slots[2*(at&last)+1] != 0 {
			at++
		}
		t.slots[2*(at&last)], t.slots[2*(at&last)+1] = key, int64(id)+1
	}
}

func (t *intTable) makeSlots(n int) {
	t.slots = batch.MakeSlice[int64](t.mem, 2*n)
	clear(t.slots)
	t.shift = slotShift(n)
}

func (t *intTable) appendKeys(cols []*batch.Column, ids []int32) {
	c := cols[0]
	for _, id := range ids {
		if id == t.nullGroup {
			c.AppendNull()
		} else {
			c.AppendInt64(t.keys[id])
		}
	}
}

func (t *intTable) appendKey(dst []byte, id int32) []byte {
	if id == t.nullGroup {
		return append(dst, nullTag)
	}
	return appendWord(dst, t.tag, uint64(t.keys[id]))
}

func (t *intTable) reset() {
	if n := slotsAfterReset(t.n, len(t.slots)/2); n < len(t.slots)/2 {
		batch.FreeSlice(t.mem, t.slots)
		batch.FreeSlice(t.mem, t.keys)
		t.keys = nil
		t.makeSlots(n)
	} else {
		clear(t.slots)
	}
	t.n, t.nullGroup = 0, -1
}

func (t *intTable) close() {
	batch.FreeSlice(t.mem, t.slots)
	batch.FreeSlice(t.mem, t.keys)
	t.slots, t.keys, t.n, t.nullGroup = nil, nil, 0, -1
}
