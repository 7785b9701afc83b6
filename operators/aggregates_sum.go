package operators

import (
	"fmt"
	"math"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// intSum is sum(BIGINT) and avg(BIGINT), exact in 128 bits: 2^63 rows of any value fit. The record has the sum modulo 2^64 as a
// signed word; how often that passed the end of its range is counted apart, because most sums never do.
//
// The sum of 2^63-1 and 2 is the word -2^63+1 and a turn of 1: 1*2^64 + (-2^63+1).
type intSum struct {
	presence
	at    int
	isAvg bool
	turns []int64 // per group; groups behind its end have none
}

var _ accumulator = (*intSum)(nil)

func (s *intSum) words() int { return 1 }

func (s *intSum) bind(rec *records, at int) { s.rec, s.at = rec, at }

func (s *intSum) grow(int) {}

func (s *intSum) add(arg arrow.Array, rows, groups []int32) {
	rows, groups = s.valid(arg, rows, groups)
	if len(groups) == 0 {
		return
	}
	values := batch.Int64s(arg)
	words, width, at := s.rec.words, s.rec.width, s.at
	for k, g := range groups {
		v, sum := values[rowOf(rows, k)], &words[int(g)*width+at]
		old := *sum
		*sum = old + v
		if (old^*sum)&(v^*sum) < 0 {
			s.turn(g, old)
		}
	}
}

// addCounted is add for values without NULLs, together with records.count: one visit to the record for both.
func (s *intSum) addCounted(values []int64, rows, groups []int32) {
	words, width, at := s.rec.words, s.rec.width, s.at
	if rows == nil {
		values = values[:len(groups)]
		for k, g := range groups {
			v, rec := values[k], words[int(g)*width:]
			old := rec[at]
			rec[0]++
			sum := old + v
			rec[at] = sum
			if (old^sum)&(v^sum) < 0 {
				s.turn(g, old)
			}
		}
		return
	}
	rows = rows[:len(groups)]
	for k, g := range groups {
		v, rec := values[rows[k]], words[int(g)*width:]
		old := rec[at]
		rec[0]++
		sum := old + v
		rec[at] = sum
		if (old^sum)&(v^sum) < 0 {
			s.turn(g, old)
		}
	}
}

// turn notes that the sum of a group passed the end of its range upwards, or, where it was negative before, downwards.
func (s *intSum) turn(g int32, before int64) {
	s.turns = growZero(s.rec.mem, s.turns, s.rec.len())
	s.turns[g] += 1 | before>>63
}

func (s *intSum) merge(src accumulator, ids, groups []int32) {
	from := src.(*intSum)
	words, width, at := s.rec.words, s.rec.width, s.at
	for k, id := range ids {
		v, sum := from.rec.words[int(id)*width+at], &words[int(groups[k])*width+at]
		old := *sum
		*sum = old + v
		if (old^*sum)&(v^*sum) < 0 {
			s.turn(groups[k], old)
		}
	}
	s.presence.merge(&from.presence, ids, groups)
	if len(from.turns) > 0 {
		s.turns = growZero(s.rec.mem, s.turns, s.rec.len())
	}
	for k, id := range ids {
		if int(id) >= len(from.turns) {
			continue
		}
		s.turns[groups[k]] += from.turns[id]
	}
}

func (s *intSum) subtract(src accumulator, ids, groups []int32) {
	from := src.(*intSum)
	words, width, at := s.rec.words, s.rec.width, s.at
	for k, id := range ids {
		v, sum := from.rec.words[int(id)*width+at], &words[int(groups[k])*width+at]
		old := *sum
		*sum = old - v
		if (old^v)&(old^*sum) < 0 {
			s.turn(groups[k], old)
		}
	}
	s.presence.subtract(&from.presence, ids, groups)
	for k, id := range ids {
		if int(id) < len(from.turns) {
			s.turns[groups[k]] -= from.turns[id]
		}
	}
}

func (s *intSum) canSubtract() bool { return true }

func (s *intSum) canFail() bool { return !s.isAvg && len(s.turns) > 0 }

// halves returns the sum as the halves of 128 bits.
func (s *intSum) halves(id int32) (high, low int64) {
	low = s.rec.words[int(id)*s.rec.width+s.at]
	high = low >> 63
	if int(id) < len(s.turns) {
		high += s.turns[id]
	}
	return high, low
}

// fits says whether the sum is a BIGINT: the upper half repeats the sign of the lower one.
func fits(high, low int64) bool { return high == low>>63 }

func (s *intSum) fault(id int32) string {
	high, low := s.halves(id)
	if s.isAvg || fits(high, low) {
		return ""
	}
	sum := big.NewInt(high)
	sum.Lsh(sum, 64).Add(sum, new(big.Int).SetUint64(uint64(low)))
	return fmt.Sprintf("sum: BIGINT overflow: %s", sum)
}

func (s *intSum) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		n := s.n(id)
		if n == 0 {
			col.AppendNull()
			continue
		}
		high, low := s.halves(id)
		switch {
		case !s.isAvg:
			col.AppendInt64(low)
		case fits(high, low):
			col.AppendFloat64(float64(low) / float64(n))
		default:
			col.AppendFloat64((math.Ldexp(float64(high), 64) + float64(uint64(low))) / float64(n))
		}
	}
}

func (s *intSum) state() []arrow.Field {
	return []arrow.Field{{Name: "low", Type: batch.BigInt}, {Name: "high", Type: batch.BigInt}, {Name: "count", Type: batch.BigInt}}
}

func (s *intSum) save(cols []*batch.Column, ids []int32) {
	for _, id := range ids {
		high, low := s.halves(id)
		cols[0].AppendInt64(low)
		cols[1].AppendInt64(high)
		cols[2].AppendInt64(s.n(id))
	}
}

func (s *intSum) load(cols []arrow.Array, rows, groups []int32) {
	low, high, n := batch.Int64s(cols[0]), batch.Int64s(cols[1]), batch.Int64s(cols[2])
	for k, g := range groups {
		i := rowOf(rows, k)
		s.rec.words[int(g)*s.rec.width+s.at] = low[i]
		s.setN(g, n[i])
		if turns := high[i] - low[i]>>63; turns != 0 || int(g) < len(s.turns) {
			s.turns = growZero(s.rec.mem, s.turns, s.rec.len())
			s.turns[g] = turns
		}
	}
}

func (s *intSum) reset() {
	s.turns = shrink(s.rec.mem, s.turns)
	s.presence.reset()
}

func (s *intSum) close() {
	batch.FreeSlice(s.rec.mem, s.turns)
	s.turns = nil
	s.presence.close()
}

// doubleSum is sum(DOUBLE) and avg(DOUBLE) by Kahan-Babuska summation (Neumaier 1974). Values that are not finite are counted
// aside: they would make NaN of the compensation.
type doubleSum struct {
	presence
	at     int // words: the sum, and what rounding took from it, as bits
	isAvg  bool
	others []int64 // per group, the number of NaN, +Inf and -Inf among the values; groups behind its end have none
}

const (
	nanAt = iota
	plusInfAt
	minusInfAt
	othersPerGroup
)

var _ accumulator = (*doubleSum)(nil)

func (s *doubleSum) words() int { return 2 }

func (s *doubleSum) bind(rec *records, at int) { s.rec, s.at = rec, at }

func (s *doubleSum) grow(int) {}

func (s *doubleSum) add(arg arrow.Array, rows, groups []int32) {
	rows, groups = s.valid(arg, rows, groups)
	if len(groups) == 0 {
		return
	}
	values := arg.(*array.Float64).Float64Values()
	words, width, at := s.rec.words, s.rec.width, s.at
	for k, g := range groups {
		v := values[rowOf(rows, k)]
		if v-v != 0 {
			s.addOther(v, g)
			continue
		}
		addFinite(words[int(g)*width+at:], v)
	}
}

// addFinite adds v to a sum and what rounding took from it.
func addFinite(rec []int64, v float64) {
	old, rest := math.Float64frombits(uint64(rec[0])), math.Float64frombits(uint64(rec[1]))
	sum := old + v
	if math.Abs(old) >= math.Abs(v) {
		rest += (old - sum) + v
	} else {
		rest += (v - sum) + old
	}
	rec[0], rec[1] = int64(math.Float64bits(sum)), int64(math.Float64bits(rest))
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

func (s *doubleSum) needOthers() {
	s.others = growZero(s.rec.mem, s.others, othersPerGroup*s.rec.len())
}

func (s *doubleSum) hasOthers(id int32) bool { return othersPerGroup*int(id) < len(s.others) }

func (s *doubleSum) merge(src accumulator, ids, groups []int32) {
	from := src.(*doubleSum)
	words, width, at := s.rec.words, s.rec.width, s.at
	for k, id := range ids {
		rec, fromRec := words[int(groups[k])*width+at:], from.rec.words[int(id)*width+at:]
		addFinite(rec, math.Float64frombits(uint64(fromRec[0])))
		rest := math.Float64frombits(uint64(rec[1])) + math.Float64frombits(uint64(fromRec[1]))
		rec[1] = int64(math.Float64bits(rest))
	}
	s.presence.merge(&from.presence, ids, groups)
	if len(from.others) == 0 {
		return
	}
	s.needOthers()
	for k, id := range ids {
		if !from.hasOthers(id) {
			continue
		}
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
	if s.hasOthers(id) {
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
	sum, rest := s.parts(id)
	if sum-sum != 0 { // finite values whose sum is not: the compensation means nothing
		return sum
	}
	return sum + rest
}

func (s *doubleSum) parts(id int32) (sum, rest float64) {
	rec := s.rec.words[int(id)*s.rec.width+s.at:]
	return math.Float64frombits(uint64(rec[0])), math.Float64frombits(uint64(rec[1]))
}

func (s *doubleSum) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		n := s.n(id)
		switch {
		case n == 0:
			col.AppendNull()
		case s.isAvg:
			col.AppendFloat64(s.total(id) / float64(n))
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
		sum, rest := s.parts(id)
		cols[0].AppendFloat64(sum)
		cols[1].AppendFloat64(rest)
		cols[2].AppendInt64(s.n(id))
		for at := range othersPerGroup {
			v := int64(0)
			if s.hasOthers(id) {
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
		rec := s.rec.words[int(g)*s.rec.width+s.at:]
		rec[0], rec[1] = int64(math.Float64bits(sum[i])), int64(math.Float64bits(rest[i]))
		s.setN(g, n[i])
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
	s.others = shrink(s.rec.mem, s.others)
	s.presence.reset()
}

func (s *doubleSum) close() {
	batch.FreeSlice(s.rec.mem, s.others)
	s.others = nil
	s.presence.close()
}
