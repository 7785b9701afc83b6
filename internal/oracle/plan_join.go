package oracle

import (
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// joined adds a join of one of the kinds that there are.
func (p *planner) joined(left *operators.Node) *operators.Node {
	switch p.IntN(4) {
	case 0:
		return p.joinTable(left)
	case 1:
		return p.asOf(left)
	}
	return p.join(left)
}

// fields returns the columns of a new source, the first of which is a time.
func (p *planner) fields() []arrow.Field {
	fields := []arrow.Field{field("at", batch.Timestamp)}
	for range 1 + p.IntN(5) {
		fields = append(fields, field(p.name(), pick(p.random, scalarTypes)))
	}
	return fields
}

// join adds a join with another source, or with rows of the same.
func (p *planner) join(left *operators.Node) *operators.Node {
	var right *operators.Node
	if p.chance(30) {
		right = p.filter(left)
	} else {
		eventTime := -1
		if p.chance(85) {
			eventTime = 0
		}
		right = p.scan("joined", p.fields(), eventTime, nil)
		if p.chance(50) {
			right = p.rowwise(right)
		}
	}
	p.plain = false
	spec := &operators.JoinSpec{Inputs: [2]*arrow.Schema{left.Schema, right.Schema}}
	p.joinKeys(spec)
	if l, r := timeColumn(left.Schema), timeColumn(right.Schema); l >= 0 && r >= 0 && p.chance(80) {
		spec.Time = p.joinTime(l, r)
	}
	kinds := []operators.JoinKind{operators.InnerJoin}
	if spec.RetiresLeft() {
		kinds = append(kinds, operators.LeftJoin, operators.SemiJoin, operators.AntiJoin)
	}
	if spec.RetiresRight() {
		kinds = append(kinds, operators.RightJoin)
	}
	if spec.RetiresLeft() && spec.RetiresRight() {
		kinds = append(kinds, operators.FullJoin)
	}
	spec.Kind = pick(p.random, kinds)
	spec.Residual = p.residual(spec.Kind, left.Schema, right.Schema)
	spec.Output = p.output(spec.Kind, left.Schema, right.Schema)
	return p.add(spec, spec.Schema(), left, right)
}

// joinKeys adds one or two keys to a join.
func (p *planner) joinKeys(spec *operators.JoinSpec) {
	for range 1 + p.IntN(5)/4 {
		t := pick(p.random, scalarTypes)
		spec.LeftKeys = append(spec.LeftKeys, p.expression(spec.Inputs[0], t, p.IntN(2)))
		spec.RightKeys = append(spec.RightKeys, p.expression(spec.Inputs[1], t, p.IntN(2)))
	}
}

func (p *planner) joinTime(left, right int) *operators.JoinTime {
	t := &operators.JoinTime{Left: left, Right: right, HasLower: p.chance(85), HasUpper: p.chance(85)}
	if t.HasLower {
		t.Lower = time.Duration(p.IntN(45)-35) * time.Second
	}
	if t.HasUpper {
		t.Upper = t.Lower + time.Duration(p.IntN(50)-1)*time.Second // now and then there is no such pair
	}
	return t
}

// residual returns a condition of pairs, or nil. Of a semi or anti join it is one that can always be computed: which pairs are looked
// at before a row is done with depends on which comes first.
func (p *planner) residual(kind operators.JoinKind, left, right *arrow.Schema) *expr.Spec {
	if p.chance(50) {
		return nil
	}
	both := arrow.NewSchema(append(slices.Clone(left.Fields()), right.Fields()...), nil)
	if kind != operators.SemiJoin && kind != operators.AntiJoin {
		return p.expression(both, batch.Boolean, 2)
	}
	for range 10 {
		l, r := p.IntN(left.NumFields()), left.NumFields()+p.IntN(right.NumFields())
		if s, err := expr.Call(pick(p.random, []string{"<", "<=", "="}), expr.Column(both, l), expr.Column(both, r)); err == nil {
			return s
		}
	}
	return nil
}

// output returns the columns of a join that come out: those of times, some of the others.
func (p *planner) output(kind operators.JoinKind, left, right *arrow.Schema) []int {
	fields := slices.Clone(left.Fields())
	if kind != operators.SemiJoin && kind != operators.AntiJoin {
		fields = append(fields, right.Fields()...)
	}
	var output []int
	for i, f := range fields {
		if isMarked(f) || p.chance(60) {
			output = append(output, i)
		}
	}
	if output == nil {
		output = []int{0}
	}
	return output
}

// asOf adds a join with versions, of a source with one split, so that it is known which of two versions of the same time came last.
func (p *planner) asOf(left *operators.Node) *operators.Node {
	at := timeColumn(left.Schema)
	if at < 0 {
		return left
	}
	right := p.scan("versions", p.fields(), 0, nil)
	p.c.Inputs["versions"] = p.c.Inputs["versions"][:1]
	if p.chance(40) {
		right = p.filter(right)
	}
	p.plain = false
	spec := &operators.JoinSpec{
		Kind: pick(p.random, []operators.JoinKind{operators.InnerJoin, operators.LeftJoin}), AsOf: true,
		Inputs: [2]*arrow.Schema{left.Schema, right.Schema}, Time: &operators.JoinTime{Left: at, Right: 0},
	}
	p.joinKeys(spec)
	spec.Residual = p.residual(spec.Kind, left.Schema, right.Schema)
	spec.Output = p.output(spec.Kind, left.Schema, right.Schema)
	return p.add(spec, spec.Schema(), left, right)
}

// joinTable adds a join with a table of a few rows.
func (p *planner) joinTable(left *operators.Node) *operators.Node {
	spec := &operators.TableJoinSpec{
		Kind: pick(p.random, []operators.JoinKind{operators.InnerJoin, operators.LeftJoin, operators.SemiJoin, operators.AntiJoin}), Table: "table", Input: left.Schema,
	}
	for range 2 + p.IntN(4) {
		spec.Declared = append(spec.Declared, field(p.name(), pick(p.random, scalarTypes)))
	}
	for i := range spec.Declared {
		if i == 0 || p.chance(70) {
			spec.Used = append(spec.Used, i)
		}
	}
	rows := make([][]any, p.IntN(25))
	for i := range rows {
		for _, f := range spec.Declared {
			rows[i] = append(rows[i], p.value(f.Type))
		}
	}
	p.c.Inputs[spec.Table] = []Split{{Name: "rows", Rows: rows}}
	columns := spec.Columns()
	for i := range 1 + p.IntN(len(spec.Used))/2 {
		spec.Keys = append(spec.Keys, p.expression(left.Schema, columns.Field(i).Type, p.IntN(2)))
		spec.TableKeys = append(spec.TableKeys, i)
	}
	p.plain = false
	spec.Residual = p.residual(spec.Kind, left.Schema, columns)
	spec.Output = p.output(spec.Kind, left.Schema, columns)
	return p.add(spec, spec.Schema(), left)
}
