package ingest

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// The types that have no loop of their own over the values of a run: those that share the layout of others, and DECIMAL.

// beginTyped borrows the memory of the column.
func (c *columnWriter) beginTyped() {
	switch c.column.Type().ID() {
	case arrow.INT64:
		c.ints = c.column.Int64s()
	case arrow.FLOAT64:
		c.floats = c.column.Float64s()
	default:
		c.nums = c.column.Decimals()
	}
}

// zeroTyped writes the value of a NULL.
func (c *columnWriter) zeroTyped(row int) {
	switch c.column.Type().ID() {
	case arrow.INT64:
		c.ints[row] = 0
	case arrow.FLOAT64:
		c.floats[row] = 0
	default:
		c.nums[row] = decimal.Num{}
	}
}

// setTyped writes the value that v is the text form of.
func (c *columnWriter) setTyped(row int, v []byte) (f fault) {
	isForm := true
	switch t := c.column.Type(); t {
	case batch.Date:
		c.ints[row], isForm = batch.ParseDate(v)
	case batch.DayTime:
		c.ints[row], isForm = batch.ParseDayTime(v)
	case batch.YearMonth:
		c.ints[row], isForm = batch.ParseYearMonth(v)
	case batch.Float:
		c.floats[row], f = parseFloat(v)
	default:
		d, isDecimal := t.(*arrow.Decimal128Type)
		if isDecimal {
			var fault decimal.Fault
			c.nums[row], fault = decimal.Parse(v, d.Precision, d.Scale)
			switch fault {
			case decimal.NoNumber:
				return notOfType
			case decimal.OutOfRange:
				return outOfRange
			case decimal.Fine:
			}
			return noFault
		}
		low, high, _ := batch.IntRange(t)
		if c.ints[row], f = parseInt(v); f == noFault && (c.ints[row] < low || c.ints[row] > high) {
			f = outOfRange
		}
	}
	if !isForm {
		return notOfType
	}
	return f
}

// parseFloat is parseDouble for FLOAT.
func parseFloat(v []byte) (float64, fault) {
	if _, f := parseDouble(v); f != noFault {
		return 0, f
	}
	r, err := strconv.ParseFloat(textOf(v), 32)
	return r, faultOf(err)
}

// readTyped writes values up to the first one that needs a closer look, and returns how many it wrote.
func (d *recordDecoder) readTyped(c *columnWriter, spans []span, row int) int {
	for r, s := range spans {
		if !d.readOther(c, s, row+r) {
			return r
		}
	}
	return len(spans)
}
