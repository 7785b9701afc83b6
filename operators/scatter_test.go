package operators_test

import (
	"testing"

	"github.com/tidemill/tidemill/operators"
)

func TestAggregatesOfRowsScatteredByShard(t *testing.T) {
	defer operators.ScatterEarly(0)()
	t.Run("groups", TestAggregateGroups)
	t.Run("windows", TestAggregateWindows)
	t.Run("sliding windows", TestSlidingSumsOfManyKeys)
}
