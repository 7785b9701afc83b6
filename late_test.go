package tidemill_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/internal/vfs"
)

const lateJob = `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second') FROM 'file:%s/' FORMAT CSV WITH (%s);
CREATE SINK w INTO 'file:/job/out/w' FORMAT CSV WITH (lateness = '3 seconds', late = 'file:/job/out/late', late_format = 'CSV') AS
  SELECT window.start, window.end, user, count(*) AS c, sum(n) AS s FROM e GROUP BY window(at, '10 seconds', '5 seconds'), user`

// expectLate returns the rows that count for no window of 10 seconds every 5, where the watermark of a file is its largest time
// minus delay.
func expectLate(files [][]event, delay time.Duration) string {
	var lines []string
	for _, file := range files {
		largest := time.Time{}
		for _, r := range file {
			lastEnd := r.at.Truncate(5 * time.Second).Add(10 * time.Second)
			if !largest.IsZero() && !lastEnd.After(largest.Add(-delay)) {
				lines = append(lines, fmt.Sprintf("%s,%s,%d", r.at.Format("2006-01-02T15:04:05.999999Z"), r.user, r.n))
			}
			if r.at.After(largest) {
				largest = r.at
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// runLate runs the job on a file system, and kills it when it has read killAfter rows, if that is not 0.
func runLate(t *testing.T, fs vfs.FS, input string, rows, workers int, killAfter int64) tidemill.Status {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	job, err := tidemill.New(tidemill.Config{
		FS: fs, Checkpoint: crashState, CommitEvery: 1, Workers: workers, BlockBytes: 4 << 10,
		Clock:  &creepingClock{now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)},
		Stdout: io.Discard, Log: slog.New(slog.DiscardHandler),
		OnStatus: func(s tidemill.Status) {
			if killAfter > 0 && s.RowsIn >= killAfter {
				kill()
			}
		},
	})
	must(t, err, job.SQL(fmt.Sprintf(lateJob, input, fmt.Sprintf("max_rows_per_interval = %d", rows))), job.Start(ctx))
	if err := job.Wait(); err != nil && (killAfter == 0 || !errors.Is(err, context.Canceled)) {
		t.Fatal(err)
	}
	if held := job.MemoryHeld(); held != 0 {
		t.Errorf("%d bytes are still held after the job", held)
	}
	return job.Status()
}

// TestLateRowsDoNotDependOnHowInputIsCut compares the windows and the late rows themselves with what a row at a time gives.
func TestLateRowsDoNotDependOnHowInputIsCut(t *testing.T) {
	dir := t.TempDir()
	files := disordered(3, 3000)
	writeEvents(t, dir, files)
	windows, numLate := expectWindows(files, 10*time.Second, 5*time.Second, 4*time.Second)
	want := map[string]string{"w": windows + "\n", "late": expectLate(files, 4*time.Second)}
	if numLate < 10 || int64(strings.Count(want["late"], "\n")) != numLate {
		t.Fatalf("%d late rows are expected, %d are counted", strings.Count(want["late"], "\n"), numLate)
	}
	check := func(t *testing.T, fs vfs.FS) {
		t.Helper()
		got := make(map[string]string)
		for sink := range want {
			lines := sinkLines(t, fs, path.Join(crashOut, sink))
			slices.Sort(lines)
			got[sink] = strings.Join(lines, "\n") + "\n"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	}
	for _, rows := range []int{50, 111, 200, 350, 500, 999, 1500, 2500, 5000, 9000} {
		for _, workers := range []int{1, 2, 5} {
			t.Run(fmt.Sprintf("rows=%d/workers=%d", rows, workers), func(t *testing.T) {
				fs := vfs.NewMem()
				status := runLate(t, fs, dir, rows, workers, 0)
				check(t, fs)
				checkLedger(t, status)
				if status.Late != numLate {
					t.Errorf("late rows: want %d, got %d", numLate, status.Late)
				}
			})
			t.Run(fmt.Sprintf("rows=%d/workers=%d/killed", rows, workers), func(t *testing.T) {
				fs := vfs.NewMem()
				runLate(t, fs, dir, rows, workers, 3000)
				runLate(t, fs, dir, rows*2/3, 1+workers%3, 0)
				check(t, fs)
			})
		}
	}
}

func TestLateRowsGoToASinkOfTheCallers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := disordered(3, 2000)
	writeEvents(t, dir, files)
	job := newJob(t, tidemill.Config{Lateness: time.Second})
	s := job.Source("e", "file:"+dir+"/", tidemill.SourceOptions{
		Format: "CSV", Columns: "at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second'",
	})
	late := &collector{}
	s.Window("at", 10*time.Second, 5*time.Second).GroupBy("user").Agg("count(*) AS c").
		To("w", "blackhole:", tidemill.SinkOptions{LateTo: late})
	if err := ends(t, job); err != nil {
		t.Fatal(err)
	}
	if want := strings.Count(expectLate(files, 2*time.Second), "\n"); len(late.rows) != want || want == 0 || job.Status().Late != int64(want) {
		t.Errorf("late rows: want %d, got %d in the sink and %d in the status", want, len(late.rows), job.Status().Late)
	}
}
