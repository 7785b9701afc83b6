package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tidemill/tidemill"
)

// shownRows is how many lost and doubled rows of a sink are shown.
const shownRows = 5

type chaosCommand struct {
	jobFlags

	Rounds      int           `default:"20" placeholder:"N" help:"How often the job is killed."`
	Seed        uint64        `placeholder:"N" help:"Seed of the moments at which it is killed (default: a new one, which is printed)."`
	Checkpoint  string        `placeholder:"DIR" help:"Empty directory for the checkpoints and results of all runs, kept afterwards (default: a temporary one)."`
	Interval    time.Duration `default:"100ms" help:"Time between two intervals."`
	CommitEvery time.Duration `default:"100ms" help:"How often output becomes visible and state durable."`
}

// Help says what the numbers mean.
func (c *chaosCommand) Help() string {
	return `Runs a bounded job once undisturbed, and then again and again in a process of its own that is killed (SIGKILL) at random
moments and started anew, and compares the rows of every sink. No sink of the job is touched: all write files below the
directory of --checkpoint. Ends with status 1 if a row was lost or came twice. Results per interval, such as those of an aggregate without
window, depend on where intervals are cut: set max_rows_per_interval, which cuts a single file alike each time.

Examples:

    tidemill chaos --rounds 20 job.sql`
}

// Run breaks the job.
func (c *chaosCommand) Run(ctx context.Context, s streams) (err error) {
	if c.Rounds < 1 {
		return wrongError{fmt.Errorf("--rounds must be at least 1: %d", c.Rounds)}
	}
	text, err := c.text(s.stdin)
	if err != nil {
		return err
	}
	job, err := newJob(tidemill.Config{})
	if err != nil {
		return err
	}
	if err := errors.Join(job.SQL(text)); err != nil {
		return wrongError{err}
	}
	if err := job.CheckRepeatable(); err != nil {
		return wrongError{err}
	}
	dir := c.Checkpoint
	if dir == "" {
		if dir, err = os.MkdirTemp("", "tidemill-chaos"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	} else if err := emptyDir(dir); err != nil {
		return err
	}
	if c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	fmt.Fprintf(s.stderr, "seed %d\n", c.Seed)
	b := &breaker{spec: c, dir: dir, stderr: s.stderr, rng: rand.New(rand.NewPCG(c.Seed, 0))}
	if b.program, err = os.Executable(); err != nil {
		return err
	}
	b.script = filepath.Join(dir, "job.sql")
	if err := os.WriteFile(b.script, []byte(text), 0o644); err != nil {
		return err
	}
	return b.run(ctx, s.stdout)
}

// emptyDir makes a directory, which must have nothing in it.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(dir, 0o755)
	case err != nil:
		return wrongError{err}
	case len(entries) > 0:
		return wrongError{fmt.Errorf("directory %s is not empty: choose another one", dir)}
	}
	return nil
}

// breaker kills the runs of a job.
type breaker struct {
	spec    *chaosCommand
	program string
	script  string
	dir     string
	stderr  io.Writer
	rng     *rand.Rand

	want             sinkRows
	took             time.Duration // of the undisturbed run
	lives            int           // from an empty checkpoint to the end
	lost, doubled    int64
	killed, finished int
}

func (b *breaker) run(ctx context.Context, stdout io.Writer) error {
	undisturbed := filepath.Join(b.dir, "undisturbed")
	began := time.Now()
	if _, err := b.runUntil(ctx, undisturbed, nil); err != nil {
		return fmt.Errorf("undisturbed run: %w", err)
	}
	b.took = time.Since(began)
	var err error
	if b.want, err = readSinks(undisturbed); err != nil {
		return err
	}
	for b.killed < b.spec.Rounds {
		if err := b.live(ctx, stdout); err != nil {
			return err
		}
	}
	b.progress(true)
	fmt.Fprintf(stdout, "%s, killed %s, run to the end %s: %s lost, %s too many\n",
		plural(b.want.count(), "row"), plural(int64(b.killed), "time"), plural(int64(b.lives), "time"), plural(b.lost, "row"), plural(b.doubled, "row"))
	if b.lost+b.doubled > 0 {
		return fmt.Errorf("%s were lost, %s came too often: seed %d", plural(b.lost, "row"), plural(b.doubled, "row"), b.spec.Seed)
	}
	return nil
}

// live starts the job with an empty checkpoint, kills and restarts it until it has ended or been killed often enough, lets it end, and
// compares.
func (b *breaker) live(ctx context.Context, stdout io.Writer) error {
	b.lives++
	dir := filepath.Join(b.dir, fmt.Sprintf("life-%d", b.lives))
	for isDone := false; !isDone; {
		var kill <-chan time.Time
		if b.killed < b.spec.Rounds {
			kill = time.After(time.Duration(b.rng.Int64N(int64(b.took) + 1)))
		}
		var err error
		if isDone, err = b.runUntil(ctx, dir, kill); err != nil {
			return fmt.Errorf("run after %s: %w", plural(int64(b.killed), "kill"), err)
		}
		if !isDone {
			b.killed++
		}
		b.progress(false)
	}
	got, err := readSinks(dir)
	if err != nil {
		return err
	}
	lost, doubled := b.want.compare(got, func(format string, args ...any) {
		fmt.Fprintf(stdout, "life %d: "+format+"\n", append([]any{b.lives}, args...)...)
	})
	b.lost, b.doubled = b.lost+lost, b.doubled+doubled
	if lost+doubled == 0 && b.spec.Checkpoint == "" {
		return os.RemoveAll(dir)
	}
	return nil
}

// runUntil runs the job in a process of its own until it ends or kill comes, and says whether it has ended.
func (b *breaker) runUntil(ctx context.Context, dir string, kill <-chan time.Time) (isDone bool, err error) {
	var said strings.Builder
	cmd := exec.CommandContext(ctx, b.program, "run", b.script, "--quiet", "--checkpoint", filepath.Join(dir, "state"), "--sinks-to", filepath.Join(dir, "out"),
		"--interval", b.spec.Interval.String(), "--commit-every", b.spec.CommitEvery.String())
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return false, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-kill:
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return false, err
		}
		err = <-ended
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return false, nil
		}
	}
	if err != nil {
		return false, fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	return true, nil
}

// progress shows how far it is: on a terminal all the time, elsewhere at every tenth.
func (b *breaker) progress(isEnd bool) {
	line := fmt.Sprintf("killed %d of %d times, %s to the end", b.killed, b.spec.Rounds, plural(int64(b.lives), "run"))
	switch {
	case isTerminal(b.stderr) && isEnd:
		fmt.Fprint(b.stderr, "\r\x1b[K")
	case isTerminal(b.stderr):
		fmt.Fprintf(b.stderr, "\r\x1b[K%s", line)
	case !isEnd && b.killed*10/b.spec.Rounds > b.finished:
		b.finished = b.killed * 10 / b.spec.Rounds
		fmt.Fprintln(b.stderr, line)
	}
}
