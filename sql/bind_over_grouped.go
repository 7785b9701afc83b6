package sql

import "slices"

// isOver says whether a function with OVER is in n.
func isOver(n node) bool {
	found := false
	walk(n, func(n node) bool {
		c, isCall := n.(*call)
		found = found || isCall && c.over != nil
		return !found
	})
	return found
}

// hasOver says whether a function with OVER is in what a SELECT gives.
func (s *selectClause) hasOver(orderBy []orderTerm) bool {
	return slices.ContainsFunc(s.items, func(it item) bool { return isOver(it.expr) }) ||
		slices.ContainsFunc(orderBy, func(o orderTerm) bool { return isOver(o.expr) })
}

// overGroups binds a SELECT that has both groups and functions with OVER, which look at the groups, as one query around another:
//
//	SELECT user, count(*) AS n, rank() OVER (PARTITION BY window.start ORDER BY count(*) DESC) AS r FROM e GROUP BY window(at, '1 hour'), user
//	SELECT user, `count(*)` AS n, rank() OVER (PARTITION BY `window.start` ORDER BY `count(*)` DESC) AS r
//	  FROM (SELECT user, count(*) AS `count(*)`, window.start AS `window.start` FROM e GROUP BY window(at, '1 hour'), user)
func (b *binder) overGroups(c *queryContext, s *selectClause, q *query) *relation {
	grouped := *s
	grouped.items, grouped.windows = nil, nil
	g := &groupedItems{b: b, inner: &grouped}
	outer := &selectClause{at: s.at, from: tableRef{query: &query{at: s.at, terms: []term{&grouped}, limit: -1}}}
	for _, it := range s.items {
		if it.expr == nil {
			b.fault(it.at, "* can't stand beside GROUP BY or an aggregate: name the columns")
			return nil
		}
		outer.items = append(outer.items, item{at: it.at, expr: g.outside(it.expr), alias: groupedName(&it)})
	}
	for _, w := range s.windows {
		outer.windows = append(outer.windows, namedWindow{name: w.name, over: g.window(w.over)})
	}
	around := *q
	around.with, around.orderBy = nil, nil
	for _, o := range q.orderBy {
		isAlias := false
		if n, ok := o.expr.(*name); ok && len(n.parts) == 1 {
			isAlias = slices.ContainsFunc(outer.items, func(it item) bool { return asciiLower(it.alias) == asciiLower(n.parts[0]) })
		}
		if !isAlias {
			o.expr = g.outside(o.expr)
		}
		around.orderBy = append(around.orderBy, o)
	}
	around.terms = []term{outer}
	return b.selectClause(c, outer, &around)
}

// groupedName returns what the column of an entry is called.
func groupedName(it *item) string {
	switch n := it.expr.(type) {
	case *name:
		if it.alias == "" {
			return n.parts[len(n.parts)-1]
		}
	case *field:
		if it.alias == "" {
			return n.name
		}
	}
	if it.alias == "" {
		return textOf(it.expr)
	}
	return it.alias
}

// groupedItems moves expressions into the inner one of two queries.
type groupedItems struct {
	b     *binder
	inner *selectClause
}

// outside returns n over the rows of the inner query, which gets what is not of a function with OVER.
func (g *groupedItems) outside(n node) node {
	if n == nil {
		return nil
	}
	if !isOver(n) {
		return g.moved(n)
	}
	switch n := n.(type) {
	case *call:
		c := *n
		c.args, c.filter = g.all(n.args), g.outside(n.filter)
		if n.over != nil {
			c.over = g.window(n.over)
		}
		return &c
	case *caseOf:
		c := *n
		c.operand, c.otherwise, c.whens = g.outside(n.operand), g.outside(n.otherwise), nil
		for _, w := range n.whens {
			c.whens = append(c.whens, when{g.outside(w.condition), g.outside(w.result)})
		}
		return &c
	case *cast:
		c := *n
		c.arg = g.outside(n.arg)
		return &c
	case *field:
		c := *n
		c.of = g.outside(n.of)
		return &c
	}
	return n
}

func (g *groupedItems) all(nodes []node) []node {
	moved := make([]node, len(nodes))
	for i, n := range nodes {
		moved[i] = g.outside(n)
	}
	return moved
}

// window returns what stands behind OVER, over the rows of the inner query. A window as a whole stands for its start.
func (g *groupedItems) window(o *overClause) *overClause {
	w := *o
	w.partition, w.order = nil, nil
	for _, n := range o.partition {
		if whole, ok := n.(*name); ok && len(whole.parts) == 1 && asciiLower(whole.parts[0]) == "window" {
			n = &name{base: whole.base, parts: []string{whole.parts[0], "start"}}
		}
		w.partition = append(w.partition, g.outside(n))
	}
	for _, t := range o.order {
		t.expr = g.outside(t.expr)
		w.order = append(w.order, t)
	}
	return &w
}

// moved returns the column of the inner query that n is. What has neither columns nor aggregates stays where it is.
func (g *groupedItems) moved(n node) node {
	isConstant := true
	walk(n, func(n node) bool {
		_, isName := n.(*name)
		c, isCall := n.(*call)
		isConstant = isConstant && !isName && (!isCall || !g.b.isAggregateName(c.fn))
		return isConstant
	})
	if isConstant {
		return n
	}
	text := textOf(n)
	if !slices.ContainsFunc(g.inner.items, func(it item) bool { return it.alias == text }) {
		g.inner.items = append(g.inner.items, item{at: n.place(), expr: n, alias: text})
	}
	return &name{base: base{at: n.place(), levels: 1}, parts: []string{text}}
}
