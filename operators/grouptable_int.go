package operators

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// intTable is the table for one key of type BIGINT or TIMESTAMP. A slot is a key and its group, so that a lookup touches one
// cache line of it.
type intTable struct {
	mem  memory.Allocator
	tag  byte
	mask uint64 // of hashes
	room int    // slots per group
	// touchFrom is the number of slots above which they are touched before they are looked at.
	touchFrom int

	slotArray[intSlot]
	keys      []int64 // by group
	n         int
	nullGroup int32 // -1 if none

	touched int64 // keeps the compiler from leaving the reads of touch out
}

type intSlot struct {
	key   int64
	group int64 // plus one; 0: the slot is free
}

var _ groupTable = (*intTable)(nil)

func newIntTable(mem memory.Allocator, tag byte, room int) *intTable {
	t := &intTable{mem: mem, tag: tag, mask: probeMask, room: room, nullGroup: -1, touchFrom: cachedSlots}
	if room == denseRoom {
		t.touchFrom = coldSlots
	}
	return t
}

func (t *intTable) len() int { return t.n }

func (t *intTable) lookup(cols []arrow.Array, sel, groups []int32) {
	arr := cols[0]
	values := batch.Int64s(arr)
	switch {
	case arr.NullN() > 0:
		for k := range groups {
			if i := rowOf(sel, k); arr.IsNull(i) {
				groups[k] = t.null(true)
			} else {
				groups[k] = t.group(values[i])
			}
		}
	case sel == nil:
		t.lookupValues(values[:len(groups)], groups)
	default:
		t.lookupSelected(values, sel[:len(groups)], groups)
	}
}

// lookupValues is group for many keys. The loop has no call but for new groups, so that the processor reads the slots of several
// keys at a time.
func (t *intTable) lookupValues(values []int64, groups []int32) {
	t.reserve(t.n + 1)
	groups = groups[:len(values)]
	for len(values) >= probeRows && len(t.slots) > t.touchFrom {
		t.touch(values[:probeRows])
		t.lookupChunk(values[:probeRows], groups[:probeRows])
		values, groups = values[probeRows:], groups[probeRows:]
	}
	t.lookupChunk(values, groups)
}

// touch reads the slots that the lookup of values begins at: the loads do not depend on each other, as those of comparisons do
// through their branches, so that the processor has as many on their way as it can.
func (t *intTable) touch(values []int64) {
	slots, shift, mask := t.slots, t.shift, t.mask
	sum := int64(0)
	for _, key := range values {
		sum += slots[(mix(uint64(key), 0)&mask)>>shift].key
	}
	t.touched = sum
}

func (t *intTable) lookupChunk(values []int64, groups []int32) {
	slots, shift, mask := t.slots, t.shift, t.mask
	groups = groups[:len(values)]
	for i, key := range values {
		at := (mix(uint64(key), 0) & mask) >> shift
		slot := &slots[at]
		for slot.key != key && slot.group != 0 {
			at = (at + 1) & uint64(len(slots)-1)
			slot = &slots[at]
		}
		if slot.group == 0 {
			groups[i] = t.insert(key)
			slots, shift = t.slots, t.shift
			continue
		}
		groups[i] = int32(slot.group - 1)
	}
}

// lookupSelected is lookupValues for the rows of sel: their keys are put next to each other first.
func (t *intTable) lookupSelected(values []int64, sel, groups []int32) {
	var keys [probeRows]int64
	for from := 0; from < len(sel); from += probeRows {
		part := sel[from:min(from+probeRows, len(sel))]
		for k, i := range part {
			keys[k%probeRows] = values[i]
		}
		t.lookupValues(keys[:len(part)], groups[from:from+len(part)])
	}
}

func (t *intTable) lookupFrom(src groupTable, ids []int32, insert bool, groups []int32) {
	from := src.(*intTable)
	if t.n == 0 && insert {
		t.copyFrom(from, ids, groups)
		return
	}
	t.index()
	var keys [probeRows]int64
	missing := 0
	for at := 0; at < len(ids); at += probeRows {
		part := ids[at:min(at+probeRows, len(ids))]
		for k, id := range part {
			keys[k] = from.keys[id]
		}
		if len(t.slots) > t.touchFrom {
			t.touch(keys[:len(part)])
		}
		missing += t.find(keys[:len(part)], groups[at:at+len(part)])
	}
	if from.nullGroup >= 0 {
		for k, id := range ids {
			if id == from.nullGroup {
				groups[k] = t.null(insert)
			}
		}
	}
	if missing == 0 || !insert {
		return
	}
	t.reserve(t.n + missing)
	for k, id := range ids {
		if groups[k] < 0 {
			groups[k] = t.insert(from.keys[id])
		}
	}
}

// find sets groups to those of keys, to -1 for those that have none, and returns how many that are.
func (t *intTable) find(keys []int64, groups []int32) (missing int) {
	slots, shift, mask := t.slots, t.shift, t.mask
	if len(slots) == 0 {
		for k := range groups {
			groups[k] = -1
		}
		return len(groups)
	}
	for k, key := range keys {
		at := (mix(uint64(key), 0) & mask) >> shift
		slot := &slots[at]
		for slot.key != key && slot.group != 0 {
			at = (at + 1) & uint64(len(slots)-1)
			slot = &slots[at]
		}
		groups[k] = int32(slot.group - 1)
		if slot.group == 0 {
			missing++
		}
	}
	return missing
}

// copyFrom makes groups of ids in an empty table. As they are different, they need no slots: the first lookup makes these.
func (t *intTable) copyFrom(from *intTable, ids, groups []int32) {
	t.free(t.mem)
	t.keys = batch.GrowSlice(t.mem, t.keys[:0], len(ids))
	for k, id := range ids {
		t.keys[k], groups[k] = from.keys[id], int32(k)
		if id == from.nullGroup {
			t.nullGroup = int32(k)
		}
	}
	t.n = len(ids)
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
	t.reserve(t.n + 1)
	for at := (mix(uint64(key), 0) & t.mask) >> t.shift; ; at = (at + 1) & uint64(len(t.slots)-1) {
		switch slot := &t.slots[at]; {
		case slot.group == 0:
			return t.insert(key)
		case slot.key == key:
			return int32(slot.group - 1)
		}
	}
}

// insert makes a group of a key that has none.
func (t *intTable) insert(key int64) int32 {
	t.reserve(t.n + 1)
	id := t.add(key)
	t.put(intSlot{key, int64(id) + 1})
	return id
}

// put fills the first free slot for a key that is in none.
func (t *intTable) put(s intSlot) {
	at := (mix(uint64(s.key), 0) & t.mask) >> t.shift
	for t.slots[at].group != 0 {
		at = (at + 1) & uint64(len(t.slots)-1)
	}
	t.slots[at] = s
}

// reserve makes slots for n groups. Old slots are visited in order: as a hash's upper bits choose the slot, their keys go to the
// new ones nearly in order too, and both are read and written as streams.
func (t *intTable) reserve(n int) {
	need := slotsFor(n, t.room)
	if need <= len(t.slots) {
		return
	}
	old := t.make(t.mem, need)
	if len(old.slots) == 0 {
		t.putAll()
	}
	for _, s := range old.slots {
		if s.group != 0 {
			t.put(s)
		}
	}
	old.free(t.mem)
}

// index makes the slots that compact freed.
func (t *intTable) index() {
	if len(t.slots) == 0 && t.n > 0 {
		t.reserve(t.n)
	}
}

func (t *intTable) putAll() {
	for id, key := range t.keys[:t.n] {
		if int32(id) != t.nullGroup {
			t.put(intSlot{key, int64(id) + 1})
		}
	}
}

func (t *intTable) appendKeys(cols []*batch.Column, ids []int32) {
	from, values := cols[0].Len(), cols[0].AppendInt64s(len(ids))
	for k, id := range ids {
		values[k] = t.keys[id] // 0 of NULL
	}
	if t.nullGroup < 0 {
		return
	}
	for k, id := range ids {
		if id == t.nullGroup {
			cols[0].SetNull(from + k)
		}
	}
}

func (t *intTable) inOrder(ids []int32) []int32 {
	if t.nullGroup >= 0 {
		ids = append(ids, t.nullGroup)
	}
	for i := range t.slots {
		if group := t.slots[i].group; group != 0 {
			ids = append(ids, int32(group-1))
		}
	}
	return ids
}

func (t *intTable) shards(shards []uint8) {
	for id, key := range t.keys[:t.n] {
		shards[id] = uint8(hashWord(t.tag, uint64(key)) >> shardShift)
	}
	if t.nullGroup >= 0 {
		shards[t.nullGroup] = uint8(ShardOf([]byte{nullTag}))
	}
}

func (t *intTable) compact() {
	t.free(t.mem)
	t.keys = t.keys[:t.n]
}

func (t *intTable) reset() {
	if n := slotsAfterReset(t.n, t.room, len(t.slots)); n < len(t.slots) {
		t.close()
		t.make(t.mem, n)
	} else {
		clear(t.slots)
	}
	t.n, t.nullGroup = 0, -1
}

func (t *intTable) close() {
	t.free(t.mem)
	batch.FreeSlice(t.mem, t.keys)
	t.keys, t.n, t.nullGroup = nil, 0, -1
}
