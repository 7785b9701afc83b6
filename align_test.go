package tidemill_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemill/tidemill"
)

// TestWindowsAlignToTheStartOfTheJob starts a job 3 s after a full minute, and goes on with it after a restart.
func TestWindowsAlignToTheStartOfTheJob(t *testing.T) {
	for _, tt := range []struct{ align, first, second string }{
		{align: "start", first: "start,end,n\n2000-01-01T00:00:03Z,2000-01-01T00:00:13Z,2\n", second: "start,end,n\n2000-01-01T00:00:13Z,2000-01-01T00:00:23Z,4\n"},
		{align: "epoch", first: "start,end,n\n2000-01-01T00:00:00Z,2000-01-01T00:00:10Z,1\n", second: "start,end,n\n2000-01-01T00:00:10Z,2000-01-01T00:00:20Z,5\n"},
	} {
		t.Run(tt.align, func(t *testing.T) {
			dir := t.TempDir()
			run := func(began time.Duration, rows, ends string) string {
				var out lockedBuffer
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(began)
					f := newFeed("a")
					job := virtualJob(t, tidemill.Config{Stdout: &out, Checkpoint: dir, Align: tt.align}, `CREATE SOURCE s FROM 'tcp-listen://127.0.0.1:1' FORMAT TEXT;
						SELECT window.start, window.end, count(*) AS n FROM s GROUP BY window(arrival_time, '10 seconds')`, f, nil)
					time.Sleep(500 * time.Millisecond)
					f.splits[0] <- rows
					time.Sleep(7500 * time.Millisecond)
					f.splits[0] <- ends
					time.Sleep(2500 * time.Millisecond)
					end(t, job)
				})
				return out.String()
			}
			// Rows at 3.5 s and 11 s, then, in the second run, at 15.5 s and 23 s.
			if got := run(3*time.Second, "a\n", "b\n"); got != tt.first {
				t.Errorf("first run: want %q, got %q", tt.first, got)
			}
			if got := run(15*time.Second, "c\nd\ne\nf\n", "g\n"); got != tt.second {
				t.Errorf("second run: want %q, got %q", tt.second, got)
			}
		})
	}
}
