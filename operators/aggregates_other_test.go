package operators_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// otherAggregates returns a maker of an aggregate by key column 1.
func otherAggregates(t testing.TB, in *arrow.Schema, window *operators.WindowSpec, mode operators.Mode, aggs ...operators.AggSpec) func(operators.Env) (operators.Operator, error) {
	t.Helper()
	spec, schema := aggregateOf{window: window, keys: []int{1}, mode: mode}.spec(t, in)
	fields := schema.Fields()
	for _, a := range aggs {
		a.Name = a.Func
		var err error
		if a.Type, err = a.ResultType(); err != nil {
			t.Fatal(err)
		}
		spec.Aggs = append(spec.Aggs, a)
		fields = append(fields, arrow.Field{Name: a.Func, Type: a.Type, Nullable: true})
	}
	return build("test.aggregate", spec, arrow.NewSchema(fields, nil))
}

func TestOtherAggregates(t *testing.T) {
	in := optest.MustSchema("at TIMESTAMP event, k BIGINT, s TEXT, d DOUBLE, e DOUBLE, n BIGINT, b BOOLEAN")
	col := func(i int) *expr.Spec { return expr.Column(in, i) }
	of := func(fn string, c int) operators.AggSpec { return operators.AggSpec{Func: fn, Arg: col(c)} }
	distinct := func(fn string, cols ...int) operators.AggSpec {
		a := operators.AggSpec{Func: fn, Arg: col(cols[0]), Distinct: true}
		for _, c := range cols[1:] {
			a.More = append(a.More, col(c))
		}
		return a
	}
	pair := func(fn string) operators.AggSpec {
		return operators.AggSpec{Func: fn, Arg: col(3), More: []*expr.Spec{col(4)}}
	}
	places := func(fn string, c int, isArray bool, places ...float64) operators.AggSpec {
		return operators.AggSpec{Func: fn, Arg: col(c), Places: places, IsArray: isArray}
	}
	byTime := func(fn string, c int) operators.AggSpec { return operators.AggSpec{Func: fn, Arg: col(c), By: col(0)} }
	tumbling := &operators.WindowSpec{Time: col(0), Size: 10 * time.Second, Slide: 10 * time.Second}
	sliding := &operators.WindowSpec{Time: col(0), Size: 10 * time.Second, Slide: 5 * time.Second}
	many := &operators.WindowSpec{Time: col(0), Size: 10 * time.Second, Slide: time.Second}
	session := &operators.WindowSpec{Kind: operators.SessionWindow, Time: col(0), Size: 2 * time.Second}
	const at = "2026-01-01T00:00:"
	const window = at + "00Z " + at + "10Z "
	//            at       k s    d    e    n    b
	rows := at + "01Z 1 a    1    2    5    true\n" +
		at + "02Z 1 b    2    4    5    false\n" +
		at + "04Z 1 null 4    null 7    null\n" +
		at + "03Z 1 a    4    8    null true\n" +
		at + "05Z 1 c    10   20   6    true\n" +
		at + "05Z 2 x    3    3    -1   false\n" +
		at + "07Z 3 null null null null null\n" +
		at + "06Z 1 b    null 1    5    null\n"
	perInterval := map[optest.Axis]string{optest.AxisIntervals: notPerInterval}
	for _, tt := range []struct {
		name   string
		window *operators.WindowSpec
		mode   operators.Mode
		aggs   []operators.AggSpec
		in     string
		want   string
		skip   map[optest.Axis]string
	}{
		{
			name: "moments of too few values, and of values that are all the same, are NULL where they would divide by zero", window: tumbling,
			aggs: []operators.AggSpec{of("var_pop", 3), of("var_samp", 3), of("stddev_pop", 4), of("skewness", 3), of("kurtosis", 3)},
			in: at + "01Z 1 a 2 3 1 true\n" + at + "02Z 1 a 4 3 1 true\n" + at + "03Z 1 a 4 3 1 true\n" + at + "04Z 1 a 6 null 1 true\n" +
				at + "01Z 2 a 5 0.1 1 true\n" + at + "02Z 3 a null null 1 true\n" + at + "02Z 4 a Infinity 1 1 true\n" + at + "02Z 4 a 1 1 1 true\n",
			want: window + "1 2.0 2.6666666666666665 0.0 0.0 -1.0\n" + window + "2 0.0 null 0.0 null null\n" + window + "3 null null null null null\n" +
				window + "4 NaN NaN 0.0 NaN NaN\n",
		},
		{
			name: "pairs leave out rows in which one of them is NULL", window: tumbling,
			aggs: []operators.AggSpec{
				pair("regr_count"), pair("covar_pop"), pair("corr"), pair("regr_slope"), pair("regr_intercept"), pair("regr_r2"), pair("regr_avgx"),
				pair("regr_avgy"), pair("regr_sxx"), pair("regr_syy"), pair("regr_sxy"), pair("covar_samp"),
			},
			in: rows,
			want: window + "1 4 24.375 1.0 0.5 0.0 1.0 8.5 4.25 195.0 48.75 97.5 32.5\n" + window +
				"2 1 0.0 null null null null 3.0 3.0 0.0 0.0 0.0 null\n" + window + "3 0 null null null null null null null null null null null\n",
		},
		{
			name: "distinct values, several columns at once", window: tumbling,
			aggs: []operators.AggSpec{
				distinct("count", 2), distinct("count", 5, 2), distinct("sum", 5), distinct("avg", 3), distinct("count", 6), distinct("listagg", 2),
				of("collect_set", 5), of("collect_set", 2),
			},
			in: rows,
			want: window + "1 3 3 18 4.25 2 abc [5,6,7] [\"a\",\"b\",\"c\"]\n" + window + "2 1 1 -1 3.0 1 x [-1] [\"x\"]\n" + window +
				"3 0 0 null null 0 null [] []\n",
		},
		{
			name: "percentiles, modes and histograms", window: sliding,
			aggs: []operators.AggSpec{
				places("percentile", 3, false, 0.5), places("percentile", 3, true, 0, 0.3, 1), places("percentile_disc", 3, false, 0.5),
				places("approx_percentile", 5, false, 0.9), of("mode", 2),
				{Func: "histogram_numeric", Arg: col(3), Bins: 3},
			},
			in: at + "01Z 1 a 1 1 1 true\n" + at + "02Z 1 b 2 1 100003 true\n" + at + "03Z 1 b 4 1 null true\n" + at + "04Z 1 c 10 1 4 true\n",
			want: "2025-12-31T23:59:55Z " + at + "05Z 1 3.0 [1.0,1.9,10.0] 2.0 100000 b [{\"x\":1.5,\"y\":2.0},{\"x\":4.0,\"y\":1.0},{\"x\":10.0,\"y\":1.0}]\n" +
				window + "1 3.0 [1.0,1.9,10.0] 2.0 100000 b [{\"x\":1.5,\"y\":2.0},{\"x\":4.0,\"y\":1.0},{\"x\":10.0,\"y\":1.0}]\n",
		},
		{
			name: "lists go by time, and then in the order of the split", window: tumbling,
			aggs: []operators.AggSpec{
				byTime("collect_list", 2), byTime("collect_list", 5),
				{Func: "listagg", Arg: col(2), By: col(0), Delimiter: ", "},
				{Func: "listagg", Arg: col(2), By: col(5), Descending: true},
				{Func: "listagg", Arg: col(2), ByValue: true},
			},
			in: rows,
			want: window + "1 [\"a\",\"b\",\"a\",\"c\",\"b\"] [5,5,7,6,5] \"a, b, a, c, b\" cabba aabbc\n" + window + "2 [\"x\"] [-1] x x x\n" +
				window + "3 [] [] null null null\n",
		},
		{
			name: "bits and sketches", window: many,
			aggs: []operators.AggSpec{of("bit_and", 5), of("bit_or", 5), of("bit_xor", 5), of("approx_count_distinct", 2), of("approx_count_distinct", 5)},
			in:   at + "00Z 1 a 1 1 12 true\n" + at + "00Z 1 b 1 1 10 true\n" + at + "00Z 1 a 1 1 null true\n" + at + "00Z 2 null 1 1 null true\n",
			want: eachSecond("1 8 14 6 2 2", "2 null null null 0 0"),
		},
		{
			name: "sessions that become one", window: session,
			aggs: []operators.AggSpec{
				distinct("count", 2), of("var_pop", 3), byTime("collect_list", 2), of("approx_count_distinct", 2), places("percentile", 3, false, 1),
			},
			in:   at + "01Z 1 a 1 1 1 true\n" + at + "05Z 1 c 3 1 1 true\n" + at + "03Z 1 b 2 1 1 true\n" + at + "09Z 1 c 7 1 1 true\n",
			want: at + "01Z " + at + "07Z 1 3 0.6666666666666666 [\"a\",\"b\",\"c\"] 3 3.0\n" + at + "09Z " + at + "11Z 1 1 0.0 [\"c\"] 1 7.0\n",
		},
		{
			name: "groups without a window change as rows come", mode: operators.Update,
			aggs: []operators.AggSpec{
				distinct("count", 2), of("stddev_samp", 3), of("collect_set", 2), of("collect_list", 5), of("mode", 5), pair("corr"),
			},
			in: at + "01Z 1 a 1 1 1 true\n" + at + "02Z 1 b 3 2 1 true\n" + at + "03Z 2 a null 1 2 true\n--- end=2026-01-01T00:00:05Z\n" +
				at + "06Z 1 a 5 3 null true\n" + at + "07Z 1 z 7 4 3 true\n",
			want: "1 2 1.4142135623730951 [\"a\",\"b\"] [1,1] 1 1.0\n2 1 null [\"a\"] [2] 2 null\n---\n" +
				"1 3 2.581988897471611 [\"a\",\"b\",\"z\"] [1,1,3] 1 1.0\n",
			skip: perInterval,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			optest.Run(t, optest.Case{
				New: otherAggregates(t, in, tt.window, tt.mode, tt.aggs...), Schemas: []*arrow.Schema{in}, EventTime: []int{0},
				Delay: 5 * time.Second, Unordered: true, In: tt.in, Want: tt.want, Skip: tt.skip,
			})
		})
	}
}

// eachSecond returns the rows of the ten windows of ten seconds that the first second of 2026 is in.
func eachSecond(rows ...string) string {
	var b strings.Builder
	first := time.Date(2025, 12, 31, 23, 59, 51, 0, time.UTC)
	for start := first; start.Before(first.Add(10 * time.Second)); start = start.Add(time.Second) {
		for _, r := range rows {
			b.WriteString(start.Format(time.RFC3339) + " " + start.Add(10*time.Second).Format(time.RFC3339) + " " + r + "\n")
		}
	}
	return b.String()
}

func TestAggregatesSayWhatIsWrong(t *testing.T) {
	in := optest.MustSchema("n BIGINT, d DOUBLE, s TEXT")
	n, d, s := expr.Column(in, 0), expr.Column(in, 1), expr.Column(in, 2)
	for _, tt := range []struct {
		name string
		agg  operators.AggSpec
		want string
	}{
		{"a number where another type is given", operators.AggSpec{Func: "stddev_pop", Arg: s}, "function stddev_pop takes DOUBLE, got (TEXT)"},
		{"one argument where two are needed", operators.AggSpec{Func: "corr", Arg: d}, "function corr takes 2 arguments, got 1"},
		{"a percentile without a place", operators.AggSpec{Func: "percentile", Arg: d}, "function percentile: want places of percentiles, and these of percentiles alone"},
		{
			"a place that is none",
			operators.AggSpec{Func: "percentile", Arg: d, Places: []float64{1.5}},
			"function percentile: a place is between 0 and 1, got [1.5]",
		},
		{
			"an error that takes too much memory",
			operators.AggSpec{Func: "approx_count_distinct", Arg: s, Error: 1e-6},
			"function approx_count_distinct: the error must be between 0.0022 and 0.39, got 1e-06",
		},
		{"one bin", operators.AggSpec{Func: "histogram_numeric", Arg: d, Bins: 1}, "function histogram_numeric takes 2 bins or more"},
		{"DISTINCT of a choice", operators.AggSpec{Func: "max_by", Arg: s, By: n, Distinct: true}, "function max_by takes no DISTINCT"},
		{"a condition of what needs none", operators.AggSpec{Func: "sum", Arg: n, Only: n}, "function sum takes no condition"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.agg.ResultType()
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
