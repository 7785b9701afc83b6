package sql

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators"
)

// step binds a table that Go code makes, in a mode that its inputs are asked for.
func (b *binder) step(t *table, owner string, ask request) *relation {
	if slices.Contains(b.making, t) {
		b.fault(t.name.at, "step %q reads itself", t.name.text)
		return nil
	}
	b.making = append(b.making, t)
	defer func() { b.making = b.making[:len(b.making)-1] }()
	r := &relation{windowEnd: -1}
	var (
		inputs  []int
		schemas []*arrow.Schema
	)
	for _, name := range t.step.Inputs {
		from := b.lookup(t.scope, ident{at: t.name.at, text: name})
		if from == nil {
			return nil
		}
		in := b.tableAs(from, ask)
		if in == nil {
			return nil
		}
		in = b.visible(in)
		inputs, schemas = append(inputs, in.node), append(schemas, b.schema(in))
		r.aggregated, r.mode = r.aggregated || in.aggregated, max(r.mode, in.mode)
	}
	spec, schema, err := t.step.Make(schemas)
	if err != nil {
		b.fault(t.name.at, "step %q: %v", t.name.text, err)
		return nil
	}
	if _, isFunc := spec.(*operators.FuncSpec); !isFunc {
		r.aggregated, r.mode = false, operators.Append
	}
	for _, f := range schema.Fields() {
		r.columns = append(r.columns, column{name: f.Name})
	}
	if operators.StateTables(&operators.Node{Name: owner, Spec: spec, Schema: schema}) == nil {
		owner = ""
	}
	r.node = b.node(owner, spec, schema, inputs...)
	return r
}
