package sql

// lateralView is LATERAL VIEW explode(x) t AS c, which is also written CROSS JOIN LATERAL explode(x) AS t(c).
type lateralView struct {
	at      Pos
	isOuter bool // rows that explode to none stay, with NULL
	call    *call
	table   string
	columns []ident
}

// laterals parses what follows the tables of FROM.
func (p *parser) laterals(s *selectClause) {
	for !p.failed {
		at := p.peek().pos
		switch {
		case p.acceptWords("LATERAL", "VIEW"):
			l := lateralView{at: at, isOuter: p.acceptWords("OUTER")}
			p.lateralCall(&l)
			if t := p.peek(); !p.isWords("AS") && (t.kind == quotedName || t.kind == word && !clauseWords[t.upper]) {
				l.table = p.take().text
			}
			if p.acceptWords("AS") {
				l.columns = p.names()
			}
			s.laterals = append(s.laterals, l)
		case p.isSign(",") && p.peekAt(1).upper == "LATERAL":
			p.take()
			p.lateralTable(s, lateralView{at: at})
		default:
			return
		}
	}
}

// lateralTable parses LATERAL explode(x) [AS] t(c, …).
func (p *parser) lateralTable(s *selectClause, l lateralView) {
	p.expectWords("LATERAL")
	if p.isSign("(") {
		p.fail(p.peek().pos, "not supported: a query behind LATERAL: write LATERAL explode(x) AS t(c)")
	}
	p.lateralCall(&l)
	p.acceptWords("AS")
	if l.table = p.alias(); l.table != "" && p.acceptSign("(") {
		l.columns = p.names()
		p.expectSign(")")
	}
	s.laterals = append(s.laterals, l)
}

func (p *parser) lateralCall(l *lateralView) {
	if p.peekAt(1).text != "(" {
		p.unexpected("a function such as explode(x)")
		return
	}
	if c, ok := p.function().(*call); ok {
		l.call = c
	}
}

// names parses names with commas between them.
func (p *parser) names() []ident {
	list := []ident{p.name("a column")}
	for p.acceptSign(",") {
		list = append(list, p.name("a column"))
	}
	return list
}

func (l *lateralView) print(b *printer) {
	b.add(" LATERAL VIEW ")
	if l.isOuter {
		b.add("OUTER ")
	}
	l.call.print(b)
	if l.table != "" {
		b.add(" ")
		b.name(l.table)
	}
	if len(l.columns) > 0 {
		b.add(" AS ")
		b.list(len(l.columns), func(i int) { b.name(l.columns[i].text) })
	}
}
