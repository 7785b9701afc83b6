package tidemill_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// feed is a source whose splits are written by the test. It can't replay and has no end until its splits are closed.
type feed struct {
	names  []string
	splits []chan string
	stop   chan struct{}
}

func newFeed(names ...string) *feed {
	f := &feed{names: names, stop: make(chan struct{})}
	for range names {
		f.splits = append(f.splits, make(chan string))
	}
	return f
}

func (f *feed) Open(_ context.Context, after map[string]ingest.Position, events func(ingest.SplitEvent)) error {
	for i, name := range f.names {
		events(ingest.SplitEvent{Split: int32(i), Name: name, Start: after[name].Upto})
	}
	return nil
}

func (f *feed) Read(ctx context.Context, split int32, w *ingest.BlockWriter) error {
	for {
		select {
		case text, ok := <-f.splits[split]:
			if !ok {
				return w.End(ctx)
			}
			if err := w.Write(ctx, []byte(text)); err != nil {
				return err
			}
		case <-f.stop:
			return ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *feed) Bounded() bool { return false }

func (f *feed) Replayable() bool { return false }

func (f *feed) Acknowledge(context.Context, int32, ingest.Offset) error { return nil }

func (f *feed) Close() error {
	close(f.stop)
	return nil
}

// virtualJob starts a job in a bubble whose source s is a feed. The bubble's clock begins in 2000: rows of later days move no
// watermark unless the source says max_ahead = off.
func virtualJob(t *testing.T, cfg tidemill.Config, script string, f *feed, describe func(job *tidemill.Context)) *tidemill.Context {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	if cfg.Workers == 0 {
		cfg.Workers = 2
	}
	job, err := tidemill.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := job.SQL(script); err != nil {
		t.Fatal(err)
	}
	if describe != nil {
		describe(job)
	}
	if f != nil {
		if err := job.ReplaceSource("s", f); err != nil {
			t.Fatal(err)
		}
	}
	if err := job.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return job
}

// finish stops a job and asserts that it left nothing.
func finish(t *testing.T, job *tidemill.Context) {
	t.Helper()
	end(t, job)
	checkLedger(t, job.Status())
}

// end is finish for a job whose state is older than itself.
func end(t *testing.T, job *tidemill.Context) {
	t.Helper()
	job.Stop()
	if err := job.Wait(); err != nil {
		t.Error(err)
	}
	if held := job.MemoryHeld(); held != 0 {
		t.Errorf("%d bytes are still held after the job", held)
	}
}

func TestArrivalTimeWindowsCloseAtTheTickThatEndsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		f := newFeed("a")
		job := virtualJob(t, tidemill.Config{Stdout: &out}, `CREATE SOURCE s FROM 'tcp-listen://127.0.0.1:1' FORMAT TEXT;
			SELECT window.end, value, count(*) AS n FROM s GROUP BY window(arrival_time, '2 seconds'), value`, f, nil)
		time.Sleep(100 * time.Millisecond)
		f.splits[0] <- "x\nx\n"
		time.Sleep(1500 * time.Millisecond)
		f.splits[0] <- "x\n"
		time.Sleep(300 * time.Millisecond) // 1.9 s: the window is open
		synctest.Wait()
		if got := out.String(); got != "" {
			t.Errorf("before the end of the window: %q", got)
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if got := out.String(); got != "end,value,n\n2000-01-01T00:00:02Z,x,3\n" {
			t.Errorf("after the end of the window: %q", got)
		}
		finish(t, job)
	})
}

func TestEmptyIntervalStillTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed("a")
		var calls []string
		job := virtualJob(t, tidemill.Config{CommitEvery: time.Millisecond}, `CREATE SOURCE s FROM 'tcp-listen://127.0.0.1:1' FORMAT TEXT`, f, func(job *tidemill.Context) {
			job.Table("s").Select("value").ForeachBatch("rows", func(_ context.Context, iv batch.Interval, rows arrow.RecordBatch) error {
				calls = append(calls, fmt.Sprintf("%s %d", iv.End, rows.NumRows()))
				return nil
			})
		})
		time.Sleep(1500 * time.Millisecond)
		f.splits[0] <- "x\ny\n"
		time.Sleep(2 * time.Second)
		synctest.Wait()
		want := []string{"2000-01-01T00:00:01Z 0", "2000-01-01T00:00:02Z 2", "2000-01-01T00:00:03Z 0"}
		if diff := cmp.Diff(want, calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		finish(t, job)
	})
}

func TestCountOfAnEmptyIntervalIsZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		f := newFeed("a")
		job := virtualJob(t, tidemill.Config{Stdout: &out, Mode: "append"}, `CREATE SOURCE s FROM 'tcp-listen://127.0.0.1:1' FORMAT TEXT;
			SELECT window.end, count(*) AS n FROM s GROUP BY window(arrival_time, '1 second')`, f, nil)
		time.Sleep(1500 * time.Millisecond)
		f.splits[0] <- "x\ny\n"
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := out.String(); got != "end,n\n2000-01-01T00:00:02Z,2\n" {
			t.Errorf("windows without rows have no group: got %q", got)
		}
		finish(t, job)
	})
	synctest.Test(t, func(t *testing.T) {
		var counts []int64
		f := newFeed("a")
		job := virtualJob(t, tidemill.Config{CommitEvery: time.Millisecond}, `CREATE SOURCE s FROM 'tcp-listen://127.0.0.1:1' FORMAT TEXT`, f, func(job *tidemill.Context) {
			job.Table("s").GroupBy().Agg("count(*) AS n").ForeachBatch("count", func(_ context.Context, _ batch.Interval, rows arrow.RecordBatch) error {
				for i := range int(rows.NumRows()) {
					counts = append(counts, rows.Column(0).(*array.Int64).Value(i))
				}
				return nil
			})
		})
		time.Sleep(1500 * time.Millisecond)
		f.splits[0] <- "x\ny\n"
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(counts) == 0 || counts[0] != 0 || counts[len(counts)-1] != 2 {
			t.Errorf("counts: want 0 at first and 2 at last, got %v", counts)
		}
		finish(t, job)
	})
}

func TestJobThatFellBehindRunsOneIntervalOrEach(t *testing.T) {
	for _, each := range []bool{false, true} {
		t.Run(fmt.Sprintf("each=%t", each), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := tidemill.NewManualClock(time.Now())
				var ends []string
				f := newFeed("a")
				job := virtualJob(t, tidemill.Config{Clock: clock, ReplayEveryTick: each}, `CREATE SOURCE s FROM 'tcp-listen://127.0.0.1:1' FORMAT TEXT`, f,
					func(job *tidemill.Context) {
						job.Table("s").ForeachBatch("rows", func(_ context.Context, iv batch.Interval, _ arrow.RecordBatch) error {
							ends = append(ends, iv.End.String()[17:19])
							return nil
						})
					})
				synctest.Wait()
				clock.Advance(time.Second)
				synctest.Wait()
				clock.Advance(4 * time.Second)
				synctest.Wait()
				want := []string{"01", "05"}
				if each {
					want = []string{"01", "02", "03", "04", "05"}
				}
				if diff := cmp.Diff(want, ends); diff != "" {
					t.Errorf("intervals (-want +got):\n%s", diff)
				}
				finish(t, job)
			})
		})
	}
}

const eventJob = `CREATE SOURCE s (at TIMESTAMP, k TEXT, WATERMARK FOR at AS at - INTERVAL '0 seconds') FROM 'tcp-listen://127.0.0.1:1' FORMAT CSV
	WITH (max_ahead = off);
	SELECT window.start, k, count(*) AS n FROM s GROUP BY window(at, '10 seconds'), k`

func TestIdleSplitIsSetAsideAndAllIdleFollowTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		f := newFeed("a", "b")
		job := virtualJob(t, tidemill.Config{Stdout: &out}, eventJob, f, nil)
		f.splits[0] <- "2026-01-01T00:00:05Z,a\n"
		f.splits[1] <- "2026-01-01T00:00:03Z,b\n"
		for range 8 { // b is quiet, and holds the window open
			time.Sleep(time.Second)
			f.splits[0] <- "2026-01-01T00:00:12Z,a\n"
		}
		synctest.Wait()
		if got := out.String(); got != "" {
			t.Errorf("while b may still come: %q", got)
		}
		for range 4 {
			time.Sleep(time.Second)
			f.splits[0] <- "2026-01-01T00:00:12Z,a\n"
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if got := sortedLines(out.String()); got != "2026-01-01T00:00:00Z,a,1\n2026-01-01T00:00:00Z,b,1" {
			t.Errorf("when b was set aside: %q", got)
		}
		// b wakes: a row that is older than what closed without it is late.
		f.splits[1] <- "2026-01-01T00:00:04Z,b\n2026-01-01T00:00:13Z,b\n"
		time.Sleep(25 * time.Second) // both are idle: the watermark moves with the clock
		synctest.Wait()
		if got := sortedLines(out.String()); !strings.Contains(got, "2026-01-01T00:00:10Z,a,12\n2026-01-01T00:00:10Z,b,1") {
			t.Errorf("when all were idle: %q", got)
		}
		finish(t, job)
		if s := job.Status(); s.Late != 1 || s.Behind != 1 {
			t.Errorf("want 1 late row, of a split that was set aside, got %d and %d", s.Late, s.Behind)
		}
	})
}

func TestStopLeavesOpenWindowsInTheCheckpoint(t *testing.T) {
	dir := t.TempDir()
	run := func(lines string, isLast bool) string {
		var out lockedBuffer
		synctest.Test(t, func(t *testing.T) {
			f := newFeed("a")
			job := virtualJob(t, tidemill.Config{Stdout: &out, Checkpoint: dir}, eventJob, f, nil)
			f.splits[0] <- lines
			time.Sleep(1500 * time.Millisecond)
			if isLast {
				close(f.splits[0])
				if err := job.Wait(); err != nil {
					t.Error(err)
				}
			}
			end(t, job)
		})
		return out.String()
	}
	if got := run("2026-01-01T00:00:01Z,a\n2026-01-01T00:00:02Z,b\n", false); got != "" {
		t.Errorf("the first run printed %q", got)
	}
	if got := run("2026-01-01T00:00:03Z,a\n", false); got != "" {
		t.Errorf("the second run printed %q", got)
	}
	if got := sortedLines(run("2026-01-01T00:00:04Z,a\n", true)); got != "2026-01-01T00:00:00Z,a,3\n2026-01-01T00:00:00Z,b,1" {
		t.Errorf("the last run printed %q", got)
	}
}

func TestCommitCadence(t *testing.T) {
	tests := []struct {
		name  string
		every time.Duration
		want  uint64 // after ten intervals of 100 ms with rows
	}{
		{name: "every interval", every: time.Millisecond, want: 10},
		{name: "every 300 ms", every: 300 * time.Millisecond, want: 3},
		{name: "not before its time", every: time.Hour, want: 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out lockedBuffer
				f := newFeed("a")
				job := virtualJob(t, tidemill.Config{Stdout: &out, Interval: 100 * time.Millisecond, CommitEvery: tt.every},
					"CREATE SOURCE s FROM 'tcp-listen://127.0.0.1:1' FORMAT TEXT; SELECT value FROM s", f, nil)
				for range 10 {
					time.Sleep(50 * time.Millisecond)
					f.splits[0] <- "x\n"
					time.Sleep(50 * time.Millisecond)
				}
				time.Sleep(50 * time.Millisecond)
				synctest.Wait()
				visible := strings.Count(out.String(), "x\n")
				time.Sleep(60 * time.Millisecond) // an interval without rows: nothing to commit, but its status tells of the last commit
				synctest.Wait()
				if got := job.Status().Commit; got < tt.want || got > tt.want+1 {
					t.Errorf("commits: want %d, got %d", tt.want, got)
				}
				if tt.want == 0 && visible != 0 {
					t.Errorf("%d rows are visible before the commit", visible)
				}
				finish(t, job)
				if n := strings.Count(out.String(), "x\n"); n != 10 {
					t.Errorf("rows in the end: want 10, got %d", n)
				}
			})
		})
	}
}
