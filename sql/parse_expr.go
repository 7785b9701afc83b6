package sql

import (
	"math"
	"slices"
	"strings"
)

// operator is a binary operator: its text, and how tightly it binds. All but the comparisons of a chain bind to the left.
type operator struct {
	text  string
	power int
}

// The powers of Spark's operators: a higher one binds tighter.
const (
	powerOr = 10 * (iota + 1)
	powerAnd
	powerNot
	powerPredicate // IS, IN, LIKE, BETWEEN
	powerCompare
	powerAdd
	powerMultiply
	powerSign
)

// binaryOperators has the operators by the name that a call has.
var binaryOperators = map[string]operator{
	"or": {"OR", powerOr}, "and": {"AND", powerAnd}, "like": {"LIKE", powerPredicate},
	"=": {"=", powerCompare}, "<>": {"<>", powerCompare}, "<": {"<", powerCompare}, "<=": {"<=", powerCompare},
	">": {">", powerCompare}, ">=": {">=", powerCompare}, "<=>": {"<=>", powerCompare},
	"+": {"+", powerAdd}, "-": {"-", powerAdd}, "||": {"||", powerAdd},
	"*": {"*", powerMultiply}, "/": {"/", powerMultiply}, "%": {"%", powerMultiply}, "div": {"DIV", powerMultiply},
}

// sameOperators has other spellings.
var sameOperators = map[string]string{"==": "=", "!=": "<>"}

// reserved words begin no expression: who has such a column quotes it.
var reserved = words(`AND AS BETWEEN BY CASE DESC ELSE FROM GROUP HAVING IN IS JOIN LIKE LIMIT ON OR ORDER SELECT THEN UNION WHEN WHERE`)

// isKeyword has all words that mean something somewhere: the printer quotes names that are among them.
var isKeyword = func() map[string]bool {
	all := words(`ALL ASC CAST CREATE CUBE DATE DISTINCT DIV END EXISTS FALSE FIRST FOR FORMAT GROUPING IF ILIKE INTERVAL
		LAST NOT NULL NULLS RECURSIVE REGEXP RLIKE ROLLUP SINK SOURCE TIMESTAMP TRUE TRY_CAST VIEW WATERMARK R MOD`)
	for _, m := range []map[string]bool{clauseWords, reserved} {
		for w := range m {
			all[w] = true
		}
	}
	return all
}()

func words(list string) map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// above returns the base of a node over others; nil ones are left out.
func (p *parser) above(at Pos, below ...node) base {
	levels := 0
	for _, n := range below {
		if n != nil {
			levels = max(levels, n.height())
		}
	}
	if levels >= maxHeight {
		p.fail(at, "nested too deep: more than %d operators above each other", maxHeight)
	}
	return base{at: at, levels: levels + 1}
}

func (p *parser) newCall(at Pos, fn string, args ...node) node {
	return &call{base: p.above(at, args...), fn: fn, args: args}
}

func (p *parser) expression() node { return p.binary(0) }

// binary parses an expression of operators that bind tighter than power (Pratt 1973).
func (p *parser) binary(power int) node {
	p.enter()
	defer p.leave()
	left := p.prefix()
	for !p.failed {
		next := p.infix(left, power)
		if next == nil {
			break
		}
		left = next
	}
	if left == nil {
		return &literal{base: base{at: p.peek().pos, levels: 1}}
	}
	return left
}

// infix parses an operator that binds tighter than power and what is right of it, and returns nil where there is none.
func (p *parser) infix(left node, power int) node {
	t := p.peek()
	if t.kind == sign || t.kind == word && (t.upper == "AND" || t.upper == "OR" || t.upper == "DIV") {
		fn := asciiLower(t.text)
		if same, ok := sameOperators[fn]; ok {
			fn = same
		}
		op, ok := binaryOperators[fn]
		if !ok || op.power <= power {
			return nil
		}
		p.take()
		return p.newCall(t.pos, fn, left, p.binary(op.power))
	}
	if t.kind != word || powerPredicate <= power {
		return nil
	}
	negated := p.isWords("NOT")
	if negated {
		if next := p.peekAt(1); next.kind != word || !isPredicate[next.upper] {
			return nil
		}
		p.take()
	}
	n := p.predicate(left)
	if n != nil && negated {
		n = p.newCall(t.pos, "not", n)
	}
	return n
}

// isPredicate has the words that may follow NOT behind an operand.
var isPredicate = words("IN LIKE BETWEEN ILIKE RLIKE REGEXP")

// predicate parses IS …, IN (…), LIKE … or BETWEEN … AND …, and returns nil where there is none.
func (p *parser) predicate(left node) node {
	t := p.peek()
	switch {
	case p.acceptWords("IS"):
		return p.is(t.pos, left)
	case p.acceptWords("IN"):
		p.expectSign("(")
		if at := p.peek().pos; p.isWords("SELECT") || p.isWords("WITH") {
			p.fail(at, "not supported yet: a query in IN (…)")
		}
		return p.newCall(t.pos, "in", append([]node{left}, p.arguments()...)...)
	case p.acceptWords("LIKE"):
		if at := p.peek().pos; p.isWords("ALL") || p.isWords("ANY") || p.isWords("SOME") {
			if p.peekAt(1).text == "(" {
				p.fail(at, "not supported: LIKE %s", p.peek().upper)
			}
		}
		n := p.newCall(t.pos, "like", left, p.binary(powerPredicate))
		if at := p.peek().pos; p.isWords("ESCAPE") {
			p.fail(at, "not supported: ESCAPE: the escape of LIKE is a backslash")
		}
		return n
	case p.acceptWords("BETWEEN"):
		low := p.binary(powerPredicate)
		p.expectWords("AND")
		return p.newCall(t.pos, "between", left, low, p.binary(powerPredicate))
	case p.isWords("RLIKE"), p.isWords("REGEXP"), p.isWords("ILIKE"):
		if next := p.peekAt(1); next.kind == stringText || next.kind == word && !clauseWords[next.upper] {
			p.fail(t.pos, "not supported yet: %s", t.upper)
		}
	}
	return nil
}

func (p *parser) is(at Pos, left node) node {
	negated := p.acceptWords("NOT")
	var n node
	switch {
	case p.acceptWords("NULL"):
		n = p.newCall(at, "is null", left)
	case p.acceptWords("TRUE"):
		n = p.newCall(at, "is true", left)
	case p.acceptWords("FALSE"):
		n = p.newCall(at, "is false", left)
	case p.isWords("DISTINCT"):
		p.fail(p.peek().pos, "not supported: IS DISTINCT FROM: a <=> b is true where both are equal or NULL")
	default:
		p.unexpected("NULL, TRUE or FALSE")
	}
	if negated && n != nil {
		n = p.newCall(at, "not", n)
	}
	return n
}

// prefix parses NOT, signs, and what they stand before.
func (p *parser) prefix() node {
	t := p.peek()
	switch {
	case p.isWords("NOT") && !p.isOperand(1), p.isSign("!"):
		p.take()
		return p.newCall(t.pos, "not", p.binary(powerNot))
	case p.isSign("-") && p.peekAt(1).kind == number:
		p.take()
		return p.postfix(p.number(true))
	case p.acceptSign("-"):
		return p.negative(t.pos, p.binary(powerSign))
	case p.acceptSign("+"):
		return p.binary(powerSign)
	}
	return p.postfix(p.primary())
}

// negative returns -n, computed where n is a number that has a counterpart.
func (p *parser) negative(at Pos, n node) node {
	if l, ok := n.(*literal); ok {
		switch v := l.value.(type) {
		case int64:
			if v != math.MinInt64 {
				return p.literal(at, -v)
			}
		case float64:
			return p.literal(at, -v)
		}
	}
	return p.newCall(at, "-", n)
}

// isOperand says whether the n-th token from here shows that the word before it is a name.
func (p *parser) isOperand(n int) bool {
	t := p.peekAt(n)
	return t.kind == endOfScript || t.kind == sign && slices.Contains([]string{",", ")", "=", ";", ".", "<>", "<", ">"}, t.text)
}

// postfix parses casts and fields behind an operand.
func (p *parser) postfix(n node) node {
	for !p.failed && n != nil {
		t := p.peek()
		switch {
		case p.acceptSign("::"):
			typ := p.typ("a type")
			n = &cast{base: p.above(t.pos, n), arg: n, typ: typ}
		case p.isSign(".") && isBracketed(n):
			p.take()
			n = &field{base: p.above(t.pos, n), of: n, name: p.name("a field").text}
		case p.acceptSign("["):
			at := p.expression()
			p.expectSign("]")
			n = p.newCall(t.pos, "[]", n, at)
		default:
			return n
		}
	}
	return n
}

// isBracketed says whether a dot may follow n: it is in brackets, or ends in one, or is a field.
func isBracketed(n node) bool {
	_, isLiteral := n.(*literal)
	return !isLiteral
}
