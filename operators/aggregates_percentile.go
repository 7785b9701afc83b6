package operators

import (
	"math"
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// percentile is percentile, percentile_disc and approx_percentile: values that stand at places of the sorted rows of a group. It
// keeps each different value with how often it is there. approx_percentile rounds numbers first, to as many bits as its accuracy
// needs, so that it has at most 2*accuracy values for each doubling between the smallest and the largest one. So it is right to
// 1/accuracy of the value, whatever the order of rows; sketches that are right to a part of the rows are not the same in any order.
type percentile struct {
	bagged
	fn           string
	places       []float64 // from 0 to 1
	isArray      bool
	isDescending bool
	accuracy     int64
	rounded      *batch.Column // scratch
}

var _ accumulator = (*percentile)(nil)

func (p *percentile) add(arg arrow.Array, rows, groups []int32) {
	if p.fn == "approx_percentile" {
		arg = p.round(arg, rows, len(groups))
	}
	p.bagged.add(arg, rows, groups)
}

// roundedBits returns how many bits are kept behind the first one.
func roundedBits(accuracy int64) int { return max(bits.Len64(uint64(accuracy-1))-1, 0) }

// round returns arg with the numbers of rows, or of the first n rows, rounded.
func (p *percentile) round(arg arrow.Array, rows []int32, n int) arrow.Array {
	keep := roundedBits(p.accuracy)
	if rows != nil {
		n = int(slices.Max(rows)) + 1
	}
	switch a := arg.(type) {
	case *array.Int64:
		p.rounded.Reset(n)
		to, values := p.rounded.Int64s(), a.Int64Values()
		for i := range to {
			to[i] = roundInt(values[i], keep)
		}
	case *array.Float64:
		p.rounded.Reset(n)
		to, values := p.rounded.Float64s(), a.Float64Values()
		for i := range to {
			to[i] = roundDouble(values[i], keep)
		}
	default:
		return arg
	}
	if arg.NullN() > 0 {
		for i := range n {
			if arg.IsNull(i) {
				p.rounded.SetNull(i)
			}
		}
	}
	return p.rounded.Array()
}

// roundInt rounds v to keep bits behind its first one.
func roundInt(v int64, keep int) int64 {
	size := uint64(v)
	if v < 0 {
		size = -size
	}
	drop := bits.Len64(size) - 1 - keep
	if drop <= 0 {
		return v
	}
	rest := uint64(1) << drop
	size = (size + rest/2) &^ (rest - 1)
	switch {
	case v < 0:
		return -int64(size) // -2^63 is its own
	case size > math.MaxInt64:
		return math.MaxInt64
	}
	return int64(size)
}

// roundDouble rounds v to keep bits behind its first one.
func roundDouble(v float64, keep int) float64 {
	drop := 52 - keep
	if drop <= 0 || v-v != 0 {
		return v
	}
	rest := uint64(1) << drop
	r := math.Float64frombits((math.Float64bits(v) + rest/2) &^ (rest - 1))
	if math.IsInf(r, 0) {
		return v
	}
	return r
}

func (p *percentile) merge(src accumulator, ids, groups []int32) {
	p.bag.merge(&src.(*percentile).bag, ids, groups)
}

func (p *percentile) state() []arrow.Field { return p.bag.state(true) }

func (p *percentile) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		if p.sizes[id] == 0 {
			col.AppendNull()
			continue
		}
		values, rows, counts := p.sorted(id)
		if p.isDescending {
			slices.Reverse(rows)
		}
		total := int64(0)
		for _, i := range rows {
			total += counts[i]
		}
		to := col
		if p.isArray {
			to = col.Child()
		}
		for _, place := range p.places {
			p.append(to, values, rows, counts, place, total)
		}
		if p.isArray {
			col.AppendList()
		}
	}
}

// append appends the value at a place.
func (p *percentile) append(to, values *batch.Column, rows []int32, counts []int64, place float64, total int64) {
	if p.fn == "percentile" {
		// Between the two rows around the place, in proportion, as Spark does.
		at := place * float64(total-1)
		below, above := math.Floor(at), math.Ceil(at)
		low := doubleAt(values, rowAt(rows, counts, int64(below)))
		high := doubleAt(values, rowAt(rows, counts, int64(above)))
		if below == above || low == high {
			to.AppendFloat64(low)
		} else {
			to.AppendFloat64((above-at)*low + (at-below)*high)
		}
		return
	}
	i := rowAt(rows, counts, max(int64(math.Ceil(place*float64(total))), 1)-1)
	if to.Type().ID() == arrow.FLOAT64 {
		to.AppendFloat64(doubleAt(values, i))
	} else {
		to.AppendRow(values.Array(), int(i))
	}
}

// rowAt returns which of rows stands at a place of all, from 0, where each is there as often as counts says.
func rowAt(rows []int32, counts []int64, place int64) int32 {
	for _, i := range rows {
		if place -= counts[i]; place < 0 {
			return i
		}
	}
	return rows[len(rows)-1]
}

func doubleAt(values *batch.Column, i int32) float64 {
	if values.Type().ID() == arrow.FLOAT64 {
		return values.Float64s()[i]
	}
	return float64(values.Int64s()[i])
}

func (p *percentile) close() {
	p.bag.close()
	p.rounded.Release()
}

// mode is the value that is there most often, of several the smallest one, or the largest where it is descending.
type mode struct {
	bagged
	isDescending bool
}

var _ accumulator = (*mode)(nil)

func (m *mode) merge(src accumulator, ids, groups []int32) {
	m.bag.merge(&src.(*mode).bag, ids, groups)
}

func (m *mode) state() []arrow.Field { return m.bag.state(true) }

func (m *mode) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		if m.sizes[id] == 0 {
			col.AppendNull()
			continue
		}
		values, rows, counts := m.sorted(id)
		best := rows[0]
		for _, i := range rows[1:] {
			if counts[i] > counts[best] || m.isDescending && counts[i] == counts[best] {
				best = i
			}
		}
		col.AppendRow(values.Array(), int(best))
	}
}
