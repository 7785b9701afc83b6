package operators_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// BenchmarkWordCount splits lines into words and counts these per window of arrival, on one goroutine: what a worker does behind the
// decoder. It reports the best and the median rate of passes, in millions of words per second of CPU time.
func BenchmarkWordCount(b *testing.B) {
	in := optest.MustSchema("value TEXT, at TIMESTAMP arrival")
	frames, lines := wordBatches(in, 40)
	exploded := optest.MustSchema("at TIMESTAMP arrival, word TEXT")
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	pool := batch.NewPool(0)
	list := call(b, "split", expr.Column(in, 0), expr.Literal(" "))
	explode, err := build("", &operators.ExplodeSpec{List: list, Name: "word", Keep: []int{1}}, exploded)(operators.Env{Mem: pool})
	if err != nil {
		b.Fatal(err)
	}
	defer explode.Close()
	window := &operators.WindowSpec{Time: expr.Column(exploded, 0), Arrival: true, Size: time.Hour, Slide: time.Hour}
	op, err := aggregateOf{window: window, keys: []int{1}, funcs: []string{"count"}, args: []int{-1}}.new(b, exploded)(
		operators.Env{Mem: pool})
	if err != nil {
		b.Fatal(err)
	}
	defer op.Close()
	p := op.(operators.Keyed).NewPartial()
	defer p.Close()
	pass := func() {
		for _, f := range frames {
			err := explode.Process(context.Background(), 0, batch.Batch{Rows: f.Rows()}, func(words batch.Batch) error {
				return p.Add(context.Background(), words)
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	pass()
	var rates []float64
	for b.Loop() {
		before := cpuTime()
		pass()
		rates = append(rates, float64(perLine*lines)/(cpuTime()-before).Seconds()/1e6)
	}
	slices.Sort(rates)
	b.ReportMetric(rates[len(rates)/2], "M/cpu-s")
	b.ReportMetric(rates[len(rates)-1], "M/cpu-s-best")
}
