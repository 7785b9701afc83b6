package operators

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// intSum is sum and avg of integers and INTERVAL, exact in 128 bits: 2^63 rows of any value fit. The record has the sum modulo 2^64 as a
// signed word; how often that passed the end of its range is counted apart, because most sums never do.
//
// The sum of 2^63-1 and 2 is the word -2^63+1 and a turn of 1: 1*2^64 + (-2^63+1).
type intSum struct {
	presence
	at    int
	isAvg bool
	dtype arrow.DataType // of the values
	turns []int64        // per group; groups behind its end have none
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

func (s *intSum) canFail() bool { return !s.isAvg && (len(s.turns) > 0 || s.dtype == batch.YearMonth) }

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
	if s.isAvg || fits(high, low) && (s.dtype != batch.YearMonth || low == int64(int32(low))) {
		return ""
	}
	sum := big.NewInt(high)
	sum.Lsh(sum, 64).Add(sum, new(big.Int).SetUint64(uint64(low)))
	name := "BIGINT"
	if s.isInterval() {
		name = batch.TypeName(s.dtype)
	}
	return fmt.Sprintf("sum: %s overflow: %s", name, sum)
}

func (s *intSum) result(col *batch.Column, ids []int32) {
	if !s.isAvg && len(s.nulls) == 0 { // none is NULL, and a sum that can be given is the lower half
		s.rec.gather(s.at, ids, col.AppendInt64s(len(ids)))
		s.rec.nullEmpty(col, ids)
		return
	}
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
		case s.isInterval():
			col.AppendInt64(average(high, uint64(low), n))
		case fits(high, low):
			col.AppendFloat64(float64(low) / float64(n))
		default:
			col.AppendFloat64((math.Ldexp(float64(high), 64) + float64(uint64(low))) / float64(n))
		}
	}
}

func (s *intSum) isInterval() bool { return s.dtype == batch.DayTime || s.dtype == batch.YearMonth }

// average returns the sum high*2^64 + low of n values divided by n, half rounded away from zero.
func average(high int64, low uint64, n int64) int64 {
	isNegative := high < 0
	if isNegative {
		borrow := uint64(0)
		low, borrow = bits.Sub64(0, low, 0)
		high = -high - int64(borrow)
	}
	q, rest := bits.Div64(uint64(high), low, uint64(n)) // an average of 64 bits: high is less than n
	if rest >= uint64(n)-rest {
		q++
	}
	if isNegative {
		return -int64(q)
	}
	return int64(q)
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
