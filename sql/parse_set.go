package sql

// setOperation is UNION, INTERSECT or EXCEPT, each of different rows.
type setOperation struct {
	at          Pos
	op          string
	left, right term
}

func (s *setOperation) place() Pos { return s.at }

func (s *setOperation) print(b *printer) {
	printTerm(b, s.left)
	b.add(" ", s.op, " ")
	printTerm(b, s.right)
}

func printTerm(b *printer, t term) {
	if inner, ok := t.(*query); ok {
		inner.printInBrackets(b)
	} else {
		t.print(b)
	}
}

// unionAll joins all rows.
const unionAll = "UNION ALL"

// terms parses what UNION, INTERSECT and EXCEPT stand between. INTERSECT binds closer than the others, which go from left to right.
func (p *parser) terms(q *query) {
	terms, ops := []term{p.term()}, []string(nil)
	for !p.failed {
		t := p.peek()
		op := ""
		switch {
		case p.acceptWords("UNION", "ALL"):
			op = unionAll
		case p.acceptWords("UNION"):
			op = "UNION"
		case p.acceptWords("INTERSECT"):
			op = "INTERSECT"
		case p.acceptWords("EXCEPT"), p.acceptWords("MINUS"):
			op = "EXCEPT"
		}
		if op == "" {
			break
		}
		if op != unionAll && !p.acceptWords("DISTINCT") && p.isWords("ALL") {
			p.fail(t.pos, "not supported: %s ALL: %[1]s gives each row once", op)
		}
		right := p.term()
		if n := len(terms) - 1; op == "INTERSECT" {
			terms[n] = &setOperation{at: t.pos, op: op, left: inQuery(terms[n]), right: right}
			continue
		}
		terms, ops = append(terms, right), append(ops, op)
	}
	q.terms = []term{terms[0]}
	for i, op := range ops {
		right := inQuery(terms[i+1])
		if op == unionAll {
			q.terms = append(q.terms, right)
			continue
		}
		left := q.terms[0]
		if len(q.terms) > 1 {
			left = &query{at: q.at, terms: q.terms, limit: -1}
		}
		q.terms = []term{&setOperation{at: right.place(), op: op, left: inQuery(left), right: right}}
	}
	if len(q.terms) > 1 {
		q.terms[0] = inQuery(q.terms[0])
	}
}

// inQuery returns a setOperation as a query, so that it is a term of another.
func inQuery(t term) term {
	if s, ok := t.(*setOperation); ok {
		return &query{at: s.at, terms: []term{s}, limit: -1}
	}
	return t
}

// word returns what joins the terms, for messages.
func (q *query) word() string {
	if q.op == "" {
		return unionAll
	}
	return q.op
}
