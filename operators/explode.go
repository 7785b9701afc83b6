package operators

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// explode makes a row of each element of a list. The rows that come out are numbered as the elements are in the list's child
// array, which is the new column as it stands; the columns kept are spread to the same places.
//
// Lists of rows 0 to 3, row 1 dead: [a b], [c], NULL, [d]. The child array is a b c d, so out come 4 rows, of which 0, 1 and 3
// are live, with kept columns from rows 0, 0 and 3.
type explode struct {
	stateless
	list expr.Expr
	keep []int

	// Valid until the next Process.
	kept   []*batch.Column
	rows   []int32 // per live row that comes out, the row of in
	sel    []int32
	source []int32 // Origin.Source of what comes out
	view   *batch.View
	bad    badRows
}

var _ Operator = (*explode)(nil)

// NewExplode returns an operator that emits the columns that spec keeps and an element of the list.
func NewExplode(spec *ExplodeSpec, schema *arrow.Schema, env Env) (Operator, error) {
	if schema.NumFields() != len(spec.Keep)+1 {
		return nil, fmt.Errorf("explode: %d columns, schema has %d", len(spec.Keep)+1, schema.NumFields())
	}
	list, err := expr.New(env.Mem, spec.List)
	if err != nil {
		return nil, fmt.Errorf("explode: %w", err)
	}
	if list.Type().ID() != arrow.LIST {
		list.Close()
		return nil, fmt.Errorf("explode: want a list, got %s: %s", batch.TypeName(spec.List.Type), spec.List)
	}
	e := &explode{stateless: stateless{schema}, list: list, keep: spec.Keep, view: batch.NewView(schema)}
	for i := range spec.Keep {
		e.kept = append(e.kept, batch.NewColumn(env.Mem, schema.Field(i).Type))
	}
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
	lists, ok := arr.(*array.List)
	if !ok {
		return fmt.Errorf("explode: want a list, got %s", arr.DataType())
	}
	first, end := e.place(&in, lists)
	if len(e.sel) == 0 {
		return nil
	}
	elements := lists.ListValues()
	if first > 0 {
		// A slice of a longer array: elements before it are not ours to number.
		elements = array.NewSlice(elements, int64(first), int64(end))
		defer elements.Release()
		for k := range e.sel {
			e.sel[k] -= int32(first)
		}
	}
	n := end - first
	e.source = extendTo(e.source, n)
	for k, i := range e.sel {
		e.source[i] = int32(in.Origin.BlockRow(int(e.rows[k])))
	}
	for c, col := range e.kept {
		spread(col, in.Rows.Column(e.keep[c]), n, e.rows, e.sel)
		e.view.Set(c, col.Array())
	}
	e.view.Set(len(e.keep), elements)
	e.view.SetRows(n)
	out := batch.Batch{Rows: e.view, Origin: in.Origin}
	out.Origin.Source = e.source
	if len(e.sel) < n {
		out.Sel = e.sel
	}
	return emit(out)
}

// place fills sel with the elements of live rows, and rows with the rows that these are in. The elements are in [first, end).
func (e *explode) place(in *batch.Batch, lists *array.List) (first, end int) {
	e.sel, e.rows = e.sel[:0], e.rows[:0]
	add := func(i int32) {
		from, to := lists.ValueOffsets(int(i))
		for j := from; j < to; j++ {
			e.sel = append(e.sel, int32(j))
			e.rows = append(e.rows, i)
		}
	}
	isPlain := lists.NullN() == 0 && e.bad.n == 0
	for k := range in.NumLive() {
		i := int32(k)
		if in.Sel != nil {
			i = in.Sel[k]
		}
		if isPlain || lists.IsValid(int(i)) && !e.bad.isBad(i) {
			add(i)
		}
	}
	if len(e.sel) == 0 {
		return 0, 0
	}
	return int(e.sel[0]), int(e.sel[len(e.sel)-1]) + 1
}

// spread makes col a column of n rows, with row rows[k] of src at sel[k], which increases, and undefined values elsewhere.
func spread(col *batch.Column, src arrow.Array, n int, rows, sel []int32) {
	col.Reset(n)
	switch a := src.(type) {
	case *array.Int64, *array.Timestamp:
		dst, values := col.Int64s(), batch.Int64s(src)
		for k, i := range sel {
			dst[i] = values[rows[k]]
		}
	case *array.Float64:
		dst, values := col.Float64s(), a.Float64Values()
		for k, i := range sel {
			dst[i] = values[rows[k]]
		}
	case *array.Boolean:
		for k, i := range sel {
			col.SetBool(int(i), a.Value(int(rows[k])))
		}
	case *array.String:
		for k, i := range sel {
			if r := int(rows[k]); a.IsValid(r) {
				col.SetString(int(i), a.Value(r))
			}
		}
	case *array.Dictionary:
		texts := a.Dictionary().(*array.String)
		for k, i := range sel {
			if r := int(rows[k]); a.IsValid(r) {
				col.SetString(int(i), texts.Value(a.GetValueIndex(r)))
			}
		}
	default:
		spreadRows(col, src, n, rows, sel)
		return
	}
	if src.NullN() > 0 {
		for k, i := range sel {
			if src.IsNull(int(rows[k])) {
				col.SetNull(int(i))
			}
		}
	}
}

// spreadRows is spread for lists and structs.
func spreadRows(col *batch.Column, src arrow.Array, n int, rows, sel []int32) {
	col.Reset(0)
	next := 0
	for k, i := range sel {
		for ; next < int(i); next++ {
			col.AppendNull()
		}
		col.AppendRow(src, int(rows[k]))
		next++
	}
	for ; next < n; next++ {
		col.AppendNull()
	}
}

// Close releases all memory.
func (e *explode) Close() {
	e.list.Close()
	for _, c := range e.kept {
		c.Release()
	}
}

// extendTo returns s with length n, its values undefined.
func extendTo[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n+n/4)[:n]
	}
	return s[:n]
}
