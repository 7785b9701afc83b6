package operators

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// keptColumn is a column that explode spreads from rows to elements.
type keptColumn struct {
	col *batch.Column
	// isConstant says that all rows of col are the BIGINT or TIMESTAMP constant, so that they need not be written again. A time
	// of arrival is the same for all rows of a batch.
	isConstant bool
	constant   int64
}

// spread returns an array of n rows, with row rows[k] of src at starts[k] to ends[k]-1, which increase, and undefined values
// elsewhere.
func (c *keptColumn) spread(src arrow.Array, n int, rows, starts, ends []int32) arrow.Array {
	wasConstant := c.isConstant && c.col.Len() >= n
	c.isConstant = false
	switch a := src.(type) {
	case *array.Int64, *array.Timestamp:
		values := batch.Int64s(a)
		if src.NullN() == 0 && isConstant(values, rows) {
			v := values[rows[0]]
			if !wasConstant || c.constant != v {
				c.col.Reset(n)
				fillLong(c.col.Int64s(), v)
			}
			c.isConstant, c.constant = true, v
			return c.col.Array()
		}
		c.col.Reset(n)
		spreadValues(c.col.Int64s(), values, rows, starts, ends)
	case *array.Float64:
		c.col.Reset(n)
		spreadValues(c.col.Float64s(), a.Float64Values(), rows, starts, ends)
	case *array.Boolean:
		c.col.Reset(n)
		for k, i := range rows {
			v := a.Value(int(i))
			for j := starts[k]; j < ends[k]; j++ {
				c.col.SetBool(int(j), v)
			}
		}
	case *array.String:
		c.col.Reset(n)
		for k, i := range rows {
			if a.IsValid(int(i)) {
				c.setTexts(starts[k], ends[k], a.Value(int(i)))
			}
		}
	case *array.Dictionary:
		texts := a.Dictionary().(*array.String)
		c.col.Reset(n)
		for k, i := range rows {
			if a.IsValid(int(i)) {
				c.setTexts(starts[k], ends[k], texts.Value(a.GetValueIndex(int(i))))
			}
		}
	default:
		c.spreadRows(src, n, rows, starts, ends)
		return c.col.Array()
	}
	if src.NullN() > 0 {
		for k, i := range rows {
			if src.IsNull(int(i)) {
				for j := starts[k]; j < ends[k]; j++ {
					c.col.SetNull(int(j))
				}
			}
		}
	}
	return c.col.Array()
}

func (c *keptColumn) setTexts(start, end int32, v string) {
	for j := start; j < end; j++ {
		c.col.SetString(int(j), v)
	}
}

// isConstant says whether all of rows have the same value.
func isConstant(values []int64, rows []int32) bool {
	v := values[rows[0]]
	for _, i := range rows {
		if values[i] != v {
			return false
		}
	}
	return true
}

func spreadValues[T int64 | float64](dst, values []T, rows, starts, ends []int32) {
	for k, i := range rows {
		fillRange(dst[starts[k]:ends[k]], values[i])
	}
}

// spreadRows is spread for types whose rows are written in order.
func (c *keptColumn) spreadRows(src arrow.Array, n int, rows, starts, ends []int32) {
	c.col.Reset(0)
	next := int32(0)
	for k, i := range rows {
		for ; next < starts[k]; next++ {
			c.col.AppendNull()
		}
		for ; next < ends[k]; next++ {
			c.col.AppendRow(src, int(i))
		}
	}
	for ; int(next) < n; next++ {
		c.col.AppendNull()
	}
}

func fillRange[T int32 | int64 | float64](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

// fillLong fills what is longer than 4 KiB by copying, which writes whole vectors.
func fillLong(dst []int64, v int64) {
	const block = 512
	fillRange(dst[:min(block, len(dst))], v)
	for n := block; n < len(dst); {
		n += copy(dst[n:], dst[:block])
	}
}
