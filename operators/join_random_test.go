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

// joinRow is a row of joinInputs: at in seconds, -1 for NULL, and k, -1 for NULL.
type joinRow struct {
	at, k  int
	value  int // a or b
	isLate bool
	line   string
}

func (r *joinRow) time() string {
	if r.at < 0 {
		return "null"
	}
	return time.Date(2026, 1, 1, 0, 0, r.at, 0, time.UTC).Format(time.RFC3339)
}

func (r *joinRow) key() string {
	if r.k < 0 {
		return "null"
	}
	return fmt.Sprint(r.k)
}

// TestJoinEqualsNestedLoopsOverRandomRows compares the operator, in all configurations, with every pair looked at.
func TestJoinEqualsNestedLoopsOverRandomRows(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	for range 3 {
		c := joinCase{kind: operators.JoinKind(random.IntN(6))}
		lower := random.IntN(7) - 4
		c.within = within(lower, lower+random.IntN(6))
		if random.IntN(2) == 0 {
			c.residual = "b > k"
		}
		rows, script := randomJoinRows(random)
		c.in = script
		c.name = fmt.Sprintf("%s join within %s and %s, residual %q", c.kind, c.within.Lower, c.within.Upper, c.residual)
		c.want, c.late = nestedLoops(&c, rows)
		t.Run(c.name, func(t *testing.T) { c.run(t) })
	}
}

// randomJoinRows makes rows of both inputs, each with two splits, and the script of them.
func randomJoinRows(random *rand.Rand) (rows [2][]*joinRow, script string) {
	var text strings.Builder
	largest := [4]int{-1, -1, -1, -1}
	now := 0
	for i := range 26 {
		now += random.IntN(3)
		split := random.IntN(4)
		r := &joinRow{at: max(0, now-random.IntN(4)), k: random.IntN(3), value: random.IntN(5)}
		switch random.IntN(12) {
		case 0:
			r.at = -1
		case 1:
			r.k = -1
		}
		r.isLate = r.at >= 0 && r.at < largest[split]
		largest[split] = max(largest[split], r.at)
		value := fmt.Sprintf("a%d", r.value)
		if split >= 2 {
			value = fmt.Sprintf("%d.0", r.value)
		}
		r.line = r.time() + " " + r.key() + " " + value
		rows[split/2] = append(rows[split/2], r)
		fmt.Fprintf(&text, "# input %d split %d\n%s\n", split/2, split, r.line)
		if i%5 == 4 {
			text.WriteString("---\n")
		}
	}
	return rows, text.String() + "# split 0 ends\n"
}

func nestedLoops(c *joinCase, rows [2][]*joinRow) (want string, late int) {
	var lines []string
	matched := make(map[*joinRow]bool)
	leftOnly := c.kind == operators.SemiJoin || c.kind == operators.AntiJoin
	for _, l := range rows[0] {
		for _, r := range rows[1] {
			apart := time.Duration(l.at-r.at) * time.Second
			if l.isLate || r.isLate || l.k < 0 || l.k != r.k || l.at < 0 || r.at < 0 || apart < c.within.Lower || apart > c.within.Upper ||
				c.residual != "" && r.value <= l.k {
				continue
			}
			matched[l], matched[r] = true, true
			if !leftOnly {
				lines = append(lines, fmt.Sprintf("%d a%d %d.0 %s %s", l.k, l.value, r.value, l.time(), r.time()))
			}
		}
	}
	for side, of := range rows {
		for _, r := range of {
			if r.isLate {
				late++
				continue
			}
			switch {
			case leftOnly && side == 0 && matched[r] == (c.kind == operators.SemiJoin):
				lines = append(lines, fmt.Sprintf("%s a%d %s", r.key(), r.value, r.time()))
			case leftOnly || matched[r]:
			case side == 0 && (c.kind == operators.LeftJoin || c.kind == operators.FullJoin):
				lines = append(lines, fmt.Sprintf("%s a%d null %s null", r.key(), r.value, r.time()))
			case side == 1 && (c.kind == operators.RightJoin || c.kind == operators.FullJoin):
				lines = append(lines, fmt.Sprintf("null null %d.0 null %s", r.value, r.time()))
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), late
}
