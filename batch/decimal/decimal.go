// Package decimal computes with the values of DECIMAL(precision, scale): 128-bit integers that count units of 10^-scale. Nothing
// here allocates, but for what is appended to a caller's slice.
package decimal

import (
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// MaxPrecision is how many digits a DECIMAL has at most: what 127 bits hold for sure.
const MaxPrecision = 38

// Num is a value, without its scale.
type Num = decimal128.Num

// powers has 10^0 to 10^38.
var powers = func() (p [MaxPrecision + 1]Num) {
	p[0] = decimal128.FromU64(1)
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1].Mul(decimal128.FromU64(10))
	}
	return p
}()

// Power returns 10^n, for n from 0 to MaxPrecision.
func Power(n int32) Num { return powers[n] }

// Fits says whether v has at most precision digits.
func Fits(v Num, precision int32) bool {
	return Compare(v, powers[precision]) < 0 && Compare(v.Negate(), powers[precision]) < 0
}

// Compare returns -1, 0 or 1, for values of one scale.
func Compare(a, b Num) int {
	switch {
	case a.HighBits() < b.HighBits() || a.HighBits() == b.HighBits() && a.LowBits() < b.LowBits():
		return -1
	case a == b:
		return 0
	}
	return 1
}

// magnitude returns the absolute value of v as an unsigned number of 128 bits.
func magnitude(v Num) (high, low uint64) {
	if v.Sign() < 0 {
		v = v.Negate()
	}
	return uint64(v.HighBits()), v.LowBits()
}

// signed returns the number with a magnitude of less than 2^127.
func signed(high, low uint64, negative bool) Num {
	v := decimal128.New(int64(high), low)
	if negative {
		return v.Negate()
	}
	return v
}

// half is how many digits fit in 64 bits, and their power.
const (
	half      = 19
	halfPower = 1e19
)

// Append appends v with all the digits of its scale: 120 of scale 2 is 1.20.
func Append(dst []byte, v Num, scale int32) []byte {
	if v.Sign() < 0 {
		dst = append(dst, '-')
	}
	var memory [2*half + 2]byte
	digits := appendMagnitude(memory[:0], v)
	whole := len(digits) - int(scale)
	if whole <= 0 {
		dst = append(dst, '0')
	} else {
		dst = append(dst, digits[:whole]...)
	}
	if scale <= 0 {
		return dst
	}
	dst = append(dst, '.')
	for ; whole < 0; whole++ {
		dst = append(dst, '0')
	}
	return append(dst, digits[whole:]...)
}

func appendMagnitude(dst []byte, v Num) []byte {
	high, low := magnitude(v)
	if high == 0 {
		return strconv.AppendUint(dst, low, 10)
	}
	// 2^127 / 10^19 is less than 2^64, so that one division of the high word comes before that of both.
	upper := high / halfPower
	lower, rest := bits.Div64(high%halfPower, low, halfPower)
	if upper > 0 { // never below 10^38
		dst = strconv.AppendUint(dst, upper, 10)
		dst = appendPadded(dst, lower)
	} else {
		dst = strconv.AppendUint(dst, lower, 10)
	}
	return appendPadded(dst, rest)
}

// appendPadded appends v with 19 digits.
func appendPadded(dst []byte, v uint64) []byte {
	n := len(dst)
	dst = append(dst, "0000000000000000000"...)
	for i := n + half - 1; v > 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
	return dst
}

// Fault is why a text is no value of a type.
type Fault uint8

const (
	// Fine says that the text is a value.
	Fine Fault = iota
	// NoNumber says that the text is no decimal number.
	NoNumber
	// OutOfRange says that the number has more digits before the point than the type.
	OutOfRange
)

// maxExponent bounds the exponents that Parse looks at; no number of a script's or record's length means anything beyond it.
const maxExponent = 1 << 30

// Parse reads all of text, a number such as -12.5 or 1.25e-3, as a DECIMAL(precision, scale). Digits behind the scale are rounded,
// half away from zero.
func Parse(text []byte, precision, scale int32) (Num, Fault) {
	n, fault := scan(text)
	if fault != Fine {
		return Num{}, fault
	}
	// The digits d1 d2 … dk mean d1d2…dk * 10^exponent; those up to keep count units of 10^-scale.
	keep := n.digits + n.exponent + int(scale)
	switch {
	case n.digits == 0 || keep < 0:
		return Num{}, Fine
	case keep > int(precision):
		return Num{}, OutOfRange
	}
	var high, low uint64
	seen := 0
	roundsUp := false
	for _, c := range n.text {
		if c == '.' || seen == 0 && c == '0' {
			continue
		}
		if seen == keep {
			roundsUp = c >= '5'
			break
		}
		high, low = timesTen(high, low, uint64(c-'0'))
		seen++
	}
	for ; seen < keep; seen++ {
		high, low = timesTen(high, low, 0)
	}
	if roundsUp {
		var carry uint64
		low, carry = bits.Add64(low, 1, 0)
		high += carry
	}
	v := signed(high, low, n.negative)
	if !Fits(v, precision) {
		return Num{}, OutOfRange
	}
	return v, Fine
}

func timesTen(high, low, digit uint64) (uint64, uint64) {
	carry, product := bits.Mul64(low, 10)
	product, c := bits.Add64(product, digit, 0)
	return high*10 + carry + c, product
}

// number is a number taken apart: text has its digits and maybe a point, digits is how many there are from the first one on that is
// not 0, and exponent the power of ten that the last one counts.
type number struct {
	text     []byte
	negative bool
	digits   int
	exponent int
}

func scan(text []byte) (n number, fault Fault) {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		n.negative = text[0] == '-'
		text = text[1:]
	}
	n.text = text
	hasDigits, hasPoint := false, false
	i := 0
	for ; i < len(text); i++ {
		c := text[i]
		if c == '.' && !hasPoint {
			hasPoint = true
			continue
		}
		if c-'0' > 9 {
			break
		}
		hasDigits = true
		if hasPoint {
			n.exponent--
		}
		if n.digits > 0 || c != '0' {
			n.digits++
		}
	}
	n.text = text[:i]
	if !hasDigits {
		return n, NoNumber
	}
	if i == len(text) {
		return n, Fine
	}
	if text[i] != 'e' && text[i] != 'E' {
		return n, NoNumber
	}
	exponent, ok := scanExponent(text[i+1:])
	if !ok {
		return n, NoNumber
	}
	n.exponent += exponent
	return n, Fine
}

func scanExponent(text []byte) (v int, ok bool) {
	negative := false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		text = text[1:]
	}
	if len(text) == 0 {
		return 0, false
	}
	for _, c := range text {
		if c-'0' > 9 {
			return 0, false
		}
		v = min(v*10+int(c-'0'), maxExponent)
	}
	if negative {
		v = -v
	}
	return v, true
}

// Digits returns the precision and scale of the number that text is: those of the smallest DECIMAL that holds it exactly. fault is
// OutOfRange where there is none.
func Digits(text []byte) (precision, scale int32, fault Fault) {
	n, fault := scan(text)
	if fault != Fine {
		return 0, 0, fault
	}
	if n.digits == 0 {
		n.exponent = max(n.exponent, -MaxPrecision-1)
	}
	s := max(0, -n.exponent)
	p := max(n.digits+max(0, n.exponent), s, 1)
	if p > MaxPrecision {
		return 0, 0, OutOfRange
	}
	return int32(p), int32(s), Fine
}

// Of returns the BIGINT v as a value of scale 0.
func Of(v int64) Num { return decimal128.FromI64(v) }

// Double returns the DOUBLE that is nearest to v.
func Double(v Num, scale int32) float64 {
	high, low := magnitude(v)
	if high == 0 && low <= 1<<53 && scale <= 22 { // both are exact, so that the quotient is rounded once (Clinger 1990)
		d := float64(low) / exactPowers[scale]
		if v.Sign() < 0 {
			return -d
		}
		return d
	}
	var memory [2*half + 8]byte
	text := appendMagnitude(memory[:0], v)
	text = append(text, 'e', '-')
	text = strconv.AppendInt(text, int64(scale), 10)
	d, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
	if err != nil {
		return 0 // never: 38 digits are in range
	}
	if v.Sign() < 0 {
		return -d
	}
	return d
}

// exactPowers has the powers of ten that are DOUBLEs: up to 22, since 5^22 < 2^53.
var exactPowers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}
