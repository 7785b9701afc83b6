package operators_test

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// BenchmarkNumbered sends a million rows of 1000 keys and reports millions of rows per second of processor time: the first ten of
// each key, as of a window, and functions in order of time over frames of ten rows.
func BenchmarkNumbered(b *testing.B) {
	const rows, perBatch = 1 << 20, 8192
	in := optest.MustSchema("at TIMESTAMP event, k BIGINT, n BIGINT")
	top := &operators.RankSpec{
		Partition: []*expr.Spec{expr.Column(in, 1)}, By: []operators.SortKey{{Expr: expr.Column(in, 2), Descending: true}}, Limit: 10, WindowEnd: -1,
		Funcs: []operators.RankFunc{operators.RowNumber}, Names: []string{"rn"},
	}
	topSchema := arrow.NewSchema(append(in.Fields(), arrow.Field{Name: "rn", Type: batch.BigInt, Nullable: true}), nil)
	ten := operators.OverFrame{IsRows: true, Rows: 9}
	lag, lagSchema := overOf(b, in, ten, []int{1}, operators.OverFunc{Func: "lag", Arg: expr.Column(in, 2), Offset: 1})
	sum, sumSchema := overOf(b, in, ten, []int{1}, operators.OverFunc{Func: "sum", Arg: expr.Column(in, 2)})
	for _, c := range []struct {
		name   string
		spec   operators.Spec
		schema *arrow.Schema
	}{{"top10", top, topSchema}, {"lag", lag, lagSchema}, {"sum of 10 rows", sum, sumSchema}} {
		b.Run(c.name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			pool, rng := batch.NewPool(0), rand.New(rand.NewPCG(1, 2))
			var frames []*batch.Frame
			for from := 0; from < rows; from += perBatch {
				f := batch.NewFrame(pool, in)
				for row := from; row < from+perBatch; row++ {
					f.Columns[0].AppendInt64(int64(row))
					f.Columns[1].AppendInt64(rng.Int64N(1000))
					f.Columns[2].AppendInt64(rng.Int64N(1_000_000))
				}
				f.SetRows(perBatch)
				frames = append(frames, f)
			}
			var used time.Duration
			for b.Loop() {
				op, err := build("bench.numbered", c.spec, c.schema)(operators.Env{Mem: pool})
				if err != nil {
					b.Fatal(err)
				}
				emit := func(batch.Batch) error { return nil }
				before := cpuTime()
				for i, f := range frames {
					if err := op.Process(b.Context(), 0, batch.Batch{Rows: f.Rows()}, emit); err != nil {
						b.Fatal(err)
					}
					if i%16 == 15 && c.spec != top {
						if _, err := op.EndInterval(b.Context(), []batch.Time{batch.Time(i * perBatch)}, emit); err != nil {
							b.Fatal(err)
						}
					}
				}
				if _, err := op.EndInterval(b.Context(), []batch.Time{batch.MaxTime}, emit); err != nil {
					b.Fatal(err)
				}
				used += cpuTime() - before
				op.Close()
			}
			b.ReportMetric(float64(rows)*float64(b.N)/used.Seconds()/1e6, "Mrows/cpu-s")
		})
	}
}
