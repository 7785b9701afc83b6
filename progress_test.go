package tidemill_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/tidemill/tidemill"
)

// TestProgressEndsWithAllFilesRead runs over plain and compressed files, and goes on from a checkpoint when there is one more.
func TestProgressEndsWithAllFilesRead(t *testing.T) {
	dir := t.TempDir()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(strings.Repeat("x\n", 1000))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a.txt", strings.Repeat("y\n", 500))
	write("b.txt.gz", packed.String())
	total := int64(1000 + packed.Len())
	state := t.TempDir()
	run := func(source string, want int64) {
		t.Helper()
		job, err := tidemill.New(tidemill.Config{Checkpoint: state, Stdout: new(bytes.Buffer)})
		if err != nil {
			t.Fatal(err)
		}
		if err := job.SQL(source + "; SELECT count(*) AS n FROM t"); err != nil {
			t.Fatal(err)
		}
		if err := job.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := job.Wait(); err != nil {
			t.Fatal(err)
		}
		if s := job.Status(); s.FileBytesRead != want || s.FileBytes != want {
			t.Errorf("want %d of %d bytes, got %d of %d", want, want, s.FileBytesRead, s.FileBytes)
		}
	}
	files := "CREATE SOURCE t FROM 'file:" + dir + "/' FORMAT TEXT"
	run(files, total)
	write("c.txt", "z\n")
	run(files, total+2)
	state = t.TempDir()
	run(files+" WITH (ordered = true)", total+2)
	write("d.txt", "z\n")
	run(files+" WITH (ordered = true)", total+4)
	state = t.TempDir()
	run("CREATE SOURCE t FROM 'rate:' WITH (rows = 3, rows_per_second = 0)", 0)
}
