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

// TestImagesAreReadByPyarrow runs the Python of FORMAT.md over an image. It needs TIDEMILL_PYTHON, a Python that has pyarrow and
// zstandard: make test-python makes one.
func TestImagesAreReadByPyarrow(t *testing.T) {
	python := os.Getenv("TIDEMILL_PYTHON")
	if python == "" {
		t.Skip("TIDEMILL_PYTHON is not set")
	}
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```python\n")
	program, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("FORMAT.md has no Python")
	}
	program = "import zstandard\ndef decompress(codec, b):\n    assert codec == 2\n    return zstandard.ZstdDecompressor().decompressobj().decompress(b)\n" +
		strings.Replace(program, ".read_all())", ".read_all().to_pydict())", 1)
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
			for _, want := range []string{"{'word': ['00000000', '9e3779b9', ", ", None], 'count': [0, 1, 2,"} {
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
