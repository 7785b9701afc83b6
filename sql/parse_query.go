package sql

import "strconv"

// clauseWords begin or join clauses: they are no aliases without AS.
var clauseWords = words(`AS CROSS EXCEPT FETCH FROM FULL GROUP HAVING INNER INTERSECT INTO JOIN LATERAL LEFT LIMIT MATCH_RECOGNIZE MINUS NATURAL
	OFFSET ON ORDER OVER QUALIFY RIGHT SELECT SORT TABLESAMPLE UNION USING WHERE WINDOW WITH
	ASOF CLUSTER DISTRIBUTE FILTER PIVOT UNPIVOT ANTI SEMI`)

// query parses [WITH …] terms joined by UNION ALL, ORDER BY and LIMIT.
func (p *parser) query() *query {
	p.enter()
	defer p.leave()
	q := &query{at: p.peek().pos, limit: -1}
	if p.acceptWords("WITH") {
		for {
			if p.isWords("RECURSIVE") && p.peekAt(1).upper != "AS" {
				p.fail(p.peek().pos, "not supported: WITH RECURSIVE")
			}
			c := commonTable{name: p.name("a name")}
			if p.isSign("(") {
				p.fail(p.peek().pos, "not supported: column names behind the name in WITH: name columns with AS in its SELECT")
			}
			p.expectWords("AS")
			p.expectSign("(")
			c.query = p.query()
			p.expectSign(")")
			q.with = append(q.with, c)
			if !p.acceptSign(",") {
				break
			}
		}
	}
	p.terms(q)
	p.orderAndLimit(q)
	return q
}

func (p *parser) term() term {
	if p.acceptSign("(") {
		q := p.query()
		p.expectSign(")")
		return q
	}
	if !p.isWords("SELECT") {
		p.unexpected("SELECT")
	}
	return p.selectClause()
}

func (p *parser) orderAndLimit(q *query) {
	if p.acceptWords("ORDER") {
		p.expectWords("BY")
		for {
			q.orderBy = append(q.orderBy, p.orderTerm())
			if !p.acceptSign(",") {
				break
			}
		}
	}
	if p.acceptWords("LIMIT") {
		t := p.peek()
		n, err := strconv.ParseInt(t.text, 10, 64)
		switch {
		case p.acceptWords("ALL"):
		case t.kind != number:
			p.unexpected("a number of rows")
		case err != nil:
			p.fail(t.pos, "LIMIT takes a whole number of rows: got %s", t.text)
		default:
			p.take()
			q.limit = n
		}
	}
	switch t := p.peek(); {
	case p.isWords("OFFSET"), p.isWords("FETCH"), p.isWords("QUALIFY"):
		p.fail(t.pos, "not supported: %s", t.upper)
	case p.isWords("SORT"), p.isWords("CLUSTER"), p.isWords("DISTRIBUTE"):
		p.fail(t.pos, "not supported: %s BY: use ORDER BY", t.upper)
	}
}

// orderTerm parses a term of ORDER BY. As in Spark, NULLs are first in ascending and last in descending order.
func (p *parser) orderTerm() orderTerm {
	o := orderTerm{expr: p.expression()}
	if p.acceptWords("DESC") {
		o.descending = true
	} else {
		p.acceptWords("ASC")
	}
	o.nullsFirst = !o.descending
	if p.acceptWords("NULLS") {
		switch {
		case p.acceptWords("FIRST"):
			o.nullsFirst = true
		case p.acceptWords("LAST"):
			o.nullsFirst = false
		default:
			p.unexpected("FIRST or LAST")
		}
	}
	return o
}

func (p *parser) selectClause() *selectClause {
	s := &selectClause{at: p.take().pos}
	s.distinct = p.distinct()
	s.items = p.items()
	if t := p.peek(); t.kind == endOfScript || p.isSign(";") || p.isSign(")") && p.depth > 1 {
		p.fail(s.at, "SELECT needs FROM and a source or view: nothing streams without one")
	}
	p.expectWords("FROM")
	s.from = p.tableRef()
	s.joins = p.joins(s)
	p.laterals(s)
	p.afterTable()
	if p.acceptWords("WHERE") {
		s.where = p.expression()
	}
	if p.acceptWords("GROUP") {
		p.expectWords("BY")
		p.groupBy(s)
	}
	if p.acceptWords("HAVING") {
		s.having = p.expression()
	}
	s.windows = p.windows()
	return s
}

// isAliasNext says whether the n-th token from here ends or joins an item, so that the word before it is a column.
func (p *parser) isAliasNext(n int) bool {
	t := p.peekAt(n)
	return t.kind == sign && t.text != "(" && t.text != "*" && t.text != "-" || t.kind == word && t.upper == "FROM"
}

func (p *parser) items() []item {
	var list []item
	for {
		list = append(list, p.item())
		if !p.acceptSign(",") {
			return list
		}
	}
}

func (p *parser) item() item {
	it := item{at: p.peek().pos}
	if p.acceptSign("*") {
		p.noExcept()
		return it
	}
	if t, dot, star := p.peek(), p.peekAt(1), p.peekAt(2); (t.kind == word || t.kind == quotedName) &&
		dot.kind == sign && dot.text == "." && star.kind == sign && star.text == "*" {
		it.qualifier = t.text
		p.take()
		p.take()
		p.take()
		p.noExcept()
		return it
	}
	it.expr = p.expression()
	if p.acceptWords("AS") {
		p.itemNames(&it)
	} else {
		it.alias = p.alias()
	}
	return it
}

func (p *parser) noExcept() {
	if t := p.peek(); p.isWords("EXCEPT") && p.peekAt(1).text == "(" {
		p.fail(t.pos, "not supported: * EXCEPT: list the columns")
	}
}

// alias takes a name without AS, "" if there is none.
func (p *parser) alias() string {
	t := p.peek()
	if t.kind == quotedName || t.kind == word && !clauseWords[t.upper] {
		return p.take().text
	}
	return ""
}

func (p *parser) tableRef() tableRef {
	var r tableRef
	if p.acceptSign("(") {
		r.query = p.query()
		p.expectSign(")")
	} else {
		if t := p.peek(); t.kind == stringText {
			p.fail(t.pos, "FROM takes a name: name %q with CREATE SOURCE", t.text)
		}
		r.name = p.name("a source, a view or a query in brackets")
		switch t := p.peek(); {
		case p.isSign("("):
			p.fail(t.pos, "not supported: a function in FROM: %s", r.name.text)
		case p.isSign("."):
			p.fail(t.pos, "a name has no dot: quote it with ` or leave the part before the dot out")
		}
	}
	r.asOf = p.asOf()
	if p.isWords("MATCH_RECOGNIZE") {
		r.match = p.matchRecognize()
	}
	if p.acceptWords("AS") {
		r.alias = p.name("a name").text
	} else {
		r.alias = p.alias()
	}
	return r
}

// afterTable refuses what may follow a table in other dialects.
func (p *parser) afterTable() {
	t := p.peek()
	switch {
	case p.isSign(","):
		p.fail(t.pos, "not supported: a comma between tables: write JOIN … ON")
	case p.isWords("NATURAL"):
		p.fail(t.pos, "not supported: NATURAL JOIN: name the columns with USING")
	case p.isWords("ASOF"):
		p.fail(t.pos, "not supported: ASOF JOIN: write JOIN … FOR SYSTEM_TIME AS OF")
	case p.isWords("TABLESAMPLE"), p.isWords("PIVOT"), p.isWords("UNPIVOT"):
		p.fail(t.pos, "not supported: %s", t.upper)
	case p.isSign("("):
		p.fail(t.pos, "not supported: column names behind a table's alias: name columns with AS in its SELECT")
	}
}
