package sql

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// relation adds the node. Its columns are, as in Spark, those of USING, then the others of the left and of the right side. What
// USING left out is there under its qualifier.
func (jb *joinBinder) relation(name string) *relation {
	r := &relation{windowEnd: -1}
	isLeftOnly := jb.spec.Kind == operators.SemiJoin || jb.spec.Kind == operators.AntiJoin
	add := func(i int, c column) {
		jb.spec.Output = append(jb.spec.Output, i)
		r.columns = append(r.columns, c)
	}
	gone := func(i int) bool {
		return slices.ContainsFunc(jb.merged, func(m [2]int) bool { return m[0] == i || m[1] == i })
	}
	isFull := jb.spec.Kind == operators.FullJoin
	for _, m := range jb.merged {
		switch {
		case isFull:
		case jb.spec.Kind == operators.RightJoin:
			add(m[1], jb.both.columns[m[1]])
		default:
			add(m[0], jb.both.columns[m[0]])
		}
	}
	for i, c := range jb.both.columns {
		if isLeftOnly && i >= jb.numLeft {
			break
		}
		switch {
		case !gone(i):
			add(i, c)
		case !slices.Contains(jb.spec.Output, i):
			c.hidden, c.merged = true, true
			add(i, c)
		}
	}
	if jb.table != nil {
		return jb.overTable(r)
	}
	spec := jb.spec
	spec.Inputs = [2]*arrow.Schema{jb.b.schema(jb.left), jb.b.schema(jb.right)}
	r.node = jb.b.node(name, &spec, spec.Schema(), jb.left.node, jb.right.node)
	if isFull && len(jb.merged) > 0 {
		return jb.coalesced(r)
	}
	return r
}

// coalesced puts the columns of USING before those of a full join: of either side, as one of them may be NULL.
func (jb *joinBinder) coalesced(in *relation) *relation {
	inSchema := jb.b.schema(in)
	r := &relation{windowEnd: -1}
	spec := &operators.ProjectSpec{}
	var fields []arrow.Field
	e := jb.b.over("USING", nil)
	for i, m := range jb.merged {
		l, right := slices.Index(jb.spec.Output, m[0]), slices.Index(jb.spec.Output, m[1])
		one := e.make(jb.j.using[i].at, "coalesce", expr.Column(inSchema, l), expr.Column(inSchema, right))
		if one == nil {
			return nil
		}
		c := column{name: jb.both.columns[m[0]].name}
		spec.Exprs, spec.Names = append(spec.Exprs, one), append(spec.Names, c.name)
		fields = append(fields, arrow.Field{Name: c.name, Type: one.Type, Nullable: true})
		r.columns = append(r.columns, c)
	}
	for i, c := range in.columns {
		f := inSchema.Field(i)
		spec.Exprs, spec.Names = append(spec.Exprs, expr.Column(inSchema, i)), append(spec.Names, f.Name)
		fields = append(fields, f)
		r.columns = append(r.columns, c)
	}
	r.node = jb.b.node("", spec, arrow.NewSchema(fields, nil), in.node)
	return r
}
