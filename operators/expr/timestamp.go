package expr

import "math"

const (
	usPerSecond = 1_000_000
	usPerMinute = 60 * usPerSecond
	usPerHour   = 60 * usPerMinute
	usPerDay    = 24 * usPerHour
)

// parseTimestamp returns the microseconds since the epoch that text says: RFC 3339, or yyyy-MM-dd[ T]HH:mm[:ss[.f…]][zone], or the
// date alone. A zone is Z or ±hh:mm; without one the time is UTC. Decimals behind the sixth are cut off.
func parseTimestamp(s []byte) (int64, error) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return 0, errNoTimestamp
	}
	year, month, day := digits(s[:4]), digits(s[5:7]), digits(s[8:10])
	if year < 0 || month < 1 || month > 12 || day < 1 || day > daysOfMonth(year, month) {
		return 0, errNoTimestamp
	}
	us := daysFromCivil(year, month, day) * usPerDay
	s = s[10:]
	if len(s) == 0 {
		return us, nil
	}
	if s[0] != 'T' && s[0] != ' ' && s[0] != 't' || len(s) < 6 || s[3] != ':' {
		return 0, errNoTimestamp
	}
	hour, minute := digits(s[1:3]), digits(s[4:6])
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, errNoTimestamp
	}
	us += hour*usPerHour + minute*usPerMinute
	s = s[6:]
	if len(s) >= 3 && s[0] == ':' {
		second := digits(s[1:3])
		if second < 0 || second > 59 {
			return 0, errNoTimestamp
		}
		us += second * usPerSecond
		s = s[3:]
		if len(s) > 0 && s[0] == '.' {
			n := 1
			for unit := int64(usPerSecond / 10); n < len(s) && isDigit(s[n]); n++ {
				us += int64(s[n]-'0') * unit
				unit /= 10
			}
			if n == 1 {
				return 0, errNoTimestamp
			}
			s = s[n:]
		}
	}
	zone, ok := parseZone(s)
	if !ok {
		return 0, errNoTimestamp
	}
	return us - zone, nil
}

// parseZone returns the offset of a zone in microseconds.
func parseZone(s []byte) (us int64, ok bool) {
	switch {
	case len(s) == 0, len(s) == 1 && (s[0] == 'Z' || s[0] == 'z'):
		return 0, true
	case len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':':
		return 0, false
	}
	hour, minute := digits(s[1:3]), digits(s[4:6])
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, false
	}
	us = hour*usPerHour + minute*usPerMinute
	if s[0] == '-' {
		us = -us
	}
	return us, true
}

// digits returns the number that s is, -1 if it has anything but digits.
func digits(s []byte) int64 {
	v := int64(0)
	for _, c := range s {
		if !isDigit(c) {
			return -1
		}
		v = v*10 + int64(c-'0')
	}
	return v
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func daysOfMonth(year, month int64) int64 {
	switch {
	case month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}

// daysFromCivil returns the days since 1970-01-01 of a date of the proleptic Gregorian calendar (Hinnant, chrono-compatible
// low-level date algorithms, 2013): years begin in March, so that the leap day is the last one. 2000-03-01 gives 11017.
func daysFromCivil(year, month, day int64) int64 {
	if month <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	yearOfEra := year - era*400
	dayOfYear := (153*((month+9)%12)+2)/5 + day - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return era*146097 + dayOfEra - 719468
}

// civilFromDays is the inverse of daysFromCivil.
func civilFromDays(days int64) (year, month, day int64) {
	days += 719468
	era := floorDiv(days, 146097)
	dayOfEra := days - era*146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*dayOfYear + 2) / 153 // 0 is March
	day = dayOfYear - (153*shifted+2)/5 + 1
	month = shifted%12 + 3
	year = yearOfEra + era*400
	if month > 12 {
		month -= 12
	}
	if month <= 2 {
		year++
	}
	return year, month, day
}

// floorDiv returns a/b rounded down, for positive b.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// multiply returns a*b and whether it fits, for positive b.
func multiply(a, b int64) (int64, bool) {
	return a * b, a <= math.MaxInt64/b && a >= math.MinInt64/b
}
