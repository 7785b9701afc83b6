package expr

import (
	"math"
	"strconv"

	"github.com/tidemill/tidemill/batch"
)

var mathFunctions = []function{
	{
		name: "sqrt", doc: "The square root, NaN of a negative number.",
		overloads: []overload{{params: oneDouble, result: batch.Double, run: mapDoubles(math.Sqrt)}},
	},
}

// mapDoubles makes a kernel of a function of one number.
func mapDoubles(f func(float64) float64) func(c *kernel) {
	return func(c *kernel) {
		out, a := c.out.Float64s(), c.args[0].floats
		for _, i := range c.rows {
			out[i] = f(a[i])
		}
	}
}

// toBigInts makes a kernel of a function whose result is whole.
func toBigInts(f func(float64) float64) func(c *kernel) {
	return func(c *kernel) {
		out, a := c.out.Int64s(), c.args[0].floats
		for _, i := range c.rows {
			out[i] = nearestBigInt(f(a[i]))
		}
	}
}

// nearestBigInt returns the BIGINT that is nearest to v, which is whole, 0 for NaN, as Java converts.
func nearestBigInt(v float64) int64 {
	switch n, fits := toBigInt(v); {
	case fits:
		return n
	case v > 0:
		return math.MaxInt64
	case v < 0:
		return math.MinInt64
	}
	return 0
}

// toBigInt returns v without decimals, and whether that is a BIGINT: -2^63 is, 2^63 is not, and neither is NaN.
func toBigInt(v float64) (int64, bool) {
	v = math.Trunc(v)
	if !(v >= -1<<63 && v < 1<<63) {
		return 0, false
	}
	return int64(v), true
}

func copyBigInts(c *kernel) {
	out, a := c.out.Int64s(), c.args[0].ints
	if c.isDense() {
		copy(out, a)
		return
	}
	for _, i := range c.rows {
		out[i] = a[i]
	}
}

func absBigInts(c *kernel) {
	out, a := c.out.Int64s(), c.args[0].ints
	for _, i := range c.rows {
		if a[i] == math.MinInt64 {
			c.fail(i, "BIGINT overflow: %d", a[i])
			continue
		}
		out[i] = max(a[i], -a[i])
	}
}

// roundBigInts rounds to tens, hundreds, … where the number of decimals is negative.
func roundBigInts(isEven bool) func(c *kernel) {
	return func(c *kernel) {
		out, a, decimals := c.out.Int64s(), c.args[0].ints, c.args[1].ints
		for _, i := range c.rows {
			v, fits := roundBigInt(a[i], decimals[i], isEven)
			if !fits {
				c.fail(i, "%s overflow: %d to %d decimals", typeName(c.out.Type()), a[i], decimals[i])
				continue
			}
			out[i] = v
		}
	}
}

func roundBigInt(v, decimals int64, isEven bool) (int64, bool) {
	switch {
	case decimals >= 0:
		return v, true
	case decimals < -19:
		return 0, true
	}
	negative := v < 0
	rest := uint64(v)
	if negative {
		rest = -rest
	}
	unit := uint64(1)
	for ; decimals < 0; decimals++ {
		unit *= 10
	}
	units := rest / unit
	rest -= units * unit
	if rest > unit-rest || rest == unit-rest && (!isEven || units%2 == 1) {
		units++
	}
	down := units * unit // at most 10^19 + 10^18, which fits
	if down > math.MaxInt64 {
		return 0, false
	}
	if negative {
		return -int64(down), true
	}
	return int64(down), true
}

func roundDoubles(isEven bool) func(c *kernel) {
	return func(c *kernel) {
		out, a, decimals := c.out.Float64s(), c.args[0].floats, c.args[1].ints
		for _, i := range c.rows {
			out[i] = roundDouble(a[i], decimals[i], isEven) + 0 // there is no -0
		}
	}
}

// roundDouble rounds the shortest decimal text of v half away from zero, as Spark does: 2.675 to 2 decimals is 2.68, though the
// DOUBLE is a little less than that.
//
// Worked example: v = 2.675, decimals = 2. The text is 2.675e+00: digits 2675, of which the first is the 10^0. 1+0+2 = 3 digits
// stay, 267, and the next, 5, rounds up: 268e-2. A half that isEven says goes to the even digit.
func roundDouble(v float64, decimals int64, isEven bool) float64 {
	if v == 0 || v-v != 0 || decimals > 400 {
		return v
	}
	if decimals < -400 {
		return 0
	}
	var memory [40]byte
	text := strconv.AppendFloat(memory[:0], math.Abs(v), 'e', -1, 64)
	var digitsMemory [24]byte
	number := digitsMemory[:1] // a leading 0 takes what is carried
	number[0] = '0'
	exponent, pos := 0, 0
	for ; text[pos] != 'e'; pos++ {
		if text[pos] != '.' {
			number = append(number, text[pos])
		}
	}
	for _, ch := range text[pos+2:] {
		exponent = exponent*10 + int(ch-'0')
	}
	if text[pos+1] == '-' {
		exponent = -exponent
	}
	keep := 1 + exponent + int(decimals) // digits that stay, without the leading 0
	if keep >= len(number)-1 {
		return v
	}
	if keep < 0 {
		return math.Copysign(0, v)
	}
	roundUp := number[keep+1] >= '5'
	if isEven && number[keep+1] == '5' && keep+2 == len(number) {
		roundUp = number[keep]%2 == 1 // '0' is even
	}
	number = number[:keep+1]
	if roundUp {
		k := keep
		for ; number[k] == '9'; k-- {
			number[k] = '0'
		}
		number[k]++
	}
	// The last digit of number is the 10^-decimals.
	number = append(number, 'e')
	number = strconv.AppendInt(number, -decimals, 10)
	r, err := strconv.ParseFloat(string(number), 64)
	if err != nil {
		return v // it overflowed, and so nothing but v is near
	}
	return math.Copysign(r, v)
}
