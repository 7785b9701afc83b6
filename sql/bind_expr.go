package sql

import (
	"errors"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// maxExprParts bounds a bound expression. Text of n bytes can mean more than n parts, because the operand of CASE x WHEN … and
// of BETWEEN is computed once per comparison, so that nesting these would double it at each level.
const maxExprParts = 100_000

// exprBinder turns the nodes of an expression into expr.Spec.
type exprBinder struct {
	b      *binder
	faults *faults
	where  string // what is bound, for messages
	// column returns the column that a name means; it reports what it does not find.
	column func(*name) *expr.Spec
	// special, if not nil, sees every node first; done says that spec stands for the node, nil after a fault.
	special func(n node) (spec *expr.Spec, done bool)
	// params are those of the lambda functions around what is bound.
	params []*expr.Spec
}

// over returns a binder of expressions over what column knows.
func (b *binder) over(where string, column func(*name) *expr.Spec) *exprBinder {
	return &exprBinder{b: b, faults: b.faults, where: where, column: column}
}

// overRelation returns a binder of expressions over the columns of r.
func (b *binder) overRelation(r *relation, where string) *exprBinder {
	schema := b.schema(r)
	return b.over(where, func(n *name) *expr.Spec { return b.columnOf(r, schema, n) })
}

// bind returns n bound, nil after a fault.
func (e *exprBinder) bind(n node) *expr.Spec {
	if e.special != nil && !e.usesParams(n) {
		if s, done := e.special(n); done {
			return s
		}
	}
	switch n := n.(type) {
	case *name:
		return e.named(n)
	case *literal:
		return n.spec()
	case *cast:
		return e.cast(n)
	case *caseOf:
		return e.caseOf(n)
	case *call:
		return e.call(n)
	case *field:
		return e.field(n.at, e.bind(n.of), n.name)
	case *lambda:
		e.faults.add(n.at, "a lambda function stands only in the arguments of a function that takes one")
	}
	return nil
}

// bindAll returns nodes bound, ok unless one has a fault.
func (e *exprBinder) bindAll(nodes []node) (specs []*expr.Spec, ok bool) {
	ok = true
	for _, n := range nodes {
		s := e.bind(n)
		specs = append(specs, s)
		ok = ok && s != nil
	}
	return specs, ok
}

// size returns the number of parts of s.
func (b *binder) size(s *expr.Spec) int { return max(1, b.sizes[s]) }

// make calls a function of bound arguments.
func (e *exprBinder) make(at Pos, fn string, args ...*expr.Spec) *expr.Spec {
	parts := 1
	for _, a := range args {
		if a == nil {
			return nil
		}
		parts += e.b.size(a)
	}
	if parts > maxExprParts {
		e.faults.add(at, "the expression is too large: it has more than %d parts once BETWEEN and CASE are written out", maxExprParts)
		return nil
	}
	s, err := e.b.call(fn, args)
	if err != nil {
		e.callFault(at, fn, err)
		return nil
	}
	e.b.sizes[s] = parts
	return s
}

// call calls a function of the program, or of SQL.
func (b *binder) call(fn string, args []*expr.Spec) (*expr.Spec, error) {
	if f := b.opts.Functions[fn]; f != nil {
		return f.Call(args...)
	}
	return expr.Call(fn, args...)
}

// syntaxFunctions are the names that have a meaning in their places only.
var syntaxFunctions = []string{"window", "cumulate_window", "session_window", "count_window", "explode"}

// callFault reports why a function can't be called. Names that only SQL knows are among those that it proposes.
func (e *exprBinder) callFault(at Pos, fn string, err error) {
	if _, ok := errors.AsType[*expr.UnknownFunctionError](err); !ok {
		e.faults.add(at, "%v", err)
		return
	}
	names := slices.Concat(operators.AggregateNames(), slices.Collect(maps.Keys(aggregateAliases)), syntaxFunctions, expr.Names(), slices.Collect(maps.Keys(e.b.opts.Functions)), slices.Collect(maps.Keys(e.b.opts.Aggregates)))
	names = slices.DeleteFunc(names, func(s string) bool { return !isWordStart(rune(s[0])) })
	if near := expr.Nearest(fn, names); near != "" {
		e.faults.add(at, "unknown function %q: did you mean %q?", fn, near)
		return
	}
	e.faults.add(at, "unknown function %q", fn)
}

func (e *exprBinder) cast(n *cast) *expr.Spec {
	arg := e.bind(n.arg)
	if arg == nil {
		return nil
	}
	convert := expr.Cast
	if n.try {
		convert = expr.TryCast
	}
	s, err := convert(arg, n.typ)
	if err != nil {
		e.faults.add(n.at, "%v", err)
		return nil
	}
	if s != arg {
		e.b.sizes[s] = e.b.size(arg) + 1
	}
	return s
}

// caseOf binds CASE x WHEN a THEN r as CASE WHEN x = a THEN r.
func (e *exprBinder) caseOf(n *caseOf) *expr.Spec {
	var operand *expr.Spec
	ok := true
	if n.operand != nil {
		operand = e.bind(n.operand)
		ok = operand != nil
	}
	var args []*expr.Spec
	for _, w := range n.whens {
		condition, result := e.bind(w.condition), e.bind(w.result)
		if condition != nil && operand != nil {
			condition = e.make(w.condition.place(), "=", operand, condition)
		}
		args = append(args, condition, result)
		ok = ok && condition != nil && result != nil
	}
	otherwise := expr.Literal(nil)
	if n.otherwise != nil {
		otherwise = e.bind(n.otherwise)
	}
	if !ok || otherwise == nil {
		return nil
	}
	return e.make(n.at, "case", append(args, otherwise)...)
}

func (e *exprBinder) call(n *call) *expr.Spec {
	switch {
	case n.over != nil:
		e.faults.add(n.at, "%s OVER can't stand in %s: put it in the SELECT list of a query in brackets", n.fn, e.where)
		return nil
	case needsOver[n.fn]:
		e.faults.add(n.at, "%s needs OVER (… ORDER BY …)", n.fn)
		return nil
	case e.b.isAggregateName(n.fn):
		e.faults.add(n.at, "%s is an aggregate, which can't stand in %s", n.fn, e.where)
		return nil
	case n.hasAggregateParts():
		e.faults.add(n.at, "%s is no aggregate: DISTINCT, FILTER, WITHIN GROUP and IGNORE NULLS belong to these", n.fn)
		return nil
	case isWindowFunction(n.fn):
		e.faults.add(n.at, "%s(…) stands in GROUP BY: in %s use %[1]s.start or %[1]s.end of a query that groups by it", n.fn, e.where)
		return nil
	case isExplode(n.fn):
		e.faults.add(n.at, "%s(…) stands alone as an item of a SELECT list, and nowhere else", n.fn)
		return nil
	case isNotThereYet[n.fn]:
		e.faults.add(n.at, "not supported yet: %s(…)", n.fn)
		return nil
	}
	args, ok := e.arguments(n)
	if !ok {
		return nil
	}
	switch n.fn {
	case "||":
		return e.make(n.at, "concat", args...)
	case "between":
		return e.make(n.at, "and", e.make(n.at, ">=", args[0], args[1]), e.make(n.at, "<=", args[0], args[2]))
	case "is true", "is false":
		if id := args[0].Type.ID(); id != arrow.BOOL && id != arrow.NULL {
			e.faults.add(n.at, "%s takes a BOOLEAN, got %s", asciiUpper(n.fn), typeName(args[0].Type))
			return nil
		}
		return e.make(n.at, "<=>", args[0], expr.Literal(n.fn == "is true"))
	case "in":
		return e.in(n.at, args)
	case "not":
		if inner, isCall := n.args[0].(*call); isCall && inner.fn == "is null" && args[0].Func == "is null" {
			return e.make(n.at, "is not null", args[0].Args...)
		}
	}
	return e.make(n.at, n.fn, args...)
}

// in binds x IN (a, b): a list that has more than constants is a chain of comparisons.
func (e *exprBinder) in(at Pos, args []*expr.Spec) *expr.Spec {
	if !slices.ContainsFunc(args[1:], func(a *expr.Spec) bool { return a.Kind != expr.LiteralKind }) {
		return e.make(at, "in", args...)
	}
	found := e.make(at, "=", args[0], args[1])
	for _, a := range args[2:] {
		found = e.make(at, "or", found, e.make(at, "=", args[0], a))
	}
	return found
}

// isNotThereYet has functions of Spark that belong to clauses, which are to come.
var isNotThereYet = map[string]bool{
	"stack": true, "grouping": true,
}

// boolean binds a condition.
func (e *exprBinder) boolean(n node) *expr.Spec {
	s := e.bind(n)
	if s == nil {
		return nil
	}
	switch s.Type.ID() {
	case arrow.BOOL:
		return s
	case arrow.NULL:
		s, err := expr.Cast(s, batch.Boolean)
		if err == nil {
			return s
		}
	}
	e.faults.add(n.place(), "%s takes a BOOLEAN, got %s", e.where, typeName(s.Type))
	return nil
}

// isColumnType reports types that are no columns.
func (b *binder) isColumnType(at Pos, name string, t arrow.DataType) bool {
	if t.ID() == arrow.NULL {
		b.fault(at, "column %q has no type: write CAST(NULL AS TEXT), or another type", name)
		return false
	}
	return true
}

// columnOf returns the column of r that n names.
func (b *binder) columnOf(r *relation, schema *arrow.Schema, n *name) *expr.Spec {
	i := b.find(r, n, b.faults)
	if i < 0 {
		return nil
	}
	return expr.Column(schema, i)
}

// find returns the index of the column that n names. One in the same case goes before others.
func (b *binder) find(r *relation, n *name, f *faults) int {
	found, matches, exact := -1, 0, 0
	for i, c := range r.columns {
		same, equal := c.isNamed(n)
		if equal {
			exact++
			if exact == 1 {
				found = i
			}
		} else if same && exact == 0 && found < 0 {
			found = i
		}
		if same {
			matches++
		}
	}
	if found >= 0 && exact <= 1 && (matches == 1 || exact == 1) {
		return found
	}
	if found >= 0 {
		f.add(n.at, "column %s is ambiguous: %d columns have that name", textOf(n), matches)
		return -1
	}
	var names []string
	knowsQualifier := len(n.parts) == 1
	for _, c := range r.columns {
		knowsQualifier = knowsQualifier || asciiLower(c.qualifier) == asciiLower(n.parts[0])
		if c.name != "" {
			names = append(names, c.name)
		}
	}
	if !knowsQualifier {
		f.add(n.at, "unknown table %q before the dot of %s", n.parts[0], textOf(n))
		return -1
	}
	last := n.parts[len(n.parts)-1]
	if asciiLower(last) == arrivalTime {
		f.add(n.at, "unknown column %q: only sources have it: name it in the SELECT list of the query that reads the source", last)
		return -1
	}
	f.unknownColumn(n.at, last, names)
	return -1
}

// isNamed says whether n means c, and whether it does in the same case.
func (c *column) isNamed(n *name) (same, equal bool) {
	if c.name == "" {
		return false, false
	}
	last := n.parts[len(n.parts)-1]
	isOfTable := asciiLower(c.qualifier) == asciiLower(n.parts[0]) && c.qualifier != ""
	if len(n.parts) == 3 { // a column that is called window.start, with its table
		full := n.parts[1] + "." + last
		return isOfTable && asciiLower(c.name) == asciiLower(full), isOfTable && c.name == full
	}
	if len(n.parts) == 1 && !c.merged || len(n.parts) == 2 && isOfTable {
		if same = asciiLower(c.name) == asciiLower(last); same {
			return true, c.name == last
		}
	}
	if len(n.parts) == 2 && !c.merged { // a column that is called window.start
		full := n.parts[0] + "." + last
		return asciiLower(c.name) == asciiLower(full), c.name == full
	}
	return false, false
}

func (b *binder) unknownColumn(at Pos, name string, names []string) {
	b.faults.unknownColumn(at, name, names)
}

func (f *faults) unknownColumn(at Pos, name string, names []string) {
	// One letter is near to any other.
	if near := expr.Nearest(name, names); near != "" && len(name) > 1 {
		f.add(at, "unknown column %q: did you mean %q?", name, near)
		return
	}
	if len(names) == 0 {
		f.add(at, "unknown column %q: there are none", name)
		return
	}
	f.add(at, "unknown column %q: there are %s", name, firstOf(names))
}
