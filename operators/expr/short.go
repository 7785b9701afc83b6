package expr

import (
	"encoding/binary"
	"math"
)

// maxShort is how many bytes a text can have to be compared as two words.
const maxShort = 16

// shortText is a constant of at most maxShort bytes. It is compared as two words, without a loop or branch, with the texts that
// have its length.
type shortText struct {
	text  []byte
	words [2]uint64
	masks [2]uint64 // all bits of bytes that text has
}

func newShortText(text []byte) shortText {
	var bytes, used [maxShort]byte
	for i := range copy(bytes[:], text) {
		used[i] = 0xFF
	}
	return shortText{
		text:  text,
		words: [2]uint64{binary.LittleEndian.Uint64(bytes[:8]), binary.LittleEndian.Uint64(bytes[8:])},
		masks: [2]uint64{binary.LittleEndian.Uint64(used[:8]), binary.LittleEndian.Uint64(used[8:])},
	}
}

// pick writes to dst, which has room for all, the rows of a that equal the text, or begin with it if prefix, and returns how many
// these are.
func (s *shortText) pick(dst, rows []int32, a *operand, prefix bool) int {
	longest := len(s.text)
	if prefix {
		longest = math.MaxInt32
	}
	n := pickLengths(dst, rows, a.offsets, int32(len(s.text)), int32(longest))
	if len(s.text) == 0 {
		return n
	}
	text, rows := a.text[:cap(a.text)], dst[:n]
	// Two words cannot be read of rows at the end of a buffer.
	near := len(rows)
	for near > 0 && int(a.offsets[rows[near-1]])+maxShort > len(text) {
		near--
	}
	if len(s.text) <= 8 {
		n = pickWord(dst, rows[:near], a.offsets, text, s.words[0], s.masks[0])
	} else {
		n = s.pickWords(dst, rows[:near], a.offsets, text)
	}
	for _, i := range rows[near:] {
		dst[n] = i
		n = add(n, string(a.bytes(i)[:len(s.text)]) == string(s.text))
	}
	return n
}

// pickLengths writes the rows that have from shortest to longest bytes.
func pickLengths(dst, rows, offsets []int32, shortest, longest int32) int {
	n := 0
	width := uint32(longest - shortest)
	for _, i := range rows {
		dst[n] = i
		n = add(n, uint32(offsets[i+1]-offsets[i]-shortest) <= width)
	}
	return n
}

// pickWord writes the rows of which the first eight bytes are word where mask has bits. dst may be rows.
func pickWord(dst, rows, offsets []int32, text []byte, word, mask uint64) int {
	n := 0
	for _, i := range rows {
		dst[n] = i
		n = add(n, (binary.LittleEndian.Uint64(text[offsets[i]:])^word)&mask == 0)
	}
	return n
}

// pickWords is pickWord with two words.
func (s *shortText) pickWords(dst, rows, offsets []int32, text []byte) int {
	n := 0
	for _, i := range rows {
		p := text[offsets[i]:][:maxShort]
		differs := (binary.LittleEndian.Uint64(p) ^ s.words[0]) | (binary.LittleEndian.Uint64(p[8:])^s.words[1])&s.masks[1]
		dst[n] = i
		n = add(n, differs == 0)
	}
	return n
}
