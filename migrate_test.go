package tidemill_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
)

// runUntil runs a job until it has read a number of rows, stops it gracefully, and returns what it printed.
func runUntil(t *testing.T, cfg tidemill.Config, script string, rows int64) string {
	t.Helper()
	var out lockedBuffer
	cfg.Stdout, cfg.Log = &out, slog.New(slog.DiscardHandler)
	if cfg.Interval == 0 {
		cfg.Interval = time.Millisecond
	}
	read := make(chan struct{}, 1)
	cfg.OnStatus = func(s tidemill.Status) {
		if s.RowsIn >= rows {
			select {
			case read <- struct{}{}:
			default:
			}
		}
	}
	job, err := tidemill.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := job.SQL(script); err != nil {
		t.Fatal(err)
	}
	if err := job.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-read:
	case <-job.Done():
	}
	job.Stop()
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	if held := job.MemoryHeld(); held != 0 {
		t.Errorf("%d bytes are still held after the job", held)
	}
	return out.String()
}

// changeOf returns what a checkpoint means to a job, a line per table and source.
func changeOf(t *testing.T, cfg tidemill.Config, script, dir string) string {
	t.Helper()
	job, err := tidemill.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := job.SQL(script); err != nil {
		t.Fatal(err)
	}
	m, err := job.Against(dir)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, c := range m.Changes {
		fmt.Fprintf(&text, "%s %s\n", c.Fate, strings.TrimSpace(c.Name+": "+strings.Join(c.Why, "; ")))
	}
	return strings.ReplaceAll(text.String(), ": \n", ":\n")
}

// filesIn returns the bytes of all files below a directory, but of its lock.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "LOCK" {
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

const (
	sumJob    = "SELECT user, sum(n) AS s FROM e GROUP BY user"
	sumWindow = "SELECT window.end AS at, user, sum(n) AS s FROM e GROUP BY window(at, '10 seconds', '5 seconds'), user"
)

func TestJobChangesBetweenTwoRuns(t *testing.T) {
	tests := []struct {
		name          string
		before, after string
		types         string // of column n after the change, BIGINT by default
		drop          []string
		change        string
		want          string // rows of the second run; of a refused one, what its error has
		refused       bool
	}{
		{
			name: "the same job goes on", before: sumJob, after: sumJob,
			change: "kept select1.aggregate/panes:\nkept source e:\n",
			want:   "a,14\nb,22",
		},
		{
			name: "an aggregate that is added starts from now", before: sumJob,
			after:  "SELECT user, sum(n) AS s, max(n) AS m, count(n * 2) AS c FROM e GROUP BY user",
			change: "migrated select1.aggregate/panes: m, max(n), is new: it starts from now; c, count(n * 2), is new: it starts from now\nkept source e:\n",
			want:   "a,14,10,1\nb,22,20,1",
		},
		{
			name: "an aggregate that others imply is exact", before: sumJob,
			after: "SELECT user, count(*) AS c, avg(n) AS m, count(n) AS k, sum(n) AS s FROM e GROUP BY user",
			change: "migrated select1.aggregate/panes: c, count(*), is new: it is made of the rows that groups have; m, avg(n), is new: it is made of what sum(n) keeps; " +
				"k, count(n), is new: it is made of what sum(n) keeps\nkept source e:\n",
			want: "a,3,4.666666666666667,3,14\nb,2,11.0,2,22",
		},
		{
			name: "an aggregate is dropped", before: "SELECT user, max(n) AS m, sum(n) AS s FROM e GROUP BY user", after: sumJob,
			change: "migrated select1.aggregate/panes: m, max(n), is dropped\nkept source e:\n",
			want:   "a,14\nb,22",
		},
		{
			name: "an aggregate and a key are renamed", before: sumJob, after: "SELECT user AS u, sum(n) AS total FROM e GROUP BY u",
			change: "migrated select1.aggregate/panes: key user is renamed to u; s, sum(n), is renamed to total\nkept source e:\n",
			want:   "a,14\nb,22",
		},
		{
			name: "a column is widened", types: "DOUBLE",
			before: "SELECT user, sum(n) AS s, min(n) AS l, avg(n) AS m, count(n) AS c FROM e GROUP BY user",
			after:  "SELECT user, sum(n) AS s, min(n) AS l, avg(n) AS m, count(n) AS c FROM e GROUP BY user",
			change: "migrated select1.aggregate/panes: s: sum(n) is widened from BIGINT to DOUBLE; l: min(n) is widened from BIGINT to DOUBLE; " +
				"m: avg(n) is widened from BIGINT to DOUBLE\nkept source e:\n",
			want: "a,14.0,1.0,4.666666666666667,3\nb,22.0,2.0,11.0,2",
		},
		{
			name:   "keys change their order",
			before: "SELECT user, n % 2 AS odd, count(*) AS c FROM e GROUP BY user, n % 2", after: "SELECT user, n % 2 AS odd, count(*) AS c FROM e GROUP BY n % 2, user",
			change: "rebuilt select1.aggregate/panes: the order of the keys changed\nkept source e:\n",
			want:   "a,0,1\nb,0,2",
		},
		{
			name: "a filter changes for rows from now on", before: sumJob, after: "SELECT user, sum(n) AS s FROM e WHERE n < 15 GROUP BY user",
			change: "kept select1.aggregate/panes:\nkept source e:\n",
			want:   "a,14",
		},
		{
			name: "windows go on with one more aggregate", before: sumWindow,
			after: "SELECT window.end AS at, user, count(*) AS c, sum(n) AS s FROM e GROUP BY window(at, '10 seconds', '5 seconds'), user",
			change: "migrated select1.aggregate/panes: c, count(*), is new: it is made of the rows that groups have\n" +
				"kept select1.aggregate/progress:\n" +
				"kept source e:\n",
			want: "2026-01-01T00:00:05Z,a,1,1\n2026-01-01T00:00:10Z,a,2,4\n2026-01-01T00:00:10Z,b,1,2\n" +
				"2026-01-01T00:00:15Z,a,2,13\n2026-01-01T00:00:15Z,b,1,2\n2026-01-01T00:00:20Z,a,1,10\n2026-01-01T00:00:20Z,b,1,20\n2026-01-01T00:00:25Z,b,1,20",
		},
		{
			name: "a longer window is refused", before: sumWindow, refused: true,
			after:  "SELECT window.end AS at, user, sum(n) AS s FROM e GROUP BY window(at, '20 seconds', '5 seconds'), user",
			change: "rows were divided into window(at, 10 s, 5 s), this job has window(at, 20 s, 5 s): what was counted can't be divided again",
		},
		{
			name: "a window instead of none is refused", before: sumJob, refused: true, after: sumWindow,
			change: "rows were divided into no window, this job has window(at, 10 s, 5 s)",
		},
		{
			name: "a tumbling window instead of a sliding one is refused", before: sumWindow, refused: true,
			after:  "SELECT window.end AS at, user, sum(n) AS s FROM e GROUP BY window(at, '10 seconds'), user",
			change: "refused select1.aggregate/progress: the operator does not keep it any more, since its window is another",
		},
		{
			name: "a key that is added is refused", before: sumJob, refused: true,
			after:  "SELECT user, n % 2 AS odd, sum(n) AS s FROM e GROUP BY user, n % 2",
			change: " is new: of rows that were counted it is not known",
		},
		{
			name: "a key that is gone is refused", before: "SELECT user, n % 2 AS odd, sum(n) AS s FROM e GROUP BY user, n % 2", refused: true,
			after:  sumJob,
			change: " is gone: groups that were apart would become one",
		},
		{
			name: "an aggregate of something else under the old name is refused", before: sumJob, refused: true,
			after:  "SELECT user, sum(n * 2) AS s FROM e GROUP BY user",
			change: "s was sum(n), is sum(n * 2): give it another name to start it from now",
		},
		{
			name: "a sink that is renamed is refused, and found", before: sumJob, refused: true,
			after:  "CREATE SINK hot INTO 'file:OUT' FORMAT CSV AS " + sumJob,
			change: "the job has no operator of this name, but hot.aggregate computes the same: state is found by the name of the sink",
		},
		{
			name: "state that the job has no use for is given up on request", before: sumWindow, drop: []string{"select1.aggregate"},
			after:  sumJob,
			change: "dropped select1.aggregate/panes: rows were divided into window(at, 10 s, 5 s), this job has no window: what was counted can't be divided again\n",
			want:   "a,10\nb,20",
		},
		{
			name: "state that the job can use is not given up", before: sumJob, after: sumJob, drop: []string{"select1.aggregate", "e"},
			change: "kept select1.aggregate/panes:\nkept source e:\n",
			want:   "a,14\nb,22",
		},
		{
			name: "a source that is renamed is refused", before: sumJob, refused: true,
			after:  strings.ReplaceAll(sumJob, "FROM e", "FROM f"),
			change: "refused source e: the job has no source of this name, and would forget how far it was read (1 splits): name it as it was, or give it up with --drop-state e\nnew source f:\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			state := filepath.Join(dir, "state")
			input := filepath.Join(dir, "in.csv")
			part1 := "2026-01-01T00:00:01Z,a,1\n2026-01-01T00:00:06Z,b,2\n2026-01-01T00:00:06Z,a,3\n"
			script := func(query, types string, follow bool) string {
				name := "e"
				if strings.Contains(query, "FROM f") {
					name = "f"
				}
				return fmt.Sprintf("CREATE SOURCE %s (at TIMESTAMP, user TEXT, n %s, WATERMARK FOR at AS at - INTERVAL '1 second') FROM 'file:%s' FORMAT CSV WITH (follow = %t);\n%s",
					name, types, input, follow, strings.ReplaceAll(query, "OUT", filepath.Join(dir, "out")))
			}
			writeFile(t, input, part1)
			first := runUntil(t, tidemill.Config{Checkpoint: state}, script(tt.before, "BIGINT", true), 3)
			if tt.types == "" {
				tt.types = "BIGINT"
			}
			after := script(tt.after, tt.types, false)
			cfg := tidemill.Config{Checkpoint: state, DropState: tt.drop}
			files := filesIn(t, state)
			if got := changeOf(t, cfg, after, state); !strings.Contains(got, tt.change) {
				t.Errorf("change: want %q in it, got %q", tt.change, got)
			}
			writeFile(t, input, part1+"2026-01-01T00:00:12Z,a,10\n2026-01-01T00:00:16Z,b,20\n")
			got, _, err := tryRun(t, cfg, after)
			if tt.refused {
				if !errors.Is(err, tidemill.ErrRefused) {
					t.Fatalf("start: want ErrRefused, got %v", err)
				}
				if diff := cmp.Diff(files, filesIn(t, state)); diff != "" {
					t.Errorf("files of a refused start (-want +got):\n%s", diff)
				}
				if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
					t.Errorf("a refused start made something: %v, %v", entries, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			rows := sortedLines(got)
			if strings.Contains(tt.before, "window(") && strings.Contains(tt.after, "window(") { // some came out in the first run
				rows = withCount(t, sortedLines(first), rows)
			}
			if diff := cmp.Diff(tt.want, rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if got := changeOf(t, tidemill.Config{}, after, state); strings.Contains(got, "migrated") || strings.Contains(got, "rebuilt") {
				t.Errorf("after the second run the state is not the job's: %s", got)
			}
		})
	}
}

// withCount returns the rows of both runs, those of the first one with the count that they lack.
func withCount(t *testing.T, first, second string) string {
	t.Helper()
	var all []string
	for _, line := range strings.Fields(first) {
		cells := strings.Split(line, ",")
		all = append(all, strings.Join(slices.Insert(cells, 2, "1"), ","))
	}
	all = append(all, strings.Fields(second)...)
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// TestRestartUnderAnotherSetting stops a job in the midst of its input and goes on with other settings.
func TestRestartUnderAnotherSetting(t *testing.T) {
	base := tidemill.Config{Workers: 2, BlockBytes: 4 << 10, Interval: time.Millisecond, CommitEvery: time.Millisecond}
	tests := []struct {
		name   string
		change func(*tidemill.Config)
	}{
		{"with more workers", func(c *tidemill.Config) { c.Workers = 7 }},
		{"with one worker", func(c *tidemill.Config) { c.Workers = 1 }},
		{"with a longer interval", func(c *tidemill.Config) { c.Interval = 50 * time.Millisecond }},
		{"with rarer commits", func(c *tidemill.Config) { c.CommitEvery = time.Hour }},
		{"with larger blocks", func(c *tidemill.Config) { c.BlockBytes = 256 << 10 }},
		{"with less memory", func(c *tidemill.Config) { c.MemoryBytes = 64 << 20 }},
		{"with images of zstd", func(c *tidemill.Config) { c.Compression = "zstd" }},
		{"with images that are not compressed", func(c *tidemill.Config) { c.Compression = "none" }},
	}
	files := disordered(3, 4000)
	want, _ := expectWindows(files, 10*time.Second, 5*time.Second, time.Second)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			input, state := filepath.Join(dir, "in"), filepath.Join(dir, "state")
			writeEvents(t, input, files)
			script := fmt.Sprintf(windowJob, input, " WITH (max_rows_per_interval = 500)")
			cfg := base
			cfg.Checkpoint = state
			first := runUntil(t, cfg, script, 3000)
			tt.change(&cfg)
			second, _ := runSQL(t, cfg, script)
			all := append(strings.Fields(sortedLines(first)), strings.Fields(sortedLines(second))...)
			slices.Sort(all)
			if diff := cmp.Diff(want, strings.Join(all, "\n")); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimesOfAWindowChangeBetweenTwoRuns(t *testing.T) {
	const source = "CREATE SOURCE e (at TIMESTAMP, user TEXT, WATERMARK FOR at AS at) FROM 'file:%s' FORMAT CSV WITH (max_rows_per_interval = 2);\n"
	const sink = "CREATE SINK w INTO 'blackhole:' WITH (mode = 'update'%s) AS SELECT window.end, user, count(*) AS n FROM e GROUP BY window(at, '10 seconds'), user"
	tests := []struct {
		name, before, after string
		want                string
	}{
		{
			name: "a longer lateness would open windows again", before: "", after: ", lateness = '5 seconds'",
			want: "refused w.aggregate/panes: lateness was 0 s, is 5 s: windows that have closed, and whose rows are gone, would open again; " +
				"run the job as it was, start with an empty directory, or give it up with --drop-state w.aggregate\nkept source e:\n",
		},
		{
			name: "a shorter lateness closes them earlier", before: ", lateness = '5 seconds'", after: ", lateness = '2 seconds'",
			want: "migrated w.aggregate/panes: lateness was 5 s, is 2 s: windows close earlier\nkept source e:\n",
		},
		{
			name: "early results begin", before: "", after: ", early = '1 second'",
			want: "migrated w.aggregate/panes: early results are new\nkept source e:\n",
		},
		{
			name: "early results end", before: ", early = off", after: "",
			want: "migrated w.aggregate/panes: there are no early results any more\n" +
				"dropped w.aggregate/progress: windows come out in another way, for which it is not needed\nkept source e:\n",
		},
		{
			name: "early results come more often", before: ", early = off", after: ", early = '1 second'",
			want: "kept w.aggregate/panes:\nkept w.aggregate/progress:\nkept source e:\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			state := filepath.Join(dir, "state")
			path := writeFile(t, filepath.Join(dir, "in.csv"), "2026-01-01T00:00:01Z,a\n2026-01-01T00:00:02Z,b\n2026-01-01T00:00:03Z,a\n")
			script := func(with string) string { return fmt.Sprintf(source, path) + fmt.Sprintf(sink, with) }
			runUntil(t, tidemill.Config{Checkpoint: state, CommitEvery: 1}, script(tt.before), 2)
			got := changeOf(t, tidemill.Config{}, script(tt.after), state)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Fatalf("changes (-want +got):\n%s", diff)
			}
			if !strings.HasPrefix(got, "refused") {
				runSQL(t, tidemill.Config{Checkpoint: state}, script(tt.after))
			}
		})
	}
}
