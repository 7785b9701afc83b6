package checkpoint_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/internal/vfs"
)

// TestImagesAreReadByPyarrowAndDuckDB runs the Python of FORMAT.md over an image. It needs TIDEMILL_PYTHON, a Python that has pyarrow,
// zstandard and duckdb: make test-python makes one.
func TestImagesAreReadByPyarrowAndDuckDB(t *testing.T) {
	python := os.Getenv("TIDEMILL_PYTHON")
	if python == "" {
		t.Skip("TIDEMILL_PYTHON is not set")
	}
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	program := "import zstandard\ndef decompress(codec, b):\n    assert codec == 2\n    return zstandard.ZstdDecompressor().decompressobj().decompress(b)\n"
	blocks := strings.Split(string(doc), "```python\n")[1:]
	if len(blocks) != 2 {
		t.Fatalf("FORMAT.md has %d blocks of Python, want 2", len(blocks))
	}
	for _, b := range blocks {
		text, _, _ := strings.Cut(b, "```")
		program += strings.Replace(text, "print(image)", "print(image.to_pydict())", 1)
	}
	for _, c := range []checkpoint.Compression{checkpoint.Uncompressed, checkpoint.Zstd} {
		t.Run("compression "+c.String(), func(t *testing.T) {
			dir := t.TempDir()
			pool := batch.NewPool(0)
			rows := countRows(pool, 0, 5000, 1)
			defer rows.Release()
			rows.Columns[1].SetNull(4999)
			l := mustOpen(t, vfs.OS, dir, checkpoint.Options{Mem: pool, Compression: c})
			if err := l.Save(context.Background(), countTable, 0, true, rows.Rows(), nil); err != nil {
				t.Fatal(err)
			}
			decide(t, l)
			mustClose(t, l)
			cmd := exec.Command(python, "-c", program)
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("python: %v\n%s", err, out)
			}
			for _, want := range []string{"{'word': ['00000000', '9e3779b9', ", ", None], 'count': [0, 1, 2,", "[(5000, 2497500)]"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("output lacks %q: %.300s", want, out)
				}
			}
			if names, err := filepath.Glob(filepath.Join(dir, "*.seg")); err != nil || len(names) != 1 {
				t.Errorf("segments: %v, %v", names, err)
			}
		})
	}
}
