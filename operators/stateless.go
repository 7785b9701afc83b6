package operators

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// stateless is what operators that know one batch only have in common.
type stateless struct{ schema *arrow.Schema }

// Schema returns the schema of the batches that come out.
func (s *stateless) Schema() *arrow.Schema { return s.schema }

// BeginInterval does nothing.
func (s *stateless) BeginInterval(batch.Interval) error { return nil }

// EndInterval passes the watermark of the input on.
func (s *stateless) EndInterval(_ context.Context, in []batch.Time, _ batch.Emit) (batch.Time, error) {
	return minTime(in), nil
}

// minTime returns the smallest watermark, batch.MaxTime if there is none.
func minTime(ts []batch.Time) batch.Time {
	r := batch.MaxTime
	for _, t := range ts {
		r = min(r, t)
	}
	return r
}

// badRows collects the rows of a batch that an expression could not compute: each is reported once, whoever tells of it, and
// left out by narrow.
type badRows struct {
	report func(origin *batch.Origin, row int32, why string)
	note   expr.BadRow // add, bound once

	origin batch.Origin
	marked []uint64 // a bit per row of the batch
	n      int
}

func (b *badRows) init(env Env) {
	b.report = env.Bad
	b.note = b.add
}

// begin starts with a batch, in which no row is bad yet.
func (b *badRows) begin(in *batch.Batch) {
	b.origin = in.Origin
	words := (in.NumRows() + 63) / 64
	if words > len(b.marked) {
		b.marked = make([]uint64, words+words/2)
	} else if b.n > 0 {
		clear(b.marked)
	}
	b.n = 0
}

// add marks a row, and reports it if that is new.
func (b *badRows) add(row int32, why string) {
	mask := uint64(1) << (row & 63)
	if b.marked[row>>6]&mask != 0 {
		return
	}
	b.marked[row>>6] |= mask
	b.n++
	if b.report != nil {
		b.report(&b.origin, row, why)
	}
}

func (b *badRows) isBad(row int32) bool { return b.marked[row>>6]&(1<<(row&63)) != 0 }

// narrow returns the live rows of in that are not bad: in.Sel itself if none is, else in the memory of scratch.
func (b *badRows) narrow(in *batch.Batch, scratch *[]int32) []int32 {
	if b.n == 0 {
		return in.Sel
	}
	sel := (*scratch)[:0]
	if in.Sel == nil {
		for i := range int32(in.NumRows()) {
			if !b.isBad(i) {
				sel = append(sel, i)
			}
		}
	} else {
		for _, i := range in.Sel {
			if !b.isBad(i) {
				sel = append(sel, i)
			}
		}
	}
	*scratch = sel
	if sel == nil { // nil would mean all rows
		sel = []int32{}
	}
	return sel
}

// newExprs makes instances of specs. On an error, none is left.
func newExprs(mem memory.Allocator, specs []*expr.Spec) ([]expr.Expr, error) {
	exprs := make([]expr.Expr, 0, len(specs))
	for _, s := range specs {
		e, err := expr.New(mem, s)
		if err != nil {
			closeExprs(exprs)
			return nil, err
		}
		exprs = append(exprs, e)
	}
	return exprs, nil
}

func closeExprs(exprs []expr.Expr) {
	for _, e := range exprs {
		if e != nil {
			e.Close()
		}
	}
}
