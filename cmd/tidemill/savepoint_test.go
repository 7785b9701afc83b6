package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const savedJob = "CREATE SOURCE e (user TEXT, n BIGINT) FROM 'file:DIR/in' FORMAT CSV; "

// TestExplainAgainstACheckpoint prints what a start would do, and starts.
func TestExplainAgainstACheckpoint(t *testing.T) {
	_, fill := inDir(t, map[string]string{"in/1.csv": "a,1\nb,2\na,3\n"})
	state := fill("DIR/state")
	_, stderr, status := call(t, "", "run", "--checkpoint", state, "-e", fill(savedJob+"SELECT user, sum(n) AS s FROM e GROUP BY user"))
	if status != 0 {
		t.Fatal(stderr)
	}
	tests := []struct {
		name, query string
		args        []string
		golden      string
		status      int
	}{
		{name: "a job that fits", query: "SELECT user, sum(n) AS total, max(n) AS m FROM e GROUP BY user", golden: "against-migrated.txt"},
		{name: "a job that does not fit", query: "SELECT user, n, sum(n) AS s FROM e GROUP BY user, n", golden: "against-refused.txt", status: 2},
		{
			name: "a job that does not fit, whose state is given up", query: "SELECT user, n, sum(n) AS s FROM e GROUP BY user, n",
			args: []string{"--drop-state", "select1.aggregate"}, golden: "against-dropped.txt",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			job := append(slices.Clone(tt.args), "-e", fill(savedJob+tt.query))
			stdout, stderr, status := call(t, "", append([]string{"explain", "--against", state}, job...)...)
			lines := strings.SplitN(stdout, "\n", 3)
			if len(lines) < 3 || !strings.HasPrefix(lines[0], state+": job ") || status != tt.status {
				t.Fatalf("status %d: %s%s", status, stdout, stderr)
			}
			golden(t, tt.golden, lines[2])
			// A start of a copy does what it says.
			to := t.TempDir()
			if _, stderr, status := call(t, "", "checkpoint", "save", state, "x", "--to", to); status != 0 {
				t.Fatal(stderr)
			}
			_, stderr, status = call(t, "", append([]string{"run", "--quiet", "--checkpoint", filepath.Join(to, "x")}, job...)...)
			if status != tt.status || strings.Contains(stderr, "nothing was changed") != (status == 2) {
				t.Errorf("run: status %d: %s", status, stderr)
			}
		})
	}
	if stdout, _, status := call(t, "", "explain", "--against", fill("DIR/nope"), "-e", fill(savedJob+"SELECT user FROM e")); status != 1 || stdout != "" {
		t.Errorf("a directory that is not there: status %d: %s", status, stdout)
	}
}

// TestJobStartsFromASavepoint takes a savepoint, goes on, and goes on again from the savepoint.
func TestJobStartsFromASavepoint(t *testing.T) {
	dir, fill := inDir(t, map[string]string{"in/1.csv": "a,1\nb,2\na,3\n"})
	state := fill("DIR/state")
	job := fill(savedJob + "SELECT user, sum(n) AS s FROM e GROUP BY user")
	run := func(state string, args ...string) string {
		stdout, stderr, status := call(t, "", append([]string{"run", "--checkpoint", state, "-e", job}, args...)...)
		if status != 0 {
			t.Fatal(stderr)
		}
		return stdout
	}
	run(state, "--compression", "zstd")
	stdout, stderr, status := call(t, "", "checkpoint", "save", state, "before")
	if status != 0 || !strings.HasPrefix(stdout, filepath.Join(state, "savepoints", "before")+": job ") {
		t.Fatalf("save: status %d: %s%s", status, stdout, stderr)
	}
	if stdout, _, _ := call(t, "", "checkpoint", "ls", state); !strings.Contains(stdout, "savepoints  before\n") {
		t.Errorf("ls does not show the savepoint:\n%s", stdout)
	}
	if stdout, stderr, status := call(t, "", "checkpoint", "verify", state); status != 0 {
		t.Errorf("verify: %s%s", stdout, stderr)
	}
	writeFile(t, filepath.Join(dir, "in", "2.csv"), "a,10\nb,20\n")
	want := run(state)
	if diff := cmp.Diff(want, run(filepath.Join(state, "savepoints", "before"), "--compression", "none")); diff != "" || !strings.Contains(want, "a,14\n") {
		t.Errorf("from the savepoint (-want +got):\n%s", diff)
	}

	for _, tt := range []struct{ name, want string }{
		{"before", "is not empty: choose another name, or remove it"},
		{"../x", "want a name without / and without a dot in front"},
		{".x", "want a name without / and without a dot in front"},
	} {
		if _, stderr, status := call(t, "", "checkpoint", "save", state, tt.name); status == 0 || !strings.Contains(stderr, tt.want) {
			t.Errorf("save as %q: status %d: %s", tt.name, status, stderr)
		}
	}
	if stdout, stderr, status := call(t, "", "checkpoint", "show", state, "select1.aggregate/panes", "--output", "csv"); status != 0 ||
		!slices.Equal(slices.Sorted(strings.Lines(stdout)), []string{
			"1970-01-01T00:00:00Z,a,3,14,0,3\n", "1970-01-01T00:00:00Z,b,2,22,0,2\n", "start,key.user,rows,s.low,s.high,s.count\n",
		}) {
		t.Errorf("show: status %d: %s%s", status, stdout, stderr)
	}
}
