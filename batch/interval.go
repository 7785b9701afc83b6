package batch

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"
)

const (
	microsPerSecond = 1_000_000
	secondsPerDay   = 24 * 60 * 60
	microsPerDay    = secondsPerDay * microsPerSecond
)

// AppendDayTime appends an INTERVAL DAY TO SECOND of microseconds in the form INTERVAL '1 02:03:04.5' DAY TO SECOND, as Spark does.
func AppendDayTime(dst []byte, micros int64) []byte {
	dst = append(dst, "INTERVAL '"...)
	magnitude := uint64(micros)
	if micros < 0 {
		dst = append(dst, '-')
		magnitude = -magnitude
	}
	dst = strconv.AppendUint(dst, magnitude/microsPerDay, 10)
	rest := magnitude % microsPerDay
	seconds := rest / microsPerSecond
	dst = appendTwo(append(dst, ' '), seconds/3600)
	dst = appendTwo(append(dst, ':'), seconds/60%60)
	dst = appendTwo(append(dst, ':'), seconds%60)
	if fraction := rest % microsPerSecond; fraction > 0 {
		dst = append(dst, '.')
		for unit := uint64(microsPerSecond / 10); fraction > 0; unit /= 10 {
			dst = append(dst, byte('0'+fraction/unit))
			fraction %= unit
		}
	}
	return append(dst, "' DAY TO SECOND"...)
}

func appendTwo(dst []byte, v uint64) []byte { return append(dst, byte('0'+v/10), byte('0'+v%10)) }

// AppendYearMonth appends an INTERVAL YEAR TO MONTH of months in the form INTERVAL '1-2' YEAR TO MONTH, as Spark does.
func AppendYearMonth(dst []byte, months int64) []byte {
	dst = append(dst, "INTERVAL '"...)
	if months < 0 {
		dst = append(dst, '-')
		months = -months
	}
	dst = strconv.AppendInt(dst, months/12, 10)
	dst = strconv.AppendInt(append(dst, '-'), months%12, 10)
	return append(dst, "' YEAR TO MONTH"...)
}

// ParseDayTime reads the form of AppendDayTime, or what is between its quotes, and returns microseconds.
func ParseDayTime(text []byte) (micros int64, ok bool) {
	text, negative, ok := intervalText(text, "DAY TO SECOND")
	if !ok {
		return 0, false
	}
	days, text, ok := cutNumber(text, ' ', math.MaxInt64/microsPerDay)
	if !ok {
		return 0, false
	}
	clock, fraction, hasFraction := bytes.Cut(text, []byte("."))
	hours, clock, hoursFit := cutNumber(clock, ':', 23)
	minutes, clock, minutesFit := cutNumber(clock, ':', 59)
	seconds, _, secondsFit := cutNumber(clock, 0, 59)
	if !hoursFit || !minutesFit || !secondsFit || hasFraction && (len(fraction) == 0 || len(fraction) > 9) {
		return 0, false
	}
	unit, part := uint64(microsPerSecond), uint64(0)
	for _, c := range fraction {
		if c-'0' > 9 {
			return 0, false
		}
		unit /= 10
		part += uint64(c-'0') * unit
	}
	// Of the largest day not all hours fit.
	magnitude, carry := bits.Add64(days*microsPerDay, ((hours*60+minutes)*60+seconds)*microsPerSecond+part, 0)
	return withSign(magnitude, negative, carry == 0)
}

// ParseYearMonth reads the form of AppendYearMonth, or what is between its quotes, and returns months.
func ParseYearMonth(text []byte) (months int64, ok bool) {
	text, negative, ok := intervalText(text, "YEAR TO MONTH")
	if !ok {
		return 0, false
	}
	years, text, ok := cutNumber(text, '-', 1<<31/12)
	if !ok {
		return 0, false
	}
	part, _, ok := cutNumber(text, 0, 11)
	months, ok = withSign(years*12+part, negative, ok)
	return months, ok && months >= -1<<31 && months < 1<<31
}

func withSign(magnitude uint64, negative, ok bool) (int64, bool) {
	if negative {
		return -int64(magnitude), ok && magnitude <= 1<<63
	}
	return int64(magnitude), ok && magnitude < 1<<63
}

// intervalText returns what is between the quotes of INTERVAL '…' units, or all of text, without its sign.
func intervalText(text []byte, units string) (inner []byte, negative, ok bool) {
	const word = "INTERVAL"
	sign := func() {
		if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
			negative = negative != (text[0] == '-')
			text = text[1:]
		}
	}
	if len(text) > len(word) && bytes.EqualFold(text[:len(word)], []byte(word)) {
		text = bytes.TrimLeft(text[len(word):], " ")
		sign()
		if len(text) == 0 || text[0] != '\'' {
			return nil, false, false
		}
		end := bytes.IndexByte(text[1:], '\'')
		if end < 0 || !bytes.EqualFold(bytes.TrimLeft(text[end+2:], " "), []byte(units)) {
			return nil, false, false
		}
		text = text[1 : 1+end]
	}
	sign()
	return text, negative, true
}

// cutNumber reads digits up to end, or all of text where that is 0, as a number that is at most limit.
func cutNumber(text []byte, end byte, limit uint64) (v uint64, rest []byte, ok bool) {
	n := 0
	for ; n < len(text) && text[n]-'0' <= 9; n++ {
		v = v*10 + uint64(text[n]-'0')
		if v > limit {
			return 0, nil, false
		}
	}
	switch {
	case n == 0:
		return 0, nil, false
	case end == 0:
		return v, nil, n == len(text)
	case n == len(text) || text[n] != end:
		return 0, nil, false
	}
	return v, text[n+1:], true
}
