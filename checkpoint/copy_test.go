package checkpoint_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/internal/vfs"
)

// TestCopyIsTheLastCommit copies the directory of a job after every commit, while it is open and while it is not.
func TestCopyIsTheLastCommit(t *testing.T) {
	steps := makeScript(5, 30)
	fsys := vfs.NewMem()
	for n := range steps {
		l := mustOpen(t, fsys, dir, tinyOptions(batch.NewPool(0)))
		if _, err := play(t, l, steps[:n+1]); err != nil {
			t.Fatal(err)
		}
		if err := l.Journal().Append(entry("a", n, false)); err != nil {
			t.Fatal(err)
		}
		if err := save(t, l, words("a"), 0, true, "undecided 1 1 1.0\n", ""); err != nil {
			t.Fatal(err)
		}
		for _, inUse := range []bool{true, false} {
			if !inUse {
				mustClose(t, l)
			}
			to := filepath.Join(dir, "savepoints", "x")
			if err := fsys.RemoveAll(to); err != nil {
				t.Fatal(err)
			}
			c, err := checkpoint.Copy(fsys, dir, to)
			if err != nil {
				t.Fatal(err)
			}
			if c.HasJournal == inUse || c.Record.Commit != uint64(n+1) {
				t.Errorf("in use %t: copied %+v", inUse, c)
			}
			copied := mustOpen(t, fsys, to, tinyOptions(batch.NewPool(0)))
			checkState(t, copied, steps)
			if got := replayed(t, copied, at(-1)); (got == "") != inUse {
				t.Errorf("in use %t: journal of the copy: %q", inUse, got)
			}
			mustClose(t, copied)
		}
	}
}

func TestCopyThatFailsLeavesNothing(t *testing.T) {
	steps := makeScript(6, 3)
	full := vfs.NewMem()
	l := mustOpen(t, full, dir, tinyOptions(batch.NewPool(0)))
	if _, err := checkpoint.Copy(full, dir, "copy"); err == nil || !strings.Contains(err.Error(), "nothing was committed yet") {
		t.Errorf("copy of a new directory: %v", err)
	}
	if _, err := play(t, l, steps); err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.Copy(full, dir, dir); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("copy over itself: %v", err)
	}
	mustClose(t, l)
	for n := int64(1); ; n++ {
		failing := vfs.FailNth(full, n, errDisk)
		_, err := checkpoint.Copy(failing, dir, "copy")
		if err == nil { // nothing failed, or what failed does not matter
			copied := mustOpen(t, full, "copy", tinyOptions(batch.NewPool(0)))
			checkState(t, copied, steps)
			mustClose(t, copied)
		} else if entries, readErr := full.ReadDir("copy"); !errors.Is(err, errDisk) || readErr == nil && len(entries) > 0 {
			t.Errorf("operation %d: a copy that failed is there: %v, %v", n, entries, err)
		}
		if !failing.Failed() {
			break
		}
		if err := full.RemoveAll("copy"); err != nil {
			t.Fatal(err)
		}
	}
}
