package operators_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// BenchmarkJoin joins as many rows on each side as there are keys, each key once, in two random orders, an interval of 8192 rows of
// either side at a time. It reports millions of rows of both sides per
// second of processor time.
func BenchmarkJoin(b *testing.B) {
	for _, keys := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) { benchmarkJoin(b, keys) })
	}
}

func benchmarkJoin(b *testing.B, keys int) {
	schema := optest.MustSchema("k BIGINT, v BIGINT")
	spec := &operators.JoinSpec{
		Inputs:   [2]*arrow.Schema{schema, schema},
		LeftKeys: []*expr.Spec{expr.Column(schema, 0)}, RightKeys: []*expr.Spec{expr.Column(schema, 0)}, Output: []int{0, 1, 3},
	}
	const rows = 8192
	pool := batch.NewPool(0)
	var inputs [2][]*batch.Frame
	for side := range inputs {
		order := rand.New(rand.NewPCG(1, uint64(side))).Perm(keys)
		for from := 0; from < keys; from += rows {
			f := batch.NewFrame(pool, schema)
			n := min(rows, keys-from)
			for i := range n {
				f.Columns[0].AppendInt64(int64(order[from+i]) * 1_000_003)
				f.Columns[1].AppendInt64(int64(i))
			}
			f.SetRows(n)
			inputs[side] = append(inputs[side], f)
		}
	}
	ctx, out := context.Background(), 0
	emit := func(b batch.Batch) error { out += b.NumLive(); return nil }
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	began := cpuTime()
	for b.Loop() {
		op, err := operators.NewJoin("bench.join", spec, spec.Schema(), operators.Env{Mem: pool})
		if err != nil {
			b.Fatal(err)
		}
		out = 0
		for i := range inputs[0] {
			for side := range inputs {
				if err := op.Process(ctx, side, batch.Batch{Rows: inputs[side][i].Rows()}, emit); err != nil {
					b.Fatal(err)
				}
			}
		}
		op.Close()
		if out != keys {
			b.Fatalf("%d pairs of %d", out, keys)
		}
	}
	b.ReportMetric(2*float64(keys)*float64(b.N)/1e6/(cpuTime()-began).Seconds(), "Mrows/cpu-s")
	for side := range inputs {
		for _, f := range inputs[side] {
			f.Release()
		}
	}
}
