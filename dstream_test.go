package tidemill_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
)

func Example() {
	job, err := tidemill.New(tidemill.Config{Stdout: os.Stdout})
	if err != nil {
		fmt.Println(err)
		return
	}
	orders := job.Source("orders", "file:examples/orders/orders.csv", tidemill.SourceOptions{
		Format:  "CSV",
		Columns: "id BIGINT, customer TEXT, amount DOUBLE, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '2 seconds'",
		Options: map[string]string{"header": "true"},
	})
	orders.Where("amount > 0").Window("at", 30*time.Second, 30*time.Second).GroupBy("customer").
		Agg("count(*) AS orders", "round(sum(amount), 2) AS total").OrderBy("total DESC").Limit(2).Print()
	if err := job.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	if err := job.Wait(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// start,end,customer,orders,total
	// 2026-03-01T09:00:00Z,2026-03-01T09:00:30Z,ada,32,1825.49
	// 2026-03-01T09:00:00Z,2026-03-01T09:00:30Z,cleo,27,1741.41
	// 2026-03-01T09:00:30Z,2026-03-01T09:01:00Z,cleo,15,1163.09
	// 2026-03-01T09:00:30Z,2026-03-01T09:01:00Z,ada,11,878.17
}

func TestStepsOfAStream(t *testing.T) {
	const input = "3,c,2026-01-01T00:00:03Z\n1,a,2026-01-01T00:00:01Z\n2,b,2026-01-01T00:00:02Z\n11,a,2026-01-01T00:00:11Z\n"
	tests := []struct {
		name  string
		steps func(s tidemill.DStream)
		want  string
	}{
		{name: "all columns", steps: func(s tidemill.DStream) { s.Print() }, want: "n,k,at\n" + input},
		{name: "select, then where", steps: func(s tidemill.DStream) { s.Select("n * 2 AS m").Where("m > 4").Print() }, want: "m\n6\n22\n"},
		{name: "where, then select", steps: func(s tidemill.DStream) { s.Where("n > 2").Select("n * 2 AS m").Print() }, want: "m\n6\n22\n"},
		{name: "where, twice", steps: func(s tidemill.DStream) { s.Where("n > 1").Where("n < 10").Select("n").Print() }, want: "n\n3\n2\n"},
		{name: "select of a select", steps: func(s tidemill.DStream) { s.Select("n + 1 AS m").Select("m * 10 AS x").Print() }, want: "x\n40\n20\n30\n120\n"},
		{name: "the first of rows with equal columns", steps: func(s tidemill.DStream) { s.DropDuplicates("k").Select("n", "k").Print() }, want: "n,k\n3,c\n1,a\n2,b\n"},
		{name: "all rows with a limit, once", steps: func(s tidemill.DStream) { s.Select("n < 3 AS low").DropDuplicates().Print() }, want: "low\nfalse\ntrue\n"},
		{name: "the first of a time", steps: func(s tidemill.DStream) {
			s.DropDuplicatesWithin(10*time.Second, "n < 3").Select("n").Print()
		}, want: "n\n3\n1\n"},
		{name: "order and limit", steps: func(s tidemill.DStream) { s.Select("n", "k").OrderBy("n DESC").Limit(2).Print() }, want: "n,k\n11,a\n3,c\n"},
		{name: "where after a limit", steps: func(s tidemill.DStream) { s.Select("n").OrderBy("n").Limit(3).Where("n > 1").Print() }, want: "n\n2\n3\n"},
		{name: "a stream that is used twice", steps: func(s tidemill.DStream) {
			base := s.Where("n < 10").Select("n")
			base.Where("n = 1").Union(base.Where("n = 3")).OrderBy("n").Print()
		}, want: "n\n1\n3\n"},
		{name: "groups", steps: func(s tidemill.DStream) { s.GroupBy("k").Agg("count(*) AS c", "sum(n) AS t").OrderBy("k").Print() }, want: "k,c,t\na,2,12\nb,1,2\nc,1,3\n"},
		{name: "one group of all", steps: func(s tidemill.DStream) { s.GroupBy().Agg("max(n) AS m").Print() }, want: "m\n11\n"},
		{name: "windows", steps: func(s tidemill.DStream) {
			s.Window("at", 10*time.Second, 10*time.Second).GroupBy("k").Agg("sum(n) AS t").OrderBy("k").Limit(2).Print()
		}, want: "start,end,k,t\n2026-01-01T00:00:00Z,2026-01-01T00:00:10Z,a,1\n2026-01-01T00:00:00Z,2026-01-01T00:00:10Z,b,2\n2026-01-01T00:00:10Z,2026-01-01T00:00:20Z,a,11\n"},
		{name: "quotes in names and texts", steps: func(s tidemill.DStream) { s.Select("concat(k, '''') AS `it``s`").Where("`it``s` = 'c'''").Print() }, want: "it`s\nc'\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := writeFile(t, filepath.Join(t.TempDir(), "it's in.csv"), input)
			var out lockedBuffer
			job := newJob(t, tidemill.Config{Stdout: &out, Interval: time.Hour})
			tt.steps(job.Source("my events", "file:"+path, tidemill.SourceOptions{Columns: "n BIGINT, k TEXT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '5 seconds'"}))
			if err := ends(t, job); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			checkLedger(t, job.Status())
		})
	}
}

func TestStreamGoesToFilesAndFunctions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	job := newJob(t, tidemill.Config{})
	s := numbers(job, numbersFile(t, 250))
	s.Where("n % 100 = 0").To("hundreds", "file:"+dir, tidemill.SinkOptions{Format: "JSON", Options: map[string]string{"roll_rows": "1"}})
	s.GroupBy().Agg("sum(n) AS t").To("total", "file:"+filepath.Join(dir, "total"), tidemill.SinkOptions{Format: "CSV", Mode: "complete"})
	var sum, intervals int64
	s.ForeachBatch("sum", func(_ context.Context, _ batch.Interval, rows arrow.RecordBatch) error {
		intervals++
		for i := range int(rows.NumRows()) {
			sum += rows.Column(0).(*array.Int64).Value(i)
		}
		return nil
	})
	if err := ends(t, job); err != nil {
		t.Fatal(err)
	}
	if got := readSink(t, dir); got != "{\"n\":0}\n{\"n\":100}\n{\"n\":200}\n" {
		t.Errorf("files: %q", got)
	}
	if got := readSink(t, filepath.Join(dir, "total")); !strings.HasSuffix(got, "31125\n") {
		t.Errorf("total: %q", got)
	}
	if sum != 31125 || intervals < 3 {
		t.Errorf("the function saw a sum of %d in %d intervals", sum, intervals)
	}
	checkLedger(t, job.Status())
}
