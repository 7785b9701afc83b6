package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// chaosInput is enough rows that a job is killed amid them.
func chaosInput() string {
	var text strings.Builder
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 60_000 {
		fmt.Fprintf(&text, "%s,u%d,%d\n", start.Add(time.Duration(i)*10*time.Millisecond).Format("2006-01-02T15:04:05.999999Z"), i%7, i)
	}
	return text.String()
}

const chaosSource = "CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at) FROM 'file:DIR/in.csv' FORMAT CSV WITH (max_rows_per_interval = 1000);"

func TestChaosFindsNothingInASoundJob(t *testing.T) {
	t.Parallel()
	dir, fill := inDir(t, map[string]string{"in.csv": chaosInput()})
	job := writeFile(t, filepath.Join(dir, "job.sql"), fill(chaosSource+
		"CREATE SINK w INTO 'file:DIR/out' FORMAT CSV WITH (header = true) AS SELECT window.start, user, sum(n) AS s FROM e GROUP BY window(at, '5 seconds'), user;"+
		"SELECT user, n FROM e WHERE n % 10 = 0"))
	out, err := exec.Command(binary, "chaos", job, "--rounds", fmt.Sprint(max(8, *rounds/4)), "--seed", fmt.Sprint(*seed), "--interval", "10ms", "--commit-every", "10ms").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "0 rows lost, 0 rows too many") || !strings.Contains(string(out), fmt.Sprintf("seed %d\n", *seed)) {
		t.Errorf("%v\n%s", err, out)
	}
	if got := readSink(t, filepath.Join(dir, "out")); got != "" {
		t.Errorf("the job's own sink was written: %q", got)
	}
}

func TestChaosRefusesAJobThatCantBeRepeated(t *testing.T) {
	_, fill := inDir(t, map[string]string{"in.csv": "1\n"})
	for _, tt := range []struct{ name, job, want string }{
		{"standard input", "CREATE SOURCE t FROM 'stdin:' FORMAT TEXT; SELECT value FROM t", "source t can't be read twice"},
		{"a file that is followed", "CREATE SOURCE t (n BIGINT) FROM 'file:DIR/in.csv' FORMAT CSV WITH (follow = true); SELECT n FROM t", "source t never ends"},
		{"a mistake", "SELECT 1 FROM nothing", "nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, stderr, status := call(t, "", "chaos", "-e", fill(tt.job)); status != statusWrong || !strings.Contains(stderr, tt.want) {
				t.Errorf("status %d: %s", status, stderr)
			}
		})
	}
}

func TestChaosComparesRowsAsMultisets(t *testing.T) {
	want := sinkRows{"a": {"x": 2, "y": 1}, "b": {"z": 1}}
	got := sinkRows{"a": {"x": 1, "y": 3}, "c": {"q": 1}}
	var said []string
	lost, doubled := want.compare(got, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
	if lost != 2 || doubled != 3 {
		t.Errorf("lost %d, too many %d", lost, doubled)
	}
	if text := strings.Join(said, "; "); text != "sink a: 1 × lost: x; sink a: 2 × too many: y; sink b: 1 × lost: z; sink c: 1 × too many: q" {
		t.Error(text)
	}
}
