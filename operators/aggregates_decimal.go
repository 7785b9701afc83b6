package operators

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// decimalSum is sum and avg of DECIMAL, exact in 192 bits: 2^63 rows of 38 digits fit. The record has the words of the sum in two's
// complement, the lowest first.
type decimalSum struct {
	presence
	at    int
	isAvg bool
	scale int32        // of the values
	dtype decimal.Type // of the result
}

var _ accumulator = (*decimalSum)(nil)

func newDecimalSum(a *AggSpec) *decimalSum {
	return &decimalSum{isAvg: a.Func == "avg", scale: a.Arg.Type.(*arrow.Decimal128Type).Scale, dtype: decimalResult(a.Func, a.Arg.Type)}
}

// decimalResult returns the type of sum or avg of a DECIMAL: ten digits more before the point, or four more on either side, as in
// Spark.
func decimalResult(fn string, arg arrow.DataType) decimal.Type {
	t := arg.(*arrow.Decimal128Type)
	if fn == "sum" {
		return decimal.Type{Precision: min(t.Precision+10, decimal.MaxPrecision), Scale: t.Scale}
	}
	precision, scale := t.Precision+4, t.Scale+4
	if over := precision - decimal.MaxPrecision; over > 0 { // digits behind the point go, all but six
		precision, scale = decimal.MaxPrecision, max(scale-over, min(scale, 6))
	}
	return decimal.Type{Precision: precision, Scale: scale}
}

// decimalWords is how many words of a record the sum takes.
const decimalWords = 3

func (s *decimalSum) words() int { return decimalWords }

func (s *decimalSum) bind(rec *records, at int) { s.rec, s.at = rec, at }

func (s *decimalSum) grow(int) {}

func (s *decimalSum) row(g int32) []int64 {
	from := int(g)*s.rec.width + s.at
	return s.rec.words[from : from+decimalWords : from+decimalWords]
}

func addWords(row []int64, low, middle, high uint64) {
	sum, carry := bits.Add64(uint64(row[0]), low, 0)
	row[0] = int64(sum)
	sum, carry = bits.Add64(uint64(row[1]), middle, carry)
	row[1] = int64(sum)
	row[2] = int64(uint64(row[2]) + high + carry)
}

func (s *decimalSum) add(arg arrow.Array, rows, groups []int32) {
	rows, groups = s.valid(arg, rows, groups)
	if len(groups) == 0 {
		return
	}
	values := arg.(*array.Decimal128).Values()
	for k, g := range groups {
		v := values[rowOf(rows, k)]
		addWords(s.row(g), v.LowBits(), uint64(v.HighBits()), uint64(v.HighBits()>>63))
	}
}

func (s *decimalSum) merge(src accumulator, ids, groups []int32) {
	from := src.(*decimalSum)
	for k, id := range ids {
		r := from.row(id)
		addWords(s.row(groups[k]), uint64(r[0]), uint64(r[1]), uint64(r[2]))
	}
	s.presence.merge(&from.presence, ids, groups)
}

func (s *decimalSum) subtract(src accumulator, ids, groups []int32) {
	from := src.(*decimalSum)
	for k, id := range ids {
		r, row := from.row(id), s.row(groups[k])
		difference, borrow := bits.Sub64(uint64(row[0]), uint64(r[0]), 0)
		row[0] = int64(difference)
		difference, borrow = bits.Sub64(uint64(row[1]), uint64(r[1]), borrow)
		row[1] = int64(difference)
		row[2] = int64(uint64(row[2]) - uint64(r[2]) - borrow)
	}
	s.presence.subtract(&from.presence, ids, groups)
}

func (s *decimalSum) canSubtract() bool { return true }

func (s *decimalSum) canFail() bool { return true }

// value returns the result of a group with values, false if its type does not hold it.
func (s *decimalSum) value(id int32) (decimal.Num, bool) {
	row := s.row(id)
	if row[2] != row[1]>>63 {
		return decimal.Num{}, false
	}
	sum := decimal128.New(row[1], uint64(row[0]))
	if !s.isAvg {
		return sum, decimal.Fits(sum, s.dtype.Precision)
	}
	if !decimal.Fits(sum, decimal.MaxPrecision) {
		return decimal.Num{}, false
	}
	return decimal.Divide(sum, decimal.Of(s.n(id)), s.scale, 0, s.dtype)
}

func (s *decimalSum) fault(id int32) string {
	if s.n(id) == 0 {
		return ""
	}
	if _, ok := s.value(id); ok {
		return ""
	}
	row := s.row(id)
	sum := big.NewInt(row[2])
	sum.Lsh(sum, 64).Add(sum, new(big.Int).SetUint64(uint64(row[1])))
	sum.Lsh(sum, 64).Add(sum, new(big.Int).SetUint64(uint64(row[0])))
	name := "sum"
	if s.isAvg {
		name = "avg"
	}
	return fmt.Sprintf("%s: %s overflow: the sum is %se-%d", name, batch.TypeName(batch.Decimal(s.dtype.Precision, s.dtype.Scale)), sum, s.scale)
}

func (s *decimalSum) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		v, ok := decimal.Num{}, false
		if s.n(id) > 0 {
			v, ok = s.value(id)
		}
		if !ok {
			col.AppendNull()
			continue
		}
		col.AppendDecimal(v)
	}
}

func (s *decimalSum) state() []arrow.Field {
	return []arrow.Field{
		{Name: "low", Type: batch.BigInt}, {Name: "middle", Type: batch.BigInt}, {Name: "high", Type: batch.BigInt}, {Name: "count", Type: batch.BigInt},
	}
}

func (s *decimalSum) save(cols []*batch.Column, ids []int32) {
	for _, id := range ids {
		for at, word := range s.row(id) {
			cols[at].AppendInt64(word)
		}
		cols[decimalWords].AppendInt64(s.n(id))
	}
}

func (s *decimalSum) load(cols []arrow.Array, rows, groups []int32) {
	n := batch.Int64s(cols[decimalWords])
	for at := range decimalWords {
		words := batch.Int64s(cols[at])
		for k, g := range groups {
			s.row(g)[at] = words[rowOf(rows, k)]
		}
	}
	for k, g := range groups {
		s.setN(g, n[rowOf(rows, k)])
	}
}

// appendOrdered appends the 16 bytes that compare as v does.
func appendOrdered(dst []byte, v decimal.Num) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(v.HighBits())^1<<63)
	return binary.BigEndian.AppendUint64(dst, v.LowBits())
}

// orderedDecimal is the inverse of appendOrdered.
func orderedDecimal(b []byte) decimal.Num {
	return decimal128.New(int64(binary.BigEndian.Uint64(b)^1<<63), binary.BigEndian.Uint64(b[8:]))
}
