package bench

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// textTable counts keys by open addressing, as a program would that does nothing else. The slot has the hash, so that growing
// hashes nothing, and keys of up to eight bytes, so that comparing them reads nothing else.
type textTable struct {
	slots []textSlot
	keys  []byte
	used  int
}

type textSlot struct {
	hash  uint64 // 0 if the slot is empty
	first uint64 // the first eight bytes of the key, zeroes behind it
	start uint32
	size  uint32
	n     int64
}

func newTextTable() *textTable { return &textTable{slots: make([]textSlot, 1<<12)} }

// add adds n to the count of key.
func (t *textTable) add(key []byte, n int64) { t.slots[t.find(key)].n += n }

// find returns the index of the slot of key, which is added if it is new. It is valid until the next find.
func (t *textTable) find(key []byte) int {
	first := firstBytes(key)
	h := mixed(first ^ uint64(len(key)))
	if len(key) > 8 {
		h = hashRest(h, key[8:])
	}
	h |= 1
	mask := uint64(len(t.slots) - 1)
	for i := h >> 32 & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.hash == h && s.first == first && int(s.size) == len(key) && (len(key) <= 8 || bytes.Equal(t.key(s), key)) {
			return int(i)
		}
		if s.hash == 0 {
			if 2*t.used >= len(t.slots) {
				t.grow()
				return t.find(key)
			}
			t.used++
			s.hash, s.first, s.start, s.size = h, first, uint32(len(t.keys)), uint32(len(key))
			t.keys = append(t.keys, key...)
			return int(i)
		}
	}
}

func (t *textTable) key(s *textSlot) []byte { return t.keys[s.start : s.start+s.size] }

func (t *textTable) grow() {
	old := t.slots
	t.slots = make([]textSlot, 4*len(old))
	mask := uint64(len(t.slots) - 1)
	for _, s := range old {
		if s.hash == 0 {
			continue
		}
		i := s.hash >> 32 & mask
		for t.slots[i].hash != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}

// counts returns the counts by key.
func (t *textTable) counts() map[string]int64 {
	m := make(map[string]int64, t.used)
	for i := range t.slots {
		if s := &t.slots[i]; s.hash != 0 {
			m[string(t.key(s))] = s.n
		}
	}
	return m
}

// hashMultiplier is the golden ratio in 64 bits: Knuth, The Art of Computer Programming 3, section 6.4.
const hashMultiplier = 0x9E3779B97F4A7C15

// firstBytes returns the first eight bytes of key as a number, with zeroes for what it does not have. It is quick where the memory
// behind key can be read.
func firstBytes(key []byte) uint64 {
	if cap(key) >= 8 {
		word := binary.LittleEndian.Uint64(key[:8])
		if len(key) < 8 {
			word &= 1<<(8*len(key)) - 1
		}
		return word
	}
	var word uint64
	for i, b := range key {
		word |= uint64(b) << (8 * i)
	}
	return word
}

// mixed spreads every bit of v over the result: it folds the 128-bit product, since the low half alone does not see high bits.
func mixed(v uint64) uint64 {
	high, low := bits.Mul64(v, hashMultiplier)
	return high ^ low
}

// hashRest goes on with a hash over more bytes.
func hashRest(h uint64, key []byte) uint64 {
	for {
		h = mixed(h ^ firstBytes(key))
		if len(key) <= 8 {
			return h
		}
		key = key[8:]
	}
}
