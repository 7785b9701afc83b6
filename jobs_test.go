package tidemill_test

import (
	"context"
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

// matrixJob is a job whose rows must not depend on how it is run. In script DIR is the directory of the input, two files of
// disordered events (at, user, n), OUT that of the output, and CUT the option that ends intervals.
type matrixJob struct {
	name   string
	script string
	sinks  []string
	// source, if set, makes the source that script reads, which ends intervals after cut rows.
	source func(t *testing.T, job *tidemill.Context, cut int)
	// steps, if set, adds what SQL has no words for.
	steps func(job *tidemill.Context)
	// minRows is how many rows each sink has at least, so that there is something to compare.
	minRows int
}

const eventSource = `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/' FORMAT CSV WITH (CUT);`

// matrixJobs has a job for each kind of operator with state, and for combinations that have been wrong once.
var matrixJobs = []matrixJob{
	{name: "rows and timers processed per key", sinks: []string{"visits"}, minRows: 40, steps: processed, script: eventSource},
	{name: "rows mapped with the state of their key", sinks: []string{"mapped"}, minRows: 200, steps: mapped, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT) FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (CUT);`},
	{name: "windows over intervals in Go", sinks: []string{"running", "rows"}, minRows: 40, script: eventSource, steps: typedWindows},
	{name: "files of columns", sinks: []string{"a", "p"}, minRows: 40, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/_arrow/' FORMAT ARROW WITH (CUT);
CREATE SOURCE f (n BIGINT, user TEXT, at TIMESTAMP) FROM 'file:DIR/_parquet/' FORMAT PARQUET WITH (CUT);
CREATE SINK a INTO 'file:OUT/a' FORMAT CSV AS
  SELECT window.start, user, count(*) AS c, sum(n) AS s FROM e GROUP BY window(at, '4 seconds', '1 second'), user;
CREATE SINK p INTO 'file:OUT/p' FORMAT CSV AS SELECT user, n, at FROM f WHERE n >= 10 AND at > TIMESTAMP '2000-01-01 00:00:00'`},
	{name: "sliding windows", sinks: []string{"w"}, minRows: 40, script: eventSource + `
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT window.start, user, count(*) AS c, sum(n) AS s, min(n) AS lo, max(n) AS hi, avg(n) AS mean
  FROM e GROUP BY window(at, '4 seconds', '1 second'), user`},
	{name: "late rows", sinks: []string{"w", "late"}, minRows: 20, script: eventSource + `
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV WITH (lateness = '2 seconds', late = 'file:OUT/late') AS
  SELECT window.start, user, count(*) AS c, sum(n) AS s FROM e WHERE n > 3 GROUP BY window(at, '4 seconds', '2 seconds'), user`},
	{name: "aggregates that keep values", sinks: []string{"w", "s", "g"}, minRows: 4, script: eventSource + `
CREATE SINK w INTO 'file:OUT/w' FORMAT JSON AS
  SELECT window.start, user, count(DISTINCT n) AS c, sum(DISTINCT n) AS s, stddev(n) AS d, corr(n, n * n) AS r, collect_list(n) AS l,
    collect_set(n) AS u, median(n) AS m, approx_percentile(n, 0.9) AS p, mode(n) AS o, approx_count_distinct(n) AS a,
    listagg(n, ' ') FILTER (WHERE n > 5) AS t, count_if(n < 3) AS i, bool_and(n > 0) AS b, bit_xor(n) AS x, skewness(n) AS k, kurtosis(n) AS q, percentile(n, array(0.1, 0.9)) AS y
  FROM e GROUP BY window(at, '10 seconds', '1 second'), user;
CREATE SINK s INTO 'file:OUT/s' FORMAT JSON AS
  SELECT session_window.start, session_window.end, user, collect_list(n) AS l, count(DISTINCT n) AS c, histogram_numeric(n, 3) AS h
  FROM e GROUP BY session_window(at, '300 milliseconds'), user;
CREATE SINK g INTO 'file:OUT/g' FORMAT JSON AS
  SELECT window.end, user, n % 3 AS r, count(*) AS c, sum(n) AS s, grouping_id() AS g FROM e
  GROUP BY window(at, '2 seconds'), CUBE (user, n % 3)`},
	{name: "rows of two queries compared", sinks: []string{"u", "i", "x"}, minRows: 10, script: eventSource + `
CREATE VIEW low AS SELECT window.end AS t, user FROM e WHERE n < 10 GROUP BY window(at, '1 second'), user;
CREATE VIEW high AS SELECT window.end AS t, user FROM e WHERE n > 90 GROUP BY window(at, '1 second'), user;
CREATE SINK u INTO 'file:OUT/u' FORMAT CSV AS SELECT * FROM low UNION SELECT * FROM high;
CREATE SINK i INTO 'file:OUT/i' FORMAT CSV AS SELECT * FROM low INTERSECT SELECT * FROM high;
CREATE SINK x INTO 'file:OUT/x' FORMAT CSV AS SELECT w, t FROM low LATERAL VIEW explode(split(user, 'u')) v AS w EXCEPT SELECT user, t FROM high`},
	{name: "cumulating windows", sinks: []string{"w"}, minRows: 40, script: eventSource + `
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT cumulate_window.start, cumulate_window.end, user, count(*) AS c, sum(n) AS s, max(n) AS hi
  FROM e GROUP BY cumulate_window(at, '1 second', '5 seconds'), user`},
	{name: "windows of rows", sinks: []string{"w"}, minRows: 40, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT) FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (CUT);
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT count_window.start, count_window.end, user, sum(n) AS s, max(at) AS last FROM e GROUP BY count_window(12, 4), user`},
	{name: "sessions", sinks: []string{"w", "late"}, minRows: 40, script: eventSource + `
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV WITH (late = 'file:OUT/late') AS
  SELECT session_window.start, session_window.end, user, count(*) AS c, sum(n) AS s, min(n) AS lo, max(n) AS hi, avg(n) AS mean
  FROM e GROUP BY session_window(at, '300 milliseconds'), user`},
	{name: "sessions with a gap per row, counted per window", sinks: []string{"w"}, minRows: 10, script: eventSource + `
CREATE VIEW visits AS SELECT session_window.end AS at, user, count(*) AS c FROM e
  GROUP BY session_window(at, CASE WHEN n > 50 THEN INTERVAL '1 second' ELSE n * INTERVAL '10 milliseconds' END), user;
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT window.end, count(*) AS visits, sum(c) AS events FROM visits GROUP BY window(at, '2 seconds')`},
	{name: "windows of windows", sinks: []string{"w"}, minRows: 4, script: eventSource + `
CREATE VIEW small AS SELECT window.end AS at, user, count(*) AS c FROM e GROUP BY window(at, '1 second'), user;
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT window.end, count(*) AS users, sum(c) AS events FROM small GROUP BY window(at, '5 seconds')`},
	{name: "distinct rows", sinks: []string{"d", "u"}, minRows: 40, script: eventSource + `
CREATE SINK d INTO 'file:OUT/d' FORMAT CSV AS SELECT DISTINCT user, n / 20 AS part, date_trunc('SECOND', at) AS second, at FROM e;
CREATE SINK u INTO 'file:OUT/u' FORMAT CSV AS SELECT DISTINCT user, CAST(n AS TEXT) AS n FROM e`},
	{name: "the first row of a key, for a time", sinks: []string{"d"}, minRows: 40, script: `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:DIR/part-0.csv' FORMAT CSV WITH (CUT);
CREATE SINK d INTO 'file:OUT/d' FORMAT CSV AS SELECT DISTINCT ON (user) WITHIN WATERMARK * FROM e`},
	{name: "patterns", sinks: []string{"m"}, minRows: 20, script: eventSource + `
CREATE SINK m INTO 'file:OUT/m' FORMAT CSV AS
  SELECT * FROM e MATCH_RECOGNIZE (PARTITION BY user ORDER BY at
    MEASURES A.at AS first_at, MATCH_ROWTIME() AS last_at, A.n AS low, max(B.n) AS high, count(*) AS rows
    AFTER MATCH SKIP TO NEXT ROW PATTERN (A B+? C) WITHIN INTERVAL '3' SECONDS
    DEFINE A AS n < 50, B AS B.n > A.n, C AS C.n < LAST(B.n)) AS m`},
	{name: "rows numbered by time", sinks: []string{"first", "near", "sum", "around"}, minRows: 15, script: eventSource + `
CREATE SINK first INTO 'file:OUT/first' FORMAT CSV AS
  SELECT * FROM (SELECT *, rank() OVER (PARTITION BY user, n % 3 ORDER BY at) AS rn FROM e) WHERE rn <= 2;
CREATE SINK near INTO 'file:OUT/near' FORMAT CSV AS
  SELECT user, at, lag(at) OVER w AS before, lead(at, 2) OVER w AS after FROM e WINDOW w AS (PARTITION BY user ORDER BY at);
CREATE SINK sum INTO 'file:OUT/sum' FORMAT CSV AS
  SELECT user, at, sum(n) OVER (PARTITION BY user ORDER BY at RANGE BETWEEN INTERVAL '2 seconds' PRECEDING AND CURRENT ROW) AS s FROM e;
CREATE SINK around INTO 'file:OUT/around' FORMAT CSV AS
  SELECT window.end, user, sum(s) AS s, max(rest) AS rest FROM (
    SELECT at, user, sum(n) OVER (PARTITION BY user ORDER BY at RANGE BETWEEN INTERVAL '1 second' PRECEDING AND INTERVAL '2 seconds' FOLLOWING) AS s,
      count(*) OVER (PARTITION BY user ORDER BY at ROWS BETWEEN CURRENT ROW AND 3 FOLLOWING) AS rest FROM e) GROUP BY window(at, '4 seconds'), user`},
	{name: "rows chosen by an order", sinks: []string{"c"}, minRows: 40, script: eventSource + `
CREATE SINK c INTO 'file:OUT/c' FORMAT CSV AS
  SELECT window.start, user, max_by(at, n) AS a, min_by(n, at) AS b, max_by(CAST(n AS TEXT), n % 7) AS c
  FROM e GROUP BY window(at, '4 seconds', '1 second'), user`},
	{name: "top rows of windows", sinks: []string{"top", "beside"}, minRows: 30, script: eventSource + `
CREATE VIEW counts AS SELECT window.start, window.end, user, count(*) AS c FROM e GROUP BY window(at, '4 seconds', '2 seconds'), user;
CREATE SINK top INTO 'file:OUT/top' FORMAT CSV AS
  SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY start ORDER BY c DESC, user) AS rn, rank() OVER (PARTITION BY start ORDER BY c DESC) AS r
                 FROM counts) WHERE rn <= 3;
CREATE SINK beside INTO 'file:OUT/beside' FORMAT CSV AS
  SELECT window.start, user, count(*) AS c, rank() OVER (PARTITION BY window ORDER BY count(*) DESC) AS r,
    lag(sum(n)) OVER (PARTITION BY user ORDER BY window.end) AS before FROM e GROUP BY window(at, '4 seconds'), user`},
	{name: "joins by time and key", sinks: []string{"f", "s", "w"}, minRows: 10, script: eventSource + `
CREATE VIEW odd AS SELECT at, user, n FROM e WHERE n % 2 = 1;
CREATE SINK f INTO 'file:OUT/f' FORMAT CSV AS
  SELECT a.user, a.at, a.n, b.at AS bt, b.n AS m FROM e a FULL JOIN odd b
    ON a.user = b.user AND a.at BETWEEN b.at - INTERVAL '200 milliseconds' AND b.at AND b.n > a.n;
CREATE SINK s INTO 'file:OUT/s' FORMAT CSV AS
  SELECT at, user, n FROM e a LEFT ANTI JOIN odd b ON a.user = b.user AND a.at >= b.at AND a.at <= b.at + INTERVAL '50 milliseconds';
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT window.end, count(*) AS pairs, sum(a.n - b.n) AS d FROM e a JOIN odd b
    ON a.user = b.user AND a.at > b.at AND a.at <= b.at + INTERVAL '1 second' GROUP BY window(a.at, '2 seconds')`},
	{name: "joins with versions", sinks: []string{"v", "w"}, minRows: 9, script: eventSource + `
CREATE VIEW prices AS SELECT at, user, n AS price FROM e WHERE n % 10 = 1;
CREATE SINK v INTO 'file:OUT/v' FORMAT CSV AS
  SELECT e.at, e.user, n, p.at AS since, price FROM e LEFT JOIN prices FOR SYSTEM_TIME AS OF e.at AS p ON e.user = p.user AND price < 80;
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT window.end, count(*) AS c, sum(n * price) AS s FROM e JOIN prices FOR SYSTEM_TIME AS OF e.at AS p ON e.user = p.user
  GROUP BY window(e.at, '2 seconds')`},
	{name: "joins with a table, below an aggregate and above one", sinks: []string{"l", "w", "a"}, minRows: 10, script: eventSource + `
CREATE TABLE users (name TEXT, level BIGINT) FROM 'file:DIR/_users.csv' FORMAT CSV WITH (refresh = 'on change');
CREATE SINK l INTO 'file:OUT/l' FORMAT CSV AS SELECT at, user, n, level FROM e LEFT JOIN users ON user = name AND n < level;
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT window.end, level, count(*) AS c, sum(n) AS s FROM e JOIN users ON user = name GROUP BY window(at, '4 seconds', '2 seconds'), level;
CREATE SINK a INTO 'file:OUT/a' FORMAT CSV AS
  SELECT c.start, user, c FROM (SELECT window.start, user, count(*) AS c FROM e GROUP BY window(at, '1 second'), user) c
    LEFT ANTI JOIN users ON user = name`},
	{name: "joins of windows and for ever", sinks: []string{"j", "k"}, minRows: 20, script: eventSource + `
CREATE VIEW counts AS SELECT window, user, count(*) AS c FROM e GROUP BY window(at, '1 second'), user;
CREATE VIEW sums AS SELECT window, user, sum(n) AS s FROM e WHERE n < 30 GROUP BY window(at, '1 second'), user;
CREATE SINK j INTO 'file:OUT/j' FORMAT CSV AS
  SELECT a.window.start, a.user, c, s FROM counts a LEFT JOIN sums b ON a.user = b.user AND a.window = b.window;
CREATE SINK k INTO 'file:OUT/k' FORMAT CSV AS
  SELECT a.user, a.n, b.at FROM e a JOIN e b ON a.n = b.n AND a.user = b.user WHERE a.n % 7 = 3 AND b.n < 40`},
	{name: "record batches in memory", sinks: []string{"w", "o"}, minRows: 40, source: eventBatches, script: `
CREATE SINK w INTO 'file:OUT/w' FORMAT CSV AS
  SELECT window.start, user, count(*) AS c, sum(n) AS s, last(n) AS l FROM e GROUP BY window(at, '4 seconds', '2 seconds'), user;
CREATE SINK o INTO 'file:OUT/o' FORMAT CSV AS SELECT at, user, lag(n) OVER (PARTITION BY user ORDER BY at) AS before FROM e WHERE n < 50`},
	{name: "rows of equal time in two files", sinks: []string{"o", "f"}, minRows: 100, script: eventSource + `
CREATE SINK o INTO 'file:OUT/o' FORMAT CSV AS
  SELECT at, n, row_number() OVER w AS number, lag(n) OVER w AS before FROM e WINDOW w AS (PARTITION BY user ORDER BY at);
CREATE SINK f INTO 'file:OUT/f' FORMAT CSV AS
  SELECT window.end, user, first(n) AS f, last(n) AS l FROM e GROUP BY window(at, '200 milliseconds'), user`},
}

// TestRowsOfEveryJobAreTheSameHoweverItIsRun runs each job as one big batch, as many intervals, with 1, 2 and 5 workers, and
// stopped and gone on with half way.
func TestRowsOfEveryJobAreTheSameHoweverItIsRun(t *testing.T) {
	dir := t.TempDir()
	writeEvents(t, dir, disordered(11, 1000))
	writeColumns(t, dir)
	for _, job := range matrixJobs {
		t.Run(job.name, func(t *testing.T) {
			m := &matrix{t: t, job: job, dir: dir}
			m.want = m.rows(m.run(vfs.NewMem(), matrixRun{workers: 1, block: 1 << 20}))
			for sink, rows := range m.want {
				if n := strings.Count(rows, "\n"); n < job.minRows {
					t.Fatalf("sink %s has %d rows, which are too few to compare", sink, n)
				}
			}
			for i, rows := range []int{50, 111, 400, 1500} {
				for _, workers := range []int{1, 2, 5} {
					r := matrixRun{workers: workers, block: []int{2 << 10, 256 << 10}[i%2], rows: rows}
					m.check(m.run(vfs.NewMem(), r), r.String())

					r.stopAfter = uint64(1 + 500/rows)
					fs := vfs.NewMem()
					m.run(fs, r)
					next := matrixRun{workers: 1 + workers%3, block: 8 << 10, rows: 2000 / rows * 10, goesOn: true}
					m.check(m.run(fs, next), fmt.Sprintf("%v, then %v", r, next))
				}
			}
		})
	}
}

type matrix struct {
	t    *testing.T
	job  matrixJob
	dir  string
	want map[string]string
}

// matrixRun is one way to run a job.
type matrixRun struct {
	workers, block, rows int    // rows per interval, 0: all in one
	stopAfter            uint64 // interval after which the job is stopped, 0: never
	goesOn               bool   // where another run has been stopped
}

func (r matrixRun) String() string {
	return fmt.Sprintf("workers=%d block=%d rows=%d stopped after interval %d", r.workers, r.block, r.rows, r.stopAfter)
}

func (m *matrix) run(fs vfs.FS, r matrixRun) vfs.FS {
	m.t.Helper()
	var job *tidemill.Context
	cfg := tidemill.Config{
		FS: fs, Checkpoint: crashState, CommitEvery: 1, Workers: r.workers, BlockBytes: r.block,
		Clock:  &creepingClock{now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)},
		Stdout: io.Discard, Log: slog.New(slog.DiscardHandler),
		OnStatus: func(s tidemill.Status) {
			if s.Interval.ID == r.stopAfter {
				job.Stop()
			}
		},
	}
	cut := 1 << 30
	if r.rows > 0 {
		cut = r.rows
	}
	job, err := tidemill.New(withParquet(cfg))
	must(m.t, err)
	if m.job.source != nil {
		m.job.source(m.t, job, cut)
	}
	script := strings.NewReplacer("DIR", m.dir, "OUT", crashOut, "CUT", fmt.Sprintf("max_rows_per_interval = %d", cut)).Replace(m.job.script)
	must(m.t, job.SQL(script))
	if m.job.steps != nil {
		m.job.steps(job)
	}
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	must(m.t, job.Start(ctx))
	must(m.t, job.Wait())
	if held := job.MemoryHeld(); held != 0 {
		m.t.Errorf("%v: %d bytes are still held after the job", r, held)
	}
	switch {
	case r.goesOn: // rows of the run before are retired in this one
	case r.stopAfter == 0:
		checkLedger(m.t, job.Status())
	case job.Status().Interval.ID < r.stopAfter:
		m.t.Errorf("%v: the job ended before it was stopped", r)
	}
	return fs
}

// rows returns the lines of each sink, sorted.
func (m *matrix) rows(fs vfs.FS) map[string]string {
	m.t.Helper()
	all := make(map[string]string)
	for _, sink := range m.job.sinks {
		lines := sinkLines(m.t, fs, path.Join(crashOut, sink))
		slices.Sort(lines)
		all[sink] = strings.Join(lines, "\n") + "\n"
	}
	return all
}

func (m *matrix) check(fs vfs.FS, how string) {
	m.t.Helper()
	if diff := cmp.Diff(m.want, m.rows(fs)); diff != "" {
		m.t.Fatalf("%s: rows (-want +got):\n%s", how, diff)
	}
}
