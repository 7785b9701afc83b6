package operators_test

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

const notPerInterval = "rows depend on where intervals are cut"

func call(t testing.TB, name string, args ...*expr.Spec) *expr.Spec {
	t.Helper()
	s, err := expr.Call(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// build returns a maker of the operator of a node.
func build(name string, spec operators.Spec, schema *arrow.Schema) func(operators.Env) (operators.Operator, error) {
	return func(env operators.Env) (operators.Operator, error) {
		return operators.Build(&operators.Node{Name: name, Spec: spec, Schema: schema}, env)
	}
}

func TestStateless(t *testing.T) {
	in := optest.MustSchema("a BIGINT, b TEXT")
	a, b := expr.Column(in, 0), expr.Column(in, 1)
	one := expr.Literal(int64(1))
	for _, tt := range []struct {
		name string
		spec operators.Spec
		out  *arrow.Schema
		in   string
		want string
		bad  []string
	}{
		{
			name: "filter keeps rows for which the predicate is true, not NULL",
			spec: &operators.FilterSpec{Predicate: call(t, ">", a, one)}, out: in,
			in: "1 x\n2 y\nnull z\n3 null\n", want: "2 y\n3 null\n",
		},
		{
			name: "filter drops a row that it can't compute, once",
			spec: &operators.FilterSpec{Predicate: call(t, ">", call(t, "+", a, one), one)}, out: in,
			in: "9223372036854775807 x\n2 y\n", want: "2 y\n", bad: []string{"+: BIGINT overflow: 9223372036854775807 + 1"},
		},
		{
			name: "project computes columns and drops a bad row once",
			spec: &operators.ProjectSpec{Exprs: []*expr.Spec{b, call(t, "+", a, one), call(t, "+", one, a)}, Names: []string{"b", "c", "d"}},
			out:  optest.MustSchema("b TEXT, c BIGINT, d BIGINT"),
			in:   "1 x\n9223372036854775807 y\nnull z\n", want: "x 2 2\nz null null\n",
			bad: []string{"+: BIGINT overflow: 9223372036854775807 + 1"},
		},
		{
			name: "explode makes a row of each element, none of NULL",
			spec: &operators.ExplodeSpec{List: call(t, "split", b, expr.Literal(" ")), Name: "word", Keep: []int{0, 1}},
			out:  optest.MustSchema("a BIGINT, b TEXT, word TEXT"),
			in:   "1 \"x y\"\n2 null\nnull z\n4 \"p q r\"\n",
			want: "1 \"x y\" x\n1 \"x y\" y\nnull z z\n4 \"p q r\" p\n4 \"p q r\" q\n4 \"p q r\" r\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			optest.Run(t, optest.Case{
				New: build("", tt.spec, tt.out), Schemas: []*arrow.Schema{in}, In: tt.in, Want: tt.want, WantBad: tt.bad,
			})
		})
	}
}

func TestUnion(t *testing.T) {
	optest.Run(t, optest.Case{
		New:     build("", &operators.UnionSpec{}, optest.MustSchema("n BIGINT")),
		Schemas: []*arrow.Schema{optest.MustSchema("n BIGINT"), optest.MustSchema("m BIGINT")},
		In:      "1\n2\n# input 1 split 1\n3\nnull\n", Want: "1\n2\n3\nnull\n",
	})
}

func TestScan(t *testing.T) {
	in := optest.MustSchema("a BIGINT")
	spec := &operators.ScanSpec{
		Source: "s", Columns: in.Fields(), Declared: in.Fields(), Used: []int{0}, Arrival: true, EventTime: -1,
		Computed: []*expr.Spec{call(t, "+", expr.Column(in, 0), expr.Literal(int64(1)))}, ComputedNames: []string{"b"},
	}
	optest.Run(t, optest.Case{
		New: build("", spec, optest.MustSchema("a BIGINT, b BIGINT, arrival_time TIMESTAMP arrival")), Schemas: []*arrow.Schema{in},
		In:      "1\n9223372036854775807\nnull\n",
		Want:    "1 2 2026-01-01T00:00:00Z\nnull null 2026-01-01T00:00:00Z\n",
		WantBad: []string{"+: BIGINT overflow: 9223372036854775807 + 1"},
	})
}

func TestSort(t *testing.T) {
	in := optest.MustSchema("a BIGINT, b TEXT, d DOUBLE")
	by := func(i int, descending, nullsFirst bool) operators.SortKey {
		return operators.SortKey{Expr: expr.Column(in, i), Descending: descending, NullsFirst: nullsFirst}
	}
	rows := "2 b 1\n1 c NaN\nnull a -0\n2 a null\n1 c 0\n3 null Infinity\n"
	for _, tt := range []struct {
		name string
		spec operators.SortSpec
		want string
	}{
		{
			name: "rows that are equal keep their order",
			spec: operators.SortSpec{By: []operators.SortKey{by(0, false, true)}, Limit: -1, WindowEnd: -1},
			want: "null a -0.0\n1 c NaN\n1 c 0.0\n2 b 1.0\n2 a null\n3 null Infinity\n",
		},
		{
			name: "descending with NULLs last, then by text",
			spec: operators.SortSpec{By: []operators.SortKey{by(0, true, false), by(1, false, true)}, Limit: -1, WindowEnd: -1},
			want: "3 null Infinity\n2 a null\n2 b 1.0\n1 c NaN\n1 c 0.0\nnull a -0.0\n",
		},
		{
			name: "NaN is the largest and -0 equals 0",
			spec: operators.SortSpec{By: []operators.SortKey{by(2, true, false)}, Limit: 4, WindowEnd: -1},
			want: "1 c NaN\n3 null Infinity\n2 b 1.0\nnull a -0.0\n",
		},
		{
			name: "no term keeps the first rows",
			spec: operators.SortSpec{Limit: 2, WindowEnd: -1},
			want: "2 b 1.0\n1 c NaN\n",
		},
		{
			name: "limit 0 gives nothing",
			spec: operators.SortSpec{WindowEnd: -1},
			want: "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			optest.Run(t, optest.Case{
				New: build("", &tt.spec, in), Schemas: []*arrow.Schema{in}, In: rows, Want: tt.want,
				Skip: map[optest.Axis]string{optest.AxisIntervals: notPerInterval},
			})
		})
	}
}

func TestSortPerWindow(t *testing.T) {
	in := optest.MustSchema("end TIMESTAMP event, n BIGINT")
	spec := &operators.SortSpec{
		By:    []operators.SortKey{{Expr: expr.Column(in, 1), Descending: true}},
		Limit: 2, WindowEnd: 0,
	}
	optest.Run(t, optest.Case{
		New: build("", spec, in), Schemas: []*arrow.Schema{in},
		In: "2026-01-01T00:00:10Z 1\n2026-01-01T00:00:10Z 3\n2026-01-01T00:00:10Z 2\n" +
			"2026-01-01T00:00:20Z 5\n2026-01-01T00:00:20Z 7\n2026-01-01T00:00:20Z 9\n",
		Want: "2026-01-01T00:00:10Z 3\n2026-01-01T00:00:10Z 2\n2026-01-01T00:00:20Z 9\n2026-01-01T00:00:20Z 7\n",
		Skip: map[optest.Axis]string{optest.AxisIntervals: notPerInterval},
	})
}

// at returns a time of the day on which the tests' first interval begins.
func at(d time.Duration) batch.Time { return optest.Start + batch.Time(d.Microseconds()) }
