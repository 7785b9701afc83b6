package sql

import (
	"strconv"

	"github.com/tidemill/tidemill/operators"
)

// matchClause is MATCH_RECOGNIZE (…) behind a table.
type matchClause struct {
	at          Pos
	partitionBy []node
	orderBy     []orderTerm
	measures    []item
	after       operators.MatchSkip
	afterVar    ident // of TO FIRST and TO LAST
	pattern     *matchPattern
	within      node // nil: none
	defines     []matchDefine
}

// matchDefine is a condition of DEFINE.
type matchDefine struct {
	name      ident
	condition node
}

// matchPattern is a part of PATTERN: a variable, a sequence or alternatives, repeated.
type matchPattern struct {
	name   ident // of a variable
	parts  []*matchPattern
	isAny  bool
	min    int
	max    int // -1: without bound
	isLazy bool
}

// matchRecognize parses what is behind MATCH_RECOGNIZE.
func (p *parser) matchRecognize() *matchClause {
	m := &matchClause{at: p.take().pos}
	p.enter()
	defer p.leave()
	p.expectSign("(")
	if p.acceptWords("PARTITION") {
		p.expectWords("BY")
		for {
			m.partitionBy = append(m.partitionBy, p.expression())
			if !p.acceptSign(",") {
				break
			}
		}
	}
	p.expectWords("ORDER", "BY")
	for {
		m.orderBy = append(m.orderBy, p.orderTerm())
		if !p.acceptSign(",") {
			break
		}
	}
	p.expectWords("MEASURES")
	m.measures = p.items()
	if t := p.peek(); p.acceptWords("ALL", "ROWS") {
		p.fail(t.pos, "not supported: ALL ROWS PER MATCH: there is one row per match, write what it has into MEASURES")
	}
	p.acceptWords("ONE", "ROW", "PER", "MATCH")
	p.matchAfter(m)
	p.expectWords("PATTERN")
	p.expectSign("(")
	m.pattern = p.matchPattern()
	p.expectSign(")")
	if p.acceptWords("WITHIN") {
		m.within = p.expression()
	}
	if t := p.peek(); p.isWords("SUBSET") {
		p.fail(t.pos, "not supported: SUBSET")
	}
	p.expectWords("DEFINE")
	for {
		d := matchDefine{name: p.name("a variable of the pattern")}
		p.expectWords("AS")
		d.condition = p.expression()
		m.defines = append(m.defines, d)
		if !p.acceptSign(",") {
			break
		}
	}
	p.expectSign(")")
	return m
}

// matchAfter parses AFTER MATCH SKIP …; left out it is PAST LAST ROW, as in the standard.
func (p *parser) matchAfter(m *matchClause) {
	if !p.acceptWords("AFTER") {
		return
	}
	p.expectWords("MATCH", "SKIP")
	switch {
	case p.acceptWords("PAST", "LAST", "ROW"):
	case p.acceptWords("TO", "NEXT", "ROW"):
		m.after = operators.SkipToNextRow
	case p.acceptWords("TO", "FIRST"):
		m.after, m.afterVar = operators.SkipToFirst, p.name("a variable of the pattern")
	case p.acceptWords("TO", "LAST"), p.acceptWords("TO"):
		m.after, m.afterVar = operators.SkipToLast, p.name("a variable of the pattern")
	default:
		p.unexpected("PAST LAST ROW, TO NEXT ROW, TO FIRST or TO LAST and a variable")
	}
}

// matchPattern parses alternatives.
func (p *parser) matchPattern() *matchPattern {
	p.enter()
	defer p.leave()
	either := &matchPattern{isAny: true, min: 1, max: 1}
	for {
		either.parts = append(either.parts, p.matchSequence())
		if !p.acceptSign("|") {
			break
		}
	}
	if len(either.parts) == 1 {
		return either.parts[0]
	}
	return either
}

func (p *parser) matchSequence() *matchPattern {
	seq := &matchPattern{min: 1, max: 1}
	for !p.failed {
		t := p.peek()
		var part *matchPattern
		switch {
		case p.acceptSign("("):
			part = p.matchPattern()
			p.expectSign(")")
			if part.min != 1 || part.max != 1 {
				part = &matchPattern{parts: []*matchPattern{part}, min: 1, max: 1}
			}
		case t.kind == word || t.kind == quotedName:
			part = &matchPattern{name: p.name("a variable"), min: 1, max: 1}
		case len(seq.parts) == 0:
			p.unexpected("a variable of the pattern")
			return seq
		default:
			if len(seq.parts) == 1 {
				return seq.parts[0]
			}
			return seq
		}
		p.quantifier(part)
		seq.parts = append(seq.parts, part)
	}
	return seq
}

// maxRepeats bounds the numbers in {n,m}.
const maxRepeats = 10_000

func (p *parser) quantifier(m *matchPattern) {
	switch {
	case p.acceptSign("*"):
		m.min, m.max = 0, -1
	case p.acceptSign("+"):
		m.min, m.max = 1, -1
	case p.acceptSign("?"):
		m.min, m.max = 0, 1
	case p.acceptSign("{"):
		at := p.peek().pos
		m.min, m.max = 0, -1
		if n, ok := p.repeats(); ok {
			m.min, m.max = n, n
		}
		if p.acceptSign(",") {
			m.max = -1
			if n, ok := p.repeats(); ok {
				m.max = n
			}
		} else if m.max < 0 {
			p.unexpected("a number of repetitions")
		}
		p.expectSign("}")
		if m.max == 0 || m.max > 0 && m.max < m.min {
			p.fail(at, "a quantifier {n,m} takes 0 <= n <= m and m of at least 1")
		}
	default:
		return
	}
	m.isLazy = p.acceptSign("?")
}

func (p *parser) repeats() (int, bool) {
	t := p.peek()
	if t.kind != number {
		return 0, false
	}
	n, err := strconv.Atoi(t.text)
	if err != nil || n > maxRepeats {
		p.fail(t.pos, "a quantifier takes whole numbers up to %d, got %s", maxRepeats, t.text)
		return 0, false
	}
	p.take()
	return n, true
}

func (m *matchClause) print(b *printer) {
	b.add(" MATCH_RECOGNIZE (")
	if len(m.partitionBy) > 0 {
		b.add("PARTITION BY ")
		b.list(len(m.partitionBy), func(i int) { m.partitionBy[i].print(b) })
		b.add(" ")
	}
	b.add("ORDER BY ")
	b.list(len(m.orderBy), func(i int) { m.orderBy[i].print(b) })
	b.add(" MEASURES ")
	b.list(len(m.measures), func(i int) { m.measures[i].print(b) })
	b.add(" ONE ROW PER MATCH AFTER MATCH SKIP ")
	switch m.after {
	case operators.SkipPastLastRow:
		b.add("PAST LAST ROW")
	case operators.SkipToNextRow:
		b.add("TO NEXT ROW")
	case operators.SkipToFirst:
		b.add("TO FIRST ")
		b.name(m.afterVar.text)
	case operators.SkipToLast:
		b.add("TO LAST ")
		b.name(m.afterVar.text)
	}
	b.add(" PATTERN (")
	m.pattern.print(b)
	b.add(")")
	if m.within != nil {
		b.add(" WITHIN ")
		m.within.print(b)
	}
	b.add(" DEFINE ")
	b.list(len(m.defines), func(i int) {
		b.name(m.defines[i].name.text)
		b.add(" AS ")
		m.defines[i].condition.print(b)
	})
	b.add(")")
}

func (m *matchPattern) print(b *printer) {
	switch {
	case len(m.parts) == 0:
		b.name(m.name.text)
	default:
		b.add("(")
		for i, part := range m.parts {
			if i > 0 {
				b.add(map[bool]string{true: " | ", false: " "}[m.isAny])
			}
			part.print(b)
		}
		b.add(")")
	}
	switch {
	case m.min == 1 && m.max == 1:
		return
	case m.max < 0:
		b.add("{", strconv.Itoa(m.min), ",}")
	default:
		b.add("{", strconv.Itoa(m.min), ",", strconv.Itoa(m.max), "}")
	}
	if m.isLazy {
		b.add("?")
	}
}
