package parquet_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/ingest/parquet"
)

// reading is what was read of a file: rows, bad rows and blocks, and the position at the end.
type reading struct {
	rows   string
	blocks []string // "from-to" of each
	end    ingest.Position
}

func newFormat(t testing.TB) ingest.Format {
	t.Helper()
	f, err := ingest.NewFormat("parquet", nil, parquet.Format())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// read reads columns of a file, given as name TYPE, all without any, behind a number of rows.
func read(t testing.TB, path string, start int64, bounds []ingest.Bound, columns ...string) (r reading, err error) {
	t.Helper()
	pool := batch.NewPool(0)
	t.Cleanup(func() {
		if used := pool.Used(); used != 0 {
			t.Errorf("%d bytes of the pool are still in use", used)
		}
	})
	f := newFormat(t)
	source, err := ingest.Open("file:"+path, nil, f, ingest.OpenSpec{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var fields []arrow.Field
	for _, c := range columns {
		name, text, _ := strings.Cut(c, " ")
		dtype, err := batch.ParseType(text)
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, arrow.Field{Name: name, Type: dtype, Nullable: true})
	}
	if fields == nil {
		if fields, err = source.(ingest.Columned).FileColumns(t.Context(), pool); err != nil {
			return r, err
		}
	}
	spec := ingest.DecodeSpec{Declared: fields, Mem: pool}
	for i := range fields {
		spec.Used = append(spec.Used, i)
	}
	decoder, err := f.NewDecoder(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	var text strings.Builder
	bad := func(b ingest.BadRow) { fmt.Fprintf(&text, "bad row %d, column %s: %s\n", b.Line, b.Column, b.Why) }
	var splits []ingest.SplitEvent
	position := ingest.Position{Upto: ingest.Offset{Pos: start}, Rows: start}
	err = source.Open(t.Context(), map[string]ingest.Position{filepath.Base(path): position}, func(ev ingest.SplitEvent) { splits = append(splits, ev) })
	for _, split := range splits {
		w := ingest.NewBlockWriter(ingest.WriterSpec{
			Split: split.Split, Name: split.Name, Format: f, Blocks: ingest.NewBlockPool(pool), Bad: bad, Start: position,
			Now: func() batch.Time { return batch.TimeOf(time.Now()) }, Wanted: ingest.Wanted{Columns: fields, Bounds: bounds},
			Send: func(ctx context.Context, b *ingest.Block) error {
				rows, err := decoder.Decode(ctx, b, bad)
				if err != nil {
					return err
				}
				r.blocks = append(r.blocks, fmt.Sprintf("%d-%d", b.From.Pos, b.To.Pos))
				text.WriteString(batch.Format(rows))
				b.Free()
				return nil
			},
		})
		err = errors.Join(err, source.Read(t.Context(), split.Split, w))
		r.end = w.Position()
		w.Close()
	}
	r.rows = text.String()
	return r, err
}

var columns = []string{"id BIGINT", "small BIGINT", "name TEXT", "x DOUBLE", "ok BOOLEAN", "at TIMESTAMP", "ms TIMESTAMP", "day DATE", "tags ARRAY<TEXT>"}

var rows = []string{
	`1 -1 a 0.5 true 2026-03-01T09:00:00Z 2026-03-01T09:00:00Z 2026-03-01 ["a","b"]`,
	`2 null "é" null null 2026-03-01T09:01:00Z 2026-03-01T09:01:00Z 2026-03-02 []`,
	`3 3 null 2.5 false 2026-03-01T09:02:00Z 2026-03-01T09:02:00Z 2026-03-03 null`,
	`4 4 d 3.5 true 2026-03-01T09:03:00Z 2026-03-01T09:03:00Z 2026-03-04 ["c"]`,
	`5 5 e 4.5 true 2026-03-01T09:04:00Z 2026-03-01T09:04:00Z 2026-03-05 ["d"]`,
	`6 6 f 5.5 true 2026-03-01T09:05:00Z 2026-03-01T09:05:00Z 2026-03-06 ["e"]`,
	`7 7 g NaN true 2026-03-01T09:06:00Z 2026-03-01T09:06:00Z 2026-03-07 [null]`,
}

// TestFilesOfPyarrow reads files of all codecs, and of several row groups from every row.
func TestFilesOfPyarrow(t *testing.T) {
	for _, name := range []string{"none", "gzip", "zstd", "brotli", "lz4", "int96", "groups", "empty"} {
		want, starts := rows, 1
		switch name {
		case "groups":
			starts = len(rows) + 1
		case "empty":
			want = nil
		}
		for start := range starts {
			t.Run(fmt.Sprintf("%s from row %d", name, start), func(t *testing.T) {
				got, err := read(t, "testdata/"+name+".parquet", int64(start), nil, columns...)
				if err != nil {
					t.Fatal(err)
				}
				var text string
				for _, row := range want[start:] {
					text += row + "\n"
				}
				if got.rows != text {
					t.Errorf("got\n%swant\n%s", got.rows, text)
				}
				if n := int64(len(want)); got.end.Upto.Pos != n || !got.end.Ended {
					t.Errorf("position %+v of %d rows", got.end, n)
				}
			})
		}
	}
}

// TestRowGroupsAreSkipped reads groups of two rows, of which statistics tell the least and the largest value.
func TestRowGroupsAreSkipped(t *testing.T) {
	at := batch.TimeOf(time.Date(2026, 3, 1, 9, 3, 0, 0, time.UTC))
	for _, tt := range []struct {
		name   string
		bounds []ingest.Bound
		want   string
	}{
		{"integers above", []ingest.Bound{{Column: "ID", Op: ">", Value: int64(4)}}, "4-6 6-7"},
		{"integers from", []ingest.Bound{{Column: "id", Op: ">=", Value: int64(4)}}, "2-4 4-6 6-7"},
		{"integers below", []ingest.Bound{{Column: "id", Op: "<", Value: int64(3)}}, "0-2"},
		{"integers up to", []ingest.Bound{{Column: "id", Op: "<=", Value: int64(3)}}, "0-2 2-4"},
		{"one integer", []ingest.Bound{{Column: "id", Op: "=", Value: int64(5)}}, "4-6"},
		{"integers of 8 bits", []ingest.Bound{{Column: "small", Op: "=", Value: int64(5)}}, "4-6"},
		{"two bounds", []ingest.Bound{{Column: "id", Op: ">", Value: int64(2)}, {Column: "id", Op: "<", Value: int64(5)}}, "2-4"},
		{"no group", []ingest.Bound{{Column: "id", Op: ">", Value: int64(7)}}, ""},
		{"text", []ingest.Bound{{Column: "name", Op: ">", Value: "f"}}, "0-2 6-7"},
		{"doubles, beside NaN", []ingest.Bound{{Column: "x", Op: "<", Value: 1.0}}, "0-2 6-7"},
		{"microseconds", []ingest.Bound{{Column: "at", Op: "<", Value: at}}, "0-2 2-4"},
		{"milliseconds", []ingest.Bound{{Column: "ms", Op: ">", Value: at}}, "4-6 6-7"},
		{"numbers without sign are not compared", []ingest.Bound{{Column: "u", Op: "<", Value: int64(0)}}, "0-2 2-4 4-6 6-7"},
		{"a type that is another", []ingest.Bound{{Column: "id", Op: "=", Value: "x"}}, "0-2 2-4 4-6 6-7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := read(t, "testdata/groups.parquet", 0, tt.bounds, columns[0])
			if err != nil {
				t.Fatal(err)
			}
			if blocks := strings.Join(got.blocks, " "); blocks != tt.want {
				t.Errorf("blocks %s, want %s", blocks, tt.want)
			}
			if got.end.Upto.Pos != 7 {
				t.Errorf("position %+v", got.end)
			}
		})
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	whole, err := os.ReadFile("testdata/none.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, content, want string }{
		{"text", "id,name\n1,a\n2,b\n3,c\n", "format PARQUET: "},
		{"no byte", "", "no rows to infer columns from: give a column list"},
		{"without its footer", string(whole[:len(whole)-20]), "format PARQUET: "},
		{"gzip", "\x1f\x8b", "unexpected EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.parquet")
			if err := os.WriteFile(path, []byte(tt.content), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := read(t, path, 0, nil); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := read(t, "testdata/groups.parquet", 0, nil); err == nil ||
		err.Error() != `read testdata/groups.parquet: column "u": its type uint64 can't be read: list the other columns` {
		t.Errorf("got %v", err)
	}
	if _, err := read(t, "testdata/none.parquet", 9, nil, "id BIGINT"); err == nil ||
		err.Error() != `read testdata/none.parquet: file is shorter than it was: 7 rows, position 9` {
		t.Errorf("got %v", err)
	}
	if _, err := read(t, "testdata/none.parquet", 0, nil, "id TEXT"); err == nil || !strings.Contains(err.Error(), `column "id" is BIGINT here, declared TEXT`) {
		t.Errorf("got %v", err)
	}
	got, err := read(t, "testdata/none.parquet", 0, nil, "small TINYINT", "id TINYINT", "day TIMESTAMP")
	if err != nil || !strings.HasPrefix(got.rows, "-1 1 2026-03-01T00:00:00Z\nnull 2 ") {
		t.Errorf("got %s, %v", got.rows, err)
	}
}

// FuzzParquet changes bytes of files: whatever they say, there is no panic, and no memory is left.
func FuzzParquet(f *testing.F) {
	for _, name := range []string{"groups", "zstd", "none"} {
		whole, err := os.ReadFile("testdata/" + name + ".parquet")
		if err != nil {
			f.Fatal(err)
		}
		for i := range 16 {
			f.Add(whole, (i+1)*len(whole)/16-9, byte(i)*16+1)
		}
	}
	f.Fuzz(func(t *testing.T, whole []byte, at int, change byte) {
		if len(whole) == 0 {
			return
		}
		whole = append([]byte(nil), whole...)
		whole[uint(at)%uint(len(whole))] ^= change
		path := filepath.Join(t.TempDir(), "a")
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _ = read(t, path, 0, nil, columns[:6]...)
		_, _ = read(t, path, 3, nil)
	})
}
