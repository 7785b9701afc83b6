package sql

import (
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// joinAsOf binds the join of a stream with the versions that another one has at a time. used says that where, which may be nil,
// became part of it.
func (b *binder) joinAsOf(c *queryContext, left *relation, j *joinClause, where node) (r *relation, used bool) {
	if t := c.scope.tableNamed(j.right); t != nil {
		b.fault(j.right.asOf.place(), "the table %q has no versions: leave FOR SYSTEM_TIME AS OF out, or read it as a source with a WATERMARK", t.name.text)
		return nil, false
	}
	right := b.from(c, j.right, asDefault)
	if left == nil || right == nil || !b.isJoinable(j, left) || !b.isJoinable(j, right) {
		return nil, false
	}
	if j.kind != operators.InnerJoin && j.kind != operators.LeftJoin {
		b.fault(j.at, "a %s join can't be FOR SYSTEM_TIME AS OF: use JOIN or LEFT JOIN", j.kind)
		return nil, false
	}
	times, ok := b.asOfTimes(left, right, j)
	jb := newJoinBinder(b, j, left, right)
	jb.spec.AsOf, jb.spec.Time = true, times
	ok = jb.bindUsing() && ok
	if j.on != nil {
		ok = jb.bindCondition(j.on, "ON") && ok
	}
	if where != nil && j.kind == operators.InnerJoin {
		used = true
		ok = jb.bindCondition(where, "WHERE") && ok
	}
	if !ok || !jb.divideAsOf() {
		return nil, used
	}
	return jb.relation(b.joinName(c.owner)), used
}

// asOfTimes returns the time that is asked for, and that of the versions: the one column of theirs that has a watermark.
func (b *binder) asOfTimes(left, right *relation, j *joinClause) (*operators.JoinTime, bool) {
	at := b.overRelation(left, "FOR SYSTEM_TIME AS OF").bind(j.right.asOf)
	if at == nil {
		return nil, false
	}
	if at.Kind != expr.ColumnKind || timeKind(b.schema(left).Field(at.Column)) != operators.TimeEvent {
		b.fault(j.right.asOf.place(), "FOR SYSTEM_TIME AS OF takes a column of the rows before JOIN that has a WATERMARK, so that it is known when a row's version is there")
		return nil, false
	}
	of := -1
	for i, f := range b.schema(right).Fields() {
		if timeKind(f) != operators.TimeEvent {
			continue
		}
		if of >= 0 {
			b.fault(j.right.asOf.place(), "the versions have two columns with a WATERMARK, %q and %q: select one of them in a query in brackets",
				b.schema(right).Field(of).Name, f.Name)
			return nil, false
		}
		of = i
	}
	if of < 0 {
		b.fault(j.right.asOf.place(), "the versions need a column with a WATERMARK, which says from when on each of them holds")
		return nil, false
	}
	return &operators.JoinTime{Left: at.Column, Right: of}, true
}

// divideAsOf is divide for a join as of a time: what is said of a version is asked when it has been found, since another one would
// be the latest without it.
func (jb *joinBinder) divideAsOf() bool {
	var ofLeft, rest []*expr.Spec
	for _, s := range jb.conjuncts {
		l, r, isKey := jb.key(s)
		switch {
		case isKey:
			jb.spec.LeftKeys, jb.spec.RightKeys = append(jb.spec.LeftKeys, l), append(jb.spec.RightKeys, r)
		case jb.spec.Kind == operators.InnerJoin && jb.sideOf(s) == leftSide:
			ofLeft = append(ofLeft, s)
		default:
			rest = append(rest, s)
		}
	}
	if len(jb.spec.LeftKeys) == 0 {
		jb.b.fault(jb.j.at, "a join with versions needs an equality of both sides that tells whose versions they are, such as ON a.id = b.id")
		return false
	}
	jb.left = jb.below(jb.left, ofLeft)
	jb.spec.Residual = jb.all(rest)
	return true
}
