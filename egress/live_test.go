package egress_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/egress"
)

// fakeScreen keeps what was drawn last.
type fakeScreen struct {
	io.Writer
	width, height int
	drawn         []string
	err           error
}

func (s *fakeScreen) Size() (width, height int) { return s.width, s.height }

func (s *fakeScreen) Draw(lines []string) error {
	s.drawn = lines
	return s.err
}

func TestLiveShowsTheLatestState(t *testing.T) {
	tests := []struct {
		name    string
		mode    string
		keys    []int
		width   int // 0: 80
		height  int
		commits [][]string // of each, the rows of intervals
		want    string
	}{
		{
			name: "rows of a key take the place of the ones before", mode: "update", keys: []int{0}, height: 20,
			commits: [][]string{{"a 1\nb 1\n", "b 2\n"}, {"", "c 1\na 3\n"}},
			want:    "word  n\n----  -\na     3\nb     2\nc     1",
		},
		{
			name: "without keys there is one row", mode: "update", height: 20,
			commits: [][]string{{"a 1\n"}, {"b 2\n"}},
			want:    "word  n\n----  -\nb     2",
		},
		{
			name: "keys that changed last are shown if there is no room for all", mode: "update", keys: []int{0}, height: 5,
			commits: [][]string{{"a 1\nb 1\nc 1\n"}, {"a 2\n"}},
			want:    "word  n\n----  -\na     2\nc     1\n… and rows that changed less lately",
		},
		{
			name: "a complete result is that of the last interval", mode: "complete", keys: []int{0}, height: 5,
			commits: [][]string{{"a 1\nb 1\n", "c 3\nb 2\na 1\n"}},
			want:    "word  n\n----  -\nc     3\nb     2\n… and 1 more rows",
		},
		{
			name: "the last rows of one that grows are shown", mode: "append", height: 5,
			commits: [][]string{{"a 1\n", "b 2\n"}, {"c 3\n"}},
			want:    "word  n\n----  -\nb     2\nc     3\n… after 1 earlier rows",
		},
		{name: "an interval without rows draws nothing", mode: "append", height: 5, commits: [][]string{{""}}},
		{
			name: "lines are as wide as the screen", mode: "append", width: 19, height: 5,
			commits: [][]string{{"日本日本日本日本日本日本日本日本日本日本 1\n"}},
			want:    "word\n-------------------\n日本日本日本日本日",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pool, schema := newPool(t), schemaOf("word TEXT", "n BIGINT")
			screen := &fakeScreen{width: cmp.Or(tt.width, 80), height: tt.height}
			s := mustOpen(t, "", "live", nil, egress.OpenSpec{Stdout: screen, Mem: pool})
			defer s.Close()
			must(t, s.Open(context.Background(), egress.Spec{Schema: schema, Mode: tt.mode, Keys: tt.keys}, 0, nil))
			interval := uint64(0)
			for i, texts := range tt.commits {
				for _, text := range texts {
					interval++
					rows := mustRows(t, pool, schema, text)
					must(t, s.Write(context.Background(), iv(interval), batch.Batch{Rows: rows.Rows()}))
					rows.Release()
				}
				before := screen.drawn
				token, err := s.Prepare(context.Background(), uint64(i+1))
				must(t, err)
				if gocmp.Diff(before, screen.drawn) != "" {
					t.Error("rows are shown before they are committed")
				}
				must(t, s.Commit(context.Background(), uint64(i+1), token))
			}
			want := strings.Split(tt.want, "\n")
			if tt.want == "" {
				want = nil
			}
			for i, line := range screen.drawn {
				screen.drawn[i] = strings.TrimRight(line, " ")
			}
			if diff := gocmp.Diff(want, screen.drawn); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLiveKeepsLittle updates more keys than any screen shows: those that changed last are there, each once.
func TestLiveKeepsLittle(t *testing.T) {
	pool, schema := newPool(t), schemaOf("word TEXT", "n BIGINT")
	screen := &fakeScreen{width: 80, height: 1000}
	s := mustOpen(t, "", "live", nil, egress.OpenSpec{Stdout: screen, Mem: pool})
	defer s.Close()
	must(t, s.Open(context.Background(), egress.Spec{Schema: schema, Mode: "update", Keys: []int{0}}, 0, nil))
	for round := range 3 {
		var text strings.Builder
		for k := range 700 {
			fmt.Fprintf(&text, "k%d %d\n", k, round)
		}
		rows := mustRows(t, pool, schema, text.String())
		must(t, s.Write(context.Background(), iv(uint64(round+1)), batch.Batch{Rows: rows.Rows()}))
		rows.Release()
		_, err := s.Prepare(context.Background(), uint64(round+1))
		must(t, err)
	}
	must(t, s.Commit(context.Background(), 3, nil))
	seen := make(map[string]bool)
	for _, line := range screen.drawn[2 : len(screen.drawn)-1] {
		word := strings.Fields(line)[0]
		if seen[word] || !strings.HasSuffix(line, " 2") {
			t.Fatalf("%q is there twice, or old", line)
		}
		seen[word] = true
	}
	if len(seen) != 512 || !seen["k699"] || seen["k0"] {
		t.Errorf("want the last 512 keys, got %d", len(seen))
	}
}

func TestLiveNeedsAScreen(t *testing.T) {
	_, err := egress.Open("", "live", nil, egress.OpenSpec{Stdout: io.Discard})
	if want := "format LIVE needs a terminal: print as TABLE, CSV or JSON"; err == nil || err.Error() != want {
		t.Errorf("want %q, got %v", want, err)
	}
	pool, schema := newPool(t), schemaOf("n BIGINT")
	s := mustOpen(t, "", "live", nil, egress.OpenSpec{Stdout: &fakeScreen{width: 80, height: 9, err: syscall.EPIPE}, Mem: pool})
	defer s.Close()
	must(t, s.Open(context.Background(), egress.Spec{Schema: schema, Mode: "append"}, 0, nil))
	rows := mustRows(t, pool, schema, "1\n")
	defer rows.Release()
	must(t, s.Write(context.Background(), iv(1), batch.Batch{Rows: rows.Rows()}))
	_, err = s.Prepare(context.Background(), 1)
	must(t, err)
	if err := s.Commit(context.Background(), 1, nil); !errors.Is(err, egress.ErrClosed) {
		t.Errorf("want ErrClosed, got %v", err)
	}
}
