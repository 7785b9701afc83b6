package tidemill_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

// spyLookup is a map of users that remembers what it was asked for.
type spyLookup struct {
	mu    sync.Mutex
	asked []string
	fail  func(call int) error
	calls int
}

func (s *spyLookup) Find(ctx context.Context, by, columns []string, keys [][]any) ([][][]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fail != nil {
		if err := s.fail(s.calls); err != nil {
			return nil, err
		}
	}
	for _, k := range keys {
		s.asked = append(s.asked, fmt.Sprint(k[0]))
	}
	users := tidemill.MapLookup[int64]{7: {"name": "ada", "age": 36}, 9: {"name": "eve"}}
	return users.Find(ctx, by, columns, keys)
}

// hurriedClock is there already when someone waits for it.
type hurriedClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *hurriedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *hurriedClock) Wait(ctx context.Context, t time.Time) error {
	if t.Sub(c.Now()) > 10*time.Second { // a tick, which the job's end comes before
		<-ctx.Done()
		return ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
	return nil
}

func runLookup(t *testing.T, lookup tidemill.Lookup, rows, options, query string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "orders.csv"), rows)
	var out lockedBuffer
	job, err := tidemill.New(tidemill.Config{
		Workers: 1, Stdout: &out, Log: slog.New(slog.DiscardHandler), BlockBytes: 2 << 10,
		Clock: &hurriedClock{now: time.Date(2026, 6, 1, 0, 0, 0, 1, time.UTC)}, Interval: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	job.Lookup("users", lookup)
	script := "CREATE SOURCE orders (n BIGINT, user BIGINT) FROM 'file:DIR/orders.csv' FORMAT CSV WITH (max_rows_per_interval = 4);\n" +
		"CREATE TABLE users (id BIGINT, name TEXT, age DOUBLE) FROM 'lookup:users'" + options + ";\n" + query
	if err := job.SQL(strings.ReplaceAll(script, "DIR", dir)); err != nil {
		return "", err
	}
	if err := job.Start(t.Context()); err != nil {
		return "", err
	}
	err = job.Wait()
	if held := job.MemoryHeld(); held != 0 {
		t.Errorf("%d bytes are still held after the job", held)
	}
	return out.String(), err
}

func TestStreamIsJoinedWithALookup(t *testing.T) {
	const rows = "1,7\n2,8\n3,\n4,9\n5,7\n"
	tests := []struct {
		name, query, want string
	}{
		{name: "inner", query: "SELECT n, name FROM orders JOIN users ON user = id", want: "n,name\n1,ada\n4,eve\n5,ada\n"},
		{name: "left", query: "SELECT n, name, age FROM orders LEFT JOIN users ON user = id", want: "n,name,age\n1,ada,36.0\n2,,\n3,,\n4,eve,\n5,ada,36.0\n"},
		{name: "semi", query: "SELECT n FROM orders LEFT SEMI JOIN users ON user = id AND n < 5", want: "n\n1\n4\n"},
		{name: "anti", query: "SELECT n FROM orders LEFT ANTI JOIN users ON user = id AND age > 30", want: "n\n2\n3\n4\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := runLookup(t, &spyLookup{}, rows, "", tt.query)
			if err != nil || got != tt.want {
				t.Errorf("want %q, got %q, %v", tt.want, got, err)
			}
		})
	}
}

func TestLookupAsksForEachKeyOfABatchOnce(t *testing.T) {
	for _, tt := range []struct {
		name, options string
		want          []string
	}{
		{name: "a batch has a key several times", options: " WITH (ttl = '0 seconds', negative_ttl = '0 seconds')", want: []string{"7", "8"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spy := &spyLookup{}
			if _, err := runLookup(t, spy, "1,7\n2,8\n3,7\n4,8\n", tt.options, "SELECT n FROM orders JOIN users ON user = id"); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(spy.asked, tt.want) {
				t.Errorf("want keys %v to be asked for, got %v", tt.want, spy.asked)
			}
		})
	}
}

// TestLookupIsCached compares a job of many intervals with a cache with one that has none. The cache takes entries when it likes,
// so that a key may be asked for more than once, but not each time.
func TestLookupIsCached(t *testing.T) {
	var rows strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&rows, "%d,%d\n", i, 7+i%2)
	}
	const query = "SELECT n FROM orders LEFT JOIN users ON user = id"
	asked := func(options string) int {
		spy := &spyLookup{}
		if _, err := runLookup(t, spy, rows.String(), options, query); err != nil {
			t.Fatal(err)
		}
		return len(spy.asked)
	}
	without := asked(" WITH (ttl = '0 seconds', negative_ttl = '0 seconds')")
	onlyFound := asked(" WITH (negative_ttl = '0 seconds')")
	with := asked("")
	if without < 20 {
		t.Fatalf("without a cache only %d keys were asked for", without)
	}
	if with > without/2 || onlyFound < without/2 || onlyFound > without*9/10 {
		t.Errorf("asked for %d keys without a cache, %d where only rows are kept, %d with what is not there, too", without, onlyFound, with)
	}
}

func TestLookupThatFails(t *testing.T) {
	broken := errors.New("the database is away")
	tests := []struct {
		name string
		fail func(call int) error
		want string // of the error, "" for none
	}{
		{name: "twice, is tried again", fail: func(call int) error { return map[bool]error{true: broken}[call < 3] }},
		{name: "always, ends the job", fail: func(int) error { return broken }, want: "look up in users: the database is away"},
		{name: "with a panic, ends the job", fail: func(int) error { panic("oh") }, want: "look up in users: the look-up panics: oh"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := runLookup(t, &spyLookup{fail: tt.fail}, "1,7\n", "", "SELECT n, name FROM orders JOIN users ON user = id")
			if tt.want == "" && (err != nil || got != "n,name\n1,ada\n") || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("want error %q, got %q, %v", tt.want, got, err)
			}
		})
	}
}

func TestFaultsOfALookup(t *testing.T) {
	tests := []struct {
		name, options, query, want string
		lookup                     tidemill.Lookup
	}{
		{name: "an option that there is not", options: " WITH (tl = '1 minute')", want: `option "tl" is unknown`},
		{name: "a time that is none", options: " WITH (ttl = 'long')", want: "option ttl: want a time"},
		{name: "a cache of nothing", options: " WITH (cache_rows = 0)", want: "option cache_rows: want a number"},
		{name: "a format", options: " FORMAT CSV", want: "a look-up has no FORMAT"},
		{name: "a value of another type", lookup: tidemill.MapLookup[int64]{7: {"name": 3.5}}, want: `column "name": want TEXT, got float64`},
		{name: "a map with keys of another type", lookup: tidemill.MapLookup[string]{"7": {}}, want: "the key id is a int64, the map has keys of type string"},
		{
			name: "a map and two keys", lookup: tidemill.MapLookup[int64]{}, query: "SELECT n FROM orders JOIN users ON user = id AND n = age",
			want: "a map has one key, the join has 2",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.lookup == nil {
				tt.lookup = &spyLookup{}
			}
			if tt.query == "" {
				tt.query = "SELECT name FROM orders JOIN users ON user = id"
			}
			if _, err := runLookup(t, tt.lookup, "1,7\n", tt.options, tt.query); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want an error with %q, got %v", tt.want, err)
			}
		})
	}
	_, _, err := tryRun(t, tidemill.Config{}, "CREATE SOURCE r FROM 'rate:'; CREATE TABLE u (id BIGINT) FROM 'lookup:none'; SELECT id FROM r JOIN u ON value = id")
	if err == nil || !strings.Contains(err.Error(), `look-up "none" is unknown: a Go program names one with Context.Lookup`) {
		t.Errorf("a look-up that nobody named: %v", err)
	}
}
