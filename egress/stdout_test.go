package egress_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/tidemill/tidemill/egress"
)

func TestTable(t *testing.T) {
	schema := schemaOf("word TEXT", "n BIGINT", "share DOUBLE", "at TIMESTAMP")
	tests := []struct {
		name    string
		commits [][]string
		want    string
	}{
		{
			name:    "columns are aligned and numbers stand right",
			commits: [][]string{{"apple 12 0.5 2026-01-02T03:04:05Z\nfig null 100.25 null\n"}},
			want: "word      n   share  at\n" +
				"-----  ----  ------  --------------------\n" +
				"apple    12     0.5  2026-01-02T03:04:05Z\n" +
				"fig    NULL  100.25  NULL\n\n",
		},
		{
			name:    "a blank line stands between intervals and behind a commit",
			commits: [][]string{{"a 1 null null\n", "", "b 2 null null\n"}, {""}, {"c 3 null null\n"}},
			want: "word  n  share  at\n----  -  -----  ----\na     1   NULL  NULL\n\nb     2   NULL  NULL\n\n" +
				"word  n  share  at\n----  -  -----  ----\nc     3   NULL  NULL\n\n",
		},
		{
			name:    "a long cell is cut",
			commits: [][]string{{strings.Repeat("x", 48) + " 1 null null\n" + strings.Repeat("y", 49) + " 2 null null\n"}},
			want: "word" + strings.Repeat(" ", 44) + "  n  share  at\n" + strings.Repeat("-", 48) + "  -  -----  ----\n" +
				strings.Repeat("x", 48) + "  1   NULL  NULL\n" + strings.Repeat("y", 47) + "…  2   NULL  NULL\n\n",
		},
		{
			name:    "what moves the cursor is escaped and wide letters count twice",
			commits: [][]string{{`"a\nb\x1b[2J" 1 null null` + "\n\"日本\" 2 null null\n"}},
			want:    "word         n  share  at\n-----------  -  -----  ----\n" + `a\nb\x1b[2J` + "  1   NULL  NULL\n日本         2   NULL  NULL\n\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pool := newPool(t)
			var out bytes.Buffer
			s := mustOpen(t, "", "table", nil, egress.OpenSpec{Stdout: &out, Mem: pool})
			defer s.Close()
			must(t, s.Open(context.Background(), egress.Spec{Schema: schema}, 0, nil))
			for i, intervals := range tt.commits {
				commitRows(t, s, pool, schema, uint64(i+1), intervals...)
			}
			if got := out.String(); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestBareSelectHasHeaderOnce(t *testing.T) {
	pool := newPool(t)
	schema := schemaOf("a BIGINT")
	var out bytes.Buffer
	s := mustOpen(t, "", "", nil, egress.OpenSpec{Stdout: &out, Mem: pool})
	defer s.Close()
	must(t, s.Open(context.Background(), egress.Spec{Schema: schema}, 0, nil))
	commitRows(t, s, pool, schema, 1, "")
	commitRows(t, s, pool, schema, 2, "1\n")
	commitRows(t, s, pool, schema, 3, "2\n")
	if got, want := out.String(), "a\n1\n2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRowsAreVisibleAtCommitOnly(t *testing.T) {
	ctx := context.Background()
	pool := newPool(t)
	schema := schemaOf("a BIGINT")
	var out bytes.Buffer
	s, err := egress.NewStdout(egress.StdoutSpec{Out: &out, Format: "CSV", Mem: pool})
	must(t, err)
	defer s.Close()
	must(t, s.Open(ctx, egress.Spec{Schema: schema}, 0, nil))
	step := func(name, want string) {
		t.Helper()
		if got := out.String(); got != want {
			t.Errorf("after %s: got %q, want %q", name, got, want)
		}
	}
	write := func(text string) {
		f := mustRows(t, pool, schema, text)
		defer f.Release()
		must(t, s.Write(ctx, iv(1), rowsOf(f)))
	}
	prepare := func(commit uint64) {
		_, err := s.Prepare(ctx, commit)
		must(t, err)
	}
	write("1\n")
	prepare(1)
	write("2\n")
	prepare(2)
	write("3\n")
	step("prepare", "")
	must(t, s.Commit(ctx, 1, nil))
	step("commit 1", "1\n")
	must(t, s.Commit(ctx, 1, nil))
	step("commit 1 again", "1\n")
	must(t, s.Commit(ctx, 2, nil))
	step("commit 2", "1\n2\n")
}

// limitedWriter takes so many bytes, then returns an error.
type limitedWriter struct {
	bytes.Buffer
	room int
	err  error
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if len(p) <= w.room {
		w.room -= len(p)
		return w.Buffer.Write(p)
	}
	n, _ := w.Buffer.Write(p[:w.room])
	w.room = 0
	return n, w.err
}

func TestPrintingFails(t *testing.T) {
	tests := []struct {
		name     string
		err      error
		isClosed bool
	}{
		{name: "a broken pipe ends the job calmly", err: &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}, isClosed: true},
		{name: "a closed pipe in the process does so too", err: io.ErrClosedPipe, isClosed: true},
		{name: "a full disk is a fault", err: syscall.ENOSPC},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := context.Background()
			pool := newPool(t)
			schema := schemaOf("a BIGINT")
			out := &limitedWriter{room: 3, err: tt.err}
			s := mustOpen(t, "stdout:", "CSV", nil, egress.OpenSpec{Stdout: out, Mem: pool})
			defer s.Close()
			must(t, s.Open(ctx, egress.Spec{Schema: schema}, 0, nil))
			f := mustRows(t, pool, schema, "1\n2\n3\n")
			defer f.Release()
			must(t, s.Write(ctx, iv(1), rowsOf(f)))
			_, err := s.Prepare(ctx, 1)
			must(t, err)
			if err := s.Commit(ctx, 1, nil); errors.Is(err, egress.ErrClosed) != tt.isClosed || !errors.Is(err, tt.err) {
				t.Errorf("got error %v", err)
			}
			out.room = 100
			must(t, s.Commit(ctx, 1, nil))
			if got, want := out.String(), "1\n2\n3\n"; got != want {
				t.Errorf("after a second try: got %q, want %q", got, want)
			}
		})
	}
}

func TestBlackholeCounts(t *testing.T) {
	pool := newPool(t)
	schema := schemaOf("a BIGINT")
	s := mustOpen(t, "blackhole:", "", nil, egress.OpenSpec{})
	must(t, s.Open(context.Background(), egress.Spec{Schema: schema}, 0, nil))
	commitRows(t, s, pool, schema, 1, "1\n2\n", "3\n")
	if got := s.(*egress.Blackhole).Rows(); got != 3 {
		t.Errorf("got %d rows, want 3", got)
	}
	must(t, s.Close())
}
