package sql

import (
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// distinct binds SELECT DISTINCT: the rows of the SELECT without it, made distinct, then ordered.
func (b *binder) distinct(c *queryContext, s *selectClause, q *query) *relation {
	all, inner := *s, *c
	all.distinct, inner.last = nil, true // a column that is not seen must not make rows different
	r := b.selectClause(&inner, &all, &query{at: q.at, limit: -1})
	if r == nil {
		return nil
	}
	spec := &operators.DedupSpec{Within: -1}
	for i := range r.columns {
		spec.Keys = append(spec.Keys, expr.Column(b.schema(r), i))
		spec.KeyNames = append(spec.KeyNames, uniqueName(spec.KeyNames, b.schema(r).Field(i).Name))
	}
	if r = b.dedup(c, s.distinct.at, spec, r, false); r == nil {
		return nil
	}
	return b.ordered(r, q)
}

// distinctOn binds DISTINCT ON over the rows that the SELECT reads.
func (b *binder) distinctOn(c *queryContext, s *selectClause, isAggregate bool, in *relation) *relation {
	d := s.distinct
	if isAggregate {
		b.fault(d.at, "DISTINCT ON can't stand beside GROUP BY or an aggregate: put that in a query in brackets")
		return nil
	}
	keys, ok := b.overRelation(in, "DISTINCT ON").bindAll(d.on)
	if !ok {
		return nil
	}
	spec := &operators.DedupSpec{Keys: keys, Within: -1}
	for i, k := range keys {
		name := textOf(d.on[i])
		if k.Kind == expr.ColumnKind {
			name = k.Name
		}
		spec.KeyNames = append(spec.KeyNames, uniqueName(spec.KeyNames, name))
	}
	switch {
	case d.watermark:
		spec.Within = b.delayOf(in.node)
	case d.hasWithin:
		spec.Within = d.within
		if d.within < 0 || d.within%time.Microsecond != 0 {
			b.fault(d.at, "DISTINCT ON: WITHIN takes a time that is not negative, got %s", formatInterval(d.within))
			return nil
		}
	}
	return b.dedup(c, d.at, spec, in, d.watermark)
}

// dedup adds the node. isOfWatermark says that keys are kept for as long as the watermark is behind.
func (b *binder) dedup(c *queryContext, at Pos, spec *operators.DedupSpec, in *relation, isOfWatermark bool) *relation {
	if in.aggregated && in.mode != operators.Append {
		b.fault(at, "an updating result can't be made distinct, because it gives rows that replace others: "+
			"GROUP BY window(…) over arrival_time or a column with a WATERMARK")
		return nil
	}
	schema := b.schema(in)
	for i, k := range spec.Keys {
		if !batch.IsComparable(k.Type) {
			b.fault(at, "DISTINCT can't compare values of type %s: column %q", typeName(k.Type), spec.KeyNames[i])
			return nil
		}
	}
	if spec.Within >= 0 {
		spec.Time = timeColumn(schema, operators.TimeEvent)
		if spec.Time == nil && !isOfWatermark {
			spec.Time = timeColumn(schema, operators.TimeArrival)
		}
		if spec.Time == nil {
			b.fault(at, "DISTINCT ON … WITHIN needs a time that has a watermark: add WATERMARK FOR to the source, and keep the column in its views")
			return nil
		}
	} else {
		for _, kind := range []string{operators.TimeEvent, operators.TimeArrival} {
			for _, k := range spec.Keys {
				if spec.Time == nil && k.Kind == expr.ColumnKind && timeKind(schema.Field(k.Column)) == kind {
					spec.Time = k
				}
			}
		}
	}
	spec.Arrival = spec.Time != nil && timeKind(schema.Field(spec.Time.Column)) == operators.TimeArrival
	r := *in
	r.node = b.node(b.stateNameOf(c.owner, "distinct"), spec, schema, in.node)
	return &r
}

// uniqueName returns want, with a number if it is taken: state finds its columns by name.
func uniqueName(taken []string, want string) string {
	n := want
	for i := 2; slices.Contains(taken, n); i++ {
		n = want + "_" + itoa(i)
	}
	return n
}

// timeColumn returns the first column that has a watermark of a kind, nil if there is none.
func timeColumn(schema *arrow.Schema, kind string) *expr.Spec {
	for i, f := range schema.Fields() {
		if timeKind(f) == kind {
			return expr.Column(schema, i)
		}
	}
	return nil
}

// delayOf returns how far the watermark of the sources below a node is behind, the longest of several.
func (b *binder) delayOf(node int) time.Duration {
	n := b.nodes[node]
	var delay time.Duration
	if s, ok := n.Spec.(*operators.ScanSpec); ok && s.EventTime >= 0 {
		delay = s.Delay
	}
	for _, in := range n.Inputs {
		delay = max(delay, b.delayOf(in))
	}
	return delay
}

// stateNameOf returns the name of the next stateful node of a kind and an owner: hot.distinct, then hot.distinct2.
func (b *binder) stateNameOf(owner, kind string) string {
	name := owner + "." + kind
	b.stateOf[name]++
	if n := b.stateOf[name]; n > 1 {
		name += itoa(n)
	}
	return name
}
