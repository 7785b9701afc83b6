package operators_test

import (
	"context"
	"slices"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/bench"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

const (
	// wordsBlock is how many bytes of lines a batch has: a block of the engine.
	wordsBlock = 256 << 10
	perLine    = 10
)

// wordBatches returns batches of lines of words, Zipf-distributed out of 10 000, and how many lines these are.
func wordBatches(in *arrow.Schema, batches int) (frames []*batch.Frame, lines int) {
	words := bench.NewWords(1, 10_000, perLine, 1)
	var line []byte
	for k := range batches {
		f := batch.NewFrame(batch.NewPool(0), in)
		for f.Columns[0].Bytes() < wordsBlock {
			line = words.Append(line[:0])
			f.Columns[0].AppendText(line[:len(line)-1])
			f.Columns[1].AppendInt64(int64(k) * 1_000_000)
		}
		f.SetRows(f.Columns[0].Len())
		lines += f.Len()
		frames = append(frames, f)
	}
	return frames, lines
}

// cpuSeconds returns the CPU time that the process has taken.
func cpuSeconds(b *testing.B) float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}

// BenchmarkWords reports the median over passes of millions of items per second of CPU time: words where lines are split, lines
// elsewhere. Run it with GOMAXPROCS=1.
func BenchmarkWords(b *testing.B) {
	in := optest.MustSchema("value TEXT, at TIMESTAMP event")
	frames, lines := wordBatches(in, 40)
	value := expr.Column(in, 0)
	list := func(pattern string) *expr.Spec { return call(b, "split", value, expr.Literal(pattern)) }
	filter := func(name string, args ...*expr.Spec) operators.Spec {
		return &operators.FilterSpec{Predicate: call(b, name, args...)}
	}
	project := func(s *expr.Spec) operators.Spec {
		return &operators.ProjectSpec{Exprs: []*expr.Spec{s}, Names: []string{"x"}}
	}
	exploded := optest.MustSchema("at TIMESTAMP event, word TEXT")
	number, text := optest.MustSchema("x BIGINT"), optest.MustSchema("x TEXT")
	for _, c := range []struct {
		name  string
		items int
		spec  operators.Spec
		out   *arrow.Schema
	}{
		{"explode split", perLine * lines, &operators.ExplodeSpec{List: list(" "), Name: "word", Keep: []int{1}}, exploded},
		{"split at a space", perLine * lines, project(call(b, "size", list(" "))), number},
		{"split at a class", perLine * lines, project(call(b, "size", list("[^a-z]+"))), number},
		{"lower", lines, project(call(b, "lower", value)), text},
		{"contains, in no line", lines, filter("contains", value, expr.Literal("x")), in},
		{"contains, in some lines", lines, filter("contains", value, expr.Literal("gora")), in},
		{"like", lines, filter("like", value, expr.Literal("%gora%ha%")), in},
		{"startswith", lines, filter("startswith", value, expr.Literal("go")), in},
		{"equals", lines, filter("=", value, expr.Literal("purchase")), in},
	} {
		b.Run(c.name, func(b *testing.B) {
			op, err := build("", c.spec, c.out)(operators.Env{Mem: batch.NewPool(0)})
			if err != nil {
				b.Fatal(err)
			}
			defer op.Close()
			pass := func() {
				for _, f := range frames {
					err := op.Process(context.Background(), 0, batch.Batch{Rows: f.Rows()}, func(batch.Batch) error { return nil })
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			pass()
			var rates []float64
			for b.Loop() {
				before := cpuSeconds(b)
				pass()
				rates = append(rates, float64(c.items)/(cpuSeconds(b)-before)/1e6)
			}
			slices.Sort(rates)
			b.ReportMetric(rates[len(rates)/2], "M/cpu-s")
		})
	}
}
