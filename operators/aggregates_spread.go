package operators

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/operators/expr"
)

// spread is the sum or average, the smallest and the largest value of one DOUBLE column, added together: one visit to the record and
// one look at the value for all three and the number of rows. The accumulators are those that would add the column one after the
// other, and do so where it has NULLs; they get the same either way.
type spread struct {
	arg       int // index of an aggregate whose argument is the column
	sum       *doubleSum
	low, high *extreme
}

// findSpread returns the spread that aggs have, if they have one.
func findSpread(aggs []AggSpec, accs []accumulator) (s spread, ok bool) {
	for i, a := range aggs {
		if s.sum, ok = accs[i].(*doubleSum); !ok || a.Arg.Kind != expr.ColumnKind {
			continue
		}
		s.arg, s.low, s.high = i, nil, nil
		for k, other := range aggs {
			e, isExtreme := accs[k].(*extreme)
			switch {
			case !isExtreme || other.Arg.Kind != expr.ColumnKind || other.Arg.Column != a.Arg.Column:
			case e.isMax:
				s.high = e
			default:
				s.low = e
			}
		}
		if s.low != nil && s.high != nil {
			return s, true
		}
	}
	return s, false
}

// has says whether an accumulator is one of the three.
func (s *spread) has(a accumulator) bool {
	return a == accumulator(s.sum) || a == accumulator(s.low) || a == accumulator(s.high)
}

// add adds rows as the accumulators and records.count do, if it can.
func (s *spread) add(rec *records, arg arrow.Array, rows, groups []int32) bool {
	column, ok := arg.(*array.Float64)
	if !ok || column.NullN() > 0 {
		return false
	}
	values := column.Float64Values()
	words, width := rec.words, rec.width
	sumAt, lowAt, highAt := s.sum.at, s.low.at, s.high.at
	for k, g := range groups {
		v := values[rowOf(rows, k)] + 0 // which makes 0 of -0
		to := words[int(g)*width:][:width]
		to[0]++
		// As orderOf does for all but NaN.
		order := int64(math.Float64bits(v))
		order ^= int64(uint64(order>>63) >> 1)
		if v-v != 0 {
			s.sum.addOther(v, g)
			order = orderOf(v)
		} else {
			// The rounding error of a sum, without asking which of the two is larger (Knuth, TAOCP 2, 4.2.2, theorem B).
			old := math.Float64frombits(uint64(to[sumAt]))
			sum := old + v
			part := sum - old
			rest := math.Float64frombits(uint64(to[sumAt+1])) + ((old - (sum - part)) + (v - part))
			if rest-rest != 0 { // it passed the end of the range on the way
				addFinite(to[sumAt:], v)
			} else {
				to[sumAt], to[sumAt+1] = int64(math.Float64bits(sum)), int64(math.Float64bits(rest))
			}
		}
		if order < to[lowAt]^math.MaxInt64 {
			to[lowAt] = order ^ math.MaxInt64
		}
		if order > to[highAt]^math.MinInt64 {
			to[highAt] = order ^ math.MinInt64
		}
	}
	return true
}
