package expr

import (
	"bytes"
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// operand is an argument: an expression and, after eval, plain slices over what it returned. Those of other types are stale.
type operand struct {
	env     *env
	expr    Expr
	literal *literal // nil where the operand is not constant

	arr     arrow.Array
	offset  int    // of arr in its bitmaps
	valid   []byte // nil where no row is NULL
	ints    []int64
	floats  []float64
	nums    []decimal.Num
	bits    []byte
	offsets []int32 // of TEXT, lists and maps: one entry per row and one more
	text    []byte
	child   *operand  // of a list its elements, of a map its entries
	fields  []operand // of a struct

	decoded *batch.Column // of a dictionary
}

func newOperands(e *env, args []Expr) []operand {
	list := make([]operand, len(args))
	for i, a := range args {
		l, _ := a.(*literal)
		list[i] = operand{env: e, expr: a, literal: l}
	}
	return list
}

func closeOperands(list []operand) {
	for i := range list {
		list[i].close()
	}
}

// eval computes the operand over the live rows of in.
func (o *operand) eval(ctx context.Context, in batch.Batch, bad BadRow) error {
	arr, err := o.expr.Eval(ctx, in, bad)
	if err != nil {
		return err
	}
	if d, isDictionary := arr.(*array.Dictionary); isDictionary {
		arr = o.decode(d, &in)
	}
	o.view(arr)
	return nil
}

func (o *operand) view(arr arrow.Array) {
	o.arr = arr
	o.valid = nil
	o.offset = arr.Data().Offset()
	if arr.NullN() > 0 {
		o.valid = arr.NullBitmapBytes()
	}
	switch a := arr.(type) {
	case *array.Int64, *array.Timestamp:
		o.ints = batch.Int64s(a)
	case *array.Float64:
		o.floats = a.Float64Values()
	case *array.Decimal128:
		o.nums = a.Values()
	case *array.Boolean:
		o.bits = a.Data().Buffers()[1].Bytes()
	case *array.String:
		o.text = nil
		if b := a.Data().Buffers()[2]; b != nil {
			o.text = b.Bytes()
		}
		if a.Len() > 0 {
			o.offsets = a.ValueOffsets()
		}
	case *array.List, *array.Map, *array.Struct:
		o.viewParts(a)
	}
}

// decode returns the live rows of a dictionary of TEXT as plain TEXT.
func (o *operand) decode(d *array.Dictionary, in *batch.Batch) arrow.Array {
	values, isText := d.Dictionary().(*array.String)
	if !isText {
		return d
	}
	if o.decoded == nil {
		o.decoded = batch.NewColumn(o.env.mem, batch.Text)
	}
	out := o.decoded
	out.Reset(in.NumRows())
	hasNulls, hasNullValues := d.NullN() > 0, values.NullN() > 0
	for _, i := range o.env.rows(in) {
		if hasNulls && d.IsNull(int(i)) {
			out.SetNull(int(i))
			continue
		}
		v := d.GetValueIndex(int(i))
		if hasNullValues && values.IsNull(v) {
			out.SetNull(int(i))
			continue
		}
		out.SetString(int(i), values.Value(v))
	}
	return out.Array()
}

// isNull says whether row i is NULL.
func (o *operand) isNull(i int32) bool {
	if o.valid == nil {
		return o.arr.DataType().ID() == arrow.NULL
	}
	k := o.offset + int(i)
	return o.valid[k>>3]&(1<<(k&7)) == 0
}

// bit returns row i of a BOOLEAN.
func (o *operand) bit(i int32) bool {
	k := o.offset + int(i)
	return o.bits[k>>3]&(1<<(k&7)) != 0
}

// bytes returns row i of a TEXT.
func (o *operand) bytes(i int32) []byte { return o.text[o.offsets[i]:o.offsets[i+1]] }

// keepValid appends to dst the rows that are not NULL; the others become NULL in out, unless that is nil. dst may be rows[:0].
func (o *operand) keepValid(dst, rows []int32, out *batch.Column) []int32 {
	if out != nil {
		for _, i := range rows {
			if k := o.offset + int(i); o.valid[k>>3]&(1<<(k&7)) == 0 {
				out.SetNull(int(i))
			}
		}
	}
	dst, free := room(dst, len(rows))
	n := 0
	for _, i := range rows {
		k := o.offset + int(i)
		free[n] = i
		n = add(n, o.valid[k>>3]&(1<<(k&7)) != 0)
	}
	return dst[:len(dst)+n]
}

func (o *operand) close() {
	o.expr.Close()
	if o.decoded != nil {
		o.decoded.Release()
	}
}

// copyRow sets row i of out to row i of o, which is not NULL and of the same type.
func (o *operand) copyRow(out *batch.Column, i int32) {
	switch o.arr.(type) {
	case *array.Int64, *array.Timestamp:
		out.Int64s()[i] = o.ints[i]
	case *array.Float64:
		out.Float64s()[i] = o.floats[i]
	case *array.Decimal128:
		out.Decimals()[i] = o.nums[i]
	case *array.Boolean:
		out.SetBool(int(i), o.bit(i))
	case *array.String:
		out.SetText(int(i), o.bytes(i))
	case *array.List, *array.Map, *array.Struct:
		o.copyParts(out, i)
	}
}

// evalStrict computes all operands over the live rows of in, and returns the rows where none is NULL; the others become NULL in
// out, unless that is nil. The result is rows itself or in the memory of scratch, which is returned.
func evalStrict(ctx context.Context, args []operand, in batch.Batch, out *batch.Column, scratch []int32, bad BadRow) (rows, _ []int32, err error) {
	for k := range args {
		if err := args[k].eval(ctx, in, bad); err != nil {
			return nil, scratch, err
		}
	}
	if len(args) == 0 {
		return nil, scratch, nil
	}
	rows = args[0].env.rows(&in)
	isScratch := false
	for k := range args {
		if args[k].valid == nil {
			continue
		}
		if !isScratch {
			scratch = args[k].keepValid(scratch[:0], rows, out)
			isScratch = true
		} else {
			scratch = args[k].keepValid(scratch[:0], scratch, out)
		}
		rows = scratch
	}
	return rows, scratch, nil
}

// isRowLess says whether row i of o is less than row i of other. Both have the same type and are not NULL there.
func (o *operand) isRowLess(other *operand, i int32) bool {
	switch o.arr.DataType().ID() {
	case arrow.INT64, arrow.TIMESTAMP:
		return o.ints[i] < other.ints[i]
	case arrow.FLOAT64:
		return isLess(o.floats[i], other.floats[i])
	case arrow.DECIMAL128:
		return decimal.Compare(o.nums[i], other.nums[i]) < 0
	case arrow.BOOL:
		return !o.bit(i) && other.bit(i)
	case arrow.LIST, arrow.STRUCT:
		return o.compareAt(i, other, i) < 0
	}
	return bytes.Compare(o.bytes(i), other.bytes(i)) < 0
}
