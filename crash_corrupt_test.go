package tidemill_test

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/internal/vfs"
)

// TestDamagedCheckpointNeverGivesAWrongResult flips a bit, or cuts the end off, in every region of every file of a checkpoint
// that a killed job left. The restart either names the file and changes no output, or comes to the right end.
func TestDamagedCheckpointNeverGivesAWrongResult(t *testing.T) {
	for _, job := range crashJobs {
		t.Run(job.name, func(t *testing.T) {
			b := newCrashBench(t, job)
			whole := b.killed()
			var refused, healed int
			for _, name := range checkpointFiles(t, whole) {
				old := fileBytes(t, whole, name)
				step := 1 + len(old)/6
				if *fullFlag {
					step = 1 + len(old)/100
				}
				for at := b.rng.IntN(step); at < len(old); at += 1 + b.rng.IntN(2*step) {
					b.points++
					flipped := append([]byte(nil), old...)
					flipped[at] ^= 1 << b.rng.IntN(8)
					for how, damaged := range map[string][]byte{"bit flipped": flipped, "cut off": old[:at]} {
						how = fmt.Sprintf("%s: %s at %d of %d", name, how, at, len(old))
						if b.tryDamaged(whole, name, damaged, how) {
							refused++
						} else {
							healed++
						}
					}
				}
			}
			t.Logf("refused %d, healed %d", refused, healed)
			if refused == 0 || healed == 0 {
				t.Errorf("refused %d, healed %d: want some of both", refused, healed)
			}
		})
	}
}

// killed returns what a job leaves that is killed in its middle.
func (b *crashBench) killed() *vfs.Mem {
	b.t.Helper()
	count := vfs.NewFailing(vfs.NewMem(), vfs.FailSpec{})
	if err := b.run(count); err != nil {
		b.t.Fatal(err)
	}
	mem := vfs.NewMem()
	if err := b.run(vfs.NewFailing(mem, vfs.FailSpec{Nth: count.Ops() * 3 / 4, Err: errPower, Forever: true})); !errors.Is(err, errPower) {
		b.t.Fatalf("run to be killed: %v", err)
	}
	return mem
}

func checkpointFiles(t *testing.T, fs vfs.FS) []string {
	t.Helper()
	var all []string
	for _, dir := range []string{crashState, path.Join(crashState, "journal")} {
		for _, name := range fileNames(t, fs, dir) {
			if name != "LOCK" {
				all = append(all, path.Join(dir, name))
			}
		}
	}
	return all
}

// tryDamaged restarts with a damaged file, and says whether that was refused. Then the whole file is put back.
func (b *crashBench) tryDamaged(whole *vfs.Mem, name string, damaged []byte, how string) bool {
	b.t.Helper()
	fs := copyOf(b.t, whole, "/job")
	writeBytes(b.t, fs, name, damaged)
	before := b.results(fs)
	err := b.run(fs)
	if err == nil {
		b.check(fs, how)
		return false
	}
	// Without its last records a file of records is whole, and older than the images or the output.
	text := err.Error()
	isOlder := len(damaged) < len(fileBytes(b.t, whole, name)) &&
		(strings.Contains(text, crashState+"/state-") || strings.Contains(text, "the checkpoint was damaged"))
	if !isOlder && !strings.Contains(text, path.Base(name)) {
		b.t.Errorf("%s: the error does not name the file: %v", how, err)
	}
	after := b.results(fs)
	for sink := range before {
		// What the last record had decided may have become visible, nothing else.
		if len(after[sink]) < len(before[sink]) {
			b.t.Errorf("%s: output is gone after %v", how, err)
		}
	}
	return true
}
