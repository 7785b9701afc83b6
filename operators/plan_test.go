package operators_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// testPlan counts words per window, of a source of which the words, a computed time and a column that nothing uses are read.
func testPlan(t testing.TB) *operators.Plan {
	decoded := optest.MustSchema("unused TEXT, ms BIGINT, line TEXT")
	scanned := optest.MustSchema("unused TEXT, ms BIGINT, line TEXT, at TIMESTAMP event, arrival_time TIMESTAMP arrival")
	words := optest.MustSchema("ms BIGINT, at TIMESTAMP event, arrival_time TIMESTAMP arrival, word TEXT")
	projected := optest.MustSchema("w TEXT, at TIMESTAMP event, m BIGINT")
	counted := optest.MustSchema("start TIMESTAMP, end TIMESTAMP event, w TEXT, n BIGINT")
	return &operators.Plan{Nodes: []*operators.Node{
		{ID: 0, Schema: scanned, Spec: &operators.ScanSpec{
			Source: "lines", Columns: decoded.Fields(), Declared: decoded.Fields(), Used: []int{0, 1, 2},
			Computed: []*expr.Spec{call(t, "timestamp_millis", expr.Column(decoded, 1))}, ComputedNames: []string{"at"},
			Arrival: true, EventTime: 3, Delay: 5 * time.Second,
		}},
		{ID: 1, Inputs: []int{0}, Schema: words, Spec: &operators.ExplodeSpec{
			List: call(t, "split", expr.Column(scanned, 2), expr.Literal(" ")), Name: "word", Keep: []int{1, 3, 4},
		}},
		{ID: 2, Inputs: []int{1}, Schema: words, Spec: &operators.FilterSpec{
			Predicate: call(t, "<>", expr.Column(words, 3), expr.Literal("")),
		}},
		{ID: 3, Inputs: []int{2}, Schema: projected, Spec: &operators.ProjectSpec{
			Exprs: []*expr.Spec{expr.Column(words, 3), expr.Column(words, 1), expr.Column(words, 0)}, Names: []string{"w", "at", "m"},
		}},
		{ID: 4, Inputs: []int{3}, Name: "hot.aggregate", Schema: counted, Spec: &operators.AggregateSpec{
			Window: &operators.WindowSpec{Time: expr.Column(projected, 1), Size: 10 * time.Second, Slide: 5 * time.Second},
			Keys:   []*expr.Spec{expr.Column(projected, 0)}, KeyNames: []string{"w"},
			Aggs: []operators.AggSpec{{Func: "count", Name: "n", Type: batch.BigInt}},
		}},
		{ID: 5, Inputs: []int{4}, Schema: counted, Spec: &operators.SortSpec{
			By: []operators.SortKey{{Expr: expr.Column(counted, 3), Descending: true}}, Limit: 3, WindowEnd: 1,
		}},
		{ID: 6, Inputs: []int{5}, Schema: counted, Spec: &operators.OutputSpec{Sink: "hot", Keys: []int{1, 2}}},
	}}
}

const wantPlan = `#6 output hot append keys [1 2] -> (start TIMESTAMP, end TIMESTAMP, w TEXT, n BIGINT)
  #5 sort by [n DESC NULLS LAST] limit 3 per window -> (start TIMESTAMP, end TIMESTAMP, w TEXT, n BIGINT)
    #4 aggregate window(at, 10 s, 5 s) keys [w] count(*) AS n, append [hot.aggregate] -> (start TIMESTAMP, end TIMESTAMP, w TEXT, n BIGINT)
      state hot.aggregate/panes (start TIMESTAMP, key.w TEXT, rows BIGINT) key (start, key.w)
      state hot.aggregate/windows (start TIMESTAMP, key.w TEXT, rows BIGINT, owned BIGINT) key (start, key.w)
      state hot.aggregate/progress (id BIGINT, bound TIMESTAMP) key (id)
      #3 project [word AS w, at] -> (w TEXT, at TIMESTAMP)
        #2 filter word <> '' -> (at TIMESTAMP, word TEXT)
          #1 explode split(line, ' ') AS word keep columns [2] -> (at TIMESTAMP, word TEXT)
            #0 scan lines columns [ms, line] computed [timestamp_millis(ms) AS at] watermark of column 2 - 5 s -> (ms BIGINT, line TEXT, at TIMESTAMP)
`

func TestPruneDropsWhatNothingUses(t *testing.T) {
	p := testPlan(t)
	before := p.String()
	pruned := operators.Prune(p)
	if got := pruned.String(); got != wantPlan {
		t.Errorf("pruned plan:\n%s\nwant:\n%s", got, wantPlan)
	}
	if p.String() != before {
		t.Error("Prune changed its argument")
	}
	if got := operators.Prune(pruned).String(); got != wantPlan {
		t.Errorf("pruned twice:\n%s", got)
	}
	if err := operators.Validate(pruned); err != nil {
		t.Error(err)
	}
	for _, n := range pruned.Nodes[:6] {
		pool := batch.NewPool(0)
		op, err := operators.Build(n, operators.Env{Mem: pool})
		if err != nil {
			t.Errorf("build %s: %v", n.Spec, err)
			continue
		}
		if !op.Schema().Equal(n.Schema) {
			t.Errorf("%s: schema %s", n.Spec, op.Schema())
		}
		op.Close()
		if pool.Used() != 0 {
			t.Errorf("%s: %d bytes leaked", n.Spec, pool.Used())
		}
	}
}

func TestValidate(t *testing.T) {
	aggregateAt := func(p *operators.Plan) *operators.AggregateSpec { return p.Nodes[4].Spec.(*operators.AggregateSpec) }
	for _, tt := range []struct {
		name   string
		change func(p *operators.Plan)
		want   string
	}{
		{name: "size of zero", change: func(p *operators.Plan) { aggregateAt(p).Window.Size = 0 }, want: "window: size must be positive: 0s"},
		{name: "negative slide", change: func(p *operators.Plan) { aggregateAt(p).Window.Slide = -1 }, want: "window: slide must be positive: -1ns"},
		{
			name: "size is not whole microseconds", change: func(p *operators.Plan) { aggregateAt(p).Window.Size = 1500 },
			want: "window: size must be whole microseconds: 1.5µs",
		},
		{
			name: "window of too many panes", change: func(p *operators.Plan) { aggregateAt(p).Window.Slide = 7 * time.Microsecond },
			want: "choose a slide that divides the size",
		},
		{
			name: "append without a window", change: func(p *operators.Plan) { aggregateAt(p).Window = nil },
			want: "an aggregate without a window is never final",
		},
		{
			name: "aggregate over an updating result",
			change: func(p *operators.Plan) {
				over := *p.Nodes[4]
				over.ID, over.Name, over.Inputs = 6, "second", []int{5}
				aggregateAt(p).Mode = operators.Update
				p.Nodes[6] = &over
			},
			want: "second: its input hot.aggregate is an updating result",
		},
		{
			name: "two states of one name",
			change: func(p *operators.Plan) {
				again := *p.Nodes[4]
				again.ID = 6
				p.Nodes[6] = &again
			},
			want: `nodes 4 and 6 both keep their state under the name "hot.aggregate"`,
		},
		{name: "no name for the state", change: func(p *operators.Plan) { p.Nodes[4].Name = "" }, want: "an operator with state needs a name"},
		{
			name: "unknown aggregate",
			change: func(p *operators.Plan) {
				aggregateAt(p).Aggs[0].Func = "med"
				aggregateAt(p).Aggs[0].Arg = expr.Literal(int64(1))
			},
			want: `unknown aggregate "med"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := testPlan(t)
			tt.change(p)
			if err := operators.Validate(p); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want an error with %q, got %v", tt.want, err)
			}
		})
	}
}

func TestResultType(t *testing.T) {
	for _, tt := range []struct {
		name string
		arg  arrow.DataType
		want string
	}{
		{name: "count", want: "BIGINT"},
		{name: "count", arg: batch.Text, want: "BIGINT"},
		{name: "sum", arg: batch.BigInt, want: "BIGINT"},
		{name: "sum", arg: batch.Double, want: "DOUBLE"},
		{name: "avg", arg: batch.BigInt, want: "DOUBLE"},
		{name: "min", arg: batch.Timestamp, want: "TIMESTAMP"},
		{name: "max", arg: batch.Text, want: "TEXT"},
		{name: "sum", arg: batch.Text, want: "function sum takes a number or an INTERVAL, got (TEXT)"},
		{name: "sum", want: "function sum takes an argument, got *"},
		{name: "max", arg: batch.TextList, want: "function max takes a value that has an order, got (ARRAY<TEXT>)"},
	} {
		got, err := operators.ResultType(tt.name, tt.arg)
		var text string
		if err != nil {
			text = err.Error()
		} else {
			text = batch.TypeName(got)
		}
		if text != tt.want {
			t.Errorf("%s of %v: want %s, got %s", tt.name, tt.arg, tt.want, text)
		}
	}
}
