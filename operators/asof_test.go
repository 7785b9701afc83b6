package operators_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill/operators"
)

const versions = `
# input 1 split 1
2026-01-01T00:00:01Z 1 0.5
2026-01-01T00:00:02Z 2 9
2026-01-01T00:00:04Z 1 1.5
# input 0 split 0
2026-01-01T00:00:00Z 1 early
2026-01-01T00:00:01Z 1 same
2026-01-01T00:00:03Z 1 between
2026-01-01T00:00:03Z 3 unknown
2026-01-01T00:00:03Z null keyless
null 1 timeless
---
# input 1 split 1
2026-01-01T00:00:06Z 1 2.5
2026-01-01T00:00:05Z 2 6
null 2 7
2026-01-01T00:00:06Z 1 3.5
# input 0 split 0
2026-01-01T00:00:02Z 1 late
2026-01-01T00:00:06Z 1 last
2026-01-01T00:00:08Z 2 after
`

func TestAsOfGivesEachRowTheVersionThatHoldsAtItsTime(t *testing.T) {
	tests := []joinCase{
		{name: "inner join", kind: operators.InnerJoin, in: versions, late: 2, want: `
1 same 0.5 2026-01-01T00:00:01Z 2026-01-01T00:00:01Z
1 between 0.5 2026-01-01T00:00:03Z 2026-01-01T00:00:01Z
---
1 last 3.5 2026-01-01T00:00:06Z 2026-01-01T00:00:06Z
2 after 9.0 2026-01-01T00:00:08Z 2026-01-01T00:00:02Z`},
		{name: "left join gives rows before the first version", kind: operators.LeftJoin, in: versions, late: 2, want: `
1 early null 2026-01-01T00:00:00Z null
1 timeless null null null
1 same 0.5 2026-01-01T00:00:01Z 2026-01-01T00:00:01Z
1 between 0.5 2026-01-01T00:00:03Z 2026-01-01T00:00:01Z
3 unknown null 2026-01-01T00:00:03Z null
null keyless null 2026-01-01T00:00:03Z null
---
1 last 3.5 2026-01-01T00:00:06Z 2026-01-01T00:00:06Z
2 after 9.0 2026-01-01T00:00:08Z 2026-01-01T00:00:02Z`},
		{name: "a condition is asked of the version that holds, not of others", kind: operators.LeftJoin, residual: "b > k", in: versions, late: 2, want: `
1 early null 2026-01-01T00:00:00Z null
1 timeless null null null
1 same null 2026-01-01T00:00:01Z null
1 between null 2026-01-01T00:00:03Z null
3 unknown null 2026-01-01T00:00:03Z null
null keyless null 2026-01-01T00:00:03Z null
---
1 last 3.5 2026-01-01T00:00:06Z 2026-01-01T00:00:06Z
2 after 9.0 2026-01-01T00:00:08Z 2026-01-01T00:00:02Z`},
	}
	for _, tt := range tests {
		tt.asOf = true
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}

// TestAsOfEqualsNestedLoopsOverRandomRows compares the operator, in all configurations, with every version looked at.
func TestAsOfEqualsNestedLoopsOverRandomRows(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	for range 4 {
		c := joinCase{asOf: true, kind: operators.JoinKind(random.IntN(2))}
		if random.IntN(2) == 0 {
			c.residual = "b > k"
		}
		rows, script := randomJoinRows(random)
		c.in = script
		c.want, c.late = latestVersions(&c, rows)
		t.Run(fmt.Sprintf("%s join, residual %q", c.kind, c.residual), func(t *testing.T) { c.run(t) })
	}
}

func latestVersions(c *joinCase, rows [2][]*joinRow) (want string, late int) {
	var lines []string
	for _, of := range rows {
		for _, r := range of {
			if r.isLate {
				late++
			}
		}
	}
	for _, l := range rows[0] {
		if l.isLate {
			continue
		}
		var found *joinRow
		for _, r := range rows[1] {
			if r.isLate || r.at < 0 || l.at < r.at || l.k < 0 || l.k != r.k {
				continue
			}
			if found == nil || r.at >= found.at { // splits of the harness have equal keys
				found = r
			}
		}
		switch {
		case found != nil && (c.residual == "" || found.value > l.k):
			lines = append(lines, fmt.Sprintf("%d a%d %d.0 %s %s", l.k, l.value, found.value, l.time(), found.time()))
		case c.kind == operators.LeftJoin:
			lines = append(lines, fmt.Sprintf("%s a%d null %s null", l.key(), l.value, l.time()))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), late
}
