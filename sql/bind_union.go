package sql

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// union binds the terms of a UNION ALL: the names are those of the first, types are converted where that is implicit.
func (b *binder) union(c *queryContext, q *query) *relation {
	parts, ok := b.unionParts(c, q)
	if !ok {
		return nil
	}
	mode, aggregated, ok := b.unionMode(q, parts)
	if !ok {
		return nil
	}
	fields, ok := b.unionFields(c, q, parts)
	if !ok {
		return nil
	}
	r := &relation{windowEnd: -1, mode: mode, aggregated: aggregated}
	schema := arrow.NewSchema(fields, nil)
	var inputs []int
	for _, p := range parts {
		id := b.asFields(p, fields)
		if slices.Contains(inputs, id) {
			id = b.node("", columnsOf(b.schema(p), fields), schema, p.node)
		}
		inputs = append(inputs, id)
	}
	for _, f := range fields {
		r.columns = append(r.columns, column{name: f.Name})
	}
	r.node = b.node("", &operators.UnionSpec{}, schema, inputs...)
	return r
}

// unionParts binds the terms.
func (b *binder) unionParts(c *queryContext, q *query) (parts []*relation, ok bool) {
	ok = true
	for i, t := range q.terms {
		inner := *c
		inner.inUnion, inner.unnamed, inner.last = true, i > 0 || c.unnamed, true
		var r *relation
		if s, isSelect := t.(*selectClause); isSelect {
			r = b.selectClause(&inner, s, &query{at: s.at, limit: -1})
		} else {
			r = b.query(&inner, t.(*query))
		}
		if r == nil {
			ok = false
			continue
		}
		r = b.visible(r)
		if len(parts) > 0 && len(r.columns) != len(parts[0].columns) {
			b.fault(t.place(), "%s: this SELECT has %d columns, the first one %d", q.word(), len(r.columns), len(parts[0].columns))
			ok = false
		}
		parts = append(parts, r)
	}
	return parts, ok
}

// unionMode returns the mode of the union: rows that change make the whole a result that changes, and complete results, which
// come again and again, mix with nothing else.
func (b *binder) unionMode(q *query, parts []*relation) (mode operators.Mode, aggregated, ok bool) {
	mode = parts[0].mode
	for i, p := range parts {
		aggregated = aggregated || p.aggregated
		if p.mode == mode {
			continue
		}
		if p.mode == operators.Complete || mode == operators.Complete {
			b.fault(q.terms[i].place(), "%s: a result of mode %s can't be joined to one of mode %s, because complete gives all its groups "+
				"again and again: use mode update", q.word(), p.mode, mode)
			return mode, aggregated, false
		}
		mode = operators.Update
	}
	return mode, aggregated, true
}

// unionFields returns the columns that all parts can become.
func (b *binder) unionFields(c *queryContext, q *query, parts []*relation) ([]arrow.Field, bool) {
	ok := true
	fields := slices.Clone(b.schema(parts[0]).Fields())
	for i := range fields {
		f := &fields[i]
		for k, p := range parts {
			other := b.schema(p).Field(i)
			common := expr.CommonType(f.Type, other.Type)
			if common == nil {
				b.fault(q.terms[k].place(), "%s: column %d is %s here and %s before: convert one with CAST", q.word(), i+1,
					typeName(other.Type), typeName(f.Type))
				ok = false
				continue
			}
			f.Type = common
			if timeKind(other) != timeKind(*f) {
				f.Metadata = arrow.Metadata{}
			}
		}
		if ok && f.Type.ID() == arrow.NULL && !c.inUnion {
			ok = b.isColumnType(q.at, f.Name, f.Type)
		}
	}
	return fields, ok
}

// asFields returns the node of r, or of a projection that converts its columns.
func (b *binder) asFields(r *relation, fields []arrow.Field) int {
	schema := b.schema(r)
	for i, f := range fields {
		if !arrow.TypeEqual(schema.Field(i).Type, f.Type) || schema.Field(i).Name != f.Name {
			return b.node("", columnsOf(schema, fields), arrow.NewSchema(fields, nil), r.node)
		}
	}
	return r.node
}

// columnsOf projects all columns of schema to fields, whose types they can become.
func columnsOf(schema *arrow.Schema, fields []arrow.Field) *operators.ProjectSpec {
	spec := &operators.ProjectSpec{}
	for i, f := range fields {
		e := expr.Column(schema, i)
		if converted, err := expr.Cast(e, f.Type); err == nil {
			e = converted
		}
		spec.Exprs, spec.Names = append(spec.Exprs, e), append(spec.Names, f.Name)
	}
	return spec
}
