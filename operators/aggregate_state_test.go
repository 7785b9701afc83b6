package operators_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// TestSlidingSumsOfManyKeys compares windows that are made of the one before them with the sum of their rows, while keys come
// and go, and checks that state does not grow.
func TestSlidingSumsOfManyKeys(t *testing.T) {
	const (
		seconds = 200
		perTick = 400
		size    = 10
	)
	for _, restarts := range []bool{false, true} {
		t.Run(fmt.Sprint("restarts ", restarts), func(t *testing.T) {
			in := optest.MustSchema("at TIMESTAMP event, k BIGINT, n BIGINT")
			agg := aggregateOf{
				window: &operators.WindowSpec{Time: expr.Column(in, 0), Size: size * time.Second, Slide: time.Second},
				keys:   []int{1}, funcs: []string{"count", "sum"}, args: []int{-1, 2},
			}
			pool := batch.NewPool(0)
			open := func() operators.Operator {
				op, err := agg.new(t, in)(operators.Env{Mem: pool})
				if err != nil {
					t.Fatal(err)
				}
				return op
			}
			op := open()
			image := newImage(pool)
			rng := rand.New(rand.NewPCG(1, 2))
			want, got := make(map[string]int64), make(map[string]int64)
			key := func(start, k int64, what string) string { return fmt.Sprint(start, " ", k, " ", what) }
			emit := func(b batch.Batch) error {
				starts, keys := batch.Int64s(b.Rows.Column(0)), batch.Int64s(b.Rows.Column(2))
				counts, sums := batch.Int64s(b.Rows.Column(3)), batch.Int64s(b.Rows.Column(4))
				for i := range b.NumRows() {
					got[key(starts[i]/1e6, keys[i], "n")] += counts[i]
					got[key(starts[i]/1e6, keys[i], "sum")] += sums[i]
				}
				return nil
			}
			f := batch.NewFrame(pool, in)
			var halfway int64
			for tick := range int64(seconds) {
				f.Reset(0)
				for range perTick {
					k, n := tick*50+rng.Int64N(300), rng.Int64()>>8-1<<54
					f.Columns[0].AppendInt64(tick*1e6 + rng.Int64N(1e6))
					f.Columns[1].AppendInt64(k)
					f.Columns[2].AppendInt64(n)
					for s := tick - size + 1; s <= tick; s++ {
						want[key(s, k, "n")]++
						want[key(s, k, "sum")] += n
					}
				}
				f.SetRows(perTick)
				if err := op.Process(context.Background(), 0, batch.Batch{Rows: f.Rows()}, emit); err != nil {
					t.Fatal(err)
				}
				mark := batch.Time(tick * 1e6)
				if tick == seconds-1 {
					mark = batch.MaxTime
				}
				if _, err := op.EndInterval(context.Background(), []batch.Time{mark}, emit); err != nil {
					t.Fatal(err)
				}
				if tick == seconds/2 {
					halfway = pool.Used()
				}
				if restarts {
					image.take(t, op.(operators.Stateful))
					if tick%7 == 0 {
						op.Close()
						op = open()
						image.give(t, op.(operators.Stateful))
					}
				}
			}
			stats := op.(operators.Stateful).Stats()
			if stats.Rows != 0 || stats.Groups != 0 || !restarts && stats.Retired != seconds*perTick {
				t.Errorf("state at the end: %+v", stats)
			}
			if used := pool.Used(); !restarts && used > 2*halfway {
				t.Errorf("state grows: %d bytes after half of the time, %d at the end", halfway, used)
			}
			if len(want) != len(got) {
				t.Errorf("want %d results, got %d", len(want), len(got))
			}
			for k, n := range want {
				if got[k] != n {
					t.Fatalf("%s: want %d, got %d", k, n, got[k])
				}
			}
			if rows := len(image.rows); restarts && rows > 1 {
				t.Errorf("the last Snapshot leaves %d rows", rows)
			}
			f.Release()
			op.Close()
			if pool.Used() != 0 {
				t.Errorf("%d bytes leaked", pool.Used())
			}
		})
	}
}

// image keeps the rows of Snapshots as text by table, shard and key, and gives them back one by one in any order.
type image struct {
	pool *batch.Pool
	rows map[string]imageRow
}

type imageRow struct {
	table operators.StateTable
	shard int
	text  string
}

func newImage(pool *batch.Pool) *image { return &image{pool, make(map[string]imageRow)} }

func (m *image) take(t *testing.T, op operators.Stateful) {
	t.Helper()
	tables := make(map[string]operators.StateTable)
	for _, table := range op.StateTables() {
		tables[table.Name] = table
	}
	err := op.Snapshot(context.Background(), false, func(name string, shard int, upserts, deleted arrow.RecordBatch) error {
		keyOf := func(rows arrow.RecordBatch, i int) string {
			key := []byte(fmt.Sprint(name, " ", shard))
			for k := range tables[name].Keys { // keys are the first columns
				key = batch.AppendValue(append(key, ' '), rows.Column(k), i)
			}
			return string(key)
		}
		if deleted != nil {
			for i := range int(deleted.NumRows()) {
				if _, ok := m.rows[keyOf(deleted, i)]; !ok {
					t.Errorf("%s: deleted and never saved", keyOf(deleted, i))
				}
				delete(m.rows, keyOf(deleted, i))
			}
		}
		if upserts != nil {
			for i := range int(upserts.NumRows()) {
				text := batch.Format(batch.Batch{Rows: upserts, Sel: []int32{int32(i)}})
				m.rows[keyOf(upserts, i)] = imageRow{tables[name], shard, text}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (m *image) give(t *testing.T, op operators.Stateful) {
	t.Helper()
	type part struct {
		table string
		shard int
	}
	texts, schemas := make(map[part]string), make(map[string]*arrow.Schema)
	for _, r := range m.rows { // in any order
		texts[part{r.table.Name, r.shard}] += r.text
		schemas[r.table.Name] = r.table.Schema
	}
	for p, text := range texts {
		f, err := batch.Parse(m.pool, schemas[p.table], text)
		if err != nil {
			t.Fatal(err)
		}
		if err := op.Restore(context.Background(), p.table, p.shard, f.Rows()); err != nil {
			t.Fatal(err)
		}
		f.Release()
	}
}

// TestTextExtremesThatAreReplacedOften makes each row replace the value of its group.
func TestTextExtremesThatAreReplacedOften(t *testing.T) {
	in := optest.MustSchema("k BIGINT, s TEXT")
	pool := batch.NewPool(0)
	op, err := aggregateOf{keys: []int{0}, funcs: []string{"max"}, args: []int{1}, mode: operators.Update}.new(t, in)(operators.Env{Mem: pool})
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&rows, "%d m%s%05d\n", i%3, strings.Repeat("x", i/1000), i)
	}
	text, _ := feed(t, op, in, rows.String(), batch.MinTime)
	got := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(got)
	tail := "m" + strings.Repeat("x", 19)
	if want := []string{"0 " + tail + "19998", "1 " + tail + "19999", "2 " + tail + "19997"}; !slices.Equal(got, want) {
		t.Errorf("want %q, got %q", want, got)
	}
	if used := pool.Used(); used > 1<<20 {
		t.Errorf("%d bytes for three values", used)
	}
	op.Close()
	if pool.Used() != 0 {
		t.Errorf("%d bytes leaked", pool.Used())
	}
}

// TestSortKeepsTheFirstOfMany sorts more rows than it keeps.
func TestSortKeepsTheFirstOfMany(t *testing.T) {
	in := optest.MustSchema("n BIGINT, i BIGINT")
	spec := &operators.SortSpec{By: []operators.SortKey{{Expr: expr.Column(in, 0), Descending: true}}, Limit: 5, WindowEnd: -1}
	pool := batch.NewPool(0)
	op, err := build("", spec, in)(operators.Env{Mem: pool})
	if err != nil {
		t.Fatal(err)
	}
	emit := func(batch.Batch) error { t.Error("emitted before the end"); return nil }
	for b := range 30 {
		f := batch.NewFrame(pool, in)
		for i := range 1000 {
			f.Columns[0].AppendInt64(int64(i * 7919 % 1000))
			f.Columns[1].AppendInt64(int64(b*1000 + i))
		}
		f.SetRows(1000)
		in := batch.Batch{Rows: f.Rows(), Origin: batch.Origin{Block: uint64(b)}}
		if err := op.Process(context.Background(), 0, in, emit); err != nil {
			t.Fatal(err)
		}
		f.Release()
	}
	got, _ := feed(t, op, in, "", batch.MinTime)
	// 999 comes once per batch, at i with i*7919%1000 = 999; equal rows keep their order.
	if want := "999 321\n999 1321\n999 2321\n999 3321\n999 4321\n"; got != want {
		t.Errorf("want %q, got %q", want, got)
	}
	op.Close()
	if pool.Used() != 0 {
		t.Errorf("%d bytes leaked", pool.Used())
	}
}
