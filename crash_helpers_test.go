package tidemill_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/internal/vfs"
)

var fullFlag = flag.Bool("full", false, "crash at every operation, not at some that the seed chooses")

// errPower is what every file operation returns once the power is gone.
var errPower = errors.New("power is gone")

const (
	crashState = "/job/state"
	crashOut   = "/job/out"
)

// crashJob is a bounded job that is broken and has to come to the same end. Its checkpoint and sinks are below /job of the file
// system that it is run on, its input is in real files.
type crashJob struct {
	name   string
	script string // DIR is the directory of the input
	sinks  []string
	// steps, if set, adds what SQL has no words for.
	steps func(job *tidemill.Context)
	// isPerInterval says that rows depend on where intervals are cut: then only what each key has last is compared, and that no
	// row comes twice.
	isPerInterval bool
	// isByClock says that rows depend on what the clock shows: windows over intervals, and the first and last row to arrive.
	isByClock bool
}

var crashJobs = []crashJob{
	{name: "rows and timers processed per key", sinks: []string{"visits"}, steps: processed, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/' FORMAT CSV WITH (max_rows_per_interval = 120)`},
	{name: "rows mapped with the state of their key", sinks: []string{"mapped"}, steps: mapped, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT) FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 60)`},
	{name: "windows over intervals in Go", sinks: []string{"running", "rows"}, steps: typedWindows, isByClock: true, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT) FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 60)`},
	{name: "stateless", sinks: []string{"all"}, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT) FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 60);
CREATE SINK all INTO 'file:OUT/all' FORMAT CSV AS SELECT user, n, at FROM e WHERE n >= 10`},
	{name: "files of columns", sinks: []string{"w", "all"}, script: `
CREATE SOURCE a (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/_arrow/' FORMAT ARROW WITH (max_rows_per_interval = 70);
CREATE SOURCE p (at TIMESTAMP, user TEXT, n BIGINT) FROM 'file:DIR/_parquet/' FORMAT PARQUET WITH (max_rows_per_interval = 60, ordered = true);
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT window.start, user, count(*) AS c, sum(n) AS s FROM a GROUP BY window(at, '2 seconds', '1 second'), user;
CREATE SINK all INTO 'file:OUT/all' FORMAT CSV AS SELECT user, n, at FROM p WHERE n >= 10`},
	{name: "windowed", sinks: []string{"w"}, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/' FORMAT CSV WITH (max_rows_per_interval = 120);
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT window.start, user, count(*) AS c, sum(n) AS s, min(n) AS lo FROM e GROUP BY window(at, '2 seconds', '1 second'), user`},
	{name: "cumulating windows", sinks: []string{"w"}, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/' FORMAT CSV WITH (max_rows_per_interval = 120);
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT cumulate_window.end, user, count(*) AS c, max(n) AS hi FROM e GROUP BY cumulate_window(at, '1 second', '3 seconds'), user`},
	{name: "aggregates that keep values", sinks: []string{"w"}, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/' FORMAT CSV WITH (max_rows_per_interval = 120);
CREATE SINK w INTO 'file:OUT/w' FORMAT JSON AS
  SELECT window.end, user, count(DISTINCT n) AS c, variance(n) AS v, collect_list(n) AS l, approx_count_distinct(n) AS a, median(n) AS m
  FROM e GROUP BY window(at, '2 seconds', '1 second'), user`},
	{name: "windows of rows", sinks: []string{"w"}, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT) FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 60);
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT count_window.start, user, sum(n) AS s, max(at) AS last FROM e GROUP BY count_window(7, 3), user`},
	{name: "sessions", sinks: []string{"w"}, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/' FORMAT CSV WITH (max_rows_per_interval = 120);
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT session_window.start, user, count(*) AS c, sum(n) AS s, min(n) AS lo FROM e GROUP BY session_window(at, '200 milliseconds'), user`},
	{name: "keyed update", sinks: []string{"u"}, isPerInterval: true, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT) FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 60);
CREATE SINK u INTO 'file:OUT/u' FORMAT CSV AS SELECT user, count(*) AS c, sum(n) AS s FROM e GROUP BY user`},
	{name: "early updates", sinks: []string{"u"}, isPerInterval: true, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 60);
CREATE SINK u INTO 'file:OUT/u' FORMAT CSV WITH (mode = 'update', early = '50 microseconds', lateness = '500 milliseconds') AS
  SELECT concat(user, ' ', CAST(window.end AS TEXT)) AS k, count(*) AS c, sum(n) AS s FROM e GROUP BY window(at, '2 seconds', '1 second'), user`},
	{name: "late rows", sinks: []string{"w", "late"}, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '100 milliseconds')
  FROM 'file:DIR/' FORMAT CSV WITH (max_rows_per_interval = 120);
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV WITH (lateness = '200 milliseconds', late = 'file:OUT/late', late_format = 'CSV') AS
  SELECT window.start, user, count(*) AS c FROM e GROUP BY window(at, '1 second'), user`},
	{name: "two sinks", sinks: []string{"all", "w"}, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 70);
CREATE SINK all INTO 'file:OUT/all' FORMAT JSON WITH (compression = 'none', roll_rows = 25) AS SELECT user, n FROM e;
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV WITH (roll_rows = 9) AS
  SELECT window.end, user, count(*) AS c FROM e GROUP BY window(at, '1 second'), user`},
	{name: "distinct", sinks: []string{"d", "first"}, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 60);
CREATE SINK d INTO 'file:OUT/d' FORMAT CSV AS SELECT DISTINCT user, date_trunc('SECOND', at) AS second, at FROM e;
CREATE SINK first INTO 'file:OUT/first' FORMAT CSV AS SELECT DISTINCT ON (user) WITHIN INTERVAL '500 milliseconds' * FROM e`},
	{name: "chosen rows", isByClock: true, sinks: []string{"c"}, isPerInterval: true, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT) FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 60);
CREATE SINK c INTO 'file:OUT/c' FORMAT CSV AS SELECT user, first(n) AS f, last(at) AS l, max_by(n, at) AS m FROM e GROUP BY user`},
	{name: "over", sinks: []string{"near", "top"}, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 60);
CREATE SINK near INTO 'file:OUT/near' FORMAT CSV AS
  SELECT user, at, row_number() OVER w AS rn, lead(n) OVER w AS after, sum(n) OVER w AS s
  FROM e WINDOW w AS (PARTITION BY user ORDER BY at ROWS BETWEEN 2 PRECEDING AND CURRENT ROW);
CREATE SINK top INTO 'file:OUT/top' FORMAT CSV AS
  SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY start ORDER BY c DESC, user) AS rn
    FROM (SELECT window.start, user, count(*) AS c FROM e GROUP BY window(at, '2 seconds'), user)) WHERE rn <= 2`},
	{name: "union", sinks: []string{"w"}, script: `
CREATE SOURCE a (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 60);
CREATE SOURCE b (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/part-1.csv' FORMAT CSV WITH (max_rows_per_interval = 45);
CREATE VIEW both AS SELECT at, user, n FROM a UNION ALL SELECT at, user, n FROM b;
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT window.end, user, count(*) AS c, max(n) AS hi FROM both GROUP BY window(at, '2 seconds'), user`},
	{name: "patterns", sinks: []string{"m"}, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/' FORMAT CSV WITH (max_rows_per_interval = 120);
CREATE SINK m INTO 'file:OUT/m' FORMAT CSV AS SELECT * FROM e MATCH_RECOGNIZE (PARTITION BY user ORDER BY at
    MEASURES A.at AS a, B.at AS b, A.n AS low, B.n AS high PATTERN (A X* B) WITHIN INTERVAL '3' SECONDS
    DEFINE A AS n < 50, X AS X.n >= A.n AND X.n < 80, B AS n >= 80) AS m`},
	{name: "versions", sinks: []string{"v"}, script: `
CREATE SOURCE a (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 60);
CREATE SOURCE b (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/part-1.csv' FORMAT CSV WITH (max_rows_per_interval = 45);
CREATE SINK v INTO 'file:OUT/v' FORMAT CSV AS
  SELECT a.user, a.at, a.n, b.at AS since, b.n AS price FROM a LEFT JOIN b FOR SYSTEM_TIME AS OF a.at ON a.user = b.user`},
	{name: "table", sinks: []string{"j", "w"}, script: `
CREATE SOURCE a (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 60);
CREATE TABLE users (name TEXT, level BIGINT) FROM 'file:DIR/_users.csv' FORMAT CSV;
CREATE SINK j INTO 'file:OUT/j' FORMAT CSV AS SELECT at, user, n, level FROM a JOIN users ON user = name WHERE n > 80;
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT window.end, level, count(*) AS c FROM a LEFT JOIN users ON user = name GROUP BY window(at, '2 seconds'), level`},
	{name: "join", sinks: []string{"j"}, script: `
CREATE SOURCE a (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (max_rows_per_interval = 60);
CREATE SOURCE b (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/part-1.csv' FORMAT CSV WITH (max_rows_per_interval = 45);
CREATE SINK j INTO 'file:OUT/j' FORMAT CSV AS
  SELECT a.user, a.at, a.n, b.at AS bt, b.n AS m FROM a FULL JOIN b
    ON a.user = b.user AND a.at BETWEEN b.at - INTERVAL '300 milliseconds' AND b.at AND b.n > a.n`},
}

// creepingClock moves on by a microsecond whenever it is looked at, and never ticks: every interval ends by its number of rows,
// the same each time, and is committed.
type creepingClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *creepingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Microsecond)
	return c.now
}

func (c *creepingClock) Wait(ctx context.Context, _ time.Time) error {
	<-ctx.Done()
	return ctx.Err()
}

// crashBench has the input of the jobs, and what they give when nothing breaks.
type crashBench struct {
	t    *testing.T
	job  crashJob
	dir  string
	want map[string]string
	rng  *rand.Rand

	points, runs int
}

func newCrashBench(t *testing.T, job crashJob) *crashBench {
	t.Helper()
	t.Logf("-seed=%d", *seed)
	b := &crashBench{t: t, job: job, dir: t.TempDir(), rng: rand.New(rand.NewPCG(*seed, 3))}
	writeEvents(t, b.dir, disordered(5, 300))
	if strings.Contains(job.script, "DIR/_arrow") {
		writeColumns(t, b.dir)
	}
	mem := vfs.NewMem()
	if err := b.run(mem); err != nil {
		t.Fatal(err)
	}
	b.want = b.results(mem)
	for name, rows := range b.want {
		if strings.Count(rows, "\n") < 5 {
			t.Fatalf("sink %s has too few rows to lose one: %q", name, rows)
		}
	}
	t.Cleanup(func() { t.Logf("crash points visited: %d, runs: %d", b.points, b.runs) })
	return b
}

// run runs the job to its end on a file system.
func (b *crashBench) run(fs vfs.FS) error { return b.runWith(fs, func(*tidemill.Config) {}) }

func (b *crashBench) runWith(fs vfs.FS, change func(*tidemill.Config)) error {
	b.t.Helper()
	b.runs++
	cfg := tidemill.Config{
		FS: fs, Checkpoint: crashState, CommitEvery: 1, Workers: 2, BlockBytes: 2 << 10,
		Clock: &creepingClock{now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)},
	}
	change(&cfg)
	cfg = withParquet(cfg)
	return runToEnd(b.t, cfg, strings.NewReplacer("DIR", b.dir, "OUT", crashOut).Replace(b.job.script), b.job.steps)
}

// runToEnd runs a job and returns its error.
func runToEnd(t *testing.T, cfg tidemill.Config, script string, steps func(*tidemill.Context)) error {
	t.Helper()
	cfg.Stdout, cfg.Log = io.Discard, slog.New(slog.DiscardHandler)
	job, err := tidemill.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := job.SQL(script); err != nil {
		t.Fatal(err)
	}
	if steps != nil {
		steps(job)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	defer watch(t, cancel)()
	if err = job.Start(ctx); err == nil {
		err = job.Wait()
	}
	if held := job.MemoryHeld(); held != 0 {
		t.Errorf("%d bytes are still held after the job, which ended with %v", held, err)
	}
	return err
}

// results returns the rows of each sink: sorted, but for a job whose rows depend on where intervals are cut.
func (b *crashBench) results(fs vfs.FS) map[string]string {
	b.t.Helper()
	all := make(map[string]string)
	for _, sink := range b.job.sinks {
		rows := sinkLines(b.t, fs, path.Join(crashOut, sink))
		if b.job.isPerInterval {
			rows = lastOfEach(b.t, rows)
		} else {
			slices.Sort(rows)
		}
		all[sink] = strings.Join(rows, "\n") + "\n"
	}
	return all
}

// lastOfEach returns the last row of each key, the first column, and fails where a row comes twice.
func lastOfEach(t *testing.T, rows []string) []string {
	t.Helper()
	last := make(map[string]string)
	seen := make(map[string]bool)
	for _, row := range rows {
		if seen[row] {
			t.Errorf("row comes twice: %s", row)
		}
		seen[row] = true
		key, _, _ := strings.Cut(row, ",")
		last[key] = row
	}
	var all []string
	for _, row := range last {
		all = append(all, row)
	}
	slices.Sort(all)
	return all
}

// sinkLines returns the lines in the visible files of a sink, in order of name.
func sinkLines(t *testing.T, fs vfs.FS, dir string) []string {
	t.Helper()
	var all []string
	for _, name := range fileNames(t, fs, dir) {
		if strings.HasPrefix(name, ".") {
			continue
		}
		text := strings.TrimSuffix(string(fileBytes(t, fs, path.Join(dir, name))), "\n")
		if text != "" {
			all = append(all, strings.Split(text, "\n")...)
		}
	}
	return all
}

// fileNames returns the names of the files in a directory, none if it is missing.
func fileNames(t *testing.T, fs vfs.FS, dir string) []string {
	t.Helper()
	entries, err := fs.ReadDir(dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

func fileBytes(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bytes, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// check compares what the sinks have with the undisturbed run, and looks for what should have been removed.
func (b *crashBench) check(fs vfs.FS, how string) {
	b.t.Helper()
	if diff := cmp.Diff(b.want, b.results(fs)); diff != "" {
		b.t.Fatalf("%s: rows (-want +got):\n%s", how, diff)
	}
	for _, sink := range b.job.sinks {
		for _, name := range fileNames(b.t, fs, path.Join(crashOut, sink)) {
			if strings.HasPrefix(name, ".") {
				b.t.Fatalf("%s: sink %s: staged file is left: %s", how, sink, name)
			}
		}
	}
}

// finish runs what a failure left to its end and compares.
func (b *crashBench) finish(fs vfs.FS, how string) {
	b.t.Helper()
	if err := b.run(fs); err != nil {
		b.t.Fatalf("%s: restart: %v", how, err)
	}
	b.check(fs, how)
}

// places returns the operations to fail at, from 1 on: every one, or about n that are chosen by chance.
func (b *crashBench) places(n int) func(yield func(int64) bool) {
	mem := vfs.NewFailing(vfs.NewMem(), vfs.FailSpec{})
	if err := b.run(mem); err != nil {
		b.t.Fatal(err)
	}
	step := max(1, mem.Ops()/int64(n))
	if *fullFlag {
		step = 1
	}
	return func(yield func(int64) bool) {
		for at := int64(1); ; at++ {
			if step > 1 {
				at += b.rng.Int64N(2*step - 1)
			}
			b.points++
			if !yield(at) {
				return
			}
		}
	}
}

// copyOf returns a file system with the same durable files.
func copyOf(t *testing.T, fs vfs.FS, dir string) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	var walk func(dir string)
	walk = func(dir string) {
		must(t, mem.MkdirAll(dir))
		entries, err := fs.ReadDir(dir)
		must(t, err)
		for _, e := range entries {
			name := filepath.ToSlash(filepath.Join(dir, e.Name()))
			if e.IsDir() {
				walk(name)
				continue
			}
			writeBytes(t, mem, name, fileBytes(t, fs, name))
		}
		must(t, mem.SyncDir(dir))
	}
	walk(dir)
	must(t, mem.SyncDir("/"))
	return mem
}

func writeBytes(t *testing.T, fs vfs.FS, name string, bytes []byte) {
	t.Helper()
	f, err := fs.Create(name)
	must(t, err)
	_, err = f.Write(bytes)
	must(t, err, f.Sync(), f.Close())
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func place(n int64) string { return fmt.Sprintf("operation %d", n) }
