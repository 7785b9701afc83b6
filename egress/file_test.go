package egress_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/internal/vfs"
)

const testJob = "0123456789abcdef"

func openFile(t testing.TB, fsys vfs.FS, pool *batch.Pool, format string, options map[string]string, spec egress.Spec, commit uint64, last egress.Token) egress.Sink {
	t.Helper()
	s := mustOpen(t, "file:out", format, options, egress.OpenSpec{FS: fsys, Mem: pool})
	must(t, s.Open(context.Background(), spec, commit, last))
	return s
}

func TestFiles(t *testing.T) {
	tests := []struct {
		name    string
		format  string
		options map[string]string
		sink    string
		commits [][]string
		want    string
	}{
		{
			name: "a commit is a file", format: "CSV", sink: "hot",
			commits: [][]string{{"1 a\n", "2 b\n"}, {"3 c\n"}},
			want:    "hot-01234567-0000000001-0000.csv:\n1,a\n2,b\nhot-01234567-0000000002-0000.csv:\n3,c\n",
		},
		{
			name: "a commit without rows has no file", format: "CSV", options: map[string]string{"header": "true"}, sink: "hot",
			commits: [][]string{{""}, {"", "3 c\n"}, {}},
			want:    "hot-01234567-0000000002-0000.csv:\nn,s\n3,c\n",
		},
		{
			name: "roll_rows cuts within a batch and every file has its header", format: "CSV",
			options: map[string]string{"header": "true", "roll_rows": "2"}, sink: "hot",
			commits: [][]string{{"1 a\n", "2 b\n3 c\n4 d\n5 e\n"}},
			want: "hot-01234567-0000000001-0000.csv:\nn,s\n1,a\n2,b\nhot-01234567-0000000001-0001.csv:\nn,s\n3,c\n4,d\n" +
				"hot-01234567-0000000001-0002.csv:\nn,s\n5,e\n",
		},
		{
			name: "roll_bytes begins a file after that many bytes", format: "JSON", options: map[string]string{"roll_bytes": "20"}, sink: "hot",
			commits: [][]string{{"1 a\n", "2 b\n", "3 c\n"}},
			want: "hot-01234567-0000000001-0000.json:\n{\"n\":1,\"s\":\"a\"}\n{\"n\":2,\"s\":\"b\"}\n" +
				"hot-01234567-0000000001-0001.json:\n{\"n\":3,\"s\":\"c\"}\n",
		},
		{
			name: "gzip", format: "csv", options: map[string]string{"compression": "GZIP"}, sink: "hot",
			commits: [][]string{{"1 a\n"}, {"2 b\n"}},
			want:    "hot-01234567-0000000001-0000.csv.gz:\n1,a\nhot-01234567-0000000002-0000.csv.gz:\n2,b\n",
		},
		{
			name: "zstd", format: "json", options: map[string]string{"compression": "zstd", "roll_rows": "1"}, sink: "hot",
			commits: [][]string{{"1 a\n2 b\n"}},
			want: "hot-01234567-0000000001-0000.json.zst:\n{\"n\":1,\"s\":\"a\"}\n" +
				"hot-01234567-0000000001-0001.json.zst:\n{\"n\":2,\"s\":\"b\"}\n",
		},
		{
			name: "the name of a sink does not leave the directory or hide the file", format: "CSV", sink: "_../a-b",
			commits: [][]string{{"1 a\n"}},
			want:    "%5F%2E%2E%2Fa%2Db-01234567-0000000001-0000.csv:\n1,a\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pool := newPool(t)
			schema := schemaOf("n BIGINT", "s TEXT")
			mem := vfs.NewMem()
			s := openFile(t, mem, pool, tt.format, tt.options, egress.Spec{Job: testJob, Name: tt.sink, Schema: schema}, 0, nil)
			for i, intervals := range tt.commits {
				commitRows(t, s, pool, schema, uint64(i+1), intervals...)
			}
			must(t, s.Close())
			if got := listing(t, mem, "out"); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestLongFileIsWrittenInPieces(t *testing.T) {
	pool := newPool(t)
	schema := schemaOf("s TEXT")
	for _, compression := range []string{"none", "gzip", "zstd"} {
		mem := vfs.NewMem()
		s := openFile(t, mem, pool, "TEXT", map[string]string{"compression": compression}, egress.Spec{Job: testJob, Name: "x", Schema: schema}, 0, nil)
		rows := strings.Repeat("abcdefgh\n", 50000)
		commitRows(t, s, pool, schema, 1, rows, rows)
		must(t, s.Close())
		_, got, _ := strings.Cut(listing(t, mem, "out"), ":\n")
		if got != rows+rows {
			t.Errorf("%s: got %d bytes, want %d", compression, len(got), 2*len(rows))
		}
	}
}

func TestFilesOnDisk(t *testing.T) {
	pool := newPool(t)
	schema := schemaOf("s TEXT")
	dir := filepath.Join(t.TempDir(), "new", "out")
	s := mustOpen(t, "file:"+dir, "TEXT", nil, egress.OpenSpec{FS: vfs.OS, Mem: pool})
	must(t, s.Open(context.Background(), egress.Spec{Job: testJob, Name: "x", Schema: schema}, 0, nil))
	commitRows(t, s, pool, schema, 1, "a\n")
	must(t, s.Close())
	got, err := os.ReadFile(filepath.Join(dir, "x-01234567-0000000001-0000.txt"))
	must(t, err)
	if string(got) != "a\n" {
		t.Errorf("got %q", got)
	}
}
