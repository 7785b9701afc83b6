package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

func mustFormat(t testing.TB, name string, options ...string) ingest.Format {
	t.Helper()
	m := map[string]string{}
	for i := 0; i < len(options); i += 2 {
		m[options[i]] = options[i+1]
	}
	f, err := ingest.NewFormat(name, m)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// columnsRun is what was read of a source: rows and bad rows, a line each, and the position at the end.
type columnsRun struct {
	rows   string
	blocks []ingest.Position // before each
	end    ingest.Position
}

// readColumns reads the columns given, nil for all that there are, of the files of a path behind a number of rows.
func readColumns(t testing.TB, f ingest.Format, path string, columns []arrow.Field, start int64) (columnsRun, error) {
	t.Helper()
	mem := newPool(t)
	source := mustOpen(t, "file:"+path, f, ingest.OpenSpec{})
	defer source.Close()
	if columns == nil {
		var err error
		if columns, err = source.(ingest.Columned).FileColumns(t.Context(), mem); err != nil {
			return columnsRun{}, err
		}
	}
	spec := ingest.DecodeSpec{Declared: columns, Mem: mem}
	for i := range columns {
		spec.Used = append(spec.Used, i)
	}
	d, err := f.NewDecoder(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var run columnsRun
	var text strings.Builder
	bad := func(b ingest.BadRow) { fmt.Fprintf(&text, "bad row %d, column %s: %s\n", b.Line, b.Column, b.Why) }
	var splits []ingest.SplitEvent
	after := map[string]ingest.Position{filepath.Base(path): {Upto: ingest.Offset{Pos: start}, Rows: start}}
	if err := source.Open(t.Context(), after, func(ev ingest.SplitEvent) { splits = append(splits, ev) }); err != nil {
		return run, err
	}
	for _, split := range splits {
		w := ingest.NewBlockWriter(ingest.WriterSpec{
			Split: split.Split, Name: split.Name, Format: f, Blocks: ingest.NewBlockPool(mem), Bad: bad, Start: after[split.Name],
			Now: func() batch.Time { return batch.TimeOf(time.Now()) }, Wanted: ingest.Wanted{Columns: columns},
			Send: func(ctx context.Context, b *ingest.Block) error {
				rows, err := d.Decode(ctx, b, bad)
				if err != nil {
					return err
				}
				run.blocks = append(run.blocks, ingest.Position{Upto: b.From, Rows: b.FirstRow})
				text.WriteString(batch.Format(rows))
				b.Free()
				return nil
			},
		})
		err = errors.Join(err, source.Read(t.Context(), split.Split, w))
		run.end = w.Position()
		w.Close()
	}
	run.rows = text.String()
	return run, err
}

const arrowColumns = "id BIGINT, small TINYINT, name TEXT, long TEXT, word TEXT, x DOUBLE, f FLOAT, ok BOOLEAN, at TIMESTAMP, ms TIMESTAMP, ns TIMESTAMP\n"

var arrowRows = []string{
	"1 -1 \"é\" a x 0.5 0.5 true 2026-03-01T09:00:00.17Z 2026-03-01T09:00:00.17Z 2026-03-01T09:00:00.17Z\n",
	"2 null \"\" null y null 1.5 null null null null\n",
	"3 127 null c x NaN null false 2026-03-01T09:00:00.17Z 2026-03-01T09:00:00.17Z 2026-03-01T09:00:00.17Z\n",
}

// TestArrowFilesOfPyarrow reads files and streams, compressed and not, from every row.
func TestArrowFilesOfPyarrow(t *testing.T) {
	two := slices.Concat(arrowRows, arrowRows[1:])
	for _, tt := range []struct {
		file string
		want []string
	}{
		{"file.arrow", two},
		{"zstd.arrow", two},
		{"stream.arrows", two},
		{"lz4.feather", arrowRows},
		{"empty.arrow", nil},
		{"deltas.arrows", []string{"a\n", "b\n", "c\n", "a\n", "z\n"}},
	} {
		for start := range len(tt.want) + 1 {
			t.Run(fmt.Sprintf("%s from row %d", tt.file, start), func(t *testing.T) {
				got, err := readColumns(t, mustFormat(t, "arrow"), filepath.Join("testdata/columns", tt.file), nil, int64(start))
				if err != nil {
					t.Fatal(err)
				}
				if want := strings.Join(tt.want[start:], ""); got.rows != want {
					t.Errorf("got\n%swant\n%s", got.rows, want)
				}
				if n := int64(len(tt.want)); got.end.Upto.Pos != n || got.end.Rows != n || !got.end.Ended {
					t.Errorf("position %+v of %d rows", got.end, n)
				}
			})
		}
	}
}

func TestArrowColumns(t *testing.T) {
	source := mustOpen(t, "file:testdata/columns/file.arrow", mustFormat(t, "ARROW"), ingest.OpenSpec{})
	columns, err := source.(ingest.Columned).FileColumns(t.Context(), newPool(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range columns {
		got = append(got, c.Name+" "+batch.TypeName(c.Type))
	}
	if text := strings.Join(got, ", ") + "\n"; text != arrowColumns {
		t.Errorf("got %s", text)
	}
	for _, tt := range []struct{ name, file, want string }{
		{"a type that is not read", "unread.arrow", `read testdata/columns/unread.arrow: column "u": its type uint64 can't be read: list the other columns`},
		{"text", "make.py", "read testdata/columns/make.py: format ARROW: schema: no Arrow stream or file, or damaged: metadata of 1461854754 bytes"},
	} {
		source := mustOpen(t, "file:testdata/columns/"+tt.file, mustFormat(t, "ARROW"), ingest.OpenSpec{})
		if _, err := source.(ingest.Columned).FileColumns(t.Context(), newPool(t)); fmt.Sprint(err) != tt.want {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	rows, err := readColumns(t, mustFormat(t, "ARROW"), "testdata/columns/unread.arrow", []arrow.Field{{Name: "ID", Type: batch.BigInt}}, 0)
	if err != nil || rows.rows != "1\n" {
		t.Errorf("the columns that can be read: got %q, %v", rows.rows, err)
	}
}

// TestArrowFilesThatAreShort reads every beginning of a file: the rows of whole batches come, then the place is named.
func TestArrowFilesThatAreShort(t *testing.T) {
	whole, err := os.ReadFile("testdata/columns/file.arrow")
	if err != nil {
		t.Fatal(err)
	}
	columns := []arrow.Field{{Name: "id", Type: batch.BigInt}, {Name: "word", Type: batch.Text}}
	want := "1 x\n2 y\n3 x\n2 y\n3 x\n"
	faults := make(map[string]bool)
	for n := 1; n < len(whole); n += 7 {
		path := filepath.Join(writeFiles(t, "a.arrow", string(whole[:n])), "a.arrow")
		got, err := readColumns(t, mustFormat(t, "ARROW"), path, columns, 0)
		if !strings.HasPrefix(want, got.rows) || err == nil && got.rows != want {
			t.Errorf("%d bytes: got\n%s%v", n, got.rows, err)
		}
		if err != nil {
			faults[strings.TrimPrefix(err.Error(), "read "+path+": ")] = true
		}
	}
	for _, want := range []string{
		"format ARROW: schema: unexpected EOF", "behind row 0: format ARROW: batch 0: unexpected EOF", "behind row 3: format ARROW: batch 2: unexpected EOF",
	} {
		if !faults[want] {
			t.Errorf("no beginning of the file gives %q: %v", want, faults)
		}
	}
	path := filepath.Join(writeFiles(t, "a.arrow", string(whole)), "a.arrow")
	if _, err := readColumns(t, mustFormat(t, "ARROW"), path, columns, 6); fmt.Sprint(err) != "read "+path+": file is shorter than it was: 5 rows, position 6" {
		t.Errorf("got %v", err)
	}
}

// FuzzArrow changes bytes of files: whatever they say, there is no panic, no memory is left, and no more taken than there is.
func FuzzArrow(f *testing.F) {
	for _, name := range []string{"file.arrow", "zstd.arrow", "stream.arrows", "deltas.arrows"} {
		whole, err := os.ReadFile(filepath.Join("testdata/columns", name))
		if err != nil {
			f.Fatal(err)
		}
		for i := range 12 {
			f.Add(whole, i*len(whole)/12, byte(i)*20+1)
		}
	}
	f.Fuzz(func(t *testing.T, whole []byte, at int, change byte) {
		if len(whole) == 0 {
			return
		}
		whole = append([]byte(nil), whole...)
		whole[uint(at)%uint(len(whole))] ^= change
		path := filepath.Join(writeFiles(t, "a", string(whole)), "a")
		columns := []arrow.Field{{Name: "id", Type: batch.BigInt}, {Name: "name", Type: batch.Text}, {Name: "ok", Type: batch.Boolean}, {Name: "at", Type: batch.Timestamp}}
		_, _ = readColumns(t, mustFormat(t, "ARROW"), path, columns, 0)
		_, _ = readColumns(t, mustFormat(t, "ARROW"), path, nil, 2)
	})
}
