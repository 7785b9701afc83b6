package expr

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// fold is aggregate(list, start, (acc, x) -> merge[, acc -> finish]). It takes a step for the first elements of all lists at a time,
// then for the second ones, so that merge is computed over as many rows as there are lists that long.
//
// Lists [1 2 3], [], [4] begin with three accumulators, of which the second is done at once. Step 0 has rows 0 and 2, elements 1 and 4;
// step 1 has row 0 and element 2, and so on. done has the accumulators in the order in which they are done: rows 1, 2, 0.
type fold struct {
	listCall
	merge, finish *lambda // finish is nil if it is left out

	acc, next *batch.Column // of the rows of the step
	xs        *batch.Column // their elements
	done      *batch.Column
	place     []int32 // by row: its accumulator in done
	active    []int32 // rows of the step
	kept      []int32 // of these, those that go on, as indexes
	gone      []int32
}

var _ Expr = (*fold)(nil)

func newFold(e *env, s *Spec, args []Expr) (Expr, error) {
	f := &fold{listCall: *newListCall(e, s.Func, s, args[:2], nil)}
	f.lax[1] = true
	f.merge = args[2].(*lambda)
	if len(args) == 4 {
		f.finish = args[3].(*lambda)
	}
	t := s.Args[1].Type
	f.acc, f.next, f.done = batch.NewColumn(e.mem, t), batch.NewColumn(e.mem, t), batch.NewColumn(e.mem, t)
	f.xs = batch.NewColumn(e.mem, elemOf(s.Args[0].Type))
	return f, nil
}

const foldTakes = "(ARRAY<T>, A, (A, T) -> A[, A -> R])"

func resolveFold(name string, args []*Spec) (*Spec, error) {
	if len(args) < 3 || len(args) > 4 || elemOf(args[0].Type) == nil || args[2].Kind != LambdaKind || len(args) == 4 && args[3].Kind != LambdaKind {
		return nil, &TypeError{Func: name, Takes: []string{foldTakes}, Got: argTypes(args)}
	}
	start, merge := args[1], args[2]
	if start.Type.ID() == arrow.NULL {
		return nil, &TypeError{Func: name, Why: "the start has no type: write CAST(NULL AS TEXT), or another type", Got: argTypes(args)}
	}
	if !isSame(merge.Type, start.Type) && merge.Type.ID() != arrow.NULL {
		return nil, &TypeError{Func: name, Why: "the lambda function must give the type of the start, which a CAST changes", Got: argTypes(args[1:3])}
	}
	args = slices.Clone(args)
	args[2] = merge.convertBody(start.Type)
	t := start.Type
	if len(args) == 4 {
		if t = args[3].Type; t.ID() == arrow.NULL {
			t = batch.Text
			args[3] = args[3].convertBody(t)
		}
	}
	return call(name, t, args...), nil
}

// Eval computes the lists and the starts, then the steps.
func (f *fold) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	if err := f.begin(ctx, in, bad); err != nil {
		return nil, err
	}
	list := &f.args[0]
	f.place = slices.Grow(f.place[:0], f.n)[:f.n]
	f.active = append(f.active[:0], f.rows...)
	f.acc.Reset(0)
	f.done.Reset(0)
	if len(f.rows) > 0 {
		f.acc.AppendArray(f.args[1].arr, f.args[1].arr.Len(), f.rows)
	}
	for step := int32(0); ; step++ {
		f.retire(list, step)
		if len(f.active) == 0 {
			break
		}
		f.picks = f.picks[:0]
		for _, i := range f.active {
			f.pick(list.offsets[i] + step)
		}
		f.xs.Reset(0)
		f.xs.AppendArray(list.child.arr, list.child.arr.Len(), f.picks)
		b := f.merge.batchOf(&in, bad, f.active, nil, f.acc.Array(), f.xs.Array())
		if err := f.merge.eval(ctx, b); err != nil {
			return nil, err
		}
		f.next.Reset(0)
		f.next.AppendArray(f.merge.body.arr, len(f.active), nil)
		f.acc, f.next = f.next, f.acc
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	f.picks = f.picks[:0]
	return f.result(ctx, &in, bad)
}

// retire moves the accumulators of lists that have no element at step to done.
func (f *fold) retire(list *operand, step int32) {
	f.kept, f.gone = f.kept[:0], f.gone[:0]
	n := 0
	for k, i := range f.active {
		if from, to := list.span(i); from+step < to {
			f.kept = append(f.kept, int32(k))
			f.active[n] = i
			n++
		} else {
			f.place[i] = int32(f.done.Len() + len(f.gone))
			f.gone = append(f.gone, int32(k))
		}
	}
	f.active = f.active[:n]
	if len(f.gone) == 0 {
		return
	}
	f.done.AppendFrom(f.acc, f.gone)
	f.next.Reset(0)
	f.next.AppendFrom(f.acc, f.kept)
	f.acc, f.next = f.next, f.acc
}

// result spreads the accumulators to their rows, and finishes them.
func (f *fold) result(ctx context.Context, in *batch.Batch, bad BadRow) (arrow.Array, error) {
	out := f.out
	if f.finish != nil {
		out = f.next
	}
	out.Reset(0)
	at := 0
	f.order = f.order[:0]
	for _, i := range f.rows {
		f.order = append(f.order, f.place[i])
	}
	if f.finish == nil {
		for k, i := range f.rows {
			out.AppendNulls(int(i) - at)
			out.AppendFrom(f.done, f.order[k:k+1])
			at = int(i) + 1
		}
		out.AppendNulls(f.n - at)
		return out.Array(), nil
	}
	out.AppendFrom(f.done, f.order)
	b := f.finish.batchOf(in, bad, f.rows, nil, out.Array())
	if err := f.finish.eval(ctx, b); err != nil {
		return nil, err
	}
	f.out.Reset(0)
	body := &f.finish.body
	for k, i := range f.rows {
		f.out.AppendNulls(int(i) - at)
		if body.isNull(int32(k)) {
			f.out.AppendNull()
		} else {
			f.out.AppendRow(body.arr, k)
		}
		at = int(i) + 1
	}
	f.out.AppendNulls(f.n - at)
	return f.out.Array(), nil
}

// Close releases all memory.
func (f *fold) Close() {
	f.kernel.Close()
	f.merge.Close()
	if f.finish != nil {
		f.finish.Close()
	}
	for _, c := range []*batch.Column{f.acc, f.next, f.done, f.xs} {
		c.Release()
	}
}
