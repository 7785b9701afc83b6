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
	gap    expr.Expr // of sessions that have one per row, else nil
	others []expr.Expr
	// isUnaligned is as in aggregate.
	isUnaligned bool

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
	var gap expr.Expr
	if spec.Window.Gap != nil {
		if gap, err = expr.New(env.Mem, spec.Window.Gap); err != nil {
			time.Close()
			closeExprs(others)
			return nil, fmt.Errorf("late rows: %w", err)
		}
	}
	l := &late{stateless: stateless{schema}, spec: spec, time: time, gap: gap, others: others}
	if spec.Window.Kind != SessionWindow {
		l.window, l.isUnaligned = newWindowing(spec.Window), spec.Window.FromStart
	}
	env.Bad = nil
	l.bad.init(env)
	return l, nil
}

// BeginInterval aligns windows to the start of the stream, where they begin there.
func (l *late) BeginInterval(iv batch.Interval) error {
	if l.isUnaligned {
		l.window.alignTo(iv.Zero)
		l.isUnaligned = false
	}
	return nil
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
	if err := l.pick(ctx, &in, times); err != nil {
		return err
	}
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

// pick fills sel with the rows whose last window ends, with lateness, at or before their own watermark. A row is late for a
// session when its time is before that.
func (l *late) pick(ctx context.Context, in *batch.Batch, times arrow.Array) error {
	l.sel = l.sel[:0]
	var gaps arrow.Array
	if l.gap != nil {
		var err error
		if gaps, err = l.gap.Eval(ctx, *in, l.bad.note); err != nil {
			return err
		}
	}
	values, hasNulls := batch.Int64s(times), times.NullN() > 0
	isSession := l.spec.Window.Kind == SessionWindow
	for k := range in.NumLive() {
		i := rowOf(in.Sel, k)
		if hasNulls && times.IsNull(i) || values[i] < firstWindowTime || values[i] > lastWindowTime || gaps != nil && !isGap(gaps, i) {
			continue
		}
		t, bound := values[i], int64(in.Origin.RowWatermark(i).Sub(l.spec.Window.Lateness))
		isLate := t < bound
		if !isSession {
			isLate = l.window.has(t) && l.window.lastStart(t)+l.window.size <= bound
		}
		if isLate && !l.bad.isBad(int32(i)) {
			l.sel = append(l.sel, int32(i))
		}
	}
	return nil
}

// isGap says whether a row with that gap is in a session.
func isGap(gaps arrow.Array, i int) bool {
	gap := batch.Int64s(gaps)[i]
	return gaps.IsValid(i) && gap > 0 && gap < windowMargin
}

// Close releases all memory.
func (l *late) Close() {
	l.time.Close()
	if l.gap != nil {
		l.gap.Close()
	}
	closeExprs(l.others)
}
