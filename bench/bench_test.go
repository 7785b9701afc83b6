package bench_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tidemill/tidemill/bench"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newSuite returns a suite that runs everything in this process.
func newSuite(t *testing.T, scale float64) *bench.Suite {
	return &bench.Suite{Dir: t.TempDir(), Scale: scale, Execute: bench.Execute, Serve: serve, Progress: io.Discard}
}

func serve(ctx context.Context, s bench.Sender) (address string, stop func() error, err error) {
	ctx, cancel := context.WithCancel(ctx)
	told, sent := make(chan string, 1), make(chan error, 1)
	go func() { sent <- s.Run(ctx, func(a string) { told <- a }) }()
	select {
	case address := <-told:
		return address, func() error {
			cancel()
			return <-sent
		}, nil
	case err := <-sent:
		cancel()
		return "", nil, err
	}
}

// TestEveryProgramGivesTheSameAnswer runs each workload at 1 %, with all its yardsticks; under the race detector at a fifth of that.
func TestEveryProgramGivesTheSameAnswer(t *testing.T) {
	scale := 0.01
	if raceIsOn {
		scale /= 5
	}
	suite := newSuite(t, scale)
	report := bench.Report{Scale: suite.Scale, Count: 1}
	for _, w := range bench.Workloads() {
		t.Run(w.Name, func(t *testing.T) {
			result, err := suite.Run(context.Background(), w)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range result.Programs {
				if p.Fault != "" {
					t.Errorf("%s: %s", p.Name, p.Fault)
				}
			}
			if result.Find(bench.Idiomatic) != nil && result.Answer.Rows == 0 {
				t.Error("the answer has no rows")
			}
			report.Results = append(report.Results, result)
		})
	}
	var text, svg bytes.Buffer
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := report.WriteSVG(&svg); err != nil {
		t.Fatal(err)
	}
	for _, w := range bench.Workloads() {
		if !strings.Contains(text.String(), "| "+w.Name+" ") {
			t.Errorf("want a line of %s in the report, got\n%s", w.Name, text.String())
		}
	}
	if !strings.HasSuffix(svg.String(), "</svg>\n") {
		t.Errorf("want a plot, got %q", svg.String())
	}
	t.Log(text.String())
}

func TestSuiteVoidsNumbersOfWrongAnswers(t *testing.T) {
	suite := newSuite(t, 0.001)
	suite.Execute = func(_ context.Context, req bench.Request) (bench.Sample, error) {
		s := bench.Sample{Rows: 1, Wall: 1, CPU: 1, Answer: bench.Answer{Rows: 1, Digest: 7}}
		if req.Program == bench.Engine {
			s.Answer.Digest++
		}
		return s, nil
	}
	w, err := bench.FindWorkload("group-int-1k")
	if err != nil {
		t.Fatal(err)
	}
	result, err := suite.Run(context.Background(), w)
	if err != nil {
		t.Fatal(err)
	}
	report := bench.Report{Results: []bench.Result{result}}
	if got := report.Faults(); got != 1 {
		t.Errorf("want 1 fault, got %d", got)
	}
	var text bytes.Buffer
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if want := "VOID group-int-1k, tidemill: wrong answer"; !strings.Contains(text.String(), want) {
		t.Errorf("want %q in the report, got\n%s", want, text.String())
	}
}
