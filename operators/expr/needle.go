package expr

import (
	"bytes"
	"math/bits"
)

// Needle is a fixed text that a column has in every row for which a predicate is true. It finds places in records that are no rows
// yet, so that rows need not be made of those without. It has scratch, and is used by one goroutine at a time.
type Needle struct {
	finder *finder
	mask   []uint64
}

// NewNeedle returns the needle that predicate looks for in column i, TEXT, of its input, or nil if it looks for none, or may find a
// row bad before it has looked.
func NewNeedle(predicate *Spec, i int) *Needle {
	text := fixedText(predicate, i)
	if len(text) == 0 {
		return nil
	}
	return &Needle{finder: newFinder(text), mask: make([]uint64, maskLen(maxRun))}
}

// fixedText returns the text that column i has in all rows for which s is true, nil if none is known.
func fixedText(s *Spec, i int) []byte {
	if s.Kind != CallKind || len(s.Args) < 2 {
		return nil
	}
	if s.Func == "and" {
		return fixedText(s.Args[0], i) // the others are computed only where this is true
	}
	if len(s.Args) > 2 || s.Args[0].Kind != ColumnKind || s.Args[0].Column != i {
		return nil
	}
	v, isConstant := s.Args[1].Value.(string)
	if !isConstant {
		return nil
	}
	switch s.Func {
	case "contains", "startswith", "endswith", "=":
		return []byte(v)
	case "like":
		var p pattern
		if p.compile([]byte(v)) != nil {
			return nil
		}
		return p.longest()
	}
	return nil
}

// AppendPlaces appends to dst where in text the needle begins, in order, and says whether all of text is ASCII. It ends, without
// having seen all of text, when dst has no more room.
func (n *Needle) AppendPlaces(dst []int32, text []byte) (places []int32, isASCII bool) {
	f := n.finder
	isASCII = isAllASCII(text[:min(f.at, len(text))])
	from := 0 // a multiple of maskSize
	for {
		words := min((len(text)-from-f.at-f.pair.distance)/maskSize, len(n.mask))
		if words <= 0 {
			break
		}
		if !f.pair.mask(n.mask[:words], text[from+f.at:]) {
			isASCII = false
		}
		for w, m := range n.mask[:words] {
			for ; m != 0; m &= m - 1 {
				at := from + w*maskSize + bits.TrailingZeros64(m)
				if end := at + len(f.text); end > len(text) || string(text[at:end]) != string(f.text) {
					continue
				}
				if len(dst) == cap(dst) {
					return dst, false
				}
				dst = append(dst, int32(at))
			}
		}
		from += words * maskSize
	}
	isASCII = isASCII && isAllASCII(text[min(from+f.at, len(text)):])
	for {
		at := bytes.Index(text[from:], f.text)
		if at < 0 || len(dst) == cap(dst) {
			return dst, isASCII
		}
		dst = append(dst, int32(from+at))
		from += at + 1
	}
}

// isAllASCII is for short texts.
func isAllASCII(text []byte) bool {
	var all byte
	for _, c := range text {
		all |= c
	}
	return all < 0x80
}
