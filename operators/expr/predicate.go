package expr

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// picker is a BOOLEAN expression that knows the rows for which it is true.
type picker interface {
	// pick appends to dst the live rows of in that are true, in order, and makes NULL ones NULL in out, unless that is nil.
	pick(ctx context.Context, in batch.Batch, dst []int32, out *batch.Column, bad BadRow) ([]int32, error)
	// close releases all memory.
	close()
}

// picked makes a Predicate of a picker.
type picked struct {
	picker

	out  *batch.Column
	rows []int32 // scratch of Eval
}

var _ Predicate = (*picked)(nil)

func (e *env) picking(p picker) *picked {
	return &picked{picker: p, out: batch.NewColumn(e.mem, batch.Boolean)}
}

// Type is BOOLEAN.
func (p *picked) Type() arrow.DataType { return batch.Boolean }

// Eval spreads the picked rows over a bitmap.
func (p *picked) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	p.out.Reset(in.NumRows())
	bits := p.out.Bits()
	clear(bits)
	var err error
	if p.rows, err = p.pick(ctx, in, p.rows[:0], p.out, bad); err != nil {
		return nil, err
	}
	for _, i := range p.rows {
		bits[i>>3] |= 1 << (i & 7)
	}
	return p.out.Array(), nil
}

// Select appends the picked rows.
func (p *picked) Select(ctx context.Context, in batch.Batch, dst []int32, bad BadRow) ([]int32, error) {
	return p.pick(ctx, in, dst, nil, bad)
}

// Close releases all memory.
func (p *picked) Close() {
	p.close()
	p.out.Release()
}

// truth makes a Predicate of any BOOLEAN expression.
type truth struct {
	operand
	scratch []int32
}

var _ Predicate = (*truth)(nil)

// predicate returns x itself if it is a Predicate.
func (e *env) predicate(x Expr) Predicate {
	if p, isPredicate := x.(Predicate); isPredicate {
		return p
	}
	return &truth{operand: operand{env: e, expr: x}}
}

// Type is BOOLEAN.
func (t *truth) Type() arrow.DataType { return batch.Boolean }

// Eval is that of the expression.
func (t *truth) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	return t.expr.Eval(ctx, in, bad)
}

// Select evaluates the expression and appends the rows that are true.
func (t *truth) Select(ctx context.Context, in batch.Batch, dst []int32, bad BadRow) ([]int32, error) {
	if err := t.eval(ctx, in, bad); err != nil {
		return dst, err
	}
	if _, isBoolean := t.arr.(*array.Boolean); !isBoolean {
		return dst, nil // NULL
	}
	rows := t.env.rows(&in)
	if t.valid != nil {
		t.scratch = t.keepValid(t.scratch[:0], rows, nil)
		rows = t.scratch
	}
	dst, free := room(dst, len(rows))
	n := 0
	for _, i := range rows {
		free[n] = i
		n = add(n, t.bit(i))
	}
	return dst[:len(dst)+n], nil
}

// Close releases all memory.
func (t *truth) Close() { t.close() }

// without appends to dst the rows that are not in taken. Both are increasing, taken is part of rows, and dst may be rows[:0].
func without(dst, rows, taken []int32) []int32 {
	if len(taken) == 0 {
		return append(dst, rows...)
	}
	dst, free := room(dst, len(rows))
	n, k := 0, 0
	for _, i := range rows {
		isTaken := taken[min(k, len(taken)-1)] == i // behind the last one taken, rows are larger than it
		k = add(k, isTaken)
		free[n] = i
		n = add(n, !isTaken)
	}
	return dst[:len(dst)+n]
}

// room returns dst with room for n more, and these as a slice to be written.
func room(dst []int32, n int) (_, free []int32) {
	dst = slices.Grow(dst, n)
	return dst, dst[len(dst) : len(dst)+n]
}

// add returns n+1 where yes. The compiler makes no branch of it.
func add(n int, yes bool) int {
	var one int
	if yes {
		one = 1
	}
	return n + one
}
