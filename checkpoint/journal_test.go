package checkpoint_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/internal/vfs"
)

// entry returns the i-th entry of a split, 10 positions long.
func entry(split string, i int, ended bool) *checkpoint.Entry {
	e := &checkpoint.Entry{
		Source: "lines", Split: split, From: checkpoint.Offset{Pos: int64(10 * i)}, To: checkpoint.Offset{Pos: int64(10*i + 10), Tag: "t"},
		FirstRow: int64(i), FirstLine: int64(i), Rows: 1, Arrival: int64(1000 + i), Header: []byte("h"),
		Bytes: bytes.Repeat([]byte{byte('a' + i%26)}, 40), Ended: ended,
	}
	if ended {
		e.From, e.Bytes = e.To, nil
	}
	return e
}

// replayed returns what Replay gives out, an entry per line.
func replayed(t testing.TB, l *checkpoint.Log, after func(source, split string) int64) string {
	t.Helper()
	var b strings.Builder
	err := l.Journal().Replay(after, func(e checkpoint.Entry) error {
		fmt.Fprintf(&b, "%s/%s %d-%d%s row %d line %d rows %d at %d %s%s %v\n", e.Source, e.Split, e.From.Pos, e.To.Pos, e.To.Tag,
			e.FirstRow, e.FirstLine, e.Rows, e.Arrival, e.Header, e.Bytes, e.Ended)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func at(pos int64) func(source, split string) int64 { return func(string, string) int64 { return pos } }

func mustAppend(t testing.TB, l *checkpoint.Log, entries ...*checkpoint.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := l.Journal().Append(e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestJournalReplaysWhatIsNotCommitted(t *testing.T) {
	const (
		a1  = "lines/a 10-20t row 1 line 1 rows 1 at 1001 hbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb false\n"
		b1  = "lines/b 10-20t row 1 line 1 rows 1 at 1001 hbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb false\n"
		end = "lines/a 20-20t row 1 line 1 rows 1 at 1001 h true\n"
	)
	for _, tt := range []struct {
		name  string
		after map[string]int64
		want  string
	}{
		{name: "entries behind the position come back in order", after: map[string]int64{"a": 10, "b": 10}, want: a1 + b1 + end},
		{name: "splits have positions of their own", after: map[string]int64{"a": 20, "b": 10}, want: b1 + end},
		{name: "the end of a split comes back until it is committed", after: map[string]int64{"a": 20, "b": 20}, want: end},
		{name: "nothing comes back when all is committed", after: map[string]int64{"a": math.MaxInt64, "b": 20}, want: ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mem := vfs.NewMem()
			l := mustOpen(t, mem, dir, checkpoint.Options{})
			mustAppend(t, l, entry("a", 0, false), entry("b", 0, false), entry("a", 1, false), entry("b", 1, false), entry("a", 1, true))
			mustClose(t, l)
			l = mustOpen(t, mem, dir, checkpoint.Options{})
			defer mustClose(t, l)
			after := func(_, split string) int64 { return tt.after[split] }
			if got := replayed(t, l, after); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

func TestJournalIsBoundedUntilACommitFreesIt(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, mem, dir, checkpoint.Options{JournalBytes: 2000, JournalFileBytes: 600})
	defer mustClose(t, l)
	next := 0
	fill := func() error {
		for {
			if err := l.Journal().Append(entry("a", next, false)); err != nil {
				return err
			}
			next++
		}
	}
	if err := fill(); !errors.Is(err, checkpoint.ErrJournalFull) {
		t.Fatal(err)
	}
	if got := l.Journal().Bytes(); got > 2000 {
		t.Errorf("%d bytes", got)
	}
	kept := next
	if err := l.Journal().Sync(); err != nil {
		t.Fatal(err)
	}
	// Only whole files of committed entries go.
	if err := l.Journal().Truncate(at(10 * 5)); err != nil {
		t.Fatal(err)
	}
	if err := fill(); !errors.Is(err, checkpoint.ErrJournalFull) || next == kept {
		t.Fatalf("%v, %d entries, had %d", err, next, kept)
	}
	if err := l.Journal().Sync(); err != nil {
		t.Fatal(err)
	}
	if err := l.Journal().Truncate(at(int64(10 * next))); err != nil {
		t.Fatal(err)
	}
	if got := l.Journal().Bytes(); got != 0 {
		t.Errorf("%d bytes when all is committed", got)
	}
	mustAppend(t, l, entry("a", next, false))
	if got := strings.Count(replayed(t, l, at(int64(10*next))), "\n"); got != 1 {
		t.Errorf("%d entries", got)
	}
}

func TestJournalAppendsAgainAfterAFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	full := vfs.NewFull(mem, 1000)
	l := mustOpen(t, full, dir, checkpoint.Options{JournalFileBytes: 400})
	i := 0
	for ; l.Journal().Append(entry("a", i, false)) == nil; i++ {
	}
	full.Lift()
	mustAppend(t, l, entry("a", i, false), entry("a", i+1, false))
	mustClose(t, l)
	l = mustOpen(t, mem, dir, checkpoint.Options{})
	defer mustClose(t, l)
	if got := strings.Count(replayed(t, l, at(0)), "\n"); got != i+2 {
		t.Errorf("%d entries, want %d", got, i+2)
	}
}

func TestJournalCrashAtEveryOperationLosesNothingThatWasSynced(t *testing.T) {
	o := checkpoint.Options{JournalFileBytes: 600}
	const entries = 24
	// run appends, syncs every third entry and truncates now and then. It returns how many entries were appended and synced.
	run := func(fs vfs.FS) (appended, synced int, err error) {
		for start := range 2 {
			l, err := checkpoint.Open(fs, dir, o)
			if err != nil {
				return appended, synced, err
			}
			for i := start * entries / 2; i < (start+1)*entries/2; i++ {
				if err = l.Journal().Append(entry("a", i, false)); err != nil {
					break
				}
				appended = i + 1
				if i%3 == 2 {
					if err = l.Journal().Sync(); err != nil {
						break
					}
					synced = appended
				}
				if i == 9 {
					if err = l.Journal().Truncate(at(50)); err != nil {
						break
					}
				}
			}
			if cerr := l.Close(); err != nil || cerr != nil {
				return appended, synced, errors.Join(err, cerr)
			}
		}
		return appended, synced, nil
	}
	check := func(fs vfs.FS, appended, synced int) {
		t.Helper()
		l := mustOpen(t, fs, dir, o)
		got := replayed(t, l, at(50))
		n := strings.Count(got, "\n")
		want := ""
		for i := 5; i < 5+n; i++ {
			e := entry("a", i, false)
			want += fmt.Sprintf("lines/a %d-%dt row %d line %d rows 1 at %d h%s false\n", e.From.Pos, e.To.Pos, i, i, e.Arrival, e.Bytes)
		}
		if got != want {
			t.Fatalf("entries are not contiguous:\n%s", got)
		}
		// The entry that was being written when the crash came may be there too.
		if 5+n < synced && synced > 5 || 5+n > max(5, appended+1) {
			t.Fatalf("%d entries, %d appended, %d synced", 5+n, appended, synced)
		}
		mustAppend(t, l, entry("b", 0, false))
		mustClose(t, l)
		l = mustOpen(t, fs, dir, o)
		after := func(_, split string) int64 {
			if split == "a" {
				return math.MaxInt64
			}
			return 0
		}
		if got := strings.Count(replayed(t, l, after), "\n"); got != 1 {
			t.Fatalf("%d entries behind the crash", got)
		}
		mustClose(t, l)
	}
	for n := int64(1); ; n++ {
		mem := vfs.NewMem()
		failing := vfs.NewFailing(mem, vfs.FailSpec{Nth: n, Err: errDisk, Forever: true, Torn: n%2 == 0})
		appended, synced, err := run(failing)
		if !failing.Failed() {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		for seed := range uint64(20) {
			check(mem.Crash(*seedFlag*100+seed), appended, synced)
		}
		check(mem, appended, appended)
	}
}

func TestJournalTakesEntriesOfSplitsSideBySide(t *testing.T) {
	const splits, entries = 4, 200
	mem := vfs.NewMem()
	l := mustOpen(t, mem, dir, checkpoint.Options{JournalFileBytes: 4 << 10})
	var appending sync.WaitGroup
	for s := range splits {
		appending.Go(func() {
			for i := range entries {
				if err := l.Journal().Append(entry(string(rune('a'+s)), i, false)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		if err := errors.Join(l.Journal().Sync(), l.Journal().Truncate(at(100))); err != nil {
			t.Error(err)
		}
	}
	appending.Wait()
	mustClose(t, l)
	l = mustOpen(t, mem, dir, checkpoint.Options{})
	defer mustClose(t, l)
	next := map[string]int64{}
	err := l.Journal().Replay(at(100), func(e checkpoint.Entry) error {
		if want := max(100, next[e.Split]); e.From.Pos != want {
			t.Errorf("split %s: entry at %d, want %d", e.Split, e.From.Pos, want)
		}
		next[e.Split] = e.To.Pos
		return nil
	})
	if err != nil || len(next) != splits {
		t.Errorf("%d splits, %v", len(next), err)
	}
	for split, end := range next {
		if end != 10*entries {
			t.Errorf("split %s ends at %d", split, end)
		}
	}
}

func TestJournalAppendDoesNotAllocate(t *testing.T) {
	l := mustOpen(t, vfs.OS, t.TempDir(), checkpoint.Options{Mem: batch.NewPool(0)})
	defer mustClose(t, l)
	e := entry("a", 0, false)
	mustAppend(t, l, e)
	allocs := testing.AllocsPerRun(100, func() {
		if err := l.Journal().Append(e); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}
