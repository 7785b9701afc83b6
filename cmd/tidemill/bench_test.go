package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/bench"
)

func TestBenchChoosesWorkloads(t *testing.T) {
	for _, tt := range []struct {
		name   string
		args   string
		status int
		want   string // begins a line of stdout or stderr
	}{
		{name: "a name means the workload", args: "--list ysb", want: "ysb "},
		{name: "the beginning of names means all of them", args: "--list nexmark", want: "nexmark-q12 "},
		{name: "scaling means those that run with one worker too", args: "--list scaling", want: "wordcount-tcp "},
		{name: "an unknown name is wrong", args: "--list yesb", status: statusWrong, want: `tidemill: bench: workload "yesb" is unknown`},
		{name: "a scale of 0 is wrong", args: "--scale 0", status: statusWrong, want: "tidemill: bench: --scale and --count must be positive"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, status := call(t, "", append([]string{"bench"}, strings.Fields(tt.args)...)...)
			if status != tt.status || !strings.Contains("\n"+stdout+stderr, "\n"+tt.want) {
				t.Errorf("want status %d and a line that begins with %q, got %d\n%s%s", tt.status, tt.want, status, stdout, stderr)
			}
		})
	}
}

func TestBenchMeasuresInProcessesOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	report, plot := filepath.Join(dir, "report.json"), filepath.Join(dir, "plot.svg")
	out, err := exec.Command(binary, "bench", "-q", "--scale", "0.001", "--count", "2", "--dir", dir, "--json", report, "--svg", plot,
		"filter75", "filter75-tcp", "batch-int-1k").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var got bench.Report
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Results) != 3 {
		t.Fatalf("want 3 results, got %d", len(got.Results))
	}
	for _, r := range got.Results {
		if e := r.Find(bench.Engine); e == nil || e.CPU <= 0 || e.Wall <= 0 || e.PeakRSS <= 0 || e.Rows <= 0 {
			t.Errorf("%s: want figures of the engine, got %+v", r.Workload, e)
		}
		if !strings.Contains(string(out), "\n| "+r.Workload+" ") {
			t.Errorf("want a line of %s, got\n%s", r.Workload, out)
		}
	}
	if drawn, err := os.ReadFile(plot); err != nil || !strings.HasPrefix(string(drawn), "<svg ") {
		t.Errorf("want a plot, got %q, error %v", drawn, err)
	}
}
