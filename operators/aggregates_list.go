package operators

import (
	"cmp"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// valueList is collect_list and listagg: all values of a group that are not NULL, in the order of its rows, of equal ones in that of
// their split. Values of all groups are in one column, chained by group. What belongs to no group any more, because a restored
// image replaced it, goes when it is more than the rest.
type valueList struct {
	always
	mem   memory.Allocator
	dtype arrow.DataType
	// isByValue says that the order is that of the values, isText that the result is one text.
	isDescending, isByValue, isText bool
	delimiter                       string

	// Per value.
	values *batch.Column
	orders []int64
	places []int64
	next   []int32 // the value of the same group that came before it, plus one
	// Per group.
	head  []int32 // the value that came last, plus one
	sizes []int32

	live int // values that belong to a group

	// Scratch.
	rows   []int32
	groups []int32
	text   []byte
}

var _ accumulator = (*valueList)(nil)

func newValueList(mem memory.Allocator, a *AggSpec, dtype arrow.DataType) *valueList {
	l := &valueList{
		mem: mem, dtype: dtype, isDescending: a.Descending, isByValue: a.ByValue, isText: a.Func == "listagg",
		values: batch.NewColumn(mem, dtype),
	}
	if l.isText {
		l.delimiter = a.Delimiter
	}
	return l
}

func (l *valueList) words() int { return 0 }

func (l *valueList) bind(*records, int) {}

func (l *valueList) grow(n int) {
	l.head, l.sizes = growZero(l.mem, l.head, n), growZero(l.mem, l.sizes, n)
}

func (l *valueList) add(arg arrow.Array, rows, groups []int32) {
	in, ok := arg.(*orderedArray)
	if !ok { // of DISTINCT, whose values come in their order
		l.put(arg, nil, nil, rows, groups)
		return
	}
	if in.Array.DataType().ID() == arrow.NULL {
		return
	}
	n := len(groups)
	l.rows, l.groups = batch.GrowSlice(l.mem, l.rows, max(n, 1))[:0], batch.GrowSlice(l.mem, l.groups, max(n, 1))[:0]
	for k, g := range groups {
		i := rowOf(rows, k)
		if isNull(in.Array, i) {
			continue
		}
		l.rows, l.groups = append(l.rows, int32(i)), append(l.groups, g)
	}
	from := len(l.orders)
	l.put(in.Array, in.order, in.places, l.rows, l.groups)
	if in.nulls != nil {
		for k, i := range l.rows {
			if in.nulls.IsNull(int(i)) {
				l.orders[from+k] = math.MinInt64 // NULL is before all others
			}
		}
	}
}

// put adds rows of arr, which are not NULL, to groups.
func (l *valueList) put(arr arrow.Array, orders, places []int64, rows, groups []int32) {
	if len(groups) == 0 {
		return
	}
	from := len(l.orders)
	l.values.AppendArray(arr, len(groups), rows)
	l.extend(from, groups)
	for k := range groups {
		i := rowOf(rows, k)
		if orders == nil {
			l.orders[from+k], l.places[from+k] = 0, int64(from+k)
		} else {
			l.orders[from+k], l.places[from+k] = orders[i], places[i]
		}
	}
}

// extend chains the values from a number on, one for each of groups.
func (l *valueList) extend(from int, groups []int32) {
	n := from + len(groups)
	l.orders, l.places = batch.GrowSlice(l.mem, l.orders, n), batch.GrowSlice(l.mem, l.places, n)
	l.next = batch.GrowSlice(l.mem, l.next, n)
	for k, g := range groups {
		l.next[from+k], l.head[g] = l.head[g], int32(from+k)+1
		l.sizes[g]++
	}
	l.live += len(groups)
}

func (l *valueList) merge(src accumulator, ids, groups []int32) {
	from := src.(*valueList)
	l.rows, l.groups = l.rows[:0], l.groups[:0]
	for k, id := range ids {
		first := len(l.rows)
		for v := from.head[id]; v > 0; v = from.next[v-1] {
			l.rows = batch.AppendSlice(l.mem, l.rows, v-1)
			l.groups = batch.AppendSlice(l.mem, l.groups, groups[k])
		}
		slices.Reverse(l.rows[first:]) // rows of one row that was exploded have nothing else to tell their order
	}
	at := len(l.orders)
	l.values.AppendFrom(from.values, l.rows)
	l.extend(at, l.groups)
	for k, v := range l.rows {
		l.orders[at+k], l.places[at+k] = from.orders[v], from.places[v]
	}
}

// subtract is never called: values would be left that belong to no group.
func (l *valueList) subtract(accumulator, []int32, []int32) {}

func (l *valueList) canSubtract() bool { return false }

// sorted returns the values of a group in their order, valid until the next call.
func (l *valueList) sorted(id int32) []int32 {
	l.rows = batch.GrowSlice(l.mem, l.rows, int(l.sizes[id]))
	k := len(l.rows)
	for v := l.head[id]; v > 0; v = l.next[v-1] { // which is mostly their order from the end
		k--
		l.rows[k] = v - 1
	}
	byValue := func(int32, int32) int { return 0 }
	if l.isByValue {
		byValue = orderIn(l.values)
	}
	slices.SortFunc(l.rows, func(i, j int32) int {
		way := byValue(i, j)
		if !l.isByValue {
			way = cmp.Compare(l.orders[i], l.orders[j])
		}
		if l.isDescending {
			way = -way
		}
		return cmp.Or(way, cmp.Compare(l.places[i], l.places[j]), cmp.Compare(i, j))
	})
	return l.rows
}

func (l *valueList) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		rows := l.sorted(id)
		switch {
		case !l.isText:
			col.Child().AppendFrom(l.values, rows)
			col.AppendList()
		case len(rows) == 0:
			col.AppendNull()
		default:
			col.AppendText(l.joined(rows))
		}
	}
}

// joined returns texts with the delimiter between them.
func (l *valueList) joined(rows []int32) []byte {
	a := l.values.Array().(*array.String)
	offsets, text := a.ValueOffsets(), textOf(a)
	l.text = l.text[:0]
	for k, i := range rows {
		if k > 0 {
			l.text = batch.AppendSlice(l.mem, l.text, []byte(l.delimiter)...)
		}
		l.text = batch.AppendSlice(l.mem, l.text, text[offsets[i]:offsets[i+1]]...)
	}
	return l.text
}

func (l *valueList) state() []arrow.Field {
	return []arrow.Field{
		{Name: "values", Type: arrow.ListOf(l.dtype)},
		{Name: "orders", Type: arrow.ListOf(batch.BigInt)},
		{Name: "places", Type: arrow.ListOf(batch.BigInt)},
	}
}

func (l *valueList) save(cols []*batch.Column, ids []int32) {
	for _, id := range ids {
		rows := l.sorted(id)
		cols[0].Child().AppendFrom(l.values, rows)
		for _, i := range rows {
			cols[1].Child().AppendInt64(l.orders[i])
			cols[2].Child().AppendInt64(l.places[i])
		}
		for _, c := range cols {
			c.AppendList()
		}
	}
}

func (l *valueList) load(cols []arrow.Array, rows, groups []int32) {
	for _, g := range groups {
		l.live -= int(l.sizes[g])
		l.head[g], l.sizes[g] = 0, 0
	}
	if len(l.orders) > 2*l.live+maxKeptEntries {
		l.compact()
	}
	lists := cols[0].(*array.List)
	l.rows, l.groups = l.rows[:0], l.groups[:0]
	for k, g := range groups {
		i := rowOf(rows, k)
		if lists.IsNull(i) {
			continue
		}
		start, end := lists.ValueOffsets(i)
		for v := start; v < end; v++ {
			l.rows = batch.AppendSlice(l.mem, l.rows, int32(v))
			l.groups = batch.AppendSlice(l.mem, l.groups, g)
		}
	}
	orders, places := cols[1].(*array.List).ListValues(), cols[2].(*array.List).ListValues()
	l.put(lists.ListValues(), batch.Int64s(orders), batch.Int64s(places), l.rows, l.groups)
}

// compact leaves out values that belong to no group.
func (l *valueList) compact() {
	to := &valueList{mem: l.mem, dtype: l.dtype, values: batch.NewColumn(l.mem, l.dtype)}
	to.grow(len(l.head))
	groups := appendRange(l.mem, nil, 0, len(l.head))
	to.merge(l, groups, groups)
	batch.FreeSlice(l.mem, groups)
	l.values, to.values = to.values, l.values
	for _, s := range [...]struct{ a, b *[]int64 }{{&l.orders, &to.orders}, {&l.places, &to.places}} {
		*s.a, *s.b = *s.b, *s.a
	}
	for _, s := range [...]struct{ a, b *[]int32 }{{&l.next, &to.next}, {&l.head, &to.head}, {&l.sizes, &to.sizes}} {
		*s.a, *s.b = *s.b, *s.a
	}
	to.close()
}

func (l *valueList) reset() {
	if l.values.Len() > 0 {
		l.values.Reset(0)
	}
	l.orders, l.places, l.next = shrink(l.mem, l.orders), shrink(l.mem, l.places), shrink(l.mem, l.next)
	l.head, l.sizes = shrink(l.mem, l.head), shrink(l.mem, l.sizes)
	l.live = 0
}

func (l *valueList) close() {
	l.values.Release()
	for _, s := range [...]*[]int64{&l.orders, &l.places} {
		batch.FreeSlice(l.mem, *s)
		*s = nil
	}
	for _, s := range [...]*[]int32{&l.next, &l.head, &l.sizes, &l.rows, &l.groups} {
		batch.FreeSlice(l.mem, *s)
		*s = nil
	}
	batch.FreeSlice(l.mem, l.text)
	l.text, l.live = nil, 0
}
