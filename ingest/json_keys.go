package ingest

import "math/bits"

// keyTable finds the column of a key: open addressing on the length and the first 8 bytes of the key, at most a quarter full, so
// that most keys meet an empty slot or the right one at once. It is not changed after it was made.
type keyTable struct {
	names []string
	slots []int16 // a column, or -1
	shift int
}

func newKeyTable(names []string) keyTable {
	size := bits.Len(uint(4*len(names) + 1))
	t := keyTable{names: names, slots: make([]int16, 1<<size), shift: 64 - size}
	for i := range t.slots {
		t.slots[i] = -1
	}
	for k, name := range names {
		padded := append([]byte(name), make([]byte, 8)...)
		slot := t.slot(padded, 0, len(name))
		for t.slots[slot] >= 0 {
			slot = (slot + 1) & (len(t.slots) - 1)
		}
		t.slots[slot] = int16(k)
	}
	return t
}

// slot is a multiplicative hash (Knuth, The Art of Computer Programming 6.4): 2^64 by the golden ratio.
func (t *keyTable) slot(buf []byte, from, to int) int {
	word := load(buf, from) & lowBytes(min(to-from, 8))
	return int((word + uint64(to-from)) * 0x9E3779B97F4A7C15 >> t.shift)
}

// find returns the column of the key buf[from:to], -1 if there is none. There are 8 bytes behind from.
func (t *keyTable) find(buf []byte, from, to int) int {
	if len(t.names) == 0 {
		return -1
	}
	for slot := t.slot(buf, from, to); ; slot = (slot + 1) & (len(t.slots) - 1) {
		k := t.slots[slot]
		if k < 0 || t.names[k] == string(buf[from:to]) {
			return int(k)
		}
	}
}
