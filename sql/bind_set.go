package sql

import (
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// setOperation binds UNION, INTERSECT and EXCEPT.
func (b *binder) setOperation(c *queryContext, s *setOperation) *relation {
	pair := &query{at: s.at, terms: []term{s.left, s.right}, limit: -1, op: s.op}
	inner := *c
	inner.ask = c.ask.withMode(modeAsDefault)
	if s.op == "UNION" {
		r := b.union(&inner, pair)
		if r == nil {
			return nil
		}
		return b.differentRows(c, s.at, r)
	}
	parts, ok := b.unionParts(&inner, pair)
	if !ok {
		return nil
	}
	fields, ok := b.unionFields(&inner, pair, parts)
	if !ok {
		return nil
	}
	at := -1
	for _, kind := range []string{operators.TimeEvent, operators.TimeArrival} {
		for i, f := range fields {
			if at < 0 && timeKind(f) == kind {
				at = i
			}
		}
	}
	for i, p := range parts {
		if p.mode != operators.Append {
			b.fault(pair.terms[i].place(), "%s can't compare an updating result, because it gives rows that replace others: "+
				"GROUP BY window(…) over arrival_time or a column with a WATERMARK", s.op)
			return nil
		}
	}
	if at < 0 {
		b.fault(s.at, "%s needs a time on both sides, in the same column, that says when all rows that could be equal have come: "+
			"window.end of a GROUP BY, or a column with a WATERMARK", s.op)
		return nil
	}
	return b.compareSides(c, s, parts, fields, at)
}

// differentRows makes rows different in all columns.
func (b *binder) differentRows(c *queryContext, at Pos, r *relation) *relation {
	spec := &operators.DedupSpec{Within: -1}
	for i := range r.columns {
		spec.Keys = append(spec.Keys, expr.Column(b.schema(r), i))
		spec.KeyNames = append(spec.KeyNames, uniqueName(spec.KeyNames, b.schema(r).Field(i).Name))
	}
	return b.dedup(c, at, spec, r, false)
}

// compareSides groups the rows of both sides, which are marked, by all their columns, and keeps the groups that have rows of both, or of
// the left one only. The time, column at, is a window of a microsecond, so that groups come out as soon as all rows of that time are there.
func (b *binder) compareSides(c *queryContext, s *setOperation, parts []*relation, fields []arrow.Field, at int) *relation {
	side := arrow.Field{Name: "side", Type: batch.BigInt}
	marked := arrow.NewSchema(append(slices.Clip(fields), side), nil)
	var inputs []int
	for i, p := range parts {
		spec := columnsOf(b.schema(p), fields)
		spec.Exprs, spec.Names = append(spec.Exprs, expr.Literal(int64(i))), append(spec.Names, side.Name)
		inputs = append(inputs, b.node("", spec, marked, p.node))
	}
	both := b.node("", &operators.UnionSpec{}, marked, inputs...)
	agg := &operators.AggregateSpec{Window: &operators.WindowSpec{
		Time: expr.Column(marked, at), Size: time.Microsecond, Slide: time.Microsecond, Arrival: timeKind(fields[at]) == operators.TimeArrival,
	}}
	out := []arrow.Field{
		{Name: "window.start", Type: batch.Timestamp, Nullable: true},
		{Name: "window.end", Type: batch.Timestamp, Nullable: true, Metadata: timeMark(timeKind(fields[at]))},
	}
	places := make([]int, len(fields)) // of the columns, in the result of the aggregate
	for i, f := range fields {
		if i == at {
			continue
		}
		switch f.Type.ID() {
		case arrow.BOOL, arrow.INT64, arrow.FLOAT64, arrow.STRING, arrow.TIMESTAMP:
		default:
			b.fault(s.at, "%s can't compare values of type %s: column %q", s.op, typeName(f.Type), f.Name)
			return nil
		}
		places[i] = len(out)
		f.Name = uniqueName(agg.KeyNames, f.Name)
		f.Metadata = arrow.Metadata{}
		agg.Keys, agg.KeyNames = append(agg.Keys, expr.Column(marked, i)), append(agg.KeyNames, f.Name)
		out = append(out, f)
	}
	for _, fn := range []string{"min", "max"} {
		a := operators.AggSpec{Func: fn, Arg: expr.Column(marked, len(fields)), Name: fn + "(side)", Type: batch.BigInt}
		agg.Aggs = append(agg.Aggs, a)
		out = append(out, arrow.Field{Name: a.Name, Type: a.Type, Nullable: true})
	}
	grouped := arrow.NewSchema(out, nil)
	node := b.node(b.stateNameOf(c.owner, asciiLower(s.op)), agg, grouped, both)
	e := b.over("", nil)
	smallest, largest := expr.Column(grouped, len(out)-2), expr.Column(grouped, len(out)-1)
	predicate := e.make(s.at, "=", largest, expr.Literal(int64(0)))
	if s.op == "INTERSECT" {
		predicate = e.make(s.at, "<", smallest, largest)
	}
	node = b.node("", &operators.FilterSpec{Predicate: predicate}, grouped, node)
	project := &operators.ProjectSpec{}
	r := &relation{windowEnd: -1, mode: operators.Append, aggregated: parts[0].aggregated || parts[1].aggregated}
	for i, f := range fields {
		project.Exprs, project.Names = append(project.Exprs, expr.Column(grouped, places[i])), append(project.Names, f.Name)
		r.columns = append(r.columns, column{name: f.Name})
	}
	r.node = b.node("", project, arrow.NewSchema(fields, nil), node)
	return r
}
