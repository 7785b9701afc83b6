package tidemill_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/bench"
)

// TestSteadyStateAllocatesAlmostNothingPerBatch runs jobs over a short and a long file: what the longer one allocates more, divided
// by the blocks that it has more, is what a batch costs.
func TestSteadyStateAllocatesAlmostNothingPerBatch(t *testing.T) {
	const block = 64 << 10
	jobs := []struct {
		name, script string
		lines        bench.Generator
	}{
		{
			name: "event-time window over JSON lines",
			script: `CREATE SOURCE e (ts BIGINT, user TEXT, amount DOUBLE, type TEXT, at AS timestamp_millis(ts),
				WATERMARK FOR at AS at - INTERVAL '1 second') FROM 'file:%s' FORMAT JSON;
				SELECT window.start, user, count(*) AS n, sum(amount) AS s FROM e WHERE type = 'purchase' GROUP BY window(at, '1 hour'), user`,
			lines: bench.NewEvents(1, time.Unix(1_700_000_000, 0), 100, 0),
		},
		{
			name: "word count over text",
			script: `CREATE SOURCE e FROM 'file:%s' FORMAT TEXT;
				SELECT word, count(*) AS n FROM (SELECT explode(split(value, ' ')) AS word, arrival_time FROM e)
				GROUP BY window(arrival_time, '1 hour'), word`,
			lines: bench.NewWords(1, 1000, 10, 1),
		},
	}
	for _, job := range jobs {
		t.Run(job.name, func(t *testing.T) {
			var text []byte
			for len(text) < 40*block {
				text = job.lines.Append(text)
			}
			dir := t.TempDir()
			short := writeFile(t, filepath.Join(dir, "short"), string(text))
			long := writeFile(t, filepath.Join(dir, "long"), strings.Repeat(string(text), 8))
			count := func(path string) uint64 {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				runSQL(t, tidemill.Config{Workers: 2, BlockBytes: block, Interval: time.Hour}, fmt.Sprintf(job.script, path))
				runtime.ReadMemStats(&after)
				return after.Mallocs - before.Mallocs
			}
			count(short) // what is made once in a process
			perBatch := (float64(count(long)) - float64(count(short))) / (7 * 40)
			t.Logf("%.2f heap objects per batch", perBatch)
			if perBatch > 2 {
				t.Errorf("heap objects per batch: want at most 2, got %.2f", perBatch)
			}
		})
	}
}

// TestIntervalsAllocateLittle runs a filter over the same rows in few and in many intervals, each of them a commit: what the many
// allocate more, divided by how many more they are, is what an interval costs.
func TestIntervalsAllocateLittle(t *testing.T) {
	const rows = 20_000
	path := writeFile(t, filepath.Join(t.TempDir(), "rows"), strings.Repeat("12,some text\n34,none\n", rows/2))
	count := func(perInterval int) (objects uint64, commits int) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, status := runSQL(t, tidemill.Config{Workers: 2, Interval: time.Hour, CommitEvery: 1}, fmt.Sprintf(`
CREATE SOURCE e (n BIGINT, text TEXT) FROM 'file:%s' FORMAT CSV WITH (max_rows_per_interval = %d);
CREATE SINK o INTO 'blackhole:' AS SELECT n FROM e WHERE text <> 'none'`, path, perInterval))
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs, int(status.Commit)
	}
	count(rows / 10) // what is made once in a process
	few, fewCommits := count(rows / 10)
	many, manyCommits := count(rows / 1000)
	if manyCommits-fewCommits < 500 {
		t.Fatalf("%d commits instead of %d: too few to tell", manyCommits, fewCommits)
	}
	perInterval := (float64(many) - float64(few)) / float64(manyCommits-fewCommits)
	t.Logf("%.1f heap objects per interval", perInterval)
	if perInterval > 15 {
		t.Errorf("heap objects per interval: want at most 15, got %.1f", perInterval)
	}
}
