package operators_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// benchRows is how many rows the batches of benchmarks have.
const benchRows = 8192

type benchCase struct {
	name  string
	rows  int // in all batches
	fill  func(f *batch.Frame, row int)
	build func(env operators.Env) (operators.Operator, error)
}

func benchCases(t testing.TB) (*arrow.Schema, []benchCase) {
	in := optest.MustSchema("k BIGINT, s TEXT, at TIMESTAMP event, n BIGINT")
	fillOf := func(keys int) func(f *batch.Frame, row int) {
		return func(f *batch.Frame, row int) {
			k := int64(uint64(row+1) * 0x9E3779B97F4A7C15 >> 20 % uint64(keys))
			f.Columns[0].AppendInt64(k * 7919)
			f.Columns[1].AppendString("k" + strconv.FormatInt(k, 10))
			f.Columns[2].AppendInt64(int64(row) * 10)
			f.Columns[3].AppendInt64(int64(row))
		}
	}
	agg := func(keys []int, window *operators.WindowSpec) func(operators.Env) (operators.Operator, error) {
		mode := operators.Update
		if window != nil {
			mode = operators.Append
		}
		return aggregateOf{window: window, keys: keys, funcs: []string{"count", "sum"}, args: []int{-1, 3}, mode: mode}.new(t, in)
	}
	window := &operators.WindowSpec{Time: expr.Column(in, 2), Size: 10e9, Slide: 10e9}
	filter := &operators.FilterSpec{Predicate: call(t, ">", expr.Column(in, 0), expr.Literal(int64(7919*500)))}
	text := func(f *batch.Frame, row int) {
		f.Columns[0].AppendInt64(int64(row))
		f.Columns[1].AppendString("the quick brown fox jumps over the lazy dog")
		f.Columns[2].AppendInt64(int64(row) * 10)
		f.Columns[3].AppendInt64(int64(row))
	}
	explode := &operators.ExplodeSpec{List: call(t, "split", expr.Column(in, 1), expr.Literal(" ")), Name: "word", Keep: []int{2}}
	return in, []benchCase{
		{name: "aggregate/int64/groups=1000", rows: 1 << 20, fill: fillOf(1000), build: agg([]int{0}, nil)},
		{name: "aggregate/int64/groups=1000000", rows: 1 << 22, fill: fillOf(1_000_000), build: agg([]int{0}, nil)},
		{name: "aggregate/text/groups=1000", rows: 1 << 20, fill: fillOf(1000), build: agg([]int{1}, nil)},
		{name: "aggregate/text/groups=1000000", rows: 1 << 22, fill: fillOf(1_000_000), build: agg([]int{1}, nil)},
		{name: "aggregate/composite/groups=1000", rows: 1 << 20, fill: fillOf(1000), build: agg([]int{0, 1}, nil)},
		{name: "aggregate/window=10s/groups=1000", rows: 1 << 20, fill: fillOf(1000), build: agg([]int{0}, window)},
		{name: "filter/sel=0.5", rows: 1 << 16, fill: fillOf(1000), build: build("", filter, in)},
		{name: "explode/words=9", rows: 1 << 16, fill: text, build: build("", explode, optest.MustSchema("at TIMESTAMP event, word TEXT"))},
	}
}

func benchBatches(in *arrow.Schema, c benchCase) []*batch.Frame {
	var frames []*batch.Frame
	for from := 0; from < c.rows; from += benchRows {
		f := batch.NewFrame(batch.NewPool(0), in)
		for row := range benchRows {
			c.fill(f, from+row)
		}
		f.SetRows(benchRows)
		frames = append(frames, f)
	}
	return frames
}

func TestProcessAllocatesNothingPerBatch(t *testing.T) {
	in, cases := benchCases(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.rows = 4 * benchRows
			frames := benchBatches(in, c)
			op, err := c.build(operators.Env{Mem: batch.NewPool(0)})
			if err != nil {
				t.Fatal(err)
			}
			defer op.Close()
			emit := func(batch.Batch) error { return nil }
			process := func() {
				for _, f := range frames {
					if err := op.Process(context.Background(), 0, batch.Batch{Rows: f.Rows()}, emit); err != nil {
						t.Fatal(err)
					}
				}
			}
			process()
			if got := testing.AllocsPerRun(5, process) / float64(len(frames)); got > 2 {
				t.Errorf("want at most 2 allocations per batch, got %g", got)
			}
		})
	}
}

func BenchmarkOperators(b *testing.B) {
	in, cases := benchCases(b)
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			frames := benchBatches(in, c)
			op, err := c.build(operators.Env{Mem: batch.NewPool(0)})
			if err != nil {
				b.Fatal(err)
			}
			defer op.Close()
			emit := func(batch.Batch) error { return nil }
			for _, f := range frames { // warm: all groups are there
				if err := op.Process(context.Background(), 0, batch.Batch{Rows: f.Rows()}, emit); err != nil {
					b.Fatal(err)
				}
			}
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				if err := op.Process(context.Background(), 0, batch.Batch{Rows: frames[n%len(frames)].Rows()}, emit); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(n)*benchRows/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
