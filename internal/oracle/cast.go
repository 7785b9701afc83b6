package oracle

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// cast converts a value that is not NULL.
func cast(v any, to arrow.DataType) (any, error) {
	switch to.ID() {
	case arrow.BOOL:
		return castBool(v)
	case arrow.INT64:
		return castBigInt(v)
	case arrow.FLOAT64:
		return castDouble(v)
	case arrow.STRING:
		return castText(v)
	case arrow.TIMESTAMP:
		return castTime(v)
	}
	return nil, fmt.Errorf("oracle knows no cast to %s", to)
}

// trimmed takes off blanks and control characters, as Spark does before it reads a value.
func trimmed(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7F })
}

func castBool(v any) (any, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case int64:
		return v != 0, nil
	case float64:
		return v != 0, nil
	case string:
		switch strings.ToLower(trimmed(v)) {
		case "t", "true", "y", "yes", "1":
			return true, nil
		case "f", "false", "n", "no", "0":
			return false, nil
		}
	}
	return nil, badf("cast: %v is no BOOLEAN", v)
}

func castBigInt(v any) (any, error) {
	switch v := v.(type) {
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case int64:
		return v, nil
	case float64:
		if v >= -1<<63 && v < 1<<63 {
			return int64(v), nil
		}
	case batch.Time:
		return v.Go().Unix(), nil
	case string:
		if n, err := strconv.ParseInt(trimmed(v), 10, 64); err == nil {
			return n, nil
		}
	}
	return nil, badf("cast: %v is no BIGINT", v)
}

var doubleText = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)

func castDouble(v any) (any, error) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1.0, nil
		}
		return 0.0, nil
	case int64:
		return float64(v), nil
	case float64:
		return v, nil
	case batch.Time:
		return float64(v) / 1e6, nil
	case string:
		s := strings.ToLower(trimmed(v))
		switch s {
		case "nan":
			return math.NaN(), nil
		case "inf", "+inf", "infinity", "+infinity":
			return math.Inf(1), nil
		case "-inf", "-infinity":
			return math.Inf(-1), nil
		}
		if doubleText.MatchString(s) {
			x, _ := strconv.ParseFloat(s, 64) // too large is infinite
			return x, nil
		}
	}
	return nil, badf("cast: %v is no DOUBLE", v)
}

func castText(v any) (any, error) {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		if abs := math.Abs(v); abs >= 1e7 && abs <= math.MaxFloat64 || abs < 1e-3 && abs > 0 {
			digits, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'E', -1, 64), "E")
			if !strings.Contains(digits, ".") {
				digits += ".0"
			}
			n, _ := strconv.Atoi(exponent)
			return digits + "E" + strconv.Itoa(n), nil
		}
		return string(batch.AppendDouble(nil, v)), nil
	case batch.Time:
		return v.Go().Format("2006-01-02 15:04:05.999999"), nil
	case string:
		return v, nil
	}
	return nil, fmt.Errorf("oracle knows no cast of %T to TEXT", v)
}

var timeText = regexp.MustCompile(
	`^(\d{4})-(\d{2})-(\d{2})(?:[ Tt](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?([Zz]|[+-]\d{2}:\d{2})?)?$`)

func castTime(v any) (any, error) {
	switch v := v.(type) {
	case batch.Time:
		return v, nil
	case int64, float64:
		return toTime(v, 1_000_000)
	case string:
		if at, ok := parseTime(trimmed(v)); ok {
			return at, nil
		}
	}
	return nil, badf("cast: %v is no TIMESTAMP", v)
}

func parseTime(s string) (batch.Time, bool) {
	m := timeText.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	var part [7]int
	for i := 1; i <= 6; i++ {
		part[i], _ = strconv.Atoi(m[i])
	}
	micros, _ := strconv.Atoi((m[7] + "000000")[:6])
	at := time.Date(part[1], time.Month(part[2]), part[3], part[4], part[5], part[6], micros*1000, time.UTC)
	// time.Date takes the 31st of February for a day of March, and 24:00 for the day after.
	if at.Day() != part[3] || at.Hour() != part[4] || at.Minute() != part[5] || at.Second() != part[6] || part[2] < 1 || part[2] > 12 {
		return 0, false
	}
	if zone := m[8]; len(zone) > 1 {
		hours, _ := strconv.Atoi(zone[1:3])
		minutes, _ := strconv.Atoi(zone[4:])
		if hours > 23 || minutes > 59 {
			return 0, false
		}
		offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
		if zone[0] == '+' {
			offset = -offset
		}
		at = at.Add(offset)
	}
	return batch.TimeOf(at), true
}
