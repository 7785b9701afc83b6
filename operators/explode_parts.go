package operators

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// explodedColumns are the columns that explode makes: the place of an element, and the element or its parts.
type explodedColumns struct {
	hasPlace bool
	parts    bool // the element is a struct, whose fields are columns
	outer    bool
	place    *batch.Column
	columns  []*batch.Column // of what can't be given as it stands

	from []int32 // by element, where rows were added: its number in the child array, -1 for NULL
}

func (x *explodedColumns) init(mem memory.Allocator, spec *ExplodeSpec, schema *arrow.Schema) {
	x.hasPlace, x.parts, x.outer = spec.Place != "", spec.Parts != nil, spec.Outer
	at := len(spec.Keep)
	if x.hasPlace {
		x.place = batch.NewColumn(mem, schema.Field(at).Type)
		at++
	}
	for ; at < schema.NumFields(); at++ {
		x.columns = append(x.columns, batch.NewColumn(mem, schema.Field(at).Type))
	}
}

// add appends the exploded columns to view from column at on. The elements of rows are at starts to ends-1 of n, and where rows
// were added for lists without elements, x.from says where elements come from.
func (x *explodedColumns) add(view *batch.View, at int, elements arrow.Array, n int, starts, ends []int32) {
	if x.hasPlace {
		x.place.Reset(n)
		places := x.place.Int64s()
		for k := range starts {
			for j := starts[k]; j < ends[k]; j++ {
				places[j] = int64(j - starts[k])
			}
		}
		if x.outer {
			for j, from := range x.from {
				if from == noElement {
					x.place.SetNull(j)
				}
			}
		}
		view.Set(at, x.place.Array())
		at++
	}
	if !x.parts {
		view.Set(at, x.pick(x.columns[0], elements, nil))
		return
	}
	entries := elements.(*array.Struct)
	for k, c := range x.columns {
		view.Set(at+k, x.pick(c, entries.Field(k), entries))
	}
}

// noElement stands for the element of a list that has none.
const noElement = -1

// pick returns values, in the order of x.from where that has one, and NULL where whole is.
func (x *explodedColumns) pick(c *batch.Column, values arrow.Array, whole *array.Struct) arrow.Array {
	hasNulls := whole != nil && whole.NullN() > 0
	if !x.outer && !hasNulls {
		return values
	}
	c.Reset(0)
	if !x.outer {
		c.AppendArray(values, values.Len(), nil)
		for j := range values.Len() {
			if whole.IsNull(j) {
				c.SetNull(j)
			}
		}
		return c.Array()
	}
	for run := 0; run < len(x.from); {
		if j := x.from[run]; j == noElement || hasNulls && whole.IsNull(int(j)) {
			c.AppendNull()
			run++
			continue
		}
		end := run + 1
		for end < len(x.from) && x.from[end] != noElement && (!hasNulls || whole.IsValid(int(x.from[end]))) {
			end++
		}
		c.AppendArray(values, values.Len(), x.from[run:end])
		run = end
	}
	return c.Array()
}

func (x *explodedColumns) close() {
	if x.place != nil {
		x.place.Release()
	}
	for _, c := range x.columns {
		c.Release()
	}
}

// placeOuter is place for a spec with Outer: elements are numbered anew, and a row without any has one that is NULL.
func (e *explode) placeOuter(in *batch.Batch, lists arrow.Array, offsets []int32) (live int) {
	rows := e.liveRows(in)
	e.rows, e.starts, e.ends = extendTo(e.rows, len(rows)), extendTo(e.starts, len(rows)), extendTo(e.ends, len(rows))
	from := e.made.from[:0]
	n := 0
	for _, i := range rows {
		if e.bad.n > 0 && e.bad.isBad(i) {
			continue
		}
		e.rows[n], e.starts[n] = i, int32(len(from))
		if lists.IsNull(int(i)) || offsets[i] == offsets[i+1] {
			from = append(from, noElement)
		} else {
			for j := offsets[i]; j < offsets[i+1]; j++ {
				from = append(from, j)
			}
		}
		e.ends[n] = int32(len(from))
		n++
	}
	e.rows, e.starts, e.ends, e.made.from = e.rows[:n], e.starts[:n], e.ends[:n], from
	return len(from)
}
