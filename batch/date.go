package batch

import "strconv"

// Days since 1970-01-01 and the calendar: years begin in March here, so that the 29th of February is the last day of one, and 400
// years are an era of 146097 days (Hinnant 2013, "chrono-compatible low-level date algorithms").

const (
	daysPerEra  = 146097
	eraOf1970   = 719468 // days from 0000-03-01 to 1970-01-01
	yearsPerEra = 400
)

// DayOf returns the days from 1970-01-01 to a day of the Gregorian calendar, which is taken to go on before 1582; months and days
// count from 1.
func DayOf(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := floorDiv(year, yearsPerEra)
	yearOfEra := year - era*yearsPerEra
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	return era*daysPerEra + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - eraOf1970
}

// CalendarOf returns the year, month and day that are days after 1970-01-01.
func CalendarOf(days int64) (year, month, day int64) {
	days += eraOf1970
	era := floorDiv(days, daysPerEra)
	dayOfEra := days - era*daysPerEra
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	month = (5*dayOfYear + 2) / 153
	day = dayOfYear - (153*month+2)/5 + 1
	month += 3
	year = era*yearsPerEra + yearOfEra
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

// DaysIn returns how many days a month has.
func DaysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// AppendDate appends a DATE, days after 1970-01-01, in the form 2026-01-31. Years of more than four digits have a sign.
func AppendDate(dst []byte, days int64) []byte {
	year, month, day := CalendarOf(days)
	switch {
	case year < 0:
		dst = append(dst, '-')
		year = -year
	case year > 9999:
		dst = append(dst, '+')
	}
	for limit := int64(1000); limit > max(year, 1); limit /= 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendInt(dst, year, 10)
	dst = append(dst, '-', byte('0'+month/10), byte('0'+month%10))
	return append(dst, '-', byte('0'+day/10), byte('0'+day%10))
}

// ParseDate reads text as Spark casts it to DATE: a year of four to seven digits with an optional sign, then maybe a month and a day
// of one or two digits each, and behind the day a blank or a T and anything. It returns days after 1970-01-01.
func ParseDate(text []byte) (days int64, ok bool) {
	sign := int64(1)
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		if text[0] == '-' {
			sign = -1
		}
		text = text[1:]
	}
	parts := [3]int64{0, 1, 1}
	for k := 0; ; k++ {
		least, most := 1, 2
		if k == 0 {
			least, most = 4, 7
		}
		n := 0
		parts[k] = 0
		for n < len(text) && text[n]-'0' <= 9 {
			if n == most {
				return 0, false
			}
			parts[k] = parts[k]*10 + int64(text[n]-'0')
			n++
		}
		if n < least {
			return 0, false
		}
		text = text[n:]
		if len(text) == 0 || k == 2 {
			break
		}
		if text[0] != '-' {
			return 0, false
		}
		text = text[1:]
	}
	if len(text) > 0 && text[0] != ' ' && text[0] != 'T' {
		return 0, false
	}
	year, month, day := sign*parts[0], parts[1], parts[2]
	if month < 1 || month > 12 || day < 1 || day > DaysIn(year, month) {
		return 0, false
	}
	days = DayOf(year, month, day)
	return days, days >= -1<<31 && days < 1<<31
}
