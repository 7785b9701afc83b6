package tidemill_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/tidemill/tidemill/internal/vfs"
)

// crashPlaces is about how many operations of each job are tried where -full is not set.
const crashPlaces = 25

func TestCrashAtEveryFileOperationOfAJob(t *testing.T) {
	for _, job := range crashJobs {
		t.Run(job.name, func(t *testing.T) {
			b := newCrashBench(t, job)
			for n := range b.places(crashPlaces) {
				mem := vfs.NewMem()
				failing := vfs.NewFailing(mem, vfs.FailSpec{Nth: n, Err: errPower, Forever: true, Torn: n%2 == 0})
				err := b.run(failing)
				if !failing.Failed() {
					if err != nil {
						t.Fatalf("without a crash: %v", err)
					}
					b.check(mem, "without a crash")
					return
				}
				seed := b.rng.Uint64()
				b.finish(mem.Crash(seed), fmt.Sprintf("%s, machine crashed with seed %d", place(n), seed))
				b.crashAgain(mem.Crash(seed), n)
				b.finish(mem, place(n)+", process killed")
			}
		})
	}
}

// crashAgain crashes recoveries until one comes through.
func (b *crashBench) crashAgain(mem *vfs.Mem, n int64) {
	b.t.Helper()
	how := place(n)
	for {
		m := 1 + b.rng.Int64N(40)
		how += fmt.Sprintf(", then at %d of the recovery", m)
		failing := vfs.NewFailing(mem, vfs.FailSpec{Nth: m, Err: errPower, Forever: true, Torn: m%2 == 0})
		err := b.run(failing)
		if !failing.Failed() {
			if err != nil {
				b.t.Fatalf("%s: %v", how, err)
			}
			b.check(mem, how)
			return
		}
		b.points++
		mem = mem.Crash(b.rng.Uint64())
		if b.rng.IntN(4) == 0 {
			b.finish(mem, how)
			return
		}
	}
}

func TestErrorAtEveryFileOperationOfAJob(t *testing.T) {
	for _, job := range crashJobs {
		t.Run(job.name, func(t *testing.T) {
			for _, fault := range []struct {
				name string
				spec vfs.FailSpec
			}{
				{name: "EIO once", spec: vfs.FailSpec{Err: syscall.EIO}},
				{name: "ENOSPC once", spec: vfs.FailSpec{Err: syscall.ENOSPC, Torn: true}},
				{name: "EIO for ever", spec: vfs.FailSpec{Err: syscall.EIO, Forever: true}},
			} {
				t.Run(fault.name, func(t *testing.T) {
					b := newCrashBench(t, job)
					for n := range b.places(crashPlaces / 2) {
						mem := vfs.NewMem()
						fault.spec.Nth = n
						failing := vfs.NewFailing(mem, fault.spec)
						err := b.run(failing)
						if err != nil {
							checkDiskError(t, err, fault.spec.Err, place(n))
						}
						if !failing.Failed() {
							b.check(mem, "without an error")
							return
						}
						if err == nil { // it did not matter, as where a file that nobody needs could not be removed
							b.check(mem, place(n)+", no error")
						}
						b.finish(mem, place(n))
					}
				})
			}
		})
	}
}

// checkDiskError asserts that an error is the one of the disk and names a file or directory of the job.
func checkDiskError(t *testing.T, err, want error, how string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: want an error that wraps %v, got %v", how, want, err)
	}
	if text := err.Error(); !strings.Contains(text, crashState) && !strings.Contains(text, crashOut) {
		t.Errorf("%s: the error names no path: %v", how, err)
	}
}

func TestFullDiskStopsAJobThatResumesWhenThereIsRoom(t *testing.T) {
	for _, job := range crashJobs {
		t.Run(job.name, func(t *testing.T) {
			b := newCrashBench(t, job)
			step := int64(2000)
			if *fullFlag {
				step = 150
			}
			for room := b.rng.Int64N(step); ; room += 1 + b.rng.Int64N(step) {
				b.points++
				full := vfs.NewFull(vfs.NewMem(), room)
				err := b.run(full)
				if err == nil {
					b.check(full, "enough room")
					return
				}
				checkDiskError(t, err, syscall.ENOSPC, fmt.Sprintf("room for %d bytes", room))
				if err := b.run(full); !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("room for %d bytes: the second run on the full disk: %v", room, err)
				}
				full.Lift()
				b.finish(full, fmt.Sprintf("room for %d bytes", room))
			}
		})
	}
}
