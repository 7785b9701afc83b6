package operators

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

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
	if len(s.nulls) == 0 {
		values := col.AppendFloat64s(len(ids))
		for k, id := range ids {
			values[k] = s.total(id)
			if s.isAvg {
				values[k] /= float64(s.rec.rows(id))
			}
		}
		s.rec.nullEmpty(col, ids)
		return
	}
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
