package operators_test

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

var joinInputs = []*arrow.Schema{
	optest.MustSchema("at TIMESTAMP event, k BIGINT, a TEXT"), optest.MustSchema("at TIMESTAMP event, k BIGINT, b DOUBLE"),
}

// joinCase is a join of joinInputs on k, whose rows come out as k, a, b, left at, right at, of left columns alone where the kind
// has only these.
type joinCase struct {
	name     string
	kind     operators.JoinKind
	within   *operators.JoinTime
	residual string // "" or b > k
	in, want string
	late     int
}

// within returns bounds in seconds of left at - right at.
func within(lower, upper int) *operators.JoinTime {
	return &operators.JoinTime{
		Lower: time.Duration(lower) * time.Second, Upper: time.Duration(upper) * time.Second, HasLower: true, HasUpper: true,
	}
}

func (c *joinCase) spec() *operators.JoinSpec {
	s := &operators.JoinSpec{
		Kind: c.kind, Inputs: [2]*arrow.Schema{joinInputs[0], joinInputs[1]}, Time: c.within,
		LeftKeys: []*expr.Spec{expr.Column(joinInputs[0], 1)}, RightKeys: []*expr.Spec{expr.Column(joinInputs[1], 1)},
		Output: []int{1, 2, 5, 0, 3},
	}
	if c.kind == operators.SemiJoin || c.kind == operators.AntiJoin {
		s.Output = []int{1, 2, 0}
	}
	if c.residual != "" {
		both := arrow.NewSchema(append(joinInputs[0].Fields(), joinInputs[1].Fields()...), nil)
		s.Residual = mustCall(">", expr.Column(both, 5), mustCast(expr.Column(both, 1), batch.Double))
	}
	return s
}

func mustCall(name string, args ...*expr.Spec) *expr.Spec {
	s, err := expr.Call(name, args...)
	if err != nil {
		panic(err)
	}
	return s
}

func mustCast(e *expr.Spec, t arrow.DataType) *expr.Spec {
	s, err := expr.Cast(e, t)
	if err != nil {
		panic(err)
	}
	return s
}

const twoSides = `
# input 0 split 0
2026-01-01T00:00:01Z 1 a1
2026-01-01T00:00:02Z 2 a2
2026-01-01T00:00:03Z 1 a3
2026-01-01T00:00:04Z null anull
null 1 atimeless
# input 1 split 1
2026-01-01T00:00:02Z 1 0.5
2026-01-01T00:00:02Z 3 9
---
# input 1 split 1
2026-01-01T00:00:03Z 1 1.5
2026-01-01T00:00:10Z 2 5
2026-01-01T00:00:10Z null 6
# input 0 split 0
2026-01-01T00:00:09Z 2 a4
2026-01-01T00:00:30Z 7 a5
2026-01-01T00:00:01Z 1 alate
---
# input 1 split 1
2026-01-01T00:00:30Z 8 8
2026-01-01T00:00:09Z 2 7
---
`

func TestJoinGivesEachPairOnceAndOuterRowsWhenNothingCanMatchThem(t *testing.T) {
	tests := []joinCase{
		{name: "inner join of rows two seconds apart at most", kind: operators.InnerJoin, within: within(-2, 2), in: twoSides, late: 2, want: `
1 a1 0.5 2026-01-01T00:00:01Z 2026-01-01T00:00:02Z
1 a1 1.5 2026-01-01T00:00:01Z 2026-01-01T00:00:03Z
1 a3 0.5 2026-01-01T00:00:03Z 2026-01-01T00:00:02Z
1 a3 1.5 2026-01-01T00:00:03Z 2026-01-01T00:00:03Z
2 a4 5.0 2026-01-01T00:00:09Z 2026-01-01T00:00:10Z`},
		{name: "left join, in which rows without key or time come out at once", kind: operators.LeftJoin, within: within(-2, 2), in: twoSides, late: 2, want: `
1 a1 0.5 2026-01-01T00:00:01Z 2026-01-01T00:00:02Z
1 a1 1.5 2026-01-01T00:00:01Z 2026-01-01T00:00:03Z
1 a3 0.5 2026-01-01T00:00:03Z 2026-01-01T00:00:02Z
1 a3 1.5 2026-01-01T00:00:03Z 2026-01-01T00:00:03Z
1 atimeless null null null
2 a2 null 2026-01-01T00:00:02Z null
2 a4 5.0 2026-01-01T00:00:09Z 2026-01-01T00:00:10Z
null anull null 2026-01-01T00:00:04Z null`},
		{name: "right join", kind: operators.RightJoin, within: within(-2, 2), in: twoSides, late: 2, want: `
1 a1 0.5 2026-01-01T00:00:01Z 2026-01-01T00:00:02Z
1 a1 1.5 2026-01-01T00:00:01Z 2026-01-01T00:00:03Z
1 a3 0.5 2026-01-01T00:00:03Z 2026-01-01T00:00:02Z
1 a3 1.5 2026-01-01T00:00:03Z 2026-01-01T00:00:03Z
2 a4 5.0 2026-01-01T00:00:09Z 2026-01-01T00:00:10Z
null null 6.0 null 2026-01-01T00:00:10Z
null null 9.0 null 2026-01-01T00:00:02Z`},
		{name: "full join", kind: operators.FullJoin, within: within(-2, 2), in: twoSides, late: 2, want: `
1 a1 0.5 2026-01-01T00:00:01Z 2026-01-01T00:00:02Z
1 a1 1.5 2026-01-01T00:00:01Z 2026-01-01T00:00:03Z
1 a3 0.5 2026-01-01T00:00:03Z 2026-01-01T00:00:02Z
1 a3 1.5 2026-01-01T00:00:03Z 2026-01-01T00:00:03Z
1 atimeless null null null
2 a2 null 2026-01-01T00:00:02Z null
2 a4 5.0 2026-01-01T00:00:09Z 2026-01-01T00:00:10Z
null anull null 2026-01-01T00:00:04Z null
null null 6.0 null 2026-01-01T00:00:10Z
null null 9.0 null 2026-01-01T00:00:02Z`},
		{name: "semi join gives each left row once", kind: operators.SemiJoin, within: within(-2, 2), in: twoSides, late: 2, want: `
1 a1 2026-01-01T00:00:01Z
1 a3 2026-01-01T00:00:03Z
2 a4 2026-01-01T00:00:09Z`},
		{name: "anti join", kind: operators.AntiJoin, within: within(-2, 2), in: twoSides, late: 2, want: `
1 atimeless null
2 a2 2026-01-01T00:00:02Z
null anull 2026-01-01T00:00:04Z`},
		{name: "Inner join with a residual", kind: operators.InnerJoin, within: within(-2, 2), residual: "b > k", in: twoSides, late: 2, want: `
1 a1 1.5 2026-01-01T00:00:01Z 2026-01-01T00:00:03Z
1 a3 1.5 2026-01-01T00:00:03Z 2026-01-01T00:00:03Z
2 a4 5.0 2026-01-01T00:00:09Z 2026-01-01T00:00:10Z`},
		{name: "Full join with a residual", kind: operators.FullJoin, within: within(-2, 2), residual: "b > k", in: twoSides, late: 2, want: `
1 a1 1.5 2026-01-01T00:00:01Z 2026-01-01T00:00:03Z
1 a3 1.5 2026-01-01T00:00:03Z 2026-01-01T00:00:03Z
1 atimeless null null null
2 a2 null 2026-01-01T00:00:02Z null
2 a4 5.0 2026-01-01T00:00:09Z 2026-01-01T00:00:10Z
null anull null 2026-01-01T00:00:04Z null
null null 0.5 null 2026-01-01T00:00:02Z
null null 6.0 null 2026-01-01T00:00:10Z
null null 9.0 null 2026-01-01T00:00:02Z`},
		{name: "Semi join with a residual", kind: operators.SemiJoin, within: within(-2, 2), residual: "b > k", in: twoSides, late: 2, want: `
1 a1 2026-01-01T00:00:01Z
1 a3 2026-01-01T00:00:03Z
2 a4 2026-01-01T00:00:09Z`},
		{name: "Anti join with a residual", kind: operators.AntiJoin, within: within(-2, 2), residual: "b > k", in: twoSides, late: 2, want: `
1 atimeless null
2 a2 2026-01-01T00:00:02Z
null anull 2026-01-01T00:00:04Z`},
		{name: "Inner join without bounds, in which no row is late", kind: operators.InnerJoin, in: twoSides, want: `
1 a1 0.5 2026-01-01T00:00:01Z 2026-01-01T00:00:02Z
1 a1 1.5 2026-01-01T00:00:01Z 2026-01-01T00:00:03Z
1 a3 0.5 2026-01-01T00:00:03Z 2026-01-01T00:00:02Z
1 a3 1.5 2026-01-01T00:00:03Z 2026-01-01T00:00:03Z
1 alate 0.5 2026-01-01T00:00:01Z 2026-01-01T00:00:02Z
1 alate 1.5 2026-01-01T00:00:01Z 2026-01-01T00:00:03Z
1 atimeless 0.5 null 2026-01-01T00:00:02Z
1 atimeless 1.5 null 2026-01-01T00:00:03Z
2 a2 5.0 2026-01-01T00:00:02Z 2026-01-01T00:00:10Z
2 a2 7.0 2026-01-01T00:00:02Z 2026-01-01T00:00:09Z
2 a4 5.0 2026-01-01T00:00:09Z 2026-01-01T00:00:10Z
2 a4 7.0 2026-01-01T00:00:09Z 2026-01-01T00:00:09Z`},
		{name: "Left join with a lower bound alone", kind: operators.LeftJoin, within: &operators.JoinTime{HasLower: true}, in: twoSides, late: 2, want: `
1 a1 null 2026-01-01T00:00:01Z null
1 a3 0.5 2026-01-01T00:00:03Z 2026-01-01T00:00:02Z
1 a3 1.5 2026-01-01T00:00:03Z 2026-01-01T00:00:03Z
1 atimeless null null null
2 a2 null 2026-01-01T00:00:02Z null
2 a4 null 2026-01-01T00:00:09Z null
null anull null 2026-01-01T00:00:04Z null`},
		{name: "Right join with an upper bound alone", kind: operators.RightJoin, within: &operators.JoinTime{Upper: time.Second, HasUpper: true}, in: twoSides, late: 2, want: `
1 a1 0.5 2026-01-01T00:00:01Z 2026-01-01T00:00:02Z
1 a1 1.5 2026-01-01T00:00:01Z 2026-01-01T00:00:03Z
1 a3 0.5 2026-01-01T00:00:03Z 2026-01-01T00:00:02Z
1 a3 1.5 2026-01-01T00:00:03Z 2026-01-01T00:00:03Z
2 a2 5.0 2026-01-01T00:00:02Z 2026-01-01T00:00:10Z
2 a4 5.0 2026-01-01T00:00:09Z 2026-01-01T00:00:10Z
null null 6.0 null 2026-01-01T00:00:10Z
null null 9.0 null 2026-01-01T00:00:02Z`},
		{name: "Rows of ended inputs come out at once", kind: operators.FullJoin, within: within(0, 0), in: "# input 0 split 0\n2026-01-01T00:00:01Z 1 a\n# split 0 ends\n# input 1 split 1\n2026-01-01T00:00:05Z 2 1\n---\n# input 1 split 1\n2026-01-01T00:00:01Z 1 1\n---", late: 1, want: `
1 a null 2026-01-01T00:00:01Z null
null null 1.0 null 2026-01-01T00:00:05Z`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}

func (c *joinCase) run(t *testing.T) {
	t.Helper()
	spec := c.spec()
	optest.Run(t, optest.Case{
		New: func(env operators.Env) (operators.Operator, error) {
			return operators.NewJoin("test.join", spec, spec.Schema(), env)
		},
		Schemas: joinInputs, EventTime: []int{0, 0}, In: c.in, Want: c.want, WantLate: c.late, Unordered: true,
	})
}
