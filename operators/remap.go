package operators

import (
	"slices"

	"github.com/tidemill/tidemill/operators/expr"
)

// ColumnsOf returns the columns of its input that an aggregate reads, in ascending order.
func ColumnsOf(s *AggregateSpec) []int {
	var columns []int
	for _, e := range exprsOf(s) {
		columns = append(columns, expr.Columns(e)...)
	}
	slices.Sort(columns)
	return slices.Compact(columns)
}

// Remap returns an aggregate whose arguments and window read other columns. Its keys are left as they are.
func Remap(s *AggregateSpec, to func(column int) int) *AggregateSpec {
	remapped := func(e *expr.Spec) *expr.Spec { return expr.Remap(e, to) }
	kept := *s
	kept.Aggs = slices.Clone(s.Aggs)
	for i := range kept.Aggs {
		kept.Aggs[i] = kept.Aggs[i].remapped(remapped)
	}
	if s.Window != nil {
		kept.Window = s.Window.remap(remapped)
	}
	return &kept
}
