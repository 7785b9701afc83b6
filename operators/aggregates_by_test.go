package operators_test

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// chosenBy returns a maker of an aggregate by key column 1, of funcs over args, ordered by columns, -1 for arrival.
func chosenBy(t testing.TB, in *arrow.Schema, window *operators.WindowSpec, mode operators.Mode, funcs []string, args, by []int) func(operators.Env) (operators.Operator, error) {
	t.Helper()
	spec, schema := aggregateOf{window: window, keys: []int{1}, funcs: funcs, args: args, mode: mode}.spec(t, in)
	for i, c := range by {
		if c >= 0 {
			spec.Aggs[i].By = expr.Column(in, c)
		}
	}
	return build("test.aggregate", spec, schema)
}

func TestAggregatesThatChooseARow(t *testing.T) {
	in := optest.MustSchema("at TIMESTAMP event, k BIGINT, s TEXT, d DOUBLE, b BOOLEAN")
	tumbling := &operators.WindowSpec{Time: expr.Column(in, 0), Size: 10 * time.Second, Slide: 10 * time.Second}
	sliding := &operators.WindowSpec{Time: expr.Column(in, 0), Size: 10 * time.Second, Slide: 5 * time.Second}
	const at = "2026-01-01T00:00:"
	window := at + "00Z " + at + "10Z "
	for _, tt := range []struct {
		name string
		agg  func(operators.Env) (operators.Operator, error)
		in   string
		want string
		skip map[optest.Axis]string
	}{
		{
			name: "the value of the largest and of the smallest row, rows of NULL left out, NULL a value",
			agg: chosenBy(t, in, tumbling, operators.Append, []string{"max_by", "min_by", "max_by", "min_by", "max_by"}, []int{2, 2, 3, 3, 2},
				[]int{3, 3, 0, 0, 4}),
			in: at + "01Z 1 a 5 null\n" + at + "02Z 1 b null null\n" + at + "03Z 1 c -1 null\n" + at + "04Z 1 null 7 null\n" +
				at + "05Z 2 x 1 true\n" + at + "06Z 2 y NaN false\n" + at + "07Z 2 z 3 null\n",
			want: window + "1 null c 7.0 5.0 null\n" + window + "2 y x 3.0 1.0 x\n",
		},
		{
			name: "of equal rows the one with the largest, or smallest, value",
			agg:  chosenBy(t, in, tumbling, operators.Append, []string{"max_by", "min_by", "max_by", "min_by"}, []int{2, 2, 3, 3}, []int{4, 4, 4, 4}),
			in:   at + "01Z 1 b 5 true\n" + at + "02Z 1 null 9 true\n" + at + "03Z 1 cc -1 true\n" + at + "04Z 1 a null true\n",
			want: window + "1 cc null 9.0 null\n",
		},
		{
			name: "first and last by time, of equal times the first and the last to come",
			agg:  chosenBy(t, in, tumbling, operators.Append, []string{"first", "last", "last", "any_value"}, []int{2, 2, 4, 3}, []int{0, 0, 0, 0}),
			in: at + "05Z 1 e 1 true\n" + at + "04Z 1 d 2 false\n" + at + "04Z 1 dd 3 null\n" + at + "08Z 1 h 4 false\n" +
				at + "08Z 1 hh 5 true\n" + at + "07Z 1 g 6 false\n",
			want: window + "1 d hh true 2.0\n",
		},
		{
			name: "sliding windows",
			agg:  chosenBy(t, in, sliding, operators.Append, []string{"first", "last", "max_by"}, []int{2, 2, 2}, []int{0, 0, 3}),
			in:   at + "01Z 1 a 9 true\n" + at + "06Z 1 b 1 true\n" + at + "11Z 1 c 2 true\n" + at + "17Z 2 d 3 true\n",
			want: "2025-12-31T23:59:55Z " + at + "05Z 1 a a a\n" + at + "00Z " + at + "10Z 1 a b a\n" + at + "05Z " + at + "15Z 1 b c c\n" +
				at + "10Z " + at + "20Z 1 c c c\n" + at + "10Z " + at + "20Z 2 d d d\n" + at + "15Z " + at + "25Z 2 d d d\n",
		},
		{
			name: "without a window in the order of arrival",
			agg:  chosenBy(t, in, nil, operators.Update, []string{"first", "last", "last"}, []int{2, 2, 3}, []int{-1, -1, -1}),
			in:   at + "05Z 1 e 1 true\n" + at + "04Z 1 null 2 false\n" + at + "03Z 2 x 3 true\n" + at + "02Z 1 a 4 true\n",
			want: "1 e a 4.0\n2 x x 3.0\n", skip: map[optest.Axis]string{optest.AxisIntervals: notPerInterval},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			optest.Run(t, optest.Case{
				New: tt.agg, Schemas: []*arrow.Schema{in}, EventTime: []int{0}, Delay: 5 * time.Second, Unordered: true,
				In: tt.in, Want: tt.want, Skip: tt.skip,
			})
		})
	}
}
