package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"

	"github.com/tidemill/tidemill/bench"
)

type benchCommand struct {
	Workloads []string `arg:"" optional:"" help:"Workloads, or the beginnings of their names; scaling: those that are run with one worker too (default: all)."`
	List      bool     `help:"List the workloads."`
	Scale     float64  `default:"1" help:"What the numbers of rows are multiplied with."`
	Count     int      `default:"3" help:"Runs of each program; the median counts."`
	Workers   int      `help:"Goroutines that decode and compute (default: one per core)."`
	Dir       string   `placeholder:"DIR" help:"Where to keep inputs from one run to the next (default: in memory or the temporary directory, removed at the end)."`
	JSON      string   `name:"json" placeholder:"FILE" help:"Write everything that was measured."`
	SVG       string   `name:"svg" placeholder:"FILE" help:"Draw rows per CPU second."`
	Profile   string   `placeholder:"DIR" help:"Write a CPU profile of the engine's last run of each workload."`
	Quiet     bool     `short:"q" help:"Print no progress."`

	Child bool `hidden:"" help:"Run one program, as asked on stdin."`
	Serve bool `hidden:"" help:"Send data over TCP, as asked on stdin, until that ends."`
}

// Run runs workloads. Each run of a program is a process of its own, so that it has memory and CPU time for itself.
func (b *benchCommand) Run(ctx context.Context, s streams) (err error) {
	switch {
	case b.Child:
		return b.child(ctx, s)
	case b.Serve:
		return b.serve(ctx, s)
	}
	if b.Scale <= 0 || b.Count < 1 || b.Workers < 0 {
		return wrongError{errors.New("bench: --scale and --count must be positive, --workers not negative")}
	}
	chosen, err := b.chosen()
	if err != nil {
		return wrongError{err}
	}
	if b.List {
		for _, w := range chosen {
			fmt.Fprintf(s.stdout, "%-16s %s\n", w.Name, w.About)
		}
		return nil
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	dir, removeDir, err := b.inputs()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeDir()) }()
	if b.Profile != "" {
		if err := os.MkdirAll(b.Profile, 0o755); err != nil {
			return wrongError{err}
		}
	}
	suite := &bench.Suite{
		Dir: dir, Scale: b.Scale, Count: b.Count, Workers: b.Workers, Execute: b.spawn, Serve: spawnSender, Progress: s.stderr,
	}
	if b.Quiet {
		suite.Progress = io.Discard
	}
	report := bench.Report{Machine: bench.ThisMachine(version), Scale: b.Scale, Count: b.Count, Workers: b.Workers}
	for _, w := range chosen {
		result, err := suite.Run(ctx, w)
		if err != nil {
			return fmt.Errorf("bench %s: %w", w.Name, err)
		}
		report.Results = append(report.Results, result)
	}
	if err := b.write(&report, s.stdout); err != nil {
		return err
	}
	if n := report.Faults(); n > 0 {
		return fmt.Errorf("bench: %d programs failed or gave a wrong answer", n)
	}
	return nil
}

// chosen returns the workloads that were asked for, in the order of the suite.
func (b *benchCommand) chosen() (chosen []*bench.Workload, err error) {
	unused := make(map[string]bool)
	for _, name := range b.Workloads {
		unused[name] = true
	}
	for _, w := range bench.Workloads() {
		isChosen := len(b.Workloads) == 0
		for _, name := range b.Workloads {
			if isMeant(w, name) {
				isChosen = true
				delete(unused, name)
			}
		}
		if isChosen {
			chosen = append(chosen, w)
		}
	}
	for name := range unused {
		err = errors.Join(err, fmt.Errorf("bench: workload %q is unknown: tidemill bench --list has their names", name))
	}
	return chosen, err
}

// isMeant says whether a name on the command line means w: its whole name, the beginning of several names, or scaling, for those
// that are measured with one worker too.
func isMeant(w *bench.Workload, name string) bool {
	if name == "scaling" {
		return slices.Contains(w.Programs(), bench.OneWorker)
	}
	_, err := bench.FindWorkload(name)
	return w.Name == name || err != nil && strings.HasPrefix(w.Name, name)
}

// inputs returns the directory for inputs, and what removes it if it is ours.
func (b *benchCommand) inputs() (dir string, remove func() error, err error) {
	if b.Dir != "" {
		return b.Dir, func() error { return nil }, os.MkdirAll(b.Dir, 0o755)
	}
	// Files in memory are not read from a disk while the clock runs.
	parent := "/dev/shm"
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		parent = ""
	}
	if dir, err = os.MkdirTemp(parent, "tidemill-bench-"); err != nil {
		return "", nil, err
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}

func (b *benchCommand) write(report *bench.Report, stdout io.Writer) error {
	var errs []error
	write := func(path string, fn func(io.Writer) error) {
		if path == "" {
			return
		}
		f, err := os.Create(path)
		if err != nil {
			errs = append(errs, err)
			return
		}
		errs = append(errs, fn(f), f.Close())
	}
	write(b.JSON, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(report)
	})
	write(b.SVG, report.WriteSVG)
	return errors.Join(append(errs, report.WriteText(stdout))...)
}

// spawn runs a program in another process.
func (b *benchCommand) spawn(ctx context.Context, req bench.Request) (sample bench.Sample, err error) {
	if b.Profile != "" && req.Program == bench.Engine {
		req.CPUProfile = b.Profile + "/" + req.Workload + ".pprof"
	}
	in, err := json.Marshal(req)
	if err != nil {
		return sample, err
	}
	self, err := os.Executable()
	if err != nil {
		return sample, err
	}
	cmd := exec.CommandContext(ctx, self, "bench", "--child")
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	out, err := cmd.Output()
	if err != nil {
		return sample, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return sample, json.Unmarshal(out, &sample)
}

func (b *benchCommand) child(ctx context.Context, s streams) error {
	var req bench.Request
	if err := json.NewDecoder(s.stdin).Decode(&req); err != nil {
		return wrongError{fmt.Errorf("bench: read request: %w", err)}
	}
	sample, err := bench.Execute(ctx, req)
	if err != nil {
		return err
	}
	return json.NewEncoder(s.stdout).Encode(sample)
}

// spawnSender sends from another process, so that its CPU time is not the engine's.
func spawnSender(ctx context.Context, sender bench.Sender) (address string, stop func() error, err error) {
	in, err := json.Marshal(sender)
	if err != nil {
		return "", nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, self, "bench", "--serve")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error { return errors.Join(stdin.Close(), cmd.Wait()) }
	if _, err = fmt.Fprintf(stdin, "%s\n", in); err == nil {
		_, err = fmt.Fscanln(stdout, &address)
	}
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("start sender: %w", err), stop())
	}
	return address, stop, nil
}

func (b *benchCommand) serve(ctx context.Context, s streams) error {
	in := json.NewDecoder(s.stdin)
	var sender bench.Sender
	if err := in.Decode(&sender); err != nil {
		return wrongError{fmt.Errorf("bench: read what to send: %w", err)}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		io.Copy(io.Discard, s.stdin) //nolint:errcheck // any end is the end
	}()
	return sender.Run(ctx, func(address string) { fmt.Fprintln(s.stdout, address) })
}

// Help shows examples.
func (*benchCommand) Help() string {
	return `Examples:

    tidemill bench --list
    tidemill bench --scale 0.1 --count 1 ysb wordcount
    tidemill bench --json report.json --svg report.svg`
}
