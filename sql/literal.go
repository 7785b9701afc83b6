package sql

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// intervalUnit is a unit of INTERVAL under its names, the first of which is printed.
type intervalUnit struct {
	size  time.Duration
	names []string
}

// intervalUnits are from the largest to the smallest.
var intervalUnits = []intervalUnit{
	{7 * 24 * time.Hour, []string{"week", "weeks", "w"}},
	{24 * time.Hour, []string{"day", "days", "d"}},
	{time.Hour, []string{"hour", "hours", "h"}},
	{time.Minute, []string{"minute", "minutes", "min"}},
	{time.Second, []string{"second", "seconds", "sec", "s"}},
	{time.Millisecond, []string{"millisecond", "milliseconds", "msec", "ms"}},
	{time.Microsecond, []string{"microsecond", "microseconds", "us", "µs"}},
}

func unitNamed(s string) (time.Duration, error) {
	s = asciiLower(s)
	switch strings.TrimSuffix(s, "s") {
	case "month", "year", "quarter":
		return 0, fmt.Errorf("interval: %q has no fixed length: use days", s)
	}
	for _, u := range intervalUnits {
		if slices.Contains(u.names, s) {
			return u.size, nil
		}
	}
	if s == "m" {
		return 0, errors.New(`interval: "m" may be minute or month: write minutes`)
	}
	var names []string
	for _, u := range intervalUnits {
		names = append(names, u.names...)
	}
	if near := expr.Nearest(s, names); near != "" {
		return 0, fmt.Errorf("interval: unknown unit %q: did you mean %q?", s, near)
	}
	return 0, fmt.Errorf("interval: unknown unit %q: use microseconds, milliseconds, seconds, minutes, hours, days or weeks", s)
}

// parseInterval reads text such as "1 minute 30 seconds", "1.5 seconds" or "10s".
func parseInterval(s string) (time.Duration, error) {
	rest := strings.TrimSpace(s)
	if rest == "" {
		return 0, errors.New("interval: no text: write for example '10 seconds'")
	}
	sum := time.Duration(0)
	for rest != "" {
		end := strings.IndexFunc(rest, func(r rune) bool { return !isDigit(r) && !strings.ContainsRune("+-.", r) })
		if end <= 0 {
			return 0, fmt.Errorf("interval: want a number and a unit, as in '10 seconds': got %q", s)
		}
		count := rest[:end]
		rest = strings.TrimSpace(rest[end:])
		end = strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) })
		if end < 0 {
			end = len(rest)
		}
		unit, err := unitNamed(rest[:end])
		if err != nil {
			return 0, err
		}
		rest = strings.TrimSpace(rest[end:])
		d, err := scaleInterval(count, unit)
		if err != nil {
			return 0, err
		}
		if sum, err = addIntervals(sum, d); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// scaleInterval returns count units; a fraction may be as small as a microsecond.
func scaleInterval(count string, unit time.Duration) (time.Duration, error) {
	whole, fraction, _ := strings.Cut(count, ".")
	n, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil || len(fraction) > 12 {
		return 0, fmt.Errorf("interval: %q is no number in range", count)
	}
	micros := int64(unit / time.Microsecond)
	product := n * micros
	if n != 0 && (product/n != micros || product == math.MinInt64) {
		return 0, fmt.Errorf("interval: out of range: %s", count)
	}
	for range fraction {
		if product%10 != 0 {
			return 0, fmt.Errorf("interval: finer than a microsecond: %s", count)
		}
		product /= 10
	}
	if limit := int64(math.MaxInt64 / time.Microsecond); product > limit || product < -limit {
		return 0, fmt.Errorf("interval: out of range: %s", count)
	}
	return time.Duration(product) * time.Microsecond, nil
}

func addIntervals(a, b time.Duration) (time.Duration, error) {
	sum := a + b
	if (a > 0) == (b > 0) && (sum > 0) != (a > 0) && a != 0 && b != 0 {
		return 0, errors.New("interval: out of range")
	}
	return sum, nil
}

// formatInterval returns d, which is in whole microseconds, in the largest unit that divides it.
func formatInterval(d time.Duration) string {
	for _, u := range intervalUnits {
		if d != 0 && d%u.size == 0 {
			n := d / u.size
			if n == 1 || n == -1 {
				return fmt.Sprintf("%d %s", n, u.names[0])
			}
			return fmt.Sprintf("%d %ss", n, u.names[0])
		}
	}
	return "0 seconds"
}

// timestampLayouts are the forms of TIMESTAMP literals; a fraction of up to six digits may follow the seconds.
var timestampLayouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05",
	"2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
}

// parseTimestamp reads text without a zone as UTC.
func parseTimestamp(s string) (batch.Time, error) {
	for _, layout := range timestampLayouts {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			if t.Nanosecond()%1000 != 0 {
				return 0, fmt.Errorf("timestamp: finer than a microsecond: %q", s)
			}
			if y := t.UTC().Year(); y < 0 || y > 9999 {
				return 0, fmt.Errorf("timestamp: year is not in 0000 to 9999: %q", s)
			}
			return batch.TimeOf(t), nil
		}
	}
	return 0, fmt.Errorf("timestamp: want a form like '2026-01-31 12:30:00' or '2026-01-31T12:30:00.5Z': got %q", s)
}

// parseNumber reads a number token, with the minus before it where there is one.
func parseNumber(text string, negative bool) (any, error) {
	digits := text
	suffix := asciiUpper(text[len(text)-1:])
	if suffix == "L" || suffix == "D" {
		digits = text[:len(text)-1]
	}
	if negative {
		digits = "-" + digits
	}
	if isWhole := !strings.ContainsAny(digits, ".eE"); isWhole && suffix != "D" {
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("number out of range of BIGINT: %s: write it with .0 for a DOUBLE", digits)
		}
		return n, nil
	}
	if suffix == "L" {
		return nil, fmt.Errorf("a number with L is a whole one: %s", text)
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return nil, fmt.Errorf("number out of range of DOUBLE: %s", digits)
	}
	return v, nil
}

// insteadOf says what to use for names of types that are not there.
var insteadOf = map[string]string{"BOOL": "BOOLEAN", "VARIANT": "TEXT", "TIME": "INTERVAL DAY TO SECOND", "UINT": "BIGINT", "INT64": "BIGINT", "FLOAT64": "DOUBLE"}

// typeFault returns a message for a text that begins with the name of no type.
func typeFault(word string, err error) error {
	upper := asciiUpper(word)
	if use, ok := insteadOf[upper]; ok {
		return fmt.Errorf("not supported: type %s: use %s", upper, use)
	}
	if !strings.HasPrefix(err.Error(), "unknown type") {
		return err
	}
	if near := expr.Nearest(upper, batch.TypeNames()); near != "" {
		return fmt.Errorf("%w: did you mean %s?", err, near)
	}
	return fmt.Errorf("%w: there are BOOLEAN, INT, BIGINT, DOUBLE, DECIMAL(10, 2), TEXT, DATE, TIMESTAMP and others", err)
}
