package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkKillToFirstRow kills a job with 20 ms intervals and two million groups, 100 MB of state, by SIGKILL, starts it again
// at once, and reports how long after the kill the first row of the new process is there, which must be right.
func BenchmarkKillToFirstRow(b *testing.B) {
	const groups = 2_000_000
	dir := b.TempDir()
	input := filepath.Join(dir, "in.csv")
	file, err := os.Create(input)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	for k := range groups {
		fmt.Fprintf(w, "%d,%d\n", k, k%1000)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	job := fmt.Sprintf("CREATE SOURCE e (k BIGINT, v BIGINT) FROM 'file:%s' FORMAT CSV WITH (follow = true); SELECT k, count(*) AS c, sum(v) AS s FROM e GROUP BY k", input)
	run := func() (*exec.Cmd, *bufio.Reader) {
		cmd := exec.Command(binary, "run", "--quiet", "--checkpoint", filepath.Join(dir, "state"), "--interval", "20ms", "--commit-every", "20ms", "-e", job)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		return cmd, bufio.NewReaderSize(out, 1<<20)
	}
	readLine := func(out *bufio.Reader) string {
		line, err := out.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
	cmd, out := run()
	defer func() { cmd.Process.Kill() }()
	readLine(out)
	for range groups {
		readLine(out)
	}
	var took []time.Duration
	for b.Loop() {
		n := len(took) + 1
		if err := cmd.Process.Kill(); err != nil {
			b.Fatal(err)
		}
		from := time.Now()
		cmd.Wait() // an error: it was killed
		if _, err := io.WriteString(file, "7,1\n"); err != nil {
			b.Fatal(err)
		}
		cmd, out = run()
		row := readLine(out)
		if row == "k,c,s" {
			row = readLine(out)
		}
		took = append(took, time.Since(from))
		if want := fmt.Sprintf("7,%d,%d", 1+n, 7+n); row != want {
			b.Fatalf("first row: want %s, got %s", want, row)
		}
	}
	slices.Sort(took)
	b.ReportMetric(took[0].Seconds()*1e3, "ms-min")
	b.ReportMetric(took[len(took)/2].Seconds()*1e3, "ms-p50")
	b.ReportMetric(took[len(took)-1].Seconds()*1e3, "ms-max")
}
