package ingest

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/tidemill/tidemill/batch"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// digits reads the decimal digits from p on: their value, which is right up to 19 digits, and how many they are.
//
// Example: at `1234,"ab` the word without 0x30 has the bytes 1 2 3 4 1C 12 51 52, the fifth is the first above 9: n is 4. Shifted
// up by 4 bytes it is 0 0 0 0 1 2 3 4, whose value is 1234.
func digits(buf []byte, p int) (v uint64, n int) {
	for {
		t := load(buf, p+n) ^ '0'*ones
		// A byte above 9 gets its high bit; carries reach only bytes behind the first such byte.
		other := (t + (0x80-10)*ones | t) & highs
		if other != 0 {
			k := bits.TrailingZeros64(other) >> 3
			if k == 0 {
				return v, n
			}
			return v*pow10[k] + batch.EightDigits(t<<(64-8*k)), n + k
		}
		v = v*1e8 + batch.EightDigits(t)
		n += 8
	}
}

// lowBytes returns a mask of the n lowest bytes.
func lowBytes(n int) uint64 { return 1<<(8*n) - 1 }

var pow10 = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// pow10Exact has the powers of ten that a float64 holds exactly: up to 22, since 5^22 < 2^53.
var pow10Exact = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// maxExact is the largest integer up to which a float64 holds every integer.
const maxExact = 1 << 53

// scanInt reads an integer without plus sign or superfluous zeros from p on, as JSON and CSV have it, and returns the index behind
// it; 0 if there is none or it is not within 19 digits, for parseInt to look at.
func scanInt(buf []byte, p int) (v int64, end int) {
	negative := buf[p] == '-'
	if negative {
		p++
	}
	u, n := digits(buf, p)
	if n == 0 || n > 19 || n > 1 && buf[p] == '0' {
		return 0, 0
	}
	if negative {
		if u > 1<<63 {
			return 0, 0
		}
		return -int64(u), p + n
	}
	if u > math.MaxInt64 {
		return 0, 0
	}
	return int64(u), p + n
}

// scanDouble reads a number in the grammar of RFC 8259 from p on and returns the index behind it; 0 if there is none or it is
// out of range, for parseDouble to look at.
//
// A decimal of at most 19 digits whose digits are an integer below 2^53, with an exponent within 22, is one exact integer and
// one correctly rounded operation (Clinger 1990); all else goes to strconv.
func scanDouble(buf []byte, p int) (v float64, end int) {
	start := p
	if buf[p] == '-' {
		p++
	}
	m, n := digits(buf, p)
	if n == 0 || n > 1 && buf[p] == '0' {
		return 0, 0
	}
	p += n
	places := 0
	if buf[p] == '.' {
		var frac uint64
		frac, places = digits(buf, p+1)
		if places == 0 {
			return 0, 0
		}
		p += 1 + places
		n += places
		if n <= 19 {
			m = m*pow10[places] + frac
		}
	}
	if buf[p]|0x20 == 'e' || n > 19 || m > maxExact {
		return scanLongDouble(buf, start)
	}
	v = float64(m) / pow10Exact[places]
	if buf[start] == '-' {
		v = -v
	}
	return v, p
}

// scanLongDouble is scanDouble for what has an exponent or many digits.
func scanLongDouble(buf []byte, p int) (v float64, end int) {
	end, _ = numberEnd(buf, p)
	if end == 0 {
		return 0, 0
	}
	v, f := parseDouble(buf[p:end])
	if f != noFault {
		return 0, 0
	}
	return v, end
}

// numberEnd returns the index behind the number of RFC 8259 from p on, 0 if there is none, and whether it is an integer: it has
// neither fraction nor exponent.
func numberEnd(buf []byte, p int) (end int, isInt bool) {
	if buf[p] == '-' {
		p++
	}
	_, n := digits(buf, p)
	if n == 0 || n > 1 && buf[p] == '0' {
		return 0, false
	}
	p += n
	isInt = true
	if buf[p] == '.' {
		if _, n = digits(buf, p+1); n == 0 {
			return 0, false
		}
		p += 1 + n
		isInt = false
	}
	if buf[p]|0x20 == 'e' {
		p++
		if buf[p] == '+' || buf[p] == '-' {
			p++
		}
		if _, n = digits(buf, p); n == 0 {
			return 0, false
		}
		p += n
		isInt = false
	}
	return p, isInt
}

// parseInt reads all of v as strconv.ParseInt does in base 10.
func parseInt(v []byte) (int64, fault) {
	r, err := strconv.ParseInt(textOf(v), 10, 64)
	f := faultOf(err)
	if f == outOfRange { // which strconv says before it meets other bytes than digits
		for _, c := range v[1:] {
			if !isDigit(c) {
				return 0, notOfType
			}
		}
	}
	return r, f
}

// parseDouble reads all of v as strconv.ParseFloat does, but for hexadecimal numbers, which are none here.
func parseDouble(v []byte) (float64, fault) {
	for _, c := range v {
		if c|0x20 == 'x' || c == '_' {
			return 0, notOfType
		}
	}
	r, err := strconv.ParseFloat(textOf(v), 64)
	return r, faultOf(err)
}

func faultOf(err error) fault {
	switch {
	case err == nil:
		return noFault
	case errors.Is(err, strconv.ErrRange):
		return outOfRange
	}
	return notOfType
}

// parseBool reads true and false, in any case.
func parseBool(v []byte) (isTrue bool, f fault) {
	switch {
	case equalFoldASCII(v, "true"):
		return true, noFault
	case equalFoldASCII(v, "false"):
		return false, noFault
	}
	return false, notOfType
}

// equalFoldASCII compares v, in any case, with lower-case letters.
func equalFoldASCII(v []byte, lower string) bool {
	if len(v) != len(lower) {
		return false
	}
	for i, c := range v {
		if c|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// textOf returns v as a string over the same memory, for calls that do not keep it.
func textOf(v []byte) string { return unsafe.String(unsafe.SliceData(v), len(v)) }
