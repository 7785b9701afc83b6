package expr

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
)

func runSize(c *listCall) {
	list, out := &c.args[0], c.out.Int64s()
	for _, i := range c.rows {
		out[i] = int64(list.offsets[i+1] - list.offsets[i])
	}
}

// appendSpan adds elements from to to-1 of list to the result.
func (c *listCall) appendSpan(elements *operand, from, to int32) {
	for j := from; j < to; j++ {
		c.pick(j)
	}
	c.takePicked(elements)
}

func runArrayAppend(c *listCall) {
	list, x, out := &c.args[0], &c.args[1], c.out.Child()
	for _, i := range c.rows {
		from, to := list.span(i)
		c.appendSpan(list.child, from, to)
		out.AppendRow(x.arr, int(i))
		c.out.EndListAt(int(i), out.Len())
	}
}

func runArrayPrepend(c *listCall) {
	list, x, out := &c.args[0], &c.args[1], c.out.Child()
	for _, i := range c.rows {
		from, to := list.span(i)
		out.AppendRow(x.arr, int(i))
		c.appendSpan(list.child, from, to)
		c.out.EndListAt(int(i), out.Len())
	}
}

// runArrayInsert puts x at a position from 1, or from -1 behind the last element; what lies between the list and a position outside of
// it is NULL.
func runArrayInsert(c *listCall) {
	list, at, x, out := &c.args[0], &c.args[1], &c.args[2], c.out.Child()
	for _, i := range c.rows {
		from, to := list.span(i)
		n, pos := int64(to-from), at.ints[i]
		if pos == 0 {
			c.fail(i, "positions count from 1, or from -1 at the end: got 0")
			continue
		}
		before, nullsBefore, nullsBehind := pos-1, int64(0), int64(0) // elements before x, NULLs before or behind these
		if pos < 0 {
			before = n + pos + 1
			if before < 0 {
				nullsBehind, before = -before, 0
			}
		} else if before > n {
			nullsBefore, before = before-n, n
		}
		if !c.checkElements(i, n+nullsBefore+nullsBehind+1) {
			continue
		}
		c.appendSpan(list.child, from, from+int32(before))
		out.AppendNulls(int(nullsBefore))
		out.AppendRow(x.arr, int(i))
		out.AppendNulls(int(nullsBehind))
		c.appendSpan(list.child, from+int32(before), to)
		c.out.EndListAt(int(i), out.Len())
	}
}

func runArrayCompact(c *listCall) {
	list := &c.args[0]
	for _, i := range c.rows {
		from, to := list.span(i)
		for j := from; j < to; j++ {
			if !list.child.isNull(j) {
				c.pick(j)
			}
		}
		c.endPicked(i)
	}
	c.takePicked(list.child)
}

func runArrayReverse(c *listCall) {
	list := &c.args[0]
	for _, i := range c.rows {
		from, to := list.span(i)
		for j := to - 1; j >= from; j-- {
			c.pick(j)
		}
		c.endPicked(i)
	}
	c.takePicked(list.child)
}

func runSlice(c *listCall) {
	list, start, length := &c.args[0], &c.args[1], &c.args[2]
	for _, i := range c.rows {
		from, to := list.span(i)
		first, n := start.ints[i], length.ints[i]
		switch {
		case first == 0:
			c.fail(i, "positions count from 1, or from -1 at the end: got 0")
			continue
		case n < 0:
			c.fail(i, "the length is negative: %d", n)
			continue
		case first > 0:
			first--
		default:
			first += int64(to - from)
		}
		if first >= 0 && first < int64(to-from) {
			end := min(int64(to-from)-first, n) + first
			for j := from + int32(first); j < from+int32(end); j++ {
				c.pick(j)
			}
		}
		c.endPicked(i)
	}
	c.takePicked(list.child)
}

func runFlatten(c *listCall) {
	list := &c.args[0]
	inner := list.child
next:
	for _, i := range c.rows {
		row := len(c.picks)
		from, to := list.span(i)
		for j := from; j < to; j++ {
			if inner.isNull(j) { // a list that is not known makes the whole not known
				c.picks = c.picks[:row]
				c.out.SetNull(int(i))
				c.endPicked(i)
				continue next
			}
			first, end := inner.span(j)
			for k := first; k < end; k++ {
				c.pick(k)
			}
		}
		c.endPicked(i)
	}
	if inner.child != nil {
		c.takePicked(inner.child)
	}
}

func runArrayRepeat(c *listCall) {
	x, count, out := &c.args[0], &c.args[1], c.out.Child()
	for _, i := range c.rows {
		n := max(count.ints[i], 0)
		if !c.checkElements(i, n) {
			continue
		}
		for range n {
			c.picks = append(c.picks, i)
		}
		c.out.EndListAt(int(i), out.Len()+len(c.picks))
	}
	c.takePicked(x)
}

func runConcatLists(c *listCall) {
	out := c.out.Child()
	for _, i := range c.rows {
		for k := range c.args {
			from, to := c.args[k].span(i)
			c.appendSpan(c.args[k].child, from, to)
		}
		c.out.EndListAt(int(i), out.Len())
	}
}

// runArray makes lists of the values of all arguments.
func runArray(c *listCall) {
	out := c.out.Child()
	for _, i := range c.rows {
		for k := range c.args {
			if x := &c.args[k]; x.isNull(i) {
				out.AppendNull()
			} else {
				out.AppendRow(x.arr, int(i))
			}
		}
		c.out.EndListAt(int(i), out.Len())
	}
}

func resolveArray(name string, args []*Spec) (*Spec, error) {
	t := knownType(args)
	if t == nil {
		return nil, &TypeError{Func: name, Why: "arguments have no common type", Got: argTypes(args)}
	}
	if err := checkNesting(name, arrow.ListOf(t)); err != nil {
		return nil, err
	}
	all := make([]*Spec, 0, len(args)+1)
	for _, a := range args {
		all = append(all, convert(a, t))
	}
	return call("array", arrow.ListOf(t), all...), nil
}

// runArraysZip makes structs of the elements at the same place, as many as the longest list has.
func runArraysZip(c *listCall) {
	entries := c.out.Child()
	for _, i := range c.rows {
		n := int32(0)
		for k := range c.args {
			from, to := c.args[k].span(i)
			n = max(n, to-from)
		}
		for j := range n {
			for k := range c.args {
				from, to := c.args[k].span(i)
				if from+j < to {
					entries.Field(k).AppendRow(c.args[k].child.arr, int(from+j))
				} else {
					entries.Field(k).AppendNull()
				}
			}
			entries.AppendStruct()
		}
		c.out.EndListAt(int(i), entries.Len())
	}
}

// runSequence makes numbers from the first to the second argument, both included, by steps.
func runSequence(c *listCall) {
	first, last, out := &c.args[0], &c.args[1], c.out.Child()
	for _, i := range c.rows {
		from, to := first.ints[i], last.ints[i]
		step := int64(1)
		if from > to {
			step = -1
		}
		if len(c.args) == 3 {
			step = c.args[2].ints[i]
		}
		if step == 0 && from != to || step > 0 && from > to || step < 0 && from < to {
			c.fail(i, "a step of %d does not lead from %d to %d", step, from, to)
			continue
		}
		n := uint64(0)
		switch {
		case step > 0:
			n = (uint64(to) - uint64(from)) / uint64(step)
		case step < 0:
			n = (uint64(from) - uint64(to)) / -uint64(step)
		}
		if !c.checkElements(i, int64(min(n, math.MaxInt64-1))+1) {
			continue
		}
		for k := range n + 1 {
			out.AppendInt64(int64(uint64(from) + k*uint64(step)))
		}
		c.out.EndListAt(int(i), out.Len())
	}
}

// runArrayJoin joins texts, those that are not NULL, or with the third argument in the place of NULL.
func runArrayJoin(c *listCall) {
	list, between := &c.args[0], &c.args[1]
	for _, i := range c.rows {
		from, to := list.span(i)
		buf := c.buf[:0]
		n := 0
		for j := from; j < to; j++ {
			isNull := list.child.isNull(j)
			if isNull && len(c.args) < 3 {
				continue
			}
			if n > 0 {
				buf = append(buf, between.bytes(i)...)
			}
			n++
			if isNull {
				buf = append(buf, c.args[2].bytes(i)...)
			} else {
				buf = append(buf, list.child.bytes(j)...)
			}
		}
		c.buf = buf
		c.out.SetText(int(i), buf)
	}
}
