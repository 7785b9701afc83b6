package expr

import (
	"math"
	"math/bits"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

var (
	oneBigInt  = []arrow.DataType{batch.BigInt}
	twoBigInts = []arrow.DataType{batch.BigInt, batch.BigInt}
	oneDouble  = []arrow.DataType{batch.Double}
	twoDoubles = []arrow.DataType{batch.Double, batch.Double}
)

var arithmeticFunctions = []function{
	{
		name: "+", doc: "The sum; a row where BIGINT overflows is bad.",
		syntax: "a + b of BIGINT, DOUBLE, or TIMESTAMP and INTERVAL → BIGINT, DOUBLE or TIMESTAMP",
		overloads: []overload{
			{params: twoDoubles, result: batch.Double, run: addDoubles},
			{params: twoBigInts, result: batch.BigInt, run: addBigInts},
			{params: []arrow.DataType{batch.Timestamp, Interval}, result: batch.Timestamp, prepare: prepareShift},
			{params: []arrow.DataType{Interval, batch.Timestamp}, result: batch.Timestamp, prepare: prepareShift},
		},
	},
	{
		name: "-", aliases: []string{"negative"}, doc: "The difference, or the number with its sign changed; a row where BIGINT overflows is bad.",
		syntax: "a - b of BIGINT, DOUBLE, or TIMESTAMP and INTERVAL, or -a → BIGINT, DOUBLE or TIMESTAMP",
		overloads: []overload{
			{params: twoDoubles, result: batch.Double, run: subtractDoubles},
			{params: twoBigInts, result: batch.BigInt, run: subtractBigInts},
			{params: []arrow.DataType{batch.Timestamp, Interval}, result: batch.Timestamp, prepare: prepareShift},
			{params: oneDouble, result: batch.Double, run: negateDoubles},
			{params: oneBigInt, result: batch.BigInt, run: negateBigInts},
			{params: []arrow.DataType{Interval}, result: Interval}, // of constants only: Fold computes it
		},
	},
	{
		name: "*", doc: "The product; a row where BIGINT overflows is bad.",
		syntax: "a * b of BIGINT, DOUBLE → BIGINT, DOUBLE",
		overloads: []overload{
			{params: twoDoubles, result: batch.Double, run: multiplyDoubles},
			{params: twoBigInts, result: batch.BigInt, run: multiplyBigInts},
		},
	},
	{
		name: "/", doc: "The quotient, always DOUBLE; a row that divides by zero is bad.",
		syntax:    "a / b of BIGINT, DOUBLE → DOUBLE",
		overloads: []overload{{params: twoDoubles, result: batch.Double, run: divideDoubles}},
	},
	{
		name: "%", aliases: []string{"mod"}, doc: "What is left of a division, with the sign of a; a row that divides by zero is bad.",
		syntax: "a % b of BIGINT, DOUBLE → BIGINT, DOUBLE",
		overloads: []overload{
			{params: twoDoubles, result: batch.Double, run: modDoubles},
			{params: twoBigInts, result: batch.BigInt, run: modBigInts},
		},
	},
	{
		name: "div", doc: "The whole part of the quotient; a row that divides by zero or overflows is bad.",
		syntax:    "a DIV b of BIGINT → BIGINT",
		overloads: []overload{{params: twoBigInts, result: batch.BigInt, run: divBigInts}},
	},
}

const overflow = "BIGINT overflow: %d %s %d"

// addBigInts has a loop of its own for all rows: without the list of rows it is twice as fast.
func addBigInts(c *kernel) {
	out, a, b := c.out.Int64s(), c.args[0].ints, c.args[1].ints
	if c.isDense() {
		a, b = a[:len(out)], b[:len(out)]
		overflows := int64(0)
		for i := range out {
			sum := a[i] + b[i]
			overflows |= (a[i] ^ sum) & (b[i] ^ sum)
			out[i] = sum
		}
		if overflows >= 0 {
			return
		}
	}
	for _, i := range c.rows {
		sum := a[i] + b[i]
		if (a[i]^sum)&(b[i]^sum) < 0 {
			c.fail(i, overflow, a[i], "+", b[i])
			continue
		}
		out[i] = sum
	}
}

// subtractBigInts is like addBigInts.
func subtractBigInts(c *kernel) {
	out, a, b := c.out.Int64s(), c.args[0].ints, c.args[1].ints
	if c.isDense() {
		a, b = a[:len(out)], b[:len(out)]
		overflows := int64(0)
		for i := range out {
			difference := a[i] - b[i]
			overflows |= (a[i] ^ b[i]) & (a[i] ^ difference)
			out[i] = difference
		}
		if overflows >= 0 {
			return
		}
	}
	for _, i := range c.rows {
		difference := a[i] - b[i]
		if (a[i]^b[i])&(a[i]^difference) < 0 {
			c.fail(i, overflow, a[i], "-", b[i])
			continue
		}
		out[i] = difference
	}
}

func multiplyBigInts(c *kernel) {
	out, a, b := c.out.Int64s(), c.args[0].ints, c.args[1].ints
	for _, i := range c.rows {
		x, y := a[i], b[i]
		// The signed high word is the unsigned one less what the signs add; it repeats the low word's sign if the product fits.
		high, low := bits.Mul64(uint64(x), uint64(y))
		signedHigh := int64(high) - (x>>63)&y - (y>>63)&x
		if signedHigh != int64(low)>>63 {
			c.fail(i, overflow, x, "*", y)
			continue
		}
		out[i] = int64(low)
	}
}

func negateBigInts(c *kernel) {
	out, a := c.out.Int64s(), c.args[0].ints
	for _, i := range c.rows {
		if a[i] == math.MinInt64 {
			c.fail(i, "BIGINT overflow: -(%d)", a[i])
			continue
		}
		out[i] = -a[i]
	}
}

func divBigInts(c *kernel) {
	out, a, b := c.out.Int64s(), c.args[0].ints, c.args[1].ints
	for _, i := range c.rows {
		switch {
		case b[i] == 0:
			c.fail(i, "division by zero: %d div 0", a[i])
		case b[i] == -1 && a[i] == math.MinInt64:
			c.fail(i, overflow, a[i], "div", b[i])
		default:
			out[i] = a[i] / b[i]
		}
	}
}

func modBigInts(c *kernel) {
	out, a, b := c.out.Int64s(), c.args[0].ints, c.args[1].ints
	for _, i := range c.rows {
		if b[i] == 0 {
			c.fail(i, "division by zero: %d %% 0", a[i])
			continue
		}
		out[i] = a[i] % b[i]
	}
}

func addDoubles(c *kernel) {
	out, a, b := c.out.Float64s(), c.args[0].floats, c.args[1].floats
	if c.isDense() {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = a[i] + b[i]
		}
		return
	}
	for _, i := range c.rows {
		out[i] = a[i] + b[i]
	}
}

func subtractDoubles(c *kernel) {
	out, a, b := c.out.Float64s(), c.args[0].floats, c.args[1].floats
	if c.isDense() {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = a[i] - b[i]
		}
		return
	}
	for _, i := range c.rows {
		out[i] = a[i] - b[i]
	}
}

func multiplyDoubles(c *kernel) {
	out, a, b := c.out.Float64s(), c.args[0].floats, c.args[1].floats
	if c.isDense() {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = a[i] * b[i]
		}
		return
	}
	for _, i := range c.rows {
		out[i] = a[i] * b[i]
	}
}

func divideDoubles(c *kernel) {
	out, a, b := c.out.Float64s(), c.args[0].floats, c.args[1].floats
	for _, i := range c.rows {
		if b[i] == 0 {
			c.fail(i, "division by zero: %v / 0", a[i])
			continue
		}
		out[i] = a[i] / b[i]
	}
}

func modDoubles(c *kernel) {
	out, a, b := c.out.Float64s(), c.args[0].floats, c.args[1].floats
	for _, i := range c.rows {
		if b[i] == 0 {
			c.fail(i, "division by zero: %v %% 0", a[i])
			continue
		}
		out[i] = math.Mod(a[i], b[i])
	}
}

func negateDoubles(c *kernel) {
	out, a := c.out.Float64s(), c.args[0].floats
	for _, i := range c.rows {
		out[i] = -a[i]
	}
}

// prepareShift makes the kernel of TIMESTAMP ± INTERVAL.
func prepareShift(s *Spec) (func(c *kernel), error) {
	times, interval := 0, 1
	if s.Args[0].Type.ID() == arrow.DURATION {
		times, interval = 1, 0
	}
	if s.Args[interval].isNull() {
		return func(c *kernel) {
			for _, i := range c.rows {
				c.out.SetNull(int(i))
			}
		}, nil
	}
	d, isConstant := s.Args[interval].Value.(time.Duration)
	if !isConstant {
		return nil, &TypeError{Func: s.Func, Why: "INTERVAL must be constant", Got: argTypes(s.Args)}
	}
	us := d.Microseconds()
	if s.Func == "-" {
		us = -us
	}
	return func(c *kernel) {
		out, ts := c.out.Int64s(), c.args[times].ints
		for _, i := range c.rows {
			moved := ts[i] + us
			if (ts[i]^moved)&(us^moved) < 0 {
				c.fail(i, "TIMESTAMP overflow: %s %+d µs", batch.Time(ts[i]), us)
				continue
			}
			out[i] = moved
		}
	}, nil
}
