package expr

import (
	"math"
	"unicode/utf8"

	"github.com/tidemill/tidemill/batch"
)

// runSplitter splits the rows of a run together: a mask of the places, their positions, then a pass over rows and places that
// copies the parts. The pattern is a fixed text, or one or several bytes of a class, and all parts are wanted.
//
// Rows "a b", "" and "c " are the run "a bc ", with places 1 and 4: row 0 takes the first, row 1 none, row 2 the second, behind
// which it has an empty part. The parts are a, b, "", c and "", and the lists end at 2, 3 and 5.
type runSplitter struct {
	*splitter
	class *byteClass // nil where fixed is set
	fixed *finder

	runs  textRuns
	mask  []uint64
	found []int32 // memory of row.found
	row   rowSplit
}

// newRunSplitter returns nil if p must be applied row by row.
func newRunSplitter(p *splitter) *runSplitter {
	s := &runSplitter{splitter: p}
	switch {
	case p.literal != nil:
		s.fixed = newFinder(p.literal)
		s.row.width = len(p.literal)
	case p.run != nil:
		s.class, s.row.width, s.row.merges = p.run, 1, true
	case p.class != nil && !p.class.has(utf8.RuneSelf): // characters have one byte
		s.class, s.row.width = p.class, 1
	default:
		return nil
	}
	s.mask = make([]uint64, maskLen(maxRun))
	s.found = make([]int32, maxRun+positionsSlack+1)
	return s
}

// split is the kernel.
func (s *runSplitter) split(c *kernel) {
	texts, parts := &c.args[0], c.out.Child()
	for rows := c.rows; len(rows) > 0; {
		n, start, text := s.runs.next(texts, rows)
		if text == nil {
			s.appendParts(parts, texts.bytes(rows[0]), 0)
			c.out.EndList(int(rows[0]))
		} else {
			s.splitRun(c.out, texts.offsets, rows[:n], start, text)
		}
		rows = rows[n:]
	}
}

// splitRun adds the parts of rows to the child of out.
func (s *runSplitter) splitRun(out *batch.Column, offsets, rows []int32, start int, text []byte) {
	size := len(text) - maskSlack
	mask := s.mask[:maskLen(size)]
	if s.fixed != nil {
		s.fixed.mask(mask, text, size)
	} else {
		s.class.mask(mask, text)
	}
	found := positions(s.found, mask)
	s.found[found] = math.MaxInt32

	r, parts := &s.row, out.Child()
	r.text, r.found = text, s.found[:found+1]
	r.ends, r.dst = parts.ReserveText(found+len(rows), len(text))
	r.at, r.n, r.next = int(r.ends[0]), 0, 0
	first := parts.Len()
	for _, i := range rows {
		r.from, r.end = int(offsets[i])-start, int(offsets[i+1])-start
		for int(r.found[r.next]) < r.from { // in a row that is not wanted, or behind the last place where one still fits its row
			r.next++
		}
		if hasVectors {
			splitRowVector(r)
		} else {
			r.split()
		}
		out.EndListAt(int(i), first+r.n)
	}
	parts.AddTexts(r.n)
}

// rowSplit splits one row after the other. A place has width bytes; of two that overlap, the first counts. If merges, one right
// behind another is part of it.
type rowSplit struct {
	text  []byte  // of the run, with maskSlack bytes behind
	dst   []byte  // of all parts, with batch.Slack bytes behind
	ends  []int32 // of parts in dst, the first one before all parts
	found []int32 // places in text, and one behind all rows

	at, n, next int // in dst, ends and found
	width       int
	merges      bool
	from, end   int // of the row in text
}

// copyBlock is up to how many bytes are copied in one piece of fixed size, which spares a call.
const copyBlock = 32

// split adds the parts of a row.
func (r *rowSplit) split() {
	from := r.from
	for {
		to := int(r.found[r.next])
		if to > r.end-r.width {
			break
		}
		r.next++
		if to < from {
			continue
		}
		if r.merges && to == from && from > r.from {
			from++
			continue
		}
		r.add(from, to)
		from = to + r.width
	}
	r.add(from, r.end)
}

func (r *rowSplit) add(from, to int) {
	if to-from <= copyBlock {
		*(*[copyBlock]byte)(r.dst[r.at:]) = *(*[copyBlock]byte)(r.text[from:])
	} else {
		copy(r.dst[r.at:], r.text[from:to])
	}
	r.at += to - from
	r.n++
	r.ends[r.n] = int32(r.at)
}
