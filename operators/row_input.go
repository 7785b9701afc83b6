package operators

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// rowInput computes what an aggregate needs of the rows of a batch: their times, gaps, keys and arguments, and which rows have all of
// these.
type rowInput struct {
	err  error // of making the expressions
	time expr.Expr
	gap  expr.Expr // nil: the same for all rows
	keys []expr.Expr
	args []expr.Expr // nil for count(*)

	// Of the batch that eval had last; valid until its next call.
	timeArr, gapArr arrow.Array
	keyArrs         []arrow.Array
	argArrs         []arrow.Array
	rows            []int32 // live and good, increasing

	bad badRows
}

func (r *rowInput) init(spec *AggregateSpec, env Env) {
	r.keyArrs, r.argArrs = make([]arrow.Array, len(spec.Keys)), make([]arrow.Array, len(spec.Aggs))
	r.bad.init(env)
	if w := spec.Window; w.Time != nil {
		if r.time, r.err = expr.New(env.Mem, w.Time); r.err != nil {
			return
		}
	}
	if w := spec.Window; w.Gap != nil {
		if r.gap, r.err = expr.New(env.Mem, w.Gap); r.err != nil {
			return
		}
	}
	if r.keys, r.err = newExprs(env.Mem, spec.Keys); r.err != nil {
		return
	}
	r.args = make([]expr.Expr, len(spec.Aggs))
	for i, a := range spec.Aggs {
		if a.Arg == nil {
			continue
		}
		if r.args[i], r.err = newArgument(env.Mem, &a); r.err != nil {
			return
		}
	}
}

// eval computes everything for the live rows of in.
func (r *rowInput) eval(ctx context.Context, in *batch.Batch) error {
	if r.err != nil {
		return r.err
	}
	r.bad.begin(in)
	var err error
	if r.time != nil {
		if r.timeArr, err = r.time.Eval(ctx, *in, r.bad.note); err != nil {
			return err
		}
	}
	if r.gap != nil {
		if r.gapArr, err = r.gap.Eval(ctx, *in, r.bad.note); err != nil {
			return err
		}
	}
	for i, e := range r.keys {
		if r.keyArrs[i], err = e.Eval(ctx, *in, r.bad.note); err != nil {
			return err
		}
	}
	for i, e := range r.args {
		if e == nil {
			continue
		}
		if r.argArrs[i], err = e.Eval(ctx, *in, r.bad.note); err != nil {
			return err
		}
	}
	if r.time != nil {
		r.checkTimes(in)
	}
	r.choose(in)
	return nil
}

// checkTimes tells of rows whose time or gap no window can have.
func (r *rowInput) checkTimes(in *batch.Batch) {
	values, hasNulls := batch.Int64s(r.timeArr), r.timeArr.NullN() > 0
	for k := range in.NumLive() {
		i := rowOf(in.Sel, k)
		switch {
		case hasNulls && r.timeArr.IsNull(i):
			r.bad.add(int32(i), "window: time is NULL")
		case values[i] < firstWindowTime || values[i] > lastWindowTime:
			r.bad.add(int32(i), "window: time is out of range")
		case r.gapArr != nil && r.gapArr.IsValid(i) && batch.Int64s(r.gapArr)[i] >= windowMargin:
			r.bad.add(int32(i), "window: gap is out of range")
		}
	}
}

// choose sets rows to those that are not bad and, where each has a gap of its own, have a positive one.
func (r *rowInput) choose(in *batch.Batch) {
	r.rows = r.rows[:0]
	var gaps []int64
	if r.gapArr != nil {
		gaps = batch.Int64s(r.gapArr)
	}
	for k := range in.NumLive() {
		i := rowOf(in.Sel, k)
		if r.bad.n > 0 && r.bad.isBad(int32(i)) || gaps != nil && (r.gapArr.IsNull(i) || gaps[i] <= 0) {
			continue
		}
		r.rows = append(r.rows, int32(i))
	}
}

func (r *rowInput) close() {
	if r.time != nil {
		r.time.Close()
	}
	if r.gap != nil {
		r.gap.Close()
	}
	closeExprs(r.keys)
	closeExprs(r.args)
}
