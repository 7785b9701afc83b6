package tidemill_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/streamtest"
)

type click struct {
	User string
	N    int64
	At   time.Time
}

type scored struct {
	User  string
	Score float64
	At    time.Time `tidemill:"at,event"`
}

const clicks = "ada,1,2026-01-01T00:00:01Z\nbob,2,2026-01-01T00:00:02Z\nada,3,2026-01-01T00:00:11Z\nbob,,2026-01-01T00:00:12Z\nada,5,2026-01-01T00:00:03Z\n" +
	"cy,13,2026-01-01T00:00:25Z\n"

// clicksOf is a source of clicks, in which the row of 00:00:03 is late for a window of 10 s.
func clicksOf(t *testing.T, job *tidemill.Context) tidemill.DStream {
	t.Helper()
	path := writeFile(t, filepath.Join(t.TempDir(), "in.csv"), clicks)
	return job.Source("clicks", "file:"+path, tidemill.SourceOptions{
		Columns: "user TEXT, n BIGINT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '1 second'",
	})
}

func TestTypedStepsOfAJob(t *testing.T) {
	isOdd := func(c click) bool { return c.N%2 == 1 }
	for _, tt := range []struct {
		name      string
		steps     func(s tidemill.DStream)
		want      string
		bad, late int64
		why       string
	}{
		{
			name: "rows with NULL are bad, where a field can't be NULL", bad: 1, why: "column n is NULL",
			steps: func(s tidemill.DStream) { tidemill.As[click](s).Filter(isOdd).DStream().Select("n", "user").Print() },
			want:  "n,user\n1,ada\n3,ada\n5,ada\n13,cy\n",
		},
		{
			name: "an Optional takes NULL", want: "n\n1\n2\n3\n-1\n5\n13\n",
			steps: func(s tidemill.DStream) {
				type row struct{ N tidemill.Optional[int64] }
				tidemill.Map(tidemill.As[row](s), func(r row) struct{ N int64 } {
					if !r.N.Valid {
						return struct{ N int64 }{-1}
					}
					return struct{ N int64 }{r.N.Value}
				}).DStream().Print()
			},
		},
		{
			name: "a filter keeps watermarks, so that windows of SQL follow", bad: 1, why: "column n is NULL", late: 1,
			steps: func(s tidemill.DStream) {
				tidemill.As[click](s).Filter(isOdd).DStream().Window("at", 10*time.Second, 10*time.Second).Agg("sum(n) AS n").Print()
			},
			want: "start,end,n\n2026-01-01T00:00:00Z,2026-01-01T00:00:10Z,1\n2026-01-01T00:00:10Z,2026-01-01T00:00:20Z,3\n2026-01-01T00:00:20Z,2026-01-01T00:00:30Z,13\n",
		},
		{
			name: "a time that is tagged as event time keeps them, too", bad: 1, why: "column n is NULL", late: 1,
			steps: func(s tidemill.DStream) {
				tidemill.FlatMap(tidemill.As[click](s), func(c click, emit func(scored)) {
					emit(scored{c.User, float64(c.N), c.At})
					emit(scored{c.User, float64(c.N) / 2, c.At})
				}).Filter(func(s scored) bool { return s.User != "bob" && s.Score == float64(int(s.Score)) }).DStream().
					Window("at", 10*time.Second, 10*time.Second).Agg("count(*) AS n", "sum(score) AS score").Print()
			},
			want: "start,end,n,score\n2026-01-01T00:00:00Z,2026-01-01T00:00:10Z,1,1.0\n2026-01-01T00:00:10Z,2026-01-01T00:00:20Z,1,3.0\n2026-01-01T00:00:20Z,2026-01-01T00:00:30Z,1,13.0\n",
		},
		{
			name: "a panic makes a bad row, with the name of the function", bad: 1, why: "map tidemill_test.tenOver panics: runtime error: integer divide by zero",
			steps: func(s tidemill.DStream) {
				tidemill.Map(tidemill.As[int64](s.Select("coalesce(n, 0) AS n")), tenOver).DStream().Print()
			},
			want: "value\n10\n5\n3\n2\n0\n",
		},
		{
			name: "rows that a flatMap emitted before it panicked do not come out", bad: 1, why: "panics: 13",
			steps: func(s tidemill.DStream) {
				tidemill.FlatMap(tidemill.As[int64](s.Where("n > 2").Select("n")), func(n int64, emit func(int64)) {
					emit(n)
					if n == 13 {
						panic(n)
					}
				}).DStream().Print()
			},
			want: "value\n3\n5\n",
		},
		{
			name: "a panic of a filter, of a key, and of what is put together", bad: 3, why: "panics",
			steps: func(s tidemill.DStream) {
				n := tidemill.As[int64](s.Where("n > 0").Select("n"))
				n.Filter(func(n int64) bool { return 10/(n-2) > -100 }).DStream().Print()
				byKey := tidemill.KeyBy(n, func(n int64) int64 { return 10 / (n - 1) * 0 })
				tidemill.ReduceByKey(byKey, func(a, b int64) int64 { return 10 / (b - 5) }).DStream().Where("false").Print()
			},
			want: "n\n1\n3\n5\n13\n",
		},
		{
			name: "a stream that is used twice is computed once, and SQL knows it", want: "a,b\n6,6\n",
			steps: func(s tidemill.DStream) {
				calls := 0
				once := tidemill.Map(tidemill.As[int64](s.Select("coalesce(n, 0) AS n")), func(int64) int64 { calls++; return int64(calls) }).DStream()
				once.GroupBy().Agg("max(value) AS a", "count(*) AS b").Print()
				once.Where("value > 6").To("none", "blackhole:", tidemill.SinkOptions{})
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out lockedBuffer
			job := newJob(t, tidemill.Config{Stdout: &out, Interval: time.Hour, Workers: 1})
			tt.steps(clicksOf(t, job))
			if err := ends(t, job); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			status := job.Status()
			checkLedger(t, status)
			if status.Bad != tt.bad || status.Late != tt.late {
				t.Errorf("want %d bad and %d late rows, got %d and %d", tt.bad, tt.late, status.Bad, status.Late)
			}
			for _, b := range job.BadRows() {
				for _, row := range b.First {
					if !strings.Contains(row.Why, tt.why) {
						t.Errorf("bad row: want %q in %q", tt.why, row.Why)
					}
				}
			}
		})
	}
}

func tenOver(n int64) int64 { return 10 / n }

func TestMistakesOfStreamsAreReportedByCheck(t *testing.T) {
	other, _ := tidemill.New(tidemill.Config{})
	for _, tt := range []struct {
		name  string
		steps func(s tidemill.DStream)
		want  string
	}{
		{name: "a type that is no row", want: "field A: []int can't be a column", steps: func(s tidemill.DStream) {
			tidemill.As[struct{ A []int }](s).DStream().Print()
		}},
		{name: "a column that the stream has not", want: `unknown column "amount"`, steps: func(s tidemill.DStream) {
			tidemill.As[struct{ Amount float64 }](s).Count().DStream().Print()
		}},
		{name: "a column of another type", want: `column "n" is BIGINT, that of struct { N string } is TEXT`, steps: func(s tidemill.DStream) {
			tidemill.Map(tidemill.As[struct{ N string }](s), func(struct{ N string }) int64 { return 0 }).DStream().Print()
		}},
		{name: "a value of several columns", want: "int64 has 1 columns, the rows have 3", steps: func(s tidemill.DStream) {
			tidemill.As[int64](s).Filter(func(int64) bool { return true }).DStream().Print()
		}},
		{name: "a window that is no multiple", want: "window: its size must be a multiple of how often the stream has rows: size 3s, rows every 2s", steps: func(s tidemill.DStream) {
			tidemill.As[click](s).Window(4*time.Second, 2*time.Second).Window(3*time.Second, 2*time.Second).DStream().Print()
		}},
		{name: "a union of different slides", want: "union: the streams have different slides: 1s and 2s", steps: func(s tidemill.DStream) {
			c := tidemill.As[click](s)
			c.Union(c.Window(2*time.Second, 2*time.Second)).DStream().Print()
		}},
		{name: "streams of different jobs", want: "the streams are of different jobs", steps: func(s tidemill.DStream) {
			a, b := tidemill.As[int64](s.Select("n")), tidemill.As[int64](other.Table("t"))
			tidemill.TransformWith(a, b, func(batch.Interval, []int64, []int64, func(int64)) error { return nil }).DStream().Print()
		}},
		{name: "Named without state", want: `the stream named "x" keeps no state`, steps: func(s tidemill.DStream) {
			tidemill.As[click](s).Named("x").DStream().Print()
		}},
		{name: "Keep without Inverse", want: "Keep needs Inverse", steps: func(s tidemill.DStream) {
			p := tidemill.KeyBy(tidemill.As[int64](s.Select("n")), func(n int64) int64 { return n })
			tidemill.ReduceByKeyAndWindow(p, tidemill.WindowReduce[int64, int64]{
				Size: time.Second, Slide: time.Second, Reduce: sum, Keep: func(int64, int64) bool { return true },
			}).DStream().Print()
		}},
		{name: "a window over a result that changes", want: "is an updating result", steps: func(s tidemill.DStream) {
			type total struct{ T int64 }
			tidemill.As[total](s.GroupBy("user").Agg("sum(n) AS t")).Window(time.Second, time.Second).DStream().Print()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			job := newJob(t, tidemill.Config{})
			tt.steps(clicksOf(t, job))
			if err := job.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error: want %q in it, got %v", tt.want, err)
			}
		})
	}
}

func TestErrorsAndPanicsOfIntervalsStopTheJob(t *testing.T) {
	for _, tt := range []struct {
		name string
		fn   func(iv batch.Interval, rows []click, emit func(int64)) error
		want string
	}{
		{name: "an error", fn: func(batch.Interval, []click, func(int64)) error { return errors.New("no luck") }, want: "no luck"},
		{name: "a panic", fn: func(batch.Interval, []click, func(int64)) error { panic("no luck") }, want: "panics: no luck"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			job := newJob(t, tidemill.Config{})
			tidemill.Transform(tidemill.As[click](clicksOf(t, job)), tt.fn).DStream().Print()
			if err := ends(t, job); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error: want %q in it, got %v", tt.want, err)
			}
		})
	}
}

func TestStateOfStreamsIsFoundByName(t *testing.T) {
	job := newJob(t, tidemill.Config{})
	s := tidemill.As[int64](clicksOf(t, job).Select("n"))
	s.Window(2*time.Second, time.Second).DStream().Print()
	s.CountByWindow(2*time.Second, time.Second).DStream().Print()
	s.ReduceByWindow(sum, time.Second, time.Second).Named("sums").DStream().Print()
	tidemill.CountByValueAndWindow(s, time.Second, time.Second).DStream().Print()
	plan, err := job.Plan()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range plan.Nodes {
		if n.Name != "" {
			names = append(names, n.Name)
		}
	}
	if diff := cmp.Diff([]string{"window1", "window2", "sums", "reduceByKeyAndWindow1"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	golden(t, "testdata/dstreams/plan.txt", plan.String())
}

func TestPrintAndRemember(t *testing.T) {
	var out lockedBuffer
	var remembered *tidemill.Remembered[int64]
	streamtest.Operation(t, streamtest.Spec[int64]{
		Batches: [][]int64{{1, 2, 3}, {}, {4}, {5, 6}}, Config: tidemill.Config{Stdout: &out},
	}, func(s tidemill.Stream[int64]) tidemill.Stream[int64] {
		s.Print(2)
		remembered = s.Remember("last", 2*time.Second)
		return s
	})
	const line = "-------------------------------------------\n"
	want := line + "Time: 946684801000 ms\n" + line + "1\n2\n...\n\n" + line + "Time: 946684802000 ms\n" + line + "\n" + line + "Time: 946684803000 ms\n" + line + "4\n\n"
	if got := out.String(); !strings.HasPrefix(got, want) {
		t.Errorf("printed:\nwant %s\ngot  %s", want, got)
	}
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows [][]int64
	for _, r := range remembered.Slice(start, start.Add(4*time.Second)) {
		rows = append(rows, r.Rows)
	}
	if diff := cmp.Diff([][]int64{{4}, {5, 6}}, rows); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
	if got := remembered.Slice(start, start.Add(3*time.Second)); len(got) != 1 || got[0].Rows[0] != 4 {
		t.Errorf("up to the third interval: %v", got)
	}
}

func TestQueueThatIsDoneEndsTheJob(t *testing.T) {
	for _, all := range []bool{false, true} {
		var out lockedBuffer
		job := newJob(t, tidemill.Config{Stdout: &out, Interval: 10 * time.Millisecond})
		q, s := tidemill.QueueStream[click](job, "q", tidemill.QueueOptions{AllAtOnce: all})
		q.Push(click{User: "ada", N: 1})
		q.Push()
		q.Push(click{User: "bob", N: 2}, click{User: "cy", N: 3})
		q.Done()
		s.DStream().Select("user", "n").Print()
		if err := ends(t, job); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != "user,n\nada,1\nbob,2\ncy,3\n" {
			t.Errorf("all at once %t: %q", all, got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if err := q.Wait(ctx); err != nil {
			t.Error(err)
		}
		q.Push(click{})
		cancel()
		if err := q.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a batch that nobody takes: %v", err)
		}
	}
}
