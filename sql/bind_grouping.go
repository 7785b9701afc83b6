package sql

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// groupingSets are those of a GROUP BY. Below the aggregate there is a projection for each set, which adds the keys, NULL where the set
// has them not, and a number that tells the sets apart: a bit for each key, the first one's the highest, which is 1 where the key is not
// in the set. That number is the last key of the aggregate.
type groupingSets struct {
	masks []int // per set
}

// groupingSets binds the sets of GROUP BY, whose keys are bound.
func (a *aggregation) groupingSets(s *selectClause) bool {
	b, keys := a.b, len(a.spec.Keys)
	// Terms that are equal are one key, and the window is none: find the key of each term.
	keyOf := make([]int, len(s.groupBy))
	window := -1
	for i, g := range s.groupBy {
		n, ok := a.grouped(g)
		if !ok {
			return false
		}
		if c, isCall := n.(*call); isCall && isWindowFunction(c.fn) {
			keyOf[i], window = -1, i
			continue
		}
		spec := a.b.overRelation(a.in, "GROUP BY").bind(n)
		if keyOf[i] = slices.IndexFunc(a.spec.Keys, func(k *expr.Spec) bool { return spec != nil && expr.Equal(k, spec) }); keyOf[i] < 0 {
			return false
		}
	}
	g := &groupingSets{}
	for _, set := range s.sets {
		mask := 1<<keys - 1
		for _, i := range set {
			if keyOf[i] >= 0 {
				mask &^= 1 << (keys - 1 - keyOf[i])
			}
		}
		if window >= 0 && !slices.Contains(set, window) {
			b.fault(s.groupBy[window].place(), "each set of GROUP BY needs the window: GROUP BY %s, ROLLUP (…)", a.windowText)
			return false
		}
		if slices.Contains(g.masks, mask) {
			b.fault(s.groupBy[0].place(), "GROUP BY has the same set twice")
			return false
		}
		g.masks = append(g.masks, mask)
	}
	a.grouping = g
	a.fields = append(a.fields, arrow.Field{Name: a.unique("grouping_id"), Type: batch.BigInt})
	return true
}

// expand adds the projections below an aggregate that is bound: of each column that its arguments and its window need, and of the keys,
// which become columns.
func (a *aggregation) expand() (node int) {
	b, in, keys := a.b, a.b.schema(a.in), a.keyForms
	needed := operators.ColumnsOf(&operators.AggregateSpec{Window: a.spec.Window, Aggs: a.spec.Aggs})
	var fields []arrow.Field
	for _, c := range needed {
		fields = append(fields, in.Field(c))
	}
	for i, k := range keys {
		fields = append(fields, arrow.Field{Name: a.spec.KeyNames[i], Type: k.Type, Nullable: true})
	}
	id := a.fields[a.firstKey()+len(keys)]
	fields = append(fields, id)
	schema := arrow.NewSchema(fields, nil)
	var parts []int
	for _, mask := range a.grouping.masks {
		spec := &operators.ProjectSpec{}
		add := func(e *expr.Spec) {
			spec.Exprs, spec.Names = append(spec.Exprs, e), append(spec.Names, fields[len(spec.Names)].Name)
		}
		for _, c := range needed {
			add(expr.Column(in, c))
		}
		for i, k := range keys {
			if mask>>(len(keys)-1-i)&1 != 0 {
				k = &expr.Spec{Kind: expr.LiteralKind, Type: k.Type}
			}
			add(k)
		}
		add(expr.Literal(int64(mask)))
		parts = append(parts, b.node("", spec, schema, a.in.node))
	}
	a.spec = *operators.Remap(&a.spec, func(c int) int { return slices.Index(needed, c) })
	a.spec.Keys = nil
	for i := range len(keys) + 1 {
		a.spec.Keys = append(a.spec.Keys, expr.Column(schema, len(needed)+i))
	}
	a.spec.KeyNames = append(a.spec.KeyNames, id.Name)
	return b.node("", &operators.UnionSpec{}, schema, parts...)
}

// beforeSets returns the aggregate without sets, whose late rows are the same, but each once.
func (a *aggregation) beforeSets() *operators.AggregateSpec {
	if a.grouping == nil {
		return &a.spec
	}
	plain := a.spec
	plain.Keys = a.keyForms
	return &plain
}

// groupingCall binds grouping(key), which is 1 where the key is not in the set of the row, and grouping_id(key, …), their bits together.
func (a *aggregation) groupingCall(e *exprBinder, c *call) *expr.Spec {
	if a.grouping == nil {
		e.faults.add(c.at, "%s needs GROUPING SETS, ROLLUP or CUBE", c.fn)
		return nil
	}
	keys := len(a.keyForms)
	id := a.column(a.firstKey() + keys)
	if c.fn == "grouping_id" && len(c.args) == 0 {
		return id
	}
	if len(c.args) == 0 || c.fn == "grouping" && len(c.args) > 1 {
		e.faults.add(c.at, "%s takes keys of GROUP BY, got %d arguments", c.fn, len(c.args))
		return nil
	}
	var result *expr.Spec
	for _, arg := range c.args {
		n, ok := a.grouped(arg)
		if !ok {
			return nil
		}
		spec := a.b.overRelation(a.in, c.fn).bind(n)
		if spec == nil {
			return nil
		}
		i := slices.IndexFunc(a.keyForms, func(k *expr.Spec) bool { return expr.Equal(k, spec) })
		if i < 0 {
			e.faults.add(arg.place(), "%s: %s is no key of GROUP BY", c.fn, textOf(arg))
			return nil
		}
		bit := id
		if below := keys - 1 - i; below > 0 {
			bit = e.make(c.at, "div", id, expr.Literal(int64(1)<<below))
		}
		if i > 0 {
			bit = e.make(c.at, "%", bit, expr.Literal(int64(2)))
		}
		if result == nil {
			result = bit
		} else {
			result = e.make(c.at, "+", e.make(c.at, "*", result, expr.Literal(int64(2))), bit)
		}
	}
	return result
}
