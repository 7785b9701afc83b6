package tidemill_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
)

// valuesSource reads a text and a number as of a time, of every file of a directory.
const valuesSource = `CREATE SOURCE e (at TIMESTAMP, k TEXT, x DOUBLE, WATERMARK FOR at AS at - INTERVAL '1 second') FROM 'file:%s/' FORMAT CSV; `

func TestJobsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, query, want string }{
		{"a window without length", "SELECT count(*) FROM e GROUP BY window(at, '0 seconds')", "window: size must be positive: 0s"},
		{"a window of negative length", "SELECT count(*) FROM e GROUP BY window(at, '-1 second')", "window: size must be positive: -1s"},
		{"a slide that is negative", "SELECT count(*) FROM e GROUP BY window(at, '1 second', '-1 second')", "window: slide must be positive: -1s"},
		{"a step that the length is no multiple of", "SELECT count(*) FROM e GROUP BY cumulate_window(at, '7 seconds', '1 minute')", "multiple"},
		{"a session without a gap", "SELECT count(*) FROM e GROUP BY session_window(at, '0 seconds')", "positive"},
		{"a window of no rows", "SELECT count(*) FROM e GROUP BY count_window(0)", "count_window"},
		{"a watermark of a text", "CREATE SOURCE f (k TEXT, WATERMARK FOR k AS k - INTERVAL '1 second') FROM 'file:x' FORMAT CSV; SELECT k FROM f", "a watermark needs a TIMESTAMP"},
		{"keys of a join that are of different types", "SELECT a.k FROM e a JOIN e b ON a.at = b.x AND a.at = b.at", "(TIMESTAMP, DOUBLE)"},
		{"keys of a join with a table that are of different types", "CREATE TABLE t (n BIGINT) FROM 'file:x' FORMAT CSV; SELECT k FROM e JOIN t ON at = n", "(TIMESTAMP, BIGINT)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			job := newJob(t, tidemill.Config{})
			err := job.SQL(fmt.Sprintf(valuesSource, t.TempDir()) + tt.query)
			if err == nil {
				err = job.Check()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "line 1, column ") {
				t.Errorf("want a message with its place and %q, got %v", tt.want, err)
			}
		})
	}
}

func TestValuesAtTheEdges(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for _, tt := range []struct {
		name  string
		files []string
		query string
		want  string // sorted, without the header
		bad   string
		late  int64
	}{
		{
			name: "times before 1970 are in the windows that they are in", query: "SELECT window.start, count(*) AS n FROM e GROUP BY window(at, '10 seconds')",
			files: []string{"1969-12-31T23:59:59.5Z,a,\n1969-12-31T23:59:50Z,a,\n1970-01-01T00:00:00Z,a,\n1883-11-18T12:00:03Z,a,\n"},
			want:  "1969-12-31T23:59:50Z,2\n1970-01-01T00:00:00Z,1", late: 1,
		},
		{
			name: "the years 1 and 9999", query: "SELECT window.start, window.end, count(*) AS n FROM e GROUP BY window(at, '1 day')",
			files: []string{"0001-01-01T00:00:00Z,a,\n9999-12-31T23:59:59.999999Z,a,\n"},
			want:  "0001-01-01T00:00:00Z,0001-01-02T00:00:00Z,1\n9999-12-31T00:00:00Z,10000-01-01T00:00:00Z,1",
		},
		{
			name: "a time that is NULL, and one that is none", query: "SELECT window.start, count(*) AS n FROM e GROUP BY window(at, '10 seconds')",
			files: []string{",a,1\n2026-02-30T00:00:00Z,a,1\n2026-01-01T00:00:01Z,a,1\n"},
			want:  "2026-01-01T00:00:00Z,1",
			bad:   "0.csv: line 2: byte offset 5: column at: \"2026-02-30T00:00:00Z\" is not a TIMESTAMP\n0.csv: line 1: window: time is NULL",
		},
		{
			name: "a split that never sends", query: "SELECT window.start, count(*) AS n FROM e GROUP BY window(at, '10 seconds')",
			files: []string{"", "2026-01-01T00:00:01Z,a,1\n", ""}, want: "2026-01-01T00:00:00Z,1",
		},
		{
			name: "keys that are NULL, NaN, infinite, and both zeros", query: "SELECT x, count(*) AS n FROM e GROUP BY window(at, '1 hour'), x",
			files: []string{"2026-01-01T00:00:01Z,a,\n2026-01-01T00:00:01Z,a,NaN\n2026-01-01T00:00:01Z,b,NaN\n2026-01-01T00:00:01Z,a,-0.0\n" +
				"2026-01-01T00:00:01Z,a,0\n2026-01-01T00:00:01Z,c,\n2026-01-01T00:00:01Z,c,-Infinity\n"},
			want: ",2\n-Infinity,1\n0.0,2\nNaN,2",
		},
		{
			name: "NULL and NaN as keys of a join", query: "SELECT a.k, b.k AS other FROM e a JOIN e b ON a.x = b.x AND a.at = b.at WHERE a.k < b.k",
			files: []string{"2026-01-01T00:00:01Z,a,NaN\n2026-01-01T00:00:01Z,b,NaN\n2026-01-01T00:00:01Z,c,\n2026-01-01T00:00:01Z,d,\n"},
			want:  "a,b",
		},
		{
			name: "keys of 1 MiB that differ in the last byte", query: "SELECT length(k) AS l, count(*) AS n FROM e GROUP BY window(at, '1 hour'), k",
			files: []string{strings.Repeat("2026-01-01T00:00:01Z,"+long+"x,1\n2026-01-01T00:00:01Z,"+long+"y,1\n", 2)},
			want:  "1048577,2\n1048577,2",
		},
		{
			name: "distinct rows, sessions and numbers over keys of 1 MiB",
			query: "SELECT length(k) AS l, rn FROM (SELECT k, row_number() OVER (PARTITION BY k ORDER BY at) AS rn FROM " +
				"(SELECT k, session_window.end AS at FROM (SELECT DISTINCT ON (k, at) * FROM e) GROUP BY session_window(at, '1 second'), k))",
			files: []string{strings.Repeat("2026-01-01T00:00:01Z,"+long+"x,1\n2026-01-01T00:00:01Z,"+long+"y,1\n", 2) + "2026-01-01T00:00:09Z," + long + "y,1\n"},
			want:  "1048577,1\n1048577,1\n1048577,2",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for i, text := range tt.files {
				writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.csv", i)), text)
			}
			var out lockedBuffer
			job := newJob(t, tidemill.Config{Stdout: &out, Workers: 2, Output: "csv"})
			if err := job.SQL(fmt.Sprintf(valuesSource, dir) + tt.query); err != nil {
				t.Fatal(err)
			}
			if err := ends(t, job); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, sortedLines(out.String())); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.bad, badRowsOf(job)); diff != "" {
				t.Errorf("bad rows (-want +got):\n%s", diff)
			}
			if late := job.Status().Late; late != tt.late {
				t.Errorf("late rows: want %d, got %d", tt.late, late)
			}
			checkLedger(t, job.Status())
		})
	}
}

// TestAMillionKeysAreEachCountedOnce has a key per row, so that tables grow all the time.
func TestAMillionKeysAreEachCountedOnce(t *testing.T) {
	t.Parallel()
	const rows = 1_000_000
	path := numbersFile(t, rows)
	out, _ := runSQL(t, tidemill.Config{Workers: 2, Output: "csv"}, fmt.Sprintf(`
CREATE SOURCE e (n BIGINT, at AS timestamp_millis(0 * n), WATERMARK FOR at AS at) FROM 'file:%s' FORMAT CSV WITH (max_rows_per_interval = 300000);
SELECT count(*) AS keys, max(c) AS most, sum(n) AS s
  FROM (SELECT window.end AS at, n, count(*) AS c FROM e GROUP BY window(at, '1 hour'), n) GROUP BY window(at, '1 hour')`, path))
	if got, want := sortedLines(out), fmt.Sprintf("%d,1,%d", rows, rows*(rows-1)/2); got != want {
		t.Errorf("keys, rows of a key, sum of keys: want %s, got %s", want, got)
	}
}

// TestMemoryBoundNamesTheLargestKeys joins rows for ever, most of which have one key.
func TestMemoryBoundNamesTheLargestKeys(t *testing.T) {
	t.Parallel()
	path := numbersFile(t, 400_000)
	_, _, err := tryRun(t, tidemill.Config{Workers: 2, MemoryBytes: 16 << 20}, fmt.Sprintf(`
CREATE SOURCE e (n BIGINT) FROM 'file:%s' FORMAT CSV WITH (max_rows_per_interval = 20000);
SELECT a.n FROM (SELECT n, CASE WHEN n %% 10 < 7 THEN 'seven' WHEN n %% 10 < 9 THEN 'two' ELSE CAST(n AS TEXT) END AS k FROM e) a
  JOIN (SELECT CAST(n AS TEXT) AS k FROM e WHERE n < 0) b ON a.k = b.k`, path))
	if !errors.Is(err, batch.ErrMemory) || !strings.Contains(err.Error(), "most of it for keys (seven): ") || !strings.Contains(err.Error(), " rows, (two): ") {
		t.Errorf("want ErrMemory with the largest keys, got %v", err)
	}
}
