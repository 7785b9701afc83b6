package egress_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/internal/vfs"
)

// job plays the engine for one sink: it stages, decides and commits, and after a failure continues from what was decided.
type job struct {
	t       *testing.T
	pool    *batch.Pool
	options map[string]string
	spec    egress.Spec

	decided uint64 // what a record in the checkpoint would hold
	token   egress.Token
}

// numCommits is enough for a token to be replaced, for a commit without rows and for one that is left out.
const numCommits = 5

// rowsIn is the text of the rows of one interval: none in commit 3.
func rowsIn(commit uint64, interval int) string {
	if commit == 3 {
		return ""
	}
	return fmt.Sprintf("%d%d1\n%d%d2\n%d%d3\n", commit, interval, commit, interval, commit, interval)
}

func (j *job) run(fsys vfs.FS) (err error) {
	ctx := context.Background()
	s := mustOpen(j.t, "file:deep/out", "TEXT", j.options, egress.OpenSpec{FS: fsys, Mem: j.pool})
	defer func() {
		if closeErr := s.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := s.Open(ctx, j.spec, j.decided, j.token); err != nil {
		return err
	}
	for commit := j.decided + 1; commit <= numCommits; commit++ {
		for interval := range 2 {
			f := mustRows(j.t, j.pool, j.spec.Schema, rowsIn(commit, interval))
			err := s.Write(ctx, iv(commit), rowsOf(f))
			f.Release()
			if err != nil {
				return err
			}
		}
		token, err := s.Prepare(ctx, commit)
		if err != nil {
			return err
		}
		j.decided, j.token = commit, slices.Clone(token)
		for range 2 {
			if err := s.Commit(ctx, commit, token); err != nil {
				return err
			}
		}
	}
	return nil
}

// visible returns the rows that readers of the directory see, in order of file names.
func visible(t *testing.T, fsys vfs.FS) string {
	entries, err := fsys.ReadDir("deep/out")
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	must(t, err)
	rows := ""
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			rows += content(t, fsys, "deep/out/"+e.Name())
		}
	}
	return rows
}

func rowsUpTo(commit uint64) string {
	rows := ""
	for c := uint64(1); c <= commit; c++ {
		rows += rowsIn(c, 0) + rowsIn(c, 1)
	}
	return rows
}

var errInjected = errors.New("injected")

func TestEveryRowOnceWhateverFails(t *testing.T) {
	tests := []struct {
		name    string
		options map[string]string
		crashes bool
		forever bool
	}{
		{name: "one operation fails and the job starts again"},
		{name: "the disk fails and the job starts again", forever: true},
		{name: "the machine crashes", crashes: true, forever: true},
		{name: "one operation fails while files roll", options: map[string]string{"roll_rows": "2"}},
		{name: "the machine crashes while compressed files roll", options: map[string]string{"roll_rows": "4", "compression": "zstd"}, crashes: true, forever: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pool := newPool(t)
			spec := egress.Spec{Job: testJob, Name: "x", Schema: schemaOf("s TEXT")}
			for n := int64(1); ; n++ {
				seeds := uint64(1)
				if tt.crashes {
					seeds = 12
				}
				isDone := false
				for seed := range seeds {
					mem := vfs.NewMem()
					j := &job{t: t, pool: pool, options: tt.options, spec: spec}
					failing := vfs.NewFailing(mem, vfs.FailSpec{Nth: n, Err: errInjected, Forever: tt.forever, Torn: true})
					err := j.run(failing)
					if isDone = err == nil && !failing.Failed(); !isDone && !errors.Is(err, errInjected) {
						t.Fatalf("operation %d: got error %v", n, err)
					}
					if tt.crashes {
						mem = mem.Crash(seed)
					}
					if got := visible(t, mem); !strings.HasPrefix(rowsUpTo(j.decided), got) {
						t.Fatalf("operation %d, seed %d: rows of commit %d or before are visible, got\n%s", n, seed, j.decided, got)
					}
					must(t, j.run(mem))
					if got, want := visible(t, mem), rowsUpTo(numCommits); got != want {
						t.Fatalf("operation %d, seed %d: got\n%s\nwant\n%s", n, seed, got, want)
					}
					entries, err := mem.ReadDir("deep/out")
					must(t, err)
					if entries[0].Name()[0] == '.' {
						t.Fatalf("operation %d, seed %d: staged file is left: %s", n, seed, entries[0].Name())
					}
				}
				if isDone {
					break
				}
			}
		})
	}
}

func TestCrashAfterLastCommitLosesNothing(t *testing.T) {
	pool := newPool(t)
	for seed := range uint64(20) {
		mem := vfs.NewMem()
		j := &job{t: t, pool: pool, spec: egress.Spec{Job: testJob, Name: "x", Schema: schemaOf("s TEXT")}}
		must(t, j.run(mem))
		if got, want := visible(t, mem.Crash(seed)), rowsUpTo(numCommits); got != want {
			t.Fatalf("seed %d: got\n%s\nwant\n%s", seed, got, want)
		}
	}
}
