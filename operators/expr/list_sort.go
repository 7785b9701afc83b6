package expr

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// runSortArray sorts by the natural order, NULLs first, or descending, NULLs last.
func runSortArray(c *listCall) {
	c.sortRows(func(i int32) bool { return len(c.args) > 1 && !c.args[1].bit(i) }, true)
}

// runArraySort sorts ascending, NULLs last.
func runArraySort(c *listCall) { c.sortRows(func(int32) bool { return false }, false) }

func (c *listCall) sortRows(isDescending func(row int32) bool, nullsFirst bool) {
	list := &c.args[0]
	elements := list.child
	for _, i := range c.rows {
		from, to := list.span(i)
		row := len(c.picks)
		for j := from; j < to; j++ {
			c.pick(j)
		}
		descending := isDescending(i)
		slices.SortStableFunc(c.picks[row:], func(a, b int32) int {
			order := elements.compareAt(a, elements, b)
			if !nullsFirst && elements.isNull(a) != elements.isNull(b) || descending {
				return -order
			}
			return order
		})
		c.endPicked(i)
	}
	c.takePicked(elements)
}

// runArrayMin and runArrayMax leave NULLs out, and are NULL where nothing is left.
func runArrayMin(c *listCall) { c.pickExtreme(-1) }

func runArrayMax(c *listCall) { c.pickExtreme(1) }

// pickExtreme takes the element that compares as sign says with all others.
func (c *listCall) pickExtreme(sign int) {
	list := &c.args[0]
	elements := list.child
	for _, i := range c.rows {
		best := int32(-1)
		from, to := list.span(i)
		for j := from; j < to; j++ {
			if !elements.isNull(j) && (best < 0 || elements.compareAt(j, elements, best)*sign > 0) {
				best = j
			}
		}
		c.order = append(c.order, best)
	}
	c.takeRows(elements)
}

// takeRows makes the result of the row of from that order has for each row, NULL where that is -1, and empties order.
func (c *listCall) takeRows(from *operand) {
	out, at := c.out, 0
	out.Reset(0)
	for k, i := range c.rows {
		out.AppendNulls(int(i) - at)
		if j := c.order[k]; j < 0 || from.isNull(j) {
			out.AppendNull()
		} else {
			out.AppendRow(from.arr, int(j))
		}
		at = int(i) + 1
	}
	out.AppendNulls(c.n - at)
	c.order = c.order[:0]
}

func resolveArraySort(name string, args []*Spec) (*Spec, error) {
	takes := "(ARRAY<T>[, (T, T) -> integer])"
	mismatch := &TypeError{Func: name, Takes: []string{takes}, Got: argTypes(args)}
	if len(args) == 0 || len(args) > 2 || elemOf(args[0].Type) == nil {
		return nil, mismatch
	}
	if len(args) == 2 && (args[1].Kind != LambdaKind || args[1].Type.ID() != arrow.INT64) {
		return nil, mismatch
	}
	if !isOrdered(args[0].Type) {
		return nil, &TypeError{Func: name, Why: "elements have no order", Got: argTypes(args)}
	}
	return call(name, args[0].Type, args...), nil
}

func newArraySort(e *env, s *Spec, args []Expr) (Expr, error) {
	if len(args) == 1 {
		return newListCall(e, s.Func, s, args, runArraySort), nil
	}
	c := &comparatorSort{listCall: *newListCall(e, s.Func, s, args[:1], nil), fn: args[1].(*lambda)}
	t := elemOf(s.Type)
	c.left, c.right = batch.NewColumn(e.mem, t), batch.NewColumn(e.mem, t)
	return c, nil
}

// comparatorSort is array_sort with a lambda function that compares. It sorts all lists of a batch side by side, bottom-up: in each
// round every pair of runs compares its next two elements, and the comparisons of all pairs are one batch.
type comparatorSort struct {
	listCall
	fn *lambda

	left, right *batch.Column
	merges      []sortMerge
	from, to    []int32 // elements in the order of the last pass and of this one
	owner       []int32
	lefts       []int32
	rights      []int32
	open        []int32 // merges that go on
}

// sortMerge merges from[a:mid] and from[b:end] into to[out:].
type sortMerge struct {
	row            int32
	a, mid, b, end int32
	out            int32
}

var _ Expr = (*comparatorSort)(nil)

// Eval computes the lists, then sorts them.
func (c *comparatorSort) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	if err := c.begin(ctx, in, bad); err != nil {
		return nil, err
	}
	list := &c.args[0]
	c.from, c.to = c.from[:0], c.to[:0]
	longest := int32(0)
	for _, i := range c.rows {
		from, to := list.span(i)
		longest = max(longest, to-from)
		for j := from; j < to; j++ {
			c.from = append(c.from, j)
		}
		c.out.EndListAt(int(i), len(c.from))
	}
	c.to = append(c.to, c.from...)
	for width := int32(1); width < longest; width *= 2 {
		c.plan(list, width)
		for len(c.open) > 0 {
			if err := c.round(ctx, &in, bad, list.child); err != nil {
				return nil, err
			}
		}
		c.from, c.to = c.to, c.from
	}
	if len(c.from) > 0 {
		c.out.Child().AppendArray(list.child.arr, list.child.arr.Len(), c.from)
	}
	c.bad = nil
	return c.out.Array(), nil
}

// plan makes the merges of a pass: pairs of runs of a width.
func (c *comparatorSort) plan(list *operand, width int32) {
	c.merges, c.open = c.merges[:0], c.open[:0]
	copy(c.to, c.from)
	start := int32(0)
	for _, i := range c.rows {
		from, to := list.span(i)
		end := start + to - from
		for a := start; a+width < end; a += 2 * width {
			c.open = append(c.open, int32(len(c.merges)))
			c.merges = append(c.merges, sortMerge{row: i, a: a, mid: a + width, b: a + width, end: min(a+2*width, end), out: a})
		}
		start = end
	}
}

// round compares the next elements of all open merges, and takes one of each pair.
func (c *comparatorSort) round(ctx context.Context, in *batch.Batch, bad BadRow, elements *operand) error {
	c.owner, c.lefts, c.rights = c.owner[:0], c.lefts[:0], c.rights[:0]
	for _, k := range c.open {
		m := &c.merges[k]
		c.owner, c.lefts, c.rights = append(c.owner, m.row), append(c.lefts, c.from[m.a]), append(c.rights, c.from[m.b])
	}
	c.left.Reset(0)
	c.right.Reset(0)
	c.left.AppendArray(elements.arr, elements.arr.Len(), c.lefts)
	c.right.AppendArray(elements.arr, elements.arr.Len(), c.rights)
	if err := c.fn.eval(ctx, c.fn.batchOf(in, bad, c.owner, nil, c.left.Array(), c.right.Array())); err != nil {
		return err
	}
	body := &c.fn.body
	open := c.open[:0]
	for n, k := range c.open {
		m := &c.merges[k]
		if body.isNull(int32(n)) {
			bad(m.row, c.name+": the lambda function gives NULL for two elements")
		}
		if !body.isNull(int32(n)) && body.ints[n] > 0 {
			c.to[m.out] = c.from[m.b]
			m.b++
		} else {
			c.to[m.out] = c.from[m.a]
			m.a++
		}
		m.out++
		if m.a < m.mid && m.b < m.end {
			open = append(open, k)
			continue
		}
		copy(c.to[m.out:], c.from[m.a:m.mid])
		copy(c.to[m.out+m.mid-m.a:], c.from[m.b:m.end])
	}
	c.open = open
	return ctx.Err()
}

// Close releases all memory.
func (c *comparatorSort) Close() {
	c.kernel.Close()
	c.fn.Close()
	c.left.Release()
	c.right.Release()
}
