package sql

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// primary parses what operators stand between.
func (p *parser) primary() node {
	t, next := p.peek(), p.peekAt(1)
	switch t.kind {
	case number:
		return p.number(false)
	case stringText:
		p.take()
		return p.literal(t.pos, t.text)
	case quotedName:
		return p.column()
	case sign:
		if t.text != "(" {
			break
		}
		p.take()
		if p.isWords("SELECT") || p.isWords("WITH") && p.peekAt(1).kind == word && p.peekAt(2).upper == "AS" {
			p.fail(t.pos, "not supported yet: a query as a value")
		}
		n := p.expression()
		if p.isSign(",") {
			p.fail(p.peek().pos, "not supported: several values in brackets")
		}
		p.expectSign(")")
		return n
	case word:
		if n := p.keyword(t, next); n != nil || p.failed {
			return n
		}
		if reserved[t.upper] {
			break
		}
		if next.kind == sign && next.text == "(" {
			return p.function()
		}
		return p.column()
	case endOfScript, badToken, parameter:
	}
	p.unexpected("an expression")
	return nil
}

// keyword parses an operand that begins with a keyword, and returns nil where t is a name.
func (p *parser) keyword(t, next token) node {
	switch t.upper {
	case "TRUE", "FALSE", "NULL":
		p.take()
		return p.literal(t.pos, map[string]any{"TRUE": true, "FALSE": false}[t.upper])
	case "CASE":
		return p.caseOf()
	case "CAST", "TRY_CAST":
		if next.text == "(" {
			return p.cast()
		}
	case "INTERVAL":
		if next.kind == stringText || next.kind == number || next.text == "-" && p.peekAt(2).kind == number && p.peekAt(3).kind == word {
			return p.interval()
		}
	case "TIMESTAMP", "TIMESTAMP_LTZ", "TIMESTAMP_NTZ":
		if next.kind == stringText {
			p.take()
			ts, err := parseTimestamp(p.take().text)
			if err != nil {
				p.fail(next.pos, "%v", err)
			}
			return p.literal(t.pos, ts)
		}
	case "DATE", "X":
		if next.kind == stringText {
			p.take()
			v, err := typedText(t.upper, p.take().text)
			if err != nil {
				p.fail(next.pos, "%v", err)
			}
			return p.literal(t.pos, v)
		}
	case "EXISTS":
		if third := p.peekAt(2); next.text == "(" && (third.upper == "SELECT" || third.upper == "WITH") {
			p.fail(t.pos, "not supported yet: EXISTS")
		}
	}
	return nil
}

func (p *parser) literal(at Pos, value any) node {
	return &literal{base: base{at: at, levels: 1}, value: value}
}

func (p *parser) number(negative bool) node {
	t := p.take()
	v, err := parseNumber(t.text, negative)
	if err != nil {
		p.fail(t.pos, "%v", err)
	}
	return p.literal(t.pos, v)
}

// interval parses INTERVAL '1 minute 30 seconds' and INTERVAL 1 MINUTE 30 SECONDS.
func (p *parser) interval() node {
	at := p.take().pos
	t := p.peek()
	text := ""
	if t.kind == stringText && p.peekAt(1).kind == word && p.peekAt(2).upper == "TO" {
		return p.intervalRange(at)
	}
	if t.kind == stringText && (p.peekAt(1).kind != word || hasUnit(t.text)) {
		text = p.take().text
	} else {
		for {
			count, unit, taken := p.intervalPart()
			if taken == 0 {
				break
			}
			if _, err := unitNamed(unit); err != nil && monthsOf(unit) == 0 && text != "" {
				break
			}
			for range taken {
				p.take()
			}
			text += " " + count + " " + unit
		}
	}
	if text == "" {
		p.unexpected("a number and a unit")
	}
	d, err := intervalValue(text)
	if err != nil {
		p.fail(t.pos, "%v", err)
	}
	return p.literal(at, d)
}

// intervalRange parses what follows INTERVAL: a text and two units, as in '1 02:03:04' DAY TO SECOND.
func (p *parser) intervalRange(at Pos) node {
	t := p.take()
	from := p.take()
	p.take()
	to := p.peek()
	p.name("a unit")
	v, err := parseRange(t.text, from.upper, to.upper)
	if err != nil {
		p.fail(t.pos, "%v", err)
	}
	return p.literal(at, v)
}

// intervalPart looks at a number and a unit, without taking them: taken is how many tokens they are, 0 if they are not there.
func (p *parser) intervalPart() (count, unit string, taken int) {
	i := 0
	if t := p.peek(); t.kind == sign && t.text == "-" {
		count = "-"
		i = 1
	}
	t, u := p.peekAt(i), p.peekAt(i+1)
	if t.kind != number && t.kind != stringText || u.kind != word {
		return "", "", 0
	}
	return count + t.text, u.text, i + 2
}

// hasUnit says whether s is more than a number.
func hasUnit(s string) bool {
	for _, r := range s {
		if isWordStart(r) {
			return true
		}
	}
	return false
}

// column parses a name with an optional qualifier, and the fields behind it: the binder finds out which is which.
func (p *parser) column() node {
	t := p.take()
	n := &name{base: base{at: t.pos, levels: 1}, parts: []string{t.text}}
	for p.isSign(".") {
		p.take()
		n.parts = append(n.parts, p.name("a column").text)
	}
	if p.isSign("(") {
		p.fail(p.peek().pos, "not supported: a function with a qualifier or in quotes: %s", textOf(n))
	}
	return n
}

func (p *parser) function() node {
	t := p.take()
	p.take()
	c := &call{fn: asciiLower(t.text)}
	if p.isWords("DISTINCT") && !p.isAliasNext(1) {
		p.take()
		c.distinct = true
	}
	if p.acceptSign("*") {
		c.star = true
		p.expectSign(")")
		if c.fn != "count" {
			p.fail(t.pos, "only count takes a star: got %s(*)", c.fn)
		}
	} else if !p.acceptSign(")") {
		c.args = p.arguments()
	}
	p.aggregateParts(c)
	c.base = p.above(t.pos, c.operands()...)
	if p.isWords("OVER") {
		c.over = p.over()
		c.base = p.above(t.pos, append(c.over.nodes(), c.operands()...)...)
	}
	return c
}

// arguments parses expressions up to the closing bracket.
func (p *parser) arguments() []node {
	var list []node
	for {
		list = append(list, p.argument())
		if !p.acceptSign(",") {
			break
		}
	}
	if !p.isSign(")") {
		p.unexpected(", or )")
	}
	p.take()
	return list
}

func (p *parser) caseOf() node {
	c := &caseOf{}
	at := p.take().pos
	var below []node
	if !p.isWords("WHEN") {
		c.operand = p.expression()
		below = append(below, c.operand)
	}
	for p.acceptWords("WHEN") {
		w := when{condition: p.expression()}
		p.expectWords("THEN")
		w.result = p.expression()
		c.whens = append(c.whens, w)
		below = append(below, w.condition, w.result)
	}
	if len(c.whens) == 0 {
		p.unexpected("WHEN")
	}
	if p.acceptWords("ELSE") {
		c.otherwise = p.expression()
		below = append(below, c.otherwise)
	}
	p.expectWords("END")
	c.base = p.above(at, below...)
	return c
}

func (p *parser) cast() node {
	t := p.take()
	p.expectSign("(")
	c := &cast{arg: p.expression(), try: t.upper == "TRY_CAST"}
	p.expectWords("AS")
	c.typ = p.typ("a type")
	p.expectSign(")")
	c.base = p.above(t.pos, c.arg)
	return c
}

// typ parses a type, such as DECIMAL(10, 2) or ARRAY<INT>: package batch reads its text, and the tokens that it has are passed over.
func (p *parser) typ(what string) arrow.DataType {
	first := p.peek()
	if first.kind != word {
		p.unexpected(what)
		return nil
	}
	rest := p.faults.text[first.start:]
	t, n, err := batch.ParseTypePrefix(rest)
	if fault, ok := errors.AsType[*batch.TypeError](err); ok {
		at := first.pos
		for i := 0; p.peekAt(i).kind != endOfScript && p.peekAt(i).start <= first.start+fault.Offset; i++ {
			at = p.peekAt(i).pos
		}
		p.fail(at, "%v", typeFault(fault))
		return nil
	}
	for p.peek().kind != endOfScript && p.peek().start < first.start+n {
		p.take()
	}
	if p.isSign("(") {
		p.fail(p.peek().pos, "type %s takes no length", batch.TypeName(t))
	}
	return t
}
