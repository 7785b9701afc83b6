package checkpoint_test

import (
	"errors"
	"flag"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/internal/vfs"
)

var seedFlag = flag.Uint64("seed", 1, "seed of random tests")

var errDisk = errors.New("disk is gone")

const dir = "/var/job"

// playTwice plays half of the steps, closes, opens and plays the rest, so that opening is among the operations.
func playTwice(t *testing.T, fs vfs.FS, o checkpoint.Options, steps []step) (acknowledged int, err error) {
	for _, upTo := range []int{len(steps) / 2, len(steps)} {
		l, err := checkpoint.Open(fs, dir, o)
		if err != nil {
			return acknowledged, err
		}
		done, err := play(t, l, steps[:upTo])
		acknowledged = max(acknowledged, done)
		if err != nil {
			if derr := l.Decide(t.Context(), checkpoint.Record{Job: "job", Commit: 1000}); derr == nil {
				t.Fatal("the log decided after an error")
			}
			_ = l.Close()
			return acknowledged, err
		}
		if err := l.Close(); err != nil {
			return acknowledged, err
		}
	}
	return acknowledged, nil
}

// checkAfter opens what is left, compares it with the model, and goes on to the end.
func checkAfter(t *testing.T, fs vfs.FS, o checkpoint.Options, steps []step, acknowledged int) {
	t.Helper()
	l := mustOpen(t, fs, dir, o)
	last := 0
	if l.Last() != nil {
		last = int(l.Last().Commit)
		if got := l.Last().Splits[0]; got.Name != "bad\xff" || got.Pos != int64(last-1) {
			t.Fatalf("split of commit %d: %+v", last, got)
		}
	}
	if last < acknowledged || last > acknowledged+1 {
		t.Fatalf("last commit %d, acknowledged %d", last, acknowledged)
	}
	checkState(t, l, steps)
	if _, err := play(t, l, steps); err != nil {
		t.Fatal(err)
	}
	checkState(t, l, steps)
	mustClose(t, l)
	report, err := checkpoint.Verify(fs, dir)
	if err != nil || len(report.Faults) > 0 {
		t.Fatalf("verify: %v, %+v", err, report)
	}
	l = mustOpen(t, fs, dir, o)
	checkState(t, l, steps)
	mustClose(t, l)
}

func TestCrashAtEveryOperationKeepsADecidedCommit(t *testing.T) {
	pool := batch.NewPool(0)
	o := tinyOptions(pool)
	steps := makeScript(*seedFlag, 24)
	for n := int64(1); ; n++ {
		mem := vfs.NewMem()
		failing := vfs.NewFailing(mem, vfs.FailSpec{Nth: n, Err: errDisk, Forever: true, Torn: (n+int64(*seedFlag))%2 == 0})
		acknowledged, err := playTwice(t, failing, o, steps)
		if !failing.Failed() {
			if err != nil || acknowledged != len(steps) {
				t.Fatalf("without a failure: %d commits, %v", acknowledged, err)
			}
			break
		}
		for seed := range uint64(3) {
			checkAfter(t, mem.Crash(*seedFlag*1000+uint64(n)*10+seed), o, steps, acknowledged)
		}
		checkAfter(t, mem, o, steps, acknowledged)
	}
	if pool.Used() != 0 {
		t.Errorf("%d bytes in use", pool.Used())
	}
}

func TestFailureOfEveryOperationKeepsADecidedCommit(t *testing.T) {
	o := tinyOptions(batch.NewPool(0))
	steps := makeScript(*seedFlag+1, 16)
	for n := int64(1); ; n++ {
		mem := vfs.NewMem()
		failing := vfs.NewFailing(mem, vfs.FailSpec{Nth: n, Err: errDisk, Torn: n%2 == 0})
		acknowledged, err := playTwice(t, failing, o, steps)
		if err != nil && !errors.Is(err, errDisk) {
			t.Fatalf("operation %d: %v", n, err)
		}
		if !failing.Failed() {
			return
		}
		checkAfter(t, mem, o, steps, acknowledged)
	}
}

func TestFullDiskStopsTheJobAndLosesNothing(t *testing.T) {
	o := tinyOptions(batch.NewPool(0))
	steps := makeScript(*seedFlag+2, 16)
	for room := int64(0); ; room += 777 {
		mem := vfs.NewMem()
		full := vfs.NewFull(mem, room)
		acknowledged, err := playTwice(t, full, o, steps)
		full.Lift()
		checkAfter(t, full, o, steps, acknowledged)
		if err == nil {
			return
		}
	}
}
