package ingest

import "math/bits"

// byteSet is a set of ASCII bytes: a, b and those that are at most limit with the bits of flip flipped.
type byteSet struct{ flip, limit, a, b byte }

// jsonStops are the quote, the backslash and the control characters: with bit 1 flipped the quote and the control characters, and
// only they, are below 0x21.
var jsonStops = byteSet{flip: 0x02, limit: 0x20, a: '\\', b: '\\'}

// lineStops is the newline.
var lineStops = byteSet{flip: '\n', a: '\n', b: '\n'}

// csvStops are the newline, the quote and the delimiter.
func csvStops(delimiter byte) byteSet { return byteSet{flip: '\n', a: '"', b: delimiter} }

// marks has a bit for every byte of a block: bit i&7 of byte i>>3 says that byte i is in a set. It is made at the speed of memory,
// and then the end of a value takes a few instructions to find, however long the value is.
type marks []byte

// marksLen is how long marks of n bytes must be: so that blocks of 64 bytes are written, and words read, from any index.
func marksLen(n int) int { return (n+63)/64*8 + 8 }

// next returns the index of the first marked byte from p on. There must be one.
func (m marks) next(p int) int {
	for {
		if w := load(m, p>>3) >> (p & 7); w != 0 {
			return p + bits.TrailingZeros64(w)
		}
		p += 64 - p&7
	}
}

// mark marks the first n bytes of buf, and says whether they all are ASCII. Behind n there are batch.Slack bytes.
func (m marks) mark(buf []byte, n int, set *byteSet) (isASCII bool) {
	done, high := 0, uint64(0)
	if blocks := n / 64; hasVectors && blocks > 0 {
		done = 64 * blocks
		high = uint64(markBlocks(&m[0], &buf[0], blocks, set))
	}
	return high|m.markWords(buf, done, n, set) == 0
}

// markWords marks the bytes from index from on, which is a multiple of 8. The result has highest bits if a byte is not ASCII.
func (m marks) markWords(buf []byte, from, n int, set *byteSet) (high uint64) {
	flip, a, b := uint64(set.flip)*ones, uint64(set.a)*ones, uint64(set.b)*ones
	// Adding what limit lacks to 0x7F carries into the highest bit of the bytes above limit, and of those only.
	lack := uint64(0x7F-set.limit) * ones
	for p := from; p < n; p += 8 {
		w := load(buf, p)
		f := w ^ flip
		outside := f&^highs + lack | f
		outside &= (w^a)&^highs + 0x7F*ones | w ^ a
		outside &= (w^b)&^highs + 0x7F*ones | w ^ b
		// The multiplication moves bit 8i to bit 56+i.
		m[p>>3] = byte((^outside & highs >> 7) * 0x0102040810204080 >> 56)
		if left := n - p; left < 8 {
			w &= lowBytes(left)
		}
		high |= w
	}
	return high & highs
}
