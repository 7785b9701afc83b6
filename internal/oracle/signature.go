package oracle

import (
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// signature is a form of a function that expr.Call takes.
type signature struct {
	name string
	args []arrow.DataType
}

// signatures has, per type of the result and name, what functions take: everything with up to three arguments that Call accepts
// and that needs no conversions but between numbers.
var signatures = sync.OnceValue(func() map[arrow.Type][][]signature {
	types := append([]arrow.DataType{batch.TextList, batch.DayTime}, scalarTypes...)
	found := map[arrow.Type][][]signature{}
	for _, name := range expr.Names() {
		if isOfJSON[name] {
			continue
		}
		byResult := map[arrow.Type][]signature{}
		var try func(args []arrow.DataType)
		try = func(args []arrow.DataType) {
			if len(args) > 0 {
				specs := make([]*expr.Spec, len(args))
				for i, t := range args {
					specs[i] = &expr.Spec{Kind: expr.ColumnKind, Type: t, Name: "x"}
				}
				if s, err := expr.Call(name, constantArgs(nil, name, specs)...); err == nil && Knows(s.Func) && isDrawn(s.Type) && !hasTextCast(s) && !hasIntervals(s) {
					byResult[s.Type.ID()] = append(byResult[s.Type.ID()], signature{name, args})
				}
			}
			if len(args) < 3 {
				for _, t := range types {
					try(append(slices.Clip(args), t))
				}
			}
		}
		try(nil)
		for result, list := range byResult {
			found[result] = append(found[result], list)
		}
	}
	return found
})

// isDrawn says whether random expressions have values of a type.
func isDrawn(t arrow.DataType) bool {
	return slices.ContainsFunc(append([]arrow.DataType{batch.TextList}, scalarTypes...), func(d arrow.DataType) bool { return arrow.TypeEqual(d, t) })
}

// hasTextCast says whether an argument of s was converted from or to TEXT or TIMESTAMP.
func hasTextCast(s *expr.Spec) bool {
	return slices.ContainsFunc(s.Args, func(a *expr.Spec) bool {
		return a.Func == "cast" && (!isNumber(a.Type) || !isNumber(a.Args[0].Type))
	})
}

// hasIntervals says whether s has an INTERVAL other than in the sum of a TIMESTAMP and one.
func hasIntervals(s *expr.Spec) bool {
	isInterval := func(a *expr.Spec) bool {
		return a.Type == batch.DayTime || slices.ContainsFunc(a.Args, func(b *expr.Spec) bool { return b.Type == batch.DayTime })
	}
	return slices.ContainsFunc(s.Args, isInterval) && s.Type.ID() != arrow.TIMESTAMP
}

func isNumber(t arrow.DataType) bool { return t.ID() == arrow.INT64 || t.ID() == arrow.FLOAT64 }

// isOfJSON has the functions of JSON texts, which random texts are not. Spark's answers judge them.
var isOfJSON = map[string]bool{"from_json": true, "get_json_object": true, "json_array_length": true, "json_object_keys": true, "to_json": true}

// constantArgs replaces arguments that are constants in all calls that make sense, by such that do. r is nil where only their types
// matter.
func constantArgs(r *random, name string, args []*expr.Spec) []*expr.Spec {
	text := func(from []string) *expr.Spec {
		if r == nil {
			return expr.Literal(from[0])
		}
		return expr.Literal(pick(r, from))
	}
	number := func(low, high int64) *expr.Spec {
		if r == nil {
			return expr.Literal(low)
		}
		return expr.Literal(low + r.Int64N(high-low+1))
	}
	isType := func(i int, t arrow.Type) bool { return i < len(args) && args[i].Type.ID() == t }
	for i, a := range args {
		if a.Type == batch.DayTime {
			args[i] = expr.Literal(time.Duration(1))
			if r != nil {
				args[i] = expr.Literal(time.Duration(r.Int64N(2_000_000)-1_000_000) * time.Millisecond)
			}
		}
	}
	switch {
	case name == "split" && isType(1, arrow.STRING):
		args[1] = text(patterns)
	case name == "like" && isType(1, arrow.STRING):
		args[1] = text(likes)
	case name == "date_trunc" && isType(0, arrow.STRING):
		args[0] = text(units)
	case name == "in":
		for i := range args[1:] {
			switch t := args[1+i].Type; {
			case r != nil:
				args[1+i] = r.literal(t)
			case t.ID() != arrow.LIST && t != batch.DayTime:
				args[1+i], _ = expr.Cast(expr.Literal(nil), t)
			}
		}
	}
	// Counts of characters, digits and elements are small.
	switch name {
	case "array_repeat", "array_insert":
		if isType(1, arrow.INT64) {
			args[1] = number(-3, 5)
		}
	case "slice", "get", "element_at", "try_element_at", "[]":
		for i := range args {
			if i > 0 && isType(i, arrow.INT64) && (r == nil || r.chance(70)) {
				args[i] = number(-3, 3)
			}
		}
	case "round", "bround", "substring", "substr", "split":
		for i := range args {
			if i > 0 && isType(i, arrow.INT64) && (r == nil || r.chance(70)) {
				args[i] = number(-3, 5)
			}
		}
	}
	return args
}

// call returns a call of some function with a result of type t, nil if what was drawn is none: Call says what is right.
func (r *random) call(schema *arrow.Schema, t arrow.DataType, depth int) *expr.Spec {
	if r.chance(10) && t.ID() != arrow.LIST {
		cast := expr.Cast
		if r.chance(50) {
			cast = expr.TryCast
		}
		s, err := cast(r.expression(schema, pick(r, scalarTypes), depth-1), t)
		if err != nil {
			return nil
		}
		return s
	}
	form := pick(r, pick(r, signatures()[t.ID()]))
	args := make([]*expr.Spec, len(form.args))
	for i, argType := range form.args {
		if argType == batch.DayTime {
			args[i] = expr.Literal(time.Duration(1))
		} else {
			args[i] = r.expression(schema, argType, depth-1)
		}
	}
	s, err := expr.Call(form.name, constantArgs(r, form.name, args)...)
	if err != nil || !arrow.TypeEqual(s.Type, t) {
		return nil
	}
	return s
}
