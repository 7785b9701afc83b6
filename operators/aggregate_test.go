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

// aggregateOf completes a spec over a schema: keys and arguments are given by column, aggregates as function and column, -1 for *.
type aggregateOf struct {
	window *operators.WindowSpec
	keys   []int
	funcs  []string
	args   []int
	mode   operators.Mode
	early  time.Duration
}

func (a aggregateOf) spec(t testing.TB, in *arrow.Schema) (*operators.AggregateSpec, *arrow.Schema) {
	t.Helper()
	s := &operators.AggregateSpec{Window: a.window, Mode: a.mode, Early: a.early}
	var fields []arrow.Field
	if a.window != nil {
		fields = append(fields, arrow.Field{Name: "start", Type: batch.Timestamp}, arrow.Field{Name: "end", Type: batch.Timestamp})
		if a.window.Time.Kind == expr.ColumnKind {
			fields[1].Metadata = in.Field(a.window.Time.Column).Metadata
		}
	}
	for _, k := range a.keys {
		s.Keys = append(s.Keys, expr.Column(in, k))
		s.KeyNames = append(s.KeyNames, in.Field(k).Name)
		fields = append(fields, arrow.Field{Name: in.Field(k).Name, Type: in.Field(k).Type, Nullable: true})
	}
	for i, fn := range a.funcs {
		agg := operators.AggSpec{Func: fn, Name: fn}
		var argType arrow.DataType
		if a.args[i] >= 0 {
			agg.Arg = expr.Column(in, a.args[i])
			argType = agg.Arg.Type
		}
		var err error
		if agg.Type, err = operators.ResultType(fn, argType); err != nil {
			t.Fatal(err)
		}
		s.Aggs = append(s.Aggs, agg)
		fields = append(fields, arrow.Field{Name: fn, Type: agg.Type, Nullable: true})
	}
	return s, arrow.NewSchema(fields, nil)
}

func (a aggregateOf) new(t testing.TB, in *arrow.Schema) func(operators.Env) (operators.Operator, error) {
	s, out := a.spec(t, in)
	return build("test.aggregate", s, out)
}

func TestAggregateGroups(t *testing.T) {
	in := optest.MustSchema("k BIGINT, s TEXT, d DOUBLE, b BOOLEAN, n BIGINT, at TIMESTAMP")
	perInterval := map[optest.Axis]string{optest.AxisIntervals: notPerInterval}
	const minute = "2026-01-01T00:01:00Z"
	for _, tt := range []struct {
		name string
		agg  aggregateOf
		in   string
		want string
	}{
		{
			name: "NULL, 0 and false are groups of their own under one integer key",
			agg:  aggregateOf{keys: []int{0}, funcs: []string{"count", "sum"}, args: []int{-1, 4}, mode: operators.Update},
			in: "1 a 1 true 10 " + minute + "\nnull a 1 true 20 " + minute + "\n0 a 1 true null " + minute +
				"\n1 a 1 true 5 " + minute + "\nnull a 1 true 1 " + minute + "\n",
			want: "0 1 null\n1 2 15\nnull 2 21\n",
		},
		{
			name: "texts of every length are told apart",
			agg:  aggregateOf{keys: []int{1}, funcs: []string{"count"}, args: []int{-1}, mode: operators.Update},
			in: "1 \"\" 1 true 1 " + minute + "\n1 null 1 true 1 " + minute + "\n1 a 1 true 1 " + minute + "\n1 abcd 1 true 1 " + minute +
				"\n1 abcdefgh 1 true 1 " + minute + "\n1 abcdefghijklmnop 1 true 1 " + minute + "\n1 abcdefghijklmnopq 1 true 1 " + minute +
				"\n1 abcdefghijklmnopq 1 true 1 " + minute + "\n1 a 1 true 1 " + minute + "\n",
			want: "\"\" 1\nnull 1\na 2\nabcd 1\nabcdefgh 1\nabcdefghijklmnop 1\nabcdefghijklmnopq 2\n",
		},
		{
			name: "-0 equals 0 and NaN equals NaN under a double key",
			agg:  aggregateOf{keys: []int{2}, funcs: []string{"count"}, args: []int{-1}, mode: operators.Update},
			in: "1 a 0 true 1 " + minute + "\n1 a -0 true 1 " + minute + "\n1 a NaN true 1 " + minute + "\n1 a NaN true 1 " + minute +
				"\n1 a null true 1 " + minute + "\n",
			want: "0.0 2\nNaN 2\nnull 1\n",
		},
		{
			name: "several keys of all types",
			agg:  aggregateOf{keys: []int{0, 1, 3, 5}, funcs: []string{"count"}, args: []int{-1}, mode: operators.Update},
			in: "1 a 1 true 1 " + minute + "\n1 a 1 true 1 " + minute + "\n1 a 1 false 1 " + minute + "\nnull null 1 null 1 null\n" +
				"null null 1 null 1 null\n1 \"\" 1 true 1 " + minute + "\n",
			want: "1 a true " + minute + " 2\n1 a false " + minute + " 1\nnull null null null 2\n1 \"\" true " + minute + " 1\n",
		},
		{
			name: "min and max of every type, NaN largest",
			agg: aggregateOf{
				keys: []int{0}, funcs: []string{"min", "max", "min", "max", "min", "max", "min", "max"},
				args: []int{1, 1, 2, 2, 3, 3, 5, 5}, mode: operators.Update,
			},
			in: "1 b 2 true 1 2026-01-01T00:01:00Z\n1 abc NaN false 1 2026-01-01T00:00:01Z\n1 null null null 1 null\n1 c -3 true 1 2026-01-01T00:02:00Z\n" +
				"2 null null null 1 null\n",
			want: "1 abc c -3.0 NaN false true 2026-01-01T00:00:01Z 2026-01-01T00:02:00Z\n2 null null null null null null null null\n",
		},
		{
			name: "sum and avg of BIGINT are exact beyond 64 bits",
			agg:  aggregateOf{keys: []int{0}, funcs: []string{"sum", "avg"}, args: []int{4, 4}, mode: operators.Update},
			in: "1 a 1 true 9223372036854775807 null\n1 a 1 true 9223372036854775807 null\n1 a 1 true -9223372036854775807 null\n" +
				"1 a 1 true -9223372036854775807 null\n1 a 1 true 7 null\n2 a 1 true null null\n",
			want: "1 7 1.4\n2 null null\n",
		},
		{
			name: "sum of DOUBLE is compensated and keeps what is not finite aside",
			agg:  aggregateOf{keys: []int{0}, funcs: []string{"sum", "avg", "count"}, args: []int{2, 2, 2}, mode: operators.Update},
			in: "1 a 1e100 true 1 null\n1 a 1 true 1 null\n1 a -1e100 true 1 null\n2 a Infinity true 1 null\n2 a 1 true 1 null\n" +
				"3 a Infinity true 1 null\n3 a -Infinity true 1 null\n4 a NaN true 1 null\n5 a null true 1 null\n",
			want: "1 1.0 0.3333333333333333 3\n2 Infinity Infinity 2\n3 NaN NaN 2\n4 NaN NaN 1\n5 null null 0\n",
		},
		{
			name: "complete gives all groups",
			agg:  aggregateOf{keys: []int{0}, funcs: []string{"count"}, args: []int{-1}, mode: operators.Complete},
			in:   "1 a 1 true 1 null\n--- end=2026-01-01T00:00:01Z\n2 a 1 true 1 null\n",
			want: "1 1\n---\n1 1\n2 1\n",
		},
		{
			name: "update gives groups that changed in the interval",
			agg:  aggregateOf{keys: []int{0}, funcs: []string{"count"}, args: []int{-1}, mode: operators.Update},
			in:   "1 a 1 true 1 null\n2 a 1 true 1 null\n--- end=2026-01-01T00:00:01Z\n2 a 1 true 1 null\n3 a 1 true 1 null\n",
			want: "1 1\n2 1\n---\n2 2\n3 1\n",
		},
		{
			name: "without keys there is a row even if nothing came",
			agg:  aggregateOf{funcs: []string{"count", "sum"}, args: []int{-1, 4}, mode: operators.Update},
			in:   "--- end=2026-01-01T00:00:01Z\n1 a 1 true 4 null\n--- end=2026-01-01T00:00:02Z\n--- end=2026-01-01T00:00:03Z\n",
			want: "0 null\n---\n1 4\n---\n1 4\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			optest.Run(t, optest.Case{
				New: tt.agg.new(t, in), Schemas: []*arrow.Schema{in}, In: tt.in, Want: tt.want, Unordered: true,
				Skip: perInterval,
			})
		})
	}
}
