package operators

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// intSum is sum(BIGINT) and avg(BIGINT), exact in 128 bits: 2^63 rows of any value fit.
type intSum struct {
	mem   memory.Allocator
	isAvg bool
	low   []uint64
	high  []int64
	n     []int64 // values that are not NULL

	valid validRows
}

var _ accumulator = (*intSum)(nil)

func (s *intSum) grow(n int) {
	s.low, s.high, s.n = growZero(s.mem, s.low, n), growZero(s.mem, s.high, n), growZero(s.mem, s.n, n)
}

func (s *intSum) add(arg arrow.Array, rows, groups []int32) {
	rows, groups = s.valid.of(arg, rows, groups)
	values := batch.Int64s(arg)
	low, high, n := s.low, s.high, s.n
	if rows == nil {
		for k, v := range values[:len(groups)] {
			g := groups[k]
			sum, carry := bits.Add64(low[g], uint64(v), 0)
			low[g] = sum
			high[g] += v>>63 + int64(carry)
			n[g]++
		}
		return
	}
	for k, g := range groups {
		v := values[rows[k]]
		sum, carry := bits.Add64(low[g], uint64(v), 0)
		low[g] = sum
		high[g] += v>>63 + int64(carry)
		n[g]++
	}
}

func (s *intSum) merge(src accumulator, ids, groups []int32) {
	from := src.(*intSum)
	for k, id := range ids {
		g := groups[k]
		sum, carry := bits.Add64(s.low[g], from.low[id], 0)
		s.low[g] = sum
		s.high[g] += from.high[id] + int64(carry)
		s.n[g] += from.n[id]
	}
}

func (s *intSum) subtract(src accumulator, ids, groups []int32) {
	from := src.(*intSum)
	for k, id := range ids {
		g := groups[k]
		rest, borrow := bits.Sub64(s.low[g], from.low[id], 0)
		s.low[g] = rest
		s.high[g] -= from.high[id] + int64(borrow)
		s.n[g] -= from.n[id]
	}
}

func (s *intSum) canSubtract() bool { return true }

func (s *intSum) canFail() bool { return !s.isAvg }

// fits says whether the sum is a BIGINT: the upper half repeats the sign of the lower one.
func (s *intSum) fits(id int32) bool { return s.high[id] == int64(s.low[id])>>63 }

func (s *intSum) fault(id int32) string {
	if s.isAvg || s.fits(id) {
		return ""
	}
	sum := big.NewInt(s.high[id])
	sum.Lsh(sum, 64).Add(sum, new(big.Int).SetUint64(s.low[id]))
	return fmt.Sprintf("sum: BIGINT overflow: %s", sum)
}

func (s *intSum) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		switch {
		case s.n[id] == 0:
			col.AppendNull()
		case !s.isAvg:
			col.AppendInt64(int64(s.low[id]))
		case s.fits(id):
			col.AppendFloat64(float64(int64(s.low[id])) / float64(s.n[id]))
		default:
			col.AppendFloat64((math.Ldexp(float64(s.high[id]), 64) + float64(s.low[id])) / float64(s.n[id]))
		}
	}
}

func (s *intSum) state() []arrow.Field {
	return []arrow.Field{{Name: "low", Type: batch.BigInt}, {Name: "high", Type: batch.BigInt}, {Name: "count", Type: batch.BigInt}}
}

func (s *intSum) save(cols []*batch.Column, ids []int32) {
	for _, id := range ids {
		cols[0].AppendInt64(int64(s.low[id]))
		cols[1].AppendInt64(s.high[id])
		cols[2].AppendInt64(s.n[id])
	}
}

func (s *intSum) load(cols []arrow.Array, rows, groups []int32) {
	low, high, n := batch.Int64s(cols[0]), batch.Int64s(cols[1]), batch.Int64s(cols[2])
	for k, g := range groups {
		i := rowOf(rows, k)
		s.low[g], s.high[g], s.n[g] = uint64(low[i]), high[i], n[i]
	}
}

func (s *intSum) reset() {
	s.low, s.high, s.n = shrink(s.mem, s.low), shrink(s.mem, s.high), shrink(s.mem, s.n)
}

func (s *intSum) close() {
	batch.FreeSlice(s.mem, s.low)
	batch.FreeSlice(s.mem, s.high)
	batch.FreeSlice(s.mem, s.n)
	s.low, s.high, s.n = nil, nil, nil
}

// doubleSum is sum(DOUBLE) and avg(DOUBLE) by Kahan-Babuska summation (Neumaier 1974). Values that are not finite are counted
// aside: they would make NaN of the compensation.
type doubleSum struct {
	mem    memory.Allocator
	isAvg  bool
	sum    []float64
	rest   []float64 // what rounding took from sum
	n      []int64   // values that are not NULL
	others []int64   // per group, the number of NaN, +Inf and -Inf among them; empty as long as there is none

	valid validRows
}

const (
	nanAt = iota
	plusInfAt
	minusInfAt
	othersPerGroup
)

var _ accumulator = (*doubleSum)(nil)

func (s *doubleSum) grow(n int) {
	s.sum, s.rest, s.n = growZero(s.mem, s.sum, n), growZero(s.mem, s.rest, n), growZero(s.mem, s.n, n)
	if len(s.others) > 0 {
		s.others = growZero(s.mem, s.others, othersPerGroup*n)
	}
}

func (s *doubleSum) add(arg arrow.Array, rows, groups []int32) {
	rows, groups = s.valid.of(arg, rows, groups)
	values := arg.(*array.Float64).Float64Values()
	for k, g := range groups {
		v := values[rowOf(rows, k)]
		s.n[g]++
		if v-v != 0 {
			s.addOther(v, g)
			continue
		}
		s.addFinite(v, g)
	}
}

func (s *doubleSum) addFinite(v float64, g int32) {
	old := s.sum[g]
	sum := old + v
	if math.Abs(old) >= math.Abs(v) {
		s.rest[g] += (old - sum) + v
	} else {
		s.rest[g] += (v - sum) + old
	}
	s.sum[g] = sum
}

func (s *doubleSum) addOther(v float64, g int32) {
	s.needOthers()
	at := nanAt
	if v > 0 {
		at = plusInfAt
	} else if v < 0 {
		at = minusInfAt
	}
	s.others[othersPerGroup*int(g)+at]++
}

func (s *doubleSum) needOthers() { s.others = growZero(s.mem, s.others, othersPerGroup*len(s.n)) }

func (s *doubleSum) merge(src accumulator, ids, groups []int32) {
	from := src.(*doubleSum)
	for k, id := range ids {
		g := groups[k]
		s.addFinite(from.sum[id], g)
		s.rest[g] += from.rest[id]
		s.n[g] += from.n[id]
	}
	if len(from.others) == 0 {
		return
	}
	s.needOthers()
	for k, id := range ids {
		for at := range othersPerGroup {
			s.others[othersPerGroup*int(groups[k])+at] += from.others[othersPerGroup*int(id)+at]
		}
	}
}

// subtract is never called: what rounding took from the sum of a pane that leaves does not come back.
func (s *doubleSum) subtract(accumulator, []int32, []int32) {}

func (s *doubleSum) canSubtract() bool { return false }

func (s *doubleSum) canFail() bool { return false }

func (s *doubleSum) fault(int32) string { return "" }

func (s *doubleSum) total(id int32) float64 {
	if len(s.others) > 0 {
		o := s.others[othersPerGroup*int(id):]
		switch {
		case o[nanAt] > 0, o[plusInfAt] > 0 && o[minusInfAt] > 0:
			return math.NaN()
		case o[plusInfAt] > 0:
			return math.Inf(1)
		case o[minusInfAt] > 0:
			return math.Inf(-1)
		}
	}
	if sum := s.sum[id]; sum-sum != 0 { // finite values whose sum is not: the compensation means nothing
		return sum
	}
	return s.sum[id] + s.rest[id]
}

func (s *doubleSum) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		switch {
		case s.n[id] == 0:
			col.AppendNull()
		case s.isAvg:
			col.AppendFloat64(s.total(id) / float64(s.n[id]))
		default:
			col.AppendFloat64(s.total(id))
		}
	}
}

func (s *doubleSum) state() []arrow.Field {
	return []arrow.Field{
		{Name: "sum", Type: batch.Double},
		{Name: "compensation", Type: batch.Double},
		{Name: "count", Type: batch.BigInt},
		{Name: "nan", Type: batch.BigInt},
		{Name: "plus_infinity", Type: batch.BigInt},
		{Name: "minus_infinity", Type: batch.BigInt},
	}
}

func (s *doubleSum) save(cols []*batch.Column, ids []int32) {
	for _, id := range ids {
		cols[0].AppendFloat64(s.sum[id])
		cols[1].AppendFloat64(s.rest[id])
		cols[2].AppendInt64(s.n[id])
		for at := range othersPerGroup {
			v := int64(0)
			if len(s.others) > 0 {
				v = s.others[othersPerGroup*int(id)+at]
			}
			cols[3+at].AppendInt64(v)
		}
	}
}

func (s *doubleSum) load(cols []arrow.Array, rows, groups []int32) {
	sum, rest := cols[0].(*array.Float64).Float64Values(), cols[1].(*array.Float64).Float64Values()
	n := batch.Int64s(cols[2])
	for k, g := range groups {
		i := rowOf(rows, k)
		s.sum[g], s.rest[g], s.n[g] = sum[i], rest[i], n[i]
	}
	for at := range othersPerGroup {
		values := batch.Int64s(cols[3+at])
		for k, g := range groups {
			if v := values[rowOf(rows, k)]; v != 0 || len(s.others) > 0 {
				s.needOthers()
				s.others[othersPerGroup*int(g)+at] = v
			}
		}
	}
}

func (s *doubleSum) reset() {
	s.sum, s.rest, s.n = shrink(s.mem, s.sum), shrink(s.mem, s.rest), shrink(s.mem, s.n)
	s.others = shrink(s.mem, s.others)
}

func (s *doubleSum) close() {
	batch.FreeSlice(s.mem, s.sum)
	batch.FreeSlice(s.mem, s.rest)
	batch.FreeSlice(s.mem, s.n)
	batch.FreeSlice(s.mem, s.others)
	s.sum, s.rest, s.n, s.others = nil, nil, nil, nil
}
