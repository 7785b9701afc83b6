package sql

import "github.com/tidemill/tidemill/operators"

// joinWords has what may stand before a table that is joined, the longest first.
var joinWords = []struct {
	words []string
	kind  operators.JoinKind
	// isCross says that there is no condition.
	isCross bool
}{
	{words: []string{"INNER", "JOIN"}, kind: operators.InnerJoin},
	{words: []string{"CROSS", "JOIN"}, kind: operators.InnerJoin, isCross: true},
	{words: []string{"LEFT", "OUTER", "JOIN"}, kind: operators.LeftJoin},
	{words: []string{"LEFT", "SEMI", "JOIN"}, kind: operators.SemiJoin},
	{words: []string{"LEFT", "ANTI", "JOIN"}, kind: operators.AntiJoin},
	{words: []string{"LEFT", "JOIN"}, kind: operators.LeftJoin},
	{words: []string{"RIGHT", "OUTER", "JOIN"}, kind: operators.RightJoin},
	{words: []string{"RIGHT", "JOIN"}, kind: operators.RightJoin},
	{words: []string{"FULL", "OUTER", "JOIN"}, kind: operators.FullJoin},
	{words: []string{"FULL", "JOIN"}, kind: operators.FullJoin},
	{words: []string{"SEMI", "JOIN"}, kind: operators.SemiJoin},
	{words: []string{"ANTI", "JOIN"}, kind: operators.AntiJoin},
	{words: []string{"JOIN"}, kind: operators.InnerJoin},
}

// maxJoins bounds the joins of one FROM: each is bound over the columns of all before it.
const maxJoins = 64

// joins parses what follows the first table of FROM.
func (p *parser) joins(s *selectClause) []joinClause {
	var list []joinClause
	for !p.failed {
		j := joinClause{at: p.peek().pos}
		isJoin, isCross := false, false
		for _, w := range joinWords {
			if p.acceptWords(w.words...) {
				j.kind, isJoin, isCross = w.kind, true, w.isCross
				break
			}
		}
		if !isJoin {
			if p.isWords("INNER") || p.isWords("LEFT") || p.isWords("RIGHT") || p.isWords("FULL") || p.isWords("CROSS") || p.isWords("SEMI") || p.isWords("ANTI") {
				p.take()
				p.unexpected("JOIN")
			}
			break
		}
		if len(list) == maxJoins {
			p.fail(j.at, "FROM joins more than %d tables: put some in a view", maxJoins+1)
		}
		if p.isWords("LATERAL") {
			if j.kind != operators.InnerJoin && j.kind != operators.LeftJoin {
				p.fail(j.at, "LATERAL stands behind JOIN, CROSS JOIN or LEFT JOIN")
			}
			p.lateralTable(s, lateralView{at: j.at, isOuter: j.kind == operators.LeftJoin})
			p.acceptWords("ON", "TRUE")
			continue
		}
		if len(s.laterals) > 0 {
			p.fail(j.at, "LATERAL stands behind all other joins")
		}
		j.right = p.tableRef()
		p.joinCondition(&j, isCross)
		list = append(list, j)
	}
	return list
}

// joinCondition parses ON or USING.
func (p *parser) joinCondition(j *joinClause, isCross bool) {
	switch {
	case isCross:
	case p.acceptWords("ON"):
		j.on = p.expression()
	case p.acceptWords("USING"):
		p.expectSign("(")
		for {
			j.using = append(j.using, p.name("a column"))
			if !p.acceptSign(",") {
				break
			}
		}
		p.expectSign(")")
	default:
		p.unexpected("ON or USING")
	}
}

// asOf parses FOR SYSTEM_TIME AS OF time, nil if it is not there.
func (p *parser) asOf() node {
	if !p.acceptWords("FOR", "SYSTEM_TIME") {
		return nil
	}
	p.expectWords("AS", "OF")
	return p.binary(powerCompare)
}

func (r *tableRef) print(b *printer) {
	if r.query != nil {
		r.query.printInBrackets(b)
	} else {
		b.name(r.name.text)
	}
	if r.asOf != nil {
		b.add(" FOR SYSTEM_TIME AS OF ")
		r.asOf.print(b)
	}
	if r.match != nil {
		r.match.print(b)
	}
	if r.alias != "" {
		b.add(" AS ")
		b.name(r.alias)
	}
}

func (j *joinClause) print(b *printer) {
	word := map[operators.JoinKind]string{
		operators.InnerJoin: " JOIN ", operators.LeftJoin: " LEFT JOIN ", operators.RightJoin: " RIGHT JOIN ",
		operators.FullJoin: " FULL JOIN ", operators.SemiJoin: " LEFT SEMI JOIN ", operators.AntiJoin: " LEFT ANTI JOIN ",
	}[j.kind]
	if j.on == nil && j.using == nil {
		word = " CROSS JOIN "
	}
	b.add(word)
	j.right.print(b)
	switch {
	case j.on != nil:
		b.add(" ON ")
		j.on.print(b)
	case j.using != nil:
		b.add(" USING (")
		b.list(len(j.using), func(i int) { b.name(j.using[i].text) })
		b.add(")")
	}
}
