package expr

import "math"

const (
	usPerSecond = 1_000_000
	usPerMinute = 60 * usPerSecond
	usPerHour   = 60 * usPerMinute
	usPerDay    = 24 * usPerHour
)

// parseTimestamp returns the microseconds since the epoch that text says, in the forms of Spark's casts: yyyy[-[M]M[-[d]d]], and behind a
// whole date a space or T, [h]h[:[m]m[:[s]s[.f…][zone]]]. A year has four to six digits, maybe with a sign; decimals behind the sixth
// are cut off. Without a zone the time is UTC.
func parseTimestamp(s []byte) (int64, error) {
	negative := len(s) > 0 && s[0] == '-'
	if negative || len(s) > 0 && s[0] == '+' {
		s = s[1:]
	}
	date := [3]int64{0, 1, 1}
	k := 0
	for ; ; k++ {
		var ok bool
		if date[k], s, ok = leadingDigits(s, k == 0); !ok {
			return 0, errNoTimestamp
		}
		if k == 2 || len(s) == 0 || s[0] != '-' {
			break
		}
		s = s[1:]
	}
	if negative {
		date[0] = -date[0]
	}
	year, month, day := date[0], date[1], date[2]
	if month < 1 || month > 12 || day < 1 || day > daysOfMonth(year, month) || year < -290_307 || year > 294_246 {
		return 0, errNoTimestamp
	}
	days := daysFromCivil(year, month, day)
	clock, z := int64(0), zone{}
	if len(s) > 0 {
		if k < 2 || s[0] != ' ' && s[0] != 'T' {
			return 0, errNoTimestamp
		}
		var err error
		if clock, z, err = parseClock(s[1:]); err != nil {
			return 0, err
		}
	}
	us, fits := multiply(days, usPerDay)
	if us += clock; !fits || us < 0 && days > 0 {
		return 0, errNoTimestamp
	}
	return z.toUTC(us), nil
}

// parseClock reads the time of day and the zone behind it.
func parseClock(s []byte) (us int64, z zone, err error) {
	if len(s) == 0 {
		return 0, zone{}, nil
	}
	units := [3]int64{usPerHour, usPerMinute, usPerSecond}
	for k, unit := range units {
		v, rest, ok := leadingDigits(s, false)
		if !ok || v > 59 || k == 0 && v > 23 {
			return 0, zone{}, errNoTimestamp
		}
		us += v * unit
		if s = rest; len(s) == 0 {
			return us, zone{}, nil
		}
		if k < 2 {
			if s[0] != ':' {
				return 0, zone{}, errNoTimestamp
			}
			s = s[1:]
		}
	}
	if s[0] == '.' {
		s = s[1:]
		for unit := int64(usPerSecond / 10); len(s) > 0 && isDigit(s[0]); s = s[1:] {
			us += int64(s[0]-'0') * unit
			unit /= 10
		}
	}
	if len(s) > 0 {
		var ok bool
		if z, ok = zoneNamed(trimBytes(s)); !ok {
			return 0, zone{}, errNoTimestamp
		}
	}
	return us, z, nil
}

// leadingDigits reads the one or two digits at the start of s, of a year four to six.
func leadingDigits(s []byte, isYear bool) (v int64, rest []byte, ok bool) {
	n := 0
	for n < len(s) && n < 7 && isDigit(s[n]) {
		v = v*10 + int64(s[n]-'0')
		n++
	}
	return v, s[n:], isYear && n >= 4 && n <= 6 || !isYear && (n == 1 || n == 2)
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
