package batch

import (
	"github.com/apache/arrow-go/v18/arrow"
)

// AppendFrom adds the rows of src, a column of the same type, that rows names, in that order. Unlike AppendArray it costs nothing
// per row of src, so that few rows may be taken of a column that grows all the time.
func (c *Column) AppendFrom(src *Column, rows []int32) {
	if len(rows) == 0 {
		return
	}
	old := c.n
	switch c.dtype.ID() {
	case arrow.INT64, arrow.TIMESTAMP:
		c.extend(len(rows))
		gather(c.ints[old:], src.ints, rows)
	case arrow.FLOAT64:
		c.extend(len(rows))
		gather(c.floats[old:], src.floats, rows)
	case arrow.DECIMAL128:
		c.extend(len(rows))
		gather(c.nums[old:], src.nums, rows)
	case arrow.BOOL:
		c.extend(len(rows))
		for k, i := range rows {
			c.SetBool(old+k, src.bits[i>>3]&(1<<(i&7)) != 0)
		}
	case arrow.STRING:
		c.appendTextsFrom(src, rows)
	default:
		c.AppendArray(src.Array(), src.n, rows)
		return
	}
	if src.nulls > 0 {
		for k, i := range rows {
			if src.IsNull(int(i)) {
				c.SetNull(old + k)
			}
		}
	}
}

// AppendInt64s adds n valid rows to a BIGINT or TIMESTAMP column, and returns them to be written.
func (c *Column) AppendInt64s(n int) []int64 {
	old := c.n
	c.extend(n)
	return c.ints[old:c.n]
}

// AppendFloat64s adds n valid rows to a DOUBLE column, and returns them to be written.
func (c *Column) AppendFloat64s(n int) []float64 {
	old := c.n
	c.extend(n)
	return c.floats[old:c.n]
}

// AppendNulls adds n NULLs.
func (c *Column) AppendNulls(n int) {
	for range n {
		c.AppendNull()
	}
}

func (c *Column) appendTextsFrom(src *Column, rows []int32) {
	src.fillOffsets(src.n) // of NULLs at the end
	from, text, bytes := src.offsets, src.data[:cap(src.data)], 0
	for _, i := range rows {
		bytes += int(from[i+1] - from[i])
	}
	offsets, dst := c.ReserveText(len(rows), bytes)
	at := int(offsets[0])
	for k, i := range rows {
		start, end := int(from[i]), int(from[i+1])
		if n := end - start; n <= copyBlock && start+copyBlock <= len(text) {
			*(*[copyBlock]byte)(dst[at:]) = *(*[copyBlock]byte)(text[start:])
		} else {
			copy(dst[at:], text[start:end])
		}
		at += end - start
		offsets[k+1] = int32(at)
	}
	c.AddTexts(len(rows))
}
