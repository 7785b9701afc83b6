package sql

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// joinBounds are the bounds of one pair of times, and the conditions that they are made of.
type joinBounds struct {
	time operators.JoinTime
	from []*expr.Spec
}

// rank is the number of bounds.
func (jb *joinBounds) rank() int {
	n := 0
	if jb.time.HasLower {
		n++
	}
	if jb.time.HasUpper {
		n++
	}
	return n
}

// chooseBounds finds, among the conditions, the pair of times with a watermark that is bound on most sides, the first of these;
// nil if there is none. Bounds of other pairs stay conditions.
func (jb *joinBinder) chooseBounds() *joinBounds {
	var pairs []*joinBounds
	for _, s := range jb.conjuncts {
		bound, ok := jb.timeBound(s)
		if !ok {
			continue
		}
		var pair *joinBounds
		for _, p := range pairs {
			if p.time.Left == bound.Left && p.time.Right == bound.Right {
				pair = p
			}
		}
		if pair == nil {
			pair = &joinBounds{time: operators.JoinTime{Left: bound.Left, Right: bound.Right, Arrival: bound.Arrival}}
			pairs = append(pairs, pair)
		}
		t := &pair.time
		if bound.HasLower && (!t.HasLower || bound.Lower > t.Lower) {
			t.Lower, t.HasLower = bound.Lower, true
		}
		if bound.HasUpper && (!t.HasUpper || bound.Upper < t.Upper) {
			t.Upper, t.HasUpper = bound.Upper, true
		}
		pair.from = append(pair.from, s)
	}
	var best *joinBounds
	for _, p := range pairs {
		if best == nil || p.rank() > best.rank() {
			best = p
		}
	}
	return best
}

// timeBound returns what a comparison of a left and a right time, each with intervals added or taken away, says of left - right.
// For example a.t >= b.t - INTERVAL '5 minutes' says that it is -5 minutes or more.
func (jb *joinBinder) timeBound(s *expr.Spec) (operators.JoinTime, bool) {
	var none operators.JoinTime
	if s.Kind != expr.CallKind || len(s.Args) != 2 {
		return none, false
	}
	op := s.Func
	x, xPlus, okX := timeAndShift(s.Args[0])
	y, yPlus, okY := timeAndShift(s.Args[1])
	if !okX || !okY {
		return none, false
	}
	if x >= jb.numLeft {
		x, xPlus, y, yPlus = y, yPlus, x, xPlus
		op = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}[op]
	}
	if x >= jb.numLeft || y < jb.numLeft {
		return none, false
	}
	kind := timeKind(jb.schema.Field(x))
	if kind == "" || kind != timeKind(jb.schema.Field(y)) {
		return none, false
	}
	// x + xPlus op y + yPlus: x - y op yPlus - xPlus.
	d := yPlus - xPlus
	t := operators.JoinTime{Left: x, Right: y - jb.numLeft, Arrival: kind == operators.TimeArrival}
	switch op {
	case ">":
		t.Lower, t.HasLower = d+time.Microsecond, true
	case ">=":
		t.Lower, t.HasLower = d, true
	case "<":
		t.Upper, t.HasUpper = d-time.Microsecond, true
	case "<=":
		t.Upper, t.HasUpper = d, true
	case "=":
		t.Lower, t.Upper, t.HasLower, t.HasUpper = d, d, true, true
	default:
		return none, false
	}
	return t, true
}

// maxShift bounds the intervals of a bound, so that sums of them do not overflow: some 70 years.
const maxShift = time.Duration(1) << 61

// timeAndShift returns the column that s is, with the interval that is added to it.
func timeAndShift(s *expr.Spec) (column int, plus time.Duration, ok bool) {
	if s.Type.ID() != arrow.TIMESTAMP {
		return 0, 0, false
	}
	if s.Kind == expr.ColumnKind {
		return s.Column, 0, true
	}
	if s.Kind != expr.CallKind || len(s.Args) != 2 || s.Func != "+" && s.Func != "-" {
		return 0, 0, false
	}
	of, by := s.Args[0], s.Args[1]
	if of.Type.ID() != arrow.TIMESTAMP {
		of, by = by, of
	}
	by = expr.Fold(by)
	d, isInterval := by.Value.(time.Duration)
	column, plus, ok = timeAndShift(of)
	if !ok || by.Kind != expr.LiteralKind || !isInterval || d%time.Microsecond != 0 {
		return 0, 0, false
	}
	if s.Func == "-" {
		d = -d
	}
	plus += d
	return column, plus, plus < maxShift && plus > -maxShift && d < maxShift && d > -maxShift
}
