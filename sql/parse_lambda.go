package sql

// argument parses an argument of a function: an expression or a lambda function.
func (p *parser) argument() node {
	t := p.peek()
	if !p.isLambda() {
		return p.expression()
	}
	n := &lambda{}
	isList := p.acceptSign("(")
	for {
		n.params = append(n.params, p.name("a parameter"))
		if !isList || !p.acceptSign(",") {
			break
		}
	}
	if isList {
		p.expectSign(")")
	}
	p.expectSign("->")
	n.body = p.expression()
	for i, a := range n.params {
		for _, other := range n.params[:i] {
			if asciiLower(a.text) == asciiLower(other.text) {
				p.fail(a.at, "two parameters are named %q", a.text)
			}
		}
	}
	n.base = p.above(t.pos, n.body)
	return n
}

// isLambda says whether a lambda function comes next: x -> or (x, y) ->.
func (p *parser) isLambda() bool {
	isName := func(i int) bool { t := p.peekAt(i); return t.kind == word || t.kind == quotedName }
	isArrow := func(i int) bool { t := p.peekAt(i); return t.kind == sign && t.text == "->" }
	if isName(0) {
		return isArrow(1)
	}
	if !p.isSign("(") {
		return false
	}
	for i := 1; isName(i); i += 2 {
		switch t := p.peekAt(i + 1); {
		case t.kind != sign:
			return false
		case t.text == ")":
			return isArrow(i + 2)
		case t.text != ",":
			return false
		}
	}
	return false
}

func (n *lambda) print(b *printer) {
	if len(n.params) == 1 {
		b.name(n.params[0].text)
	} else {
		b.add("(")
		b.list(len(n.params), func(i int) { b.name(n.params[i].text) })
		b.add(")")
	}
	b.add(" -> ")
	n.body.print(b)
}

// itemNames parses what follows AS: a name, or several in brackets for an item that makes several columns.
func (p *parser) itemNames(it *item) {
	at := p.peek().pos
	isList := p.acceptSign("(")
	it.alias = p.name("a name").text
	if !isList {
		return
	}
	for p.acceptSign(",") {
		it.aliases = append(it.aliases, p.name("a name").text)
	}
	p.expectSign(")")
	if c, isCall := it.expr.(*call); !p.failed && (!isCall || !isExplode(c.fn)) {
		p.fail(at, "several names behind AS are for functions that make several columns, such as posexplode")
	}
}
