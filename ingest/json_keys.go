package ingest

import "math/bits"

// keyTable finds the column of a key: open addressing, at most a quarter full, so that most keys meet an empty slot or the right
// one at once. It is not changed after it was made.
type keyTable struct {
	slots []tableKey
	shift int
}

// tableKey is a key: its first 16 bytes as two words, zeros behind it, and the others as they are. An empty slot has the zero
// words, and its values are nobody's.
type tableKey struct {
	low, high uint64
	size      int
	rest      string

	// column is -1, and spans the index of the first span that no column wants, in an empty slot.
	column, spans int
	isUsed        bool
	// form is what the value must be: aString, or NULL; aScalar, which its column looks at; anyValue, a string too.
	form valueForm
}

func newKeyTable(columns []columnWriter) keyTable {
	size := bits.Len(uint(4*len(columns) + 1))
	t := keyTable{slots: make([]tableKey, 1<<size), shift: 64 - size}
	for i := range t.slots {
		t.slots[i] = tableKey{column: -1, spans: len(columns) * runRows, form: anyValue}
	}
	for k := range columns {
		c := &columns[k]
		padded := append([]byte(c.name), make([]byte, 16)...)
		key := tableKey{column: k, spans: k * runRows, isUsed: true, size: len(c.name), rest: c.name[min(len(c.name), 16):]}
		key.low, key.high = keyWords(padded, 0, key.size)
		switch c.kind {
		case text:
			key.form = anyValue
		case timestamp, calendar:
			key.form = aString
		case bigInt, double, boolean, number:
			key.form = aScalar
		case nested:
			key.form = aContainer
		}
		slot := t.slot(key.low, key.high, key.size)
		for t.slots[slot].isUsed {
			slot = (slot + 1) & (len(t.slots) - 1)
		}
		t.slots[slot] = key
	}
	return t
}

// keyWords returns the first 16 bytes of a key, without a branch that depends on its size.
func keyWords(buf []byte, from, size int) (low, high uint64) {
	return load(buf, from) & byteMasks[min(size, 8)], load(buf, from+8) & byteMasks[max(min(size, 16)-8, 0)]
}

// slot is a multiplicative hash (Knuth, The Art of Computer Programming 6.4): 2^64 by the golden ratio.
func (t *keyTable) slot(low, high uint64, size int) int {
	return int((low ^ bits.RotateLeft64(high, 27) + uint64(size)) * 0x9E3779B97F4A7C15 >> t.shift)
}

// find returns the key buf[from:to], an empty slot if no column has it. There are 16 bytes behind from.
func (t *keyTable) find(buf []byte, from, to int) *tableKey {
	size := to - from
	low, high := keyWords(buf, from, size)
	for slot := t.slot(low, high, size); ; slot++ {
		k := &t.slots[slot&(len(t.slots)-1)]
		if k.low == low && k.high == high && k.size == size && (size <= 16 || k.rest == string(buf[from+16:to])) || !k.isUsed {
			return k
		}
	}
}
