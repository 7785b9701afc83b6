package sql

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// isAggregate says whether a SELECT makes one row of many.
func (b *binder) isAggregate(s *selectClause, orderBy []orderTerm) bool {
	found := len(s.groupBy) > 0 || s.sets != nil || s.having != nil
	visit := func(n node) bool {
		c, ok := n.(*call)
		found = found || ok && b.isAggregateName(c.fn) && c.over == nil
		return !found
	}
	for _, it := range s.items {
		walk(it.expr, visit)
	}
	for _, o := range orderBy {
		walk(o.expr, visit)
	}
	return found
}

// walk calls visit for n and, where it returns true, for what is below.
func walk(n node, visit func(node) bool) {
	if n == nil || !visit(n) {
		return
	}
	switch n := n.(type) {
	case *call:
		for _, a := range n.operands() {
			walk(a, visit)
		}
	case *caseOf:
		walk(n.operand, visit)
		for _, w := range n.whens {
			walk(w.condition, visit)
			walk(w.result, visit)
		}
		walk(n.otherwise, visit)
	case *cast:
		walk(n.arg, visit)
	case *field:
		walk(n.of, visit)
	case *lambda:
		walk(n.body, visit)
	}
}

// aggregation binds a SELECT with aggregates: the expressions of its list, of HAVING and of ORDER BY are over the rows of the
// aggregate's node, which are window.start, window.end, the keys, and the aggregates in the order in which they are met.
type aggregation struct {
	b     *binder
	in    *relation
	items []item
	input *exprBinder // of what is below the aggregates

	spec       operators.AggregateSpec
	windowText string // of window(…) in GROUP BY, "" if there is none
	windowAt   Pos
	windowTime arrow.Field  // of its column; no name if it is an expression
	keyHeights []int        // of the nodes that the keys were bound from
	keyForms   []*expr.Spec // the keys over in; with GROUPING SETS those of spec are columns of its own node
	grouping   *groupingSets
	fields     []arrow.Field
	names      map[string]bool // of fields
	inAlias    bool            // an alias is being bound
}

// aggregate binds a SELECT with aggregates over in.
func (b *binder) aggregate(c *queryContext, s *selectClause, q *query, in *relation) *relation {
	if in.aggregated && in.mode != operators.Append {
		b.fault(s.at, "an updating result can't be aggregated again, because it gives rows that replace others which were counted "+
			"already: give the inner aggregate GROUP BY window(…) over arrival_time or a column with a WATERMARK")
		return nil
	}
	a := &aggregation{b: b, in: in, items: s.items, names: make(map[string]bool)}
	a.input = b.overRelation(in, "an aggregate")
	if !a.groupBy(s) {
		return nil // what the rest would say follows from that
	}
	outs, ok := a.outputs()
	if !ok {
		return nil
	}
	var predicate *expr.Spec
	if s.having != nil {
		if predicate = a.binder("HAVING").boolean(s.having); predicate == nil {
			return nil
		}
	}
	keys, ok := b.sortKeys(q, outs, b.withOutputs(a.binder("ORDER BY"), outs))
	if !ok || !b.isOutput(c, outs) || !a.chooseMode(c.ask, s) {
		return nil
	}
	a.setTimes(c.ask.times)
	r := a.relation(b.stateName(c.owner))
	if predicate != nil {
		r.node = b.node("", &operators.FilterSpec{Predicate: predicate}, b.schema(r), r.node)
	}
	if len(keys) > 0 || q.limit >= 0 {
		r.node = b.node("", &operators.SortSpec{By: keys, Limit: q.limit, WindowEnd: r.windowEnd}, b.schema(r), r.node)
	}
	return b.project(r, outs, !c.last)
}

// groupBy binds GROUP BY: window(…) and keys.
func (a *aggregation) groupBy(s *selectClause) bool {
	ok := true
	var keys []node
	for _, g := range s.groupBy {
		n, found := a.grouped(g)
		if !found {
			ok = false
			continue
		}
		if c, isCall := n.(*call); isCall && isWindowFunction(c.fn) {
			ok = a.window(c) && ok
			continue
		}
		keys = append(keys, n)
	}
	key := a.b.overRelation(a.in, "GROUP BY")
	for _, n := range keys {
		spec := key.bind(n)
		if spec == nil {
			ok = false
			continue
		}
		if slices.ContainsFunc(a.spec.Keys, func(k *expr.Spec) bool { return expr.Equal(k, spec) }) {
			continue
		}
		if !batch.IsComparable(spec.Type) {
			a.b.fault(n.place(), "GROUP BY can't compare values of type %s", typeName(spec.Type))
			ok = false
			continue
		}
		f := arrow.Field{Name: a.unique(a.keyName(n, spec)), Type: spec.Type, Nullable: true}
		a.spec.Keys, a.spec.KeyNames = append(a.spec.Keys, spec), append(a.spec.KeyNames, f.Name)
		a.keyHeights = append(a.keyHeights, n.height())
		a.fields = append(a.fields, f)
	}
	a.keyForms = a.spec.Keys
	return ok && (s.sets == nil || a.groupingSets(s))
}

// grouped returns what a term of GROUP BY means: itself, the item of an ordinal, or that of an alias that is no column.
func (a *aggregation) grouped(g node) (node, bool) {
	if i, ok := ordinal(g); ok {
		if i < 1 || i > int64(len(a.items)) {
			a.b.fault(g.place(), "GROUP BY %d: the SELECT list has items 1 to %d", i, len(a.items))
			return nil, false
		}
		if a.items[i-1].expr == nil {
			a.b.fault(g.place(), "GROUP BY %d: the item is *: list the columns", i)
			return nil, false
		}
		return a.items[i-1].expr, true
	}
	if n, ok := g.(*name); ok && a.b.find(a.in, n, &faults{}) < 0 {
		if it := a.aliased(n); it != nil {
			return it.expr, true
		}
	}
	return g, true
}

// aliased returns the item with an alias that n is, or nil.
func (a *aggregation) aliased(n *name) *item {
	for i := range a.items {
		if len(n.parts) == 1 && a.items[i].alias != "" && asciiLower(a.items[i].alias) == asciiLower(n.parts[0]) {
			return &a.items[i]
		}
	}
	return nil
}

// keyName returns the name of a key's column in the state.
func (a *aggregation) keyName(n node, spec *expr.Spec) string {
	for _, it := range a.items {
		if it.expr != nil && it.alias != "" && textOf(it.expr) == textOf(n) {
			return it.alias
		}
	}
	if spec.Kind == expr.ColumnKind {
		return spec.Name
	}
	return textOf(n)
}

// unique returns want, with a number if it is taken: state finds its columns by name.
func (a *aggregation) unique(want string) string {
	n := want
	for i := 2; a.names[n]; i++ {
		n = want + "_" + itoa(i)
	}
	a.names[n] = true
	return n
}

// column returns column i of the aggregate's rows.
func (a *aggregation) column(i int) *expr.Spec {
	return &expr.Spec{Kind: expr.ColumnKind, Type: a.fields[i].Type, Column: i, Name: a.fields[i].Name}
}

// outputs binds the SELECT list.
func (a *aggregation) outputs() (outs []output, ok bool) {
	e := a.binder("a SELECT list")
	ok = true
	for _, it := range a.items {
		if it.expr == nil {
			a.b.fault(it.at, "* can't stand beside GROUP BY or an aggregate: list the columns")
			ok = false
			continue
		}
		if a.isWindow(it.expr) {
			name := it.alias
			if name == "" {
				name = a.spec.Window.Kind.Function()
			}
			outs = append(outs, output{at: it.at, spec: a.column(0), name: name + ".start"}, output{at: it.at, spec: a.column(1), name: name + ".end"})
			continue
		}
		spec := a.named(e, it)
		ok = ok && spec != nil
		outs = append(outs, output{at: it.at, spec: spec, name: a.outputName(&it, spec), ast: it.expr})
	}
	return outs, ok
}

// outputName is that of any item; the columns of a window are start and end, as in Spark.
func (a *aggregation) outputName(it *item, spec *expr.Spec) string {
	if n, ok := it.expr.(*name); ok && it.alias == "" && a.spec.Window != nil && spec != nil && spec.Kind == expr.ColumnKind && spec.Column < 2 {
		return n.parts[len(n.parts)-1]
	}
	if _, ok := it.expr.(*call); ok && it.alias == "" {
		return textOf(it.expr)
	}
	return it.outputName(spec)
}

// named binds an item; an aggregate that is met as a whole item has its column called by the alias.
func (a *aggregation) named(e *exprBinder, it item) *expr.Spec {
	if c, ok := it.expr.(*call); ok && a.b.isAggregateName(c.fn) && c.over == nil {
		return a.call(c, it.alias)
	}
	return e.bind(it.expr)
}

// relation adds the node.
func (a *aggregation) relation(name string) *relation {
	r := &relation{aggregated: true, mode: a.spec.Mode, windowEnd: -1}
	below := a.in.node
	if a.grouping != nil {
		below = a.expand()
	}
	if a.spec.Window != nil {
		if a.spec.Window.Kind != operators.CountWindow { // whose numbers are those of a group
			r.windowEnd = 1
		}
		r.keys = append(r.keys, []int{1, 0})
	}
	for i := range a.spec.Keys {
		r.keys = append(r.keys, []int{len(a.fields) - len(a.spec.Aggs) - len(a.spec.Keys) + i})
	}
	for _, f := range a.fields {
		r.columns = append(r.columns, column{name: f.Name})
	}
	spec := a.spec
	r.node = a.b.node(name, &spec, arrow.NewSchema(a.fields, nil), below)
	return r
}
