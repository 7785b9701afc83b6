package operators

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// union passes the rows of several inputs on under one schema. Its watermark is the smallest of the inputs'.
type union struct {
	stateless
	view *batch.View
}

var _ Operator = (*union)(nil)

// NewUnion returns an operator that emits the rows of all inputs with the names of schema.
func NewUnion(_ *UnionSpec, schema *arrow.Schema, _ Env) (Operator, error) {
	return &union{stateless{schema}, batch.NewView(schema)}, nil
}

// Process emits in.
func (u *union) Process(_ context.Context, _ int, in batch.Batch, emit batch.Emit) error {
	for i := range u.schema.NumFields() {
		u.view.Set(i, in.Rows.Column(i))
	}
	u.view.SetRows(in.NumRows())
	in.Rows = u.view
	return emit(in)
}

// Close does nothing.
func (u *union) Close() {}
