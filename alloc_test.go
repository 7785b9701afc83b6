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
