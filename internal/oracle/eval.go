package oracle

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// Eval computes an expression for one row. isBad says that it can't be computed for this row, which is no error.
func Eval(s *expr.Spec, row []any) (v any, isBad bool, err error) {
	if v, err = eval(s, row); errors.Is(err, errBad) {
		return nil, true, nil
	}
	return v, false, err
}

// IsTrue is Eval for the predicate of a filter, where less is computed: see isTrue.
func IsTrue(s *expr.Spec, row []any) (v, isBad bool, err error) {
	if v, err = isTrue(s, row); errors.Is(err, errBad) {
		return false, true, nil
	}
	return v, false, err
}

// eval computes an expression for one row, as Spark does with ANSI on. Errors that are errBad are the row's, others the plan's.
func eval(s *expr.Spec, row []any) (any, error) {
	switch s.Kind {
	case expr.ColumnKind:
		return row[s.Column], nil
	case expr.LiteralKind:
		return s.Value, nil
	case expr.CallKind, expr.ParamKind, expr.LambdaKind:
	}
	if v, isLazy, err := evalLazy(s, row); isLazy {
		return v, err
	}
	args := make([]any, len(s.Args))
	for i, a := range s.Args {
		var err error
		if args[i], err = eval(a, row); err != nil {
			return nil, err
		}
	}
	if f, ok := nullFunctions[s.Func]; ok {
		return f(args), nil
	}
	if f, ok := listFunctions[s.Func]; ok {
		return f(args)
	}
	for _, a := range args {
		if a == nil {
			return nil, nil
		}
	}
	switch s.Func {
	case "+", "-", "*", "/", "%", "div":
		return arithmetic(s.Func, args)
	case "=":
		return compare(args[0], args[1]) == 0, nil
	case "<>":
		return compare(args[0], args[1]) != 0, nil
	case "<":
		return compare(args[0], args[1]) < 0, nil
	case "<=":
		return compare(args[0], args[1]) <= 0, nil
	case ">":
		return compare(args[0], args[1]) > 0, nil
	case ">=":
		return compare(args[0], args[1]) >= 0, nil
	case "not":
		return !args[0].(bool), nil
	case "cast":
		return cast(args[0], s.Type)
	}
	f, ok := functions[s.Func]
	if !ok {
		return nil, fmt.Errorf("oracle knows no function %q", s.Func)
	}
	return f(args)
}

// evalLazy computes the functions that decide which of their arguments are computed.
func evalLazy(s *expr.Spec, row []any) (v any, isLazy bool, err error) {
	switch s.Func {
	case "and":
		v, err = logic(s.Args, row, false)
	case "or":
		v, err = logic(s.Args, row, true)
	case "case", "if":
		v, err = choose(s.Args, row)
	case "coalesce":
		for _, a := range s.Args {
			if v, err = eval(a, row); v != nil || err != nil {
				break
			}
		}
	case "try_cast":
		if v, err = eval(s.Args[0], row); v != nil && err == nil {
			if v, err = cast(v, s.Type); err != nil {
				v, err = nil, nil
			}
		}
	default:
		return nil, false, nil
	}
	return v, true, err
}

// isTrue computes a condition: a filter's, or one of CASE. Here b is not computed in `a AND b` where a is NULL, since the row can't
// pass any more; Spark computes it, so that a row may be an error there and just not pass here.
func isTrue(s *expr.Spec, row []any) (bool, error) {
	if s.Kind == expr.CallKind && (s.Func == "and" || s.Func == "or") {
		decisive := s.Func == "or"
		for _, a := range s.Args {
			v, err := isTrue(a, row)
			if err != nil || v == decisive {
				return v, err
			}
		}
		return !decisive, nil
	}
	v, err := eval(s, row)
	return v == true, err
}

// choose is CASE and IF: conditions and values by turns, then perhaps the value of ELSE.
func choose(args []*expr.Spec, row []any) (any, error) {
	for ; len(args) >= 2; args = args[2:] {
		when, err := isTrue(args[0], row)
		if err != nil {
			return nil, err
		}
		if when {
			return eval(args[1], row)
		}
	}
	if len(args) == 0 {
		return nil, nil
	}
	return eval(args[0], row)
}

// logic is AND (decisive: false) and OR (decisive: true), from left to right until one argument decides.
func logic(args []*expr.Spec, row []any, decisive bool) (any, error) {
	var result any = !decisive
	for _, a := range args {
		v, err := eval(a, row)
		if err != nil {
			return nil, err
		}
		if v == decisive {
			return decisive, nil
		}
		if v == nil {
			result = nil
		}
	}
	return result, nil
}

// nullFunctions give something else than NULL for some NULL arguments.
var nullFunctions = map[string]func(args []any) any{
	"is null":     func(args []any) any { return args[0] == nil },
	"is not null": func(args []any) any { return args[0] != nil },
	"is true":     func(args []any) any { return args[0] == true },
	"is false":    func(args []any) any { return args[0] == false },
	"<=>": func(args []any) any {
		if args[0] == nil || args[1] == nil {
			return args[0] == nil && args[1] == nil
		}
		return compare(args[0], args[1]) == 0
	},
	"in": func(args []any) any {
		if args[0] == nil {
			return nil
		}
		var found any = false
		for _, a := range args[1:] {
			if a == nil {
				found = nil
			} else if compare(args[0], a) == 0 {
				return true
			}
		}
		return found
	},
	"nullif": func(args []any) any {
		if args[0] != nil && args[1] != nil && compare(args[0], args[1]) == 0 {
			return nil
		}
		return args[0]
	},
	"greatest": func(args []any) any {
		return extreme(args, 1)
	},
	"least": func(args []any) any {
		return extreme(args, -1)
	},
}

func extreme(args []any, sign int) any {
	var best any
	for _, a := range args {
		if a != nil && (best == nil || compare(a, best)*sign > 0) {
			best = a
		}
	}
	return best
}

// compare orders values of one type: false before true, NaN after all numbers, -0 equal to 0, text by bytes.
func compare(a, b any) int {
	switch a := a.(type) {
	case bool:
		return order(!a && b.(bool), a && !b.(bool))
	case int64:
		return order(a < b.(int64), a > b.(int64))
	case batch.Time:
		return order(a < b.(batch.Time), a > b.(batch.Time))
	case string:
		return strings.Compare(a, b.(string))
	case float64:
		b := b.(float64)
		if math.IsNaN(a) || math.IsNaN(b) {
			return order(!math.IsNaN(a), !math.IsNaN(b))
		}
		return order(a < b, a > b)
	case []any:
		return compareLists(a, b.([]any))
	}
	panic(fmt.Sprintf("oracle: no order for %T", a))
}

func order(isLess, isGreater bool) int {
	switch {
	case isLess:
		return -1
	case isGreater:
		return 1
	}
	return 0
}

func arithmetic(op string, args []any) (any, error) {
	if len(args) == 1 {
		switch v := args[0].(type) {
		case int64:
			if v == math.MinInt64 {
				return nil, badf("-: BIGINT overflow")
			}
			return -v, nil
		case float64:
			return -v, nil
		case time.Duration:
			return -v, nil
		}
	}
	switch a := args[0].(type) {
	case int64:
		return integerArithmetic(op, a, args[1].(int64))
	case float64:
		b := args[1].(float64)
		switch op {
		case "+":
			return a + b, nil
		case "-":
			return a - b, nil
		case "*":
			return a * b, nil
		}
		if b == 0 {
			return nil, badf("%s: division by zero", op)
		}
		if op == "/" {
			return a / b, nil
		}
		return math.Mod(a, b), nil
	case batch.Time:
		d := args[1].(time.Duration).Microseconds()
		if op == "-" {
			d = -d
		}
		sum, err := integerArithmetic("+", int64(a), d)
		if err != nil {
			return nil, err
		}
		return batch.Time(sum.(int64)), nil
	case time.Duration: // INTERVAL + TIMESTAMP
		return arithmetic(op, []any{args[1], a})
	}
	return nil, fmt.Errorf("oracle knows no %s of %T", op, args[0])
}

func integerArithmetic(op string, a, b int64) (any, error) {
	isOverflow := false
	var result int64
	switch op {
	case "+":
		result = a + b
		isOverflow = b > 0 && result < a || b < 0 && result > a
	case "-":
		result = a - b
		isOverflow = b > 0 && result > a || b < 0 && result < a
	case "*":
		result = a * b
		isOverflow = a != 0 && (result/a != b || a == -1 && b == math.MinInt64)
	case "/":
		if b == 0 {
			return nil, badf("/: division by zero")
		}
		return float64(a) / float64(b), nil
	case "%", "div":
		if b == 0 {
			return nil, badf("%s: division by zero", op)
		}
		if op == "%" {
			return a % b, nil
		}
		result = a / b
		isOverflow = a == math.MinInt64 && b == -1
	}
	if isOverflow {
		return nil, badf("%s: BIGINT overflow: %d %s %d", op, a, op, b)
	}
	return result, nil
}
