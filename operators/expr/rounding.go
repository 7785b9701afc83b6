package expr

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// The functions of numbers whose result type follows from that of the argument.

var roundingFunctions = []function{
	{
		name: "abs", syntax: "abs(number or INTERVAL) → the same type", resolve: resolveAbs, build: newRounding, isStrict: true,
		doc: "The number without its sign; a row where it is out of range is bad.",
	},
	{
		name: "floor", syntax: "floor(number) → BIGINT, or DECIMAL of DECIMAL", resolve: resolveWhole, build: newRounding, isStrict: true,
		doc: "The number rounded down; a row that does not fit BIGINT is bad.",
	},
	{
		name: "ceil", aliases: []string{"ceiling"}, syntax: "ceil(number) → BIGINT, or DECIMAL of DECIMAL", resolve: resolveWhole, build: newRounding,
		isStrict: true, doc: "The number rounded up; a row that does not fit BIGINT is bad.",
	},
	{
		name: "round", syntax: "round(number[, INT]) → the type of the number", resolve: resolveRound, build: newRounding, isStrict: true,
		doc: "The number rounded to the given decimals, 0 if left out, half away from zero, as the decimal text of it says.",
	},
	{
		name: "bround", syntax: "bround(number[, INT]) → the type of the number", resolve: resolveRound, build: newRounding, isStrict: true,
		doc: "The number rounded to the given decimals, 0 if left out, half to the even digit, as the decimal text of it says.",
	},
	{
		name: "sign", aliases: []string{"signum"}, doc: "-1.0, 0.0 or 1.0, as the number is negative, zero or positive.",
		overloads: []overload{{params: oneDouble, result: batch.Double, run: mapDoubles(signOf)}},
	},
}

func signOf(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return v
}

// asNumber converts what is no number but may become one.
func asNumber(name string, args []*Spec) (*Spec, error) {
	a := args[0]
	switch c := classOf(a.Type); {
	case c.isNumber():
		return a, nil
	case c == textClass || c == nullClass:
		return convert(a, batch.Double), nil
	}
	return nil, &TypeError{Func: name, Takes: []string{"a number"}, Got: argTypes(args)}
}

func resolveAbs(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "a number", args, 1, 1); err != nil {
		return nil, err
	}
	if classOf(args[0].Type).isInterval() {
		return call(name, args[0].Type, args[0]), nil
	}
	a, err := asNumber(name, args)
	if err != nil {
		return nil, err
	}
	return call(name, a.Type, a), nil
}

func resolveWhole(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "a number", args, 1, 1); err != nil {
		return nil, err
	}
	a, err := asNumber(name, args)
	if err != nil {
		return nil, err
	}
	if d := decimalOf(a.Type); classOf(a.Type) == decimalClass {
		return call(name, batch.Decimal(min(decimal.MaxPrecision, d.Precision-d.Scale+1), 0), a), nil
	}
	if classOf(a.Type) == intClass {
		a = convert(a, batch.BigInt)
	}
	return call(name, batch.BigInt, a), nil
}

func resolveRound(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "a number and maybe how many decimals", args, 1, 2); err != nil {
		return nil, err
	}
	a, err := asNumber(name, args)
	if err != nil {
		return nil, err
	}
	digits := Literal(int32(0))
	if len(args) > 1 {
		digits = args[1]
	}
	if c := classOf(digits.Type); c != intClass && c != nullClass {
		return nil, &TypeError{Func: name, Takes: []string{"a number and maybe how many decimals"}, Got: argTypes(args)}
	}
	digits = convert(digits, batch.BigInt)
	t := a.Type
	if classOf(t) == decimalClass {
		n, ok := constantInt(digits)
		if !ok && !digits.isNull() {
			return nil, &TypeError{Func: name, Why: "how many decimals a DECIMAL has must be constant", Got: argTypes(args)}
		}
		t = roundedType(decimalOf(t), n)
	}
	if len(args) == 1 && classOf(t) != decimalClass {
		return call(name, t, a), nil
	}
	return call(name, t, a, digits), nil
}

// constantInt returns the value of a constant integer, which may be a number with a minus.
func constantInt(s *Spec) (int64, bool) {
	switch {
	case s.Func == "cast", s.Func == "-" && len(s.Args) == 1:
		v, ok := constantInt(s.Args[0])
		if s.Func == "-" {
			v = -v
		}
		return v, ok
	}
	v, ok := s.Value.(int64)
	return v, ok && s.Kind == LiteralKind && classOf(s.Type) == intClass
}

// roundedType returns the type of a DECIMAL that was rounded: it may have one digit more before the point.
func roundedType(t decimal.Type, digits int64) arrow.DataType {
	whole := t.Precision - t.Scale + 1
	if digits < 0 {
		return batch.Decimal(min(decimal.MaxPrecision, max(whole, int32(min(-digits, decimal.MaxPrecision))+1)), 0)
	}
	scale := int32(min(int64(t.Scale), digits))
	return batch.Decimal(min(decimal.MaxPrecision, whole+scale), scale)
}

func newRounding(e *env, s *Spec, args []Expr) (Expr, error) {
	run := roundingRun(s)
	if run == nil {
		return nil, &TypeError{Func: s.Func, Why: "no such arguments", Got: argTypes(s.Args)}
	}
	return e.kernel(s.Func, s, args, run), nil
}

func roundingRun(s *Spec) func(*kernel) {
	from := s.Args[0].Type
	c := classOf(from)
	isEven := s.Func == "bround"
	switch {
	case s.Func == "abs" && (c == intClass || c.isInterval()):
		return narrowed(absBigInts, s.Type)
	case s.Func == "abs" && c == doubleClass:
		return mapDoubles(math.Abs)
	case s.Func == "abs" && c == decimalClass:
		return absDecimals
	case c == decimalClass:
		return roundDecimals(s)
	case c == intClass && len(s.Args) == 2:
		return narrowed(roundBigInts(isEven), s.Type)
	case c == intClass:
		return copyBigInts
	case c != doubleClass:
		return nil
	case s.Func == "floor":
		return toBigInts(math.Floor)
	case s.Func == "ceil":
		return toBigInts(math.Ceil)
	case len(s.Args) == 2:
		return narrowed(roundDoubles(isEven), s.Type)
	case isEven:
		return mapDoubles(func(v float64) float64 { return math.RoundToEven(v) + 0 }) // there is no -0
	}
	return mapDoubles(func(v float64) float64 { return math.Round(v) + 0 })
}

func absDecimals(c *kernel) {
	out, a := c.out.Decimals(), c.args[0].nums
	for _, i := range c.rows {
		out[i] = a[i].Abs()
	}
}

func roundDecimals(s *Spec) func(*kernel) {
	from, to := decimalOf(s.Args[0].Type), decimalOf(s.Type)
	mode := map[string]decimal.Mode{"round": decimal.HalfUp, "bround": decimal.HalfEven, "floor": decimal.Floor, "ceil": decimal.Ceil}[s.Func]
	digits := int32(0)
	if len(s.Args) > 1 {
		n, _ := constantInt(s.Args[1])
		digits = int32(max(min(n, int64(from.Scale)), -decimal.MaxPrecision-1))
	}
	return func(c *kernel) {
		out, a := c.out.Decimals(), c.args[0].nums
		for _, i := range c.rows {
			v, fits := decimal.Round(a[i], from.Scale, digits, mode, to)
			if !fits {
				c.fail(i, "%s overflow: %s to %d decimals", typeName(s.Type), decimal.Append(nil, a[i], from.Scale), digits)
				continue
			}
			out[i] = v
		}
	}
}
