package operators

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// moments is variance, standard deviation, skewness and kurtosis: the number of values, their mean, and the sums of the powers of
// their distances from it, a row at a time after Welford (1962), and of two groups together after Chan et al. (1979) and Pébay
// (2008). It computes with twice the precision of its values, so that results do not depend on how rows were divided.
// A value that is not finite makes NaN of them.
type moments struct {
	always
	rec    *records
	at     int
	degree int // of the highest power
	fn     string
}

var _ accumulator = (*moments)(nil)

// momentDegrees are the highest powers that the functions of a moments need.
var momentDegrees = map[string]int{"var_pop": 2, "var_samp": 2, "stddev_pop": 2, "stddev_samp": 2, "skewness": 3, "kurtosis": 4}

// words are the number of values, the mean, and a sum of each power from the second.
func (m *moments) words() int { return 1 + 2*m.degree }

func (m *moments) bind(rec *records, at int) { m.rec, m.at = rec, at }

func (m *moments) grow(int) {}

func (m *moments) row(g int32) []int64 {
	from := int(g)*m.rec.width + m.at
	return m.rec.words[from : from+1+2*m.degree]
}

func (m *moments) add(arg arrow.Array, rows, groups []int32) {
	a, ok := arg.(*array.Float64)
	if !ok {
		return // of type NULL
	}
	values, hasNulls := a.Float64Values(), a.NullN() > 0
	for k, g := range groups {
		if i := rowOf(rows, k); !hasNulls || a.IsValid(i) {
			m.addValue(m.row(g), values[i])
		}
	}
}

func (m *moments) addValue(row []int64, value float64) {
	row[0]++
	n := float64(row[0])
	mean := wideAt(row[1:])
	delta := wide{value, 0}.minus(mean)
	part := delta.over(n)
	putWide(row[1:], mean.plus(part))
	m2 := wideAt(row[3:]).plus(delta.times(part).scaled(n - 1))
	putWide(row[3:], m2)
	if m.degree < 3 {
		return
	}
	square, partSquare := delta.times(delta), part.times(part)
	m3 := wideAt(row[5:]).minus(part.times(m2).scaled(3)).plus(delta.times(square.minus(partSquare)))
	putWide(row[5:], m3)
	if m.degree < 4 {
		return
	}
	m4 := wideAt(row[7:]).minus(part.times(m3).scaled(4)).minus(partSquare.times(m2).scaled(6))
	putWide(row[7:], m4.plus(delta.times(delta.times(square).minus(part.times(partSquare)))))
}

func (m *moments) merge(src accumulator, ids, groups []int32) {
	from := src.(*moments)
	for k, id := range ids {
		m.mergeRow(m.row(groups[k]), from.row(id))
	}
}

func (m *moments) mergeRow(to, from []int64) {
	if from[0] == 0 {
		return
	}
	if to[0] == 0 {
		copy(to, from)
		return
	}
	a, b := float64(to[0]), float64(from[0])
	to[0] += from[0]
	mean := wideAt(to[1:])
	delta := wideAt(from[1:]).minus(mean)
	part := delta.over(a + b)
	putWide(to[1:], mean.plus(part.scaled(b)))
	a2, b2 := wideAt(to[3:]), wideAt(from[3:])
	putWide(to[3:], a2.plus(b2).plus(delta.times(part).scaled(a).scaled(b)))
	if m.degree < 3 {
		return
	}
	a3, b3 := wideAt(to[5:]), wideAt(from[5:])
	square := part.times(part)
	m3 := a3.plus(b3).plus(square.times(delta).scaled(a).scaled(b).scaled(a - b))
	putWide(to[5:], m3.plus(part.times(b2.scaled(a).minus(a2.scaled(b))).scaled(3)))
	if m.degree < 4 {
		return
	}
	m4 := wideAt(to[7:]).plus(wideAt(from[7:])).plus(square.times(part).times(delta).scaled(a).scaled(b).scaled(a*a - a*b + b*b))
	m4 = m4.plus(square.times(b2.scaled(a).scaled(a).plus(a2.scaled(b).scaled(b))).scaled(6))
	putWide(to[7:], m4.plus(part.times(b3.scaled(a).minus(a3.scaled(b))).scaled(4)))
}

// subtract is never called: it would leave the rounding of what was taken out.
func (m *moments) subtract(accumulator, []int32, []int32) {}

func (m *moments) canSubtract() bool { return false }

func (m *moments) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		if v, ok := m.value(m.row(id)); ok {
			col.AppendFloat64(v)
		} else {
			col.AppendNull()
		}
	}
}

// value returns the result, which is NULL where there are too few values, or these are all the same.
func (m *moments) value(row []int64) (v float64, ok bool) {
	n := float64(row[0])
	if n == 0 {
		return 0, false
	}
	m2 := wideAt(row[3:]).double()
	switch m.fn {
	case "var_pop":
		return m2 / n, true
	case "stddev_pop":
		return math.Sqrt(m2 / n), true
	case "var_samp":
		return m2 / (n - 1), n > 1
	case "stddev_samp":
		return math.Sqrt(m2 / (n - 1)), n > 1
	case "skewness":
		return math.Sqrt(n) * withoutNoise(wideAt(row[5:]).double(), m2*math.Sqrt(m2)) / math.Sqrt(m2*m2*m2), m2 != 0
	}
	return n*wideAt(row[7:]).double()/(m2*m2) - 3, m2 != 0
}

func (m *moments) state() []arrow.Field {
	fields := []arrow.Field{{Name: "count", Type: batch.BigInt}, {Name: "mean", Type: batch.Double}, {Name: "mean_rest", Type: batch.Double}}
	for power := 2; power <= m.degree; power++ {
		name := fmt.Sprintf("m%d", power)
		fields = append(fields, arrow.Field{Name: name, Type: batch.Double}, arrow.Field{Name: name + "_rest", Type: batch.Double})
	}
	return fields
}

func (m *moments) save(cols []*batch.Column, ids []int32) {
	for _, id := range ids {
		saveWords(cols, m.row(id))
	}
}

// saveWords appends a BIGINT, and the other words as DOUBLEs.
func saveWords(cols []*batch.Column, row []int64) {
	cols[0].AppendInt64(row[0])
	for i, word := range row[1:] {
		cols[1+i].AppendFloat64(math.Float64frombits(uint64(word)))
	}
}

// loadWords is the inverse of saveWords.
func loadWords(cols []arrow.Array, i int, row []int64) {
	row[0] = batch.Int64s(cols[0])[i]
	for w := range row[1:] {
		row[1+w] = int64(math.Float64bits(cols[1+w].(*array.Float64).Value(i)))
	}
}

func (m *moments) load(cols []arrow.Array, rows, groups []int32) {
	for k, g := range groups {
		loadWords(cols, rowOf(rows, k), m.row(g))
	}
}

func (m *moments) reset() {}

func (m *moments) close() {}
