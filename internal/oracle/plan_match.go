package oracle

import (
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// hasOneOrder says that rows come in the order of the only split that there is.
func (p *planner) hasOneOrder() bool {
	splits := 0
	for _, of := range p.c.Inputs {
		splits += len(of)
	}
	return p.plain && splits == 1
}

// match adds a search for a pattern of two or three variables. Its time comes last in the result.
func (p *planner) match(in *operators.Node) *operators.Node {
	at := timeColumn(in.Schema)
	if at < 0 || !p.hasOneOrder() {
		return in
	}
	p.plain = false
	spec := &operators.MatchSpec{Time: expr.Column(in.Schema, at), Vars: []string{"A", "B", "C"}[:2+p.IntN(2)]}
	var fields []arrow.Field
	for range p.IntN(2) {
		key := p.expression(in.Schema, pick(p.random, []arrow.DataType{batch.Boolean, batch.BigInt, batch.Text}), p.IntN(2))
		spec.PartitionBy, spec.PartitionNames = append(spec.PartitionBy, key), append(spec.PartitionNames, p.name())
		fields = append(fields, field(spec.PartitionNames[0], key.Type))
	}
	p.references(spec, in.Schema)
	p.pattern(spec)
	schema := spec.NavSchema()
	for v := range spec.Vars {
		var condition *expr.Spec
		if p.chance(75) {
			condition = p.expression(p.visible(spec, schema, v), batch.Boolean, 2)
		}
		spec.Define = append(spec.Define, condition)
	}
	for range 1 + p.IntN(3) {
		e := p.expression(schema, pick(p.random, scalarTypes), p.IntN(2))
		spec.Measures, spec.MeasureNames = append(spec.Measures, e), append(spec.MeasureNames, p.name())
		fields = append(fields, field(spec.MeasureNames[len(spec.MeasureNames)-1], e.Type))
	}
	end := field(p.name(), batch.Timestamp)
	end.Metadata = arrow.NewMetadata([]string{operators.TimeKey}, []string{operators.TimeEvent})
	spec.Measures, spec.MeasureNames = append(spec.Measures, expr.Column(schema, 0)), append(spec.MeasureNames, end.Name)
	if p.chance(70) {
		spec.Within = time.Duration(1+p.IntN(20)) * time.Second
	}
	spec.After = operators.MatchSkip(p.IntN(4))
	spec.AfterVar = p.IntN(len(spec.Vars))
	return p.add(spec, arrow.NewSchema(append(fields, end), nil), in)
}

// references adds the values of a row that a search looks at, and references to them, the first of which is the time of the last row.
// No aggregate is of DOUBLEs, whose last digits may differ.
func (p *planner) references(spec *operators.MatchSpec, schema *arrow.Schema) {
	spec.Values = []*expr.Spec{spec.Time}
	spec.Navs = []operators.NavSpec{{Func: "last", Var: -1, Type: batch.Timestamp}}
	for i, f := range schema.Fields() {
		if f.Type.ID() == arrow.LIST {
			continue
		}
		value := len(spec.Values)
		spec.Values = append(spec.Values, expr.Column(schema, i))
		spec.Navs = append(spec.Navs, operators.NavSpec{Func: "last", Var: -1, Value: value, Type: f.Type})
		for range p.IntN(3) {
			nav := operators.NavSpec{
				Func: pick(p.random, []string{"first", "last"}), Var: p.IntN(len(spec.Vars)+1) - 1, Value: value, Offset: p.IntN(4) / 2, Type: f.Type,
			}
			if p.chance(35) && f.Type.ID() == arrow.INT64 {
				nav.Func, nav.Offset = pick(p.random, []string{"count", "sum", "min", "max"}), 0
			}
			spec.Navs = append(spec.Navs, nav)
		}
	}
}

// visible returns the references that the condition of a variable is made of: all, or those to the row alone. The others are hidden.
func (p *planner) visible(spec *operators.MatchSpec, schema *arrow.Schema, v int) *arrow.Schema {
	if p.chance(40) {
		return schema
	}
	fields := schema.Fields()
	for i, nav := range spec.Navs {
		if nav.Func != "last" || nav.Offset > 0 || nav.Var >= 0 && nav.Var != v {
			fields[i].Type = arrow.Null
		}
	}
	return arrow.NewSchema(fields, nil)
}

// pattern adds a pattern whose first part is mandatory. What is repeated without bound is a variable, so that there are not too many
// ways to try.
func (p *planner) pattern(spec *operators.MatchSpec) {
	one := func(v int) *operators.Pattern {
		part := operators.Pattern{Var: v}.Once()
		switch p.IntN(6) {
		case 0:
			part.Min, part.Max = 0, -1
		case 1:
			part.Max = -1
		case 2:
			part.Min = 0
		case 3:
			part.Min = p.IntN(2)
			part.Max = part.Min + 1 + p.IntN(2)
		}
		part.IsLazy = p.chance(35)
		return part
	}
	all := &operators.Pattern{Min: 1, Max: 1}
	for v := range spec.Vars {
		all.Parts = append(all.Parts, one(v))
	}
	all.Parts[0].Min = max(1, all.Parts[0].Min)
	if p.chance(40) { // alternatives of two variables
		choice := &operators.Pattern{IsAny: true, Min: p.IntN(2), Max: 1 + p.IntN(2), IsLazy: p.chance(35)}
		for _, v := range p.Perm(len(spec.Vars))[:2] {
			choice.Parts = append(choice.Parts, one(v))
		}
		all.Parts = slices.Insert(all.Parts, 1+p.IntN(len(all.Parts)), choice)
	}
	spec.Pattern = all
}
