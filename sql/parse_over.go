package sql

import (
	"slices"
	"time"
)

// distinct is what stands behind SELECT DISTINCT.
type distinct struct {
	at Pos
	// on has the expressions that make rows equal; nil: all columns of the result.
	on []node
	// within is how long a row is known; watermark says that it is as long as the watermark is behind.
	within    time.Duration
	hasWithin bool
	watermark bool
}

// overClause is what stands behind OVER, or behind a name in the WINDOW clause.
type overClause struct {
	at        Pos
	name      string // of a window of the WINDOW clause; "" where the parts stand here
	partition []node
	order     []orderTerm
	frame     *overFrame
}

// overFrame is ROWS or RANGE BETWEEN preceding PRECEDING AND following FOLLOWING.
type overFrame struct {
	at     Pos
	isRows bool
	// preceding is a number of rows or an INTERVAL; nil: UNBOUNDED, or CURRENT ROW if beginsHere.
	preceding  node
	beginsHere bool
	// following is a number of rows or an INTERVAL; nil: CURRENT ROW.
	following node
}

// namedWindow is an entry of the WINDOW clause.
type namedWindow struct {
	name ident
	over *overClause
}

// distinct parses DISTINCT [ON (…) [WITHIN …]], nil if it is not there.
func (p *parser) distinct() *distinct {
	if !p.isWords("DISTINCT") || p.isAliasNext(1) {
		return nil
	}
	d := &distinct{at: p.take().pos}
	if !p.isWords("ON") || p.peekAt(1).text != "(" {
		return d
	}
	p.take()
	p.take()
	d.on = p.arguments()
	switch next := p.peekAt(1); {
	case !p.isWords("WITHIN"):
	case next.upper == "WATERMARK":
		p.take()
		p.take()
		d.watermark = true
	case next.upper == "INTERVAL":
		p.take()
		d.within, d.hasWithin = isInterval(p.interval())
	}
	return d
}

// over parses OVER name and OVER (…), nil if it is not there.
func (p *parser) over() *overClause {
	if !p.isWords("OVER") {
		return nil
	}
	at := p.take().pos
	if !p.isSign("(") {
		return &overClause{at: at, name: p.name("the name of a window, or (").text}
	}
	return p.overParts(at)
}

// overParts parses ([PARTITION BY …] [ORDER BY …] [ROWS … | RANGE …]).
func (p *parser) overParts(at Pos) *overClause {
	o := &overClause{at: at}
	p.expectSign("(")
	if p.acceptWords("PARTITION") {
		p.expectWords("BY")
		for {
			o.partition = append(o.partition, p.expression())
			if !p.acceptSign(",") {
				break
			}
		}
	}
	if p.acceptWords("ORDER") {
		p.expectWords("BY")
		for {
			o.order = append(o.order, p.orderTerm())
			if !p.acceptSign(",") {
				break
			}
		}
	}
	if p.isWords("ROWS") || p.isWords("RANGE") {
		o.frame = p.frame()
	}
	if !p.isSign(")") {
		p.unexpected("PARTITION BY, ORDER BY, ROWS, RANGE or )")
	}
	p.take()
	return o
}

// frame parses ROWS or RANGE, and x PRECEDING or BETWEEN x PRECEDING AND y FOLLOWING, either of which may be CURRENT ROW.
func (p *parser) frame() *overFrame {
	f := &overFrame{at: p.peek().pos, isRows: p.isWords("ROWS")}
	p.take()
	isBetween := p.acceptWords("BETWEEN")
	switch {
	case p.acceptWords("UNBOUNDED"):
	case p.acceptWords("CURRENT"):
		p.expectWords("ROW")
		f.beginsHere = true
	default:
		f.preceding = p.frameEdge("a number of rows, an INTERVAL, CURRENT ROW or UNBOUNDED")
	}
	if t := p.peek(); !f.beginsHere && p.isWords("FOLLOWING") {
		p.fail(t.pos, "not supported: a frame that begins behind the current row: begin with CURRENT ROW")
	}
	if !f.beginsHere {
		p.expectWords("PRECEDING")
	}
	if !isBetween {
		return f
	}
	p.expectWords("AND")
	if p.acceptWords("CURRENT") {
		p.expectWords("ROW")
		return f
	}
	if t := p.peek(); p.acceptWords("UNBOUNDED") {
		p.fail(t.pos, "not supported: UNBOUNDED FOLLOWING: a stream has no last row to wait for: say how many rows, or how long, as in "+
			"INTERVAL '1 minute' FOLLOWING")
	}
	f.following = p.frameEdge("CURRENT ROW, a number of rows or an INTERVAL")
	if t := p.peek(); p.isWords("PRECEDING") {
		p.fail(t.pos, "not supported: a frame that ends before the current row: write AND CURRENT ROW")
	}
	p.expectWords("FOLLOWING")
	return f
}

// frameEdge parses a number of rows or an INTERVAL.
func (p *parser) frameEdge(want string) node {
	switch {
	case p.peek().kind == number:
		return p.number(false)
	case p.isWords("INTERVAL"):
		return p.interval()
	}
	p.unexpected(want)
	return nil
}

// windows parses the WINDOW clause.
func (p *parser) windows() []namedWindow {
	var list []namedWindow
	if !p.acceptWords("WINDOW") {
		return nil
	}
	for {
		w := namedWindow{name: p.name("the name of a window")}
		p.expectWords("AS")
		w.over = p.overParts(w.name.at)
		list = append(list, w)
		if !p.acceptSign(",") {
			return list
		}
	}
}

// nodes returns the expressions of the clause.
func (o *overClause) nodes() []node {
	all := slices.Clone(o.partition)
	for _, t := range o.order {
		all = append(all, t.expr)
	}
	return all
}

func (d *distinct) print(b *printer) {
	b.add("DISTINCT ")
	if d.on == nil {
		return
	}
	b.add("ON (")
	b.list(len(d.on), func(i int) { d.on[i].print(b) })
	b.add(") ")
	switch {
	case d.watermark:
		b.add("WITHIN WATERMARK ")
	case d.hasWithin:
		b.add("WITHIN INTERVAL '", formatInterval(d.within), "' ")
	}
}

func (o *overClause) print(b *printer) {
	if o.name != "" {
		b.name(o.name)
		return
	}
	b.add("(")
	space := ""
	if len(o.partition) > 0 {
		b.add("PARTITION BY ")
		b.list(len(o.partition), func(i int) { o.partition[i].print(b) })
		space = " "
	}
	if len(o.order) > 0 {
		b.add(space, "ORDER BY ")
		b.list(len(o.order), func(i int) { o.order[i].print(b) })
		space = " "
	}
	if o.frame != nil {
		b.add(space)
		o.frame.print(b)
	}
	b.add(")")
}

func (f *overFrame) print(b *printer) {
	if f.isRows {
		b.add("ROWS")
	} else {
		b.add("RANGE")
	}
	switch b.add(" BETWEEN "); {
	case f.beginsHere:
		b.add("CURRENT ROW")
	case f.preceding == nil:
		b.add("UNBOUNDED PRECEDING")
	default:
		f.preceding.print(b)
		b.add(" PRECEDING")
	}
	if f.following == nil {
		b.add(" AND CURRENT ROW")
		return
	}
	b.add(" AND ")
	f.following.print(b)
	b.add(" FOLLOWING")
}

func (o orderTerm) print(b *printer) {
	o.expr.print(b)
	if o.descending {
		b.add(" DESC")
	}
	if o.nullsFirst {
		b.add(" NULLS FIRST")
	} else {
		b.add(" NULLS LAST")
	}
}
