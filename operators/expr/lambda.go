package expr

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/invariants"
)

// Param returns a parameter of a lambda function, of which depth others are declared around it: parameters of one lambda count up.
func Param(name string, t arrow.DataType, depth int) *Spec {
	return &Spec{Kind: ParamKind, Type: t, Name: name, Column: depth}
}

// Lambda returns a lambda function, whose type is that of its body.
func Lambda(body *Spec, params ...*Spec) *Spec {
	return &Spec{Kind: LambdaKind, Type: body.Type, Args: append([]*Spec{body}, params...)}
}

// lambda computes the body of a lambda function for many values of its parameters at a time: a batch whose first columns are the
// parameters and whose others are the columns of the input that the body uses, each row of which is repeated for every value that
// belongs to it.
//
// transform(xs, x -> x + n) over rows xs = [1 2], [], [3] and n = 10, 20, 30 computes x + n over the columns x = 1 2 3 and
// n = 10 10 30; owner is 0 0 2.
type lambda struct {
	env       *env
	spec      *Spec
	params    int
	body      operand
	predicate Predicate // the body again, where it is BOOLEAN
	outer     []int     // columns of the input that the body uses

	view   *batch.View
	spread []*batch.Column // of outer

	// Valid until the next call.
	owner []int32 // by row of the batch: the row of the input that it belongs to
	bad   BadRow  // that of the input
	onBad BadRow
}

var _ Expr = (*lambda)(nil)

func newLambda(e *env, s *Spec) (Expr, error) {
	params := s.Args[1:]
	l := &lambda{env: e, spec: s, params: len(params), outer: Columns(s.Args[0])}
	body := l.rewrite(s.Args[0], params)
	fields := make([]arrow.Field, len(params)+len(l.outer))
	for i := range fields {
		fields[i].Nullable = true
	}
	for i, p := range params {
		fields[i].Type = p.Type
	}
	Walk(s.Args[0], func(c *Spec) bool {
		if c.Kind == ColumnKind {
			fields[len(params)+slices.Index(l.outer, c.Column)].Type = c.Type
		}
		return true
	})
	for _, f := range fields[len(params):] {
		l.spread = append(l.spread, batch.NewColumn(e.mem, f.Type))
	}
	l.view = batch.NewView(arrow.NewSchema(fields, nil))
	inner := &env{mem: e.mem}
	x, err := inner.build(body)
	if err != nil {
		return nil, err
	}
	l.body = newOperands(inner, []Expr{newCoded(inner, body, x)})[0]
	if body.Type.ID() == arrow.BOOL {
		l.predicate = inner.predicate(l.body.expr)
	}
	l.onBad = func(i int32, why string) { l.bad(l.owner[i], why) }
	return l, nil
}

// rewrite returns s with parameters and columns replaced by the columns of the batch that the body is computed over.
func (l *lambda) rewrite(s *Spec, params []*Spec) *Spec {
	r := *s
	switch s.Kind {
	case ColumnKind:
		r.Column = l.params + slices.Index(l.outer, s.Column)
		return &r
	case ParamKind:
		if i := s.Column - params[0].Column; i >= 0 && i < len(params) {
			r.Kind, r.Column = ColumnKind, i
		}
		return &r
	case LiteralKind, CallKind, LambdaKind:
	}
	if s.Args != nil {
		r.Args = make([]*Spec, len(s.Args))
		for i, a := range s.Args {
			r.Args[i] = l.rewrite(a, params)
		}
	}
	return &r
}

// Type is that of the body.
func (l *lambda) Type() arrow.DataType { return l.spec.Type }

// Eval is never called: a lambda function has no value.
func (l *lambda) Eval(context.Context, batch.Batch, BadRow) (arrow.Array, error) {
	return nil, fmt.Errorf("evaluate %s: %w", l.spec, invariants.Failf("a lambda function has no value"))
}

// Close releases all memory.
func (l *lambda) Close() {
	if l.predicate != nil {
		l.predicate.Close() // and the body with it
		if l.body.decoded != nil {
			l.body.decoded.Release()
		}
	} else {
		l.body.close()
	}
	for _, c := range l.spread {
		c.Release()
	}
}

// batchOf returns the batch for the n rows that owner has, sel of which are live, with the given parameters. The rows of owner are
// rows of in.
func (l *lambda) batchOf(in *batch.Batch, bad BadRow, owner, sel []int32, params ...arrow.Array) batch.Batch {
	l.owner, l.bad = owner, bad
	for i, p := range params {
		l.view.Set(i, p)
	}
	for k, c := range l.spread {
		c.Reset(0)
		c.AppendArray(in.Rows.Column(l.outer[k]), in.NumRows(), owner)
		l.view.Set(l.params+k, c.Array())
	}
	l.view.SetRows(len(owner))
	return batch.Batch{Rows: l.view, Sel: sel}
}

// eval computes the body over b into l.body.
func (l *lambda) eval(ctx context.Context, b batch.Batch) error { return l.body.eval(ctx, b, l.onBad) }

// elements are the elements of the live rows of a list, one after the other.
type elements struct {
	rows  []int32     // of the list, increasing, none of them NULL
	first int32       // element of the list that is element 0 here
	owner []int32     // by element: its row; elements of other rows have any
	live  []int32     // elements of rows, nil if these are all
	arr   arrow.Array // elements 0 to len(owner)-1, maybe more
	index *batch.Column

	sel   []int32     // memory of live
	slice arrow.Array // arr, if it was cut off, until the next call
}

// of sets the elements of the given rows of a list or map.
func (e *elements) of(list *operand, rows []int32) {
	e.rows, e.first, e.live = rows, 0, nil
	e.release()
	e.arr = list.child.arr
	if len(rows) == 0 {
		e.owner = e.owner[:0]
		return
	}
	first, end := list.offsets[rows[0]], list.offsets[rows[len(rows)-1]+1]
	// What is before the first element costs as much as the others, but cutting it off costs a header on the heap.
	if first > end-first {
		e.slice = array.NewSlice(e.arr, int64(first), int64(end))
		e.arr, e.first = e.slice, first
	}
	n := int(end - e.first)
	e.owner = slices.Grow(e.owner[:0], n)[:n]
	count, at := 0, 0
	for _, i := range rows {
		from, to := int(list.offsets[i]-e.first), int(list.offsets[i+1]-e.first)
		if from == to {
			continue
		}
		for ; at < to; at++ {
			e.owner[at] = i
		}
		count += to - from
	}
	for ; at < n; at++ {
		e.owner[at] = rows[0]
	}
	if count == n {
		return
	}
	e.sel = slices.Grow(e.sel[:0], count)
	for _, i := range rows {
		for j := list.offsets[i]; j < list.offsets[i+1]; j++ {
			e.sel = append(e.sel, j-e.first)
		}
	}
	e.live = e.sel
}

// indexes returns, by element, its place in its list, from 0.
func (e *elements) indexes(env *env, list *operand) arrow.Array {
	if e.index == nil {
		e.index = batch.NewColumn(env.mem, PlaceType)
	}
	e.index.Reset(len(e.owner))
	values := e.index.Int64s()
	for _, i := range e.rows {
		for j := list.offsets[i]; j < list.offsets[i+1]; j++ {
			values[j-e.first] = int64(j - list.offsets[i])
		}
	}
	return e.index.Array()
}

func (e *elements) release() {
	if e.slice != nil {
		e.slice.Release()
		e.slice = nil
	}
}

func (e *elements) close() {
	e.release()
	if e.index != nil {
		e.index.Release()
	}
}
