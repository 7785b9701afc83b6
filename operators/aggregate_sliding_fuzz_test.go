package operators_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// FuzzSlidingWindows slides windows over random seconds, with gaps between them and keys that come and go, and compares every window
// with one that is computed of its rows: sums, which are made of the window before, and extremes, which are stacked.
func FuzzSlidingWindows(f *testing.F) {
	f.Add(uint64(1), uint8(9), uint8(1), false)
	f.Add(uint64(2), uint8(30), uint8(1), false)
	f.Add(uint64(3), uint8(100), uint8(1), true)
	f.Add(uint64(4), uint8(64), uint8(4), false)
	f.Add(uint64(5), uint8(50), uint8(3), true)
	f.Add(uint64(6), uint8(3), uint8(1), false)
	f.Fuzz(func(t *testing.T, seed uint64, size, slide uint8, renumbers bool) {
		if slide == 0 || size <= slide || slide > 16 {
			t.Skip()
		}
		if renumbers {
			defer operators.RenumberEarly(0)()
		}
		slides := slidingCase{seed: seed, size: int64(size), slide: int64(slide)}
		slides.run(t, []string{"count", "sum"}, []int{-1, 2}, func(have [2]int64, n int64) [2]int64 {
			return [2]int64{have[0] + 1, have[1] + n}
		})
		slides.run(t, []string{"max", "sum"}, []int{2, 3}, func(have [2]int64, n int64) [2]int64 {
			return [2]int64{max(have[0], n), have[1] + n}
		})
	})
}

type slidingCase struct {
	seed        uint64
	size, slide int64 // seconds
}

// run compares the windows of two aggregates, the second of which may be a DOUBLE, with those that add makes of their rows.
func (c slidingCase) run(t *testing.T, funcs []string, args []int, add func(have [2]int64, n int64) [2]int64) {
	t.Helper()
	in := optest.MustSchema("at TIMESTAMP event, k BIGINT, n BIGINT, d DOUBLE")
	window := &operators.WindowSpec{
		Time: expr.Column(in, 0), Size: time.Duration(c.size) * time.Second, Slide: time.Duration(c.slide) * time.Second,
	}
	pool := batch.NewPool(0)
	op, err := aggregateOf{window: window, keys: []int{1}, funcs: funcs, args: args}.new(t, in)(operators.Env{Mem: pool})
	if err != nil {
		t.Fatal(err)
	}
	got, want := make(map[[2]int64][2]int64), make(map[[2]int64][2]int64) // by start and key
	emit := func(b batch.Batch) error {
		starts, keys, first := batch.Int64s(b.Rows.Column(0)), batch.Int64s(b.Rows.Column(2)), batch.Int64s(b.Rows.Column(3))
		for i := range b.NumRows() {
			window := [2]int64{starts[i] / 1e6, keys[i]}
			if _, isThere := got[window]; isThere {
				t.Errorf("window %v came twice", window)
			}
			second, isDouble := b.Rows.Column(4).(*array.Float64)
			if isDouble {
				got[window] = [2]int64{first[i], int64(second.Value(i))}
			} else {
				got[window] = [2]int64{first[i], batch.Int64s(b.Rows.Column(4))[i]}
			}
		}
		return nil
	}
	r := rand.New(rand.NewPCG(c.seed, 0))
	f := batch.NewFrame(pool, in)
	now := int64(1_000_000)
	last := 4*c.size + 50
	for step := range last {
		now++
		if r.IntN(20) == 0 {
			now += r.Int64N(2 * c.size)
		}
		f.Reset(0)
		rows := r.IntN(6)
		for range rows {
			key, n := step/20+r.Int64N(5), r.Int64N(1000)
			f.Columns[0].AppendInt64(now*1e6 + r.Int64N(1e6))
			f.Columns[1].AppendInt64(key)
			f.Columns[2].AppendInt64(n)
			f.Columns[3].AppendFloat64(float64(n))
			for start := now / c.slide * c.slide; start+c.size > now; start -= c.slide {
				want[[2]int64{start, key}] = add(want[[2]int64{start, key}], n)
			}
		}
		f.SetRows(rows)
		if rows > 0 {
			if err := op.Process(context.Background(), 0, batch.Batch{Rows: f.Rows()}, emit); err != nil {
				t.Fatal(err)
			}
		}
		watermark := batch.Time((now + 1) * 1e6)
		if step == last-1 {
			watermark = batch.MaxTime
		}
		if _, err := op.EndInterval(context.Background(), []batch.Time{watermark}, emit); err != nil {
			t.Fatal(err)
		}
	}
	f.Release()
	op.Close()
	if used := pool.Used(); used != 0 {
		t.Errorf("%d bytes leaked", used)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%v of %v: windows (-want +got):\n%s", funcs, c, diff)
	}
}
