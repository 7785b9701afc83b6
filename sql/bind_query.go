package sql

import (
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// queryContext is what a query is bound in.
type queryContext struct {
	scope *scope
	owner string  // how its state is called
	ask   request // the mode that its result is to have
	// inUnion says that UNION ALL gives columns that are NULL their type, unnamed that it gives them other names.
	inUnion, unnamed bool
	// last says that only a sink follows, so that what tells windows apart need not be carried along.
	last bool
}

// tableAs returns the rows of t in a mode. It is bound once per mode, so that all who read it share its nodes.
func (b *binder) tableAs(t *table, ask request) *relation {
	if t.query == nil && t.step == nil {
		return t.bound[asDefault]
	}
	if r, done := t.bound[ask]; done {
		return r
	}
	owner := t.owner
	if ask.times != nil && (t.isView || t.step != nil) {
		if r := b.tableAs(t, asDefault); r == nil || !r.aggregated {
			return b.tableAs(t, request{mode: ask.mode}) // no times change it: it stays shared
		}
		owner = ask.times.sink.text + "." + owner
	}
	if ask.mode != modeAsDefault {
		owner += "." + operators.Mode(ask.mode).String()
	}
	var r *relation
	if t.step != nil {
		r = b.step(t, owner, ask)
	} else {
		r = b.query(&queryContext{scope: t.scope, owner: owner, ask: ask}, t.query)
	}
	t.bound[ask] = r
	switch {
	case r == nil:
	case r.aggregated:
		t.bound[ask.withMode(int8(r.mode))] = r
	default:
		for _, m := range []operators.Mode{operators.Append, operators.Update, operators.Complete} {
			t.bound[ask.withMode(int8(m))] = r
		}
	}
	return r
}

// query binds q. The columns of the result have no qualifiers.
func (b *binder) query(c *queryContext, q *query) *relation {
	if len(q.with) > 0 {
		inner := *c
		inner.scope = &scope{outer: c.scope, tables: make(map[string]*table)}
		c = &inner
		for _, w := range q.with {
			key := asciiLower(w.name.text)
			if c.scope.tables[key] != nil {
				b.fault(w.name.at, "WITH has the name %q twice", w.name.text)
				continue
			}
			t := &table{name: w.name, query: w.query, owner: c.owner + "." + w.name.text, bound: make(map[request]*relation)}
			t.scope = &scope{outer: c.scope.outer, tables: cloneTables(c.scope.tables)}
			b.tableAs(t, c.ask.withMode(modeAsDefault))
			c.scope.tables[key] = t
		}
	}
	if len(q.terms) > 1 {
		return b.ordered(b.union(c, q), q)
	}
	if s, ok := q.terms[0].(*selectClause); ok {
		return b.selectClause(c, s, q)
	}
	if s, ok := q.terms[0].(*setOperation); ok {
		return b.ordered(b.setOperation(c, s), q)
	}
	inner := *c
	inner.last = false
	return b.ordered(b.query(&inner, q.terms[0].(*query)), q)
}

// cloneTables copies names of WITH, of which each sees only those before it.
func cloneTables(m map[string]*table) map[string]*table {
	c := make(map[string]*table, len(m))
	maps.Copy(c, m)
	return c
}

// from binds what a SELECT reads.
func (b *binder) from(c *queryContext, ref tableRef, ask request) *relation {
	var r *relation
	qualifier := ref.alias
	if ref.query != nil {
		inner := *c
		inner.ask, inner.inUnion, inner.unnamed, inner.last = ask, false, false, false
		r = b.query(&inner, ref.query)
	} else {
		t := b.lookup(c.scope, ref.name)
		if t == nil {
			return nil
		}
		if t.def != nil {
			b.fault(ref.name.at, "%q is a table, which has no rows that come: read a stream, and JOIN %s", t.name.text, quoteName(t.name.text))
			return nil
		}
		r = b.tableAs(t, ask)
		if qualifier == "" {
			qualifier = ref.name.text
		}
	}
	if r != nil && ref.match != nil {
		r = b.match(c.owner, ref.match, r)
	}
	if r == nil {
		return nil
	}
	named := *r
	named.columns = slices.Clone(r.columns)
	for i := range named.columns {
		named.columns[i].qualifier = qualifier
	}
	return &named
}

// filter keeps the rows for which a condition is true; the result is nil after a fault.
func (b *binder) filter(r *relation, e *exprBinder, condition node) *relation {
	if condition == nil {
		return r
	}
	predicate := e.boolean(condition)
	if predicate == nil {
		return nil
	}
	r = b.limitRanks(r, predicate)
	filtered := *r
	filtered.node = b.node("", &operators.FilterSpec{Predicate: predicate}, b.schema(r), r.node)
	return &filtered
}

// output is a column of a SELECT: an expression over the rows below.
type output struct {
	at   Pos
	spec *expr.Spec
	name string
	// ast is what it was bound from, nil for those of a star.
	ast node
}

// selectClause binds a SELECT, with ORDER BY and LIMIT of its query.
func (b *binder) selectClause(c *queryContext, s *selectClause, q *query) *relation {
	if s.distinct != nil && s.distinct.on == nil {
		return b.distinct(c, s, q)
	}
	isAggregate := b.isAggregate(s, q.orderBy)
	if isAggregate && s.distinct == nil && s.hasOver(q.orderBy) {
		return b.overGroups(c, s, q)
	}
	ask := c.ask
	if isAggregate || len(s.joins) > 0 {
		ask = ask.withMode(modeAsDefault) // its own result has the mode that is asked for
	}
	if s.from.asOf != nil {
		b.fault(s.from.asOf.place(), "FOR SYSTEM_TIME AS OF stands behind a table that is joined")
		return nil
	}
	tables := *s
	if len(s.laterals) > 0 {
		tables.where = nil // which may need their columns
	}
	in, where := b.joined(c, &tables, b.from(c, s.from, ask))
	if in == nil {
		return nil
	}
	if len(s.laterals) > 0 {
		if in, where = b.laterals(s, in), s.where; in == nil {
			return nil
		}
	}
	ok := true
	if filtered := b.filter(in, b.overRelation(in, "WHERE"), where); filtered != nil {
		in = filtered
	} else {
		ok = false
	}
	if s.distinct != nil {
		if in = b.distinctOn(c, s, isAggregate, in); in == nil {
			return nil
		}
	}
	var r *relation
	if isAggregate {
		r = b.aggregate(c, s, q, in)
	} else {
		r = b.plain(c, s, q, in)
	}
	if !ok {
		return nil
	}
	return r
}

// plain binds a SELECT without aggregates.
func (b *binder) plain(c *queryContext, s *selectClause, q *query, in *relation) *relation {
	explodedFrom := len(in.columns)
	in, exploded := b.explode(s, in)
	if in == nil {
		return nil
	}
	explodedEnd := len(in.columns)
	in, windows := b.windowed(c, s, q, in)
	if in == nil {
		return nil
	}
	schema := b.schema(in)
	e := b.overRelation(in, "a SELECT list")
	e.special = windows.special(in)
	var outs []output
	ok := true
	for i, it := range s.items {
		switch {
		case it.expr == nil:
			found := b.star(in, it)
			ok = ok && found != nil
			outs = append(outs, found...)
		case i == exploded:
			for k := explodedFrom; k < explodedEnd; k++ {
				outs = append(outs, output{at: it.at, spec: expr.Column(schema, k), name: schema.Field(k).Name, ast: it.expr})
			}
		default:
			spec := e.bind(it.expr)
			ok = ok && spec != nil
			outs = append(outs, output{at: it.at, spec: spec, name: it.outputName(spec), ast: it.expr})
		}
	}
	ok = b.isOutput(c, outs) && ok
	order := b.overRelation(in, "ORDER BY")
	order.special = e.special
	in, sorted := b.sort(in, q, outs, order)
	if !ok || !sorted {
		return nil
	}
	return b.project(in, outs, !c.last)
}

// outputName returns the alias, or the column's name, or the text of the expression.
func (it *item) outputName(spec *expr.Spec) string {
	if it.alias != "" {
		return it.alias
	}
	if n, ok := it.expr.(*name); ok {
		last := n.parts[len(n.parts)-1]
		if spec != nil && spec.Kind == expr.ColumnKind && asciiLower(spec.Name) == asciiLower(last) {
			return spec.Name
		}
		return last
	}
	if f, ok := it.expr.(*field); ok {
		return f.name
	}
	return textOf(it.expr)
}

// star returns the columns that * and t.* stand for.
func (b *binder) star(in *relation, it item) []output {
	outs := []output{}
	for i, c := range in.columns {
		isShown := !c.hidden || c.merged && it.qualifier != ""
		if isShown && c.name != "" && (it.qualifier == "" || asciiLower(c.qualifier) == asciiLower(it.qualifier)) {
			outs = append(outs, output{at: it.at, spec: expr.Column(b.schema(in), i), name: c.name})
		}
	}
	if len(outs) == 0 {
		return b.starOfStruct(in, it)
	}
	return outs
}

// isOutput reports columns that a result can't have.
func (b *binder) isOutput(c *queryContext, outs []output) bool {
	ok := true
	taken := make(map[string]bool, len(outs))
	for _, o := range outs {
		if o.spec == nil {
			ok = false
			continue
		}
		if taken[o.name] && !c.unnamed {
			b.fault(o.at, "the result has two columns %q: name one of them otherwise, with AS", o.name)
			ok = false
		}
		taken[o.name] = true
		if !c.inUnion || o.spec.Type.ID() != arrow.NULL {
			ok = b.isColumnType(o.at, o.name, o.spec.Type) && ok
		}
	}
	return ok
}

// project computes outs over in. With carry, the column that tells windows apart stays, hidden, where it is not among them.
// There is no node where outs are the columns of in.
func (b *binder) project(in *relation, outs []output, carry bool) *relation {
	inSchema := b.schema(in)
	r := &relation{aggregated: in.aggregated, mode: in.mode, windowEnd: -1}
	spec := &operators.ProjectSpec{}
	var fields []arrow.Field
	placeOf := make(map[int]int) // column of in → of the result
	isSame := len(outs) == inSchema.NumFields()
	add := func(s *expr.Spec, name string, c column) {
		i := len(fields)
		f := arrow.Field{Name: name, Type: s.Type, Nullable: true}
		if s.Kind == expr.ColumnKind {
			f.Metadata = timeMark(timeKind(inSchema.Field(s.Column)))
			if _, known := placeOf[s.Column]; !known {
				placeOf[s.Column] = i
			}
		}
		isSame = isSame && s.Kind == expr.ColumnKind && s.Column == i && name == inSchema.Field(i).Name && !in.columns[i].hidden
		fields = append(fields, f)
		spec.Exprs, spec.Names = append(spec.Exprs, s), append(spec.Names, name)
		r.columns = append(r.columns, c)
	}
	for _, o := range outs {
		add(o.spec, o.name, column{name: o.name})
	}
	if in.windowEnd >= 0 {
		if i, known := placeOf[in.windowEnd]; known {
			r.windowEnd = i
		} else if carry {
			r.windowEnd = len(fields)
			add(expr.Column(inSchema, in.windowEnd), inSchema.Field(in.windowEnd).Name, column{hidden: true})
			delete(placeOf, in.windowEnd) // it is no key of what is seen
		}
	}
	r.keys = remapKeys(in.keys, placeOf)
	if isSame && len(fields) == inSchema.NumFields() {
		r.node = in.node
		return r
	}
	r.node = b.node("", spec, arrow.NewSchema(fields, nil), in.node)
	return r
}

// remapKeys returns where the keys went, nil unless all are there: part of them does not identify a row.
func remapKeys(keys [][]int, placeOf map[int]int) [][]int {
	var moved [][]int
	for _, alternatives := range keys {
		var places []int
		for _, i := range alternatives {
			if place, known := placeOf[i]; known {
				places = append(places, place)
			}
		}
		if places == nil {
			return nil
		}
		moved = append(moved, places)
	}
	return moved
}
