package operators_test

import (
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

// TestLongSlidingWindows compares windows of many slides with sums over lists of rows, with gaps in time, rows that are late for
// some of their windows, and keys that come and go.
func TestLongSlidingWindows(t *testing.T) {
	in := optest.MustSchema("at TIMESTAMP event, k BIGINT, n BIGINT, d DOUBLE")
	const s = time.Second
	for _, tt := range []struct {
		name        string
		size, slide time.Duration
		funcs       []string
		args        []int
	}{
		{name: "count and sum of BIGINT", size: 13 * s, slide: s, funcs: []string{"count", "sum"}, args: []int{-1, 2}},
		{name: "min of BIGINT and sum of DOUBLE", size: 13 * s, slide: s, funcs: []string{"min", "sum"}, args: []int{2, 3}},
		{name: "min and sum, slides that do not divide the size", size: 25 * s, slide: 3 * s, funcs: []string{"min", "sum"}, args: []int{2, 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, uint64(len(tt.name))))
			text, want := slidingRows(r, tt.size, tt.slide, tt.funcs[0] == "min")
			window := &operators.WindowSpec{Time: expr.Column(in, 0), Size: tt.size, Slide: tt.slide}
			optest.Run(t, optest.Case{
				New:     aggregateOf{window: window, keys: []int{1}, funcs: tt.funcs, args: tt.args}.new(t, in),
				Schemas: []*arrow.Schema{in}, EventTime: []int{0}, In: text, Want: want, Unordered: true,
			})
		})
	}
}

func TestSlidingWindowsWhoseKeysAreRenumbered(t *testing.T) {
	defer operators.RenumberEarly(0)()
	t.Run("long windows", TestLongSlidingWindows)
	t.Run("windows", TestAggregateWindows)
	t.Run("sums of many keys", TestSlidingSumsOfManyKeys)
}

// slidingRows returns rows, and the windows that they make: per key min and sum, or count and sum.
func slidingRows(r *rand.Rand, size, slide time.Duration, isMin bool) (in, want string) {
	type group struct{ rows, smallest, sum int64 }
	groups := make(map[[2]int64]*group) // by start of the window and key
	first := int64(optest.Start) / 1e6
	now, largest := first, int64(0)
	var text strings.Builder
	for range 28 {
		now += int64(r.IntN(3))
		if r.IntN(14) == 0 {
			now += 30 // longer than the window
		}
		at, key, n := now, int64(r.IntN(6))+(now-first)/40, int64(r.IntN(100))
		if r.IntN(8) == 0 {
			at = max(first, now-int64(r.IntN(9)))
		}
		fmt.Fprintf(&text, "%s %d %d %d\n", batch.Time(at*1e6), key, n, n)
		sizeS, slideS := int64(size/time.Second), int64(slide/time.Second)
		for start := at / slideS * slideS; start+sizeS > at; start -= slideS {
			if start+sizeS <= largest {
				continue // late for this one
			}
			g := groups[[2]int64{start, key}]
			if g == nil {
				g = &group{smallest: n}
				groups[[2]int64{start, key}] = g
			}
			g.rows, g.smallest, g.sum = g.rows+1, min(g.smallest, n), g.sum+n
		}
		largest = max(largest, at)
	}
	var lines []string
	for id, g := range groups {
		line := fmt.Sprintf("%s %s %d ", batch.Time(id[0]*1e6), batch.Time(id[0]*1e6).Sub(-size), id[1])
		if isMin {
			line += fmt.Sprintf("%d %d.0\n", g.smallest, g.sum)
		} else {
			line += fmt.Sprintf("%d %d\n", g.rows, g.sum)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return text.String(), strings.Join(lines, "")
}
