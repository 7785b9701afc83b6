package sql

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators/expr"
)

// binder returns a binder of expressions over the rows of the aggregate.
func (a *aggregation) binder(where string) *exprBinder {
	e := &exprBinder{b: a.b, faults: a.b.faults, where: where}
	e.column = func(n *name) *expr.Spec { return a.name(e, n) }
	e.special = func(n node) (*expr.Spec, bool) { return a.special(e, n) }
	return e
}

// special binds what means a column of the aggregate as a whole: an aggregate, the start or end of the window, a key.
func (a *aggregation) special(e *exprBinder, n node) (*expr.Spec, bool) {
	if c, ok := n.(*call); ok && c.over != nil {
		e.faults.add(c.at, "%s OVER can't stand beside GROUP BY or an aggregate: put these in a query in brackets", c.fn)
		return nil, true
	}
	if c, ok := n.(*call); ok && a.b.isAggregateName(c.fn) {
		return a.call(c, ""), true
	}
	if c, ok := n.(*call); ok && (c.fn == "grouping" || c.fn == "grouping_id") {
		return a.groupingCall(e, c), true
	}
	if c, ok := n.(*call); ok && isExplode(c.fn) {
		e.faults.add(c.at, "%s(…) can't stand beside GROUP BY or an aggregate: explode in a query in brackets", c.fn)
		return nil, true
	}
	if i := a.windowField(n); i >= 0 {
		return a.column(i), true
	}
	if a.isWindow(n) {
		e.faults.add(n.place(), "a window is its start and its end: in %s write %s.start or %[2]s.end", e.where, a.spec.Window.Kind.Function())
		return nil, true
	}
	if !slices.Contains(a.keyHeights, n.height()) {
		return nil, false
	}
	// Equal keys are as high, so that the nodes looked at here do not overlap and the cost stays linear.
	silent := a.b.over("", func(n *name) *expr.Spec { return a.b.quietColumn(a.in, n) })
	silent.faults = &faults{}
	s := silent.bind(n)
	if s == nil {
		return nil, false
	}
	for i, k := range a.keyForms {
		if expr.Equal(k, s) {
			return a.column(a.firstKey() + i), true
		}
	}
	return nil, false
}

func (a *aggregation) firstKey() int {
	if a.spec.Window != nil {
		return 2
	}
	return 0
}

// quietColumn is columnOf without a message.
func (b *binder) quietColumn(r *relation, n *name) *expr.Spec {
	i := b.find(r, n, &faults{})
	if i < 0 {
		return nil
	}
	return expr.Column(b.schema(r), i)
}

// name binds a column that is no key as such: an alias of the SELECT list, or an error.
func (a *aggregation) name(e *exprBinder, n *name) *expr.Spec {
	if a.b.quietColumn(a.in, n) != nil {
		e.faults.add(n.at, "column %q must be in GROUP BY or inside an aggregate", n.parts[len(n.parts)-1])
		return nil
	}
	if it := a.aliased(n); it != nil && !a.inAlias && e.where != "a SELECT list" {
		a.inAlias = true
		defer func() { a.inAlias = false }()
		return a.named(e, *it)
	}
	return a.b.columnOf(a.in, a.b.schema(a.in), n)
}

// isWindow says whether n is the window that GROUP BY has: window, window(…) as there, or an alias of that. Windows of other
// kinds are called after their function.
func (a *aggregation) isWindow(n node) bool {
	switch n := n.(type) {
	case *call:
		return a.spec.Window != nil && isWindowFunction(n.fn) && textOf(n) == a.windowText
	case *name:
		return len(n.parts) == 1 && a.isWindowName(n.parts[0]) && a.b.quietColumn(a.in, n) == nil
	}
	return false
}

// isWindowName says whether s is window, or the alias of window(…).
func (a *aggregation) isWindowName(s string) bool {
	if a.spec.Window == nil || asciiLower(s) == a.spec.Window.Kind.Function() {
		return a.spec.Window != nil
	}
	it := a.aliased(&name{parts: []string{s}})
	if it == nil {
		return false
	}
	c, ok := it.expr.(*call)
	return ok && a.isWindow(c)
}

// windowField returns the index of the window's column that n is, -1 if it is none. The window of GROUP BY goes before columns of
// the same name, which a window below may have left.
func (a *aggregation) windowField(n node) int {
	part := ""
	switch n := n.(type) {
	case *field:
		if a.isWindow(n.of) {
			part = n.name
		}
	case *name:
		window := n.parts[0]
		var field string
		if len(n.parts) == 2 {
			field = n.parts[1]
		} else {
			window, field, _ = strings.Cut(window, ".") // ORDER BY `window.end`
		}
		if a.isWindowName(window) {
			part = field
		}
	}
	switch asciiLower(part) {
	case "start":
		return 0
	case "end":
		return 1
	}
	return -1
}

// call returns the column of an aggregate, which is computed once however often it is met. alias names it, if it is not "".
func (a *aggregation) call(c *call, alias string) *expr.Spec {
	agg, ok := a.b.aggregateCall(a.input, c)
	if !ok {
		return nil
	}
	if w := a.spec.Window; w != nil && w.Time != nil && agg.By == nil && goesByTime[agg.Func] && !agg.ByValue && !agg.Distinct {
		agg.By = w.Time
	}
	if !a.input.filterAggregate(&agg, c) {
		return nil
	}
	first := len(a.fields) - len(a.spec.Aggs)
	for i := range a.spec.Aggs {
		if a.spec.Aggs[i].Computes(&agg) {
			return a.column(first + i)
		}
	}
	if alias == "" {
		alias = textOf(c)
	}
	agg.Name = a.unique(alias)
	a.spec.Aggs = append(a.spec.Aggs, agg)
	a.fields = append(a.fields, arrow.Field{Name: agg.Name, Type: agg.Type, Nullable: true})
	return a.column(len(a.fields) - 1)
}
