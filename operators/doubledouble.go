package operators

import "math"

// wide is a number of twice the precision of a double: the unevaluated sum of two, the second of which is what rounding took from
// the first. Operations are right to about 2^-104 of their result (Dekker 1971; Joldes, Muller and Popescu 2017). Sums of it that are
// added in any order are the same once they are rounded to a double, up to the rarest ties, which plain doubles are not.
type wide struct{ high, low float64 }

// quickSum returns a sum, and what rounding took from it, where a is not smaller than b.
func quickSum(a, b float64) wide {
	sum := a + b
	return wide{sum, b - (sum - a)}
}

func (a wide) plus(b wide) wide {
	high, rest := twoSum(a.high, b.high)
	low, lowRest := twoSum(a.low, b.low)
	sum := quickSum(high, rest+low)
	return quickSum(sum.high, sum.low+lowRest)
}

func (a wide) minus(b wide) wide { return a.plus(wide{-b.high, -b.low}) }

func (a wide) times(b wide) wide {
	product := a.high * b.high
	rest := math.FMA(a.high, b.high, -product)
	return quickSum(product, rest+(a.high*b.low+a.low*b.high))
}

// scaled returns a times a double.
func (a wide) scaled(by float64) wide {
	product := a.high * by
	rest := math.FMA(a.high, by, -product)
	return quickSum(product, rest+a.low*by)
}

// over returns a divided by a double.
func (a wide) over(by float64) wide {
	quotient := a.high / by
	rest := math.FMA(-quotient, by, a.high) + a.low
	return quickSum(quotient, rest/by)
}

// double returns a rounded.
func (a wide) double() float64 { return a.high + a.low }

// wideAt returns the number in two words.
func wideAt(words []int64) wide {
	return wide{math.Float64frombits(uint64(words[0])), math.Float64frombits(uint64(words[1]))}
}

// putWide writes a number to two words.
func putWide(words []int64, a wide) {
	words[0], words[1] = int64(math.Float64bits(a.high)), int64(math.Float64bits(a.low))
}

// withoutNoise returns v, or 0 where it is no more than what rounding leaves of terms of a size.
func withoutNoise(v, size float64) float64 {
	if math.Abs(v) < size*0x1p-90 {
		return 0
	}
	return v
}
