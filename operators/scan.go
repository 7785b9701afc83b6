package operators

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// scan adds what a source's decoder does not make: computed columns and the arrival time. Watermarks are the engine's.
type scan struct {
	stateless
	spec     *ScanSpec
	computed []expr.Expr

	// arrival holds the same time in every row; it is written only when the time changes or a batch has more rows.
	arrival     *batch.Column
	arrivalTime batch.Time
	bad         badRows
	view        *batch.View
	sel         []int32
}

var _ Operator = (*scan)(nil)

// NewScan returns an operator that takes batches with the columns of spec and emits schema: these, the computed columns and,
// if spec has it, arrival_time.
func NewScan(spec *ScanSpec, schema *arrow.Schema, env Env) (Operator, error) {
	want := len(spec.Columns) + len(spec.Computed)
	if spec.Arrival {
		want++
	}
	if schema.NumFields() != want {
		return nil, fmt.Errorf("scan %s: %d columns, schema has %d", spec.Source, want, schema.NumFields())
	}
	computed, err := newExprs(env.Mem, spec.Computed)
	if err != nil {
		return nil, fmt.Errorf("scan %s: %w", spec.Source, err)
	}
	s := &scan{stateless: stateless{schema}, spec: spec, computed: computed, view: batch.NewView(schema)}
	if spec.Arrival {
		s.arrival = batch.NewColumn(env.Mem, batch.Timestamp)
	}
	s.bad.init(env)
	return s, nil
}

// Process adds the columns to in.
func (s *scan) Process(ctx context.Context, _ int, in batch.Batch, emit batch.Emit) error {
	s.bad.begin(&in)
	n := len(s.spec.Columns)
	for i, c := range in.Rows.Columns()[:n] {
		s.view.Set(i, c)
	}
	for i, e := range s.computed {
		c, err := e.Eval(ctx, in, s.bad.note)
		if err != nil {
			return err
		}
		s.view.Set(n+i, c)
	}
	if s.arrival != nil {
		s.view.Set(n+len(s.computed), s.arrivals(in.Origin.Arrival, in.NumRows()))
	}
	s.view.SetRows(in.NumRows())
	out := batch.Batch{Rows: s.view, Sel: s.bad.narrow(&in, &s.sel), Origin: in.Origin}
	if out.NumLive() == 0 {
		return nil
	}
	return emit(out)
}

func (s *scan) arrivals(t batch.Time, n int) arrow.Array {
	if t != s.arrivalTime || n > s.arrival.Len() {
		s.arrival.Reset(max(n, s.arrival.Len()))
		values := s.arrival.Int64s()
		for i := range values {
			values[i] = int64(t)
		}
		s.arrivalTime = t
	}
	return s.arrival.Array()
}

// Close releases all memory.
func (s *scan) Close() {
	closeExprs(s.computed)
	if s.arrival != nil {
		s.arrival.Release()
	}
}
