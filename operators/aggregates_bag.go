package operators

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// bag has, per group, its different values and how often each is there: what aggregates of DISTINCT, percentiles and modes are made of.
// A value may have several columns; rows in which one of them is NULL are left out. All groups share a table whose keys are the
// group and the value, so that memory grows with the number of different values of all groups, and bags merge in any order.
//
// Groups 0 and 1 with the values 7, 8, 7 and 7: entries (0, 7), (0, 8), (1, 7) with counts 2, 1, 1; head is 2, 3 and next 0, 1, 0.
type bag struct {
	mem    memory.Allocator
	types  []arrow.DataType // of the columns of a value
	table  groupTable       // entries
	counts []int64          // per entry; 0: it is not there any more
	next   []int32          // per entry, the one of the same group that was made before it, plus one
	head   []int32          // per group, the entry that was made last, plus one
	sizes  []int32          // per group, how many entries it has

	// Scratch.
	keys    []arrow.Array
	group   *batch.Column
	columns []*batch.Column // group, then the columns of a value
	entries []int32
	rows    []int32
	groups  []int32
	weights []int64
}

func (b *bag) init(mem memory.Allocator, types []arrow.DataType) {
	b.mem, b.types = mem, types
	b.group = batch.NewColumn(mem, batch.BigInt)
	b.table = newGroupTable(mem, append([]arrow.DataType{batch.BigInt}, types...), denseRoom)
	b.columns = []*batch.Column{batch.NewColumn(mem, batch.BigInt)}
	for _, t := range types {
		b.columns = append(b.columns, batch.NewColumn(mem, t))
	}
}

func (b *bag) words() int { return 0 }

func (b *bag) grow(n int) {
	b.head, b.sizes = growZero(b.mem, b.head, n), growZero(b.mem, b.sizes, n)
}

// put adds rows[k] of cols, or row k where rows is nil, to group groups[k], as often as weights has for that row, or once where that is nil.
func (b *bag) put(cols []arrow.Array, rows, groups []int32, weights []int64) {
	rows, groups = b.whole(cols, rows, groups)
	n := len(groups)
	if n == 0 {
		return
	}
	last := n - 1
	if rows != nil {
		last = int(slices.Max(rows))
	}
	b.group.Reset(last + 1)
	of := b.group.Int64s()
	for k, g := range groups {
		of[rowOf(rows, k)] = int64(g)
	}
	b.keys = append(append(b.keys[:0], b.group.Array()), cols...)
	b.entries = batch.GrowSlice(b.mem, b.entries[:0], n)
	b.table.lookup(b.keys, rows, b.entries)
	b.count(rows, groups, weights)
}

// whole leaves out rows in which a column is NULL.
func (b *bag) whole(cols []arrow.Array, rows, groups []int32) (wholeRows, wholeGroups []int32) {
	for _, c := range cols {
		if c.DataType().ID() == arrow.NULL {
			return rows, nil
		}
	}
	mayBeNull := func(c arrow.Array) bool {
		d, isDictionary := c.(*array.Dictionary)
		return c.NullN() > 0 || isDictionary && d.Dictionary().NullN() > 0
	}
	if !slices.ContainsFunc(cols, mayBeNull) {
		return rows, groups
	}
	n := len(groups)
	b.rows, b.groups = batch.GrowSlice(b.mem, b.rows, max(n, 1))[:0], batch.GrowSlice(b.mem, b.groups, max(n, 1))[:0]
	for k, g := range groups {
		i := rowOf(rows, k)
		if !slices.ContainsFunc(cols, func(c arrow.Array) bool { return isNull(c, i) }) {
			b.rows, b.groups = append(b.rows, int32(i)), append(b.groups, g)
		}
	}
	return b.rows, b.groups
}

// count adds to the entries that lookup found, and chains new ones.
func (b *bag) count(rows, groups []int32, weights []int64) {
	known := int32(len(b.counts))
	b.counts, b.next = growZero(b.mem, b.counts, b.table.len()), growZero(b.mem, b.next, b.table.len())
	for k, e := range b.entries {
		g, weight := groups[k], int64(1)
		if weights != nil {
			weight = weights[rowOf(rows, k)]
		}
		if e >= known { // entries are numbered in the order of their coming
			known = e + 1
			b.next[e], b.head[g] = b.head[g], e+1
		}
		if b.counts[e] == 0 && weight > 0 {
			b.sizes[g]++
		}
		b.counts[e] += weight
	}
}

// merge adds groups ids of src to groups.
func (b *bag) merge(src *bag, ids, groups []int32) {
	b.entries, b.groups, b.weights = b.entries[:0], b.groups[:0], b.weights[:0]
	for k, id := range ids {
		for e := src.head[id]; e > 0; e = src.next[e-1] {
			if count := src.counts[e-1]; count > 0 {
				b.entries = batch.AppendSlice(b.mem, b.entries, e-1)
				b.groups = batch.AppendSlice(b.mem, b.groups, groups[k])
				b.weights = batch.AppendSlice(b.mem, b.weights, count)
			}
		}
	}
	n := len(b.entries)
	if n == 0 {
		return
	}
	b.read(src, b.entries)
	to := b.columns[0].Int64s()
	b.keys = b.keys[:0]
	for i, g := range b.groups {
		to[i] = int64(g)
	}
	for _, c := range b.columns {
		b.keys = append(b.keys, c.Array())
	}
	b.table.lookup(b.keys, nil, b.entries)
	b.count(nil, b.groups, b.weights)
	if n > maxKeptEntries {
		b.closeScratch()
	}
}

// maxKeptEntries is how many entries scratch memory is kept for: state has a bag per shard and pane. The value is a choice, not a
// measurement.
const maxKeptEntries = 4096

// read sets columns to entries of src.
func (b *bag) read(src *bag, entries []int32) {
	for _, c := range b.columns {
		c.Reset(0)
	}
	src.table.appendKeys(b.columns, entries)
}

// entriesOf returns the entries that are there of a group, valid until the next call.
func (b *bag) entriesOf(id int32) []int32 {
	b.entries = b.entries[:0]
	for e := b.head[id]; e > 0; e = b.next[e-1] {
		if b.counts[e-1] > 0 {
			b.entries = batch.AppendSlice(b.mem, b.entries, e-1)
		}
	}
	return b.entries
}

// sorted returns the values of a group, as rows of a column, in ascending order, and how often each is there, by the row. They are
// valid until the next call.
func (b *bag) sorted(id int32) (values *batch.Column, rows []int32, counts []int64) {
	entries := b.entriesOf(id)
	b.read(b, entries)
	b.weights = b.weights[:0]
	for _, e := range entries {
		b.weights = batch.AppendSlice(b.mem, b.weights, b.counts[e])
	}
	b.rows = appendRange(b.mem, b.rows[:0], 0, len(entries))
	slices.SortFunc(b.rows, orderIn(b.columns[1]))
	return b.columns[1], b.rows, b.weights
}

// orderIn returns the order of rows by the values of a column without NULLs: of doubles NaN is the largest, TEXT goes by bytes.
func orderIn(c *batch.Column) func(i, j int32) int {
	switch a := c.Array().(type) {
	case *array.Int64, *array.Timestamp:
		values := c.Int64s()
		return func(i, j int32) int { return cmp.Compare(values[i], values[j]) }
	case *array.Float64:
		values := c.Float64s()
		return func(i, j int32) int { return cmp.Compare(orderOf(values[i]), orderOf(values[j])) }
	case *array.String:
		offsets, text := a.ValueOffsets(), textOf(a)
		return func(i, j int32) int {
			return bytes.Compare(text[offsets[i]:offsets[i+1]], text[offsets[j]:offsets[j+1]])
		}
	case *array.Decimal128:
		return func(i, j int32) int { return a.Value(int(i)).Cmp(a.Value(int(j))) }
	}
	arr := c.Array()
	return func(i, j int32) int { // false is before true
		return bytes.Compare(AppendKey(nil, arr, int(i)), AppendKey(nil, arr, int(j)))
	}
}

// state returns a list for each column of a value, and one of how often each is there, where that matters.
func (b *bag) state(isCounted bool) []arrow.Field {
	var fields []arrow.Field
	for i, t := range b.types {
		name := "values"
		if i > 0 {
			name += strconv.Itoa(i + 1)
		}
		fields = append(fields, arrow.Field{Name: name, Type: arrow.ListOf(t)})
	}
	if isCounted {
		fields = append(fields, arrow.Field{Name: "counts", Type: arrow.ListOf(batch.BigInt)})
	}
	return fields
}

func (b *bag) save(cols []*batch.Column, ids []int32) {
	for _, id := range ids {
		entries := b.entriesOf(id)
		slices.Reverse(entries) // the order in which they came, so that they are chained the same when they are loaded
		b.read(b, entries)
		b.rows = appendRange(b.mem, b.rows[:0], 0, len(entries))
		for i := range b.types {
			cols[i].Child().AppendFrom(b.columns[1+i], b.rows)
			cols[i].AppendList()
		}
		if len(cols) == len(b.types) {
			continue
		}
		counts := cols[len(b.types)]
		for _, e := range entries {
			counts.Child().AppendInt64(b.counts[e])
		}
		counts.AppendList()
	}
}

func (b *bag) load(cols []arrow.Array, rows, groups []int32) {
	for _, g := range groups {
		for e := b.head[g]; e > 0; e = b.next[e-1] {
			b.counts[e-1] = 0
		}
		b.sizes[g] = 0
	}
	first := cols[0].(*array.List)
	at, of := batch.MakeSlice[int32](b.mem, 1)[:0], batch.MakeSlice[int32](b.mem, 1)[:0]
	for k, g := range groups {
		i := rowOf(rows, k)
		if first.IsNull(i) {
			continue
		}
		start, end := first.ValueOffsets(i)
		for e := start; e < end; e++ {
			at, of = batch.AppendSlice(b.mem, at, int32(e)), batch.AppendSlice(b.mem, of, g)
		}
	}
	values := make([]arrow.Array, len(b.types))
	for i := range values {
		values[i] = cols[i].(*array.List).ListValues()
	}
	var weights []int64
	if len(cols) > len(b.types) {
		weights = batch.Int64s(cols[len(b.types)].(*array.List).ListValues())
	}
	b.put(values, at, of, weights)
	batch.FreeSlice(b.mem, at)
	batch.FreeSlice(b.mem, of)
}

func (b *bag) reset() {
	b.table.reset()
	b.counts, b.next = shrink(b.mem, b.counts), shrink(b.mem, b.next)
	b.head, b.sizes = shrink(b.mem, b.head), shrink(b.mem, b.sizes)
}

func (b *bag) close() {
	b.table.close()
	b.closeScratch()
	for _, s := range [...]*[]int32{&b.next, &b.head, &b.sizes} {
		batch.FreeSlice(b.mem, *s)
		*s = nil
	}
	batch.FreeSlice(b.mem, b.counts)
	b.counts = nil
}

func (b *bag) closeScratch() {
	b.group.Release()
	for _, c := range b.columns {
		c.Release()
	}
	for _, s := range [...]*[]int32{&b.entries, &b.rows, &b.groups} {
		batch.FreeSlice(b.mem, *s)
		*s = nil
	}
	batch.FreeSlice(b.mem, b.weights)
	b.weights = nil
}
