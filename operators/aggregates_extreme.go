package operators

import (
	"bytes"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// extreme is min and max of all types but TEXT. Values are kept as integers in the same order: of doubles NaN is the largest and
// -0 is 0, false is before true.
type extreme struct {
	always
	presence
	at    int
	isMax bool
	dtype arrow.DataType
	// none is the value that no other is worse than. Words are xor-ed with it, so that 0, the word of a new group, stands for it.
	none int64

	values []int64 // scratch
}

var _ accumulator = (*extreme)(nil)

func newExtreme(isMax bool, dtype arrow.DataType) *extreme {
	e := &extreme{isMax: isMax, dtype: dtype, none: math.MaxInt64}
	if isMax {
		e.none = math.MinInt64
	}
	return e
}

func (e *extreme) words() int { return 1 }

func (e *extreme) bind(rec *records, at int) { e.rec, e.at = rec, at }

func (e *extreme) grow(int) {}

func (e *extreme) add(arg arrow.Array, rows, groups []int32) {
	rows, groups = e.valid(arg, rows, groups)
	values := e.ordered(arg, rows, len(groups))
	words, width, at, none := e.rec.words, e.rec.width, e.at, e.none
	if e.isMax {
		for k, g := range groups {
			if word := &words[int(g)*width+at]; values[k] > *word^none {
				*word = values[k] ^ none
			}
		}
		return
	}
	for k, g := range groups {
		if word := &words[int(g)*width+at]; values[k] < *word^none {
			*word = values[k] ^ none
		}
	}
}

// ordered returns n rows of arr as integers in their order.
func (e *extreme) ordered(arr arrow.Array, rows []int32, n int) []int64 {
	e.values = batch.GrowSlice(e.rec.mem, e.values, n)
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
	words, width, at, none := e.rec.words, e.rec.width, e.at, e.none
	for k, id := range ids {
		v, word := from.rec.words[int(id)*width+at]^none, &words[int(groups[k])*width+at]
		if best := *word ^ none; e.isMax && v > best || !e.isMax && v < best {
			*word = v ^ none
		}
	}
	e.presence.merge(&from.presence, ids, groups)
}

// subtract is never called: the next best value is not known.
func (e *extreme) subtract(accumulator, []int32, []int32) {}

func (e *extreme) canSubtract() bool { return false }

func (e *extreme) result(col *batch.Column, ids []int32) {
	if id := e.dtype.ID(); len(e.nulls) == 0 && (id == arrow.INT64 || id == arrow.TIMESTAMP) {
		values := col.AppendInt64s(len(ids))
		e.rec.gather(e.at, ids, values)
		for k := range values {
			values[k] ^= e.none
		}
		e.rec.nullEmpty(col, ids)
		return
	}
	for _, id := range ids {
		best := e.rec.words[int(id)*e.rec.width+e.at] ^ e.none
		switch {
		case e.n(id) == 0:
			col.AppendNull()
		case e.dtype.ID() == arrow.FLOAT64:
			col.AppendFloat64(doubleOf(best))
		case e.dtype.ID() == arrow.BOOL:
			col.AppendBool(best != 0)
		default:
			col.AppendInt64(best)
		}
	}
}

func (e *extreme) state() []arrow.Field {
	return []arrow.Field{{Name: "value", Type: e.dtype}}
}

func (e *extreme) save(cols []*batch.Column, ids []int32) { e.result(cols[0], ids) }

// load does not know how many values were NULL, but whether all were, which is all that a result depends on.
func (e *extreme) load(cols []arrow.Array, rows, groups []int32) {
	values := e.ordered(cols[0], rows, len(groups))
	for k, g := range groups {
		word := &e.rec.words[int(g)*e.rec.width+e.at]
		if cols[0].IsNull(rowOf(rows, k)) {
			e.setN(g, 0)
			*word = 0
		} else {
			e.setN(g, e.rec.rows(g))
			*word = values[k] ^ e.none
		}
	}
}

func (e *extreme) reset() { e.presence.reset() }

func (e *extreme) close() {
	batch.FreeSlice(e.rec.mem, e.values)
	e.values = nil
	e.presence.close()
}

// isBytes says whether values are kept as bytes in their order: TEXT, BINARY, and DECIMAL, which no word holds.
func isBytes(t arrow.DataType) bool { return t.ID() == arrow.STRING || t.ID() == arrow.DECIMAL128 }

// textExtreme is min and max of TEXT, BINARY and DECIMAL, in order of bytes. The best value of a group is a piece of an arena; pieces that
// were replaced are garbage until the arena is copied, which costs O(1) per replaced byte.
type textExtreme struct {
	always
	presence
	isMax bool
	dtype arrow.DataType
	arena []byte
	start []int64
	size  []int32 // length plus one, 0: the group has no value yet
	live  int     // bytes of the arena that are in use
}

// minGarbage is how many bytes of garbage are left alone, whatever their part.
const minGarbage = 64 << 10

var _ accumulator = (*textExtreme)(nil)

func (e *textExtreme) words() int { return 0 }

func (e *textExtreme) bind(rec *records, _ int) { e.rec = rec }

func (e *textExtreme) grow(n int) {
	e.start, e.size = growZero(e.rec.mem, e.start, n), growZero(e.rec.mem, e.size, n)
}

func (e *textExtreme) add(arg arrow.Array, rows, groups []int32) {
	rows, groups = e.valid(arg, rows, groups)
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
	case *array.Decimal128:
		var memory [16]byte
		for k, g := range groups {
			e.offer(appendOrdered(memory[:0], a.Value(rowOf(rows, k))), g)
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
	e.arena = batch.AppendSlice(e.rec.mem, e.arena, v...)
	if len(e.arena) > 2*e.live+minGarbage {
		e.compact()
	}
}

func (e *textExtreme) compact() {
	fresh := batch.MakeSlice[byte](e.rec.mem, max(2*e.live, 64))[:0]
	for g := range e.size {
		if e.size[g] > 0 {
			v := e.value(int32(g))
			e.start[g] = int64(len(fresh))
			fresh = append(fresh, v...)
		}
	}
	batch.FreeSlice(e.rec.mem, e.arena)
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
			appendBytes(col, e.value(id))
		}
	}
}

// appendBytes appends a value that is kept as bytes.
func appendBytes(col *batch.Column, v []byte) {
	if col.Type().ID() == arrow.DECIMAL128 {
		col.AppendDecimal(orderedDecimal(v))
		return
	}
	col.AppendText(v)
}

func (e *textExtreme) state() []arrow.Field { return []arrow.Field{{Name: "value", Type: e.dtype}} }

func (e *textExtreme) save(cols []*batch.Column, ids []int32) { e.result(cols[0], ids) }

func (e *textExtreme) load(cols []arrow.Array, rows, groups []int32) {
	for _, g := range groups {
		e.live -= int(max(e.size[g], 1) - 1)
		e.size[g] = 0
	}
	e.add(cols[0], rows, groups)
}

func (e *textExtreme) reset() {
	e.start, e.size = shrink(e.rec.mem, e.start), shrink(e.rec.mem, e.size)
	e.arena, e.live = shrink(e.rec.mem, e.arena), 0
	e.presence.reset()
}

func (e *textExtreme) close() {
	batch.FreeSlice(e.rec.mem, e.arena)
	batch.FreeSlice(e.rec.mem, e.start)
	batch.FreeSlice(e.rec.mem, e.size)
	e.arena, e.start, e.size, e.live = nil, nil, nil, 0
	e.presence.close()
}
