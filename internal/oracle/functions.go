package oracle

import (
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemill/tidemill/batch"
)

// functions compute a value of arguments that are not NULL.
var functions = map[string]func(args []any) (any, error){
	"upper":      text1(func(s string) string { return strings.ReplaceAll(strings.ToUpper(s), "ß", "SS") }),
	"lower":      text1(strings.ToLower),
	"trim":       text1(func(s string) string { return strings.Trim(s, " ") }),
	"ltrim":      text1(func(s string) string { return strings.TrimLeft(s, " ") }),
	"rtrim":      text1(func(s string) string { return strings.TrimRight(s, " ") }),
	"reverse":    reverse,
	"length":     func(args []any) (any, error) { return int64(len([]rune(args[0].(string)))), nil },
	"substring":  substring,
	"substr":     substring,
	"concat":     concat,
	"||":         concat,
	"contains":   text2(strings.Contains),
	"startswith": text2(strings.HasPrefix),
	"endswith":   text2(strings.HasSuffix),
	"replace":    replace,
	"split":      split,
	"like":       like,
	"size":       func(args []any) (any, error) { return int64(len(args[0].([]any))), nil },

	"abs":    abs,
	"round":  func(args []any) (any, error) { return round(args, false) },
	"bround": func(args []any) (any, error) { return round(args, true) },
	"sign":   sign,
	"pmod":   pmod,
	"floor":  func(args []any) (any, error) { return toWhole(args[0], math.Floor) },
	"ceil":   func(args []any) (any, error) { return toWhole(args[0], math.Ceil) },
	"sqrt":   func(args []any) (any, error) { return math.Sqrt(args[0].(float64)), nil },

	"year":       timePart(func(t time.Time) int { return t.Year() }),
	"month":      timePart(func(t time.Time) int { return int(t.Month()) }),
	"day":        timePart(func(t time.Time) int { return t.Day() }),
	"hour":       timePart(func(t time.Time) int { return t.Hour() }),
	"minute":     timePart(func(t time.Time) int { return t.Minute() }),
	"second":     timePart(func(t time.Time) int { return t.Second() }),
	"date_trunc": dateTrunc,
	"timestamp_seconds": func(args []any) (any, error) {
		if x, isDouble := args[0].(float64); isDouble && (math.IsNaN(x) || math.IsInf(x, 0)) {
			return nil, nil
		}
		return toTime(args[0], 1_000_000)
	},
	"timestamp_millis": func(args []any) (any, error) { return toTime(args[0], 1000) },
	"timestamp_micros": func(args []any) (any, error) { return toTime(args[0], 1) },
	"unix_seconds":     func(args []any) (any, error) { return args[0].(batch.Time).Go().Unix(), nil },
	"unix_micros":      func(args []any) (any, error) { return int64(args[0].(batch.Time)), nil },
	"unix_millis":      func(args []any) (any, error) { return args[0].(batch.Time).Go().UnixMilli(), nil },
	"to_timestamp":     func(args []any) (any, error) { return cast(args[0], batch.Timestamp) },
}

// Knows says whether the value of a call can be computed. Functions that it does not know are checked by what Spark has answered.
func Knows(name string) bool {
	switch name {
	case "+", "-", "*", "/", "%", "div", "=", "<>", "<", "<=", ">", ">=", "not", "cast", "try_cast", "and", "or", "case", "if", "coalesce":
		return true
	}
	return functions[name] != nil || nullFunctions[name] != nil
}

func text1(f func(string) string) func([]any) (any, error) {
	return func(args []any) (any, error) { return f(args[0].(string)), nil }
}

func text2(f func(a, b string) bool) func([]any) (any, error) {
	return func(args []any) (any, error) { return f(args[0].(string), args[1].(string)), nil }
}

// substring counts characters from 1, from the end if negative. What it asks for before the first character is not there, but
// counts: substring('abc', -5, 3) is 'a'.
func substring(args []any) (any, error) {
	runes := []rune(args[0].(string))
	n := int64(len(runes))
	start := args[1].(int64)
	switch {
	case start > 0:
		start--
	case start < 0:
		start = n + start
	}
	end := int64(math.MaxInt64)
	if len(args) == 3 {
		if length := args[2].(int64); start <= 0 || length < math.MaxInt64-start {
			end = start + length
			if length < 0 && end > start { // wrapped around below
				end = math.MinInt64
			}
		}
	}
	start, end = min(max(start, 0), n), min(max(end, 0), n)
	if end <= start {
		return "", nil
	}
	return string(runes[start:end]), nil
}

func reverse(args []any) (any, error) {
	if list, isList := args[0].([]any); isList {
		list = slices.Clone(list)
		slices.Reverse(list)
		return list, nil
	}
	r := []rune(args[0].(string))
	slices.Reverse(r)
	return string(r), nil
}

func concat(args []any) (any, error) {
	if _, isList := args[0].([]any); isList {
		all := []any{}
		for _, a := range args {
			all = append(all, a.([]any)...)
		}
		return all, nil
	}
	var all strings.Builder
	for _, a := range args {
		all.WriteString(a.(string))
	}
	return all.String(), nil
}

func replace(args []any) (any, error) {
	s, search, with := args[0].(string), args[1].(string), ""
	if len(args) == 3 {
		with = args[2].(string)
	}
	if search == "" {
		return s, nil
	}
	return strings.ReplaceAll(s, search, with), nil
}

func split(args []any) (any, error) {
	s := args[0].(string)
	re, err := regexp.Compile(args[1].(string))
	if err != nil {
		return nil, badf("split: %v", err)
	}
	list := []any{}
	if s == "" {
		return append(list, ""), nil
	}
	limit := -1
	if len(args) == 3 && args[2].(int64) > 0 {
		limit = int(min(args[2].(int64), 1<<30))
	}
	for _, part := range re.Split(s, limit) {
		list = append(list, part)
	}
	return list, nil
}

// like matches by trying: a % takes any number of characters, _ one, what follows \ is itself.
func like(args []any) (any, error) {
	return likeRunes([]rune(args[0].(string)), []rune(args[1].(string))), nil
}

func likeRunes(s, pattern []rune) bool {
	if len(pattern) == 0 {
		return len(s) == 0
	}
	switch pattern[0] {
	case '%':
		for skip := range len(s) + 1 {
			if likeRunes(s[skip:], pattern[1:]) {
				return true
			}
		}
		return false
	case '_':
		return len(s) > 0 && likeRunes(s[1:], pattern[1:])
	case '\\':
		if len(pattern) > 1 {
			pattern = pattern[1:]
		}
	}
	return len(s) > 0 && s[0] == pattern[0] && likeRunes(s[1:], pattern[1:])
}

func abs(args []any) (any, error) {
	switch v := args[0].(type) {
	case int64:
		if v == math.MinInt64 {
			return nil, badf("abs: BIGINT overflow")
		}
		return max(v, -v), nil
	case float64:
		return math.Abs(v), nil
	}
	return args[0], nil
}

func sign(args []any) (any, error) {
	x := args[0].(float64)
	if math.IsNaN(x) || x == 0 {
		return x, nil
	}
	return math.Copysign(1, x), nil
}

// pmod adds the modulus to a negative rest once.
func pmod(args []any) (any, error) {
	rest, err := arithmetic("%", args)
	switch r := rest.(type) {
	case int64:
		if r >= 0 {
			break
		}
		n := big.NewInt(args[1].(int64))
		sum := new(big.Int).Add(big.NewInt(r), n)
		return sum.Rem(sum, n).Int64(), nil
	case float64:
		if r < 0 {
			return math.Mod(r+args[1].(float64), args[1].(float64)), nil
		}
	}
	return rest, err
}

// round works on the shortest decimal form of the value, half away from zero or to the even digit.
func round(args []any, isEven bool) (any, error) {
	digits := int64(0)
	if len(args) == 2 {
		digits = args[1].(int64)
	}
	if n, isBigInt := args[0].(int64); isBigInt {
		return roundBigInt(n, digits, isEven)
	}
	x := args[0].(float64)
	if math.IsNaN(x) || math.IsInf(x, 0) || digits > 400 {
		return x, nil
	}
	if digits < -400 {
		return 0.0, nil
	}
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(max(digits, -digits)), nil))
	if digits < 0 {
		scale.Inv(scale)
	}
	exact, _ := new(big.Rat).SetString(strconv.FormatFloat(math.Abs(x), 'g', -1, 64))
	exact.Mul(exact, scale).Add(exact, big.NewRat(1, 2))
	floor := new(big.Int).Quo(exact.Num(), exact.Denom())
	if isEven && exact.IsInt() && floor.Bit(0) == 1 {
		floor.Sub(floor, big.NewInt(1))
	}
	whole := new(big.Rat).SetInt(floor)
	result, _ := whole.Quo(whole, scale).Float64()
	return math.Copysign(result, x) + 0, nil // there is no -0
}

func roundBigInt(n, digits int64, isEven bool) (any, error) {
	switch {
	case digits >= 0:
		return n, nil
	case digits < -100:
		return int64(0), nil
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-digits), nil)
	half := new(big.Int).Quo(unit, big.NewInt(2))
	whole := new(big.Int).Abs(big.NewInt(n))
	whole.Add(whole, half)
	units, rest := new(big.Int).QuoRem(whole, unit, new(big.Int))
	if isEven && rest.Sign() == 0 && units.Bit(0) == 1 {
		units.Sub(units, big.NewInt(1))
	}
	whole.Mul(units, unit)
	if n < 0 {
		whole.Neg(whole)
	}
	if !whole.IsInt64() {
		return nil, badf("round: BIGINT overflow")
	}
	return whole.Int64(), nil
}

// toWhole rounds to a BIGINT, as floor and ceil give it.
func toWhole(v any, round func(float64) float64) (any, error) {
	x, isDouble := v.(float64)
	if !isDouble {
		return v, nil
	}
	switch whole := round(x); {
	case math.IsNaN(whole):
		return int64(0), nil
	case whole >= 1<<63:
		return int64(math.MaxInt64), nil
	case whole < -1<<63:
		return int64(math.MinInt64), nil
	default:
		return int64(whole), nil
	}
}

func timePart(part func(time.Time) int) func([]any) (any, error) {
	return func(args []any) (any, error) { return int64(part(args[0].(batch.Time).Go())), nil }
}

// dateTrunc rounds down to a unit of the calendar; an unknown unit gives NULL.
func dateTrunc(args []any) (any, error) {
	at := args[1].(batch.Time).Go()
	year, month, day := at.Date()
	hour, minute, second := at.Clock()
	micros := at.Nanosecond() / 1000
	switch strings.ToLower(args[0].(string)) {
	case "year", "yyyy", "yy":
		month, day, hour, minute, second, micros = 1, 1, 0, 0, 0, 0
	case "quarter":
		month -= (month - 1) % 3
		day, hour, minute, second, micros = 1, 0, 0, 0, 0
	case "month", "mon", "mm":
		day, hour, minute, second, micros = 1, 0, 0, 0, 0
	case "week":
		day -= (int(at.Weekday()) + 6) % 7 // a week begins on Monday
		hour, minute, second, micros = 0, 0, 0, 0
	case "day", "dd":
		hour, minute, second, micros = 0, 0, 0, 0
	case "hour":
		minute, second, micros = 0, 0, 0
	case "minute":
		second, micros = 0, 0
	case "second":
		micros = 0
	case "millisecond":
		micros -= micros % 1000
	case "microsecond":
	default:
		return nil, nil
	}
	return batch.TimeOf(time.Date(year, month, day, hour, minute, second, micros*1000, time.UTC)), nil
}

func toTime(v any, micros int64) (any, error) {
	if x, ok := v.(float64); ok {
		whole, err := cast(math.Trunc(x*float64(micros)), batch.BigInt)
		if err != nil {
			return nil, err
		}
		return batch.Time(whole.(int64)), nil
	}
	product, err := integerArithmetic("*", v.(int64), micros)
	if err != nil {
		return nil, err
	}
	return batch.Time(product.(int64)), nil
}
