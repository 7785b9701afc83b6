package sql

import (
	"slices"
	"strings"
)

// otherStatements says what to do instead of statements of other dialects.
var otherStatements = map[string]string{
	"INSERT":   "use CREATE SINK … AS SELECT",
	"DROP":     "a script describes one job: leave the statement out that creates it",
	"USE":      "there is one namespace",
	"UPDATE":   "streams are read, not changed",
	"DELETE":   "streams are read, not changed: filter with WHERE",
	"MERGE":    "use CREATE SINK … WITH (mode = 'update')",
	"VALUES":   "create a source from a file or stdin",
	"ALTER":    "change the statement that creates it",
	"SHOW":     "use the command tidemill check",
	"EXPLAIN":  "use the command tidemill explain",
	"DESCRIBE": "use the command tidemill check",
}

func (p *parser) statement() statement {
	t := p.peek()
	switch {
	case p.isWords("CREATE"):
		return p.create()
	case p.isWords("SELECT"), p.isWords("WITH"), p.isSign("("):
		return &bareQuery{query: p.query()}
	case p.isWords("SET"):
		return p.set()
	case t.kind == word && otherStatements[t.upper] != "":
		p.fail(t.pos, "not supported: %s: %s", t.upper, otherStatements[t.upper])
	default:
		p.unexpected("CREATE SOURCE, CREATE TABLE, CREATE VIEW, CREATE SINK, SELECT or WITH")
	}
	return nil
}

func (p *parser) create() statement {
	p.take()
	t := p.peek()
	switch {
	case p.acceptWords("SOURCE"):
		return p.createSource()
	case p.acceptWords("VIEW"):
		s := &createView{name: p.created()}
		p.expectWords("AS")
		s.query = p.query()
		return s
	case p.acceptWords("SINK"):
		s := &createSink{name: p.created()}
		p.expectWords("INTO")
		s.ends = p.ends("SINK")
		p.expectWords("AS")
		s.query = p.query()
		return s
	case p.acceptWords("TABLE"):
		return p.createTable()
	case p.isWords("OR", "REPLACE"), p.isWords("TEMP"), p.isWords("TEMPORARY"), p.isWords("GLOBAL"):
		p.fail(t.pos, "not supported: CREATE %s: write CREATE VIEW, CREATE SOURCE, CREATE TABLE or CREATE SINK", t.upper)
	default:
		p.unexpected("SOURCE, TABLE, VIEW or SINK")
	}
	return nil
}

// created takes the name of what is created.
func (p *parser) created() ident {
	if t := p.peek(); p.isWords("IF", "NOT") {
		p.fail(t.pos, "not supported: IF NOT EXISTS: a script creates each name once")
	}
	n := p.name("a name")
	if p.isSign(".") {
		p.fail(p.peek().pos, "a name has no dot: quote it with ` or leave the part before the dot out")
	}
	return n
}

func (p *parser) createSource() statement {
	s := &createSource{name: p.created()}
	if p.acceptSign("(") {
		for {
			if at := p.peek().pos; p.isWords("WATERMARK", "FOR") {
				if s.watermark != nil {
					p.fail(at, "WATERMARK FOR is given twice: a source has one")
				}
				s.watermark = p.watermark()
			} else {
				s.columns = append(s.columns, p.columnDef())
			}
			if !p.acceptSign(",") {
				break
			}
		}
		if !p.isSign(")") {
			p.unexpected(", or )")
		}
		p.take()
	}
	p.expectWords("FROM")
	s.ends = p.ends("SOURCE")
	return s
}

func (p *parser) watermark() *watermarkDef {
	p.expectWords("WATERMARK", "FOR")
	w := &watermarkDef{column: p.name("a column")}
	p.expectWords("AS")
	w.value = p.expression()
	return w
}

func (p *parser) columnDef() columnDef {
	c := columnDef{name: p.name("a column")}
	if p.acceptWords("AS") {
		c.computed = p.expression()
		return c
	}
	c.typ = p.typ("a type or AS")
	if at := p.peek().pos; p.isWords("NOT", "NULL") || p.isWords("PRIMARY") || p.isWords("DEFAULT") {
		p.fail(at, "not supported: %s behind a column's type: rows that must not be NULL are kept with WHERE", p.peek().upper)
	}
	return c
}

// ends parses what follows FROM or INTO.
func (p *parser) ends(kind string) ends {
	var e ends
	e.uri = p.text("an address such as 'file:in.csv'")
	if p.acceptWords("FORMAT") {
		e.format = p.name("a format such as CSV")
		e.format.text = asciiUpper(e.format.text)
	}
	if p.isWords("WITH") {
		p.take()
		p.expectSign("(")
		for {
			e.options = append(e.options, p.option(e.options))
			if !p.acceptSign(",") {
				break
			}
		}
		if !p.isSign(")") {
			p.unexpected(", or )")
		}
		p.take()
	}
	if p.isWords("FORMAT") && e.format.text == "" {
		p.fail(p.peek().pos, "FORMAT stands before WITH")
	}
	if kind == "SINK" && (p.isSign(";") || p.peek().kind == endOfScript) {
		p.unexpected("AS SELECT")
	}
	return e
}

// option parses key = value. A key may have dots, a value is a string, a number, or a word such as true.
func (p *parser) option(before []option) option {
	t := p.peek()
	var o option
	if t.kind == stringText {
		o.key = ident{at: t.pos, text: p.take().text}
	} else {
		o.key = p.name("an option")
		for p.acceptSign(".") {
			o.key.text += "." + p.name("the rest of the option").text
		}
	}
	o.key.text = strings.ToLower(o.key.text)
	if slices.ContainsFunc(before, func(b option) bool { return b.key.text == o.key.text }) {
		p.fail(t.pos, "option %q is given twice", o.key.text)
	}
	p.expectSign("=")
	minus := ""
	if p.isSign("-") && p.peekAt(1).kind == number {
		minus = p.take().text
	}
	switch v := p.peek(); v.kind {
	case stringText, number, word:
		o.value = minus + p.take().text
	default:
		p.unexpected("a value in quotes, a number, true or false")
	}
	return o
}
