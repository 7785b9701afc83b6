package operators

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators/expr"
)

// Prune returns p without the columns that nothing uses: scans decode less, projections and explodes carry less. Names, order and
// number of nodes stay, and so do the columns that reach an output or a union, and those of aggregates, whose state would
// change its meaning. The column of the watermark is never dropped. p is unchanged.
func Prune(p *Plan) *Plan {
	pr := pruner{plan: p, needed: make([][]bool, len(p.Nodes)), moved: make([][]int, len(p.Nodes))}
	for i, n := range p.Nodes {
		if n.Schema != nil {
			pr.needed[i] = make([]bool, n.Schema.NumFields())
		}
	}
	read := make([]bool, len(p.Nodes))
	for _, n := range slices.Backward(p.Nodes) {
		if !read[n.ID] {
			pr.needAll(n.ID)
		}
		for _, in := range n.Inputs {
			read[in] = true
		}
		pr.need(n)
	}
	out := &Plan{}
	for _, n := range p.Nodes {
		out.Nodes = append(out.Nodes, pr.prune(n, out))
	}
	return out
}

// pruner has, per node, which of the columns that come out are needed, and where they are afterwards, -1 if gone.
type pruner struct {
	plan   *Plan
	needed [][]bool
	moved  [][]int
}

func (p *pruner) needAll(node int) {
	for i := range p.needed[node] {
		p.needed[node][i] = true
	}
}

// need marks what n needs of its inputs, given what is needed of n.
func (p *pruner) need(n *Node) {
	mine := p.needed[n.ID]
	switch s := n.Spec.(type) {
	case *ScanSpec:
		for i, e := range s.Computed {
			if !mine[len(s.Columns)+i] && len(s.Columns)+i != s.EventTime {
				continue
			}
			for _, c := range expr.Columns(e) {
				mine[c] = true
			}
		}
		if s.EventTime >= 0 {
			mine[s.EventTime] = true
		}
		return
	case *JoinSpec:
		p.needJoin(n, s)
		return
	case *TableJoinSpec:
		p.needTable(n, s)
		return
	case *OutputSpec, *UnionSpec, *FuncSpec, *CustomSpec:
		for _, in := range n.Inputs {
			p.needAll(in)
		}
		return
	}
	from := p.needed[n.Inputs[0]]
	exprs := exprsOf(n.Spec)
	switch s := n.Spec.(type) {
	case *ProjectSpec:
		exprs = nil
		for i, e := range s.Exprs {
			if mine[i] {
				exprs = append(exprs, e)
			}
		}
	case *ExplodeSpec:
		for i, k := range s.Keep {
			from[k] = from[k] || mine[i]
		}
	case *FilterSpec, *LateSpec, *SortSpec, *DedupSpec:
		for i, isNeeded := range mine {
			from[i] = from[i] || isNeeded
		}
	case *RankSpec, *OverSpec: // adds columns to those of its input
		for i := range from {
			from[i] = from[i] || mine[i]
		}
	}
	if s, ok := n.Spec.(*RankSpec); ok && s.WindowEnd >= 0 {
		from[s.WindowEnd] = true
	}
	if s, ok := n.Spec.(*SortSpec); ok && s.WindowEnd >= 0 {
		from[s.WindowEnd] = true
	}
	for _, e := range exprs {
		for _, c := range expr.Columns(e) {
			from[c] = true
		}
	}
}

// prune returns n over the pruned inputs in out, and notes where its columns are.
func (p *pruner) prune(n *Node, out *Plan) *Node {
	r := *n
	switch s := n.Spec.(type) {
	case *ScanSpec:
		r.Spec = p.pruneScan(n, s)
		r.Schema = keepFields(n.Schema, p.moved[n.ID])
		return &r
	case *ProjectSpec:
		p.keep(n.ID, func(i int) bool { return p.needed[n.ID][i] })
		kept := &ProjectSpec{}
		for i, e := range s.Exprs {
			if p.needed[n.ID][i] {
				kept.Exprs = append(kept.Exprs, p.remap(n, e))
				kept.Names = append(kept.Names, s.Names[i])
			}
		}
		r.Spec = kept
	case *ExplodeSpec:
		p.keep(n.ID, func(i int) bool { return i >= len(s.Keep) || p.needed[n.ID][i] })
		kept := &ExplodeSpec{List: p.remap(n, s.List), Name: s.Name, Place: s.Place, Parts: s.Parts, Outer: s.Outer}
		for i, k := range s.Keep {
			if p.needed[n.ID][i] {
				kept.Keep = append(kept.Keep, p.moved[n.Inputs[0]][k])
			}
		}
		r.Spec = kept
	case *AggregateSpec:
		p.keep(n.ID, func(int) bool { return true })
		r.Spec = p.remapAggregate(n, s)
	case *MatchSpec:
		p.keep(n.ID, func(int) bool { return true })
		r.Spec = p.remapMatch(n, s)
	case *RankSpec:
		p.keepAdded(n)
		r.Spec = s.remapped(func(e *expr.Spec) *expr.Spec { return p.remap(n, e) }, p.moved[n.Inputs[0]])
	case *OverSpec:
		p.keepAdded(n)
		r.Spec = s.remapped(func(e *expr.Spec) *expr.Spec { return p.remap(n, e) })
	case *FuncSpec, *CustomSpec:
		p.keep(n.ID, func(int) bool { return true })
	case *JoinSpec:
		p.keep(n.ID, func(i int) bool { return p.needed[n.ID][i] })
		r.Spec = p.pruneJoin(n, s, out)
	case *TableJoinSpec:
		p.keep(n.ID, func(i int) bool { return p.needed[n.ID][i] })
		r.Spec = p.pruneTable(n, s, out)
	default: // the columns of the input, or of the first of them
		p.moved[n.ID] = p.moved[n.Inputs[0]]
		r.Spec = p.remapPassing(n)
		if _, ok := s.(*UnionSpec); !ok {
			r.Schema = out.Nodes[n.Inputs[0]].Schema
			return &r
		}
	}
	r.Schema = keepFields(n.Schema, p.moved[n.ID])
	return &r
}

func (p *pruner) pruneScan(n *Node, s *ScanSpec) *ScanSpec {
	p.keep(n.ID, func(i int) bool { return p.needed[n.ID][i] })
	moved := p.moved[n.ID]
	kept := *s
	kept.Columns, kept.Used, kept.Computed, kept.ComputedNames = nil, nil, nil, nil
	for i, f := range s.Columns {
		if moved[i] >= 0 {
			kept.Columns = append(kept.Columns, f)
			kept.Used = append(kept.Used, s.Used[i])
		}
	}
	for i, e := range s.Computed {
		if moved[len(s.Columns)+i] >= 0 {
			kept.Computed = append(kept.Computed, expr.Remap(e, func(c int) int { return moved[c] }))
			kept.ComputedNames = append(kept.ComputedNames, s.ComputedNames[i])
		}
	}
	kept.Arrival = s.Arrival && moved[len(moved)-1] >= 0
	if s.EventTime >= 0 {
		kept.EventTime = moved[s.EventTime]
	}
	return &kept
}

func (p *pruner) remapAggregate(n *Node, s *AggregateSpec) *AggregateSpec {
	kept := *s
	kept.Keys = make([]*expr.Spec, len(s.Keys))
	for i, k := range s.Keys {
		kept.Keys[i] = p.remap(n, k)
	}
	kept.Aggs = slices.Clone(s.Aggs)
	for i := range kept.Aggs {
		kept.Aggs[i] = kept.Aggs[i].remapped(func(e *expr.Spec) *expr.Spec { return p.remap(n, e) })
	}
	if s.Window != nil {
		kept.Window = s.Window.remap(func(e *expr.Spec) *expr.Spec { return p.remap(n, e) })
	}
	return &kept
}

func (p *pruner) remapMatch(n *Node, s *MatchSpec) *MatchSpec {
	kept := *s
	kept.PartitionBy, kept.Values = slices.Clone(s.PartitionBy), slices.Clone(s.Values)
	for _, list := range [][]*expr.Spec{kept.PartitionBy, kept.Values} {
		for i, e := range list {
			list[i] = p.remap(n, e)
		}
	}
	kept.Time = p.remap(n, s.Time)
	return &kept
}

// remapPassing returns the spec of an operator that passes the columns of its input on.
func (p *pruner) remapPassing(n *Node) Spec {
	moved := p.moved[n.Inputs[0]]
	switch s := n.Spec.(type) {
	case *FilterSpec:
		return &FilterSpec{Predicate: p.remap(n, s.Predicate)}
	case *LateSpec:
		kept := &LateSpec{Window: s.Window.remap(func(e *expr.Spec) *expr.Spec { return p.remap(n, e) })}
		for _, e := range s.Exprs {
			kept.Exprs = append(kept.Exprs, p.remap(n, e))
		}
		return kept
	case *DedupSpec:
		return s.remapped(func(e *expr.Spec) *expr.Spec { return p.remap(n, e) })
	case *SortSpec:
		kept := *s
		kept.By = slices.Clone(s.By)
		for i := range kept.By {
			kept.By[i].Expr = p.remap(n, kept.By[i].Expr)
		}
		if s.WindowEnd >= 0 {
			kept.WindowEnd = moved[s.WindowEnd]
		}
		return &kept
	case *OutputSpec:
		kept := *s
		kept.Keys = slices.Clone(s.Keys)
		for i, k := range kept.Keys {
			kept.Keys[i] = moved[k]
		}
		return &kept
	}
	return n.Spec
}

// needJoin marks what a join needs of its inputs, given what is needed of it.
func (p *pruner) needJoin(n *Node, s *JoinSpec) {
	left, right := p.needed[n.Inputs[0]], p.needed[n.Inputs[1]]
	mark := func(c int) {
		if c < len(left) {
			left[c] = true
		} else {
			right[c-len(left)] = true
		}
	}
	for i, c := range s.Output {
		if p.needed[n.ID][i] {
			mark(c)
		}
	}
	for i := range s.LeftKeys {
		for _, c := range expr.Columns(s.LeftKeys[i]) {
			left[c] = true
		}
		for _, c := range expr.Columns(s.RightKeys[i]) {
			right[c] = true
		}
	}
	if s.Time != nil {
		left[s.Time.Left], right[s.Time.Right] = true, true
	}
	if s.Residual != nil {
		for _, c := range expr.Columns(s.Residual) {
			mark(c)
		}
	}
}

// pruneJoin returns s over the pruned inputs of n in out, without the columns that nobody needs.
func (p *pruner) pruneJoin(n *Node, s *JoinSpec, out *Plan) *JoinSpec {
	left, right := p.moved[n.Inputs[0]], p.moved[n.Inputs[1]]
	kept := *s
	for i, in := range n.Inputs {
		kept.Inputs[i] = out.Nodes[in].Schema
	}
	numLeft := kept.Inputs[0].NumFields()
	moved := func(c int) int {
		if c < len(left) {
			return left[c]
		}
		return numLeft + right[c-len(left)]
	}
	kept.Output, kept.LeftKeys, kept.RightKeys = nil, nil, nil
	for i, c := range s.Output {
		if p.needed[n.ID][i] {
			kept.Output = append(kept.Output, moved(c))
		}
	}
	for i := range s.LeftKeys {
		kept.LeftKeys = append(kept.LeftKeys, expr.Remap(s.LeftKeys[i], func(c int) int { return left[c] }))
		kept.RightKeys = append(kept.RightKeys, expr.Remap(s.RightKeys[i], func(c int) int { return right[c] }))
	}
	if s.Time != nil {
		t := *s.Time
		t.Left, t.Right = left[t.Left], right[t.Right]
		kept.Time = &t
	}
	if s.Residual != nil {
		kept.Residual = expr.Remap(s.Residual, moved)
	}
	return &kept
}

// keepAdded notes where the columns of the input and those that n adds to them are.
func (p *pruner) keepAdded(n *Node) {
	inputs := p.moved[n.Inputs[0]]
	p.keep(n.ID, func(i int) bool { return i >= len(inputs) || inputs[i] >= 0 })
}

// keep notes which columns of a node stay.
func (p *pruner) keep(node int, stays func(i int) bool) {
	moved := make([]int, len(p.needed[node]))
	next := 0
	for i := range moved {
		moved[i] = -1
		if stays(i) {
			moved[i] = next
			next++
		}
	}
	p.moved[node] = moved
}

// remap returns e over the pruned input of n.
func (p *pruner) remap(n *Node, e *expr.Spec) *expr.Spec {
	moved := p.moved[n.Inputs[0]]
	return expr.Remap(e, func(c int) int { return moved[c] })
}

func keepFields(s *arrow.Schema, moved []int) *arrow.Schema {
	var fields []arrow.Field
	for i, to := range moved {
		if to >= 0 {
			fields = append(fields, s.Field(i))
		}
	}
	metadata := s.Metadata()
	return arrow.NewSchema(fields, &metadata)
}
