package sql

import (
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// ordered binds ORDER BY and LIMIT over a union or a query in brackets: terms see the columns of the result.
func (b *binder) ordered(r *relation, q *query) *relation {
	if r == nil {
		return nil
	}
	if len(q.orderBy) == 0 && q.limit < 0 {
		return r
	}
	var outs []output
	for i, c := range r.columns {
		if !c.hidden {
			outs = append(outs, output{spec: expr.Column(b.schema(r), i), name: c.name})
		}
	}
	sorted, ok := b.sort(r, q, outs, b.overRelation(r, "ORDER BY"))
	if !ok {
		return nil
	}
	return sorted
}

// sort adds ORDER BY and LIMIT below the projection: over in, so that columns that the result lacks need not be carried along.
func (b *binder) sort(in *relation, q *query, outs []output, e *exprBinder) (*relation, bool) {
	if len(q.orderBy) == 0 && q.limit < 0 {
		return in, true
	}
	keys, ok := b.sortKeys(q, outs, b.withOutputs(e, outs))
	if !ok {
		return in, false
	}
	sorted := *in
	sorted.node = b.node("", &operators.SortSpec{By: keys, Limit: q.limit, WindowEnd: in.windowEnd}, b.schema(in), in.node)
	return &sorted, true
}

// withOutputs makes e take the names of outs before those of columns, and explode(…) as the item that it is.
func (b *binder) withOutputs(e *exprBinder, outs []output) *exprBinder {
	special := e.special
	e.special = func(n node) (*expr.Spec, bool) {
		switch n := n.(type) {
		case *name:
			for _, o := range outs {
				if len(n.parts) == 1 && asciiLower(n.parts[0]) == asciiLower(o.name) {
					return o.spec, true
				}
			}
		case *call:
			for _, o := range outs {
				if isExplode(n.fn) && o.ast != nil && textOf(o.ast) == textOf(n) {
					return o.spec, true
				}
			}
		}
		if special != nil {
			return special(n)
		}
		return nil, false
	}
	return e
}

// sortKeys binds ORDER BY, of which a term may be an ordinal, the name of an output, or an expression of outputs and columns.
func (b *binder) sortKeys(q *query, outs []output, e *exprBinder) (keys []operators.SortKey, ok bool) {
	ok = true
	for _, o := range q.orderBy {
		key := b.orderKey(o, outs, e)
		ok = ok && key != nil
		keys = append(keys, operators.SortKey{Expr: key, Descending: o.descending, NullsFirst: o.nullsFirst})
	}
	return keys, ok
}

// orderKey binds a term of ORDER BY.
func (b *binder) orderKey(o orderTerm, outs []output, e *exprBinder) *expr.Spec {
	var key *expr.Spec
	if i, isOrdinal := ordinal(o.expr); isOrdinal {
		if i < 1 || i > int64(len(outs)) {
			b.fault(o.expr.place(), "ORDER BY %d: the SELECT list has items 1 to %d", i, len(outs))
			return nil
		}
		key = outs[i-1].spec
	} else {
		key = e.bind(o.expr)
	}
	if key == nil {
		return nil
	}
	if batch.IsComparable(key.Type) {
		return key
	}
	b.fault(o.expr.place(), "ORDER BY can't compare values of type %s", typeName(key.Type))
	return nil
}

// ordinal returns the number that n is.
func ordinal(n node) (int64, bool) {
	if l, ok := n.(*literal); ok {
		return wholeOf(l.value)
	}
	return 0, false
}
