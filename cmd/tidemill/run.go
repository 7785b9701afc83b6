package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/egress"
)

type runCommand struct {
	jobFlags

	Interval    time.Duration `default:"1s" help:"Time between two intervals."`
	CommitEvery time.Duration `default:"1s" help:"How often output becomes visible and state durable."`
	Checkpoint  string        `placeholder:"DIR" help:"Directory of state, offsets and journal (default: memory only)."`
	Compression string        `placeholder:"CODEC" help:"How state images are compressed: s2 (default), zstd or none."`
	DropState   []string      `placeholder:"NAME" sep:"none" help:"Give up the state of an operator, table or source where this job can't use it; may be given more than once."`
	Output      string        `placeholder:"FORMAT" help:"How a bare SELECT prints: table (default on a terminal), csv (default elsewhere), json, or live: the latest state, in place on a terminal."`
	Mode        string        `placeholder:"MODE" help:"Output mode of results that do not say: append (default where windows close), update (default for other aggregates) or complete."`
	Align       string        `enum:"epoch,start" default:"epoch" help:"Where windows of time begin: epoch, or the start of the job (default: epoch)."`
	Lateness    time.Duration `placeholder:"TIME" help:"How long after the end of its windows a row still counts, in sinks that do not say, such as 1m (default: 0s)."`
	Workers     int           `placeholder:"N" help:"Goroutines that decode and compute (default: one per core)."`
	Memory      byteSize      `placeholder:"SIZE" help:"Bound of tables, panes and pools, such as 512MB (default: half of the machine's)."`
	BlockSize   byteSize      `help:"Size of the pieces that input is cut into (default: 256KiB)." hidden:""`
	SinksTo     string        `hidden:"" help:"Directory that all sinks write to, instead of where the job says."`
	For         time.Duration `placeholder:"TIME" help:"Stop gracefully after this time, such as 20s."`
	OnError     string        `enum:"skip,fail" default:"skip" help:"What to do with a bad row: skip (and count) or fail."`
	Catchup     string        `enum:"coalesce,each" default:"coalesce" help:"After falling behind: one interval for all missed ticks, or each."`
	Quiet       bool          `short:"q" help:"Print no status and no log, only errors."`
	CPUProfile  string        `name:"cpuprofile" placeholder:"FILE" help:"Write a CPU profile."`
	Trace       string        `placeholder:"FILE" help:"Write an execution trace."`
}

// Run runs the job.
func (r *runCommand) Run(ctx context.Context, s streams) (err error) {
	text, err := r.text(s.stdin)
	if err != nil {
		return err
	}
	stopProfiles, err := r.startProfiles()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfiles()) }()

	reporter := newReporter(s.stderr, r.Quiet)
	cfg := tidemill.Config{
		Parameters: r.Set,
		Interval:   r.Interval, CommitEvery: r.CommitEvery, Checkpoint: r.Checkpoint, Compression: r.Compression, DropState: r.DropState, Mode: r.Mode, Lateness: r.Lateness, Align: r.Align, Workers: r.Workers,
		MemoryBytes: int64(r.Memory), BlockBytes: int(r.BlockSize), FailOnBadRow: r.OnError == "fail",
		SinkDir: r.SinksTo, ReplayEveryTick: r.Catchup == "each", Stdin: s.stdin, Stdout: reporter.stdout(s.stdout), Output: r.output(s.stdout),
		Log: reporter.logger(), OnStatus: reporter.onStatus,
	}
	if r.Memory > 0 {
		debug.SetMemoryLimit(int64(r.Memory) + int64(r.Memory)/4)
	}
	job, err := newJob(cfg)
	if err != nil {
		return wrongError{err}
	}
	if err := job.SQL(text); err != nil {
		return wrongError{err}
	}
	if err := job.Check(); err != nil {
		return wrongError{err}
	}
	return runJob(ctx, job, reporter, r.For)
}

// runJob runs a job until it ends, a signal comes, or its time is over, if it has one.
func runJob(ctx context.Context, job *tidemill.Context, reporter *reporter, limit time.Duration) error {
	began := time.Now()
	if err := job.Start(ctx); errors.Is(err, tidemill.ErrRefused) {
		return wrongError{err}
	} else if err != nil {
		return err
	}
	reporter.start(job)
	defer stopWhenAsked(job, limit)()
	err := job.Wait()
	if errors.Is(err, egress.ErrClosed) { // the reader of stdout has seen enough
		err = nil
	}
	reporter.end(job, time.Since(began), err == nil)
	return err
}

// output returns how a bare SELECT prints.
func (r *runCommand) output(stdout io.Writer) string {
	switch {
	case r.Output != "":
		return r.Output
	case isTerminal(stdout):
		return "table"
	}
	return "csv"
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// stopWhenAsked stops the job gracefully at a signal or when its time is over, if it has one; a second signal ends the process at
// once. The function that it returns ends the watch.
func stopWhenAsked(job *tidemill.Context, limit time.Duration) func() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var timeout <-chan time.Time
	if limit > 0 {
		timeout = time.After(limit)
	}
	go func() {
		for stopping := false; ; stopping = true {
			select {
			case <-timeout:
				timeout = nil
			case <-signals:
				if stopping {
					os.Exit(statusFailed)
				}
			case <-job.Done():
				return
			}
			job.Stop()
		}
	}()
	return func() { signal.Stop(signals) }
}

func (r *runCommand) startProfiles() (stop func() error, err error) {
	var stops []func() error
	stop = func() error {
		var errs []error
		for _, s := range stops {
			errs = append(errs, s())
		}
		return errors.Join(errs...)
	}
	begin := func(path string, start func(io.Writer) error, end func()) error {
		if path == "" {
			return nil
		}
		f, err := os.Create(path)
		if err != nil {
			return wrongError{err}
		}
		stops = append(stops, func() error { end(); return f.Close() })
		return start(f)
	}
	err = errors.Join(begin(r.CPUProfile, pprof.StartCPUProfile, pprof.StopCPUProfile), begin(r.Trace, trace.Start, trace.Stop))
	return stop, err
}

// byteSize is a number of bytes on the command line, such as 64MB or 256KiB.
type byteSize int64

// UnmarshalText parses a number with an optional unit, decimal (KB, MB, GB) or binary (KiB, MiB, GiB).
func (b *byteSize) UnmarshalText(text []byte) error {
	s := strings.ToUpper(strings.TrimSpace(string(text)))
	factor := int64(1)
	for _, u := range []struct {
		suffix string
		factor int64
	}{{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"B", 1}} {
		if rest, ok := strings.CutSuffix(s, u.suffix); ok {
			s, factor = strings.TrimSpace(rest), u.factor
			break
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n < 0 || n*float64(factor) > 1<<60 {
		return fmt.Errorf("want a size such as 512MB, got %q", text)
	}
	*b = byteSize(n * float64(factor))
	return nil
}

// Help shows examples.
func (*runCommand) Help() string {
	return `Examples:

    tidemill run examples/wordcount/wordcount.sql
    tidemill run --output json -e "CREATE SOURCE r FROM 'rate:'; SELECT value FROM r"
    tidemill run --checkpoint state/ --interval 200ms job.sql
    tidemill run --output live -e "CREATE SOURCE r FROM 'rate:'; SELECT count(*) FROM r"`
}
