package tidemill_test

import (
	"io"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
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
				job, err := tidemill.New(tidemill.Config{Workers: 2, Stdout: io.Discard, Log: slog.New(slog.DiscardHandler)})
				if err != nil {
					b.Fatal(err)
				}
				s := job.Source("r", "rate:", tidemill.SourceOptions{Options: map[string]string{"rows_per_second": "0", "rows": strconv.Itoa(rows)}})
				bb.steps(s).To("none", "blackhole:", tidemill.SinkOptions{})
				if err := job.Start(b.Context()); err != nil {
					b.Fatal(err)
				}
				if err := job.Wait(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N)/rows, "cpu-ns/row")
		})
	}
}
