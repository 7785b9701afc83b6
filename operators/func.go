package operators

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// FuncSpec passes every batch through Go code that knows one batch only, such as a function of rows. Each worker has an instance
// of its own. The plan can't look into it: it uses all columns of its input.
type FuncSpec struct {
	// Func names the code, in EXPLAIN and in messages: map main.parse.
	Func string
	// New makes an instance whose batches have the schema out. env.Bad and env.Late are not for it.
	New func(out *arrow.Schema, env Env) (BatchFunc, error)
}

// BatchFunc is Go code that makes a batch of a batch. One goroutine at a time uses an instance.
type BatchFunc interface {
	// Apply returns the rows that become of in, which it borrows; the result is valid until the next call, and may share memory
	// with in. The Origin of the result is that of in; where its rows are not those of in one by one, Origin.Source leads from
	// each to the row of the decoded block (in.Origin.BlockRow) that it was made of. bad is told of live rows of in that nothing
	// can be made of, and why; each once at least.
	//
	// If it panics, all live rows of in are bad. An error stops the job.
	Apply(ctx context.Context, in batch.Batch, bad expr.BadRow) (batch.Batch, error)
	// Close releases all memory.
	Close()
}

// String returns the line of EXPLAIN.
func (s *FuncSpec) String() string { return s.Func }

// function runs a BatchFunc.
type function struct {
	stateless
	name string
	fn   BatchFunc

	bad badRows
}

var _ Operator = (*function)(nil)

// NewFunc returns an operator that emits what the code of spec makes of each batch.
func NewFunc(spec *FuncSpec, schema *arrow.Schema, env Env) (Operator, error) {
	fn, err := spec.New(schema, env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Func, err)
	}
	f := &function{stateless: stateless{schema}, name: spec.Func, fn: fn}
	f.bad.init(env)
	return f, nil
}

// Process emits what becomes of in.
func (f *function) Process(ctx context.Context, _ int, in batch.Batch, emit batch.Emit) error {
	f.bad.begin(&in)
	out, err := f.apply(ctx, in)
	if err != nil {
		return err
	}
	if out.Rows == nil || out.NumLive() == 0 {
		return nil
	}
	return emit(out)
}

// apply calls the code. After a panic there is no batch, and each live row is bad.
func (f *function) apply(ctx context.Context, in batch.Batch) (out batch.Batch, err error) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		out = batch.Batch{}
		why := fmt.Sprintf("%s panics: %v", f.name, cause)
		for k := range in.NumLive() {
			i := k
			if in.Sel != nil {
				i = int(in.Sel[k])
			}
			f.bad.add(int32(i), why)
		}
	}()
	if out, err = f.fn.Apply(ctx, in, f.bad.note); err != nil {
		return out, fmt.Errorf("%s: %w", f.name, err)
	}
	return out, nil
}

// Close releases all memory.
func (f *function) Close() { f.fn.Close() }
