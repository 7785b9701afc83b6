package batch

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// View is an arrow.RecordBatch over borrowed arrays that is filled anew for every batch without allocating. NumRows may be less
// than the length of its columns. Retain and Release do nothing: a View is valid as long as who made it says.
type View struct {
	schema *arrow.Schema
	cols   []arrow.Array
	n      int64
}

var _ arrow.RecordBatch = (*View)(nil)

// NewView returns a view without rows, whose columns are to be set.
func NewView(schema *arrow.Schema) *View {
	return &View{schema: schema, cols: make([]arrow.Array, schema.NumFields())}
}

// Set makes arr column i.
func (v *View) Set(i int, arr arrow.Array) { v.cols[i] = arr }

// SetRows sets the number of rows.
func (v *View) SetRows(n int) { v.n = int64(n) }

// Retain does nothing.
func (v *View) Retain() {}

// Release does nothing.
func (v *View) Release() {}

// Schema returns the schema.
func (v *View) Schema() *arrow.Schema { return v.schema }

// NumRows returns the number of rows, which the columns may exceed.
func (v *View) NumRows() int64 { return v.n }

// NumCols returns the number of columns.
func (v *View) NumCols() int64 { return int64(len(v.cols)) }

// Columns returns the columns, to read.
func (v *View) Columns() []arrow.Array { return v.cols }

// Column returns column i.
func (v *View) Column(i int) arrow.Array { return v.cols[i] }

// ColumnName returns the name of column i.
func (v *View) ColumnName(i int) string { return v.schema.Field(i).Name }

// SetColumn returns a new record batch with column i replaced.
func (v *View) SetColumn(i int, col arrow.Array) (arrow.RecordBatch, error) {
	r := v.NewSlice(0, v.n)
	defer r.Release()
	return r.SetColumn(i, col)
}

// NewSlice returns rows i to j-1 as an ordinary record batch over the same memory. Where a column is a dictionary and its field
// in the schema is not, the field has the column's type in the result.
func (v *View) NewSlice(i, j int64) arrow.RecordBatch {
	cols, schema := make([]arrow.Array, len(v.cols)), v.schema
	for k, c := range v.cols {
		cols[k] = array.NewSlice(c, i, j)
		defer cols[k].Release()
		if c.DataType().ID() != schema.Field(k).Type.ID() {
			schema = withFieldType(schema, k, c.DataType())
		}
	}
	return array.NewRecordBatch(schema, cols, j-i)
}

// withFieldType returns schema with another type of field i.
func withFieldType(schema *arrow.Schema, i int, dtype arrow.DataType) *arrow.Schema {
	fields, metadata := schema.Fields(), schema.Metadata()
	fields[i].Type = dtype
	return arrow.NewSchema(fields, &metadata)
}

// MarshalJSON returns the rows as arrow-go prints them.
func (v *View) MarshalJSON() ([]byte, error) {
	r := v.NewSlice(0, v.n)
	defer r.Release()
	return r.MarshalJSON()
}

// String returns the rows as text.
func (v *View) String() string {
	return strings.TrimSuffix(Format(Batch{Rows: v}), "\n")
}

// Frame is a set of columns that is filled with rows, given out as a Batch, and filled again in the same memory. It is used by
// one goroutine at a time.
type Frame struct {
	Columns []*Column

	view *View
}

// NewFrame returns an empty frame for rows of a schema.
func NewFrame(mem memory.Allocator, schema *arrow.Schema) *Frame {
	f := &Frame{view: NewView(schema)}
	for _, field := range schema.Fields() {
		f.Columns = append(f.Columns, NewColumn(mem, field.Type))
	}
	return f
}

// Schema returns the schema of the rows.
func (f *Frame) Schema() *arrow.Schema { return f.view.schema }

// Reset starts over with n rows in every column.
func (f *Frame) Reset(n int) {
	for _, c := range f.Columns {
		c.Reset(n)
	}
	f.view.n = int64(n)
}

// Len returns the number of rows that were given with SetRows, Reset or AppendBatch.
func (f *Frame) Len() int { return int(f.view.n) }

// SetRows says how many rows the columns now have, after appending to them one by one.
func (f *Frame) SetRows(n int) { f.view.n = int64(n) }

// AppendBatch adds the live rows of b, which has the same schema.
func (f *Frame) AppendBatch(b Batch) {
	for i, c := range f.Columns {
		c.AppendArray(b.Rows.Column(i), b.NumRows(), b.Sel)
	}
	f.view.n += int64(b.NumLive())
}

// Rows returns the rows, valid until the frame is next written. The frame keeps the reference.
func (f *Frame) Rows() *View {
	for i, c := range f.Columns {
		f.view.cols[i] = c.Array()
	}
	return f.view
}

// Slice returns rows from to to-1, valid until the frame is next written or sliced. It allocates, but does not copy.
func (f *Frame) Slice(from, to int) *View {
	v := NewView(f.view.schema)
	for i, c := range f.Columns {
		v.cols[i] = array.NewSlice(c.Array(), int64(from), int64(to))
	}
	v.n = int64(to - from)
	return v
}

// Release gives the memory back. The frame can be used again, from empty.
func (f *Frame) Release() {
	for _, c := range f.Columns {
		c.Release()
	}
	f.view.n = 0
}
