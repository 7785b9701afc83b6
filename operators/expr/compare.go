package expr

import (
	"bytes"
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

const comparisonSyntax = " of two values that have a common type → BOOLEAN"

var comparisonFunctions = []function{
	comparisonFunction("=", "=="),
	comparisonFunction("<>", "!="),
	comparisonFunction("<"),
	comparisonFunction("<="),
	comparisonFunction(">"),
	comparisonFunction(">="),
	{
		name: "<=>", syntax: "a <=> b" + comparisonSyntax, resolve: resolveComparison, build: newNullSafe,
		doc: "True where both are equal or both NULL; never NULL.",
	},
	{
		name: "between", syntax: "x BETWEEN low AND high → BOOLEAN", resolve: resolveBetween,
		doc: "True where x is neither less than low nor greater than high.",
	},
}

func comparisonFunction(name string, aliases ...string) function {
	return function{
		name: name, aliases: aliases, syntax: "a " + name + " b" + comparisonSyntax, resolve: resolveComparison, build: newComparison,
		doc: "Compares; NaN equals NaN and is greater than any other number, -0 equals 0, TEXT goes by bytes, false is less than true.",
	}
}

func resolveComparison(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "two operands", args, 2, 2); err != nil {
		return nil, err
	}
	args, err := unifyCompared(name, args)
	if err != nil {
		return nil, err
	}
	return call(name, batch.Boolean, args...), nil
}

func resolveBetween(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "three operands", args, 3, 3); err != nil {
		return nil, err
	}
	low, err := resolveComparison(">=", args[:2])
	if err != nil {
		return nil, err
	}
	high, err := resolveComparison("<=", []*Spec{args[0], args[2]})
	if err != nil {
		return nil, err
	}
	return call("and", batch.Boolean, low, high), nil
}

// comparison is a total order or an equality, or the negation of one: a > b is b < a, a <= b is not b < a.
type comparison struct {
	args    [2]operand
	equal   bool // equality; otherwise less
	negated bool

	scratch []int32
}

func newComparison(e *env, s *Spec, args []Expr) (Expr, error) {
	a, b := args[0], args[1]
	if s.Func == ">" || s.Func == "<=" {
		a, b = b, a
	}
	c := &comparison{
		equal:   s.Func == "=" || s.Func == "<>",
		negated: s.Func == "<>" || s.Func == "<=" || s.Func == ">=",
	}
	if _, isConstant := a.(*literal); isConstant && c.equal {
		a, b = b, a // the loops with a constant have it on the right
	}
	copy(c.args[:], newOperands(e, []Expr{a, b}))
	return e.picking(c), nil
}

func (c *comparison) pick(ctx context.Context, in batch.Batch, dst []int32, out *batch.Column, bad BadRow) ([]int32, error) {
	rows, scratch, err := evalStrict(ctx, c.args[:], in, out, c.scratch, bad)
	c.scratch = scratch
	if err != nil {
		return dst, err
	}
	a, b := &c.args[0], &c.args[1]
	if c.equal {
		return pickEqual(dst, rows, a, b, c.negated), nil
	}
	return pickLess(dst, rows, a, b, c.negated), nil
}

func (c *comparison) close() { closeOperands(c.args[:]) }

// pickEqual appends the rows where a = b is not negated. No row is NULL.
func pickEqual(dst, rows []int32, a, b *operand, negated bool) []int32 {
	if len(rows) == 0 {
		return dst
	}
	dst, free := room(dst, len(rows))
	n := 0
	switch a.arr.DataType().ID() {
	case arrow.INT64, arrow.TIMESTAMP:
		n = pickEqualValues(free, rows, a.ints, b.ints, b.literal != nil, negated)
	case arrow.FLOAT64:
		n = pickEqualValues(free, rows, a.floats, b.floats, b.literal != nil, negated)
	case arrow.DECIMAL128:
		for _, i := range rows {
			free[n] = i
			n = add(n, (a.nums[i] == b.nums[i]) != negated)
		}
	case arrow.BOOL:
		for _, i := range rows {
			free[n] = i
			n = add(n, (a.bit(i) == b.bit(i)) != negated)
		}
	case arrow.STRING:
		if b.literal != nil {
			v := b.bytes(0)
			if len(v) <= maxShort && !negated {
				short := newShortText(v)
				n = short.pick(free, rows, a, false)
				break
			}
			for _, i := range rows {
				free[n] = i
				n = add(n, bytes.Equal(a.bytes(i), v) != negated)
			}
			break
		}
		for _, i := range rows {
			free[n] = i
			n = add(n, bytes.Equal(a.bytes(i), b.bytes(i)) != negated)
		}
	case arrow.LIST, arrow.STRUCT:
		for _, i := range rows {
			free[n] = i
			n = add(n, (a.compareAt(i, b, i) == 0) != negated)
		}
	}
	return dst[:len(dst)+n]
}

// pickLess appends the rows where a < b is not negated. No row is NULL.
func pickLess(dst, rows []int32, a, b *operand, negated bool) []int32 {
	if len(rows) == 0 {
		return dst
	}
	dst, free := room(dst, len(rows))
	n := 0
	switch a.arr.DataType().ID() {
	case arrow.INT64, arrow.TIMESTAMP:
		n = pickLessValues(free, rows, a.ints, b.ints, a.literal != nil, b.literal != nil, negated)
	case arrow.FLOAT64:
		n = pickLessValues(free, rows, a.floats, b.floats, a.literal != nil, b.literal != nil, negated)
	case arrow.DECIMAL128:
		for _, i := range rows {
			free[n] = i
			n = add(n, (decimal.Compare(a.nums[i], b.nums[i]) < 0) != negated)
		}
	case arrow.BOOL:
		for _, i := range rows {
			free[n] = i
			n = add(n, (!a.bit(i) && b.bit(i)) != negated)
		}
	case arrow.STRING:
		for _, i := range rows {
			free[n] = i
			n = add(n, (bytes.Compare(a.bytes(i), b.bytes(i)) < 0) != negated)
		}
	case arrow.LIST, arrow.STRUCT:
		for _, i := range rows {
			free[n] = i
			n = add(n, (a.compareAt(i, b, i) < 0) != negated)
		}
	}
	return dst[:len(dst)+n]
}

// isEqual is equality with NaN = NaN.
//
//nolint:gocritic // NaN is what differs from itself
func isEqual[T int64 | float64](a, b T) bool { return a == b || a != a && b != b }

// isLess is the order with NaN last.
//
//nolint:gocritic // NaN is what differs from itself
func isLess[T int64 | float64](a, b T) bool { return a < b || b != b && a == a }

func pickEqualValues[T int64 | float64](dst, rows []int32, a, b []T, isConstant, negated bool) int {
	n := 0
	if isConstant {
		v := b[0]
		for _, i := range rows {
			dst[n] = i
			n = add(n, isEqual(a[i], v) != negated)
		}
		return n
	}
	for _, i := range rows {
		dst[n] = i
		n = add(n, isEqual(a[i], b[i]) != negated)
	}
	return n
}

func pickLessValues[T int64 | float64](dst, rows []int32, a, b []T, leftConstant, rightConstant, negated bool) int {
	n := 0
	switch {
	case rightConstant:
		v := b[0]
		for _, i := range rows {
			dst[n] = i
			n = add(n, isLess(a[i], v) != negated)
		}
	case leftConstant:
		v := a[0]
		for _, i := range rows {
			dst[n] = i
			n = add(n, isLess(v, b[i]) != negated)
		}
	default:
		for _, i := range rows {
			dst[n] = i
			n = add(n, isLess(a[i], b[i]) != negated)
		}
	}
	return n
}

// nullSafe is <=>.
type nullSafe struct {
	args [2]operand

	some, both []int32 // rows without NULL; rows where both are NULL
	equal      []int32
}

func newNullSafe(e *env, _ *Spec, args []Expr) (Expr, error) {
	c := &nullSafe{}
	copy(c.args[:], newOperands(e, args))
	return e.picking(c), nil
}

func (c *nullSafe) pick(ctx context.Context, in batch.Batch, dst []int32, _ *batch.Column, bad BadRow) ([]int32, error) {
	a, b := &c.args[0], &c.args[1]
	for k := range c.args {
		if err := c.args[k].eval(ctx, in, bad); err != nil {
			return dst, err
		}
	}
	rows := a.env.rows(&in)
	if a.valid == nil && b.valid == nil {
		return pickEqual(dst, rows, a, b, false), nil
	}
	c.some, c.both = c.some[:0], c.both[:0]
	for _, i := range rows {
		switch isNull := a.isNull(i); {
		case isNull != b.isNull(i):
		case isNull:
			c.both = append(c.both, i)
		default:
			c.some = append(c.some, i)
		}
	}
	c.equal = pickEqual(c.equal[:0], c.some, a, b, false)
	return merge(dst, c.equal, c.both), nil
}

func (c *nullSafe) close() { closeOperands(c.args[:]) }

// merge appends the rows of a and b, which are increasing and share none, in order.
func merge(dst, a, b []int32) []int32 {
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			dst, a = append(dst, a[0]), a[1:]
		} else {
			dst, b = append(dst, b[0]), b[1:]
		}
	}
	dst = append(dst, a...)
	return append(dst, b...)
}
