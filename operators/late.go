package operators

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// late keeps the rows that an aggregate over the same input counts as late. It looks at a row's own watermark, as the aggregate
// does, so that it needs no state and runs on the workers. A batch in which no row is before its watermark costs nothing.
type late struct {
	stateless
	spec   *LateSpec
	window windowing
	time   expr.Expr
	others []expr.Expr

	// Scratch of a batch.
	bad  badRows
	sel  []int32
	kept []int32
}

var _ Operator = (*late)(nil)

// NewLate returns an operator that narrows the selection to the rows that are late for all windows of spec that they are in. A row
// that the aggregate can't compute is bad there, and neither late nor told of here.
func NewLate(spec *LateSpec, schema *arrow.Schema, env Env) (Operator, error) {
	if err := spec.Window.Validate(); err != nil {
		return nil, fmt.Errorf("late rows: %w", err)
	}
	time, err := expr.New(env.Mem, spec.Window.Time)
	if err != nil {
		return nil, fmt.Errorf("late rows: %w", err)
	}
	others, err := newExprs(env.Mem, spec.Exprs)
	if err != nil {
		time.Close()
		return nil, fmt.Errorf("late rows: %w", err)
	}
	l := &late{stateless: stateless{schema}, spec: spec, window: newWindowing(spec.Window), time: time, others: others}
	env.Bad = nil
	l.bad.init(env)
	return l, nil
}

// Process emits the late rows of in, or nothing.
func (l *late) Process(ctx context.Context, _ int, in batch.Batch, emit batch.Emit) error {
	if in.Origin.Watermarks == nil {
		return nil
	}
	l.bad.begin(&in)
	times, err := l.time.Eval(ctx, in, l.bad.note)
	if err != nil {
		return err
	}
	l.pick(&in, times)
	if len(l.sel) == 0 {
		return nil
	}
	out := batch.Batch{Rows: in.Rows, Sel: l.sel, Origin: in.Origin}
	for _, e := range l.others {
		if _, err := e.Eval(ctx, out, l.bad.note); err != nil {
			return err
		}
	}
	if out.Sel = l.bad.narrow(&out, &l.kept); len(out.Sel) == 0 {
		return nil
	}
	return emit(out)
}

// pick fills sel with the rows whose last window ends, with lateness, at or before their own watermark.
func (l *late) pick(in *batch.Batch, times arrow.Array) {
	l.sel = l.sel[:0]
	values, hasNulls := batch.Int64s(times), times.NullN() > 0
	for k := range in.NumLive() {
		i := rowOf(in.Sel, k)
		if hasNulls && times.IsNull(i) {
			continue
		}
		t := values[i]
		if t < firstWindowTime || t > lastWindowTime || !l.window.has(t) {
			continue
		}
		bound := in.Origin.RowWatermark(i).Sub(l.spec.Window.Lateness)
		if l.window.lastStart(t)+l.window.size <= int64(bound) && !l.bad.isBad(int32(i)) {
			l.sel = append(l.sel, int32(i))
		}
	}
}

// Close releases all memory.
func (l *late) Close() {
	l.time.Close()
	closeExprs(l.others)
}
