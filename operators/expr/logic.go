package expr

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

var logicFunctions = []function{
	{
		name: "and", syntax: "a AND b → BOOLEAN", resolve: resolveLogic, build: newLogic,
		doc: "True where both are true, false where one is false, otherwise NULL; b is computed only where a leaves it open.",
	},
	{
		name: "or", syntax: "a OR b → BOOLEAN", resolve: resolveLogic, build: newLogic,
		doc: "True where one is true, false where both are false, otherwise NULL; b is computed only where a leaves it open.",
	},
	{
		name: "not", aliases: []string{"!"}, syntax: "NOT a → BOOLEAN", resolve: resolveNot, build: newNot,
		doc: "True where a is false, false where it is true, NULL where it is NULL.",
	},
	isFunction("is null", "x IS NULL → BOOLEAN", "True where x is NULL; never NULL.", "isnull"),
	isFunction("is not null", "x IS NOT NULL → BOOLEAN", "True where x is not NULL; never NULL.", "isnotnull"),
	isFunction("is true", "a IS TRUE → BOOLEAN", "True where a is true, otherwise false; never NULL."),
	isFunction("is false", "a IS FALSE → BOOLEAN", "True where a is false, otherwise false; never NULL."),
}

func isFunction(name, syntax, doc string, aliases ...string) function {
	return function{name: name, aliases: aliases, syntax: syntax, doc: doc, resolve: resolveIs, build: newIs}
}

func resolveLogic(name string, args []*Spec) (*Spec, error) {
	const takes = "(BOOLEAN, BOOLEAN)"
	if err := checkCount(name, takes, args, 2, -1); err != nil {
		return nil, err
	}
	args, err := convertAll(name, takes, args, batch.Boolean)
	if err != nil {
		return nil, err
	}
	return call(name, batch.Boolean, args...), nil
}

func resolveNot(name string, args []*Spec) (*Spec, error) {
	const takes = "(BOOLEAN)"
	if err := checkCount(name, takes, args, 1, 1); err != nil {
		return nil, err
	}
	args, err := convertAll(name, takes, args, batch.Boolean)
	if err != nil {
		return nil, err
	}
	return call(name, batch.Boolean, args...), nil
}

func resolveIs(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "one operand", args, 1, 1); err != nil {
		return nil, err
	}
	if name == "is true" || name == "is false" {
		var err error
		if args, err = convertAll(name, "(BOOLEAN)", args, batch.Boolean); err != nil {
			return nil, err
		}
	}
	return call(name, batch.Boolean, args...), nil
}

// logic is AND or OR over two or more operands. For OR read "false" as "true" and the other way round: an operand that is the
// dominant value (false for AND) decides, and those behind it are not computed for that row.
type logic struct {
	env      *env
	dominant bool
	args     []Predicate
	operands []operand // over args, for evaluation with NULLs

	open, found []int32 // scratch: rows
	hadNull     []bool  // scratch: one entry per row of the batch
}

func newLogic(e *env, s *Spec, args []Expr) (Expr, error) {
	l := &logic{env: e, dominant: s.Func == "or"}
	for i, a := range args {
		p := e.predicate(a)
		l.args = append(l.args, p)
		args[i] = p
	}
	l.operands = newOperands(e, args)
	return e.picking(l), nil
}

func (l *logic) pick(ctx context.Context, in batch.Batch, dst []int32, out *batch.Column, bad BadRow) ([]int32, error) {
	switch {
	case out != nil:
		return l.pickWithNulls(ctx, in, dst, out, bad)
	case l.dominant:
		return l.pickAny(ctx, in, dst, bad)
	}
	return l.pickAll(ctx, in, dst, bad)
}

// pickAll narrows the selection from operand to operand.
func (l *logic) pickAll(ctx context.Context, in batch.Batch, dst []int32, bad BadRow) ([]int32, error) {
	last := len(l.args) - 1
	for k, a := range l.args {
		if k == last {
			return a.Select(ctx, in, dst, bad)
		}
		// The two lists take turns: Select reads one while it writes the other.
		l.open, l.found = l.found, l.open
		var err error
		if l.open, err = a.Select(ctx, in, l.open[:0], bad); err != nil || len(l.open) == 0 {
			return dst, err
		}
		in.Sel = l.open
	}
	return dst, nil
}

// pickAny asks each operand for the rows that are not true yet.
func (l *logic) pickAny(ctx context.Context, in batch.Batch, dst []int32, bad BadRow) ([]int32, error) {
	all := l.env.rows(&in)
	rows := all
	for _, a := range l.args {
		if len(rows) == 0 {
			break
		}
		in.Sel = rows
		var err error
		if l.found, err = a.Select(ctx, in, l.found[:0], bad); err != nil {
			return dst, err
		}
		l.open = without(l.open[:0], rows, l.found)
		rows = l.open
	}
	return without(dst, all, rows), nil
}

// pickWithNulls narrows the selection to the rows that are not decided yet, and notes which of them had a NULL operand.
func (l *logic) pickWithNulls(ctx context.Context, in batch.Batch, dst []int32, out *batch.Column, bad BadRow) ([]int32, error) {
	all := l.env.rows(&in)
	rows := all
	l.hadNull = slices.Grow(l.hadNull[:0], in.NumRows())[:in.NumRows()]
	clear(l.hadNull)
	for k := range l.operands {
		if len(rows) == 0 {
			break
		}
		a := &l.operands[k]
		in.Sel = rows
		if err := a.eval(ctx, in, bad); err != nil {
			return dst, err
		}
		open := l.open[:0] // may be rows, from its start
		for _, i := range rows {
			switch {
			case a.isNull(i):
				l.hadNull[i] = true
				open = append(open, i)
			case a.bit(i) != l.dominant:
				open = append(open, i)
			}
		}
		l.open, rows = open, open
	}
	for _, i := range rows {
		if l.hadNull[i] {
			out.SetNull(int(i))
		}
	}
	if l.dominant {
		return without(dst, all, rows), nil
	}
	for _, i := range rows {
		if !l.hadNull[i] {
			dst = append(dst, i)
		}
	}
	return dst, nil
}

func (l *logic) close() { closeOperands(l.operands) }

// not is NOT.
type not struct{ arg operand }

func newNot(e *env, _ *Spec, args []Expr) (Expr, error) {
	return e.picking(&not{newOperands(e, args)[0]}), nil
}

func (n *not) pick(ctx context.Context, in batch.Batch, dst []int32, out *batch.Column, bad BadRow) ([]int32, error) {
	if err := n.arg.eval(ctx, in, bad); err != nil {
		return dst, err
	}
	for _, i := range n.arg.env.rows(&in) {
		switch {
		case n.arg.isNull(i):
			if out != nil {
				out.SetNull(int(i))
			}
		case !n.arg.bit(i):
			dst = append(dst, i)
		}
	}
	return dst, nil
}

func (n *not) close() { n.arg.close() }

// is tests for NULL, true or false.
type is struct {
	arg     operand
	null    bool // IS [NOT] NULL; otherwise IS TRUE or FALSE
	negated bool // IS NOT NULL, IS FALSE
}

func newIs(e *env, s *Spec, args []Expr) (Expr, error) {
	return e.picking(&is{
		arg:     newOperands(e, args)[0],
		null:    s.Func == "is null" || s.Func == "is not null",
		negated: s.Func == "is not null" || s.Func == "is false",
	}), nil
}

func (t *is) pick(ctx context.Context, in batch.Batch, dst []int32, _ *batch.Column, bad BadRow) ([]int32, error) {
	if err := t.arg.eval(ctx, in, bad); err != nil {
		return dst, err
	}
	rows := t.arg.env.rows(&in)
	isAlwaysNull := t.arg.arr.DataType().ID() == arrow.NULL
	switch {
	case t.null && t.arg.valid == nil:
		if isAlwaysNull != t.negated {
			dst = append(dst, rows...)
		}
	case t.null && t.negated:
		dst = t.arg.keepValid(dst, rows, nil)
	case t.null:
		for _, i := range rows {
			if t.arg.isNull(i) {
				dst = append(dst, i)
			}
		}
	default:
		for _, i := range rows {
			if !t.arg.isNull(i) && t.arg.bit(i) != t.negated {
				dst = append(dst, i)
			}
		}
	}
	return dst, nil
}

func (t *is) close() { t.arg.close() }
