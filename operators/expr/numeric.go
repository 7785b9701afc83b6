package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// resolveArithmetic gives an operator its result type, and its operands the types that its kernels take.
func resolveArithmetic(name string, args []*Spec) (*Spec, error) {
	if len(args) == 1 && name == "-" {
		return resolveNegative(args[0])
	}
	takes := "two numbers"
	if name == "-" {
		takes = "one number or two"
	}
	if err := checkCount(name, takes, args, 2, 2); err != nil {
		return nil, err
	}
	if s := resolveTimes(name, args[0], args[1]); s != nil {
		return s, nil
	}
	x, y := classOf(args[0].Type), classOf(args[1].Type)
	bothWhole := (x == intClass || x == nullClass) && (y == intClass || y == nullClass)
	t := arrow.Null
	if x != textClass || y != textClass { // of two TEXT nobody says which numbers they are
		t = commonOf(args[0].Type, args[1].Type)
	}
	switch {
	case t == nil || x == textClass && y == textClass:
		return nil, arithmeticError(name, args)
	case t.ID() == arrow.NULL:
		t = batch.Double
		if name != "/" {
			t = batch.BigInt
		}
	case name == "/" && classOf(t) == intClass:
		t = batch.Double
	case name == "div" && classOf(t) == intClass:
		t = batch.BigInt // which -2147483648 div -1 fits
	case !classOf(t).isNumber(), name == "div" && !bothWhole && classOf(t) != decimalClass:
		return nil, arithmeticError(name, args)
	}
	if classOf(t) == decimalClass {
		return decimalCall(name, args), nil
	}
	return call(name, t, convert(args[0], t), convert(args[1], t)), nil
}

func arithmeticError(name string, args []*Spec) error {
	return &TypeError{Func: name, Why: "operands are no numbers, times or intervals that go together", Got: argTypes(args)}
}

func resolveNegative(a *Spec) (*Spec, error) {
	switch classOf(a.Type) {
	case nullClass:
		return call("-", batch.Double, convert(a, batch.Double)), nil
	case textClass:
		return call("-", batch.Double, convert(a, batch.Double)), nil
	case intClass, doubleClass, decimalClass, dayTimeClass, yearMonthClass:
		return call("-", a.Type, a), nil
	default:
		return nil, arithmeticError("-", []*Spec{a})
	}
}

// decimalCall makes a call whose operands are DECIMAL, each of a type of its own.
func decimalCall(name string, args []*Spec) *Spec {
	operands := make([]*Spec, 2)
	types := make([]decimal.Type, 2)
	for i, a := range args {
		if a.isNull() {
			a = null(args[1-i].Type)
		}
		types[i] = exactDecimal(a)
		operands[i] = convert(a, batch.Decimal(types[i].Precision, types[i].Scale))
	}
	if name == "div" {
		return call(name, batch.BigInt, operands...)
	}
	t := arithmeticType(name, types[0], types[1])
	return call(name, batch.Decimal(t.Precision, t.Scale), operands...)
}

// arithmeticRuns has the kernels of operators for operands of BIGINT and DOUBLE.
var arithmeticRuns = map[string]struct{ ints, doubles func(*kernel) }{
	"+":    {addBigInts, addDoubles},
	"-":    {subtractBigInts, subtractDoubles},
	"*":    {multiplyBigInts, multiplyDoubles},
	"/":    {nil, divideDoubles},
	"%":    {modBigInts, modDoubles},
	"div":  {divBigInts, nil},
	"pmod": {pmodBigInts, pmodDoubles},
}

func newArithmetic(e *env, s *Spec, args []Expr) (Expr, error) {
	run := arithmeticRun(s)
	if run == nil {
		return nil, arithmeticError(s.Func, s.Args)
	}
	return e.kernel(s.Func, s, args, run), nil
}

// arithmeticRun returns the kernel of s, nil if there is none.
func arithmeticRun(s *Spec) func(*kernel) {
	first := classOf(s.Args[0].Type)
	if run := timeRun(s); run != nil {
		return run
	}
	if len(s.Args) == 1 {
		switch first {
		case intClass, dayTimeClass, yearMonthClass:
			return narrowed(negateBigInts, s.Type)
		case doubleClass:
			return negateDoubles
		case decimalClass:
			return negateDecimals
		default:
			return nil
		}
	}
	runs := arithmeticRuns[s.Func]
	switch first {
	case intClass:
		return narrowed(runs.ints, s.Type)
	case doubleClass:
		return narrowed(runs.doubles, s.Type)
	case decimalClass:
		return decimalRun(s)
	default:
		return nil
	}
}

// narrowed returns a kernel whose results are of a type that has the layout of run's and less room: integers that do not fit are bad,
// doubles are rounded.
func narrowed(run func(*kernel), t arrow.DataType) func(*kernel) {
	if t == batch.Float {
		return func(c *kernel) {
			run(c)
			out := c.out.Float64s()
			for _, i := range c.rows {
				out[i] = float64(float32(out[i]))
			}
		}
	}
	low, high, ok := batch.IntRange(t)
	if !ok || t.ID() != arrow.INT64 || low == -1<<63 {
		return run
	}
	name := typeName(t)
	return func(c *kernel) {
		run(c)
		out := c.out.Int64s()
		for _, i := range c.rows {
			if v := out[i]; (v < low || v > high) && !c.out.IsNull(int(i)) {
				c.fail(i, "%s overflow: %s", name, batch.AppendInt(nil, integerOf(t), v))
			}
		}
	}
}

// integerOf returns the type under which a value that is out of range is shown: a number, but for times.
func integerOf(t arrow.DataType) arrow.DataType {
	if t == batch.YearMonth {
		return t
	}
	return batch.BigInt
}

// decimalFunc computes a value of the result's type, false if it does not fit.
type decimalFunc func(a, b decimal.Num, aScale, bScale int32, t decimal.Type) (decimal.Num, bool)

func decimalRun(s *Spec) func(*kernel) {
	a, b := decimalOf(s.Args[0].Type), decimalOf(s.Args[1].Type)
	switch s.Func {
	case "+":
		return decimals(decimal.Add, s.Func, a, b, s.Type)
	case "-":
		return decimals(decimal.Subtract, s.Func, a, b, s.Type)
	case "*":
		return decimals(decimal.Multiply, s.Func, a, b, s.Type)
	case "/":
		return divided(decimals(decimal.Divide, s.Func, a, b, s.Type))
	case "%":
		return divided(decimals(decimalMod, s.Func, a, b, s.Type))
	case "pmod":
		return divided(decimals(decimalPmod, s.Func, a, b, s.Type))
	case "div":
		return divided(func(c *kernel) {
			out, x, y := c.out.Int64s(), c.args[0].nums, c.args[1].nums
			for _, i := range c.rows {
				if c.out.IsNull(int(i)) {
					continue
				}
				v, fits := decimal.Quotient(x[i], y[i], a.Scale, b.Scale)
				if !fits {
					c.fail(i, "BIGINT overflow: %s div %s", decimal.Append(nil, x[i], a.Scale), decimal.Append(nil, y[i], b.Scale))
					continue
				}
				out[i] = v
			}
		})
	}
	return nil
}

// decimals makes a kernel of f.
func decimals(f decimalFunc, op string, a, b decimal.Type, result arrow.DataType) func(*kernel) {
	t := decimalOf(result)
	return func(c *kernel) {
		out, x, y := c.out.Decimals(), c.args[0].nums, c.args[1].nums
		for _, i := range c.rows {
			if c.out.IsNull(int(i)) {
				continue // divided by zero
			}
			v, fits := f(x[i], y[i], a.Scale, b.Scale, t)
			if !fits {
				c.fail(i, "%s overflow: %s %s %s", typeName(result), decimal.Append(nil, x[i], a.Scale), op, decimal.Append(nil, y[i], b.Scale))
				continue
			}
			out[i] = v
		}
	}
}

// divided makes rows whose second operand is 0 bad, and leaves the others to run.
func divided(run func(*kernel)) func(*kernel) {
	return func(c *kernel) {
		y := c.args[1].nums
		for _, i := range c.rows {
			if y[i] == (decimal.Num{}) {
				c.fail(i, "division by zero")
			}
		}
		run(c)
	}
}

func decimalMod(a, b decimal.Num, aScale, bScale int32, t decimal.Type) (decimal.Num, bool) {
	return decimal.Rescale(decimal.Remainder(a, b, aScale, bScale), max(aScale, bScale), t)
}

func decimalPmod(a, b decimal.Num, aScale, bScale int32, t decimal.Type) (decimal.Num, bool) {
	scale := max(aScale, bScale)
	r := decimal.Remainder(a, b, aScale, bScale)
	if r.Sign() < 0 {
		sum, fits := decimal.Add(r, b, scale, bScale, decimal.Type{Precision: decimal.MaxPrecision, Scale: scale})
		if !fits {
			return decimal.Num{}, false
		}
		r = decimal.Remainder(sum, b, scale, bScale)
	}
	return decimal.Rescale(r, scale, t)
}

func negateDecimals(c *kernel) {
	out, a := c.out.Decimals(), c.args[0].nums
	for _, i := range c.rows {
		out[i] = a[i].Negate()
	}
}
