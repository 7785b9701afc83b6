package sql

import (
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// over adds a node that computes functions of rows in order of their time.
func (w *windowCalls) over(c *queryContext, one *windowCall, in *relation, partition []*expr.Spec, by *expr.Spec) *relation {
	b := w.b
	spec := &operators.OverSpec{Partition: partition, Time: by}
	spec.Arrival = timeKind(b.schema(in).Field(by.Column)) == operators.TimeArrival
	args := &overArgs{b: b, in: in, fields: slices.Clone(b.schema(in).Fields())}
	for i := range args.fields {
		args.exprs = append(args.exprs, expr.Column(b.schema(in), i))
	}
	for _, k := range one.calls {
		f, ok := w.function(k, args)
		if !ok {
			return nil
		}
		if f.Func == "lead" && spec.Arrival {
			b.fault(k.at, "lead OVER arrival_time is not supported: rows that wait for others would miss the windows of their interval")
			return nil
		}
		spec.Funcs = append(spec.Funcs, f)
	}
	if !w.frame(one, spec) {
		return nil
	}
	in = args.project()
	fields := slices.Clone(args.fields)
	for i, k := range one.calls {
		w.columns[textOf(k)] = len(fields)
		fields = append(fields, arrow.Field{Name: spec.Funcs[i].Name, Type: spec.Funcs[i].Type, Nullable: true})
	}
	r := w.added(in, b.stateNameOf(c.owner, "over"), spec, fields)
	waits := spec.Frame.RowsAfter > 0 || spec.Frame.RangeAfter > 0
	if by.Column != in.windowEnd || waits || slices.ContainsFunc(spec.Funcs, func(f operators.OverFunc) bool { return f.Func == "lead" }) {
		r.windowEnd = -1 // windows don't come one after the other
	}
	return r
}

// frame binds ROWS and RANGE, which all functions but those that number rows or look at one need.
func (w *windowCalls) frame(one *windowCall, spec *operators.OverSpec) bool {
	at, frame := one.over.at, one.over.frame
	needs := slices.IndexFunc(one.calls, func(c *call) bool { return !isNumbering(c.fn) && c.fn != "lag" && c.fn != "lead" })
	if needs < 0 {
		return true
	}
	if frame == nil || frame.preceding == nil && !frame.beginsHere {
		w.b.fault(at, "%s OVER needs a frame that begins somewhere: without one it is over all rows so far, which would be kept for ever: add "+
			"ROWS BETWEEN 9 PRECEDING AND CURRENT ROW, or RANGE BETWEEN INTERVAL '1 minute' PRECEDING AND CURRENT ROW", one.calls[needs].fn)
		return false
	}
	f := &spec.Frame
	f.IsRows = frame.isRows
	ok := w.frameEdge(frame, frame.preceding, "begin behind", &f.Rows, &f.Range)
	ok = w.frameEdge(frame, frame.following, "end before", &f.RowsAfter, &f.RangeAfter) && ok
	waits := f.RowsAfter > 0 || f.RangeAfter > 0
	switch i := slices.IndexFunc(one.calls, func(c *call) bool { return c.fn == "lead" }); {
	case !ok:
		return false
	case waits && spec.Arrival:
		w.b.fault(frame.at, "FOLLOWING is not supported over arrival_time: rows that wait for others would miss the windows of their interval")
	case f.RangeAfter > 0 && i >= 0:
		w.b.fault(one.calls[i].at, "lead can't share a window with RANGE … FOLLOWING: give it OVER (…) without a frame")
	default:
		return true
	}
	return false
}

// frameEdge binds what stands before PRECEDING or FOLLOWING; nil is the current row.
func (w *windowCalls) frameEdge(frame *overFrame, edge node, what string, rows *int64, length *time.Duration) bool {
	if edge == nil {
		return true
	}
	l, _ := edge.(*literal)
	var isRows, isRange bool
	*rows, isRows = wholeOf(l.value)
	*length, isRange = l.value.(time.Duration)
	switch {
	case frame.isRows && !isRows:
		w.b.fault(l.at, "ROWS takes a number of rows")
	case !frame.isRows && !isRange:
		w.b.fault(l.at, "RANGE takes a time: for example INTERVAL '1 minute'")
	case *rows < 0 || *length < 0:
		w.b.fault(l.at, "a frame can't %s the current row", what)
	default:
		return true
	}
	return false
}

// windowFunctions are those that need OVER, or mean something else with it.
var windowFunctions = map[string]string{
	"first": "first_value", "first_value": "first_value", "any_value": "first_value", "last": "last_value", "last_value": "last_value",
}

// needsOver has the functions that mean nothing without OVER.
var needsOver = map[string]bool{
	"row_number": true, "rank": true, "dense_rank": true, "lag": true, "lead": true,
}

// overAggregates are the aggregates that mean something with OVER.
var overAggregates = map[string]bool{"count": true, "sum": true, "avg": true, "min": true, "max": true}

// function binds a call over rows in order of their time.
func (w *windowCalls) function(c *call, args *overArgs) (f operators.OverFunc, ok bool) {
	plain := *c
	plain.over = nil
	f = operators.OverFunc{Func: c.fn, Name: textOf(&plain), Type: batch.BigInt}
	if edge := windowFunctions[c.fn]; edge != "" {
		f.Func = edge
	}
	switch {
	case c.hasAggregateParts():
		w.b.fault(c.at, "not supported: DISTINCT, FILTER, WITHIN GROUP or IGNORE NULLS beside OVER")
		return f, false
	case isNumbering(c.fn):
		f.Name = c.fn
		return f, w.hasNoArguments(c)
	case c.fn == "lag" || c.fn == "lead":
		return f, w.near(c, &f, args)
	case f.Func == "first_value" || f.Func == "last_value":
		if len(c.args) != 1 {
			w.b.fault(c.at, "%s takes one argument, got %d", c.fn, len(c.args))
			return f, false
		}
		if f.Arg = args.add(c.args[0]); f.Arg == nil {
			return f, false
		}
		f.Type = f.Arg.Type
		return f, true
	case !overAggregates[c.fn]:
		w.b.fault(c.at, "%s has no meaning with OVER: there are row_number, rank, dense_rank, lag, lead, first_value, last_value, count, sum, avg, "+
			"min and max", c.fn)
		return f, false
	}
	agg, ok := w.b.aggregateCall(w.b.overRelation(args.in, "an aggregate"), c)
	if !ok {
		return f, false
	}
	f.Type = agg.Type
	if agg.Arg != nil {
		f.Arg = args.column(agg.Arg, textOf(c.args[0]))
	}
	return f, true
}

// near binds lag and lead.
func (w *windowCalls) near(c *call, f *operators.OverFunc, args *overArgs) bool {
	if len(c.args) < 1 || len(c.args) > 3 {
		w.b.fault(c.at, "%s takes a value, how many rows away it is, and what it is where there is no such row: got %d arguments", c.fn, len(c.args))
		return false
	}
	if f.Arg = args.add(c.args[0]); f.Arg == nil {
		return false
	}
	f.Type, f.Offset = f.Arg.Type, 1
	if len(c.args) > 1 {
		l, isLiteral := c.args[1].(*literal)
		if isLiteral {
			f.Offset, isLiteral = wholeOf(l.value)
		}
		if !isLiteral || f.Offset < 0 || f.Offset > 1<<20 {
			w.b.fault(c.args[1].place(), "%s takes a number of rows from 0 to 1048576", c.fn)
			return false
		}
	}
	if len(c.args) < 3 {
		return true
	}
	l := w.b.overRelation(args.in, c.fn).bind(c.args[2])
	if l == nil {
		return false
	}
	l = expr.Convert(l, f.Type)
	switch {
	case l.Kind != expr.LiteralKind || l.Value != nil && !arrow.TypeEqual(l.Type, f.Type):
		w.b.fault(c.args[2].place(), "%s: want a constant of type %s where there is no row", c.fn, typeName(f.Type))
		return false
	case l.Value != nil:
		f.Default = l
	}
	return true
}

// overArgs is the columns that functions with OVER take: those of a relation, then expressions over it.
type overArgs struct {
	b      *binder
	in     *relation
	fields []arrow.Field
	exprs  []*expr.Spec
}

// add binds an argument and returns its column, nil after a fault.
func (a *overArgs) add(n node) *expr.Spec {
	spec := a.b.overRelation(a.in, "OVER").bind(n)
	if spec == nil {
		return nil
	}
	if !batch.IsComparable(spec.Type) {
		a.b.fault(n.place(), "OVER takes values of type BOOLEAN, BIGINT, DOUBLE, TEXT and TIMESTAMP, got %s", typeName(spec.Type))
		return nil
	}
	return a.column(spec, textOf(n))
}

// column returns the column of an expression.
func (a *overArgs) column(spec *expr.Spec, name string) *expr.Spec {
	if spec.Kind == expr.ColumnKind {
		return spec
	}
	at := slices.IndexFunc(a.exprs, func(e *expr.Spec) bool { return expr.Equal(e, spec) })
	if at < 0 {
		at = len(a.exprs)
		a.exprs = append(a.exprs, spec)
		a.fields = append(a.fields, arrow.Field{Name: name, Type: spec.Type, Nullable: true})
	}
	return &expr.Spec{Kind: expr.ColumnKind, Type: spec.Type, Column: at, Name: name}
}

// project adds the node that computes the arguments, if any is no column.
func (a *overArgs) project() *relation {
	if len(a.exprs) == len(a.in.columns) {
		return a.in
	}
	spec := &operators.ProjectSpec{Exprs: a.exprs}
	r := *a.in
	r.columns = slices.Clone(a.in.columns)
	for i, f := range a.fields {
		spec.Names = append(spec.Names, f.Name)
		if i >= len(a.in.columns) {
			r.columns = append(r.columns, column{hidden: true})
		}
	}
	r.node = a.b.node("", spec, arrow.NewSchema(a.fields, nil), a.in.node)
	return &r
}
