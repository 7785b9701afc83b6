package operators

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// extreme is min and max of all types but TEXT. Values are kept as integers in the same order: of doubles NaN is the largest and
// -0 is 0, false is before true.
type extreme struct {
	always
	mem   memory.Allocator
	isMax bool
	dtype arrow.DataType
	best  []int64
	has   []uint8 // 0: the group has no value yet

	valid  validRows
	values []int64
}

var _ accumulator = (*extreme)(nil)

func (e *extreme) grow(n int) {
	e.best, e.has = growZero(e.mem, e.best, n), growZero(e.mem, e.has, n)
}

func (e *extreme) add(arg arrow.Array, rows, groups []int32) {
	rows, groups = e.valid.of(arg, rows, groups)
	values := e.ordered(arg, rows, len(groups))
	if e.isMax {
		for k, g := range groups {
			if v := values[k]; v > e.best[g] || e.has[g] == 0 {
				e.best[g], e.has[g] = v, 1
			}
		}
		return
	}
	for k, g := range groups {
		if v := values[k]; v < e.best[g] || e.has[g] == 0 {
			e.best[g], e.has[g] = v, 1
		}
	}
}

// ordered returns n rows of arr as integers in their order.
func (e *extreme) ordered(arr arrow.Array, rows []int32, n int) []int64 {
	e.values = extendTo(e.values, n)
	switch a := arr.(type) {
	case *array.Int64, *array.Timestamp:
		values := batch.Int64s(arr)
		if rows == nil {
			return values[:n]
		}
		for k, i := range rows {
			e.values[k] = values[i]
		}
	case *array.Float64:
		values := a.Float64Values()
		for k := range e.values {
			e.values[k] = orderOf(values[rowOf(rows, k)])
		}
	case *array.Boolean:
		for k := range e.values {
			e.values[k] = 0
			if a.Value(rowOf(rows, k)) {
				e.values[k] = 1
			}
		}
	}
	return e.values
}

func (e *extreme) merge(src accumulator, ids, groups []int32) {
	from := src.(*extreme)
	for k, id := range ids {
		if from.has[id] == 0 {
			continue
		}
		g, v := groups[k], from.best[id]
		if e.has[g] == 0 || e.isMax && v > e.best[g] || !e.isMax && v < e.best[g] {
			e.best[g], e.has[g] = v, 1
		}
	}
}

// subtract is never called: the next best value is not known.
func (e *extreme) subtract(accumulator, []int32, []int32) {}

func (e *extreme) canSubtract() bool { return false }

func (e *extreme) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		switch {
		case e.has[id] == 0:
			col.AppendNull()
		case e.dtype.ID() == arrow.FLOAT64:
			col.AppendFloat64(doubleOf(e.best[id]))
		case e.dtype.ID() == arrow.BOOL:
			col.AppendBool(e.best[id] != 0)
		default:
			col.AppendInt64(e.best[id])
		}
	}
}

func (e *extreme) state() []arrow.Field { return []arrow.Field{{Name: "value", Type: e.dtype}} }

func (e *extreme) save(cols []*batch.Column, ids []int32) { e.result(cols[0], ids) }

func (e *extreme) load(cols []arrow.Array, rows, groups []int32) {
	for _, g := range groups {
		e.has[g] = 0
	}
	e.add(cols[0], rows, groups)
}

func (e *extreme) reset() { e.best, e.has = shrink(e.mem, e.best), shrink(e.mem, e.has) }

func (e *extreme) close() {
	batch.FreeSlice(e.mem, e.best)
	batch.FreeSlice(e.mem, e.has)
	e.best, e.has = nil, nil
}

// textExtreme is min and max of TEXT, in order of bytes. The best value of a group is a piece of an arena; pieces that
// were replaced are garbage until the arena is copied, which costs O(1) per replaced byte.
type textExtreme struct {
	always
	mem   memory.Allocator
	isMax bool
	arena []byte
	start []int64
	size  []int32 // length plus one, 0: the group has no value yet
	live  int     // bytes of the arena that are in use

	valid validRows
}

// minGarbage is how many bytes of garbage are left alone, whatever their part.
const minGarbage = 64 << 10

var _ accumulator = (*textExtreme)(nil)

func (e *textExtreme) grow(n int) {
	e.start, e.size = growZero(e.mem, e.start, n), growZero(e.mem, e.size, n)
}

func (e *textExtreme) add(arg arrow.Array, rows, groups []int32) {
	rows, groups = e.valid.of(arg, rows, groups)
	switch a := arg.(type) {
	case *array.String:
		offsets, text := a.ValueOffsets(), textOf(a)
		for k, g := range groups {
			i := rowOf(rows, k)
			e.offer(text[offsets[i]:offsets[i+1]], g)
		}
	case *array.Dictionary:
		entries := a.Dictionary().(*array.String)
		offsets, text := entries.ValueOffsets(), textOf(entries)
		for k, g := range groups {
			if i := a.GetValueIndex(rowOf(rows, k)); entries.IsValid(i) {
				e.offer(text[offsets[i]:offsets[i+1]], g)
			}
		}
	}
}

func (e *textExtreme) offer(v []byte, g int32) {
	if e.size[g] > 0 {
		c := bytes.Compare(v, e.value(g))
		if c == 0 || c > 0 != e.isMax {
			return
		}
	}
	e.set(v, g)
}

func (e *textExtreme) value(g int32) []byte {
	return e.arena[e.start[g] : e.start[g]+int64(e.size[g]-1)]
}

func (e *textExtreme) set(v []byte, g int32) {
	old := int(max(e.size[g], 1) - 1)
	e.live += len(v) - old
	e.size[g] = int32(len(v)) + 1
	if len(v) <= old { // in its place
		copy(e.arena[e.start[g]:], v)
		return
	}
	e.start[g] = int64(len(e.arena))
	e.arena = batch.AppendSlice(e.mem, e.arena, v...)
	if len(e.arena) > 2*e.live+minGarbage {
		e.compact()
	}
}

func (e *textExtreme) compact() {
	fresh := batch.MakeSlice[byte](e.mem, max(2*e.live, 64))[:0]
	for g := range e.size {
		if e.size[g] > 0 {
			v := e.value(int32(g))
			e.start[g] = int64(len(fresh))
			fresh = append(fresh, v...)
		}
	}
	batch.FreeSlice(e.mem, e.arena)
	e.arena = fresh
}

func (e *textExtreme) merge(src accumulator, ids, groups []int32) {
	from := src.(*textExtreme)
	for k, id := range ids {
		if from.size[id] > 0 {
			e.offer(from.value(id), groups[k])
		}
	}
}

// subtract is never called: the next best value is not known.
func (e *textExtreme) subtract(accumulator, []int32, []int32) {}

func (e *textExtreme) canSubtract() bool { return false }

func (e *textExtreme) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		if e.size[id] == 0 {
			col.AppendNull()
		} else {
			col.AppendText(e.value(id))
		}
	}
}

func (e *textExtreme) state() []arrow.Field { return []arrow.Field{{Name: "value", Type: batch.Text}} }

func (e *textExtreme) save(cols []*batch.Column, ids []int32) { e.result(cols[0], ids) }

func (e *textExtreme) load(cols []arrow.Array, rows, groups []int32) {
	for _, g := range groups {
		e.live -= int(max(e.size[g], 1) - 1)
		e.size[g] = 0
	}
	e.add(cols[0], rows, groups)
}

func (e *textExtreme) reset() {
	e.start, e.size = shrink(e.mem, e.start), shrink(e.mem, e.size)
	e.arena, e.live = shrink(e.mem, e.arena), 0
}

func (e *textExtreme) close() {
	batch.FreeSlice(e.mem, e.arena)
	batch.FreeSlice(e.mem, e.start)
	batch.FreeSlice(e.mem, e.size)
	e.arena, e.start, e.size, e.live = nil, nil, nil, 0
}
