package tidemill_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
)

// sampleJob is the job that wrote the samples in testdata/checkpoints.
const sampleJob = `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, x DOUBLE, WATERMARK FOR at AS at - INTERVAL '1 second') FROM 'stdin:' FORMAT CSV;
CREATE SINK hot INTO 'file:%s' FORMAT CSV AS
  SELECT window.end AS at, user, count(*) AS c, sum(n) AS s, avg(x) AS m, max(user) AS u FROM e GROUP BY window(at, '10 seconds', '5 seconds'), user;
CREATE SINK total INTO 'blackhole:' AS SELECT n %% 2 = 0 AS even, min(at) AS first, count(x) AS c FROM e GROUP BY n %% 2 = 0`

// The input of the sample: what its commit has, what its journal has, and what comes after.
var sampleInput = [3]string{
	"2026-01-01T00:00:01Z,ada,1,0.5\n2026-01-01T00:00:06Z,bob,2,\n2026-01-01T00:00:09Z,ada,3,NaN\n2026-01-01T00:00:04Z,bob,4,1\n",
	"2026-01-01T00:00:12Z,ada,10,2\n2026-01-01T00:00:08Z,cy,7,3\n",
	"2026-01-01T00:00:16Z,bob,20,1.5\n2026-01-01T00:00:21Z,,5,\n",
}

// sampleRows is what the sinks have of it in the end.
const sampleRows = `2026-01-01T00:00:05Z,ada,1,1,0.5,ada
2026-01-01T00:00:10Z,ada,2,4,NaN,ada
2026-01-01T00:00:10Z,bob,2,6,1.0,bob
2026-01-01T00:00:15Z,ada,2,13,NaN,ada
2026-01-01T00:00:15Z,bob,1,2,,bob
2026-01-01T00:00:15Z,cy,1,7,3.0,cy
2026-01-01T00:00:20Z,ada,1,10,2.0,ada
2026-01-01T00:00:20Z,bob,1,20,1.5,bob
2026-01-01T00:00:25Z,,1,5,,
2026-01-01T00:00:25Z,bob,1,20,1.5,bob
2026-01-01T00:00:30Z,,1,5,,`

// runOnStdin runs the sample job over some input. It ends the job gracefully where the input ends; or kills it, when it has
// read rows and has committed nothing.
func runOnStdin(t *testing.T, state, out, input string, killAfter int64) {
	t.Helper()
	stdin, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if _, err := io.WriteString(writer, input); err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(context.Background())
	defer kill()
	cfg := tidemill.Config{
		Checkpoint: state, Stdin: stdin, Interval: time.Millisecond, CommitEvery: time.Hour, Log: slog.New(slog.DiscardHandler),
	}
	cfg.OnStatus = func(s tidemill.Status) {
		if killAfter > 0 && s.RowsIn >= killAfter {
			kill()
		}
	}
	job, err := tidemill.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := job.SQL(fmt.Sprintf(sampleJob, out)); err != nil {
		t.Fatal(err)
	}
	if killAfter == 0 {
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := job.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := job.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if killAfter > 0 {
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSampleCheckpointsGoOn starts from directories that released versions wrote, each with a commit, and a journal of what was
// received after it, and compares the output with that of a job that was never interrupted.
func TestSampleCheckpointsGoOn(t *testing.T) {
	if *rewrite {
		writeSampleCheckpoint(t, filepath.Join("testdata", "checkpoints", "v1"))
	}
	for _, version := range []string{"v1"} {
		t.Run(version, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "out")
			sample := filepath.Join("testdata", "checkpoints", version)
			state := filepath.Join(dir, "state")
			if err := os.CopyFS(state, os.DirFS(filepath.Join(sample, "state"))); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(out, os.DirFS(filepath.Join(sample, "out"))); err != nil {
				t.Fatal(err)
			}
			if got := changeOf(t, tidemill.Config{}, fmt.Sprintf(sampleJob, out), state); got != "kept hot.aggregate/panes:\nkept hot.aggregate/progress:\nkept hot.aggregate/windows:\nkept total.aggregate/panes:\nkept source e:\n" {
				t.Errorf("change: %s", got)
			}
			runOnStdin(t, state, out, sampleInput[2], 0)
			if diff := cmp.Diff(sampleRows, sortedLines("header\n"+readSink(t, out))); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// writeSampleCheckpoint writes a sample of the current format: a version that was released is not written again.
func writeSampleCheckpoint(t *testing.T, sample string) {
	t.Helper()
	if err := os.RemoveAll(sample); err != nil {
		t.Fatal(err)
	}
	state, out := filepath.Join(sample, "state"), filepath.Join(sample, "out")
	runUntilStopped(t, state, out)
	runOnStdin(t, state, out, sampleInput[1], 2)
	if err := os.Remove(filepath.Join(state, "LOCK")); err != nil {
		t.Fatal(err)
	}
}

// runUntilStopped runs the sample job over the first part of the input, with a commit and a graceful stop: stdin stays open.
func runUntilStopped(t *testing.T, state, out string) {
	t.Helper()
	stdin, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	defer writer.Close()
	if _, err := io.WriteString(writer, sampleInput[0]); err != nil {
		t.Fatal(err)
	}
	runUntil(t, tidemill.Config{Checkpoint: state, Stdin: stdin, CommitEvery: time.Hour}, fmt.Sprintf(sampleJob, out), 4)
}
