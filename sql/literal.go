package sql

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
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
	if monthsOf(s) > 0 {
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

// numberSuffixes has the letters behind numbers of types that have no other sign.
var numberSuffixes = map[arrow.DataType]string{batch.TinyInt: "Y", batch.SmallInt: "S"}

// wholeOf returns the value of an INT or BIGINT literal.
func wholeOf(value any) (int64, bool) {
	switch v := value.(type) {
	case int32:
		return int64(v), true
	case int64:
		return v, true
	}
	return 0, false
}

// spec returns n bound.
func (n *literal) spec() *expr.Spec {
	if s, ok := n.value.(*expr.Spec); ok {
		return s
	}
	return expr.Literal(n.value)
}

// cutSuffix cuts the letters off a number that say its type, in capitals.
func cutSuffix(text string) (digits, suffix string) {
	end := len(text)
	for end > 0 && (text[end-1] < '0' || text[end-1] > '9') && text[end-1] != '.' {
		end--
	}
	return text[:end], asciiUpper(text[end:])
}

// parseNumber reads a number token, with the minus before it where there is one. As in Spark a whole number is an INT, a BIGINT or a
// DECIMAL, the first that holds it, one with a point a DECIMAL, and one with an exponent a DOUBLE.
func parseNumber(text string, negative bool) (any, error) {
	digits, suffix := cutSuffix(text)
	if negative {
		digits = "-" + digits
	}
	isWhole := !strings.ContainsAny(digits, ".eE")
	switch suffix {
	case "L", "S", "Y":
		if !isWhole {
			return nil, fmt.Errorf("a number with %s is a whole one: %s", suffix, text)
		}
		t := map[string]arrow.DataType{"L": batch.BigInt, "S": batch.SmallInt, "Y": batch.TinyInt}[suffix]
		n, err := strconv.ParseInt(digits, 10, 64)
		low, high, _ := batch.IntRange(t)
		if err != nil || n < low || n > high {
			return nil, fmt.Errorf("number out of range of %s: %s", batch.TypeName(t), digits)
		}
		if suffix == "L" {
			return n, nil
		}
		return expr.TypedLiteral(t, n), nil
	case "BD":
		return parseDecimal(digits)
	case "F":
		v, err := strconv.ParseFloat(digits, 32)
		if err != nil {
			return nil, fmt.Errorf("number out of range of FLOAT: %s", digits)
		}
		return expr.TypedLiteral(batch.Float, v), nil
	case "":
		if n, err := strconv.ParseInt(digits, 10, 64); isWhole && err == nil {
			if n == int64(int32(n)) {
				return int32(n), nil
			}
			return n, nil
		}
		if isWhole || !strings.ContainsAny(digits, "eE") {
			return parseDecimal(digits)
		}
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return nil, fmt.Errorf("number out of range of DOUBLE: %s", digits)
	}
	return v, nil
}

func parseDecimal(digits string) (any, error) {
	precision, scale, fault := decimal.Digits([]byte(digits))
	if fault == decimal.Fine {
		var v decimal.Num
		if v, fault = decimal.Parse([]byte(digits), precision, scale); fault == decimal.Fine {
			return expr.Decimal{Value: v, Precision: precision, Scale: scale}, nil
		}
	}
	return nil, fmt.Errorf("number has more than %d digits: %s: write it with an exponent for a DOUBLE", decimal.MaxPrecision, digits)
}

// typedText returns the literal that a word before a text makes of it: DATE '…', X '…'.
func typedText(word, text string) (any, error) {
	if word == "X" {
		v, err := hex.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("binary: want an even number of hexadecimal digits: got %q", text)
		}
		return expr.TypedLiteral(batch.Binary, string(v)), nil
	}
	days, ok := batch.ParseDate([]byte(strings.TrimSpace(text)))
	if !ok {
		return nil, fmt.Errorf("date: want a form like '2026-01-31': got %q", text)
	}
	return expr.TypedLiteral(batch.Date, days), nil
}

// insteadOf says what to use for names of types that are not there.
var insteadOf = map[string]string{"BOOL": "BOOLEAN", "VARIANT": "TEXT", "TIME": "INTERVAL DAY TO SECOND", "UINT": "BIGINT", "INT64": "BIGINT", "FLOAT64": "DOUBLE"}

// typeFault returns a message for what is wrong with the name of a type.
func typeFault(fault *batch.TypeError) error {
	upper := asciiUpper(fault.Unknown)
	if use, ok := insteadOf[upper]; ok {
		return fmt.Errorf("not supported: type %s: use %s", upper, use)
	}
	if upper == "" {
		return fault
	}
	if near := expr.Nearest(upper, batch.TypeNames()); near != "" {
		return fmt.Errorf("%w: did you mean %s?", fault, near)
	}
	return fmt.Errorf("%w: there are BOOLEAN, INT, BIGINT, DOUBLE, DECIMAL(10, 2), TEXT, DATE, TIMESTAMP and others", fault)
}
