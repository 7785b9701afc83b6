package expr

import (
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

var (
	oneBigInt = []arrow.DataType{batch.BigInt}
	oneDouble = []arrow.DataType{batch.Double}
)

var arithmeticFunctions = []function{
	arithmeticFunction("+", "a + b of numbers, or of DATE or TIMESTAMP and INTERVAL, of DATE and a whole number → the type of the operands",
		"The sum; a row where it is out of range is bad."),
	arithmeticFunction("-", "a - b as with +, DATE or TIMESTAMP less another → INTERVAL, or -a → the type of the operands",
		"The difference, or the number or INTERVAL with its sign changed; a row where it is out of range is bad.", "negative"),
	arithmeticFunction("*", "a * b of numbers, or of INTERVAL and a number → the type of the operands",
		"The product; a row where it is out of range is bad."),
	arithmeticFunction("/", "a / b of numbers, or of INTERVAL and a number → DOUBLE, DECIMAL or INTERVAL",
		"The quotient: DECIMAL of DECIMAL, else DOUBLE; a row that divides by zero is bad."),
	arithmeticFunction("%", "a % b of numbers → the type of the operands",
		"What is left of a division, with the sign of a; a row that divides by zero is bad.", "mod"),
	arithmeticFunction("div", "a DIV b of whole numbers, DECIMAL or INTERVAL → BIGINT",
		"The whole part of the quotient; a row that divides by zero or overflows is bad."),
	arithmeticFunction("pmod", "pmod(a, b) of numbers → the type of the operands",
		"What is left of a division, from 0 to b for a positive b; a row that divides by zero is bad."),
}

func arithmeticFunction(name, syntax, doc string, aliases ...string) function {
	return function{name: name, aliases: aliases, syntax: syntax, doc: doc, resolve: resolveArithmetic, build: newArithmetic, isStrict: true}
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

func pmodBigInts(c *kernel) {
	out, a, b := c.out.Int64s(), c.args[0].ints, c.args[1].ints
	for _, i := range c.rows {
		if b[i] == 0 {
			c.fail(i, "division by zero: pmod(%d, 0)", a[i])
			continue
		}
		r := a[i] % b[i]
		if r < 0 {
			r = addModulus(r, b[i])
		}
		out[i] = r
	}
}

// addModulus returns (r + n) % n for a negative r, as Spark does: with a negative n the result is negative.
func addModulus(r, n int64) int64 {
	if n > 0 {
		return r + n
	}
	if sum := r + n; sum < 0 {
		return sum % n
	}
	return int64(-(uint64(-r) + uint64(-n)) % uint64(-n)) // the sum is below -2^63
}

func pmodDoubles(c *kernel) {
	out, a, b := c.out.Float64s(), c.args[0].floats, c.args[1].floats
	for _, i := range c.rows {
		if b[i] == 0 {
			c.fail(i, "division by zero: pmod(%v, 0)", a[i])
			continue
		}
		r := math.Mod(a[i], b[i])
		if r < 0 {
			r = math.Mod(r+b[i], b[i])
		}
		out[i] = r
	}
}

func negateDoubles(c *kernel) {
	out, a := c.out.Float64s(), c.args[0].floats
	for _, i := range c.rows {
		out[i] = -a[i]
	}
}
