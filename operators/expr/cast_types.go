package expr

import (
	"strconv"
	"unicode/utf8"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// The kernels of casts from and to the types that share a layout, and DECIMAL.

// argType returns the precision and scale of the DECIMAL that is cast.
func (c *kernel) argType() decimal.Type { return decimalOf(c.args[0].arr.DataType()) }

func copyDoubles(c *kernel) {
	out, a := c.out.Float64s(), c.args[0].floats
	for _, i := range c.rows {
		out[i] = a[i]
	}
}

func copyTexts(c *kernel) {
	a := &c.args[0]
	for _, i := range c.rows {
		c.out.SetText(int(i), a.bytes(i))
	}
}

func textFromBinary(c *kernel) {
	a := &c.args[0]
	for _, i := range c.rows {
		if !utf8.Valid(a.bytes(i)) {
			c.failText(i, a.bytes(i), "no UTF-8")
			continue
		}
		c.out.SetText(int(i), a.bytes(i))
	}
}

func floatFromText(c *kernel) {
	out, a := c.out.Float64s(), &c.args[0]
	for _, i := range c.rows {
		v, ok := parseFloat(trimBytes(a.bytes(i)), 32)
		if !ok {
			c.failText(i, a.bytes(i), "no FLOAT")
			continue
		}
		out[i] = v
	}
}

func boolFromDecimal(c *kernel) {
	for _, i := range c.rows {
		c.out.SetBool(int(i), c.args[0].nums[i] != decimal.Num{})
	}
}

func bigIntFromDecimal(c *kernel) {
	out, a, scale := c.out.Int64s(), c.args[0].nums, c.argType().Scale
	for _, i := range c.rows {
		v, fits := decimal.Whole(a[i], scale)
		if !fits {
			c.failCast(i, isNo, decimal.Append(nil, a[i], scale))
			continue
		}
		out[i] = v
	}
}

func doubleFromDecimal(c *kernel) {
	out, a, scale := c.out.Float64s(), c.args[0].nums, c.argType().Scale
	for _, i := range c.rows {
		out[i] = decimal.Double(a[i], scale)
	}
}

func timeFromDecimal(c *kernel) {
	out, a, t := c.out.Int64s(), c.args[0].nums, c.argType()
	micros := decimal.Type{Precision: decimal.MaxPrecision, Scale: t.Scale}
	for _, i := range c.rows {
		us, fits := decimal.Multiply(a[i], decimal.Of(usPerSecond), t.Scale, 0, micros)
		if fits {
			out[i], fits = decimal.Whole(us, t.Scale)
		}
		if !fits {
			c.failCast(i, "%s s is no TIMESTAMP", decimal.Append(nil, a[i], t.Scale))
		}
	}
}

// setDecimal sets row i to v of the given scale, or makes it bad.
func (c *kernel) setDecimal(out []decimal.Num, i int32, v decimal.Num, scale int32, t decimal.Type) {
	r, fits := decimal.Rescale(v, scale, t)
	if !fits {
		c.failCast(i, isNo, decimal.Append(nil, v, scale))
		return
	}
	out[i] = r
}

func decimalFromDecimal(c *kernel) {
	out, a, from, to := c.out.Decimals(), c.args[0].nums, c.argType(), decimalOf(c.out.Type())
	for _, i := range c.rows {
		c.setDecimal(out, i, a[i], from.Scale, to)
	}
}

func decimalFromBigInt(c *kernel) {
	out, a, to := c.out.Decimals(), c.args[0].ints, decimalOf(c.out.Type())
	for _, i := range c.rows {
		c.setDecimal(out, i, decimal.Of(a[i]), 0, to)
	}
}

func decimalFromBool(c *kernel) {
	out, to := c.out.Decimals(), decimalOf(c.out.Type())
	for _, i := range c.rows {
		c.setDecimal(out, i, decimal.Of(int64(add(0, c.args[0].bit(i)))), 0, to)
	}
}

// decimalFromTime gives seconds.
func decimalFromTime(c *kernel) {
	out, a, to := c.out.Decimals(), c.args[0].ints, decimalOf(c.out.Type())
	for _, i := range c.rows {
		c.setDecimal(out, i, decimal.Of(a[i]), 6, to)
	}
}

// decimalFromDouble takes the shortest text of a DOUBLE, as Spark does.
func decimalFromDouble(c *kernel) {
	out, a, to := c.out.Decimals(), c.args[0].floats, decimalOf(c.out.Type())
	var memory [32]byte
	for _, i := range c.rows {
		fault := decimal.NoNumber
		if v := a[i]; v-v == 0 {
			out[i], fault = decimal.Parse(strconv.AppendFloat(memory[:0], v, 'e', -1, 64), to.Precision, to.Scale)
		}
		if fault != decimal.Fine {
			c.failCast(i, isNo, batch.AppendDouble(nil, a[i]))
		}
	}
}

func decimalFromText(c *kernel) {
	out, a, to := c.out.Decimals(), &c.args[0], decimalOf(c.out.Type())
	for _, i := range c.rows {
		v, fault := decimal.Parse(trimBytes(a.bytes(i)), to.Precision, to.Scale)
		if fault != decimal.Fine {
			c.failText(i, a.bytes(i), "")
			continue
		}
		out[i] = v
	}
}

func timeFromDate(c *kernel) {
	out, a := c.out.Int64s(), c.args[0].ints
	for _, i := range c.rows {
		us, fits := multiply(a[i], usPerDay)
		if !fits {
			c.failCast(i, "%s is no TIMESTAMP", batch.AppendDate(nil, a[i]))
			continue
		}
		out[i] = us
	}
}

func dateFromTime(c *kernel) {
	out, a := c.out.Int64s(), c.args[0].ints
	for _, i := range c.rows {
		out[i] = floorDiv(a[i], usPerDay)
	}
}

// parsed makes a kernel of a function that reads text.
func parsed(parse func(text []byte) (int64, bool), what string) func(*kernel) {
	return func(c *kernel) {
		out, a := c.out.Int64s(), &c.args[0]
		for _, i := range c.rows {
			v, ok := parse(trimBytes(a.bytes(i)))
			if !ok {
				c.failText(i, a.bytes(i), what)
				continue
			}
			out[i] = v
		}
	}
}

var (
	dateFromText      = parsed(batch.ParseDate, "no DATE")
	dayTimeFromText   = parsed(batch.ParseDayTime, "no INTERVAL DAY TO SECOND such as 1 02:03:04.5")
	yearMonthFromText = parsed(batch.ParseYearMonth, "no INTERVAL YEAR TO MONTH such as 1-2")
)
