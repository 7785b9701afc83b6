package tidemill_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/internal/vfs"
)

// What a disk sees of a commit, in this order.
const (
	writeRecord  = "the record is written"
	commitFirst  = "the first sink commits"
	commitSecond = "the second sink commits"
)

// momentDisk is a disk whose power goes at a moment of a commit.
type momentDisk struct {
	vfs.FS
	mu     sync.Mutex
	seen   map[string]int
	at     string // the moment before which the power goes, for the nth time that it comes
	nth    int
	isDead bool
}

func newMomentDisk(fs vfs.FS, at string, nth int) *momentDisk {
	return &momentDisk{FS: fs, seen: make(map[string]int), at: at, nth: nth}
}

// comes is called before what the moment stands for.
func (d *momentDisk) comes(moment string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if moment != "" {
		d.seen[moment]++
		d.isDead = d.isDead || moment == d.at && d.seen[moment] == d.nth
	}
	if d.isDead {
		return errPower
	}
	return nil
}

func (d *momentDisk) Rename(from, to string) error {
	moment := ""
	if !strings.HasPrefix(path.Base(to), ".") {
		switch path.Dir(to) {
		case crashOut + "/first":
			moment = commitFirst
		case crashOut + "/second":
			moment = commitSecond
		}
	}
	if err := d.comes(moment); err != nil {
		return err
	}
	return d.FS.Rename(from, to)
}

func (d *momentDisk) Remove(name string) error {
	if err := d.comes(""); err != nil {
		return err
	}
	return d.FS.Remove(name)
}

func (d *momentDisk) SyncDir(name string) error {
	if err := d.comes(""); err != nil {
		return err
	}
	return d.FS.SyncDir(name)
}

func (d *momentDisk) Create(name string) (vfs.File, error) { return d.open(d.FS.Create, name) }

func (d *momentDisk) OpenAppend(name string) (vfs.File, error) { return d.open(d.FS.OpenAppend, name) }

func (d *momentDisk) open(open func(string) (vfs.File, error), name string) (vfs.File, error) {
	if err := d.comes(""); err != nil {
		return nil, err
	}
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	moment := ""
	if strings.HasPrefix(path.Base(name), "records-") {
		moment = writeRecord
	}
	return &momentFile{File: f, disk: d, moment: moment}, nil
}

type momentFile struct {
	vfs.File
	disk   *momentDisk
	moment string // that a write stands for
}

func (f *momentFile) Write(p []byte) (int, error) {
	if err := f.disk.comes(f.moment); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *momentFile) Sync() error {
	if err := f.disk.comes(""); err != nil {
		return err
	}
	return f.File.Sync()
}

// ackSource is a source that is told what is committed. The power goes at the acknowledgement with the number dies, if not 0.
type ackSource struct {
	ingest.Source
	disk *momentDisk
	dies int
	acks []ingest.Offset
}

func (s *ackSource) Acknowledge(_ context.Context, _ int32, upTo ingest.Offset) error {
	if len(s.acks)+1 == s.dies {
		s.disk.comes(s.disk.at)
		return errPower
	}
	s.acks = append(s.acks, upTo)
	return nil
}

// runMoments runs a job with two sinks, both of which have rows in every commit, and returns what was acknowledged.
func runMoments(t *testing.T, dir string, disk *momentDisk, dies int) ([]ingest.Offset, error) {
	t.Helper()
	job, err := tidemill.New(tidemill.Config{
		FS: disk, Checkpoint: crashState, CommitEvery: 1, Workers: 2, BlockBytes: 2 << 10, Stdout: io.Discard, Log: slog.New(slog.DiscardHandler),
		Clock: &creepingClock{now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)},
	})
	must(t, err)
	uri := "file:" + filepath.Join(dir, "part-0.csv")
	must(t, job.SQL(fmt.Sprintf(`
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT) FROM '%s' FORMAT CSV WITH (max_rows_per_interval = 50);
CREATE SINK first INTO 'file:%[2]s/first' FORMAT CSV AS SELECT at, user, n FROM e;
CREATE SINK second INTO 'file:%[2]s/second' FORMAT CSV AS
  SELECT count_window.start, user, count(*) AS c, sum(n) AS s FROM e GROUP BY count_window(3), user`, uri, crashOut)))
	format, err := ingest.NewFormat("CSV", nil)
	must(t, err)
	source, err := ingest.Open(uri, nil, format, ingest.OpenSpec{})
	must(t, err)
	acks := &ackSource{Source: source, disk: disk, dies: dies}
	must(t, job.ReplaceSource("e", acks))
	if err = job.Start(t.Context()); err == nil {
		err = job.Wait()
	}
	if held := job.MemoryHeld(); held != 0 {
		t.Errorf("%d bytes are still held after %v", held, err)
	}
	return acks.acks, err
}

// momentState is what is left of a job: the commit that is decided, and how many commits are visible in each sink.
type momentState struct {
	Decided       uint64
	First, Second int
}

func momentStateOf(t *testing.T, fs vfs.FS) momentState {
	t.Helper()
	log, err := checkpoint.OpenReadOnly(fs, crashState, checkpoint.Options{})
	must(t, err)
	defer log.Close()
	visible := func(sink string) int {
		return len(slices.DeleteFunc(fileNames(t, fs, path.Join(crashOut, sink)), func(n string) bool { return strings.HasPrefix(n, ".") }))
	}
	return momentState{Decided: log.Last().Commit, First: visible("first"), Second: visible("second")}
}

// TestCrashAtTheMomentsOfACommit stops a job at each moment that recovery knows, in its third commit: what is there right after
// that, what the next start makes of it before it has computed anything, and what is there at the end.
func TestCrashAtTheMomentsOfACommit(t *testing.T) {
	tests := []struct {
		name      string
		at        string
		nth, dies int
		crashed   momentState
		restarted momentState
	}{
		{
			name: "before the record: what was staged is discarded, and computed again", at: writeRecord, nth: 5, // after a header, and the record of commit 0
			crashed: momentState{Decided: 2, First: 2, Second: 2}, restarted: momentState{Decided: 2, First: 2, Second: 2},
		},
		{
			name: "after the record, before the sinks' commits: the start makes the commit visible", at: commitFirst, nth: 3,
			crashed: momentState{Decided: 3, First: 2, Second: 2}, restarted: momentState{Decided: 3, First: 3, Second: 3},
		},
		{
			name: "after the record, amid the sinks' commits: the start makes the rest of it visible", at: commitSecond, nth: 3,
			crashed: momentState{Decided: 3, First: 3, Second: 2}, restarted: momentState{Decided: 3, First: 3, Second: 3},
		},
		{
			name: "after all commits, before acknowledging: the source is told later", at: "acknowledge", nth: 1, dies: 3,
			crashed: momentState{Decided: 3, First: 3, Second: 3}, restarted: momentState{Decided: 3, First: 3, Second: 3},
		},
	}
	dir := t.TempDir()
	writeEvents(t, dir, disordered(5, 300))
	whole := vfs.NewMem()
	allAcks, err := runMoments(t, dir, newMomentDisk(whole, "", 0), 0)
	must(t, err)
	rowsOf := func(fs vfs.FS) map[string][]string {
		all := make(map[string][]string)
		for _, sink := range []string{"first", "second"} {
			all[sink] = sinkLines(t, fs, path.Join(crashOut, sink))
			slices.Sort(all[sink]) // within an interval their order is free
		}
		return all
	}
	want := rowsOf(whole)
	for _, tt := range tests {
		for _, end := range []string{"process killed", "machine crashed"} {
			t.Run(tt.name+"/"+end, func(t *testing.T) {
				mem := vfs.NewMem()
				if _, err := runMoments(t, dir, newMomentDisk(mem, tt.at, tt.nth), tt.dies); !errors.Is(err, errPower) {
					t.Fatalf("the moment does not come: %v", err)
				}
				if end == "machine crashed" {
					mem = mem.Crash(*seed)
				}
				if diff := cmp.Diff(tt.crashed, momentStateOf(t, mem)); diff != "" {
					t.Errorf("right after the crash (-want +got):\n%s", diff)
				}
				// The next start ends where it would decide for the first time.
				if _, err := runMoments(t, dir, newMomentDisk(mem, writeRecord, 1), 0); !errors.Is(err, errPower) {
					t.Fatalf("first restart: %v", err)
				}
				if diff := cmp.Diff(tt.restarted, momentStateOf(t, mem)); diff != "" {
					t.Errorf("after a start that decided nothing (-want +got):\n%s", diff)
				}
				acks, err := runMoments(t, dir, newMomentDisk(mem, "", 0), 0)
				if err != nil {
					t.Fatalf("second restart: %v", err)
				}
				if diff := cmp.Diff(want, rowsOf(mem)); diff != "" {
					t.Errorf("rows (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(allAcks[tt.restarted.Decided:], acks); diff != "" {
					t.Errorf("acknowledged after what was decided (-want +got):\n%s", diff)
				}
			})
		}
	}
}
