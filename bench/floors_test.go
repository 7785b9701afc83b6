package bench_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tidemill/tidemill/bench"
)

// TestEngineNeedsAFractionOfTheIdiomaticProgramsCPU guards what the engine is for: the least that it must save against the program
// that one writes first in Go, in the same run on the same input. It measures the command as it is shipped: invariants and the race
// detector are not part of that.
func TestEngineNeedsAFractionOfTheIdiomaticProgramsCPU(t *testing.T) {
	if testing.Short() || raceIsOn {
		t.Skip("a measurement: not with -short or -race")
	}
	dir := t.TempDir()
	command := filepath.Join(dir, "tidemill")
	if out, err := exec.Command("go", "build", "-o", command, "../cmd/tidemill").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, tt := range []struct {
		name     string
		workload string
		scale    string
		least    float64
	}{
		// Words are bound by the look-up of 10 K words in a table that fills the second cache: the hand-written loop of the suite needs
		// as much as the engine, 3.5 to 3.9 times less than strings.Fields and a map. The guard leaves room for a busy machine.
		{name: "words of a window take a third of the CPU time of strings.Fields and a map", workload: "wordcount", scale: "0.3", least: 3},
		{name: "filtered windows of JSON take a fifth of the CPU time of encoding/json and a map", workload: "filter75", scale: "0.1", least: 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "report.json")
			out, err := exec.Command(command, "bench", "-q", "--count", "3", "--scale", tt.scale, "--dir", dir, "--json", path, tt.workload).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var report bench.Report
			if err := json.Unmarshal(text, &report); err != nil {
				t.Fatal(err)
			}
			engine, idiomatic := report.Results[0].Find(bench.Engine), report.Results[0].Find(bench.Idiomatic)
			ratio := idiomatic.CPU.Seconds() / engine.CPU.Seconds()
			t.Logf("%s: %.1f times less CPU time: %s for %d rows, idiomatic %s, load %.1f",
				tt.workload, ratio, engine.CPU, engine.Rows, idiomatic.CPU, engine.Load)
			if ratio < tt.least {
				t.Errorf("want at least %g times less CPU time than the idiomatic program, got %.1f", tt.least, ratio)
			}
		})
	}
}
