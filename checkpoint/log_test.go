package checkpoint_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/internal/vfs"
)

func decide(t testing.TB, l *checkpoint.Log) {
	t.Helper()
	r := checkpoint.Record{Job: "job", Commit: 1}
	if l.Last() != nil {
		r.Commit = l.Last().Commit + 1
	}
	if err := l.Decide(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

func mustSave(t testing.TB, l *checkpoint.Log, table checkpoint.Table, full bool, upserts, deletes string) {
	t.Helper()
	if err := save(t, l, table, 0, full, upserts, deletes); err != nil {
		t.Fatal(err)
	}
}

func TestRestoreGivesTheLastRowOfEachKey(t *testing.T) {
	type saved struct {
		full             bool
		upserts, deletes string
	}
	for _, tt := range []struct {
		name    string
		commits []saved
		want    string
	}{
		{
			name: "a new row replaces the old one of its key", want: "0: a 1 3 1.0\n0: b 1 2 2.0\n",
			commits: []saved{{upserts: "a 1 1 1\nb 1 2 2\n"}, {upserts: "a 1 3 1\n"}},
		},
		{
			name: "a deleted key is gone and may come again", want: "0: b 1 9 9.0\n",
			commits: []saved{{upserts: "a 1 1 1\nb 1 2 2\n"}, {deletes: "a 1\nb 1\n"}, {upserts: "b 1 9 9\n"}},
		},
		{
			name: "deletions of a Save come before its rows", want: "0: a 1 2 2.0\n",
			commits: []saved{{upserts: "a 1 1 1\n"}, {upserts: "a 1 2 2\n", deletes: "a 1\n"}},
		},
		{
			name: "of equal keys in one Save the last row counts", want: "0: a 1 3 3.0\n",
			commits: []saved{{upserts: "a 1 1 1\na 1 2 2\na 1 3 3\n"}},
		},
		{
			name: "NULL, 0 and the empty string are keys of their own", want: "0: \"\" 0 2 2.0\n0: \"\" null 1 1.0\n0: null 0 3 3.0\n0: null null 5 4.0\n",
			commits: []saved{{upserts: "\"\" null 1 1\n\"\" 0 2 2\nnull 0 3 3\nnull null 4 4\n"}, {upserts: "null null 5 4\n"}},
		},
		{
			name: "a full image replaces all that was there", want: "0: c 1 1 1.0\n0: d 1 2 null\n",
			commits: []saved{{upserts: "a 1 1 1\n"}, {full: true, upserts: "b 1 1 1\nd 1 1 1\n"}, {full: true, upserts: "c 1 1 1\nd 1 1 1\n"}, {upserts: "d 1 2 null\n"}},
		},
		{
			name: "a full image without rows empties the table", want: "",
			commits: []saved{{upserts: "a 1 1 1\n"}, {full: true}},
		},
	} {
		for _, compression := range []checkpoint.Compression{checkpoint.S2, checkpoint.Zstd, checkpoint.Uncompressed} {
			t.Run(tt.name+", "+compression.String(), func(t *testing.T) {
				mem := vfs.NewMem()
				pool := batch.NewPool(0)
				o := checkpoint.Options{Mem: pool, Compression: compression}
				for _, c := range tt.commits {
					l := mustOpen(t, mem, dir, o)
					mustSave(t, l, words("t"), c.full, c.upserts, c.deletes)
					decide(t, l)
					mustClose(t, l)
				}
				l := mustOpen(t, mem, dir, o)
				defer mustClose(t, l)
				got, err := stateOf(t, l, "t")
				if err != nil || got != tt.want {
					t.Errorf("got:\n%s\nwant:\n%s\n%v", got, tt.want, err)
				}
				if pool.Used() != 0 {
					t.Errorf("%d bytes in use", pool.Used())
				}
			})
		}
	}
}

func TestKeysOfEveryType(t *testing.T) {
	pool := batch.NewPool(0)
	fields := []arrow.Field{
		{Name: "b", Type: batch.Boolean, Nullable: true},
		{Name: "d", Type: batch.Double, Nullable: true},
		{Name: "at", Type: batch.Timestamp, Nullable: true},
		{Name: "n", Type: batch.BigInt},
	}
	table := checkpoint.Table{Name: "t", Schema: arrow.NewSchema(fields, nil), Keys: []int{0, 1, 2}}
	l := mustOpen(t, vfs.NewMem(), dir, checkpoint.Options{Mem: pool})
	defer mustClose(t, l)
	for _, text := range []string{"true 0 1970-01-01T00:00:00Z 1\nfalse NaN null 2\nnull 1.5 null 3\n", "true -0 1970-01-01T00:00:00Z 4\nfalse NaN null 5\n"} {
		rows := mustParse(t, pool, table.Schema, text)
		if err := l.Save(t.Context(), table, 0, false, rows.Rows(), nil); err != nil {
			t.Fatal(err)
		}
		rows.Release()
		decide(t, l)
	}
	got, err := stateOf(t, l, "t")
	if want := "0: false NaN null 5\n0: null 1.5 null 3\n0: true -0.0 1970-01-01T00:00:00Z 4\n"; err != nil || got != want {
		t.Errorf("got:\n%s\nwant:\n%s\n%v", got, want, err)
	}
}

func TestSaveRefusesWhatItCanNotKeep(t *testing.T) {
	other := words("t")
	other.Version = 2
	for _, tt := range []struct {
		name   string
		before func(t *testing.T, l *checkpoint.Log)
		save   func(t *testing.T, l *checkpoint.Log) error
		want   string
	}{
		{
			name: "changes to an image with another version", want: "save it in full",
			before: func(t *testing.T, l *checkpoint.Log) {
				mustSave(t, l, words("t"), false, "a 1 1 1\n", "")
				decide(t, l)
			},
			save: func(t *testing.T, l *checkpoint.Log) error { return save(t, l, other, 0, false, "a 1 1 1\n", "") },
		},
		{
			name: "a full image and changes in one commit", want: "both a full image and changes",
			before: func(t *testing.T, l *checkpoint.Log) { mustSave(t, l, words("t"), false, "a 1 1 1\n", "") },
			save:   func(t *testing.T, l *checkpoint.Log) error { return save(t, l, words("t"), 1, true, "a 1 1 1\n", "") },
		},
		{
			name: "a full image that deletes", want: "deletes nothing",
			save: func(t *testing.T, l *checkpoint.Log) error { return save(t, l, words("t"), 0, true, "", "a 1\n") },
		},
		{
			name: "a table without key", want: "needs a name and a key",
			save: func(t *testing.T, l *checkpoint.Log) error {
				return l.Save(t.Context(), checkpoint.Table{Name: "t", Schema: wordSchema}, 0, false, nil, nil)
			},
		},
		{
			name: "a shard that is no number of 16 bits", want: "shard is out of range: -1",
			save: func(t *testing.T, l *checkpoint.Log) error { return save(t, l, words("t"), -1, false, "", "") },
		},
		{
			name: "a type that columns can't have", want: "type that state can't have: date32",
			save: func(t *testing.T, l *checkpoint.Log) error {
				s := arrow.NewSchema([]arrow.Field{{Name: "day", Type: arrow.FixedWidthTypes.Date32}}, nil)
				return l.Save(t.Context(), checkpoint.Table{Name: "t", Schema: s, Keys: []int{0}}, 0, false, nil, nil)
			},
		},
		{
			name: "rows of other columns", want: "rows: 2 columns, want 4",
			save: func(t *testing.T, l *checkpoint.Log) error {
				keys := mustParse(t, batch.NewPool(0), wordKeys, "a 1\n")
				return l.Save(t.Context(), words("t"), 0, false, keys.Rows(), nil)
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := mustOpen(t, vfs.NewMem(), dir, checkpoint.Options{})
			defer mustClose(t, l)
			if tt.before != nil {
				tt.before(t, l)
			}
			if err := tt.save(t, l); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			decide(t, l) // the log is still good
		})
	}
}

func TestTablesTellWhatIsKept(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, mem, dir, checkpoint.Options{})
	mustSave(t, l, words("a"), false, "x 1 1 1\ny 1 1 1\n", "")
	mustSave(t, l, words("b"), true, "x 1 1 1\n", "")
	decide(t, l)
	changed := words("b")
	changed.Version = 7
	mustSave(t, l, changed, true, "x 1 1 1\n", "")
	decide(t, l)
	mustSave(t, l, changed, false, "", "x 1\n")
	decide(t, l)

	// While the job runs, its checkpoint can be looked at.
	for _, open := range []func() *checkpoint.Log{
		func() *checkpoint.Log { return l },
		func() *checkpoint.Log {
			r, err := checkpoint.OpenReadOnly(mem, dir, checkpoint.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return r
		},
	} {
		tables := open().Tables()
		if len(tables) != 2 {
			t.Fatalf("%d tables", len(tables))
		}
		a, b := tables[0], tables[1]
		if a.Name != "a" || a.Version != 1 || a.Commit != 1 || a.UpsertedRows != 2 || a.Bytes == 0 || !a.Schema.Equal(wordSchema) {
			t.Errorf("a: %+v", a)
		}
		if b.Name != "b" || b.Version != 7 || b.Commit != 3 || b.UpsertedRows != 1 || b.DeletedRows != 1 {
			t.Errorf("b: %+v", b)
		}
	}
	r, err := checkpoint.OpenReadOnly(mem, dir, checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Decide(t.Context(), checkpoint.Record{Job: "job", Commit: 9}); err == nil || !strings.Contains(err.Error(), "reading only") {
		t.Errorf("decide: %v", err)
	}
	// The job rewrites what the reader has seen.
	mustSave(t, l, words("a"), true, "x 1 1 1\n", "")
	mustSave(t, l, changed, true, "x 1 1 1\n", "")
	decide(t, l)
	if _, err := stateOf(t, r, "a"); err == nil || !strings.Contains(err.Error(), "open it again") {
		t.Errorf("restore: %v", err)
	}
	mustClose(t, l)
	mustClose(t, r)
}

func TestRestoreReturnsErrorsOfTheCallerUnchanged(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), dir, checkpoint.Options{})
	defer mustClose(t, l)
	mustSave(t, l, words("a"), false, "x 1 1 1\n", "")
	decide(t, l)
	if err := l.Restore(t.Context(), "a", func(int, arrow.RecordBatch) error { return io.ErrClosedPipe }); err != io.ErrClosedPipe {
		t.Error(err)
	}
}

// TestAnImageIsAnArrowStream does what FORMAT.md shows in Python.
func TestAnImageIsAnArrowStream(t *testing.T) {
	mem := vfs.NewMem()
	l := mustOpen(t, mem, dir, checkpoint.Options{Compression: checkpoint.Uncompressed})
	mustSave(t, l, words("t"), true, "x 1 1 1\ny null 2 2\n", "")
	decide(t, l)
	mustClose(t, l)
	file := readFile(t, mem, filepath.Join(dir, "state-0000000001.seg"))
	var stream []byte
	for rest := file[24:]; len(rest) > 0; {
		n := binary.LittleEndian.Uint32(rest)
		if rest[4] == 'Y' || rest[4] == 'U' {
			stream = append(stream, rest[24:24+n]...)
		}
		rest = rest[24+n:]
	}
	r, err := ipc.NewReader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	var got string
	for r.Next() {
		got += batch.Format(batch.Batch{Rows: r.RecordBatch()})
	}
	if want := "x 1 1 1.0\ny null 2 2.0\n"; got != want || r.Err() != nil {
		t.Errorf("got:\n%s\nwant:\n%s\n%v", got, want, r.Err())
	}
}

func TestOneProcessAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "job")
	l := mustOpen(t, vfs.OS, path, checkpoint.Options{})
	_, err := checkpoint.Open(vfs.OS, path, checkpoint.Options{})
	var locked *vfs.LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() || !strings.Contains(err.Error(), "in use by another process (pid ") {
		t.Errorf("second open: %v", err)
	}
	mustClose(t, l)
	l = mustOpen(t, vfs.OS, path, checkpoint.Options{})
	mustClose(t, l)
}

func TestSpaceStaysBelowTwiceTheLiveState(t *testing.T) {
	mem := vfs.NewMem()
	o := checkpoint.Options{CompactBytes: 32 << 10, Compression: checkpoint.Uncompressed}
	l := mustOpen(t, mem, dir, o)
	defer mustClose(t, l)
	row := func(i int) string { return "w" + strings.Repeat("x", i%500+200) + " 1 1 1\n" }
	var image strings.Builder
	for i := range 500 {
		image.WriteString(row(i))
	}
	mustSave(t, l, words("t"), true, image.String(), "")
	decide(t, l)
	live := size(t, mem)
	for i := range 100 {
		var delta strings.Builder
		for k := range 20 {
			delta.WriteString(row(i*20 + k))
		}
		mustSave(t, l, words("t"), false, delta.String(), "")
		decide(t, l)
		if now := size(t, mem); now > 5*live/2 {
			t.Fatalf("after %d commits %d bytes, live are %d", i, now, live)
		}
	}
}

// size returns the bytes in all segments.
func size(t testing.TB, fs vfs.FS) (n int64) {
	t.Helper()
	entries, err := fs.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(e.Name(), "state-") {
			n += info.Size()
		}
	}
	return n
}

func TestSaveTakesColumnsOfNULLsFromAPoolThatIsNotZeroed(t *testing.T) {
	pool := batch.NewPool(0)
	l := mustOpen(t, vfs.NewMem(), dir, checkpoint.Options{Mem: pool})
	defer mustClose(t, l)
	for range 2 { // the second time, memory that was freed comes back
		rows := mustParse(t, pool, wordSchema, "a 1 null null\nb 1 null null\n")
		if err := l.Save(t.Context(), words("t"), 0, true, rows.Rows(), nil); err != nil {
			t.Fatal(err)
		}
		rows.Release()
		decide(t, l)
		if got, err := stateOf(t, l, "t"); err != nil || got != "0: a 1 null null\n0: b 1 null null\n" {
			t.Errorf("got:\n%s\n%v", got, err)
		}
		if pool.Used() != 0 {
			t.Errorf("%d bytes in use", pool.Used())
		}
	}
}
