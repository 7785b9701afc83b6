package ingest

import (
	"time"

	"github.com/tidemill/tidemill/batch"
)

// timeParser reads TIMESTAMP values. It remembers the last date, so that a run of times of one day costs no calendar. It is used
// by one goroutine at a time.
type timeParser struct {
	// date is the text of the last date, all zero before the first; low has its first 8 bytes, high the other 2.
	low  uint64
	high uint16
	// midnight is the start of that date in microseconds.
	midnight int64
}

const (
	microsPerSecond = 1_000_000
	dateLen         = len("2006-01-02")
	dateTimeLen     = len("2006-01-02T15:04:05")
	maxDecimals     = 9
)

// parse reads all of v: a date, or a date and a time with a T or a space between and up to nine decimals, cut to microseconds,
// then Z, an offset such as +02:00, or nothing, which means UTC. A date alone is midnight.
func (t *timeParser) parse(v []byte) (int64, fault) {
	if len(v) < dateLen {
		return 0, notOfType
	}
	if !t.setDate(v) {
		return 0, notOfType
	}
	if len(v) == dateLen {
		return t.midnight, noFault
	}
	if len(v) < dateTimeLen || v[10] != 'T' && v[10] != ' ' && v[10] != 't' || v[13] != ':' || v[16] != ':' {
		return 0, notOfType
	}
	hour, minute, second := twoDigits(v[11], v[12]), twoDigits(v[14], v[15]), twoDigits(v[17], v[18])
	if hour > 23 || minute > 59 || second > 59 {
		return 0, notOfType
	}
	us := t.midnight + int64(hour*3600+minute*60+second)*microsPerSecond
	v = v[dateTimeLen:]
	if len(v) > 0 && v[0] == '.' {
		n := 1
		unit := int64(microsPerSecond)
		for n < len(v) && isDigit(v[n]) {
			unit /= 10
			us += int64(v[n]-'0') * unit
			n++
		}
		if n == 1 || n > 1+maxDecimals {
			return 0, notOfType
		}
		v = v[n:]
	}
	switch {
	case len(v) == 0, len(v) == 1 && v[0]|0x20 == 'z':
		return us, noFault
	case len(v) == len("+02:00") && v[3] == ':':
		hour, minute = twoDigits(v[1], v[2]), twoDigits(v[4], v[5])
		if hour > 23 || minute > 59 {
			return 0, notOfType
		}
		offset := int64(hour*3600+minute*60) * microsPerSecond
		switch v[0] {
		case '+':
			return us - offset, noFault
		case '-':
			return us + offset, noFault
		}
	}
	return 0, notOfType
}

// parseUsual reads buf[from:to] if it is a time in UTC as programs write it, such as 2026-03-01T10:11:12Z and the same with 1 to 6
// decimals, and says whether it is. There are batch.Slack bytes behind.
//
// Example: without 0x30, and the colons made 0, 10:11:12 has the bytes 1 0 0 1 1 0 1 2. Ten times each plus the one behind it is
// hour, minute and second, in bytes 0, 3 and 6.
func (t *timeParser) parseUsual(buf []byte, from, to int) (us int64, ok bool) {
	size := to - from
	if size < len("2026-03-01T10:11:12Z") || size > len("2026-03-01T10:11:12.123456Z") {
		return 0, false
	}
	if (load(buf, from) != t.low || uint16(load(buf, from+8)) != t.high || t.low == 0) && !t.setDate(buf[from:to]) {
		return 0, false
	}
	clock := load(buf, from+11) ^ 0x30303A30303A3030
	pairs := clock*10 + clock>>8
	hour, minute, second := pairs&0xFF, pairs>>24&0xFF, pairs>>48&0xFF
	// The fraction: `.123Z` has 3 decimals. What follows them is made zeros, so that they are the first of eight digits.
	fraction := load(buf, from+19)
	decimals := size - len("2026-03-01T10:11:12.Z")
	digits := fraction>>8 ^ '0'*ones
	if decimals < 0 {
		fraction, decimals = '.', 0
	}
	digits &= lowBytes(decimals)
	if buf[from+10] != 'T' || byte(fraction) != '.' || buf[to-1] != 'Z' || decimals == 0 && size != len("2026-03-01T10:11:12Z") ||
		batch.NotDigits(clock)|batch.NotDigits(digits)|clock&0x0000FF0000FF0000 != 0 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	return t.midnight + int64(hour*3600+minute*60+second)*microsPerSecond + int64(batch.EightDigits(digits)/100), true
}

// setDate makes the first ten bytes of v the date, and says whether they are one.
func (t *timeParser) setDate(v []byte) bool {
	low := load(v, 0)
	high := uint16(v[8]) | uint16(v[9])<<8
	if low == t.low && high == t.high && low != 0 {
		return true
	}
	if v[4] != '-' || v[7] != '-' {
		return false
	}
	century, year, month, day := twoDigits(v[0], v[1]), twoDigits(v[2], v[3]), twoDigits(v[5], v[6]), twoDigits(v[8], v[9])
	if century > 99 || year > 99 || month < 1 || month > 12 || day < 1 || day > 31 {
		return false
	}
	midnight := time.Date(int(century*100+year), time.Month(month), int(day), 0, 0, 0, 0, time.UTC)
	if midnight.Day() != int(day) { // the 30th of February is the 1st or 2nd of March
		return false
	}
	t.low, t.high, t.midnight = low, high, midnight.UnixMicro()
	return true
}

// twoDigits returns the value of two digits, at least 100 if one of them is none.
func twoDigits(a, b byte) uint32 {
	tens, units := uint32(a-'0'), uint32(b-'0')
	if tens > 9 || units > 9 {
		return 100
	}
	return tens*10 + units
}

func isDigit(c byte) bool { return c-'0' <= 9 }
