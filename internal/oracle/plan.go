package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// Case is a random plan with random input. Its only sink is named "out".
type Case struct {
	Plan   *operators.Plan
	Inputs map[string][]Split
	// Mode is that of the sink. In modes other than append, the rows to compare are the last ones of each group.
	Mode operators.Mode
	// OneInterval says that rows depend on how the input is cut into intervals, since something is sorted and limited in each.
	OneInterval bool
	// Ordered says that the order of rows is determined too, if splits are read one after the other in one interval.
	Ordered bool
}

// planner adds nodes to a plan.
type planner struct {
	*random

	c     *Case
	names int
	// plain says that rows come in the order of the input.
	plain bool
	// isCoarse says that times are whole seconds, so that many are equal.
	isCoarse bool
}

// RandomPlan returns a plan of a scan or two, up to six nodes over these, and an output, with data for it.
func RandomPlan(rng *rand.Rand) *Case {
	p := &planner{
		random: newRandom(rng), plain: true,
		c: &Case{Plan: &operators.Plan{}, Inputs: map[string][]Split{}},
	}
	p.isCoarse = p.chance(35)
	node := p.scans()
	for range p.IntN(4) {
		node = p.rowwise(node)
	}
	switch p.IntN(14) {
	case 0, 1:
		node = p.dedup(node)
	case 2, 3:
		node = p.over(node)
	case 4, 5, 6, 7:
		node = p.joined(node)
	case 8, 9:
		node = p.match(node)
	}
	switch {
	case timeColumn(node.Schema) >= 0 && p.chance(8):
		node = p.late(node)
	case p.chance(60):
		node = p.aggregate(node)
		if p.c.Mode == operators.Append && p.chance(40) {
			node = p.filter(node)
		}
		switch {
		case p.c.Mode != operators.Append || !isMarked(node.Schema.Field(1)):
		case p.chance(40):
			node = p.sortWindows(node)
		case p.chance(30):
			node = p.rankWindows(node)
		}
	case p.chance(35):
		node = p.sort(node)
	}
	out := &operators.OutputSpec{Sink: "out", Mode: p.c.Mode}
	if spec, ok := node.Spec.(*operators.AggregateSpec); ok && p.c.Mode != operators.Append {
		for i := range node.Schema.NumFields() - len(spec.Aggs) {
			out.Keys = append(out.Keys, i)
		}
	}
	p.add(out, node.Schema, node)
	return p.c
}

func (p *planner) add(spec operators.Spec, schema *arrow.Schema, inputs ...*operators.Node) *operators.Node {
	n := &operators.Node{ID: len(p.c.Plan.Nodes), Spec: spec, Schema: schema}
	n.Name = fmt.Sprintf("node%d", n.ID)
	for _, in := range inputs {
		n.Inputs = append(n.Inputs, in.ID)
	}
	p.c.Plan.Nodes = append(p.c.Plan.Nodes, n)
	return n
}

// name returns a new column name.
func (p *planner) name() string {
	p.names++
	return fmt.Sprintf("c%d", p.names)
}

func field(name string, t arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: t, Nullable: true}
}

// scans adds one source, or the union of two.
func (p *planner) scans() *operators.Node {
	fields := p.fields()
	eventTime := -1
	if p.chance(85) {
		eventTime = 0
	}
	first := p.scan("s0", fields, eventTime, nil)
	if p.chance(80) {
		return first
	}
	p.plain = false
	return p.add(&operators.UnionSpec{}, first.Schema, first, p.scan("s1", fields, eventTime, first.Spec.(*operators.ScanSpec)))
}

// scan adds a source. Its computed columns are those of like, if that is not nil.
func (p *planner) scan(source string, fields []arrow.Field, eventTime int, like *operators.ScanSpec) *operators.Node {
	spec := &operators.ScanSpec{Source: source, Columns: fields, Declared: fields, EventTime: eventTime}
	for i := range fields {
		spec.Used = append(spec.Used, i)
	}
	spec.Delay = time.Duration(p.IntN(6)) * time.Second
	all := slices.Clone(fields)
	if eventTime >= 0 {
		all[eventTime].Metadata = arrow.NewMetadata([]string{operators.TimeKey}, []string{operators.TimeEvent})
	}
	if like != nil {
		spec.Computed, spec.ComputedNames = like.Computed, like.ComputedNames
	} else if p.chance(20) {
		spec.Computed = []*expr.Spec{p.expression(arrow.NewSchema(fields, nil), pick(p.random, scalarTypes), 2)}
		spec.ComputedNames = []string{p.name()}
	}
	for i, e := range spec.Computed {
		all = append(all, field(spec.ComputedNames[i], e.Type))
	}
	p.c.Inputs[source] = p.splits(fields)
	return p.add(spec, arrow.NewSchema(all, nil))
}

// splits makes rows whose first column is a time that goes forward with some disorder.
func (p *planner) splits(fields []arrow.Field) []Split {
	var splits []Split
	base := start
	if p.chance(10) {
		base = -30_000_000 // around the epoch
	}
	for i := range 1 + p.IntN(3)*p.IntN(3)/2 {
		s := Split{Name: fmt.Sprintf("split%d", i)}
		now := base
		for range p.IntN(40) {
			now += batch.Time(p.Int64N(3_000_000))
			at := any(now - batch.Time(p.Int64N(12_000_000)*p.Int64N(2)))
			if p.isCoarse || p.chance(30) {
				at = at.(batch.Time) / 1_000_000 * 1_000_000 // on window borders
			}
			if p.chance(2) {
				at = nil
			}
			row := []any{at}
			for _, f := range fields[1:] {
				row = append(row, p.value(f.Type))
			}
			s.Rows = append(s.Rows, row)
		}
		splits = append(splits, s)
	}
	return splits
}

// rowwise adds a filter, a projection, an explode or the union of two filters.
func (p *planner) rowwise(in *operators.Node) *operators.Node {
	switch p.IntN(8) {
	case 0, 1:
		return p.filter(in)
	case 3:
		return p.explode(in)
	case 4:
		p.plain = false
		return p.add(&operators.UnionSpec{}, in.Schema, p.filter(in), p.filter(in))
	}
	spec := &operators.ProjectSpec{}
	var fields []arrow.Field
	for i, f := range in.Schema.Fields() {
		if isMarked(f) || p.chance(60) {
			spec.Exprs = append(spec.Exprs, expr.Column(in.Schema, i))
			fields = append(fields, f)
		}
	}
	for range 1 + p.IntN(3) {
		e := p.expression(in.Schema, pick(p.random, scalarTypes), 3)
		spec.Exprs = append(spec.Exprs, e)
		fields = append(fields, field(p.name(), e.Type))
	}
	for _, f := range fields {
		spec.Names = append(spec.Names, f.Name)
	}
	return p.add(spec, arrow.NewSchema(fields, nil), in)
}

func (p *planner) filter(in *operators.Node) *operators.Node {
	schema := in.Schema
	if spec, ok := in.Spec.(*operators.AggregateSpec); ok {
		schema = withoutDoubles(in.Schema, len(spec.Aggs))
	}
	return p.add(&operators.FilterSpec{Predicate: p.expression(schema, batch.Boolean, 3)}, in.Schema, in)
}

// withoutDoubles hides sums and means, whose last digits may differ, from expressions. Columns keep their places.
func withoutDoubles(schema *arrow.Schema, aggs int) *arrow.Schema {
	fields := schema.Fields()
	for i := len(fields) - aggs; i < len(fields); i++ {
		if fields[i].Type.ID() == arrow.FLOAT64 {
			fields[i].Type = arrow.Null
		}
	}
	return arrow.NewSchema(fields, nil)
}

func (p *planner) explode(in *operators.Node) *operators.Node {
	spec := &operators.ExplodeSpec{List: p.expression(in.Schema, batch.TextList, 2), Name: p.name()}
	var fields []arrow.Field
	for i, f := range in.Schema.Fields() {
		if isMarked(f) || p.chance(70) {
			spec.Keep = append(spec.Keep, i)
			fields = append(fields, f)
		}
	}
	return p.add(spec, arrow.NewSchema(append(fields, field(spec.Name, batch.Text)), nil), in)
}

// timeColumn returns the column with a watermark, -1 if there is none.
func timeColumn(schema *arrow.Schema) int {
	return slices.IndexFunc(schema.Fields(), isMarked)
}

// isMarked says whether a column has a watermark.
func isMarked(f arrow.Field) bool {
	_, ok := f.Metadata.GetValue(operators.TimeKey)
	return ok
}
