package sql

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators/expr"
)

// named binds a name: a parameter of a lambda function, a column with an optional table before it, or a field of one of these.
func (e *exprBinder) named(n *name) *expr.Spec {
	if p := e.param(n.parts[0]); p != nil {
		return e.fields(n, p, n.parts[1:])
	}
	if len(n.parts) == 1 {
		return e.column(n)
	}
	noted, notedByAll := len(e.faults.list), len(e.b.faults.list)
	if s := e.column(n); s != nil {
		return s
	}
	// What was said of the whole name is said again unless a part of it is a struct.
	said, saidByAll := e.faults.list[noted:], e.b.faults.list[notedByAll:]
	e.faults.list, e.b.faults.list = e.faults.list[:noted:noted], e.b.faults.list[:notedByAll:notedByAll]
	last := len(n.parts) - 1
	s := e.bind(&name{base: n.base, parts: n.parts[:last]})
	if s != nil && hasFields(s.Type) {
		return e.field(n.at, s, n.parts[last])
	}
	if s == nil && len(n.parts) > 2 && len(e.faults.list) > noted {
		return nil // the shorter name is the better one to speak of
	}
	e.faults.list = append(e.faults.list[:noted], said...)
	if e.faults != e.b.faults {
		e.b.faults.list = append(e.b.faults.list[:notedByAll], saidByAll...)
	}
	return nil
}

// hasFields says whether t is a STRUCT or an ARRAY of them.
func hasFields(t arrow.DataType) bool {
	if l, isList := t.(*arrow.ListType); isList {
		t = l.Elem()
	}
	return t.ID() == arrow.STRUCT
}

// param returns the innermost parameter of a name, nil if there is none.
func (e *exprBinder) param(name string) *expr.Spec {
	for _, p := range slices.Backward(e.params) {
		if asciiLower(p.Name) == asciiLower(name) {
			return p
		}
	}
	return nil
}

// usesParams says whether a parameter is in n.
func (e *exprBinder) usesParams(n node) bool {
	found := false
	if len(e.params) > 0 {
		walk(n, func(n node) bool {
			if n, isName := n.(*name); isName && e.param(n.parts[0]) != nil {
				found = true
			}
			return !found
		})
	}
	return found
}

func (e *exprBinder) fields(n *name, s *expr.Spec, names []string) *expr.Spec {
	for _, f := range names {
		s = e.field(n.at, s, f)
	}
	return s
}

// field binds a field of s, nil after a fault.
func (e *exprBinder) field(at Pos, s *expr.Spec, name string) *expr.Spec {
	if s == nil {
		return nil
	}
	f, err := expr.Field(s, name)
	if err != nil {
		e.faults.add(at, "%v", err)
		return nil
	}
	e.b.sizes[f] = e.b.size(s) + 1
	return f
}

// arguments binds the arguments of a call, of which some may be lambda functions: their parameters have types that follow from the
// arguments before.
func (e *exprBinder) arguments(n *call) (args []*expr.Spec, ok bool) {
	args, ok = make([]*expr.Spec, len(n.args)), true
	for i, a := range n.args {
		if _, isLambda := a.(*lambda); !isLambda {
			args[i] = e.bind(a)
			ok = ok && args[i] != nil
		}
	}
	if !ok {
		return args, false
	}
	for i, a := range n.args {
		if l, isLambda := a.(*lambda); isLambda {
			args[i] = e.lambda(n, l, args[:i], i)
			ok = ok && args[i] != nil
		}
	}
	return args, ok
}

// lambda binds argument i of a call, whose arguments before are args.
func (e *exprBinder) lambda(c *call, n *lambda, args []*expr.Spec, i int) *expr.Spec {
	for _, a := range args {
		if a == nil {
			return nil
		}
	}
	types, least := expr.LambdaParams(c.fn, args, i)
	if types == nil {
		e.faults.add(n.at, "%s takes no lambda function here", callText(c.fn, args))
		return nil
	}
	if len(n.params) < least || len(n.params) > len(types) {
		e.faults.add(n.at, "the lambda function of %s has %d parameters: got %d", c.fn, least, len(n.params))
		return nil
	}
	var params []*expr.Spec
	for k, p := range n.params {
		params = append(params, expr.Param(p.text, types[k], len(e.params)+k))
	}
	outer := e.params
	e.params = slices.Concat(outer, params)
	body := e.bind(n.body)
	e.params = outer
	if body == nil {
		return nil
	}
	s := expr.Lambda(body, params...)
	e.b.sizes[s] = e.b.size(body) + 1
	return s
}

// callText returns a call with the types of its first arguments.
func callText(fn string, args []*expr.Spec) string {
	types := make([]string, len(args))
	for i, a := range args {
		types[i] = typeName(a.Type)
	}
	return fn + "(" + strings.Join(append(types, "…"), ", ") + ")"
}

// starOfStruct returns the fields of the column that stands before .*.
func (b *binder) starOfStruct(in *relation, it item) []output {
	s := b.quietColumn(in, &name{base: base{at: it.at, levels: 1}, parts: []string{it.qualifier}})
	if s == nil {
		b.fault(it.at, "unknown table %q before .*", it.qualifier)
		return nil
	}
	t, isStruct := s.Type.(*arrow.StructType)
	if !isStruct {
		b.fault(it.at, "only a table or a STRUCT can stand before .*: column %q is %s", it.qualifier, typeName(s.Type))
		return nil
	}
	outs := []output{}
	for _, f := range t.Fields() {
		field, err := expr.Field(s, f.Name)
		if err != nil {
			b.fault(it.at, "%v", err)
			return nil
		}
		outs = append(outs, output{at: it.at, spec: field, name: f.Name})
	}
	return outs
}
