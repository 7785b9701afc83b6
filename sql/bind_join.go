package sql

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// joined binds the joins of a FROM, each over all that stands before it, and returns what is left of WHERE: conditions on the
// rows of a last join that is inner are part of it, so that bounds of time may stand there too.
func (b *binder) joined(c *queryContext, s *selectClause, left *relation) (*relation, node) {
	where := s.where
	for i := range s.joins {
		j := &s.joins[i]
		var extra node
		if i == len(s.joins)-1 {
			extra = where
		}
		r, used := b.join(c, left, j, extra)
		left = r
		if used {
			where = nil
		}
	}
	return left, where
}

// join binds one join by the kind of its right side. used says that where, which may be nil, became part of it. left is nil
// after a fault.
func (b *binder) join(c *queryContext, left *relation, j *joinClause, where node) (r *relation, used bool) {
	if j.right.asOf != nil {
		return b.joinAsOf(c, left, j, where)
	}
	if t := c.scope.tableNamed(j.right); t != nil {
		return b.joinTable(left, j, t, where)
	}
	return b.joinStreams(c, left, j, where)
}

// joinStreams binds a join of two streams.
func (b *binder) joinStreams(c *queryContext, left *relation, j *joinClause, where node) (r *relation, used bool) {
	right := b.from(c, j.right, c.ask.withMode(modeAsDefault))
	if left == nil || right == nil || !b.isJoinable(j, left) || !b.isJoinable(j, right) {
		return nil, false
	}
	jb := newJoinBinder(b, j, left, right)
	ok := jb.bindUsing()
	if j.on != nil {
		ok = jb.bindCondition(j.on, "ON") && ok
	}
	if where != nil && j.kind == operators.InnerJoin {
		used = true
		ok = jb.bindCondition(where, "WHERE") && ok
	}
	if !ok || !jb.divide() {
		return nil, used
	}
	return jb.relation(b.joinName(c.owner)), used
}

// isJoinable reports a side whose rows change.
func (b *binder) isJoinable(j *joinClause, side *relation) bool {
	if side.mode == operators.Append {
		return true
	}
	b.fault(j.at, "an updating result can't be joined, because it gives rows that replace others which were joined already: "+
		"give its aggregate GROUP BY window(…) over arrival_time or a column with a WATERMARK")
	return false
}

// joinName returns the name of the next join of an owner: hot.join, then hot.join2.
func (b *binder) joinName(owner string) string {
	key := owner + ".join"
	b.stateOf[key]++
	if n := b.stateOf[key]; n > 1 {
		return key + itoa(n)
	}
	return key
}

// joinBinder binds one join of streams: a condition over the columns of both sides, divided into keys, bounds of time, conditions
// on one side, which go below the join where that changes nothing, and a residual.
type joinBinder struct {
	b           *binder
	j           *joinClause
	left, right *relation
	both        *relation     // the columns of left, then those of right; its node is not set
	schema      *arrow.Schema // of both
	numLeft     int

	conjuncts []*expr.Spec
	table     *TableDef // that is joined, nil for a stream
	merged    [][2]int  // columns of USING: in left, and in right counted in both
	spec      operators.JoinSpec
}

func newJoinBinder(b *binder, j *joinClause, left, right *relation) *joinBinder {
	jb := &joinBinder{b: b, j: j, left: left, right: right, numLeft: len(left.columns)}
	jb.both = &relation{columns: slices.Concat(left.columns, right.columns), windowEnd: -1}
	jb.schema = arrow.NewSchema(slices.Concat(b.schema(left).Fields(), b.schema(right).Fields()), nil)
	jb.spec.Kind = j.kind
	return jb
}

// bindUsing binds USING: the columns of that name are equal, and one of them is left.
func (jb *joinBinder) bindUsing() bool {
	e := jb.b.over("USING", nil)
	ok := true
	for _, u := range jb.j.using {
		n := &name{base: base{at: u.at, levels: 1}, parts: []string{u.text}}
		l, r := jb.b.find(jb.left, n, jb.b.faults), jb.b.find(jb.right, n, jb.b.faults)
		if l < 0 || r < 0 {
			ok = false
			continue
		}
		r += jb.numLeft
		equal := e.make(u.at, "=", expr.Column(jb.schema, l), expr.Column(jb.schema, r))
		if equal == nil {
			ok = false
			continue
		}
		jb.conjuncts = append(jb.conjuncts, equal)
		jb.merged = append(jb.merged, [2]int{l, r})
	}
	return ok
}

// bindCondition binds ON or WHERE and takes it apart at its ANDs.
func (jb *joinBinder) bindCondition(n node, where string) bool {
	e := jb.b.over(where, func(n *name) *expr.Spec { return jb.b.columnOf(jb.both, jb.schema, n) })
	e.special = func(n node) (*expr.Spec, bool) { return jb.equalWindows(e, n) }
	condition := e.boolean(n)
	if condition == nil {
		return false
	}
	jb.conjuncts = appendConjuncts(jb.conjuncts, condition)
	return true
}

// equalWindows binds a.window = b.window: a window is its start and its end.
func (jb *joinBinder) equalWindows(e *exprBinder, n node) (*expr.Spec, bool) {
	c, ok := n.(*call)
	if !ok || c.fn != "=" || len(c.args) != 2 {
		return nil, false
	}
	var parts [2][2]*expr.Spec // by side and by start or end
	for i, arg := range c.args {
		n, isName := arg.(*name)
		if !isName || jb.quiet(n.parts) != nil {
			return nil, false
		}
		for k, part := range []string{"start", "end"} {
			last := len(n.parts) - 1
			full := append(slices.Clone(n.parts[:last]), n.parts[last]+"."+part)
			if parts[i][k] = jb.quiet(full); parts[i][k] == nil {
				return nil, false
			}
		}
	}
	return e.make(c.at, "and", e.make(c.at, "=", parts[0][0], parts[1][0]), e.make(c.at, "=", parts[0][1], parts[1][1])), true
}

// quiet returns the column of that name, nil if there is not exactly one.
func (jb *joinBinder) quiet(parts []string) *expr.Spec {
	i := jb.b.find(jb.both, &name{parts: parts}, &faults{})
	if i < 0 {
		return nil
	}
	return expr.Column(jb.schema, i)
}

// appendConjuncts appends the conditions that AND joins in s.
func appendConjuncts(list []*expr.Spec, s *expr.Spec) []*expr.Spec {
	if s.Kind == expr.CallKind && s.Func == "and" {
		for _, a := range s.Args {
			list = appendConjuncts(list, a)
		}
		return list
	}
	return append(list, s)
}

// side says of which side's columns an expression is.
type side uint8

const (
	noSide   side = 0
	leftSide side = 1 << (iota - 1)
	rightSide
	bothSides = leftSide | rightSide
)

func (jb *joinBinder) sideOf(s *expr.Spec) side {
	found := noSide
	for _, c := range expr.Columns(s) {
		if c < jb.numLeft {
			found |= leftSide
		} else {
			found |= rightSide
		}
	}
	return found
}

// toRight returns an expression over columns of the right side as one over the right input.
func (jb *joinBinder) toRight(s *expr.Spec) *expr.Spec {
	return expr.Remap(s, func(c int) int { return c - jb.numLeft })
}

// divide puts each condition where it belongs.
func (jb *joinBinder) divide() bool {
	bounds := jb.chooseBounds()
	var ofLeft, ofRight, rest []*expr.Spec
	kind := jb.spec.Kind
	leftGoesBelow := kind == operators.InnerJoin || kind == operators.SemiJoin || kind == operators.RightJoin
	rightGoesBelow := kind != operators.RightJoin && kind != operators.FullJoin
	for _, s := range jb.conjuncts {
		if l, r, isKey := jb.key(s); isKey {
			jb.spec.LeftKeys, jb.spec.RightKeys = append(jb.spec.LeftKeys, l), append(jb.spec.RightKeys, r)
			continue
		}
		if bounds != nil && slices.Contains(bounds.from, s) {
			continue
		}
		switch of := jb.sideOf(s); {
		case of == leftSide && leftGoesBelow:
			ofLeft = append(ofLeft, s)
		case of == rightSide && rightGoesBelow:
			ofRight = append(ofRight, jb.toRight(s))
		default:
			rest = append(rest, s)
		}
	}
	if bounds != nil {
		jb.spec.Time = &bounds.time
	}
	if !jb.isSupported() {
		return false
	}
	jb.left, jb.right = jb.below(jb.left, ofLeft), jb.below(jb.right, ofRight)
	jb.spec.Residual = jb.all(rest)
	return true
}

// isSupported reports joins that can't be computed over streams.
func (jb *joinBinder) isSupported() bool {
	b, j := jb.b, jb.j
	if len(jb.spec.LeftKeys) == 0 {
		b.fault(j.at, "a join of streams needs an equality of both sides, such as ON a.id = b.id: without one each row would have to be "+
			"compared with all others")
		return false
	}
	needsLeft, needsRight := true, false
	switch jb.spec.Kind {
	case operators.InnerJoin:
		return true
	case operators.RightJoin:
		needsLeft, needsRight = false, true
	case operators.FullJoin:
		needsRight = true
	case operators.LeftJoin, operators.SemiJoin, operators.AntiJoin:
	}
	var which, bound string
	switch {
	case needsLeft && !jb.spec.RetiresLeft():
		which, bound = "left", "a.t >= b.t - INTERVAL '5 minutes'"
	case needsRight && !jb.spec.RetiresRight():
		which, bound = "right", "a.t <= b.t + INTERVAL '5 minutes'"
	default:
		return true
	}
	b.fault(j.at, "a %s join needs a bound of the times of both sides in ON, to know when a row of the %s side can't be matched any more: "+
		"for example %s, of columns that have a WATERMARK, or equal ends of windows", jb.spec.Kind, which, bound)
	return false
}

// below filters a side.
func (jb *joinBinder) below(r *relation, conditions []*expr.Spec) *relation {
	predicate := jb.all(conditions)
	if predicate == nil {
		return r
	}
	filtered := *r
	filtered.node = jb.b.node("", &operators.FilterSpec{Predicate: predicate}, jb.b.schema(r), r.node)
	return &filtered
}

// all joins conditions by AND, nil if there are none.
func (jb *joinBinder) all(conditions []*expr.Spec) *expr.Spec {
	var all *expr.Spec
	for _, s := range conditions {
		if all == nil {
			all = s
			continue
		}
		all = &expr.Spec{Kind: expr.CallKind, Type: batch.Boolean, Func: "and", Args: []*expr.Spec{all, s}}
	}
	return all
}

// key returns the sides of an equality of a left and a right expression, each over the columns of its input.
func (jb *joinBinder) key(s *expr.Spec) (l, r *expr.Spec, ok bool) {
	if s.Kind != expr.CallKind || s.Func != "=" {
		return nil, nil, false
	}
	l, r = s.Args[0], s.Args[1]
	if jb.sideOf(l) == rightSide {
		l, r = r, l
	}
	if jb.sideOf(l) != leftSide || jb.sideOf(r) != rightSide || batch.TypeName(l.Type) != batch.TypeName(r.Type) {
		return nil, nil, false
	}
	if !batch.IsComparable(l.Type) {
		return nil, nil, false
	}
	return l, jb.toRight(r), true
}
