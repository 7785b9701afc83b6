package operators

import (
	"fmt"
	"slices"

	"github.com/tidemill/tidemill/operators/expr"
)

// Build turns a node of a plan into an operator. It is the one place that knows which operator does what a spec says. An output
// is no operator: it is for whoever runs the plan.
func Build(n *Node, env Env) (Operator, error) {
	switch s := n.Spec.(type) {
	case *ScanSpec:
		return NewScan(s, n.Schema, env)
	case *FilterSpec:
		return NewFilter(s, n.Schema, env)
	case *ProjectSpec:
		return NewProject(s, n.Schema, env)
	case *ExplodeSpec:
		return NewExplode(s, n.Schema, env)
	case *UnionSpec:
		return NewUnion(s, n.Schema, env)
	case *AggregateSpec:
		if s.Window != nil && s.Window.Kind == SessionWindow {
			return NewSessions(n.Name, s, n.Schema, env)
		}
		if s.Window != nil && s.Window.Kind == CountWindow {
			return NewCountWindows(n.Name, s, n.Schema, env)
		}
		return NewAggregate(n.Name, s, n.Schema, env)
	case *LateSpec:
		return NewLate(s, n.Schema, env)
	case *SortSpec:
		return NewSort(s, n.Schema, env)
	case *MatchSpec:
		return NewMatch(n.Name, s, n.Schema, env)
	case *JoinSpec:
		if s.AsOf {
			return NewAsOf(n.Name, s, n.Schema, env)
		}
		return NewJoin(n.Name, s, n.Schema, env)
	case *TableJoinSpec:
		return NewTableJoin(s, n.Schema, env)
	case *FuncSpec:
		return NewFunc(s, n.Schema, env)
	case *CustomSpec:
		return newCustom(n, s, env)
	case *RankSpec:
		return NewRank(s, n.Schema, env)
	case *OverSpec:
		return NewOver(n.Name, s, n.Schema, env)
	case *DedupSpec:
		return NewDedup(n.Name, s, n.Schema, env)
	}
	return nil, fmt.Errorf("build node %d: %T is no operator", n.ID, n.Spec)
}

var (
	_ Spec = (*ScanSpec)(nil)
	_ Spec = (*FilterSpec)(nil)
	_ Spec = (*ProjectSpec)(nil)
	_ Spec = (*ExplodeSpec)(nil)
	_ Spec = (*UnionSpec)(nil)
	_ Spec = (*AggregateSpec)(nil)
	_ Spec = (*LateSpec)(nil)
	_ Spec = (*SortSpec)(nil)
	_ Spec = (*MatchSpec)(nil)
	_ Spec = (*OutputSpec)(nil)
	_ Spec = (*FuncSpec)(nil)
	_ Spec = (*CustomSpec)(nil)
	_ Spec = (*JoinSpec)(nil)
	_ Spec = (*TableJoinSpec)(nil)
	_ Spec = (*DedupSpec)(nil)
	_ Spec = (*OverSpec)(nil)
	_ Spec = (*RankSpec)(nil)
)

// exprsOf returns the expressions of a spec, over the columns of its input.
func exprsOf(s Spec) []*expr.Spec {
	switch s := s.(type) {
	case *FilterSpec:
		return []*expr.Spec{s.Predicate}
	case *ProjectSpec:
		return s.Exprs
	case *ExplodeSpec:
		return []*expr.Spec{s.List}
	case *AggregateSpec:
		exprs := append([]*expr.Spec(nil), s.Keys...)
		for i := range s.Aggs {
			exprs = append(exprs, s.Aggs[i].exprs()...)
		}
		if s.Window != nil {
			exprs = append(exprs, s.Window.exprs()...)
		}
		return exprs
	case *LateSpec:
		return append(s.Window.exprs(), s.Exprs...)
	case *DedupSpec:
		return s.exprs()
	case *MatchSpec:
		return slices.Concat(s.PartitionBy, s.Values, []*expr.Spec{s.Time})
	case *OverSpec:
		return s.exprs()
	case *RankSpec:
		return s.exprs()
	case *SortSpec:
		exprs := make([]*expr.Spec, len(s.By))
		for i, k := range s.By {
			exprs[i] = k.Expr
		}
		return exprs
	}
	return nil
}
