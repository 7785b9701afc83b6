package sql

import "slices"

// maxGroupingSets bounds the sets of one GROUP BY: rows are counted once for each. The value is a choice, not a measurement.
const maxGroupingSets = 256

// groupBy parses the terms of GROUP BY: expressions, and ROLLUP, CUBE and GROUPING SETS, whose sets are all combined with each other.
func (p *parser) groupBy(s *selectClause) {
	if p.isWords("ALL") && p.peekAt(1).text != "," {
		p.fail(p.peek().pos, "not supported yet: GROUP BY ALL")
	}
	at := p.peek().pos
	sets, hasSets := [][]node{nil}, false
	for {
		element, isSets := p.groupElement()
		hasSets = hasSets || isSets
		var all [][]node
		for _, before := range sets {
			for _, e := range element {
				all = append(all, append(slices.Clip(before), e...))
			}
		}
		sets = all
		if len(sets) > maxGroupingSets {
			p.fail(at, "GROUP BY has more than %d sets", maxGroupingSets)
		}
		if !p.acceptSign(",") || p.failed {
			break
		}
	}
	switch {
	case p.failed:
	case p.acceptWords("WITH", "ROLLUP"):
		sets, hasSets = rollup(singles(sets[0])), true
	case p.acceptWords("WITH", "CUBE"):
		sets, hasSets = p.cube(at, singles(sets[0])), true
	}
	index := make(map[string]int)
	for _, set := range sets {
		indices := []int{}
		for _, n := range set {
			text := textOf(n)
			i, known := index[text]
			if !known {
				i = len(s.groupBy)
				index[text] = i
				s.groupBy = append(s.groupBy, n)
			}
			indices = append(indices, i)
		}
		s.sets = append(s.sets, indices)
	}
	if !hasSets {
		s.sets, s.groupBy = nil, sets[0]
	}
}

// groupElement parses one term of GROUP BY. An expression is one set of it alone.
func (p *parser) groupElement() (sets [][]node, isSets bool) {
	at := p.peek().pos
	isCall := p.peekAt(1).text == "(" && p.peekAt(1).kind == sign
	switch {
	case isCall && p.acceptWords("ROLLUP"):
		return rollup(p.groupParts()), true
	case isCall && p.acceptWords("CUBE"):
		return p.cube(at, p.groupParts()), true
	case p.acceptWords("GROUPING", "SETS"):
		p.expectSign("(")
		for !p.failed {
			if p.isSign("(") {
				sets = append(sets, p.groupPart())
			} else {
				inner, _ := p.groupElement()
				sets = append(sets, inner...)
			}
			if !p.acceptSign(",") {
				break
			}
		}
		p.expectSign(")")
		return sets, true
	}
	return [][]node{{p.expression()}}, false
}

// groupParts parses what stands in the brackets of ROLLUP and CUBE.
func (p *parser) groupParts() [][]node {
	p.expectSign("(")
	var parts [][]node
	for {
		parts = append(parts, p.groupPart())
		if !p.acceptSign(",") || p.failed {
			break
		}
	}
	p.expectSign(")")
	return parts
}

// groupPart parses an expression, or several in brackets, or none in brackets.
func (p *parser) groupPart() []node {
	if !p.acceptSign("(") {
		return []node{p.expression()}
	}
	if p.acceptSign(")") {
		return nil
	}
	return p.arguments()
}

func singles(nodes []node) [][]node {
	var parts [][]node
	for _, n := range nodes {
		parts = append(parts, []node{n})
	}
	return parts
}

// rollup returns all parts, all but the last, and so on to none.
func rollup(parts [][]node) [][]node {
	var sets [][]node
	for n := len(parts); n >= 0; n-- {
		var set []node
		for _, part := range parts[:n] {
			set = append(set, part...)
		}
		sets = append(sets, set)
	}
	return sets
}

// cube returns all choices of parts.
func (p *parser) cube(at Pos, parts [][]node) [][]node {
	if 1<<min(len(parts), 30) > maxGroupingSets {
		p.fail(at, "GROUP BY has more than %d sets", maxGroupingSets)
		return [][]node{nil}
	}
	var sets [][]node
	for left := range 1 << len(parts) { // a bit says that a part is left out, the first part's the highest
		var set []node
		for i, part := range parts {
			if left>>(len(parts)-1-i)&1 == 0 {
				set = append(set, part...)
			}
		}
		sets = append(sets, set)
	}
	return sets
}

// printGroupBy writes the terms of GROUP BY.
func (s *selectClause) printGroupBy(b *printer) {
	if s.sets == nil {
		b.list(len(s.groupBy), func(i int) { s.groupBy[i].print(b) })
		return
	}
	b.add("GROUPING SETS (")
	b.list(len(s.sets), func(i int) {
		b.add("(")
		b.list(len(s.sets[i]), func(k int) { s.groupBy[s.sets[i][k]].print(b) })
		b.add(")")
	})
	b.add(")")
}
