package expr

import (
	"bytes"
	"math/bits"
)

// finder finds a fixed text of at least one byte. It looks for two of its bytes, the rarest, at their distance, and compares the
// rest where both are found.
type finder struct {
	text []byte
	pair pair
	at   int // of the first byte of the pair in text
}

// commonBytes are bytes from the one most often found in text to the less often found; those that are not here are rare. The order
// of letters is that of English, with digits, which logs are full of, among them; it matters for speed only.
const commonBytes = " etaoinsr0hldc1u2m3f4p5g6w7y8b9v.,-/:\"=_kxjqz"

func newFinder(text []byte) *finder {
	f := &finder{text: text}
	rarity := func(i int) int {
		if at := bytes.IndexByte([]byte(commonBytes), text[i]); at >= 0 {
			return at
		}
		return len(commonBytes)
	}
	// The two rarest of the bytes that a pair can reach.
	best, second := 0, -1
	for i := 1; i < min(len(text), maskSize); i++ {
		switch {
		case rarity(i) > rarity(best):
			best, second = i, best
		case second < 0 || rarity(i) > rarity(second):
			second = i
		}
	}
	if second < 0 {
		second = best
	}
	f.at = min(best, second)
	f.pair = pair{a: text[f.at], b: text[max(best, second)], distance: max(best, second) - f.at}
	return f
}

// mask sets the bits of dst where the text is found in the first n bytes of s, as pair.mask does.
func (f *finder) mask(dst []uint64, s []byte, n int) {
	f.pair.mask(dst, s[f.at:])
	if len(f.text) <= 2 {
		return
	}
	for w, m := range dst {
		for left := m; left != 0; left &= left - 1 {
			at := w*maskSize + bits.TrailingZeros64(left)
			if at+len(f.text) > n || string(s[at:at+len(f.text)]) != string(f.text) {
				m &^= left & -left
			}
		}
		dst[w] = m
	}
}
