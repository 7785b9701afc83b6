package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// child is the command in a process of its own, with what it prints.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout output
	stderr output
}

// output collects what a process prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// spawn starts the command, with a pipe as stdin.
func spawn(t *testing.T, args ...string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(binary, args...)}
	c.cmd.Stdout, c.cmd.Stderr = &c.stdout, &c.stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil {
			c.cmd.Process.Kill()
			c.cmd.Wait()
		}
	})
	return c
}

func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatalf("signal %s: %v\n%s", s, err, c.stderr.String())
	}
}

// waitFor waits until text is in what the process printed on o.
func (c *child) waitFor(o *output, text string) {
	c.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(o.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("%q does not come:\nstdout:\n%s\nstderr:\n%s", text, c.stdout.String(), c.stderr.String())
		}
	}
}

// status waits for the end of the process and returns its exit status, -1 if a signal ended it.
func (c *child) status() int {
	c.t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.cmd.Wait() }()
	select {
	case err := <-done:
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			c.t.Fatal(err)
		}
		return c.cmd.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		c.t.Fatalf("the process does not end:\n%s", c.stderr.String())
	}
	return 0
}

// isDone asserts that a job ended with status 0 and said so.
func (c *child) isDone() {
	c.t.Helper()
	if status := c.status(); status != 0 || !strings.Contains(c.stderr.String(), "done: ") {
		c.t.Errorf("want status 0 and a line that says done, got %d and\n%s", status, c.stderr.String())
	}
}

func TestForEndsAJobAfterItsTime(t *testing.T) {
	t.Parallel()
	began := time.Now()
	c := spawn(t, "run", "--for", "300ms", "--interval", "50ms", "-e", "CREATE SOURCE r FROM 'rate:' WITH (rows_per_second = 100); SELECT value FROM r")
	c.isDone()
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("it ended after %s", took)
	}
	if !strings.HasPrefix(c.stdout.String(), "value\n0\n1\n2\n") {
		t.Errorf("stdout %q", c.stdout.String())
	}
}

func TestSignalFinishesTheIntervalAndTheNextRunContinues(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			_, fill := inDir(t, nil)
			job := fill("CREATE SOURCE t (n BIGINT) FROM 'stdin:' FORMAT CSV; CREATE SINK all INTO 'file:DIR/out' FORMAT CSV AS SELECT n FROM t;" +
				"SELECT count(*) AS c, sum(n) AS s FROM t")
			run := func() *child {
				return spawn(t, "run", "--checkpoint", fill("DIR/state"), "--interval", "20ms", "--commit-every", "20ms", "-e", job)
			}
			c := run()
			io.WriteString(c.stdin, "1\n2\n")
			c.waitFor(&c.stdout, "2,3\n")
			io.WriteString(c.stdin, "3\n")
			c.waitFor(&c.stdout, "3,6\n")
			c.signal(sig)
			c.isDone()

			c = run()
			io.WriteString(c.stdin, "10\n")
			c.stdin.Close()
			c.isDone()
			if got := c.stdout.String(); !strings.HasPrefix(got, "c,s\n4,16\n") { // again if the end of stdin is an interval of its own
				t.Errorf("the second run printed %q", got)
			}
			if got := readSink(t, fill("DIR/out")); got != "1\n2\n3\n10\n" {
				t.Errorf("the sink has %q", got)
			}
		})
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	// Nobody reads the pipe, so that the job can't finish its interval.
	_, fill := inDir(t, map[string]string{"long.txt": strings.Repeat(strings.Repeat("x", 99)+"\n", 100_000)})
	cmd := exec.Command(binary, "run", "-e", fill("CREATE SOURCE t FROM 'file:DIR/long.txt' FORMAT TEXT; SELECT value FROM t"))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	if _, err := bufio.NewReaderSize(stdout, 16).ReadString('\n'); err != nil { // it runs, and writes
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Process.Wait()
		close(ended)
	}()
	for deadline := time.After(20 * time.Second); ; {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
			return
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatal("it does not end")
		}
	}
}

func TestReaderThatHasSeenEnoughEndsTheCommandCalmly(t *testing.T) {
	_, fill := inDir(t, map[string]string{"long.txt": strings.Repeat("a line\n", 500_000)})
	tests := []struct {
		name string
		args []string
	}{
		{name: "a job", args: []string{"run", "-e", "CREATE SOURCE t FROM 'file:DIR/long.txt' FORMAT TEXT; SELECT value FROM t"}},
		{name: "a job with a checkpoint", args: []string{"run", "--checkpoint", "DIR/state", "-e", "CREATE SOURCE t FROM 'file:DIR/long.txt' FORMAT TEXT; SELECT value FROM t"}},
		{name: "a live job", args: []string{"run", "--interval", "10ms", "--commit-every", "10ms", "-e", "CREATE SOURCE r FROM 'rate:' WITH (rows_per_second = 10000); SELECT value FROM r"}},
		{name: "a generator", args: []string{"gen", "words"}},
		{name: "a generator with a rate", args: []string{"gen", "rate", "--rate", "1000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var args []string
			for _, a := range tt.args {
				args = append(args, fill(a))
			}
			cmd := exec.Command(binary, args...)
			var stderr output
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill() })
			if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			stdout.Close()
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v:\n%s", err, stderr.String())
			}
			if strings.Contains(stderr.String(), "tidemill:") {
				t.Errorf("it complains:\n%s", stderr.String())
			}
		})
	}
}
