package operators

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/zeebo/xxh3"

	"github.com/tidemill/tidemill/batch"
)

// byteSet numbers strings of bytes from 0. Up to 16 bytes a string is in its slot, so that a lookup touches the slot alone; for a
// longer one the slot has a hash and where the bytes are in the arena, which has all strings in order of their numbers.
type byteSet struct {
	mem  memory.Allocator
	mask uint64 // of hashes
	room int    // slots per string

	slotArray[byteSlot]
	arena     []byte
	ends      []int64 // by number: where its bytes end in the arena
	n         int
	nullGroup int32 // a number without a slot, whose string is empty; -1 if none

	touched uint64 // keeps the compiler from leaving the reads of touch out
}

// byteSlot has the bytes, padded with 0, or the hash and the start of a string of more than shortBytes.
type byteSlot struct {
	a, b uint64
	meta uint64 // length<<32 | number+1; 0: the slot is free
}

const (
	// shortBytes is the length up to which bytes are in the slot.
	shortBytes = 16
	// probeRows is how many strings are hashed before their slots are read, so that the processor waits for several slots at a
	// time: a batch of 128 was best in prototypes. The scratch of as many is on the stack.
	probeRows = 128
	// cachedSlots is how many slots are in a core's second cache for sure (1.5 MB). Slots of larger tables are touched before they
	// are compared.
	cachedSlots = 64 << 10
	// coldSlots is that of tables of state, which are in no cache when their turn comes, once an interval.
	coldSlots = 512
)

// shortMasks has the masks of the two words of up to 16 bytes; those behind are 0.
var shortMasks = func() (masks [longMask + 1][2]uint64) {
	for n := range longMask {
		masks[n] = [2]uint64{^uint64(0) >> (64 - 8*min(n, 8)), ^uint64(0) >> (64 - 8*max(n-8, 0))}
	}
	return masks
}()

// shortWords returns the two words of n bytes, at most 16, of text. It reads 16 bytes where text has them, whatever n is: that
// takes no branch, of which one per length would be mispredicted for every other word of a natural text.
func shortWords(text []byte, start, n int) (a, b uint64) {
	if start+shortBytes <= len(text) {
		s := text[start : start+shortBytes]
		a, b = binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:])
		return a & shortMasks[n][0], b & shortMasks[n][1]
	}
	var s [shortBytes]byte
	copy(s[:], text[start:start+n])
	return binary.LittleEndian.Uint64(s[:]), binary.LittleEndian.Uint64(s[8:])
}

// shortHash returns the hash of up to 16 bytes.
func shortHash(a, b, n uint64) uint64 { return mix(a^n<<56, b) }

func (s *byteSlot) hash() uint64 {
	if n := s.meta >> 32; n <= shortBytes {
		return shortHash(s.a, s.b, n)
	}
	return s.a
}

// probes are strings on their way to their slots.
type probes struct {
	a, b, hash [probeRows]uint64 // a and b as in a slot, but b of a long string
	start, n   [probeRows]int
}

// set makes string i of the probes text[start:end].
func (p *probes) set(i int, text []byte, start, end int, mask uint64) {
	n := end - start
	p.start[i], p.n[i] = start, n
	if n > shortBytes {
		p.a[i] = xxh3.HashSeed(text[start:end], probeSeed) & mask
		p.hash[i] = p.a[i]
		return
	}
	a, b := shortWords(text, start, n)
	p.a[i], p.b[i], p.hash[i] = a, b, shortHash(a, b, uint64(n))&mask
}

// touch reads the slots that the first n probes begin at. The loads do not depend on each other, as those of comparisons do
// through their branches, so that the processor has as many on their way as it can.
func (p *probes) touch(n int, slots []byteSlot, shift uint) (sum uint64) {
	for _, h := range p.hash[:n] {
		sum += slots[h>>shift].meta
	}
	return sum
}

// lookupAll sets groups to the numbers of strings text[offsets[i]:offsets[i+1]], where i is in sel, or any if sel is nil. New
// strings get one.
func (t *byteSet) lookupAll(text []byte, offsets, sel, groups []int32) {
	t.reserve(t.n + 1)
	var p probes
	var others, found [probeRows]int32
	for from := 0; from < len(groups); from += probeRows {
		part := groups[from:min(from+probeRows, len(groups))]
		at, rows := offsets[from:], sel
		numOthers := len(part)
		switch {
		case sel != nil:
			at, rows = offsets, sel[from:from+len(part)]
		case int(at[len(part)])+shortBytes <= len(text):
			numOthers = t.firstProbe(text, at[:len(part)+1], part, others[:])
			rows = others[:numOthers]
		}
		if numOthers == 0 {
			continue
		}
		for k := range numOthers {
			i := rowOf(rows, k)
			p.set(k, text, int(at[i]), int(at[i+1]), t.mask)
		}
		t.find(&p, text, found[:numOthers])
		for k, g := range found[:numOthers] {
			if g < 0 { // a string may be new twice
				g = t.group(text[p.start[k] : p.start[k]+p.n[k]])
			}
			if sel == nil {
				part[rowOf(rows, k)] = g
			} else {
				part[k] = g
			}
		}
	}
}

// find sets groups to the numbers of the probes, whose bytes are in text, -1 where there is none, and returns how many these are.
func (t *byteSet) find(p *probes, text []byte, groups []int32) (missing int) {
	slots, shift := t.slots, t.shift
	if len(slots) == 0 {
		for k := range groups {
			groups[k] = -1
		}
		return len(groups)
	}
	if len(slots) > cachedSlots {
		t.touched = p.touch(len(groups), slots, shift)
	}
	last := uint64(len(slots) - 1)
	for k := range groups {
		k := k % probeRows
		a, b, n, at := p.a[k], p.b[k], uint64(p.n[k]), p.hash[k]>>shift
		if n > shortBytes {
			groups[k] = t.findLong(text[p.start[k]:p.start[k]+int(n)], a)
			missing += int(uint32(groups[k]) >> 31)
			continue
		}
		slot := &slots[at]
		for slot.meta != 0 && (slot.a^a)|(slot.b^b)|(slot.meta>>32^n) != 0 {
			at++
			slot = &slots[at&last]
		}
		groups[k] = int32(uint32(slot.meta)) - 1
		if slot.meta == 0 {
			missing++
		}
	}
	return missing
}

func (t *byteSet) findLong(s []byte, hash uint64) int32 {
	last := uint64(len(t.slots) - 1)
	for at := hash >> t.shift; ; at++ {
		slot := &t.slots[at&last]
		if slot.meta == 0 {
			return -1
		}
		if slot.a == hash && slot.meta>>32 == uint64(len(s)) && string(t.arena[slot.b:slot.b+uint64(len(s))]) == string(s) {
			return int32(uint32(slot.meta)) - 1
		}
	}
}

// group returns the number of s, a new one if need be.
func (t *byteSet) group(s []byte) int32 {
	t.reserve(t.n + 1)
	slot := t.slotOf(s)
	last := uint64(len(t.slots) - 1)
	for at := (slot.hash() & t.mask) >> t.shift; ; at++ {
		switch found := &t.slots[at&last]; {
		case found.meta == 0:
			slot.meta |= uint64(t.n) + 1
			if len(s) > shortBytes {
				slot.b = uint64(len(t.arena))
			}
			*found = slot
			return t.add(s)
		case found.a != slot.a || found.meta>>32 != uint64(len(s)):
		case len(s) <= shortBytes && found.b == slot.b:
			return int32(uint32(found.meta)) - 1
		case len(s) > shortBytes && string(t.arena[found.b:found.b+uint64(len(s))]) == string(s):
			return int32(uint32(found.meta)) - 1
		}
	}
}

// slotOf returns a slot of s without a number, and without the start of a long string.
func (t *byteSet) slotOf(s []byte) byteSlot {
	slot := byteSlot{meta: uint64(len(s)) << 32}
	if len(s) > shortBytes {
		slot.a = xxh3.HashSeed(s, probeSeed) & t.mask
	} else {
		slot.a, slot.b = shortWords(s, 0, len(s))
	}
	return slot
}

// lookupFrom sets groups to the numbers that the strings ids of src have here. One that is missing gets one if insert, else -1.
func (t *byteSet) lookupFrom(src *byteSet, ids []int32, insert bool, groups []int32) {
	if t.n == 0 && insert {
		t.copyFrom(src, ids, groups)
		return
	}
	if at := indexOf(ids, src.nullGroup); at >= 0 {
		t.lookupFrom(src, ids[:at], insert, groups[:at])
		groups[at] = t.null(insert)
		ids, groups = ids[at+1:], groups[at+1:]
	}
	if len(t.slots) == 0 && t.n > 0 {
		t.reserve(t.n)
	}
	var p probes
	missing := 0
	for from := 0; from < len(ids); from += probeRows {
		part := ids[from:min(from+probeRows, len(ids))]
		for k, id := range part {
			start, end := src.span(id)
			p.set(k, src.arena, start, end, t.mask)
		}
		missing += t.find(&p, src.arena, groups[from:from+len(part)])
	}
	if missing == 0 || !insert {
		return
	}
	t.reserve(t.n + missing)
	for k, id := range ids {
		if groups[k] < 0 {
			groups[k] = t.group(src.bytes(id))
		}
	}
}

// copyFrom numbers the strings ids of src in an empty set. As they are different, they need no slots: the first lookup makes these.
func (t *byteSet) copyFrom(src *byteSet, ids, groups []int32) {
	t.free(t.mem)
	size := 0
	for _, id := range ids {
		start, end := src.span(id)
		size += end - start
	}
	t.arena = batch.GrowSlice(t.mem, t.arena[:0], size)[:0]
	t.ends = batch.GrowSlice(t.mem, t.ends[:0], len(ids))
	for k, id := range ids {
		t.arena = append(t.arena, src.bytes(id)...)
		t.ends[k], groups[k] = int64(len(t.arena)), int32(k)
		if id == src.nullGroup {
			t.nullGroup = int32(k)
		}
	}
	t.n = len(ids)
}

func indexOf(ids []int32, id int32) int {
	if id >= 0 {
		for k, have := range ids {
			if have == id {
				return k
			}
		}
	}
	return -1
}

func (t *byteSet) null(insert bool) int32 {
	if t.nullGroup < 0 && insert {
		t.nullGroup = t.add(nil)
	}
	return t.nullGroup
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

// span returns where the string with a number is in the arena.
func (t *byteSet) span(id int32) (start, end int) {
	if id > 0 {
		start = int(t.ends[id-1])
	}
	return start, int(t.ends[id])
}

// bytes returns the string with a number, valid until the next one is added.
func (t *byteSet) bytes(id int32) []byte {
	start, end := t.span(id)
	return t.arena[start:end]
}

// reserve makes slots for n strings. Old slots are visited in order, as in intTable, and keep what they hold, so that no string
// is read again.
func (t *byteSet) reserve(n int) {
	need := slotsFor(n, t.room)
	if need <= len(t.slots) {
		return
	}
	old := t.make(t.mem, need)
	if len(old.slots) == 0 {
		for id := range int32(t.n) {
			if id != t.nullGroup {
				start, end := t.span(id)
				slot := t.slotOf(t.arena[start:end])
				slot.meta |= uint64(id) + 1
				if end-start > shortBytes {
					slot.b = uint64(start)
				}
				t.put(slot)
			}
		}
	}
	for _, s := range old.slots {
		if s.meta != 0 {
			t.put(s)
		}
	}
	old.free(t.mem)
}

// put fills the first free slot for a string that is in none.
func (t *byteSet) put(s byteSlot) {
	last := uint64(len(t.slots) - 1)
	at := (s.hash() & t.mask) >> t.shift
	for t.slots[at&last].meta != 0 {
		at++
	}
	t.slots[at&last] = s
}

// inOrder appends all numbers to ids in the order of their slots.
func (t *byteSet) inOrder(ids []int32) []int32 {
	if t.nullGroup >= 0 {
		ids = append(ids, t.nullGroup)
	}
	for i := range t.slots {
		if meta := t.slots[i].meta; meta != 0 {
			ids = append(ids, int32(uint32(meta))-1)
		}
	}
	return ids
}

func (t *byteSet) compact() {
	t.free(t.mem)
	t.ends, t.arena = trim(t.mem, t.ends[:t.n]), trim(t.mem, t.arena)
}

func (t *byteSet) reset() {
	if n := slotsAfterReset(t.n, t.room, len(t.slots)); n < len(t.slots) {
		t.release()
		t.make(t.mem, n)
	} else {
		clear(t.slots)
	}
	t.arena, t.n, t.nullGroup = t.arena[:0], 0, -1
}

func (t *byteSet) release() {
	t.free(t.mem)
	batch.FreeSlice(t.mem, t.arena)
	batch.FreeSlice(t.mem, t.ends)
	t.arena, t.ends, t.n, t.nullGroup = nil, nil, 0, -1
}
