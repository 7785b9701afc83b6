package checkpoint_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/internal/vfs"
)

var (
	wordFields = []arrow.Field{
		{Name: "word", Type: batch.Text, Nullable: true},
		{Name: "part", Type: batch.BigInt, Nullable: true},
		{Name: "n", Type: batch.BigInt, Nullable: true},
		{Name: "sum", Type: batch.Double, Nullable: true},
	}
	wordSchema = arrow.NewSchema(wordFields, nil)
	wordKeys   = arrow.NewSchema(wordFields[:2], nil)
)

func words(name string) checkpoint.Table {
	return checkpoint.Table{Name: name, Schema: wordSchema, Keys: []int{0, 1}, Version: 1}
}

func mustParse(t testing.TB, pool *batch.Pool, schema *arrow.Schema, text string) *batch.Frame {
	t.Helper()
	f, err := batch.Parse(pool, schema, text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// save saves rows and deleted keys, given as text, under one shard.
func save(t testing.TB, l *checkpoint.Log, table checkpoint.Table, shard int, full bool, upserts, deletes string) error {
	t.Helper()
	pool := batch.NewPool(0)
	rows := mustParse(t, pool, wordSchema, upserts)
	defer rows.Release()
	keys := mustParse(t, pool, wordKeys, deletes)
	defer keys.Release()
	return l.Save(context.Background(), table, shard, full, rows.Rows(), keys.Rows())
}

// stateOf returns the live rows of a table as text, sorted, each with its shard in front.
func stateOf(t testing.TB, l *checkpoint.Log, table string) (string, error) {
	t.Helper()
	var lines []string
	err := l.Restore(context.Background(), table, func(shard int, rows arrow.RecordBatch) error {
		for line := range strings.Lines(batch.Format(batch.Batch{Rows: rows})) {
			lines = append(lines, fmt.Sprintf("%d: %s", shard, line))
		}
		return nil
	})
	slices.Sort(lines)
	return strings.Join(lines, ""), err
}

// step is one commit of a script: what it saves of each table.
type step struct {
	saves []saveStep
	drop  string
	model map[string]string // table → its rows after the commit, as stateOf shows them
}

type saveStep struct {
	table            string
	shard            int
	full             bool
	upserts, deletes string
}

// makeScript returns random commits over the tables a, b and c, and what must be in them after each.
func makeScript(seed uint64, commits int) []step {
	r := rand.New(rand.NewPCG(seed, 1))
	state := map[string]map[string]string{}
	var steps []step
	for range commits {
		var s step
		for _, table := range []string{"a", "b", "c"} {
			full := r.IntN(8) == 0
			if !full && r.IntN(4) == 0 {
				continue // not changed in this commit
			}
			if state[table] == nil || full {
				state[table] = map[string]string{}
			}
			for shard := range 2 {
				ss := saveStep{table: table, shard: shard, full: full}
				touched := map[string]bool{}
				for range r.IntN(12) {
					word, part := fmt.Sprintf("w%d", r.IntN(5)*2+shard), fmt.Sprint(r.IntN(3))
					if part == "2" {
						part = "null"
					}
					key := fmt.Sprintf("%d: %s %s", shard, word, part)
					if touched[key] {
						continue
					}
					touched[key] = true
					if !full && r.IntN(3) == 0 {
						ss.deletes += word + " " + part + "\n"
						delete(state[table], key)
						continue
					}
					values := fmt.Sprintf("%d %d.5", r.IntN(1000), r.IntN(100))
					ss.upserts += word + " " + part + " " + values + "\n"
					state[table][key] = key + " " + values + "\n"
				}
				s.saves = append(s.saves, ss)
			}
		}
		if r.IntN(6) == 0 {
			s.drop = "b"
			delete(state, "b")
		}
		s.model = map[string]string{}
		for table, rows := range state {
			var lines []string
			for _, line := range rows {
				lines = append(lines, line)
			}
			slices.Sort(lines)
			s.model[table] = strings.Join(lines, "")
		}
		steps = append(steps, s)
	}
	return steps
}

// play commits the steps after the last record and returns the number of the last commit that was acknowledged.
func play(t testing.TB, l *checkpoint.Log, steps []step) (acknowledged int, err error) {
	t.Helper()
	done := 0
	if l.Last() != nil {
		done = int(l.Last().Commit)
	}
	for done < len(steps) {
		s := steps[done]
		for _, ss := range s.saves {
			if err := save(t, l, words(ss.table), ss.shard, ss.full, ss.upserts, ss.deletes); err != nil {
				return done, err
			}
		}
		if s.drop != "" {
			if err := l.Drop(s.drop); err != nil {
				return done, err
			}
		}
		r := checkpoint.Record{Job: "job", Commit: uint64(done + 1), Splits: []checkpoint.SplitState{{Source: "s", Name: "bad\xff", Pos: int64(done)}}}
		if err := l.Decide(context.Background(), r); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

// checkState compares all tables with the model of the last record.
func checkState(t testing.TB, l *checkpoint.Log, steps []step) {
	t.Helper()
	want := map[string]string{}
	if l.Last() != nil {
		want = steps[l.Last().Commit-1].model
	}
	for _, table := range []string{"a", "b", "c"} {
		got, err := stateOf(t, l, table)
		if err != nil {
			t.Fatalf("restore %s: %v", table, err)
		}
		if got != want[table] {
			t.Fatalf("commit %d: table %s:\ngot:\n%s\nwant:\n%s", l.Last().Commit, table, got, want[table])
		}
	}
}

// tinyOptions make every kind of roll and rewriting happen within few commits.
func tinyOptions(pool *batch.Pool) checkpoint.Options {
	return checkpoint.Options{Mem: pool, SegmentBytes: 8 << 10, CompactBytes: 12 << 10, RecordsBytes: 1 << 10, JournalFileBytes: 700}
}

func mustOpen(t testing.TB, fs vfs.FS, dir string, o checkpoint.Options) *checkpoint.Log {
	t.Helper()
	l, err := checkpoint.Open(fs, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustClose(t testing.TB, l *checkpoint.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
