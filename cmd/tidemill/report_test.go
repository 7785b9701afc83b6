package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
)

func TestStatusLine(t *testing.T) {
	at := batch.TimeOf(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
	tests := []struct {
		name         string
		status, last tidemill.Status
		want         string
	}{
		{
			name:   "rates are per second since the last line",
			status: tidemill.Status{Interval: batch.Interval{ID: 7}, RowsIn: 3_500_000, RowsOut: 2500, Lag: 1234 * time.Microsecond, Watermark: batch.MinTime, StateBytes: 4096},
			last:   tidemill.Status{RowsIn: 500_000, RowsOut: 500},
			want:   "interval 7 | in 1.50 M rows/s | out 1.0 K rows/s | lag 1ms | state 4.1 KB",
		},
		{
			name:   "what there is not is left out",
			status: tidemill.Status{Interval: batch.Interval{ID: 1}, RowsIn: 10, Watermark: at, Bad: 3, Late: 2},
			want:   "interval 1 | in 5 rows/s | out 0 rows/s | lag 0s | watermark 2026-03-01T09:00:00Z | state 0B | bad 3 | late 2",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := statusLine(tt.status, tt.last, 2*time.Second); got != tt.want {
				t.Errorf("want %q\ngot  %q", tt.want, got)
			}
		})
	}
}

func TestDoneLine(t *testing.T) {
	tests := []struct {
		name   string
		status tidemill.Status
		isDone bool
		want   string
	}{
		{name: "what there is none of is left out", status: tidemill.Status{RowsIn: 1}, isDone: true, want: "done: 1 row in, 0 rows out, 2.5 s"},
		{
			name: "everything", status: tidemill.Status{RowsIn: 9, RowsOut: 2, Bad: 1, Late: 3, Ahead: 1, Behind: 2},
			want: "stopped by an error: 9 rows in, 2 rows out, 1 bad row, 3 late rows, 1 row too far ahead, 2 rows of a split that was set aside, 2.5 s",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := doneLine(tt.status, 2500*time.Millisecond, tt.isDone); got != tt.want {
				t.Errorf("want %q\ngot  %q", tt.want, got)
			}
		})
	}
}

func TestTerminalHasOneLineThatIsWrittenAgain(t *testing.T) {
	var term terminal
	r := newReporter(&term, false)
	r.onScreen(&screen{w: &term, size: func() (int, int) { return 80, 24 }})
	for i := range 3 {
		r.lastTime = r.lastTime.Add(-time.Hour)
		r.onStatus(tidemill.Status{Interval: batch.Interval{ID: uint64(i + 1)}, Watermark: batch.MinTime})
	}
	r.logger().Info("something else")
	lines := strings.Split(term.String(), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], "something else\"") || !strings.HasPrefix(lines[1], "interval 3 ") {
		t.Errorf("got %q", lines)
	}
}

func TestProgressLine(t *testing.T) {
	tests := []struct {
		name         string
		status, last tidemill.Status
		want         string
	}{
		{
			name:   "at the beginning nothing is known of the end",
			status: tidemill.Status{FileBytes: 4000},
			want:   "[>                       ]   0 % | 0 rows | 0B of 4.0 KB | in 0 rows/s",
		},
		{
			name:   "the rest takes as long as the part before did",
			status: tidemill.Status{RowsIn: 3_000_000, FileBytesRead: 300e6, FileBytes: 1200e6, Bad: 2, Late: 1},
			last:   tidemill.Status{RowsIn: 1_000_000},
			want:   "[======>                 ]  25 % | 3.00 M rows | 300.00 MB of 1.20 GB | in 1.00 M rows/s | 30s left | bad 2 | late 1",
		},
		{
			name:   "all is read",
			status: tidemill.Status{RowsIn: 10, FileBytesRead: 50, FileBytes: 50},
			last:   tidemill.Status{RowsIn: 10},
			want:   "[========================] 100 % | 10 rows | 50B of 50B | in 0 rows/s | 0s left",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := progressLine(tt.status, tt.last, 10*time.Second, 2*time.Second); got != tt.want {
				t.Errorf("want %q\ngot  %q", tt.want, got)
			}
		})
	}
}

// TestStartIsQuickAndSmall logs what starting costs. The bounds are lenient, since tests run on busy machines.
func TestStartIsQuickAndSmall(t *testing.T) {
	_, fill := inDir(t, map[string]string{"empty.csv": ""})
	jobs := map[string][]string{
		"version":           {"version"},
		"job over no bytes": {"run", "-e", fill("CREATE SOURCE t (a TEXT) FROM 'file:DIR/empty.csv' FORMAT CSV; SELECT a, count(*) AS n FROM t GROUP BY a")},
	}
	for name, args := range jobs {
		var walls, cpus []time.Duration
		for range 5 {
			cmd := exec.Command(binary, args...)
			began := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			walls = append(walls, time.Since(began))
			cpus = append(cpus, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		}
		slices.Sort(walls)
		slices.Sort(cpus)
		t.Logf("%s: wall %s, CPU %s (medians of 5)", name, walls[2], cpus[2])
		if walls[2] > 150*time.Millisecond {
			t.Errorf("%s: want at most 150ms, got %s", name, walls[2])
		}
	}
	// Parquet links more than all the rest: what a binary without it weighs says whether we grow.
	for tags, most := range map[string]int64{"slim": 25e6, "": 45e6} {
		stripped := filepath.Join(t.TempDir(), "tidemill")
		build := exec.Command("go", "build", "-tags", tags, "-ldflags", "-s -w", "-o", stripped, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
		info, err := os.Stat(stripped)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("stripped binary, tags %q: %.1f MB", tags, float64(info.Size())/1e6)
		if info.Size() > most {
			t.Errorf("stripped binary, tags %q: want at most %d bytes, got %d", tags, most, info.Size())
		}
	}
}

func TestIdleJobIsSmall(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("there is no /proc")
	}
	c := spawn(t, "run", "--interval", "100ms", "-e", "CREATE SOURCE t FROM 'tcp-listen://127.0.0.1:0' FORMAT TEXT; SELECT value, count(*) AS n FROM t GROUP BY value")
	time.Sleep(2 * time.Second)
	text, err := os.ReadFile("/proc/" + strconv.Itoa(c.cmd.Process.Pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("no VmRSS in\n%s", text)
	}
	kib, _ := strconv.Atoi(string(found[1]))
	t.Logf("idle on TCP: %.1f MiB", float64(kib)/1024)
	if kib > 40<<10 {
		t.Errorf("idle on TCP: want at most 40 MiB, got %d KiB", kib)
	}
	c.signal(syscall.SIGTERM)
	c.isDone()
}
