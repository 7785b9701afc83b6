package operators_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sessionsOf returns the sessions of a key, whose rows are given by time.
func sessionsOf(key int64, sums map[int64]int64, gap int64) []string {
	var all []string
	start, last, sum := int64(0), int64(-1), int64(0)
	end := func() {
		if last >= 0 {
			all = append(all, fmt.Sprintf("%d %d-%d sum %d, %d", key, start, last+gap, sum, sum))
		}
	}
	for _, at := range slices.Sorted(maps.Keys(sums)) {
		if last < 0 || at > last+gap {
			end()
			start, sum = at, 0
		}
		last, sum = at, sum+sums[at]
	}
	end()
	return all
}

// compareSorted compares lines in any order.
func compareSorted(t *testing.T, want, got []string) {
	t.Helper()
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%.4000s", diff)
	}
}
