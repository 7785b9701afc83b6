package expr

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"github.com/tidemill/tidemill/batch"
)

// letterCase is upper or lower. Letters of ASCII are changed eight at a time.
type letterCase struct {
	first   byte // of the 26 letters of ASCII that are changed
	unicode func(dst, s []byte) []byte
}

var (
	toUpper = letterCase{'a', appendUpper}
	toLower = letterCase{'A', appendLower}
)

// caseBit is the difference between a capital and its small letter in ASCII.
const caseBit = 'a' - 'A'

// change writes s to dst, which is as long, with the letters of ASCII changed. It says whether s has characters of one byte only;
// otherwise what it writes is of no use.
func (l letterCase) change(dst, s []byte) (isASCII bool) {
	dst = dst[:len(s)]
	// With bytes below 0x80, adding makes the highest bit say whether a byte is from the first letter on, or behind the last.
	from := uint64(0x80-int(l.first)) * lowBits
	behind := uint64(0x80-int(l.first)-26) * lowBits
	all := uint64(0)
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := binary.LittleEndian.Uint64(s[i:])
		all |= x
		isLetter := (x + from) &^ (x + behind) & highBits
		binary.LittleEndian.PutUint64(dst[i:], x^isLetter>>2)
	}
	for ; i < len(s); i++ {
		c := s[i]
		all |= uint64(c)
		if c-l.first < 26 {
			c ^= caseBit
		}
		dst[i] = c
	}
	return all&highBits == 0 && all&utf8.RuneSelf == 0
}

// append appends s with its letters changed.
func (l letterCase) append(dst, s []byte) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(s))
	if l.change(dst[n:n+len(s)], s) {
		return dst[:n+len(s)]
	}
	return l.unicode(dst, s)
}

// run is the kernel. Where most rows are wanted, it changes the text of all in one go, if all of it is ASCII.
func (l letterCase) run(c *kernel) {
	a := &c.args[0]
	if 2*len(c.rows) >= c.n && len(c.rows) > 0 && l.runAll(c, a) {
		return
	}
	for _, i := range c.rows {
		s := a.bytes(i)
		c.out.SetTextBuffer(int(i), l.append(c.out.TextBuffer(len(s)), s))
	}
}

func (l letterCase) runAll(c *kernel, a *operand) bool {
	offsets := a.offsets[:c.n+1]
	first, end := offsets[0], offsets[c.n]
	s := a.text[first:end]
	buf := c.out.TextBuffer(len(s) + batch.Slack)[:len(s)]
	if !l.change(buf, s) {
		return false
	}
	to := c.out.Offsets()[:len(offsets)]
	for i, at := range offsets {
		to[i] = at - first
	}
	c.out.SetOffsets(buf)
	return true
}
