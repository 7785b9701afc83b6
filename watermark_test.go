package tidemill_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/ingest"
)

// The clock of a bubble begins in 2000: rows of that day are on time.
const todayJob = `CREATE SOURCE s (at TIMESTAMP, k TEXT, WATERMARK FOR at AS at - INTERVAL '0 seconds') FROM 'tcp-listen://127.0.0.1:1' FORMAT CSV %s;
	SELECT window.start, k, count(*) AS n FROM s GROUP BY window(at, '10 seconds'), k`

func TestRowFromTheFarFutureDoesNotMoveTheWatermark(t *testing.T) {
	const rows = "2000-01-01T00:00:05Z,a\n2099-01-01T00:00:00Z,poison\n2000-01-01T00:00:06Z,a\n2000-01-01T00:00:12Z,a\n2000-01-01T00:00:07Z,late\n"
	for _, tt := range []struct {
		name        string
		options     string
		rows        string
		want        string // before the end
		ahead, late int64
	}{
		{
			name: "a day ahead at most by default", rows: rows, want: "2000-01-01T00:00:00Z,a,2", ahead: 1, late: 1,
		},
		{
			name: "off lets one row close all windows", options: "WITH (max_ahead = off)", rows: rows, want: "2000-01-01T00:00:00Z,a,1", late: 3,
		},
		{
			name: "a row as far ahead as allowed moves it", options: "WITH (max_ahead = '1 hour')", late: 1, ahead: 1,
			rows: "2000-01-01T00:00:05Z,a\n2000-01-01T01:00:00Z,b\n2000-01-01T01:00:05Z,c\n2000-01-01T00:00:07Z,late\n",
			want: "2000-01-01T00:00:00Z,a,1",
		},
		{
			name: "a block of rows that are all ahead", options: "WITH (max_ahead = '1 hour')", ahead: 2,
			rows: "2000-01-01T02:00:05Z,a\n2000-01-01T02:00:15Z,b\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out lockedBuffer
				f := newFeed("a")
				job := virtualJob(t, tidemill.Config{Stdout: &out}, fmt.Sprintf(todayJob, tt.options), f, nil)
				f.splits[0] <- tt.rows
				time.Sleep(1500 * time.Millisecond)
				synctest.Wait()
				if got := sortedLines(out.String()); got != tt.want {
					t.Errorf("rows: want %q, got %q", tt.want, got)
				}
				finish(t, job)
				if s := job.Status(); s.Ahead != tt.ahead || s.Late != tt.late {
					t.Errorf("want %d rows ahead, %d late, got %d and %d", tt.ahead, tt.late, s.Ahead, s.Late)
				}
			})
		})
	}
}

// TestRowsAheadOfABoundedSourceMoveTheWatermark reads a file: its rows may be of any time.
func TestRowsAheadOfABoundedSourceMoveTheWatermark(t *testing.T) {
	path := writeFile(t, t.TempDir()+"/in.csv", "2099-01-01T00:00:05Z,a\n2099-01-01T00:00:15Z,a\n2099-01-01T00:00:06Z,late\n")
	for _, tt := range []struct {
		options     string
		ahead, late int64
	}{{options: "", late: 1}, {options: "WITH (max_ahead = '1 hour')", ahead: 3}} {
		_, s := runSQL(t, tidemill.Config{}, `CREATE SOURCE s (at TIMESTAMP, k TEXT, WATERMARK FOR at AS at) FROM 'file:`+path+`' FORMAT CSV `+tt.options+`;
			SELECT count(*) AS n FROM s GROUP BY window(at, '10 seconds')`)
		if s.Ahead != tt.ahead || s.Late != tt.late {
			t.Errorf("%q: want %d rows ahead, %d late, got %d and %d", tt.options, tt.ahead, tt.late, s.Ahead, s.Late)
		}
	}
}

// TestRowsAheadAreTheSameWhenTheJournalIsReplayed kills a job whose rows are in the journal, and starts it again a week later:
// what was ahead when it came in is ahead still.
func TestRowsAheadAreTheSameWhenTheJournalIsReplayed(t *testing.T) {
	dir := t.TempDir()
	run := func(wait time.Duration, lines string, isLast bool) (string, tidemill.Status) {
		var out lockedBuffer
		var s tidemill.Status
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(wait)
			f := newFeed("a")
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			job, err := tidemill.New(tidemill.Config{Stdout: &out, Checkpoint: dir, CommitEvery: time.Hour, Workers: 2})
			must(t, err, job.SQL(fmt.Sprintf(todayJob, "WITH (max_ahead = '1 hour')")), job.ReplaceSource("s", f), job.Start(ctx))
			f.splits[0] <- lines
			time.Sleep(2500 * time.Millisecond)
			if isLast {
				close(f.splits[0])
			} else {
				kill()
			}
			if err := job.Wait(); isLast && err != nil {
				t.Error(err)
			}
			s = job.Status()
		})
		return out.String(), s
	}
	if out, s := run(0, "2000-01-01T00:00:05Z,a\n2000-01-04T00:00:00Z,poison\n2000-01-01T00:00:06Z,a\n", false); out != "" || s.Ahead != 1 {
		t.Errorf("the first run printed %q, and had %d rows ahead", out, s.Ahead)
	}
	out, s := run(7*24*time.Hour, "2000-01-01T00:00:07Z,a\n", true)
	if diff := cmp.Diff("2000-01-01T00:00:00Z,a,3\n2000-01-04T00:00:00Z,poison,1", sortedLines(out)); diff != "" || s.Ahead != 1 || s.Late != 0 {
		t.Errorf("%d rows ahead, %d late, rows (-want +got):\n%s", s.Ahead, s.Late, diff)
	}
}

// joiningFeed is a feed of which the last split appears when it is asked to.
type joiningFeed struct {
	*feed
	join     chan struct{}
	complete chan struct{}
}

func (f *joiningFeed) Open(_ context.Context, after map[string]ingest.Position, events func(ingest.SplitEvent)) error {
	last := len(f.names) - 1
	for i, name := range f.names[:last] {
		events(ingest.SplitEvent{Split: int32(i), Name: name, Start: after[name].Upto})
	}
	go func() {
		defer close(f.complete)
		select {
		case <-f.join:
			events(ingest.SplitEvent{Split: int32(last), Name: f.names[last], Late: true})
		case <-f.stop:
		}
	}()
	return nil
}

func (f *joiningFeed) Complete() <-chan struct{} { return f.complete }

func TestSplitThatAppearsLateStartsAtTheClosedWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		f := &joiningFeed{feed: newFeed("a", "b"), join: make(chan struct{}), complete: make(chan struct{})}
		job, err := tidemill.New(tidemill.Config{Stdout: &out, Workers: 2})
		must(t, err, job.SQL(fmt.Sprintf(todayJob, "")), job.ReplaceSource("s", f), job.Start(t.Context()))
		f.splits[0] <- "2000-01-01T00:00:05Z,a\n2000-01-01T00:00:13Z,a\n"
		time.Sleep(1500 * time.Millisecond)
		close(f.join)
		synctest.Wait()
		// The first of b is older than what closed, and late; the second one as old as that, in a window that is open; the last one
		// is late by the rows of b itself.
		f.splits[1] <- "2000-01-01T00:00:04Z,b\n2000-01-01T00:00:12Z,b\n2000-01-01T00:00:25Z,b\n2000-01-01T00:00:13Z,own\n"
		f.splits[0] <- "2000-01-01T00:00:26Z,a\n"
		time.Sleep(1000 * time.Millisecond)
		synctest.Wait()
		if got, want := sortedLines(out.String()), "2000-01-01T00:00:00Z,a,1\n2000-01-01T00:00:10Z,a,1\n2000-01-01T00:00:10Z,b,1"; got != want {
			t.Errorf("rows: want %q, got %q", want, got)
		}
		finish(t, job)
		if s := job.Status(); s.Behind != 2 || s.Late != 2 {
			t.Errorf("want 2 rows behind, 2 late, got %d and %d", s.Behind, s.Late)
		}
	})
}
