package tidemill_test

import (
	"io"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
)

// BenchmarkTypedStreams compares functions of rows with the SQL that says the same, over 2 million rows of two columns that the
// source rate makes, in CPU time per row. Reducing by key is shown with what puts batches together in the workers, and without.
func BenchmarkTypedStreams(b *testing.B) {
	type row struct {
		Timestamp time.Time
		Value     int64
	}
	type pair = tidemill.Pair[int64, int64]
	const rows = 2_000_000
	keyed := func(s tidemill.DStream) tidemill.Stream[pair] {
		return tidemill.Map(tidemill.As[row](s), func(r row) pair { return pair{Key: r.Value % 1000, Value: r.Value} })
	}
	for _, bb := range []struct {
		name  string
		steps func(s tidemill.DStream) tidemill.DStream
	}{
		{name: "filter/sql", steps: func(s tidemill.DStream) tidemill.DStream { return s.Where("value % 100 = 0") }},
		{name: "filter/go", steps: func(s tidemill.DStream) tidemill.DStream {
			return tidemill.As[row](s).Filter(func(r row) bool { return r.Value%100 == 0 }).DStream()
		}},
		{name: "map/sql", steps: func(s tidemill.DStream) tidemill.DStream { return s.Select("value % 1000 AS k", "value") }},
		{name: "map/go", steps: func(s tidemill.DStream) tidemill.DStream { return keyed(s).DStream() }},
		{name: "reduceByKey/sql", steps: func(s tidemill.DStream) tidemill.DStream {
			return s.GroupBy("value % 1000").Agg("sum(value) AS t")
		}},
		{name: "reduceByKey/go", steps: func(s tidemill.DStream) tidemill.DStream { return tidemill.ReduceByKey(keyed(s), sum).DStream() }},
		{name: "reduceByKey/go in the tail", steps: func(s tidemill.DStream) tidemill.DStream {
			return tidemill.GroupByKey(keyed(s), func(k int64, values []int64, emit func(pair)) {
				t := int64(0)
				for _, v := range values {
					t += v
				}
				emit(pair{Key: k, Value: t})
			}).DStream()
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			before := cpuTime(b)
			for b.Loop() {
				runRate(b, rows, bb.steps)
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N)/rows, "cpu-ns/row")
		})
	}
}

// keyCounter counts the rows of a key.
type keyCounter struct{ n *tidemill.ValueState[int64] }

func (p keyCounter) Row(_ *tidemill.Call[int64, int64], _ int64) {
	n, _ := p.n.Get()
	p.n.Set(n + 1)
}

func (p keyCounter) Timer(*tidemill.Call[int64, int64], tidemill.TimeKind, time.Time) {}

// BenchmarkKeyedState counts 2 million rows of 100 000 keys in SQL and in state of Go, in CPU time per row. Nothing comes out but what
// must.
func BenchmarkKeyedState(b *testing.B) {
	const rows, keys = 2_000_000, 100_000
	keyOf := func(s tidemill.DStream) tidemill.Stream[int64] {
		return tidemill.As[int64](s.Select("(value * 7919) % " + strconv.Itoa(keys) + " AS k"))
	}
	byKey := func(k int64) int64 { return k }
	for _, bb := range []struct {
		name  string
		steps func(s tidemill.DStream) tidemill.DStream
	}{
		{name: "keys alone", steps: func(s tidemill.DStream) tidemill.DStream { return keyOf(s).DStream() }},
		{name: "sql", steps: func(s tidemill.DStream) tidemill.DStream {
			return keyOf(s).DStream().GroupBy("k").Agg("count(*) AS n")
		}},
		{name: "process", steps: func(s tidemill.DStream) tidemill.DStream {
			return tidemill.Process(keyOf(s), tidemill.ProcessSpec[int64, int64, int64]{
				Key: byKey, New: func(ks *tidemill.KeyedState) tidemill.Processor[int64, int64, int64] {
					return keyCounter{tidemill.NewValueState[int64](ks, "n", tidemill.TTL{})}
				},
			}).DStream()
		}},
		{name: "mapWithState", steps: func(s tidemill.DStream) tidemill.DStream {
			return tidemill.MapWithState(tidemill.KeyBy(keyOf(s), byKey), tidemill.StateSpec[int64, int64, int64, int64]{
				Map: func(_ batch.Interval, _ int64, _ tidemill.Optional[int64], state *tidemill.State[int64], _ func(int64)) {
					state.Update(state.Option().Value + 1)
				},
			}).DStream()
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			before := cpuTime(b)
			for b.Loop() {
				runRate(b, rows, bb.steps)
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N)/rows, "cpu-ns/row")
		})
	}
}

// runRate runs steps over rows of the source rate.
func runRate(b *testing.B, rows int, steps func(s tidemill.DStream) tidemill.DStream) {
	b.Helper()
	job, err := tidemill.New(tidemill.Config{Workers: 2, Stdout: io.Discard, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	s := job.Source("r", "rate:", tidemill.SourceOptions{Options: map[string]string{"rows_per_second": "0", "rows": strconv.Itoa(rows)}})
	steps(s).To("none", "blackhole:", tidemill.SinkOptions{})
	if err := job.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := job.Wait(); err != nil {
		b.Fatal(err)
	}
}
