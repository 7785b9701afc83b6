package bench

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// Suite runs workloads with their yardsticks.
type Suite struct {
	// Dir is where inputs are written.
	Dir string
	// Scale is what the numbers of rows are multiplied with. The default is 1.
	Scale float64
	// Count is how often each program runs; the median counts. The default is 1.
	Count int
	// Workers is the number of the engine's workers, 0 for its default.
	Workers int
	// Execute runs a program: Execute of this package, or that in another process.
	Execute func(context.Context, Request) (Sample, error)
	// Serve starts one of Sender and returns the address that it serves at, until stop.
	Serve func(context.Context, Sender) (address string, stop func() error, err error)
	// Progress is told what is running.
	Progress io.Writer
}

// Sender is what sends a workload's input over TCP: a file, or rows at a fixed rate.
type Sender struct {
	Path      string
	PerSecond int64
	Rows      int64
}

// Run serves until ctx ends. It tells its address first.
func (s Sender) Run(ctx context.Context, tell func(address string)) error {
	if s.Path != "" {
		return Send(ctx, s.Path, tell)
	}
	return SendPaced(ctx, s.PerSecond, s.Rows, tell)
}

// Result is what was measured of a workload.
type Result struct {
	Workload string `json:"workload"`
	About    string `json:"about"`
	Rows     int64  `json:"rows"`
	Bytes    int64  `json:"bytes"`
	// Path is the input's, "" if there is none.
	Path string `json:"path,omitempty"`
	// Generated is the rows per second at which the input was generated and written, 0 if it was there.
	Generated float64 `json:"generated_rows_per_second,omitempty"`
	// Answer is what the idiomatic program found.
	Answer   Answer    `json:"answer"`
	Programs []Program `json:"programs"`
}

// Program is what was measured of a program.
type Program struct {
	Name string `json:"name"`
	// Fault is why the numbers are void, "" if they are not.
	Fault string `json:"fault,omitempty"`
	// Median is the run with the median CPU time; its Wall is the median of all runs.
	Median Sample   `json:"median"`
	Runs   []Sample `json:"runs"`
}

// Find returns what was measured of a program, nil if that is nothing or void.
func (r *Result) Find(name string) *Sample {
	for i := range r.Programs {
		if p := &r.Programs[i]; p.Name == name && p.Fault == "" && len(p.Runs) > 0 {
			return &p.Median
		}
	}
	return nil
}

// enough is how long the runs of a program may take together before it is not run again.
const enough = 20 * time.Second

// Run measures a workload. Programs take turns, so that a busy time of the machine is not one program's alone.
func (s *Suite) Run(ctx context.Context, w *Workload) (result Result, err error) {
	scale, count := cmp.Or(s.Scale, 1), max(s.Count, 1)
	result = Result{Workload: w.Name, About: w.About, Rows: w.rows(scale)}
	req := Request{Workload: w.Name, Scale: scale, Workers: s.Workers}
	if w.Input != nil {
		if req.File, err = w.Input.Write(s.Dir, scale); err != nil {
			return result, err
		}
		result.Path, result.Bytes = req.File.Path, req.File.Bytes
		if req.File.Took > 0 {
			result.Generated = float64(req.File.Rows) / req.File.Took.Seconds()
		}
	}
	if w.TCP {
		sender := Sender{Path: req.File.Path, Rows: result.Rows}
		if w.latency != nil {
			sender.PerSecond = w.latency.perSecond
		}
		address, stop, err := s.Serve(ctx, sender)
		if err != nil {
			return result, err
		}
		defer stop() //nolint:errcheck // what was sent is checked by its answer
		req.Address = address
	}
	for _, name := range w.Programs() {
		result.Programs = append(result.Programs, Program{Name: name})
	}
	for turn := range count {
		for i := range result.Programs {
			p := &result.Programs[i]
			if turn > 0 && (p.Fault != "" || p.took()*time.Duration(turn+1)/time.Duration(turn) > enough) {
				continue
			}
			req.Program = p.Name
			fmt.Fprintf(s.Progress, "%s: %s, run %d of %d\n", w.Name, p.Name, turn+1, count)
			sample, err := s.Execute(ctx, req)
			if ctx.Err() != nil {
				return result, ctx.Err()
			}
			if err != nil {
				p.Fault = err.Error()
				continue
			}
			p.Runs = append(p.Runs, sample)
		}
	}
	result.judge()
	return result, nil
}

func (p *Program) took() (sum time.Duration) {
	for i := range p.Runs {
		sum += p.Runs[i].Wall
	}
	return sum
}

// judge compares the answers with the idiomatic program's, and takes medians.
func (r *Result) judge() {
	isKnown := false
	for _, p := range r.Programs {
		if p.Name == Idiomatic && len(p.Runs) > 0 {
			r.Answer, isKnown = p.Runs[0].Answer, true
		}
	}
	for i := range r.Programs {
		p := &r.Programs[i]
		if len(p.Runs) == 0 {
			continue
		}
		for _, run := range p.Runs {
			switch {
			case p.Name == Raw || run.Latency != nil: // no answer, and one that was checked
			case !isKnown:
				p.Fault = "not checked: the program that has the answer did not end"
			case !run.Answer.Equal(r.Answer):
				p.Fault = fmt.Sprintf("wrong answer: want %s, got %s", r.Answer, run.Answer)
			}
		}
		runs := slices.Clone(p.Runs)
		slices.SortFunc(runs, func(a, b Sample) int { return cmp.Compare(a.Wall, b.Wall) })
		wall := runs[len(runs)/2].Wall
		slices.SortFunc(runs, func(a, b Sample) int { return cmp.Compare(a.CPU, b.CPU) })
		p.Median = runs[len(runs)/2]
		p.Median.Wall = wall
	}
}
