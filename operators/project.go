package operators

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// project computes columns.
type project struct {
	stateless
	exprs []expr.Expr

	view *batch.View
	bad  badRows
	sel  []int32
}

var _ Operator = (*project)(nil)

// NewProject returns an operator that emits the columns of spec. A row for which one of them can't be computed is bad.
func NewProject(spec *ProjectSpec, schema *arrow.Schema, env Env) (Operator, error) {
	if schema.NumFields() != len(spec.Exprs) {
		return nil, fmt.Errorf("project: %d columns, schema has %d", len(spec.Exprs), schema.NumFields())
	}
	exprs, err := newExprs(env.Mem, spec.Exprs)
	if err != nil {
		return nil, fmt.Errorf("project: %w", err)
	}
	p := &project{stateless: stateless{schema}, exprs: exprs, view: batch.NewView(schema)}
	p.bad.init(env)
	return p, nil
}

// Process emits the columns for in.
func (p *project) Process(ctx context.Context, _ int, in batch.Batch, emit batch.Emit) error {
	p.bad.begin(&in)
	for i, e := range p.exprs {
		c, err := e.Eval(ctx, in, p.bad.note)
		if err != nil {
			return err
		}
		p.view.Set(i, c)
	}
	p.view.SetRows(in.NumRows())
	out := batch.Batch{Rows: p.view, Sel: p.bad.narrow(&in, &p.sel), Origin: in.Origin}
	if out.NumLive() == 0 {
		return nil
	}
	return emit(out)
}

// Close releases all memory.
func (p *project) Close() { closeExprs(p.exprs) }
