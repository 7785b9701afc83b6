package expr

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// UnknownFunctionError says that there is no function of a name.
type UnknownFunctionError struct {
	Name    string
	Nearest string // "" if none is near
}

// Error returns the name and the nearest one.
func (e *UnknownFunctionError) Error() string {
	if e.Nearest == "" {
		return fmt.Sprintf("unknown function %q", e.Name)
	}
	return fmt.Sprintf("unknown function %q: did you mean %q?", e.Name, e.Nearest)
}

func newUnknownFunction(name string) error {
	names := slices.DeleteFunc(Names(), func(s string) bool { return s[0] < 'a' || strings.Contains(s, " ") }) // operators
	return &UnknownFunctionError{Name: name, Nearest: Nearest(name, names)}
}

// TypeError says that a function does not take arguments of the given types.
type TypeError struct {
	Func  string
	Takes []string // lists of types in parentheses; empty where Why says more
	Got   string   // a list of types in parentheses
	Why   string
}

// Error returns what the function takes and what it got.
func (e *TypeError) Error() string {
	kind := "function "
	if f := functions[e.Func]; f != nil && f.isSyntax {
		kind = ""
	}
	if e.Why != "" {
		return fmt.Sprintf("%s%s: %s: got %s", kind, e.Func, e.Why, e.Got)
	}
	return fmt.Sprintf("%s%s takes %s, got %s", kind, e.Func, strings.Join(e.Takes, " or "), e.Got)
}

// Call returns name(args…), with name a function or operator in lower case or one of its aliases. It chooses the overload and
// converts arguments as Spark does in ANSI mode: to wider numbers, DATE to TIMESTAMP, TEXT to what it stands beside, NULL to
// anything. Its errors are *UnknownFunctionError, *TypeError, or say what is wrong with a constant.
func Call(name string, args ...*Spec) (*Spec, error) {
	f := functions[name]
	if f == nil {
		return nil, newUnknownFunction(name)
	}
	f = f.of(args)
	if f.resolve != nil {
		return f.resolve(f.name, args)
	}
	o := f.match(args)
	if o == nil {
		err := &TypeError{Func: f.name, Got: argTypes(args)}
		for i := range f.overloads {
			err.Takes = append(err.Takes, f.overloads[i].takes())
		}
		return nil, err
	}
	args = slices.Clone(args)
	for i := range args {
		args[i] = convert(args[i], o.param(i))
	}
	if f.check != nil {
		if err := f.check(args); err != nil {
			return nil, fmt.Errorf("function %s: %w", f.name, err)
		}
	}
	return call(f.name, o.result, args...), nil
}

// convert returns e as a t, where that is an implicit conversion. Constants are converted at once, where that is always right.
func convert(e *Spec, t arrow.DataType) *Spec {
	if isSame(e.Type, t) {
		return e
	}
	if e.Kind == LiteralKind {
		if e.Value == nil {
			return null(t)
		}
		if v, ok := e.Value.(int64); ok && classOf(e.Type) == intClass {
			switch {
			case t == batch.Double:
				return Literal(float64(v))
			case classOf(t) == intClass && widthOf(t) >= widthOf(e.Type):
				return typedLiteral(t, v)
			}
		}
		if s := castConstant(call("cast", t, e)); s != nil {
			return s
		}
	}
	return call("cast", t, e)
}

// unify converts args to their common type.
func unify(name string, args []*Spec) ([]*Spec, arrow.DataType, error) {
	return unifyTo(name, args, commonType(args))
}

func unifyTo(name string, args []*Spec, t arrow.DataType) ([]*Spec, arrow.DataType, error) {
	if t == nil {
		return nil, nil, &TypeError{Func: name, Why: "arguments have no common type", Got: argTypes(args)}
	}
	args = slices.Clone(args)
	for i := range args {
		args[i] = convert(args[i], t)
	}
	return args, t, nil
}

// unifyCompared is unify for what is compared: scalars only, and a TEXT constant becomes a TIMESTAMP beside one.
func unifyCompared(name string, args []*Spec) ([]*Spec, error) {
	args = slices.Clone(args)
	if slices.ContainsFunc(args, func(a *Spec) bool { return a.Type.ID() == arrow.TIMESTAMP }) {
		for i, a := range args {
			text, isText := a.Value.(string)
			if a.Kind != LiteralKind || !isText {
				continue
			}
			us, err := parseTimestamp(trimBytes([]byte(text)))
			if err != nil {
				return nil, fmt.Errorf("%s: %w: %q", name, err, text)
			}
			args[i] = Literal(batch.Time(us))
		}
	}
	got := args
	args, t, err := unifyTo(name, args, comparedType(args))
	if err != nil {
		if wrong, ok := errors.AsType[*TypeError](err); ok {
			wrong.Why = "operands can't be compared"
		}
		return nil, err
	}
	if !batch.IsScalar(t) && t.ID() != arrow.NULL && (!isNestedType(t) || !isOrdered(t)) {
		return nil, &TypeError{Func: name, Why: "operands can't be compared", Got: argTypes(got)}
	}
	for i, a := range args {
		if a != got[i] && a.Func == "cast" && a.Args[0].Kind == LiteralKind { // it can't be computed, and so no row can
			return nil, fmt.Errorf("%s: %s is no %s", name, got[i], typeName(t))
		}
	}
	if t.ID() == arrow.NULL { // any type will do
		for i := range args {
			args[i] = null(batch.Boolean)
		}
	}
	return args, nil
}

// checkCount returns an error unless there are at least low arguments and at most high, which -1 leaves open.
func checkCount(name, takes string, args []*Spec, low, high int) error {
	if len(args) < low || high >= 0 && len(args) > high {
		return &TypeError{Func: name, Takes: []string{takes}, Got: argTypes(args)}
	}
	return nil
}

// convertAll converts args to t, or says that name takes takes.
func convertAll(name, takes string, args []*Spec, t arrow.DataType) ([]*Spec, error) {
	args = slices.Clone(args)
	for i, a := range args {
		if _, fits := conversionCost(a.Type, t); !fits {
			return nil, &TypeError{Func: name, Takes: []string{takes}, Got: argTypes(args)}
		}
		args[i] = convert(a, t)
	}
	return args, nil
}

func argTypes(args []*Spec) string {
	types := make([]arrow.DataType, len(args))
	for i, a := range args {
		types[i] = a.Type
	}
	return typeList(types)
}

// errNoTimestamp is what parseTimestamp says.
var errNoTimestamp = errors.New("no TIMESTAMP such as 2026-01-31 12:30:00")
