package checkpoint_test

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/internal/vfs"
)

var rewrite = flag.Bool("rewrite", false, "write the sample of the current format again")

// TestSampleOfVersion1StaysReadable reads a directory that was written when the format was made.
func TestSampleOfVersion1StaysReadable(t *testing.T) {
	sample := filepath.Join("testdata", "v1")
	if *rewrite {
		writeSample(t, sample)
	}
	l, err := checkpoint.OpenReadOnly(vfs.OS, sample, checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, l)
	last := l.Last()
	if last.Job != "job" || last.Commit != 2 || last.States["t"] != 2 || last.States["u"] != 1 {
		t.Errorf("record: %+v", last)
	}
	for table, want := range map[string]string{"t": "0: x 1 2 2.0\n", "u": "0: x 1 1 1.0\n"} {
		if got, err := stateOf(t, l, table); err != nil || got != want {
			t.Errorf("table %s: got %q, want %q, %v", table, got, want, err)
		}
	}
	report, err := checkpoint.Verify(vfs.OS, sample)
	if err != nil || len(report.Faults) > 0 {
		t.Errorf("verify: %v, %+v", err, report)
	}
	// The journal is opened for writing: in a copy.
	files := map[string][]byte{}
	for _, f := range report.Files {
		name, err := filepath.Rel(sample, f.Path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Join(dir, name)] = readFile(t, vfs.OS, f.Path)
	}
	l = mustOpen(t, memWith(t, files), dir, checkpoint.Options{})
	defer mustClose(t, l)
	if got := replayed(t, l, at(20)); strings.Count(got, "\n") != 2 || !strings.HasPrefix(got, "lines/a 20-30t row 2 line 2 rows 1 at 1002 hccc") {
		t.Errorf("journal:\n%s", got)
	}
}

func writeSample(t *testing.T, sample string) {
	for name, b := range smallJob(t) {
		if strings.HasSuffix(name, "LOCK") {
			continue
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(sample, rel)
		if err := vfs.OS.MkdirAll(filepath.Dir(path)); err != nil {
			t.Fatal(err)
		}
		f, err := vfs.OS.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
