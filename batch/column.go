package batch

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch/decimal"
	"github.com/tidemill/tidemill/internal/invariants"
)

// Column is a vector of one type in Arrow's layout that is written, read through Array, and written again without allocating.
//
// After Reset(n), rows 0 to n-1 are written: fixed-width values in any order through Int64s, Float64s and SetBool, strings and
// lists in increasing order of rows, where a row that is left out is an empty value. All rows are valid until SetNull. Append
// calls add a row at the end. Array then gives the rows as an arrow.Array that stays valid until the next Reset or Release:
// it is made once and again only when a buffer had to grow. A Column is used by one goroutine at a time.
type Column struct {
	mem   memory.Allocator
	dtype arrow.DataType

	n     int // rows
	nulls int
	next  int // TEXT, lists: rows before next have their end offset

	// Buffers are kept from Reset to Reset and only grow.
	rowCap  int
	valid   []byte
	ints    []int64
	floats  []float64
	nums    []decimal.Num
	bits    []byte
	offsets []int32
	data    []byte
	child   *Column   // of a list
	fields  []*Column // of a struct
	picked  []int32   // scratch: elements on their way to child

	// The offsets behind endRows rows are endOf, unless endRows is -1: Array gives them, once for the same rows.
	endRows int
	endOf   int32

	arr arrow.Array // over the whole capacity of the buffers; nil when a buffer was replaced
}

// NewColumn returns an empty column of one of the engine's types, or of a list, map or struct of them.
func NewColumn(mem memory.Allocator, dtype arrow.DataType) *Column {
	c := &Column{mem: mem, dtype: dtype}
	switch t := dtype.(type) {
	case *arrow.ListType:
		c.child = NewColumn(mem, t.Elem())
	case *arrow.MapType:
		c.child = NewColumn(mem, t.Elem())
	case *arrow.StructType:
		for _, f := range t.Fields() {
			c.fields = append(c.fields, NewColumn(mem, f.Type))
		}
	}
	return c
}

// Type returns the type of the values.
func (c *Column) Type() arrow.DataType { return c.dtype }

// Len returns the number of rows.
func (c *Column) Len() int { return c.n }

// Nulls returns the number of NULLs.
func (c *Column) Nulls() int { return c.nulls }

// Bytes returns how many bytes of text the column holds.
func (c *Column) Bytes() int { return len(c.data) }

// Reset starts over with n rows, all valid; their values are undefined, strings and lists empty.
func (c *Column) Reset(n int) {
	c.reserveRows(n)
	c.n, c.nulls, c.next, c.endRows = n, 0, 0, -1
	for i := range c.valid[:bitutil.CeilByte(n)/8] {
		c.valid[i] = 0xFF
	}
	c.data = c.data[:0]
	if c.child != nil {
		c.child.Reset(0)
	}
	for _, f := range c.fields {
		f.Reset(n)
	}
}

func (c *Column) reserveRows(n int) {
	if n <= c.rowCap && c.rowCap > 0 {
		return
	}
	c.growRows(max(64, 2*c.rowCap, (n+63)&^63))
}

// growRows makes room for rowCap rows, a multiple of 64 and more than there were.
func (c *Column) growRows(rowCap int) {
	oldCap := c.rowCap
	c.rowCap = rowCap
	c.dropArray()
	// The validity of rows that do not exist yet is 1.
	c.valid = GrowSlice(c.mem, c.valid, c.rowCap/8)
	for i := oldCap / 8; i < len(c.valid); i++ {
		c.valid[i] = 0xFF
	}
	switch c.dtype.ID() {
	case arrow.INT64, arrow.TIMESTAMP:
		c.ints = GrowSlice(c.mem, c.ints, c.rowCap)
	case arrow.FLOAT64:
		c.floats = GrowSlice(c.mem, c.floats, c.rowCap)
	case arrow.DECIMAL128:
		c.nums = GrowSlice(c.mem, c.nums, c.rowCap)
	case arrow.BOOL:
		c.bits = GrowSlice(c.mem, c.bits, c.rowCap/8)
	case arrow.STRING, arrow.LIST, arrow.MAP:
		c.offsets = GrowSlice(c.mem, c.offsets, c.rowCap+1)
		c.offsets[0] = 0
	}
}

// Int64s returns the rows of a column that is stored as BIGINT or TIMESTAMP, to read or write until the next Reset or Append.
func (c *Column) Int64s() []int64 { return c.ints[:c.n] }

// Float64s returns the rows of a DOUBLE column, to read or write until the next Reset or Append.
func (c *Column) Float64s() []float64 { return c.floats[:c.n] }

// Decimals returns the rows of a DECIMAL column, to read or write until the next Reset or Append.
func (c *Column) Decimals() []decimal.Num { return c.nums[:c.n] }

// Bits returns the values of a BOOLEAN column as a bitmap, to read or write until the next Reset or Append.
func (c *Column) Bits() []byte { return c.bits[:(c.n+7)/8] }

// Child returns the elements of a list column, of a map its entries: a struct of key and value.
func (c *Column) Child() *Column { return c.child }

// Field returns the i-th field of a struct column. Its rows are those of the struct.
func (c *Column) Field(i int) *Column { return c.fields[i] }

// SetNull makes row i NULL.
func (c *Column) SetNull(i int) {
	mask := byte(1) << (i & 7)
	if c.valid[i>>3]&mask != 0 {
		c.valid[i>>3] &^= mask
		c.nulls++
	}
}

// IsNull says whether row i is NULL.
func (c *Column) IsNull(i int) bool { return c.valid[i>>3]&(1<<(i&7)) == 0 }

// Validity returns the validity bitmap, for kernels that write it a word at a time and then call SetNulls.
func (c *Column) Validity() []byte { return c.valid[:(c.n+7)/8] }

// SetNulls tells how many NULLs Validity now holds.
func (c *Column) SetNulls(nulls int) { c.nulls = nulls }

// SetBool sets row i of a BOOLEAN column.
func (c *Column) SetBool(i int, v bool) {
	mask := byte(1) << (i & 7)
	if v {
		c.bits[i>>3] |= mask
	} else {
		c.bits[i>>3] &^= mask
	}
}

// EndList makes the elements that were appended to Child since the last call row i of a list column, where i is larger than
// in every call since Reset.
func (c *Column) EndList(i int) { c.EndListAt(i, c.child.n) }

// EndListAt is EndList for a row that has the elements before end, which may be appended to Child later.
func (c *Column) EndListAt(i, end int) {
	if c.next < i {
		start := c.offsets[c.next]
		for r := c.next; r < i; r++ {
			c.offsets[r+1] = start
		}
	}
	c.offsets[i+1] = int32(end)
	c.next = i + 1
}

// Appending.

func (c *Column) grow() int {
	i := c.n
	if i >= c.rowCap {
		c.reserveRows(i + 1)
	}
	c.n = i + 1
	c.valid[i>>3] |= 1 << (i & 7)
	return i
}

// AppendInt64 adds a row to a BIGINT or TIMESTAMP column.
func (c *Column) AppendInt64(v int64) { i := c.grow(); c.ints[i] = v }

// AppendFloat64 adds a row to a DOUBLE column.
func (c *Column) AppendFloat64(v float64) { i := c.grow(); c.floats[i] = v }

// AppendDecimal adds a row to a DECIMAL column.
func (c *Column) AppendDecimal(v decimal.Num) { i := c.grow(); c.nums[i] = v }

// AppendBool adds a row to a BOOLEAN column.
func (c *Column) AppendBool(v bool) { c.SetBool(c.grow(), v) }

// AppendList adds a row to a list column: the elements that were appended to Child since the row before.
func (c *Column) AppendList() { c.EndList(c.grow()) }

// AppendStruct adds a row to a struct column, after a row was appended to each field.
func (c *Column) AppendStruct() { c.grow() }

// AppendNull adds a NULL.
func (c *Column) AppendNull() {
	i := c.grow()
	switch c.dtype.ID() {
	case arrow.INT64, arrow.TIMESTAMP:
		c.ints[i] = 0
	case arrow.FLOAT64:
		c.floats[i] = 0
	case arrow.DECIMAL128:
		c.nums[i] = decimal.Num{}
	}
	for _, f := range c.fields {
		f.AppendNull()
	}
	c.SetNull(i)
}

// AppendRow adds row i of arr, which has the column's type or is a dictionary of it.
func (c *Column) AppendRow(arr arrow.Array, i int) {
	if arr.IsNull(i) {
		c.AppendNull()
		return
	}
	switch a := arr.(type) {
	case *array.Int64:
		c.AppendInt64(a.Value(i))
	case *array.Timestamp:
		c.AppendInt64(int64(a.Value(i)))
	case *array.Float64:
		c.AppendFloat64(a.Value(i))
	case *array.Boolean:
		c.AppendBool(a.Value(i))
	case *array.String:
		c.AppendString(a.Value(i))
	case *array.Decimal128:
		c.AppendDecimal(a.Value(i))
	case *array.Dictionary:
		c.AppendRow(a.Dictionary(), a.GetValueIndex(i))
	case *array.List:
		start, end := a.ValueOffsets(i)
		for j := start; j < end; j++ {
			c.child.AppendRow(a.ListValues(), int(j))
		}
		c.AppendList()
	case *array.Map:
		c.AppendRow(a.List, i)
	case *array.Struct:
		for k, f := range c.fields {
			f.AppendRow(a.Field(k), i)
		}
		c.AppendStruct()
	default:
		panic(invariants.Failf("column: append of %s", arr.DataType()))
	}
}

// AppendArray adds the rows of arr that sel names, or its first n rows where sel is nil.
func (c *Column) AppendArray(arr arrow.Array, n int, sel []int32) {
	if sel == nil {
		c.appendRange(arr, n)
		return
	}
	old := c.n
	switch a := arr.(type) {
	case *array.Int64:
		c.extend(len(sel))
		gather(c.ints[old:], a.Int64Values(), sel)
	case *array.Timestamp:
		c.extend(len(sel))
		gather(c.ints[old:], timestampInts(a), sel)
	case *array.Float64:
		c.extend(len(sel))
		gather(c.floats[old:], a.Float64Values(), sel)
	case *array.Decimal128:
		c.extend(len(sel))
		gather(c.nums[old:], a.Values(), sel)
	case *array.String:
		c.appendTexts(a, sel)
		return
	default:
		if !c.appendNested(arr, arr.Len(), sel) {
			for _, i := range sel {
				c.AppendRow(arr, int(i))
			}
		}
		return
	}
	if arr.NullN() > 0 {
		for k, i := range sel {
			if arr.IsNull(int(i)) {
				c.SetNull(old + k)
			}
		}
	}
}

func (c *Column) appendRange(arr arrow.Array, n int) {
	old := c.n
	switch a := arr.(type) {
	case *array.Int64:
		c.extend(n)
		copy(c.ints[old:c.n], a.Int64Values())
	case *array.Timestamp:
		c.extend(n)
		copy(c.ints[old:c.n], timestampInts(a))
	case *array.Float64:
		c.extend(n)
		copy(c.floats[old:c.n], a.Float64Values())
	case *array.Decimal128:
		c.extend(n)
		copy(c.nums[old:c.n], a.Values())
	case *array.String:
		c.appendText(a, n)
	default:
		if !c.appendNested(arr, n, nil) {
			for i := range n {
				c.AppendRow(arr, i)
			}
		}
		return
	}
	if arr.NullN() > 0 {
		for i := range n {
			if arr.IsNull(i) {
				c.SetNull(old + i)
			}
		}
	}
}

// extend adds n valid rows of undefined value.
func (c *Column) extend(n int) {
	old := c.n
	c.reserveRows(old + n)
	c.n = old + n
	first, last := old>>3, (c.n+7)>>3 // bytes of the bitmap; the validity of rows that do not exist yet may be set
	if old&7 != 0 {
		c.valid[first] |= byte(0xFF) << (old & 7)
		first++
	}
	for i := first; i < last; i++ {
		c.valid[i] = 0xFF
	}
}

func gather[T int64 | float64 | decimal.Num](dst, src []T, sel []int32) {
	dst = dst[:len(sel)]
	for k, i := range sel {
		dst[k] = src[i]
	}
}

// TruncateTo drops the rows from n on, with elements and fields that were appended for a row that was not.
func (c *Column) TruncateTo(n int) {
	for i := n; i < c.n; i++ {
		if c.IsNull(i) {
			c.nulls--
			c.valid[i>>3] |= 1 << (i & 7)
		}
	}
	c.n = n
	end := 0
	if c.offsets != nil {
		c.next, c.endRows = min(c.next, n), -1
		end = int(c.offsets[c.next])
	}
	if c.child == nil {
		c.data = c.data[:end]
	} else {
		c.child.TruncateTo(end) // also elements that no row has yet
	}
	for _, f := range c.fields {
		f.TruncateTo(n)
	}
}

// Array returns the rows as an array that is valid until the next Reset, append or Release. It may be longer than Len: what is
// behind is undefined. The column keeps the reference.
func (c *Column) Array() arrow.Array {
	if c.rowCap == 0 {
		c.reserveRows(1)
	}
	if c.offsets != nil {
		end := int32(len(c.data))
		if c.child != nil {
			end = int32(c.child.n)
		}
		if c.next < c.n && c.child != nil {
			end = c.offsets[c.next] // rows that were left out are empty lists
		}
		if c.arr == nil || c.endRows != c.n || c.endOf != end || c.next < c.n {
			rest := c.offsets[c.next+1 : c.rowCap+1]
			for r := range rest {
				rest[r] = end
			}
			c.endRows, c.endOf = c.n, end
		}
		c.next = max(c.next, c.n)
	}
	if c.child != nil {
		c.checkPart(0, c.child.Array())
	}
	if c.fields != nil {
		c.alignRows(c.widestRows())
	}
	for k, f := range c.fields {
		c.checkPart(k, f.Array())
	}
	if c.arr == nil {
		c.arr = c.makeArray()
	}
	c.arr.Data().(*array.Data).SetNullN(c.nulls)
	return c.arr
}

// checkPart drops the array if its k-th child is not part, which who filled it may have had made anew by an Array of its own.
func (c *Column) checkPart(k int, part arrow.Array) {
	if c.arr != nil && c.arr.Data().Children()[k] != part.Data() {
		c.dropArray()
	}
}

// widestRows returns the largest capacity of a struct column and its fields.
func (c *Column) widestRows() int {
	rows := c.rowCap
	for _, f := range c.fields {
		rows = max(rows, f.widestRows())
	}
	return rows
}

// alignRows gives a struct column and its fields one capacity. Where these differ, array.Struct cuts the fields to size in
// copies of their headers, which would keep the NULL counts of the rows that they were made with.
func (c *Column) alignRows(rows int) {
	if c.rowCap < rows {
		c.growRows(rows)
	}
	for _, f := range c.fields {
		f.alignRows(rows)
	}
}

func (c *Column) makeArray() arrow.Array {
	buffers := []*memory.Buffer{memory.NewBufferBytes(c.valid)}
	var children []arrow.ArrayData
	switch c.dtype.ID() {
	case arrow.INT64, arrow.TIMESTAMP:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(c.ints[:c.rowCap])))
	case arrow.FLOAT64:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Float64Traits.CastToBytes(c.floats[:c.rowCap])))
	case arrow.DECIMAL128:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Decimal128Traits.CastToBytes(c.nums[:c.rowCap])))
	case arrow.BOOL:
		buffers = append(buffers, memory.NewBufferBytes(c.bits))
	case arrow.STRING:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.offsets[:c.rowCap+1])),
			memory.NewBufferBytes(c.data[:cap(c.data)]))
	case arrow.LIST, arrow.MAP:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.offsets[:c.rowCap+1])))
		children = append(children, c.child.arr.Data())
	case arrow.STRUCT:
		for _, f := range c.fields {
			children = append(children, f.arr.Data())
		}
	}
	data := array.NewData(c.dtype, c.rowCap, buffers, children, 0, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

func (c *Column) dropArray() {
	if c.arr != nil {
		c.arr.Release()
		c.arr = nil
	}
}

// Release gives the memory back. The column can be used again, from empty.
func (c *Column) Release() {
	c.dropArray()
	FreeSlice(c.mem, c.valid)
	FreeSlice(c.mem, c.ints)
	FreeSlice(c.mem, c.floats)
	FreeSlice(c.mem, c.nums)
	FreeSlice(c.mem, c.bits)
	FreeSlice(c.mem, c.offsets)
	FreeSlice(c.mem, c.data)
	FreeSlice(c.mem, c.picked)
	if c.child != nil {
		c.child.Release()
	}
	for _, f := range c.fields {
		f.Release()
	}
	*c = Column{mem: c.mem, dtype: c.dtype, child: c.child, fields: c.fields}
}

// timestampInts returns the values of a as integers.
func timestampInts(a *array.Timestamp) []int64 {
	return arrow.Int64Traits.CastFromBytes(arrow.TimestampTraits.CastToBytes(a.TimestampValues()))
}

// Int64s returns the values of an array that is stored as BIGINT or TIMESTAMP, NULLs undefined.
func Int64s(arr arrow.Array) []int64 {
	if a, ok := arr.(*array.Timestamp); ok {
		return timestampInts(a)
	}
	return arr.(*array.Int64).Int64Values()
}
