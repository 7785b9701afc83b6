package operators_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// heapInUse returns the bytes of the Go heap that are reachable: memory of pools, and all that refers to it.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestMemoryOfSlidingWindows(t *testing.T) {
	const (
		panes, rows, keys = 150, 20_000, 100_000
		content           = 24 // key, count and sum or largest value of a group of a pane
	)
	in := optest.MustSchema("at TIMESTAMP event, k BIGINT, n BIGINT")
	for _, tt := range []struct {
		name string
		fn   string
		most float64
	}{
		{name: "sums take half as much again as the content of panes at most", fn: "sum", most: 1.5},
		{name: "extremes take their blocks and suffixes too", fn: "max", most: 3.2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := batch.NewPool(0)
			f := batch.NewFrame(pool, in)
			f.Reset(rows)
			before := heapInUse()
			window := &operators.WindowSpec{Time: expr.Column(in, 0), Size: panes * time.Second, Slide: time.Second}
			op, err := aggregateOf{window: window, keys: []int{1}, funcs: []string{"count", tt.fn}, args: []int{-1, 2}}.new(t, in)(operators.Env{
				Mem: pool,
			})
			if err != nil {
				t.Fatal(err)
			}
			emit := func(batch.Batch) error { return nil }
			for second := range int64(panes + 10) {
				for i := range rows {
					f.Columns[0].Int64s()[i] = second * 1e6
					f.Columns[1].Int64s()[i] = (second*rows + int64(i)) * 7919 % keys
					f.Columns[2].Int64s()[i] = int64(i)
				}
				if err := op.Process(context.Background(), 0, batch.Batch{Rows: f.Rows()}, emit); err != nil {
					t.Fatal(err)
				}
				if _, err := op.EndInterval(context.Background(), []batch.Time{batch.Time(second+1) * 1e6}, emit); err != nil {
					t.Fatal(err)
				}
			}
			groups := op.(operators.Stateful).Stats().Groups
			if want := int64(panes-1) * rows; groups != want {
				t.Fatalf("want %d groups, got %d", want, groups)
			}
			used := heapInUse() - before
			ratio := float64(used) / float64(groups*content)
			t.Logf("%d groups, %.1f bytes each, %.2f of their content", groups, float64(used)/float64(groups), ratio)
			if ratio > tt.most {
				t.Errorf("memory is %.2f of the content of panes, want at most %.1f", ratio, tt.most)
			}
			f.Release()
			op.Close()
			if used := pool.Used(); used != 0 {
				t.Errorf("%d bytes leaked", used)
			}
		})
	}
}

func TestMemoryOfGroups(t *testing.T) {
	const most = 192 // bytes, of which 16 are the key, 16 its count and sum, and more than half are slots, half of them free
	in := optest.MustSchema("s TEXT, n BIGINT")
	for _, keys := range []int{150_000, 260_000} { // just over the middle of a power of two, and just under one
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			pool := batch.NewPool(0)
			op, err := aggregateOf{keys: []int{0}, funcs: []string{"count", "sum"}, args: []int{-1, 1}, mode: operators.Update}.new(t, in)(
				operators.Env{Mem: pool})
			if err != nil {
				t.Fatal(err)
			}
			f := batch.NewFrame(pool, in)
			emit := func(batch.Batch) error { return nil }
			for from := 0; from < keys; from += 10_000 {
				f.Reset(0)
				for i := range 10_000 {
					f.Columns[0].AppendString(fmt.Sprintf("customer-%07d", from+i))
					f.Columns[1].AppendInt64(int64(i))
				}
				f.SetRows(10_000)
				if err := op.Process(context.Background(), 0, batch.Batch{Rows: f.Rows()}, emit); err != nil {
					t.Fatal(err)
				}
				if _, err := op.EndInterval(context.Background(), []batch.Time{batch.MinTime}, emit); err != nil {
					t.Fatal(err)
				}
			}
			stats := op.(operators.Stateful).Stats()
			each := float64(stats.Bytes) / float64(stats.Groups)
			t.Logf("%d groups of %.1f bytes", stats.Groups, each)
			if each > most {
				t.Errorf("a group takes %.1f bytes, want at most %d", each, most)
			}
			f.Release()
			op.Close()
			if used := pool.Used(); used != 0 {
				t.Errorf("%d bytes leaked", used)
			}
		})
	}
}
