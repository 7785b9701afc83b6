package operators

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// explode makes a row of each element of a list or map. The rows that come out are numbered as the elements are in the list's child
// array, which is the new column as it stands, unless rows are added for lists without elements; the columns kept are spread to the
// same places.
//
// Lists of rows 0 to 3, row 1 dead: [a b], [c], NULL, [d]. The child array is a b c d, so out come 4 rows, of which 0, 1 and 3
// are live, with kept columns from rows 0, 0 and 3.
type explode struct {
	stateless
	list expr.Expr
	keep []int
	all  []int32 // 0, 1, 2, …

	made explodedColumns

	// Valid until the next Process.
	kept   []keptColumn
	rows   []int32 // live rows with elements
	starts []int32 // where the elements of these begin, counted from the first of all
	ends   []int32 // and end
	sel    []int32
	source []int32 // Origin.Source of what comes out
	view   *batch.View
	bad    badRows
}

var _ Operator = (*explode)(nil)

// NewExplode returns an operator that emits the columns that spec keeps and an element of the list.
func NewExplode(spec *ExplodeSpec, schema *arrow.Schema, env Env) (Operator, error) {
	if want := len(spec.Keep) + len(spec.Names()); schema.NumFields() != want {
		return nil, fmt.Errorf("explode: %d columns, schema has %d", want, schema.NumFields())
	}
	list, err := expr.New(env.Mem, spec.List)
	if err != nil {
		return nil, fmt.Errorf("explode: %w", err)
	}
	if id := list.Type().ID(); id != arrow.LIST && id != arrow.MAP {
		list.Close()
		return nil, fmt.Errorf("explode: want a list or map, got %s: %s", batch.TypeName(spec.List.Type), spec.List)
	}
	e := &explode{stateless: stateless{schema}, list: list, keep: spec.Keep, view: batch.NewView(schema)}
	for i := range spec.Keep {
		e.kept = append(e.kept, keptColumn{col: batch.NewColumn(env.Mem, schema.Field(i).Type)})
	}
	e.made.init(env.Mem, spec, schema)
	e.bad.init(env)
	return e, nil
}

// Process emits the elements of the lists of in.
func (e *explode) Process(ctx context.Context, _ int, in batch.Batch, emit batch.Emit) error {
	e.bad.begin(&in)
	arr, err := e.list.Eval(ctx, in, e.bad.note)
	if err != nil {
		return err
	}
	offsets, elements, ok := batch.ListParts(arr)
	if !ok {
		return fmt.Errorf("explode: want a list or map, got %s", arr.DataType())
	}
	var first int32
	var live int
	if e.made.outer {
		live = e.placeOuter(&in, arr, offsets)
	} else {
		first, live = e.place(&in, arr, offsets)
	}
	if live == 0 {
		return nil
	}
	n := int(e.ends[len(e.ends)-1])
	if first > 0 {
		// A slice of a longer array: elements before it are not ours to number.
		elements = array.NewSlice(elements, int64(first), int64(first)+int64(n))
		defer elements.Release()
	}
	e.source = extendTo(e.source, n)
	for k, i := range e.rows {
		fillRange(e.source[e.starts[k]:e.ends[k]], int32(in.Origin.BlockRow(int(i))))
	}
	for c := range e.kept {
		e.view.Set(c, e.kept[c].spread(in.Rows.Column(e.keep[c]), n, e.rows, e.starts, e.ends))
	}
	e.made.add(e.view, len(e.keep), elements, n, e.starts, e.ends)
	e.view.SetRows(n)
	out := batch.Batch{Rows: e.view, Origin: in.Origin}
	out.Origin.Source = e.source
	if live < n {
		out.Sel = e.selectLive()
	}
	return emit(out)
}

// place notes the live rows that have elements and where these are, counted from first, and returns how many there are.
func (e *explode) place(in *batch.Batch, lists arrow.Array, offsets []int32) (first int32, live int) {
	rows := e.liveRows(in)
	e.rows, e.starts, e.ends = extendTo(e.rows, len(rows)), extendTo(e.starts, len(rows)), extendTo(e.ends, len(rows))
	isPlain := lists.NullN() == 0 && e.bad.n == 0
	n := 0
	for _, i := range rows {
		from, to := offsets[i], offsets[i+1]
		if from == to || !isPlain && (lists.IsNull(int(i)) || e.bad.isBad(i)) {
			continue
		}
		if n == 0 {
			first = from
		}
		e.rows[n], e.starts[n], e.ends[n] = i, from-first, to-first
		live += int(to - from)
		n++
	}
	e.rows, e.starts, e.ends = e.rows[:n], e.starts[:n], e.ends[:n]
	return first, live
}

// liveRows returns the live rows of in as a list, which is not to be written.
func (e *explode) liveRows(in *batch.Batch) []int32 {
	if in.Sel != nil {
		return in.Sel
	}
	for i := int32(len(e.all)); int(i) < in.NumRows(); i++ {
		e.all = append(e.all, i)
	}
	return e.all[:in.NumRows()]
}

// selectLive returns the places of all elements of live rows.
func (e *explode) selectLive() []int32 {
	e.sel = e.sel[:0]
	for k := range e.rows {
		for j := e.starts[k]; j < e.ends[k]; j++ {
			e.sel = append(e.sel, j)
		}
	}
	return e.sel
}

// Close releases all memory.
func (e *explode) Close() {
	e.list.Close()
	e.made.close()
	for i := range e.kept {
		e.kept[i].col.Release()
	}
}

// extendTo returns s with length n, its values undefined.
func extendTo[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n+n/4)[:n]
	}
	return s[:n]
}
