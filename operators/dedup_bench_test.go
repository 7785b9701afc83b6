package operators_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
)

// BenchmarkDistinct sends rows of which four have the same key, a million keys in all, and reports millions of rows per second of
// processor time. The keys stay known for ever, or for an eighth of the rows.
func BenchmarkDistinct(b *testing.B) {
	const rows, perKey, perBatch = 1 << 22, 4, 8192
	in := optest.MustSchema("at TIMESTAMP event, k BIGINT, s TEXT")
	for _, c := range []struct {
		name   string
		key    int
		time   int
		within time.Duration
	}{
		{name: "int64", key: 1, time: -1, within: -1},
		{name: "int64/forgotten", key: 1, within: rows / 8 * time.Microsecond},
		{name: "text", key: 2, time: -1, within: -1},
	} {
		b.Run(c.name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			pool := batch.NewPool(0)
			var frames []*batch.Frame
			for from := 0; from < rows; from += perBatch {
				f := batch.NewFrame(pool, in)
				for row := from; row < from+perBatch; row++ {
					k := int64(row%(perBatch*16)) + int64(row/(perBatch*16*perKey))*perBatch*16 // again after 16 batches
					f.Columns[0].AppendInt64(int64(row))
					f.Columns[1].AppendInt64(k * 7919)
					f.Columns[2].AppendText(keyName(k))
				}
				f.SetRows(perBatch)
				frames = append(frames, f)
			}
			var used time.Duration
			for b.Loop() {
				op, err := build("bench.distinct", distinctOn(in, c.time, c.within, c.key), in)(operators.Env{Mem: pool})
				if err != nil {
					b.Fatal(err)
				}
				out := 0
				emit := func(r batch.Batch) error {
					out += r.NumLive()
					return nil
				}
				before := cpuTime()
				for i, f := range frames {
					if err := op.Process(b.Context(), 0, batch.Batch{Rows: f.Rows()}, emit); err != nil {
						b.Fatal(err)
					}
					if i%16 == 15 {
						if _, err := op.EndInterval(b.Context(), []batch.Time{batch.Time(i * perBatch)}, emit); err != nil {
							b.Fatal(err)
						}
					}
				}
				used += cpuTime() - before
				if out != rows/perKey {
					b.Fatalf("want %d rows, got %d", rows/perKey, out)
				}
				op.Close()
			}
			b.ReportMetric(float64(rows)*float64(b.N)/used.Seconds()/1e6, "Mrows/cpu-s")
		})
	}
}

func keyName(k int64) []byte {
	name := []byte("key-00000000")
	for i := len(name) - 1; k > 0; i-- {
		name[i] = '0' + byte(k%10)
		k /= 10
	}
	return name
}
