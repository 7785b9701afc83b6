package sql

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// windowCalls is the functions with OVER of a SELECT, by window, each with the column that its results are in.
type windowCalls struct {
	b       *binder
	windows []*windowCall
	columns map[string]int // of the relation, by the text of the call
}

// windowCall is the calls over one window.
type windowCall struct {
	over  *overClause
	calls []*call
}

// windowed adds the nodes for the functions with OVER of a SELECT. Their results are columns behind those of in that have no name,
// which special of the result finds.
func (b *binder) windowed(c *queryContext, s *selectClause, q *query, in *relation) (*relation, *windowCalls) {
	w := &windowCalls{b: b, columns: make(map[string]int)}
	ok := true
	visit := func(n node) bool {
		call, isCall := n.(*call)
		if !isCall || call.over == nil {
			return true
		}
		ok = w.add(s, call) && ok
		return false
	}
	for _, it := range s.items {
		walk(it.expr, visit)
	}
	for _, o := range q.orderBy {
		walk(o.expr, visit)
	}
	if !ok {
		return nil, nil
	}
	if len(w.windows) > 0 && in.aggregated && in.mode != operators.Append {
		b.fault(w.windows[0].calls[0].at, "OVER can't look at an updating result, because it gives rows that replace others: "+
			"GROUP BY window(…) over arrival_time or a column with a WATERMARK, in mode append")
		return nil, nil
	}
	for _, one := range w.windows {
		if in = w.bind(c, one, in); in == nil {
			return nil, nil
		}
	}
	return in, w
}

// add notes a call.
func (w *windowCalls) add(s *selectClause, c *call) bool {
	over := c.over
	if over.name != "" {
		i := slices.IndexFunc(s.windows, func(n namedWindow) bool { return asciiLower(n.name.text) == asciiLower(over.name) })
		if i < 0 {
			w.b.fault(over.at, "unknown window %q: define it with WINDOW %s AS (…) at the end of the SELECT", over.name, quoteName(over.name))
			return false
		}
		over = s.windows[i].over
	}
	var text printer
	over.print(&text)
	for _, one := range w.windows {
		var known printer
		one.over.print(&known)
		if known.String() == text.String() {
			if !slices.ContainsFunc(one.calls, func(k *call) bool { return textOf(k) == textOf(c) }) {
				one.calls = append(one.calls, c)
			}
			return true
		}
	}
	w.windows = append(w.windows, &windowCall{over, []*call{c}})
	return true
}

// special binds a call with OVER as the column that it became.
func (w *windowCalls) special(in *relation) func(n node) (*expr.Spec, bool) {
	schema := w.b.schema(in)
	return func(n node) (*expr.Spec, bool) {
		c, isCall := n.(*call)
		if !isCall || c.over == nil {
			return nil, false
		}
		i, known := w.columns[textOf(c)]
		if !known {
			return nil, false
		}
		return expr.Column(schema, i), true
	}
}

// bind adds the node of one window.
func (w *windowCalls) bind(c *queryContext, one *windowCall, in *relation) *relation {
	b := w.b
	partition, ok := b.overRelation(in, "PARTITION BY").bindAll(one.over.partition)
	var by []operators.SortKey
	order := b.overRelation(in, "ORDER BY")
	for _, o := range one.over.order {
		key := b.orderKey(o, nil, order)
		ok = ok && key != nil
		by = append(by, operators.SortKey{Expr: key, Descending: o.descending, NullsFirst: o.nullsFirst})
	}
	if !ok {
		return nil
	}
	for i, p := range partition {
		if !batch.IsComparable(p.Type) {
			b.fault(one.over.partition[i].place(), "PARTITION BY can't compare values of type %s", typeName(p.Type))
			return nil
		}
	}
	schema := b.schema(in)
	numbersOnly := !slices.ContainsFunc(one.calls, func(c *call) bool { return !isNumbering(c.fn) })
	hasWindow := in.windowEnd >= 0 && slices.ContainsFunc(partition, func(p *expr.Spec) bool {
		return p.Kind == expr.ColumnKind && (p.Column == in.windowEnd || len(in.keys) > 0 && slices.Contains(in.keys[0], p.Column))
	})
	isByTime := len(by) == 1 && by[0].Expr.Kind == expr.ColumnKind && timeKind(schema.Field(by[0].Expr.Column)) != ""
	switch {
	case numbersOnly && hasWindow:
		return w.rank(one, in, partition, by)
	case isByTime && !by[0].Descending:
		return w.over(c, one, in, partition, by[0].Expr)
	case isByTime:
		b.fault(one.over.at, "OVER can't begin with the latest row: a later one would change what was given: ORDER BY %s without DESC, "+
			"or take max_by(…) or last(…) of a window", textOf(one.over.order[0].expr))
	case !numbersOnly:
		b.fault(one.over.at, "%s OVER needs ORDER BY a column that has a WATERMARK, or arrival_time, and nothing else", one.calls[0].fn)
	case in.windowEnd >= 0:
		b.fault(one.over.at, "%s OVER needs the window in PARTITION BY, as its start or end: over all windows a later one would change what was given",
			one.calls[0].fn)
	case timeColumn(schema, operators.TimeEvent) != nil:
		b.fault(one.over.at, "%s OVER a whole stream would change what it gave with each row: ORDER BY %s alone, or PARTITION BY the window "+
			"of a query in brackets that has GROUP BY window(…)", one.calls[0].fn, quoteName(timeColumn(schema, operators.TimeEvent).Name))
	default:
		return w.rank(one, in, partition, by)
	}
	return nil
}

func isNumbering(fn string) bool { return fn == "row_number" || fn == "rank" || fn == "dense_rank" }

// rank adds a node that numbers rows per window, or per interval where there is no event time.
func (w *windowCalls) rank(one *windowCall, in *relation, partition []*expr.Spec, by []operators.SortKey) *relation {
	spec := &operators.RankSpec{Partition: partition, By: by, Limit: -1, WindowEnd: in.windowEnd}
	if len(by) == 0 {
		w.b.fault(one.over.at, "%s OVER needs ORDER BY", one.calls[0].fn)
		return nil
	}
	fields := slices.Clone(w.b.schema(in).Fields())
	for _, c := range one.calls {
		if !w.hasNoArguments(c) {
			return nil
		}
		spec.Funcs = append(spec.Funcs, rankFuncs[c.fn])
		spec.Names = append(spec.Names, c.fn)
		w.columns[textOf(c)] = len(fields)
		fields = append(fields, arrow.Field{Name: c.fn, Type: batch.BigInt, Nullable: true})
	}
	return w.added(in, "", spec, fields)
}

var rankFuncs = map[string]operators.RankFunc{
	"row_number": operators.RowNumber, "rank": operators.Rank, "dense_rank": operators.DenseRank,
}

func (w *windowCalls) hasNoArguments(c *call) bool {
	if len(c.args) == 0 && !c.star {
		return true
	}
	w.b.fault(c.at, "%s takes no argument, got %d", c.fn, max(1, len(c.args)))
	return false
}

// added adds a node that gives the rows of in more columns.
func (w *windowCalls) added(in *relation, name string, spec operators.Spec, fields []arrow.Field) *relation {
	r := *in
	r.columns = slices.Clone(in.columns)
	for range len(fields) - len(w.b.schema(in).Fields()) {
		r.columns = append(r.columns, column{hidden: true})
	}
	r.node = w.b.node(name, spec, arrow.NewSchema(fields, nil), in.node)
	return &r
}

// limitRanks returns r with the limit that a predicate sets on the numbers of rows, so that those which it drops need not be kept
// until then: rn <= 3 over row_number() AS rn. Others who read the same rows are not affected.
func (b *binder) limitRanks(r *relation, predicate *expr.Spec) *relation {
	if predicate.Kind == expr.CallKind && predicate.Func == "and" {
		for _, a := range predicate.Args {
			r = b.limitRanks(r, a)
		}
		return r
	}
	if predicate.Kind != expr.CallKind || len(predicate.Args) != 2 || predicate.Args[0].Kind != expr.ColumnKind {
		return r
	}
	limit, isWhole := predicate.Args[1].Value.(int64)
	switch {
	case !isWhole:
		return r
	case predicate.Func == "<":
		limit--
	case predicate.Func != "<=" && predicate.Func != "=":
		return r
	}
	limited := *r
	if node := b.limited(r.node, predicate.Args[0].Column, max(limit, 0)); node >= 0 {
		limited.node = node
	}
	return &limited
}

// limited returns a copy of a node, with those below up to the one that numbers rows in the given column, -1 if there is none.
func (b *binder) limited(node, column int, limit int64) int {
	n := b.nodes[node]
	switch s := n.Spec.(type) {
	case *operators.ProjectSpec:
		if s.Exprs[column].Kind != expr.ColumnKind {
			return -1
		}
		column = s.Exprs[column].Column
	case *operators.FilterSpec:
	case *operators.RankSpec:
		on := column - (n.Schema.NumFields() - len(s.Funcs))
		if on < 0 || s.Limit >= 0 && s.Limit <= limit {
			return -1
		}
		kept := *s
		kept.Limit, kept.LimitOn = limit, on
		return b.node(n.Name, &kept, n.Schema, n.Inputs...)
	default:
		return -1
	}
	below := b.limited(n.Inputs[0], column, limit)
	if below < 0 {
		return -1
	}
	return b.node(n.Name, n.Spec, n.Schema, below)
}
