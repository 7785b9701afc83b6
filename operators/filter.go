package operators

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// filter keeps rows for which a predicate is true.
type filter struct {
	stateless
	predicate expr.Predicate

	bad badRows
	sel []int32
}

var _ Operator = (*filter)(nil)

// NewFilter returns an operator that narrows the selection to the rows for which the predicate of spec is true. A row for which
// it can't be computed is bad.
func NewFilter(spec *FilterSpec, schema *arrow.Schema, env Env) (Operator, error) {
	p, err := expr.NewPredicate(env.Mem, spec.Predicate)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	f := &filter{stateless: stateless{schema}, predicate: p}
	f.bad.init(env)
	return f, nil
}

// Process emits in with fewer live rows, or nothing.
func (f *filter) Process(ctx context.Context, _ int, in batch.Batch, emit batch.Emit) error {
	f.bad.begin(&in)
	sel, err := f.predicate.Select(ctx, in, f.sel[:0], f.bad.note)
	f.sel = sel
	if err != nil {
		return err
	}
	if f.bad.n > 0 {
		kept := sel[:0]
		for _, i := range sel {
			if !f.bad.isBad(i) {
				kept = append(kept, i)
			}
		}
		sel = kept
	}
	if len(sel) == 0 {
		return nil
	}
	return emit(batch.Batch{Rows: in.Rows, Sel: sel, Origin: in.Origin})
}

// Close releases all memory.
func (f *filter) Close() { f.predicate.Close() }
