package expr

import (
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// Masks are bitmaps with a bit per byte of a text, which find what a loop over bytes would, 64 at a time.

// maskSize is the number of bytes that a word of a mask tells of.
const maskSize = 64

// maskSlack is how many bytes can be read behind those that a mask is made of: it is made of whole words, and pairs reach farther.
const maskSlack = 2 * maskSize

// pair is a byte and another behind it at a distance of less than maskSize; one byte alone is a pair with itself at distance 0.
type pair struct {
	a, b     byte
	distance int
}

// mask sets bit i of dst, which has a word for every 64 bytes begun, where text[i] is the one byte and text[i+distance] the other.
// The last maskSlack bytes of text are there to be read only, and may set bits too. The result says whether the bytes that dst has
// bits of are all ASCII.
func (p pair) mask(dst []uint64, text []byte) (isASCII bool) {
	if len(dst) == 0 {
		return true
	}
	if hasVectors {
		_ = text[len(dst)*maskSize+p.distance-1]
		return maskPairVector(&dst[0], &text[0], len(dst), p.distance, p.a, p.b) == 0
	}
	return p.maskWords(dst, text)
}

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
	// gatherBits moves the lowest bits of eight bytes to the upper eight bits of the product, in order.
	gatherBits = 0x0102040810204080
)

// maskWords is mask with eight bytes at a time.
func (p pair) maskWords(dst []uint64, text []byte) (isASCII bool) {
	high := uint64(0)
	as, bs := uint64(p.a)*lowBits, uint64(p.b)*lowBits
	for w := range dst {
		m := uint64(0)
		first := text[w*maskSize:][:maskSize]
		second := text[w*maskSize+p.distance:][:maskSize]
		for i := 0; i < maskSize; i += 8 {
			here := binary.LittleEndian.Uint64(first[i:])
			high |= here
			x, y := here^as, binary.LittleEndian.Uint64(second[i:])^bs
			differs := x | y // a byte of it is 0 where both are as they should be
			zero := ^((differs&^highBits + ^uint64(highBits)) | differs) & highBits
			m |= zero >> 7 * gatherBits >> 56 << i
		}
		dst[w] = m
	}
	return high&highBits == 0
}

// byteClass is a set of bytes, in which those from 0x80 on are all or none.
type byteClass struct {
	member [256]uint8 // 1 for those in it
	// tables has, by the lower half of a byte, a bit for each upper half with which it is in the class; and behind, by the upper
	// half, which bit that is. From 0x80 on it is none where the class has these bytes, so that nothing is missing, and all where not.
	tables [32]byte
}

// newByteClass returns the class of ranges (pairs of first and last), nil if it has some characters of more than one byte but not
// all.
func newByteClass(ranges []rune) *byteClass {
	c := &byteClass{}
	for k := 0; k+1 < len(ranges); k += 2 {
		low, high := ranges[k], ranges[k+1]
		for r := low; r <= min(high, utf8.RuneSelf-1); r++ {
			c.member[r] = 1
		}
		if high < utf8.RuneSelf {
			continue
		}
		if low > utf8.RuneSelf || high != unicode.MaxRune {
			return nil
		}
		for b := utf8.RuneSelf; b < len(c.member); b++ {
			c.member[b] = 1
		}
	}
	c.init()
	return c
}

// has says whether b is in the class.
func (c *byteClass) has(b byte) bool { return c.member[b] != 0 }

func (c *byteClass) init() {
	for b := range 0x80 {
		if c.member[b] != 0 {
			c.tables[b&15] |= 1 << (b >> 4)
		}
	}
	for high := range 16 {
		switch {
		case high < 8:
			c.tables[16+high] = 1 << high
		case c.member[0x80] == 0:
			c.tables[16+high] = 0xFF
		}
	}
}

// mask sets bit i of dst where the class has text[i], as pair.mask does.
func (c *byteClass) mask(dst []uint64, text []byte) {
	if len(dst) == 0 {
		return
	}
	if hasVectors {
		_ = text[len(dst)*maskSize-1]
		maskClassVector(&dst[0], &text[0], len(dst), &c.tables)
	} else {
		c.maskWords(dst, text)
	}
}

// maskWords is mask with a byte at a time.
func (c *byteClass) maskWords(dst []uint64, text []byte) {
	for w := range dst {
		m := uint64(0)
		for i, b := range text[w*maskSize:][:maskSize] {
			m |= uint64(c.member[b]) << i
		}
		dst[w] = m
	}
}

// maskLen returns how many words a mask of n bytes has.
func maskLen(n int) int { return (n + maskSize - 1) / maskSize }

// positionsSlack is how much longer than the number of bits the slice must be that positions writes to.
const positionsSlack = 8

// positions writes the indexes of the bits of mask to dst and returns how many there are.
//
// The vector form writes eight at a time, right or not: a loop per bit would be mispredicted at the end of each word (simdjson,
// Langdale and Lemire 2019, section 3.2).
func positions(dst []int32, mask []uint64) int {
	if hasVectors && len(mask) > 0 {
		return positionsVector(&dst[0], &mask[0], len(mask))
	}
	n := 0
	for w, m := range mask {
		for ; m != 0; m &= m - 1 {
			dst[n] = int32(w*maskSize + bits.TrailingZeros64(m))
			n++
		}
	}
	return n
}
