package main

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// loadInterval is the interval of jobs under load. The first tick may come at once, the signal comes some intervals later.
const loadInterval = 300 * time.Millisecond

// secondRun is the number that the second run of a job is given, beyond those of the first.
const secondRun = 1_000_000_000

// underLoad starts a job that is given the numbers from 0 on, as fast as it takes them, and writes them to a file sink.
func underLoad(t *testing.T, fill func(string) string) *child {
	t.Helper()
	c := runNumbers(t, fill)
	go func() {
		rest := "," + strings.Repeat("x", 150) + "\n" // load of the input more than of the sink
		var text []byte
		for n := 0; ; {
			text = text[:0]
			for range 1000 {
				text = append(strconv.AppendInt(text, int64(n), 10), rest...)
				n++
			}
			if _, err := c.stdin.Write(text); err != nil {
				return // the process has ended
			}
		}
	}()
	for deadline := time.Now().Add(20 * time.Second); readSink(t, fill("DIR/out")) == ""; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no row comes:\n%s", c.stderr.String())
		}
	}
	return c
}

func runNumbers(t *testing.T, fill func(string) string) *child {
	t.Helper()
	return spawn(t, "run", "--checkpoint", fill("DIR/state"), "--interval", loadInterval.String(), "--commit-every", loadInterval.String(), "-e",
		fill("CREATE SOURCE t (n BIGINT, rest TEXT) FROM 'stdin:' FORMAT CSV; CREATE SINK all INTO 'file:DIR/out' FORMAT CSV AS SELECT n FROM t"))
}

// goOn runs the job once more, gives it one row, and returns how many rows of the first run the sink then has.
func goOn(t *testing.T, fill func(string) string) int {
	t.Helper()
	c := runNumbers(t, fill)
	if _, err := io.WriteString(c.stdin, strconv.Itoa(secondRun)+",x\n"); err != nil {
		t.Fatal(err)
	}
	c.stdin.Close()
	c.isDone()
	all := numbersOf(t, fill("DIR/out"))
	if len(all) == 0 || all[len(all)-1] != secondRun {
		t.Fatal("the row of the second run is missing")
	}
	isGapless(t, all[:len(all)-1])
	return len(all) - 1
}

// numbersOf returns what the sink has, in order.
func numbersOf(t *testing.T, dir string) []int {
	t.Helper()
	var all []int
	for line := range strings.Lines(readSink(t, dir)) {
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// isGapless asserts that all are the numbers from 0 to some end, each once.
func isGapless(t *testing.T, all []int) {
	t.Helper()
	for i, n := range all {
		if n != i {
			t.Fatalf("number %d: want %d, got %d", i, i, n)
		}
	}
}

// TestSignalUnderLoadCommitsAndEndsInTime interrupts a job that is given more than it can take. It ends with status 0 within two
// intervals and a second. What its last interval had is there, and what had been read behind that comes from the journal.
func TestSignalUnderLoadCommitsAndEndsInTime(t *testing.T) {
	_, fill := inDir(t, nil)
	c := underLoad(t, fill)
	time.Sleep(loadInterval / 2) // amid an interval
	from := time.Now()
	c.signal(syscall.SIGTERM)
	c.isDone()
	took := time.Since(from)
	t.Logf("it ended after %s", took)
	// Four times the promise, for a machine that has other things to do as well.
	if limit := 4 * (2*loadInterval + time.Second); took > limit {
		t.Errorf("it ended after %s, which is more than %s", took, limit)
	}
	committed := numbersOf(t, fill("DIR/out"))
	isGapless(t, committed)
	if n := goOn(t, fill); n < len(committed) {
		t.Errorf("%d rows were committed, %d are left", len(committed), n)
	}
}

// TestSecondSignalUnderLoadEndsAtOnceAndTheNextRunRecovers sends two signals right after one another: the process does not finish
// the interval. What was visible stays, what the journal has follows, nothing comes twice.
func TestSecondSignalUnderLoadEndsAtOnceAndTheNextRunRecovers(t *testing.T) {
	_, fill := inDir(t, nil)
	c := underLoad(t, fill)
	time.Sleep(loadInterval / 2)
	from := time.Now()
	c.signal(syscall.SIGTERM)
	c.signal(syscall.SIGINT) // another one: of two that are alike, one may be lost
	status := c.status()
	took := time.Since(from)
	t.Logf("it ended with status %d after %s", status, took)
	if status != 1 {
		t.Errorf("status: want 1, got %d:\n%s", status, c.stderr.String())
	}
	if took > 2*time.Second {
		t.Errorf("it ended after %s", took)
	}
	visible := numbersOf(t, fill("DIR/out"))
	isGapless(t, visible)
	if n := goOn(t, fill); n < len(visible) {
		t.Errorf("%d rows were visible, %d are left", len(visible), n)
	}
}
