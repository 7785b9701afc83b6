package decimal

import (
	"math/bits"
)

// wide is an unsigned number of 256 bits, the lowest word first: two values of 38 digits multiplied, or one times 10^38, are less
// than 2^253.
type wide [4]uint64

// timesWide returns a*b.
func timesWide(aHigh, aLow, bHigh, bLow uint64) (r wide) {
	var carry uint64
	h, l := bits.Mul64(aLow, bLow)
	r[0], r[1] = l, h
	h, l = bits.Mul64(aHigh, bLow)
	r[1], carry = bits.Add64(r[1], l, 0)
	r[2], carry = bits.Add64(h, 0, carry)
	r[3] += carry
	h, l = bits.Mul64(aLow, bHigh)
	r[1], carry = bits.Add64(r[1], l, 0)
	r[2], carry = bits.Add64(r[2], h, carry)
	r[3] += carry
	h, l = bits.Mul64(aHigh, bHigh)
	r[2], carry = bits.Add64(r[2], l, 0)
	r[3] += h + carry
	return r
}

func (a wide) plus(b wide) (r wide) {
	var carry uint64
	for i := range r {
		r[i], carry = bits.Add64(a[i], b[i], carry)
	}
	return r
}

func (a wide) minus(b wide) (r wide) {
	var borrow uint64
	for i := range r {
		r[i], borrow = bits.Sub64(a[i], b[i], borrow)
	}
	return r
}

func (a wide) isLess(b wide) bool {
	for i := 3; i >= 0; i-- {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// fits says whether a is less than 2^127.
func (a wide) fits() bool { return a[3]|a[2] == 0 && a[1] < 1<<63 }

// by returns a/d and what is left, for a d that is not 0 and less than 2^127.
func (a wide) by(dHigh, dLow uint64) (q wide, restHigh, restLow uint64) {
	if dHigh == 0 {
		for i := 3; i >= 0; i-- {
			q[i], restLow = bits.Div64(restLow, a[i], dLow)
		}
		return q, 0, restLow
	}
	// Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D, for a divisor of two words whose highest bit is made 1. The
	// quotient's digit that the highest word of the divisor gives is at most two too large.
	shift := uint(bits.LeadingZeros64(dHigh))
	dHigh, dLow = dHigh<<shift|dLow>>1>>(63-shift), dLow<<shift
	var u [5]uint64
	u[4] = a[3] >> 1 >> (63 - shift)
	for i := 3; i > 0; i-- {
		u[i] = a[i]<<shift | a[i-1]>>1>>(63-shift)
	}
	u[0] = a[0] << shift
	for i := 2; i >= 0; i-- {
		digit := ^uint64(0)
		if u[i+2] < dHigh {
			digit, _ = bits.Div64(u[i+2], u[i+1], dHigh)
		}
		for {
			// The product of digit and divisor, three words.
			h1, l1 := bits.Mul64(digit, dLow)
			h2, l2 := bits.Mul64(digit, dHigh)
			m, carry := bits.Add64(h1, l2, 0)
			h2 += carry
			r0, borrow := bits.Sub64(u[i], l1, 0)
			r1, borrow := bits.Sub64(u[i+1], m, borrow)
			r2, borrow := bits.Sub64(u[i+2], h2, borrow)
			if borrow == 0 {
				u[i], u[i+1], u[i+2] = r0, r1, r2
				break
			}
			digit--
		}
		q[i] = digit
	}
	return q, u[1] >> shift, u[0]>>shift | u[1]<<1<<(63-shift)
}

// rounded returns a/10^drop, half rounded up, for drop from 0 to 2*MaxPrecision.
func (a wide) rounded(drop int32) wide {
	if drop > MaxPrecision {
		// Two divisions round once: what is left of the first can only make a half of the second more than that, which rounds alike.
		p := powers[drop-MaxPrecision]
		a, _, _ = a.by(uint64(p.HighBits()), p.LowBits())
		drop = MaxPrecision
	}
	if drop <= 0 {
		return a
	}
	return a.roundedBy(uint64(powers[drop].HighBits()), powers[drop].LowBits())
}

// roundedBy returns a/d, half rounded up.
func (a wide) roundedBy(dHigh, dLow uint64) wide {
	q, restHigh, restLow := a.by(dHigh, dLow)
	// 2*rest >= d, where both have less than 128 bits
	twiceHigh, twiceLow := restHigh<<1|restLow>>63, restLow<<1
	if twiceHigh > dHigh || twiceHigh == dHigh && twiceLow >= dLow {
		return q.plus(wide{1})
	}
	return q
}

// result returns the number with a sign if it has at most precision digits.
func (a wide) result(negative bool, precision int32) (Num, bool) {
	if !a.fits() {
		return Num{}, false
	}
	v := signed(a[1], a[0], negative)
	return v, Fits(v, precision)
}

// scaled returns the magnitude of v times 10^n.
func scaled(v Num, n int32) wide {
	high, low := magnitude(v)
	if n <= 0 {
		return wide{low, high}
	}
	return timesWide(high, low, uint64(powers[n].HighBits()), powers[n].LowBits())
}

// Type is a precision and a scale.
type Type struct{ Precision, Scale int32 }

// Add returns a+b, of the scales given, as a value of type t, half rounded away from zero. It returns false if that does not fit.
func Add(a, b Num, aScale, bScale int32, t Type) (Num, bool) {
	if aScale == bScale && bScale == t.Scale { // the sum of 38 digits each is less than 2^128 in magnitude
		sum := a.Add(b)
		if (a.HighBits()^sum.HighBits())&(b.HighBits()^sum.HighBits()) < 0 {
			return Num{}, false
		}
		return sum, Fits(sum, t.Precision)
	}
	scale := max(aScale, bScale)
	x, y := scaled(a, scale-aScale), scaled(b, scale-bScale)
	negative := a.Sign() < 0
	switch isOther := b.Sign() < 0; {
	case negative == isOther:
		x = x.plus(y)
	case x.isLess(y):
		x, negative = y.minus(x), isOther
	default:
		x = x.minus(y)
	}
	if t.Scale > scale {
		return Num{}, false
	}
	return x.rounded(scale-t.Scale).result(negative, t.Precision)
}

// Subtract is Add of -b.
func Subtract(a, b Num, aScale, bScale int32, t Type) (Num, bool) {
	return Add(a, b.Negate(), aScale, bScale, t)
}

// Multiply returns a*b, whose scale is the sum of both, as a value of type t, half rounded away from zero. It returns false if that
// does not fit.
func Multiply(a, b Num, aScale, bScale int32, t Type) (Num, bool) {
	aHigh, aLow := magnitude(a)
	bHigh, bLow := magnitude(b)
	r := timesWide(aHigh, aLow, bHigh, bLow)
	return r.rounded(aScale+bScale-t.Scale).result((a.Sign() < 0) != (b.Sign() < 0), t.Precision)
}

// Divide returns a/b as a value of type t, half rounded away from zero, for a b that is not 0 and a t.Scale of at least
// aScale - bScale. It returns false if that does not fit.
func Divide(a, b Num, aScale, bScale int32, t Type) (Num, bool) {
	negative := (a.Sign() < 0) != (b.Sign() < 0)
	bHigh, bLow := magnitude(b)
	up := t.Scale - aScale + bScale
	if up <= MaxPrecision {
		return scaled(a, up).roundedBy(bHigh, bLow).result(negative, t.Precision)
	}
	// The quotient of a*10^38, then the digits of its rest.
	q, restHigh, restLow := scaled(a, MaxPrecision).by(bHigh, bLow)
	if !q.fits() {
		return Num{}, false
	}
	more := powers[up-MaxPrecision]
	mHigh, mLow := uint64(more.HighBits()), more.LowBits()
	r := timesWide(restHigh, restLow, mHigh, mLow).roundedBy(bHigh, bLow)
	return timesWide(q[1], q[0], mHigh, mLow).plus(r).result(negative, t.Precision)
}

// Remainder returns what is left of a when b, which is not 0, is taken out as often as it is in there, with the sign of a and the larger
// of both scales.
func Remainder(a, b Num, aScale, bScale int32) Num {
	scale := max(aScale, bScale)
	x, y := scaled(a, scale-aScale), scaled(b, scale-bScale)
	if x.isLess(y) {
		return signed(x[1], x[0], a.Sign() < 0)
	}
	_, high, low := x.by(y[1], y[0]) // y is at most x; if it has been scaled, x has not, and so both are less than 2^127
	return signed(high, low, a.Sign() < 0)
}

// Quotient returns a/b without decimals, for a b that is not 0, and whether it is a BIGINT.
func Quotient(a, b Num, aScale, bScale int32) (int64, bool) {
	scale := max(aScale, bScale)
	x, y := scaled(a, scale-aScale), scaled(b, scale-bScale)
	if x.isLess(y) {
		return 0, true
	}
	q, _, _ := x.by(y[1], y[0])
	return q.bigInt((a.Sign() < 0) != (b.Sign() < 0))
}

func (a wide) bigInt(negative bool) (int64, bool) {
	switch {
	case a[3]|a[2]|a[1] != 0:
		return 0, false
	case negative:
		return -int64(a[0]), a[0] <= 1<<63
	}
	return int64(a[0]), a[0] < 1<<63
}

// Rescale returns v of one scale as a value of type t, half rounded away from zero. It returns false if that does not fit.
func Rescale(v Num, scale int32, t Type) (Num, bool) {
	if scale == t.Scale {
		return v, Fits(v, t.Precision)
	}
	return scaled(v, t.Scale-scale).rounded(scale-t.Scale).result(v.Sign() < 0, t.Precision)
}

// Whole returns v without decimals, and whether that is a BIGINT.
func Whole(v Num, scale int32) (int64, bool) { return Quotient(v, powers[0], scale, 0) }

// Mode says how a value is rounded.
type Mode uint8

// The modes of rounding.
const (
	// HalfUp rounds to the nearest value, of two that are as near to the one farther from zero.
	HalfUp Mode = iota
	// HalfEven rounds to the nearest value, of two that are as near to the even one.
	HalfEven
	// Floor rounds down.
	Floor
	// Ceil rounds up.
	Ceil
)

// Round returns v rounded to so many digits behind the point, fewer than none for tens, hundreds and so on, as a value of type t, whose
// scale is at least digits. It returns false if that does not fit.
func Round(v Num, scale, digits int32, mode Mode, t Type) (Num, bool) {
	drop := scale - digits
	if drop <= 0 {
		return Rescale(v, scale, t)
	}
	negative := v.Sign() < 0
	high, low := magnitude(v)
	var q wide
	var half int // where the rest is: before the half, at it, or behind
	isWhole := high == 0 && low == 0
	if drop > MaxPrecision {
		half = -1
	} else {
		p := powers[drop]
		pHigh, pLow := uint64(p.HighBits()), p.LowBits()
		var restHigh, restLow uint64
		q, restHigh, restLow = wide{low, high}.by(pHigh, pLow)
		isWhole = restHigh == 0 && restLow == 0
		half = Compare(signed(restHigh<<1|restLow>>63, restLow<<1, false), p) // twice a rest is less than 2^127
	}
	isUp := false
	switch mode {
	case HalfUp:
		isUp = half >= 0
	case HalfEven:
		isUp = half > 0 || half == 0 && q[0]&1 == 1
	case Floor:
		isUp = negative && !isWhole
	case Ceil:
		isUp = !negative && !isWhole
	}
	if isUp {
		q = q.plus(wide{1})
	}
	up := t.Scale - digits
	if q == (wide{}) {
		return Num{}, true
	}
	if up > MaxPrecision || !q.fits() {
		return Num{}, false
	}
	return scaled(signed(q[1], q[0], false), up).result(negative, t.Precision)
}
