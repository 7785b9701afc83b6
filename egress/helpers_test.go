package egress_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/internal/vfs"
)

// newPool returns a pool that must be empty at the end of the test.
func newPool(t testing.TB) *batch.Pool {
	pool := batch.NewPool(0)
	t.Cleanup(func() {
		if used := pool.Used(); used != 0 {
			t.Errorf("%d bytes of the pool are still in use", used)
		}
	})
	return pool
}

// schemaOf makes a schema of "name TYPE" pairs.
func schemaOf(columns ...string) *arrow.Schema {
	types := map[string]arrow.DataType{
		"BIGINT": batch.BigInt, "DOUBLE": batch.Double, "TEXT": batch.Text, "BOOLEAN": batch.Boolean, "TIMESTAMP": batch.Timestamp,
	}
	var fields []arrow.Field
	for _, c := range columns {
		name, dtype, _ := strings.Cut(c, " ")
		fields = append(fields, arrow.Field{Name: name, Type: types[dtype], Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

func mustRows(t testing.TB, pool *batch.Pool, schema *arrow.Schema, text string) *batch.Frame {
	t.Helper()
	f, err := batch.Parse(pool, schema, text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mustOpen(t testing.TB, uri, format string, options map[string]string, spec egress.OpenSpec) egress.Sink {
	t.Helper()
	s, err := egress.Open(uri, format, options, spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func iv(id uint64) batch.Interval { return batch.Interval{ID: id} }

func rowsOf(f *batch.Frame) batch.Batch { return batch.Batch{Rows: f.Rows()} }

// must fails the test for an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// commitRows runs one commit whose intervals have the given rows.
func commitRows(t testing.TB, s egress.Sink, pool *batch.Pool, schema *arrow.Schema, commit uint64, intervals ...string) {
	t.Helper()
	ctx := context.Background()
	for i, text := range intervals {
		f := mustRows(t, pool, schema, text)
		defer f.Release()
		must(t, s.Write(ctx, iv(commit*10+uint64(i)), rowsOf(f)))
	}
	token, err := s.Prepare(ctx, commit)
	must(t, err)
	must(t, s.Commit(ctx, commit, token))
}

// listing returns "name: content" of the files in dir, decompressed, one line of content per line.
func listing(t testing.TB, fsys vfs.FS, dir string) string {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	must(t, err)
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.Name() + ":\n" + content(t, fsys, dir+"/"+e.Name()))
	}
	return b.String()
}

func content(t testing.TB, fsys vfs.FS, name string) string {
	t.Helper()
	f, err := fsys.Open(name)
	must(t, err)
	defer f.Close()
	r := io.Reader(f)
	switch {
	case strings.HasSuffix(name, ".gz"):
		r, err = gzip.NewReader(f)
		must(t, err)
	case strings.HasSuffix(name, ".zst"):
		d, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
		must(t, err)
		defer d.Close()
		r = d
	}
	all, err := io.ReadAll(r)
	must(t, err)
	return string(all)
}
