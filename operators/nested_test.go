package operators_test

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

const nestedColumns = "xs ARRAY<DOUBLE>, s STRUCT<a:BIGINT,b:ARRAY<TEXT>>, m MAP<TEXT,BIGINT>, n BIGINT"

// nestedRows have equal lists in rows 0 and 1, 2 and 3, equal structs in 0 and 4, 1 and 2.
const nestedRows = `["NaN",0.0,null] {"a":1,"b":["x","y"]} {"k":1,"l":null} 1
["NaN",-0.0,null] {"a":1,"b":[]} {} 2
[] {"a":1,"b":[]} null 3
[] {"a":null,"b":null} {"k":2} 4
null {"a":1,"b":["x","y"]} {"z":7} 5
[1.5] null null 6
`

func TestGroupsByListsAndStructs(t *testing.T) {
	in := optest.MustSchema(nestedColumns)
	for _, tt := range []struct {
		name string
		keys []int
		want string
	}{
		{
			name: "-0 equals 0, NaN equals NaN and NULL equals NULL within lists", keys: []int{0},
			want: "[\"NaN\",0.0,null] 2\n[] 2\nnull 1\n[1.5] 1\n",
		},
		{
			name: "structs with lists in them", keys: []int{1},
			want: "{\"a\":1,\"b\":[\"x\",\"y\"]} 2\n{\"a\":1,\"b\":[]} 2\n{\"a\":null,\"b\":null} 1\nnull 1\n",
		},
		{
			name: "a list beside a number", keys: []int{0, 3},
			want: "[\"NaN\",0.0,null] 1 1\n[\"NaN\",0.0,null] 2 1\n[] 3 1\n[] 4 1\nnull 5 1\n[1.5] 6 1\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			optest.Run(t, optest.Case{
				New:     aggregateOf{keys: tt.keys, funcs: []string{"count"}, args: []int{-1}, mode: operators.Update}.new(t, in),
				Schemas: []*arrow.Schema{in}, In: nestedRows, Want: tt.want, Unordered: true,
				Skip: map[optest.Axis]string{optest.AxisIntervals: notPerInterval},
			})
		})
	}
}

func TestDistinctOfStructsKeepsMaps(t *testing.T) {
	in := optest.MustSchema(nestedColumns)
	optest.Run(t, optest.Case{
		New: build("test.distinct", distinctOn(in, -1, -1, 1), in), Schemas: []*arrow.Schema{in}, In: nestedRows,
		Want: `["NaN",0.0,null] {"a":1,"b":["x","y"]} {"k":1,"l":null} 1
["NaN",-0.0,null] {"a":1,"b":[]} {} 2
[] {"a":null,"b":null} {"k":2} 4
[1.5] null null 6
`,
	})
}

func TestSortByListsAndStructs(t *testing.T) {
	in := optest.MustSchema(nestedColumns)
	perInterval := map[optest.Axis]string{optest.AxisIntervals: "rows are sorted per interval"}
	by := func(column int, descending bool) operators.SortSpec {
		return operators.SortSpec{By: []operators.SortKey{
			{Expr: expr.Column(in, column), Descending: descending, NullsFirst: !descending}, {Expr: expr.Column(in, 3), NullsFirst: true},
		}, Limit: -1, WindowEnd: -1}
	}
	for _, tt := range []struct {
		name string
		spec operators.SortSpec
		want []int // rows by n
	}{
		{name: "lists by element, then by length", spec: by(0, false), want: []int{5, 3, 4, 6, 1, 2}},
		{name: "lists descending", spec: by(0, true), want: []int{1, 2, 6, 3, 4, 5}},
		{name: "structs by field, NULL first", spec: by(1, false), want: []int{6, 4, 2, 3, 1, 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			optest.Run(t, optest.Case{
				New: build("", &tt.spec, in), Schemas: []*arrow.Schema{in}, In: nestedRows, Want: rowsOf(nestedRows, tt.want), Skip: perInterval,
			})
		})
	}
}

func TestProjectPassesAnything(t *testing.T) {
	in := optest.MustSchema(nestedColumns)
	spec := &operators.ProjectSpec{Names: []string{"ys", "b", "k", "n"}, Exprs: []*expr.Spec{
		call(t, "array_append", expr.Column(in, 0), expr.Literal(2.5)), call(t, ".", expr.Column(in, 1), expr.Literal("b")),
		call(t, "[]", expr.Column(in, 2), expr.Literal("k")), expr.Column(in, 3),
	}}
	optest.Run(t, optest.Case{
		New: build("", spec, optest.MustSchema("ys ARRAY<DOUBLE>, b ARRAY<TEXT>, k BIGINT, n BIGINT")), Schemas: []*arrow.Schema{in}, In: nestedRows,
		Want: `["NaN",0.0,null,2.5] ["x","y"] 1 1
["NaN",-0.0,null,2.5] [] null 2
[2.5] [] null 3
[2.5] null 2 4
null ["x","y"] null 5
[1.5,2.5] null null 6
`,
	})
}

// rowsOf returns lines of text by number, from 1.
func rowsOf(text string, numbers []int) string {
	lines := strings.SplitAfter(text, "\n")
	var all strings.Builder
	for _, n := range numbers {
		all.WriteString(lines[n-1])
	}
	return all.String()
}
