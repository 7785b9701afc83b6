package ingest_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/tidemill/tidemill/ingest"
)

// gzipped returns a member per text.
func gzipped(texts ...string) string {
	var b bytes.Buffer
	for _, text := range texts {
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(text)); err != nil {
			panic(err)
		}
		if err := w.Close(); err != nil {
			panic(err)
		}
	}
	return b.String()
}

// zstded returns a frame per text.
func zstded(texts ...string) string {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	defer w.Close()
	var b []byte
	for _, text := range texts {
		b = w.EncodeAll([]byte(text), b)
	}
	return string(b)
}

// writeFiles makes files in a new directory. They are given as name, content, name, content.
func writeFiles(t testing.TB, files ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFileSource(t *testing.T) {
	tests := []struct {
		name   string
		files  []string
		path   string
		header bool
		with   []string
		want   string
	}{
		{name: "one file, its last line without end", files: []string{"a.txt", "1\n2"}, path: "a.txt", want: `a.txt: "1\n2"` + "\n"},
		{name: "an empty file is a split without rows", files: []string{"a.txt", ""}, path: "a.txt", want: `a.txt: ""` + "\n"},
		{name: "an empty file that is called gz is empty", files: []string{"a.gz", ""}, path: "a.gz", want: `a.gz: ""` + "\n"},
		{name: "a byte order mark and CRLF", files: []string{"a", "\ufeff1\r\n2\r\n"}, path: "a", want: `a: "1\r\n2\r\n"` + "\n"},
		{
			name: "a directory without what is hidden, below, or no file", path: "",
			files: []string{"b", "2\n", "a", "1\n", ".c", "3\n", "_d", "4\n", "e/f", "5\n"},
			want:  "a: \"1\\n\"\nb: \"2\\n\"\n",
		},
		{
			name: "a directory without data ends at once", path: "", files: []string{".a", "1\n"}, want: "",
		},
		{
			name: "a glob over directories", path: "*/x-?.txt", files: []string{"p/x-1.txt", "1", "q/x-2.txt", "2", "q/y.txt", "3"},
			want: "p/x-1.txt: \"1\"\nq/x-2.txt: \"2\"\n",
		},
		{name: "a file whose name is a glob", path: "a[1].txt", files: []string{"a[1].txt", "x", "a1.txt", "y"}, want: `a[1].txt: "x"` + "\n"},
		{
			name: "gzip and zstd by their first bytes, and their members", path: "",
			files: []string{"a.gz", gzipped("1\n", "2\n3"), "b", gzipped("4"), "c.zst", zstded("5\n", "6\n"), "d.log", zstded("7\n")},
			want:  "a.gz: \"1\\n2\\n3\"\nb: \"4\"\nc.zst: \"5\\n6\\n\"\nd.log: \"7\\n\"\n",
		},
		{
			name: "ordered files are one split, each ended by its end", path: "*.csv", with: []string{"ordered", "true"}, header: true,
			files: []string{"2.csv", "b\n3\n4", "1.csv", "\ufeffa\n1\n2", "3.csv", ""}, want: "*.csv: \"1\\n23\\n4\", header a, header b\n",
		},
		{
			name: "more files than are read side by side", path: "m", files: manyFiles(150), want: manyWanted(150),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := writeFiles(t, tt.files...)
			format := lineFormat(t, "TEXT", nil)
			if tt.header {
				format = lineFormat(t, "CSV", withHeader)
			}
			source := mustOpen(t, "file:"+filepath.Join(dir, tt.path), format, ingest.OpenSpec{}, tt.with...)
			if !source.Bounded() || !source.Replayable() {
				t.Error("a file is bounded and replayable")
			}
			if got := start(t, source, format, nil).finish(); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func manyFiles(n int) (files []string) {
	for i := range n {
		files = append(files, fmt.Sprintf("m/%03d", i), fmt.Sprintf("%d\n", i))
	}
	return files
}

func manyWanted(n int) (want string) {
	for i := range n {
		want += fmt.Sprintf("%03d: %q\n", i, fmt.Sprintf("%d\n", i))
	}
	return want
}

func TestFileSourceWithoutFile(t *testing.T) {
	dir := writeFiles(t, "torn.gz", gzipped(strings.Repeat("x\n", 1000))[:30], "no.gz", "plain text, not compressed\n")
	tests := []struct{ name, path, want string }{
		{"a missing file is named", "missing.txt", "missing.txt: no such file"},
		{"a glob without match is an error", "*.txt", "no file matches"},
		{"a file that is no gzip is an error", "no.gz", "gzip: invalid header"},
		{"a torn gzip file is an error", "torn.gz", "unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			format := lineFormat(t, "TEXT", nil)
			source := mustOpen(t, "file:"+filepath.Join(dir, tt.path), format, ingest.OpenSpec{})
			defer source.Close()
			err := source.Open(t.Context(), nil, func(ingest.SplitEvent) {})
			if err == nil {
				w := ingest.NewBlockWriter((&writerLog{}).spec(t, format))
				defer w.Close()
				err = source.Read(t.Context(), 0, w)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), filepath.Join(dir, tt.path)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestFileSourceGoesOnFromEveryPosition(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	csv := lineFormat(t, "CSV", withHeader)
	half := "\ufeffname\n" + string(randomLines(random, 300, 900))
	rest := string(randomLines(random, 300, 900)) + "end"
	for _, tt := range []struct {
		name, path string
		files      []string
		with       []string
	}{
		{name: "plain", path: "f", files: []string{"f", half + rest}},
		{name: "gzip", path: "f", files: []string{"f", gzipped(half, rest)}},
		{name: "zstd", path: "f", files: []string{"f", zstded(half, rest)}},
		{name: "ordered", path: "", files: []string{"1", half, "2", "other\n" + rest, "3.gz", gzipped(half)}, with: []string{"ordered", "true"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := "file:" + filepath.Join(writeFiles(t, tt.files...), tt.path)
			all := start(t, mustOpen(t, path, csv, ingest.OpenSpec{}, tt.with...), csv, nil)
			all.finish()
			for name, split := range all.splits {
				text := split.text.String()
				if len(split.positions) < 10 {
					t.Fatalf("only %d blocks", len(split.positions))
				}
				for i, position := range split.positions {
					again := start(t, mustOpen(t, path, csv, ingest.OpenSpec{}, tt.with...), csv, map[string]ingest.Position{name: position})
					again.finish()
					if got := again.textLocked(name); got != text[split.starts[i]:] {
						t.Fatalf("from %+v: %d bytes, want %d", position, len(got), len(text)-split.starts[i])
					}
					wasAt := again.splits[name].positions
					if wasAt[0] != position || again.splits[name].writer.Position() != split.writer.Position() {
						t.Errorf("started at %+v, want %+v; ended at %+v, want %+v", wasAt[0], position, again.splits[name].writer.Position(), split.writer.Position())
					}
					if got, want := again.splits[name].files, split.files; got[len(got)-1] != want[len(want)-1] {
						t.Errorf("header %q, want %q", got, want)
					}
				}
				// What was complete does not come again.
				again := start(t, mustOpen(t, path, csv, ingest.OpenSpec{}, tt.with...), csv, map[string]ingest.Position{name: split.writer.Position()})
				if got := again.finish(); got != "" && tt.name != "gzip" && tt.name != "zstd" {
					t.Errorf("after the end came %s", got)
				}
			}
		})
	}
}

func TestFileSourceReadsWhatWasAppendedToACompleteFile(t *testing.T) {
	format := lineFormat(t, "TEXT", nil)
	dir := writeFiles(t, "a", "1\n2\n", "b", "3\n")
	first := start(t, mustOpen(t, "file:"+dir, format, ingest.OpenSpec{}), format, nil)
	first.finish()
	after := map[string]ingest.Position{}
	for name, split := range first.splits {
		after[name] = split.writer.Position()
	}
	appendTo(t, filepath.Join(dir, "b"), "4\n")
	if got, want := start(t, mustOpen(t, "file://"+dir, format, ingest.OpenSpec{}), format, after).finish(), "b: \"4\\n\"\n"; got != want {
		t.Errorf("got %s want %s", got, want)
	}
	after["b"] = ingest.Position{Upto: ingest.Offset{Pos: 2}, Rows: 1, Lines: 1}
	if err := os.Remove(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	source := mustOpen(t, "file:"+dir, format, ingest.OpenSpec{})
	defer source.Close()
	if err := source.Open(t.Context(), after, func(ingest.SplitEvent) {}); err == nil || !strings.Contains(err.Error(), `file "b" is gone`) {
		t.Errorf("got %v", err)
	}
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestFileSourceSkipsALineOf20MB(t *testing.T) {
	format := lineFormat(t, "TEXT", nil)
	fits := strings.Repeat("y", 15<<20)
	dir := writeFiles(t, "f", "1\n"+strings.Repeat("x", 20_000_000)+"\n2\n"+fits+"\n3\n")
	run := start(t, mustOpen(t, "file:"+dir, format, ingest.OpenSpec{}), format, nil)
	run.finish()
	split := run.splits["f"]
	if got, want := split.text.String(), "1\n2\n"+fits+"\n3\n"; got != want {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
	if got, want := fmt.Sprint(split.bad), `[line 2 offset 2: record longer than 16 MiB: "xxxxxxxxxx"]`; got != want {
		t.Errorf("got %s want %s", got, want)
	}
	if p := split.writer.Position(); p.Rows != 5 || p.Lines != 5 {
		t.Errorf("position %+v", p)
	}
}
