package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the random numbers")
	rounds = flag.Int("rounds", 20, "SIGKILL rounds")
)

// process is the command in a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr bytes.Buffer
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(binary, args...)}
	p.cmd.Stderr = &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	return p
}

func (p *process) signal(s os.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %s: %v\n%s", s, err, p.stderr.String())
	}
}

// kill ends the process by SIGKILL.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	err := p.cmd.Wait()
	if exit, ok := err.(*exec.ExitError); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		p.t.Fatalf("the job ended before it was killed: %v\n%s", err, p.stderr.String())
	}
}

func (p *process) wait() {
	p.t.Helper()
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("job: %v\n%s", err, p.stderr.String())
	}
}

// TestKilledFileJobLosesAndDoublesNothing feeds a growing file of disordered events to a windowed job that is killed again and
// again, and compares what it wrote with windows computed from the file.
func TestKilledFileJobLosesAndDoublesNothing(t *testing.T) {
	t.Logf("-seed=%d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 1))
	dir := t.TempDir()
	input, out, state := filepath.Join(dir, "in.csv"), filepath.Join(dir, "out"), filepath.Join(dir, "state")
	job := func(follow bool) string {
		return fmt.Sprintf(`
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'file:%s' FORMAT CSV WITH (follow = %t, max_rows_per_interval = 1000);
CREATE SINK w INTO 'file:%s' FORMAT CSV AS
  SELECT window.start, window.end, user, count(*) AS c, sum(n) AS s FROM e GROUP BY window(at, '10 seconds', '5 seconds'), user`, input, follow, out)
	}
	run := func(follow bool) *process {
		return start(t, "run", "--checkpoint", state, "--interval", "10ms", "--commit-every", "20ms", "-e", job(follow))
	}
	file, err := os.Create(input)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	want := newExpectedWindows(10*time.Second, 5*time.Second, time.Second)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range *rounds {
		p := run(true)
		for range 1 + rng.IntN(5) {
			var chunk strings.Builder
			for range 1000 + rng.IntN(4000) {
				at = at.Add(time.Duration(rng.IntN(10)) * time.Millisecond)
				t := at.Add(-time.Duration(rng.IntN(1500)) * time.Millisecond)
				user, n := fmt.Sprintf("u%d", rng.IntN(9)), rng.Int64N(1000)
				fmt.Fprintf(&chunk, "%s,%s,%d\n", t.Format("2006-01-02T15:04:05.999999Z"), user, n)
				want.add(t, user, n)
			}
			if _, err := file.WriteString(chunk.String()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		}
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		p.kill()
	}
	run(false).wait()
	got := strings.Split(strings.TrimSuffix(readSink(t, out), "\n"), "\n")
	slices.Sort(got)
	if diff := cmp.Diff(want.lines(), got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// expectedWindows computes sums per sliding window and user, row by row.
type expectedWindows struct {
	size, slide, delay time.Duration
	largest            time.Time
	sums               map[string][2]int64
}

func newExpectedWindows(size, slide, delay time.Duration) *expectedWindows {
	return &expectedWindows{size: size, slide: slide, delay: delay, sums: make(map[string][2]int64)}
}

func (w *expectedWindows) add(at time.Time, user string, n int64) {
	for end := at.Truncate(w.slide).Add(w.slide); !end.Add(-w.size).After(at); end = end.Add(w.slide) {
		if w.largest.IsZero() || end.After(w.largest.Add(-w.delay)) {
			key := fmt.Sprintf("%s,%s,%s", end.Add(-w.size).Format(time.RFC3339), end.Format(time.RFC3339), user)
			s := w.sums[key]
			w.sums[key] = [2]int64{s[0] + 1, s[1] + n}
		}
	}
	if at.After(w.largest) {
		w.largest = at
	}
}

func (w *expectedWindows) lines() []string {
	var all []string
	for key, s := range w.sums {
		all = append(all, fmt.Sprintf("%s,%d,%d", key, s[0], s[1]))
	}
	slices.Sort(all)
	return all
}

// TestKilledSocketJobLosesAndDoublesNothing sends rows over connections that are each confirmed by the job's closing them, and
// kills the job again and again. Nothing is ever sent twice: what was taken in must be in the journal.
func TestKilledSocketJobLosesAndDoublesNothing(t *testing.T) {
	t.Logf("-seed=%d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 2))
	dir := t.TempDir()
	address := freeAddress(t)
	job := func(with string) string {
		return fmt.Sprintf(`
CREATE SOURCE s (id BIGINT, word TEXT) FROM 'tcp-listen://%s' FORMAT CSV%s;
CREATE SINK raw INTO 'file:%s' FORMAT CSV AS SELECT id, word FROM s;
CREATE SINK windows INTO 'file:%s' FORMAT CSV AS
  SELECT window.end, word, count(*) AS c FROM s GROUP BY window(arrival_time, '100 milliseconds', '50 milliseconds'), word`,
			address, with, filepath.Join(dir, "raw"), filepath.Join(dir, "windows"))
	}
	run := func(with string) *process {
		return start(t, "run", "--checkpoint", filepath.Join(dir, "state"), "--interval", "10ms", "--commit-every", "20ms", "-e", job(with))
	}
	var want []string
	send := func(p *process, rows int) {
		var text strings.Builder
		for range rows {
			line := fmt.Sprintf("%d,w%d", len(want), rng.IntN(5))
			want = append(want, line)
			text.WriteString(line + "\n")
		}
		conn := dial(t, p, address)
		defer conn.Close()
		if _, err := io.WriteString(conn, text.String()); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil {
			t.Fatalf("wait for the job to close the connection: %v\n%s", err, p.stderr.String())
		}
	}
	for range *rounds {
		p := run("")
		for range 1 + rng.IntN(4) {
			send(p, 1+rng.IntN(3000))
		}
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		p.kill()
	}
	p := run(" WITH (connections = 1)")
	send(p, 10)
	p.wait()

	got := strings.Split(strings.TrimSuffix(readSink(t, filepath.Join(dir, "raw")), "\n"), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("raw rows (-want +got):\n%s", diff)
	}
	var counted int
	for line := range strings.Lines(readSink(t, filepath.Join(dir, "windows"))) {
		var end, word string
		var count int
		parts := strings.Split(strings.TrimSpace(line), ",")
		if len(parts) != 3 {
			t.Fatalf("line %q", line)
		}
		end, word = parts[0], parts[1]
		if _, err := fmt.Sscan(parts[2], &count); err != nil {
			t.Fatalf("window %s, word %s: %v", end, word, err)
		}
		counted += count
	}
	if counted != 2*len(want) { // each row is in two windows
		t.Errorf("rows in windows: want %d, got %d", 2*len(want), counted)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// dial connects to a job that is starting.
func dial(t *testing.T, p *process, address string) net.Conn {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn
		}
		if time.Now().After(deadline) {
			t.Fatalf("the job does not listen: %v\n%s", err, p.stderr.String())
		}
		time.Sleep(2 * time.Millisecond)
	}
}
