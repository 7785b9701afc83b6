package expr

import (
	"bytes"
	"math/bits"
)

// textSearch picks rows that have a fixed text in them. It searches the rows of a run at once, then looks which rows the places
// are in.
type textSearch struct {
	*finder
	runs textRuns
	mask []uint64
}

func newTextSearch(text []byte) *textSearch {
	return &textSearch{finder: newFinder(text), mask: make([]uint64, maskLen(maxRun))}
}

// pick appends to dst the rows of a that have the text in them.
func (t *textSearch) pick(dst, rows []int32, a, _ *operand) []int32 {
	for len(rows) > 0 {
		n, start, text := t.runs.next(a, rows)
		switch {
		case text != nil:
			dst = t.pickRun(dst, rows[:n], a.offsets, start, text)
		case bytes.Contains(a.bytes(rows[0]), t.text):
			dst = append(dst, rows[0])
		}
		rows = rows[n:]
	}
	return dst
}

func (t *textSearch) pickRun(dst, rows, offsets []int32, start int, text []byte) []int32 {
	size := len(text) - maskSlack
	mask := t.mask[:maskLen(size)]
	t.pair.mask(mask, text[t.at:])
	k, from, end := -1, 0, 0 // the row that is looked at, and where it is in text
	for w, m := range mask {
		for ; m != 0; m &= m - 1 {
			at := w*maskSize + bits.TrailingZeros64(m)
			for at >= end {
				if k++; k == len(rows) {
					return dst
				}
				i := rows[k]
				from, end = int(offsets[i])-start, int(offsets[i+1])-start
			}
			// A place before from is between rows, or in one that was picked already.
			if at < from || at+len(t.text) > end || len(t.text) > 2 && string(text[at:at+len(t.text)]) != string(t.text) {
				continue
			}
			dst = append(dst, rows[k])
			from = end
		}
	}
	return dst
}
