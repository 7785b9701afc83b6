package expr

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
	"github.com/tidemill/tidemill/internal/invariants"
)

// New returns an instance of s, with what is constant computed. The caller closes it.
func New(mem memory.Allocator, s *Spec) (Expr, error) {
	e := &env{mem: mem}
	s = Fold(s)
	x, err := e.build(s)
	if err != nil {
		return nil, err
	}
	return newCoded(e, s, x), nil
}

// NewPredicate returns an instance of s, which must be BOOLEAN. The caller closes it.
func NewPredicate(mem memory.Allocator, s *Spec) (Predicate, error) {
	if s.Type.ID() == arrow.NULL {
		s = null(batch.Boolean)
	}
	if s.Type.ID() != arrow.BOOL {
		return nil, fmt.Errorf("predicate must be BOOLEAN, is %s: %s", typeName(s.Type), s)
	}
	e := &env{mem: mem}
	s = Fold(s)
	x, err := e.build(s)
	if err != nil {
		return nil, err
	}
	return e.predicate(newCoded(e, s, x)), nil
}

// env is what the nodes of one instance share.
type env struct {
	mem memory.Allocator
	all []int32 // 0, 1, 2, …
}

// rows returns the live rows of in as a list, which is not to be written.
func (e *env) rows(in *batch.Batch) []int32 {
	if in.Sel != nil {
		return in.Sel
	}
	n := in.NumRows()
	if n > len(e.all) {
		e.all = make([]int32, max(n, 2*len(e.all)))
		for i := range e.all {
			e.all[i] = int32(i)
		}
	}
	return e.all[:n]
}

func (e *env) build(s *Spec) (Expr, error) {
	switch s.Kind {
	case ColumnKind:
		return &column{s}, nil
	case LiteralKind:
		return newLiteral(e, s), nil
	case LambdaKind:
		return newLambda(e, s)
	case ParamKind:
		return nil, fmt.Errorf("evaluate %s: %w", s.Name, invariants.Failf("a parameter without its lambda function"))
	case CallKind:
	}
	f := functions[s.Func]
	switch {
	case f != nil:
		f = f.of(s.Args)
	case s.User == nil:
		return nil, newUnknownFunction(s.Func)
	}
	args := make([]Expr, 0, len(s.Args))
	column := -1
	isOver := s.isOver(&column) // then s is coded as a whole, by who asked for it
	for _, a := range s.Args {
		x, err := e.build(a)
		if err != nil {
			closeAll(args)
			return nil, err
		}
		if !isOver {
			x = newCoded(e, a, x)
		}
		args = append(args, x)
	}
	var x Expr
	var err error
	switch {
	case s.User != nil:
		x = newUserCall(e, s.User, args)
	case f.build != nil:
		x, err = f.build(e, s, args)
	default:
		x, err = newKernel(e, f, s, args)
	}
	if err != nil {
		closeAll(args)
		return nil, err
	}
	return x, nil
}

func closeAll(args []Expr) {
	for _, a := range args {
		a.Close()
	}
}

// column is a column of the input.
type column struct{ spec *Spec }

var _ Expr = (*column)(nil)

// Type is the type of the column.
func (c *column) Type() arrow.DataType { return c.spec.Type }

// Eval returns the column of in.
func (c *column) Eval(_ context.Context, in batch.Batch, _ BadRow) (arrow.Array, error) {
	return in.Rows.Column(c.spec.Column), nil
}

// Close has nothing to release.
func (c *column) Close() {}

// literal is a constant: a column that is filled once and again when a batch is longer.
type literal struct {
	spec *Spec
	out  *batch.Column
	arr  arrow.Array
}

var _ Expr = (*literal)(nil)

func newLiteral(e *env, s *Spec) Expr {
	l := &literal{spec: s}
	if s.Type.ID() != arrow.NULL {
		l.out = batch.NewColumn(e.mem, s.Type)
	}
	return l
}

// Type is the type of the constant.
func (l *literal) Type() arrow.DataType { return l.spec.Type }

// Eval returns the constant as often as in has rows.
func (l *literal) Eval(_ context.Context, in batch.Batch, _ BadRow) (arrow.Array, error) {
	return l.array(in.NumRows()), nil
}

// array returns the constant at least n times.
func (l *literal) array(n int) arrow.Array {
	if l.arr != nil && n <= l.arr.Len() {
		return l.arr
	}
	n = max(64, n)
	if l.out == nil {
		l.arr = array.NewNull(2 * n)
		return l.arr
	}
	if l.arr != nil {
		n = max(n, 2*l.arr.Len())
	}
	n = (n + 63) &^ 63
	l.out.Reset(n)
	fill(l.out, l.spec.Value, n)
	l.arr = l.out.Array()
	return l.arr
}

// fill sets all n rows of out to v.
func fill(out *batch.Column, v any, n int) {
	switch v := v.(type) {
	case bool:
		for i := range n {
			out.SetBool(i, v)
		}
	case int64:
		fillSlice(out.Int64s(), v)
	case batch.Time:
		fillSlice(out.Int64s(), int64(v))
	case time.Duration:
		fillSlice(out.Int64s(), v.Microseconds())
	case decimal.Num:
		fillSlice(out.Decimals(), v)
	case float64:
		fillSlice(out.Float64s(), v)
	case string:
		for i := range n {
			out.SetString(i, v)
		}
	default:
		for i := range n {
			out.SetNull(i)
		}
	}
}

func fillSlice[T int64 | float64 | decimal.Num](s []T, v T) {
	for i := range s {
		s[i] = v
	}
}

// Close releases the column.
func (l *literal) Close() {
	l.arr = nil
	if l.out != nil {
		l.out.Release()
	}
}
