package sql

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// rowsOf returns a relation of rows of schema.
func (b *binder) rowsOf(schema *arrow.Schema) *relation {
	r := &relation{windowEnd: -1, node: b.node("", nil, schema)}
	for _, f := range schema.Fields() {
		r.columns = append(r.columns, column{name: f.Name})
	}
	return r
}

// BindExpr resolves the names and types of e over columns of schema. Its error is an Errors.
func BindExpr(schema *arrow.Schema, e *Expression) (*expr.Spec, error) {
	b := newBinder(e.text)
	s := b.overRelation(b.rowsOf(schema), "an expression").bind(e.root)
	return s, b.faults.err()
}

// BindProjection parses and binds text such as "upper(word) AS w, n + 1 AS m, *" over columns of schema. Its error is an Errors.
func BindProjection(schema *arrow.Schema, text string) (*operators.ProjectSpec, error) {
	items, err := parseItems(text)
	if err != nil {
		return nil, err
	}
	b := newBinder(text)
	r := b.rowsOf(schema)
	e := b.overRelation(r, "a projection")
	var outs []output
	for _, it := range items {
		if it.expr == nil {
			outs = append(outs, b.star(r, it)...)
			continue
		}
		spec := e.bind(it.expr)
		outs = append(outs, output{at: it.at, spec: spec, name: it.outputName(spec)})
	}
	b.isOutput(&queryContext{}, outs)
	if err := b.faults.err(); err != nil {
		return nil, err
	}
	spec := &operators.ProjectSpec{}
	for _, o := range outs {
		spec.Exprs, spec.Names = append(spec.Exprs, o.spec), append(spec.Names, o.name)
	}
	return spec, nil
}

// BindAggregate parses and binds text such as "count(*) AS n, sum(x) AS s" over columns of schema: each item is one aggregate.
// Its error is an Errors.
func BindAggregate(schema *arrow.Schema, text string) ([]operators.AggSpec, error) {
	items, err := parseItems(text)
	if err != nil {
		return nil, err
	}
	b := newBinder(text)
	input := b.overRelation(b.rowsOf(schema), "an aggregate")
	var aggs []operators.AggSpec
	taken := make(map[string]bool)
	for _, it := range items {
		c, ok := it.expr.(*call)
		if !ok || !isAggregateName(c.fn) {
			b.fault(it.at, "expected an aggregate, such as count(*) or sum(x): compute with results of aggregates in a projection behind them")
			continue
		}
		agg, ok := b.aggregateCall(input, c)
		if !ok {
			continue
		}
		if agg.Name = it.alias; agg.Name == "" {
			agg.Name = textOf(c)
		}
		if taken[agg.Name] {
			b.fault(it.at, "the result has two columns %q: name one of them otherwise, with AS", agg.Name)
		}
		taken[agg.Name] = true
		aggs = append(aggs, agg)
	}
	return aggs, b.faults.err()
}
