package sql

// aggregateParts parses what may stand behind the arguments of an aggregate.
func (p *parser) aggregateParts(c *call) {
	if p.isWords("WITHIN", "GROUP") {
		p.take()
		p.take()
		p.expectSign("(")
		p.expectWords("ORDER", "BY")
		for {
			c.within = append(c.within, p.orderTerm())
			if !p.acceptSign(",") {
				break
			}
		}
		p.expectSign(")")
	}
	if p.isWords("FILTER") && p.peekAt(1).text == "(" {
		p.take()
		p.take()
		p.expectWords("WHERE")
		c.filter = p.expression()
		p.expectSign(")")
	}
	if !p.acceptWords("RESPECT", "NULLS") {
		c.ignoreNulls = p.acceptWords("IGNORE", "NULLS")
	}
}

// operands returns all expressions of the call but those of OVER.
func (n *call) operands() []node {
	all := append([]node(nil), n.args...)
	for _, o := range n.within {
		all = append(all, o.expr)
	}
	if n.filter != nil {
		all = append(all, n.filter)
	}
	return all
}

// hasAggregateParts says whether the call has what only aggregates have.
func (n *call) hasAggregateParts() bool {
	return n.distinct || n.within != nil || n.filter != nil || n.ignoreNulls
}

// printParts writes what stands behind the arguments.
func (n *call) printParts(b *printer) {
	if len(n.within) > 0 {
		b.add(" WITHIN GROUP (ORDER BY ")
		b.list(len(n.within), func(i int) { n.within[i].print(b) })
		b.add(")")
	}
	if n.filter != nil {
		b.add(" FILTER (WHERE ")
		n.filter.print(b)
		b.add(")")
	}
	if n.ignoreNulls {
		b.add(" IGNORE NULLS")
	}
}
