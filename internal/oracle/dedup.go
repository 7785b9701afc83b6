package oracle

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// dedup passes the first row of each key on, and the first that comes more than Within after that.
func dedup(spec *operators.DedupSpec, in []row, counts *Counts) ([]row, error) {
	first := map[string]batch.Time{}
	var out []row
	for _, r := range in {
		keys, err := evalAll(spec.Keys, r.values)
		at := any(nil)
		if err == nil && spec.Time != nil {
			at, err = eval(spec.Time, r.values)
		}
		if errors.Is(err, errBad) || err == nil && spec.Time != nil && spec.Within >= 0 && at == nil {
			counts.Bad++
			continue
		}
		if err != nil {
			return nil, err
		}
		now, hasTime := at.(batch.Time)
		if hasTime && !spec.Arrival && now < r.watermark {
			counts.Late++
			continue
		}
		since, isKnown := first[keyText(keys)]
		if isKnown && (spec.Within < 0 || spec.Time == nil || now <= since.Sub(-spec.Within)) {
			counts.Filtered++
			continue
		}
		first[keyText(keys)] = now
		out = append(out, r)
	}
	return out, nil
}

// dedup drops equal rows. All columns are keys, so that it does not matter which of several splits comes first, and none of them
// is a DOUBLE, whose equal values may differ.
func (p *planner) dedup(in *operators.Node) *operators.Node {
	project, fields := &operators.ProjectSpec{}, []arrow.Field(nil)
	for i, f := range in.Schema.Fields() {
		if f.Type.ID() == arrow.FLOAT64 || f.Type.ID() == arrow.LIST {
			continue
		}
		project.Exprs, project.Names = append(project.Exprs, expr.Column(in.Schema, i)), append(project.Names, f.Name)
		fields = append(fields, f)
	}
	if len(fields) == 0 {
		return in
	}
	p.plain = false
	node := p.add(project, arrow.NewSchema(fields, nil), in)
	spec := &operators.DedupSpec{Within: -1}
	for i, f := range fields {
		spec.Keys, spec.KeyNames = append(spec.Keys, expr.Column(node.Schema, i)), append(spec.KeyNames, f.Name)
	}
	if i := timeColumn(node.Schema); i >= 0 {
		spec.Time = spec.Keys[i]
	}
	return p.add(spec, node.Schema, node)
}
