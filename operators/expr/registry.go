package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// function is an entry of the registry: everything there is to know about a name.
type function struct {
	name    string
	aliases []string
	doc     string // a sentence about the result, for the reference page
	syntax  string // of forms that are not name(TYPE, …), for the reference page

	isSyntax bool // name is an operator or keyword, which messages do not call a function

	// overloads are tried in order; the one with the fewest conversions is taken. check refuses constants that can't work.
	overloads []overload
	check     func(args []*Spec) error

	// lenient says that the kernels see NULL arguments. Otherwise such a row is NULL, and is not computed.
	lenient bool

	// resolve and build take the place of overloads where types or evaluation go by rules of their own.
	resolve func(name string, args []*Spec) (*Spec, error)
	build   func(e *env, s *Spec, args []Expr) (Expr, error)

	isStrict bool // with resolve: NULL wherever an argument is

	// nested takes the place of all of that where an argument is a list, a map or a struct; nil if nothing does.
	nested *function
}

// of returns the function that takes args: f, or its form for lists, maps and structs.
func (f *function) of(args []*Spec) *function {
	if f.nested != nil && slices.ContainsFunc(args, func(a *Spec) bool { return isNestedType(a.Type) }) {
		return f.nested
	}
	return f
}

// overload is one list of argument types of a function, and the kernel that computes it.
type overload struct {
	params   []arrow.DataType
	variadic bool // the last of params stands for one or more
	result   arrow.DataType

	// run computes the rows of c.rows into c.out. None of them has a NULL argument, unless the function is lenient.
	run func(c *kernel)
	// prepare, in the place of run, makes one from what is constant.
	prepare func(s *Spec) (func(c *kernel), error)
	// pick, in the place of run, makes the test of a BOOLEAN function of two texts from the second.
	pick func(second *Spec) textPicking
}

// functions has every function by name and alias.
var functions = func() map[string]*function {
	m := make(map[string]*function)
	for _, list := range [][]function{
		comparisonFunctions, logicFunctions, choiceFunctions, castFunctions, matchFunctions,
		arithmeticFunctions, mathFunctions, roundingFunctions, textFunctions, timeFunctions, typeFunctions,
		listFunctions, mapFunctions, higherFunctions, jsonFunctions,
		padFunctions, partFunctions, findFunctions, codeFunctions, hashFunctions, regexFunctions,
	} {
		for i := range list {
			f := &list[i]
			f.isSyntax = f.syntax != "" && !strings.HasPrefix(f.syntax, f.name+"(")
			m[f.name] = f
			for _, a := range f.aliases {
				m[a] = f
			}
		}
	}
	for i := range nestedForms {
		m[nestedForms[i].name].nested = &nestedForms[i]
	}
	return m
}()

// Names returns the names of all functions and operators, aliases too, sorted.
func Names() []string { return slices.Sorted(maps.Keys(functions)) }

// IsFunction says whether Call knows name, in lower case.
func IsFunction(name string) bool { return functions[name] != nil }

// Doc returns a sentence about the result of a function, "" if there is no such function.
func Doc(name string) string {
	f := functions[name]
	switch {
	case f == nil:
		return ""
	case name != f.name:
		return "Another name of " + f.name + "."
	case f.nested != nil:
		return f.doc + " " + f.nested.doc
	}
	return f.doc
}

// Signatures returns the forms in which a function can be called, with the result's type: upper(TEXT) → TEXT.
func Signatures(name string) []string {
	f := functions[name]
	if f == nil {
		return nil
	}
	all := f.forms()
	if f.nested != nil {
		all = append(all, f.nested.forms()...)
	}
	return all
}

func (f *function) forms() []string {
	if f.syntax != "" {
		return []string{f.syntax}
	}
	var all []string
	for i := range f.overloads {
		o := &f.overloads[i]
		all = append(all, fmt.Sprintf("%s%s → %s", f.name, o.takes(), typeName(o.result)))
	}
	return all
}

// takes returns the argument types of o in parentheses.
func (o *overload) takes() string {
	s := typeList(o.params)
	if o.variadic {
		s = strings.TrimSuffix(s, ")") + ", …)"
	}
	return s
}

// param returns the type of argument i, nil if there are too many.
func (o *overload) param(i int) arrow.DataType {
	switch {
	case i < len(o.params):
		return o.params[i]
	case o.variadic:
		return o.params[len(o.params)-1]
	}
	return nil
}

// cost returns what the conversions of the arguments cost, and whether all have one.
func (o *overload) cost(args []*Spec) (cost int, fits bool) {
	if len(args) < len(o.params) {
		return 0, false
	}
	for i, a := range args {
		want := o.param(i)
		if want == nil {
			return 0, false
		}
		c, ok := conversionCost(a.Type, want)
		if !ok {
			return 0, false
		}
		cost += c
	}
	return cost, true
}

// match returns the overload that takes args with the fewest conversions, nil if none does.
func (f *function) match(args []*Spec) *overload {
	var best *overload
	bestCost := 0
	for i := range f.overloads {
		o := &f.overloads[i]
		if cost, fits := o.cost(args); fits && (best == nil || cost < bestCost) {
			best, bestCost = o, cost
		}
	}
	return best
}

// isSame compares types as far as this package tells them apart: lists by their elements, TIMESTAMP without its zone.
func isSame(a, b arrow.DataType) bool {
	if ta, isTime := a.(*arrow.TimestampType); isTime {
		tb, alsoTime := b.(*arrow.TimestampType)
		return alsoTime && ta.Unit == tb.Unit
	}
	if la, isList := a.(*arrow.ListType); isList {
		lb, alsoList := b.(*arrow.ListType)
		return alsoList && isSame(la.Elem(), lb.Elem())
	}
	return arrow.TypeEqual(a, b)
}

func typeList(types []arrow.DataType) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = typeName(t)
	}
	return "(" + strings.Join(names, ", ") + ")"
}
