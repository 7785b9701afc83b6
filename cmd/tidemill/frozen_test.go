package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFrozenJobGoesOn stops a job by SIGSTOP for many intervals, lets it go on, and kills it between.
func TestFrozenJobGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	input, out := filepath.Join(dir, "in.csv"), filepath.Join(dir, "out")
	var text strings.Builder
	var want []string
	for i := range 20_000 {
		fmt.Fprintf(&text, "%d\n", i)
		want = append(want, fmt.Sprint(i))
	}
	writeFile(t, input, text.String())
	run := func() *process {
		return start(t, "run", "--checkpoint", filepath.Join(dir, "state"), "--interval", "10ms", "--commit-every", "10ms", "-e", fmt.Sprintf(
			"CREATE SOURCE e (n BIGINT) FROM 'file:%s' FORMAT CSV WITH (max_rows_per_interval = 500); CREATE SINK s INTO 'file:%s' FORMAT CSV AS SELECT n FROM e", input, out))
	}
	freeze := func(p *process) {
		time.Sleep(20 * time.Millisecond)
		p.signal(syscall.SIGSTOP)
		time.Sleep(200 * time.Millisecond)
		p.signal(syscall.SIGCONT)
	}
	p := run()
	freeze(p)
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p = run()
	freeze(p)
	p.wait()
	got := strings.Split(strings.TrimSuffix(readSink(t, out), "\n"), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("want %d rows, got %d", len(want), len(got))
	}
}
