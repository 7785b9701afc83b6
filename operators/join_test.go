package operators_test

import (
	"fmt"
	"strings"
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
	asOf     bool   // instead of within
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
	if c.asOf {
		s.AsOf, s.Time = true, &operators.JoinTime{}
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
			return operators.Build(&operators.Node{Name: "test.join", Spec: spec, Schema: spec.Schema()}, env)
		},
		Schemas: joinInputs, EventTime: []int{0, 0}, In: c.in, Want: c.want, WantLate: c.late, Unordered: true,
	})
}

func TestJoinPerIntervalMatchesRowsOfTheSameIntervalOnly(t *testing.T) {
	in := `
# input 0 split 0
2026-01-01T00:00:01Z 1 a1
2026-01-01T00:00:02Z 2 a2
# input 1 split 1
2026-01-01T00:00:09Z 1 1.5
---
# input 0 split 0
null 1 a3
2026-01-01T00:00:01Z null a4
# input 1 split 1
2026-01-01T00:00:01Z 2 2.5
---
# input 1 split 1
2026-01-01T00:00:01Z 1 3.5
---`
	for _, tt := range []struct {
		name, want string
		kind       operators.JoinKind
	}{
		{name: "inner join", kind: operators.InnerJoin, want: "1 a1 1.5 2026-01-01T00:00:01Z 2026-01-01T00:00:09Z\n---\n---"},
		{name: "full join", kind: operators.FullJoin, want: `
1 a1 1.5 2026-01-01T00:00:01Z 2026-01-01T00:00:09Z
2 a2 null 2026-01-01T00:00:02Z null
---
1 a3 null null null
null a4 null 2026-01-01T00:00:01Z null
null null 2.5 null 2026-01-01T00:00:01Z
---
null null 3.5 null 2026-01-01T00:00:01Z`},
		{name: "semi join", kind: operators.SemiJoin, want: "1 a1 2026-01-01T00:00:01Z\n---\n---"},
		{name: "anti join", kind: operators.AntiJoin, want: `
2 a2 2026-01-01T00:00:02Z
---
1 a3 null
null a4 2026-01-01T00:00:01Z
---`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := (&joinCase{kind: tt.kind}).spec()
			spec.PerInterval = true
			optest.Run(t, optest.Case{
				New: func(env operators.Env) (operators.Operator, error) {
					return operators.NewJoin("", spec, spec.Schema(), env)
				},
				Schemas: joinInputs, EventTime: []int{0, 0}, In: in, Want: tt.want, Unordered: true,
				Skip: map[optest.Axis]string{optest.AxisIntervals: "which rows match depends on intervals"},
			})
		})
	}
}

func TestJoinRefusesWhatItCannotDo(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		change     func(*operators.JoinSpec)
	}{
		{name: "no keys", want: "a join needs keys", change: func(s *operators.JoinSpec) { s.LeftKeys, s.RightKeys = nil, nil }},
		{name: "keys of two types", want: "cannot join on k = b: BIGINT and DOUBLE", change: func(s *operators.JoinSpec) {
			s.RightKeys = []*expr.Spec{expr.Column(joinInputs[1], 2)}
		}},
		{name: "an outer join without bounds", want: "a left outer join needs a bound", change: func(s *operators.JoinSpec) { s.Kind = operators.LeftJoin }},
		{name: "a right join with a lower bound alone", want: "a right outer join needs a bound", change: func(s *operators.JoinSpec) {
			s.Kind, s.Time = operators.RightJoin, &operators.JoinTime{HasLower: true}
		}},
		{name: "bounds of times within an interval", want: "not both", change: func(s *operators.JoinSpec) { s.PerInterval, s.Time = true, within(0, 0) }},
		{name: "bounds that are no microseconds", want: "whole microseconds", change: func(s *operators.JoinSpec) {
			s.Time = &operators.JoinTime{Lower: 1, HasLower: true}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := (&joinCase{}).spec()
			tt.change(spec)
			_, err := operators.NewJoin("test.join", spec, spec.Schema(), operators.Env{Mem: batch.NewPool(0)})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error: want one with %q, got %v", tt.want, err)
			}
		})
	}
}

// TestJoinForgetsRowsAndKeysThatNothingCanMatch runs long enough that rows and keys move together several times.
func TestJoinForgetsRowsAndKeysThatNothingCanMatch(t *testing.T) {
	c := joinCase{kind: operators.FullJoin, within: within(-1, 1)}
	spec := c.spec()
	pool := batch.NewPool(0)
	op, err := operators.NewJoin("test.join", spec, spec.Schema(), operators.Env{Mem: pool})
	if err != nil {
		t.Fatal(err)
	}
	const perInterval, intervals = 3000, 40
	pairs, alone := 0, 0
	emit := func(b batch.Batch) error {
		times := b.Rows.Column(3)
		for i := range b.NumLive() {
			if times.IsNull(i) || b.Rows.Column(4).IsNull(i) {
				alone++
			} else {
				pairs++
			}
		}
		return nil
	}
	var peak int64
	ctx := t.Context()
	for iv := range intervals {
		if err := op.BeginInterval(batch.Interval{ID: uint64(iv + 1)}); err != nil {
			t.Fatal(err)
		}
		for side, schema := range joinInputs {
			f := batch.NewFrame(pool, schema)
			for i := range perInterval {
				f.Columns[0].AppendInt64(int64(iv) * 1_000_000)
				f.Columns[1].AppendInt64(int64(iv*perInterval + i*(side+1))) // every second key of the left side is on the right
				if side == 0 {
					f.Columns[2].AppendString("text")
				} else {
					f.Columns[2].AppendFloat64(1)
				}
			}
			f.SetRows(perInterval)
			if err := op.Process(ctx, side, batch.Batch{Rows: f.Rows(), Origin: batch.Origin{Watermark: batch.MinTime}}, emit); err != nil {
				t.Fatal(err)
			}
			f.Release()
		}
		mark := batch.Time(iv) * 1_000_000
		out, err := op.EndInterval(ctx, []batch.Time{mark, mark}, emit)
		if err != nil || out != mark-1_000_000 {
			t.Fatalf("watermark: want %s, got %s, error %v", mark-1_000_000, out, err)
		}
		if iv > 5 {
			peak = max(peak, op.(operators.Stateful).Stats().Bytes)
		}
	}
	stats := op.(operators.Stateful).Stats()
	if want := int64(2 * 2 * perInterval); stats.Rows != want || stats.Rows+stats.Retired != 2*perInterval*intervals {
		t.Errorf("rows: want %d held of %d, got %d held, %d retired", want, 2*perInterval*intervals, stats.Rows, stats.Retired)
	}
	if limit := int64(8 << 20); peak > limit {
		t.Errorf("state takes up to %d bytes, want less than %d", peak, limit)
	}
	if _, err := op.EndInterval(ctx, []batch.Time{batch.MaxTime, batch.MaxTime}, emit); err != nil {
		t.Fatal(err)
	}
	// A right row matches the left row of its key, in the same interval or the next; odd left rows match nothing.
	wantPairs, wantAlone := perInterval*intervals-perInterval/2, perInterval*intervals/2+perInterval/2
	if pairs != wantPairs || alone != wantAlone {
		t.Errorf("want %d pairs and %d rows alone, got %d and %d", wantPairs, wantAlone, pairs, alone)
	}
	op.Close()
	if used := pool.Used(); used != 0 {
		t.Errorf("%d bytes are still in use", used)
	}
}

func TestJoinsStateOfAnotherPlanIsComparedByWhatItMeans(t *testing.T) {
	tables := func(change func(*operators.JoinSpec)) []operators.StateTable {
		spec := (&joinCase{kind: operators.LeftJoin, within: within(-1, 1)}).spec()
		change(spec)
		return operators.StateTables(&operators.Node{Name: "j", Spec: spec})
	}
	have := tables(func(*operators.JoinSpec) {})
	for _, tt := range []struct {
		name, want string
		change     func(*operators.JoinSpec)
	}{
		{name: "the same join", want: "kept []", change: func(*operators.JoinSpec) {}},
		{name: "without a column", want: "migrated [column column.a is dropped]", change: func(s *operators.JoinSpec) { s.Output = []int{1, 3, 5} }},
		{name: "other bounds", want: "refused [it is the state of the left side of a left outer join on k = k within at - at >= -1 s <= 1 s, " +
			"this job has the left side of a left outer join on k = k within at - at >= -2 s <= 1 s here]", change: func(s *operators.JoinSpec) { s.Time = within(-2, 1) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := tables(tt.change)
			c := operators.CompareState(&have[0], &want[0])
			if got := fmt.Sprint(c.Fate, " ", c.Why); got != tt.want {
				t.Errorf("want %s\ngot  %s", tt.want, got)
			}
			if tt.name == "without a column" {
				if back := operators.CompareState(&want[0], &have[0]); back.Fate != operators.Refused {
					t.Errorf("a column that was never kept: %s", back.Fate)
				}
			}
		})
	}
}
