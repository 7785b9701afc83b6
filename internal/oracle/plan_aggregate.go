package oracle

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// aggregate adds an aggregate, with windows where there is a time for them.
func (p *planner) aggregate(in *operators.Node) *operators.Node {
	spec := &operators.AggregateSpec{Mode: operators.Update}
	var fields []arrow.Field
	if p.plain && p.chance(20) {
		spec.Window = &operators.WindowSpec{Kind: operators.CountWindow, Rows: 1 + p.Int64N(8), RowSlide: 1 + p.Int64N(8)}
		spec.Mode = operators.Append
		fields = append(fields, field("window.start", batch.BigInt), field("window.end", batch.BigInt))
		p.c.OneInterval = !p.hasOneOrder()
		p.plain = false
		return p.grouped(spec, fields, in)
	}
	p.plain = false
	if column := timeColumn(in.Schema); column >= 0 && p.chance(75) {
		spec.Window = p.window(expr.Column(in.Schema, column))
		spec.Mode = operators.Append
		fields = append(fields, field("window.start", batch.Timestamp), field("window.end", batch.Timestamp))
		fields[1].Metadata = arrow.NewMetadata([]string{operators.TimeKey}, []string{operators.TimeEvent})
	}
	if p.chance(30) {
		spec.Mode = []operators.Mode{operators.Update, operators.Complete}[p.IntN(2)]
	}
	if spec.Window != nil && p.chance(25) {
		spec.Window = p.session(spec.Window, in.Schema)
		spec.Mode = operators.Append
	}
	if spec.Window != nil && spec.Mode == operators.Update && p.chance(50) {
		spec.Early = []time.Duration{operators.NeverEarly, time.Second, 3 * time.Second}[p.IntN(3)]
	}
	return p.grouped(spec, fields, in)
}

// grouped adds keys and aggregates to spec, and its node. fields are the columns of the window.
func (p *planner) grouped(spec *operators.AggregateSpec, fields []arrow.Field, in *operators.Node) *operators.Node {
	p.c.Mode = spec.Mode
	for range p.IntN(3) {
		key := p.expression(in.Schema, scalarTypes[p.IntN(len(scalarTypes))], p.IntN(2))
		spec.Keys = append(spec.Keys, key)
		spec.KeyNames = append(spec.KeyNames, p.name())
		fields = append(fields, field(spec.KeyNames[len(spec.KeyNames)-1], key.Type))
	}
	for range 1 + p.IntN(4) {
		a := p.aggSpec(in.Schema)
		spec.Aggs = append(spec.Aggs, a)
		fields = append(fields, field(a.Name, a.Type))
	}
	return p.add(spec, arrow.NewSchema(fields, nil), in)
}

func (p *planner) window(at *expr.Spec) *operators.WindowSpec {
	w := &operators.WindowSpec{Time: at, Size: time.Duration(1+p.IntN(20)) * time.Second}
	w.Slide = w.Size
	switch p.IntN(6) {
	case 5:
		w.Kind, w.Size = operators.CumulatingWindow, w.Slide*time.Duration(1+p.IntN(6))
	case 0:
		w.Slide = time.Duration(1+p.IntN(int(w.Size/time.Second))) * time.Second
	case 1: // no whole number of slides in a window
		w.Size, w.Slide = 7*time.Second, 3*time.Second
	case 2: // gaps between windows
		w.Slide = w.Size + 2*time.Second
	}
	if p.chance(30) {
		w.Offset = time.Duration(p.IntN(int(w.Slide/time.Millisecond))) * time.Millisecond
	}
	if p.chance(20) {
		w.Lateness = time.Duration(1+p.IntN(5)) * time.Second
	}
	return w
}

// late keeps the rows that an aggregate would count as late.
func (p *planner) late(in *operators.Node) *operators.Node {
	spec := &operators.LateSpec{Window: p.window(expr.Column(in.Schema, timeColumn(in.Schema)))}
	if p.chance(25) {
		spec.Window = p.session(spec.Window, in.Schema)
	}
	for range p.IntN(3) {
		spec.Exprs = append(spec.Exprs, p.expression(in.Schema, scalarTypes[p.IntN(len(scalarTypes))], p.IntN(2)))
	}
	return p.add(spec, in.Schema, in)
}

// session returns sessions over the time of a window. In other modes than append these come and go, so that the last rows of each
// group are not what there is in the end.
func (p *planner) session(over *operators.WindowSpec, schema *arrow.Schema) *operators.WindowSpec {
	w := &operators.WindowSpec{
		Kind: operators.SessionWindow, Time: over.Time, Size: time.Duration(1+p.IntN(4000)) * time.Millisecond, Lateness: over.Lateness,
	}
	if p.chance(30) {
		w.Size, w.Gap = 0, p.expression(schema, batch.BigInt, p.IntN(3))
	}
	return w
}

func (p *planner) aggSpec(schema *arrow.Schema) operators.AggSpec {
	depth := p.IntN(2)
	a := operators.AggSpec{Name: p.name(), Func: []string{
		"count", "count", "sum", "avg", "min", "max", "max_by", "min_by", "var_samp", "bit_xor",
		"mode", "percentile",
	}[p.IntN(12)]}
	switch a.Func {
	case "count":
		a.Type = batch.BigInt
		if p.chance(50) {
			a.Arg, a.Distinct = p.expression(schema, scalarTypes[p.IntN(len(scalarTypes))], depth), p.chance(40)
		}
	case "var_samp":
		a.Arg, a.Type = p.expression(schema, batch.Double, depth), batch.Double
	case "bit_xor":
		a.Arg, a.Type = p.expression(schema, batch.BigInt, depth), batch.BigInt
	case "percentile":
		a.Arg, a.Type = p.expression(schema, []arrow.DataType{batch.BigInt, batch.Double}[p.IntN(2)], depth), batch.Double
		a.Places = []float64{float64(p.IntN(5)) / 4}
	case "sum", "avg":
		a.Arg = p.expression(schema, []arrow.DataType{batch.BigInt, batch.Double}[p.IntN(2)], depth)
		a.Type = batch.Double
		if a.Func == "sum" {
			a.Type = a.Arg.Type
		}
	default:
		a.Arg = p.expression(schema, scalarTypes[p.IntN(len(scalarTypes))], depth)
		a.Type = a.Arg.Type
		if a.Func == "max_by" || a.Func == "min_by" {
			a.By = p.expression(schema, pick(p.random, []arrow.DataType{batch.Boolean, batch.BigInt, batch.Double, batch.Timestamp}), depth)
		}
	}
	return a
}

// sortWindows orders the rows of each window of an aggregate by everything that is no mean or sum of DOUBLEs, keys included, so
// that rows are equal only where it does not matter.
func (p *planner) sortWindows(in *operators.Node) *operators.Node {
	spec := &operators.SortSpec{Limit: -1, WindowEnd: 1}
	agg := in
	for agg.Inputs != nil {
		if _, ok := agg.Spec.(*operators.AggregateSpec); ok {
			break
		}
		agg = p.c.Plan.Nodes[agg.Inputs[0]]
	}
	schema := withoutDoubles(in.Schema, len(agg.Spec.(*operators.AggregateSpec).Aggs))
	for _, i := range p.Perm(schema.NumFields()) {
		if schema.Field(i).Type.ID() != arrow.NULL {
			spec.By = append(spec.By, p.sortKey(expr.Column(schema, i)))
		}
	}
	if p.chance(60) {
		spec.Limit = p.Int64N(4)
	}
	p.c.Ordered = true
	return p.add(spec, in.Schema, in)
}

// sort orders the rows of an interval. Where these are not in the order of the input, there is no limit.
func (p *planner) sort(in *operators.Node) *operators.Node {
	spec := &operators.SortSpec{Limit: -1, WindowEnd: -1}
	for range 1 + p.IntN(3) {
		spec.By = append(spec.By, p.sortKey(p.expression(in.Schema, scalarTypes[p.IntN(len(scalarTypes))], p.IntN(2))))
	}
	if p.plain {
		p.c.Ordered = true
		if p.chance(60) {
			spec.Limit = p.Int64N(20)
			p.c.OneInterval = true
		}
	}
	return p.add(spec, in.Schema, in)
}

func (p *planner) sortKey(by *expr.Spec) operators.SortKey {
	k := operators.SortKey{Expr: by, Descending: p.chance(50)}
	k.NullsFirst = !k.Descending
	if p.chance(20) {
		k.NullsFirst = !k.NullsFirst
	}
	return k
}
