package sql

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// matching binds MATCH_RECOGNIZE over the rows of in.
type matching struct {
	b    *binder
	in   *relation
	spec operators.MatchSpec
}

// match binds m over in; owner is how its state is called. The result has the columns of PARTITION BY, then the measures.
func (b *binder) match(owner string, m *matchClause, in *relation) *relation {
	if in.aggregated && in.mode != operators.Append {
		b.fault(m.at, "MATCH_RECOGNIZE needs rows that stay as they are: its input is an updating result")
		return nil
	}
	mt := &matching{b: b, in: in, spec: operators.MatchSpec{After: m.after}}
	var fields []arrow.Field
	ok := mt.partition(m, &fields)
	ok = mt.order(m) && ok
	pattern, patternOK := mt.pattern(m.pattern)
	mt.spec.Pattern = pattern
	ok = patternOK && mt.within(m) && ok
	if !ok {
		return nil
	}
	ok = mt.defines(m)
	ok = mt.measures(m, &fields) && ok
	if m.after == operators.SkipToFirst || m.after == operators.SkipToLast {
		if mt.spec.AfterVar = mt.variable(m.afterVar.text); mt.spec.AfterVar < 0 {
			mt.unknownVariable(m.afterVar)
			ok = false
		}
	}
	if !ok {
		return nil
	}
	if err := mt.spec.Validate(); err != nil {
		b.fault(m.at, "%v", err)
		return nil
	}
	r := &relation{mode: operators.Append, windowEnd: -1}
	for _, f := range fields {
		r.columns = append(r.columns, column{name: f.Name})
	}
	r.node = b.node(b.stateNameOf(owner, "match"), &mt.spec, arrow.NewSchema(fields, nil), in.node)
	return r
}

func (mt *matching) partition(m *matchClause, fields *[]arrow.Field) bool {
	e := mt.b.overRelation(mt.in, "PARTITION BY")
	ok := true
	for _, n := range m.partitionBy {
		s := e.bind(n)
		switch {
		case s == nil:
			ok = false
			continue
		case s.Kind != expr.ColumnKind:
			mt.b.fault(n.place(), "PARTITION BY takes columns: compute %s in a query below", textOf(n))
			ok = false
			continue
		}
		mt.spec.PartitionBy, mt.spec.PartitionNames = append(mt.spec.PartitionBy, s), append(mt.spec.PartitionNames, s.Name)
		*fields = append(*fields, arrow.Field{Name: s.Name, Type: s.Type, Nullable: true})
	}
	return ok
}

func (mt *matching) order(m *matchClause) bool {
	first := m.orderBy[0]
	if len(m.orderBy) > 1 || first.descending {
		mt.b.fault(first.expr.place(), "MATCH_RECOGNIZE takes rows in the order of their time: ORDER BY is the column of the watermark alone, ascending")
		return false
	}
	s := mt.b.overRelation(mt.in, "ORDER BY").bind(first.expr)
	if s == nil {
		return false
	}
	if s.Kind != expr.ColumnKind || timeKind(mt.b.schema(mt.in).Field(s.Column)) != operators.TimeEvent {
		mt.b.fault(first.expr.place(), "MATCH_RECOGNIZE orders by the column that has the WATERMARK, since only that tells when no earlier row will come: %s has none",
			textOf(first.expr))
		return false
	}
	mt.spec.Time = s
	return true
}

// pattern binds a pattern, whose variables are numbered as they appear.
func (mt *matching) pattern(p *matchPattern) (*operators.Pattern, bool) {
	r := &operators.Pattern{IsAny: p.isAny, Min: p.min, Max: p.max, IsLazy: p.isLazy}
	if len(p.parts) == 0 {
		if r.Var = mt.variable(p.name.text); r.Var < 0 {
			r.Var = len(mt.spec.Vars)
			mt.spec.Vars = append(mt.spec.Vars, p.name.text)
			mt.spec.Define = append(mt.spec.Define, nil)
		}
		return r, true
	}
	for _, part := range p.parts {
		bound, ok := mt.pattern(part)
		if !ok {
			return nil, false
		}
		r.Parts = append(r.Parts, bound)
	}
	return r, true
}

func (mt *matching) within(m *matchClause) bool {
	if m.within == nil {
		return true
	}
	d, ok := isInterval(m.within)
	if !ok || d <= 0 {
		mt.b.fault(m.within.place(), "WITHIN takes an INTERVAL longer than nothing, such as INTERVAL '10' MINUTES")
		return false
	}
	mt.spec.Within = d
	return true
}

func (mt *matching) variable(name string) int {
	return slices.IndexFunc(mt.spec.Vars, func(v string) bool { return asciiLower(v) == asciiLower(name) })
}

func (mt *matching) unknownVariable(name ident) {
	if near := expr.Nearest(name.text, mt.spec.Vars); near != "" {
		mt.b.fault(name.at, "unknown pattern variable %q: did you mean %q?", name.text, near)
		return
	}
	mt.b.fault(name.at, "unknown pattern variable %q: PATTERN has %s", name.text, firstOf(mt.spec.Vars))
}

func (mt *matching) defines(m *matchClause) bool {
	ok := true
	for _, d := range m.defines {
		v := mt.variable(d.name.text)
		switch {
		case v < 0:
			mt.unknownVariable(d.name)
			ok = false
		case mt.spec.Define[v] != nil:
			mt.b.fault(d.name.at, "DEFINE has the variable %q twice", d.name.text)
			ok = false
		default:
			mt.spec.Define[v] = mt.binder("DEFINE").boolean(d.condition)
			ok = ok && mt.spec.Define[v] != nil
		}
	}
	return ok
}

func (mt *matching) measures(m *matchClause, fields *[]arrow.Field) bool {
	ok := true
	for _, it := range m.measures {
		switch {
		case it.expr == nil:
			mt.b.fault(it.at, "MEASURES takes expressions: name the columns instead of *")
			ok = false
			continue
		case it.alias == "":
			mt.b.fault(it.at, "a measure needs a name: %s AS name", textOf(it.expr))
			ok = false
			continue
		case slices.ContainsFunc(*fields, func(f arrow.Field) bool { return asciiLower(f.Name) == asciiLower(it.alias) }):
			mt.b.fault(it.at, "the result has two columns named %q", it.alias)
			ok = false
			continue
		}
		s := mt.binder("MEASURES").bind(it.expr)
		if s == nil || !mt.b.isColumnType(it.at, it.alias, s.Type) {
			ok = false
			continue
		}
		f := arrow.Field{Name: it.alias, Type: s.Type, Nullable: true}
		if s.Kind == expr.ColumnKind && mt.isRowTime(s.Column) {
			f.Metadata = timeMark(operators.TimeEvent)
		}
		mt.spec.Measures, mt.spec.MeasureNames = append(mt.spec.Measures, s), append(mt.spec.MeasureNames, it.alias)
		*fields = append(*fields, f)
	}
	return ok
}

// isRowTime says whether reference i is the time of the last row: no match that is found later has an earlier one than the
// first row of a match that is still searched for, so it keeps to the watermark.
func (mt *matching) isRowTime(i int) bool {
	n := mt.spec.Navs[i]
	return n.Func == "last" && n.Var < 0 && n.Offset == 0 && n.Value >= 0 && expr.Equal(mt.spec.Values[n.Value], mt.spec.Time)
}

// binder returns a binder of expressions over references into the match.
func (mt *matching) binder(where string) *exprBinder {
	e := mt.b.over(where, func(n *name) *expr.Spec { return mt.rowOf(n, "last", 0) })
	e.special = func(n node) (*expr.Spec, bool) {
		c, ok := n.(*call)
		if !ok {
			return nil, false
		}
		switch {
		case c.fn == "match_rowtime" && len(c.args) == 0:
			return mt.nav(operators.NavSpec{Func: "last", Var: -1}, mt.spec.Time), true
		case c.fn == "first" || c.fn == "last":
			return mt.navigation(c), true
		case c.fn == "prev" || c.fn == "next":
			mt.b.fault(c.at, "not supported: %s: LAST(variable.column, 1) is the row before the last of a variable", asciiUpper(c.fn))
			return nil, true
		case mt.b.isAggregateName(c.fn) && (!overAggregates[c.fn] || c.hasAggregateParts()):
			mt.b.fault(c.at, "not supported: %s in MATCH_RECOGNIZE: there are count, sum, avg, min and max, and FIRST and LAST take a row of a "+
				"variable", textOf(c))
			return nil, true
		case mt.b.isAggregateName(c.fn):
			return mt.aggregate(c), true
		}
		return nil, false
	}
	return e
}

// rowOf returns a reference to a column of the rows of a variable, or of all rows.
func (mt *matching) rowOf(n *name, fn string, offset int) *expr.Spec {
	v, value := mt.value(n)
	if value == nil {
		return nil
	}
	return mt.nav(operators.NavSpec{Func: fn, Var: v, Offset: offset}, value)
}

// value returns the variable before the dot, -1 without one, and the column behind it, nil after a fault.
func (mt *matching) value(n *name) (variable int, column *expr.Spec) {
	variable = -1
	plain := n
	if len(n.parts) == 2 {
		if variable = mt.variable(n.parts[0]); variable < 0 {
			mt.unknownVariable(ident{at: n.at, text: n.parts[0]})
			return -1, nil
		}
		plain = &name{base: n.base, parts: n.parts[1:]}
	}
	return variable, mt.b.columnOf(mt.in, mt.b.schema(mt.in), plain)
}

// navigation binds FIRST(variable.column[, n]) and LAST(variable.column[, n]).
func (mt *matching) navigation(c *call) *expr.Spec {
	fn := asciiUpper(c.fn)
	if len(c.args) < 1 || len(c.args) > 2 {
		mt.b.fault(c.at, "%s takes (variable.column) or (variable.column, rows), got %d arguments", fn, len(c.args))
		return nil
	}
	n, ok := c.args[0].(*name)
	if !ok {
		mt.b.fault(c.args[0].place(), "%s takes a column of a variable, such as %s(A.price)", fn, fn)
		return nil
	}
	offset := 0
	if len(c.args) == 2 {
		l, isLiteral := c.args[1].(*literal)
		i, isInt := literalInt(l, isLiteral)
		if !isInt || i < 0 || i > maxRepeats {
			mt.b.fault(c.args[1].place(), "%s takes a constant number of rows from 0 to %d", fn, maxRepeats)
			return nil
		}
		offset = int(i)
	}
	return mt.rowOf(n, c.fn, offset)
}

func literalInt(l *literal, ok bool) (int64, bool) {
	if !ok {
		return 0, false
	}
	return wholeOf(l.value)
}

// aggregate binds an aggregate over the rows of a variable: all columns in its argument are of the same one.
func (mt *matching) aggregate(c *call) *expr.Spec {
	nav := operators.NavSpec{Func: c.fn, Var: -1, Value: -1}
	seen := false
	var faulty bool
	e := mt.b.over("an aggregate", func(n *name) *expr.Spec {
		v, column := mt.value(n)
		if column == nil {
			faulty = true
			return nil
		}
		if seen && v != nav.Var {
			mt.b.fault(n.at, "an aggregate counts rows of one variable: %s is of another one", textOf(n))
			faulty = true
			return nil
		}
		nav.Var, seen = v, true
		return column
	})
	agg, ok := mt.b.aggregateCall(e, c)
	if !ok || faulty {
		return nil
	}
	nav.Type = agg.Type
	return mt.nav(nav, agg.Arg)
}

// nav returns the column of a reference, which is made once however often it is met. value is nil for count(*).
func (mt *matching) nav(n operators.NavSpec, value *expr.Spec) *expr.Spec {
	n.Value = -1
	if value != nil {
		n.Value = slices.IndexFunc(mt.spec.Values, func(v *expr.Spec) bool { return expr.Equal(v, value) })
		if n.Value < 0 {
			n.Value = len(mt.spec.Values)
			mt.spec.Values = append(mt.spec.Values, value)
		}
		if n.Type == nil {
			n.Type = value.Type
		}
	}
	i := slices.Index(mt.spec.Navs, n)
	if i < 0 {
		i = len(mt.spec.Navs)
		mt.spec.Navs = append(mt.spec.Navs, n)
	}
	return expr.Column(mt.spec.NavSchema(), i)
}
