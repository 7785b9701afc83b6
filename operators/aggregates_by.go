package operators

import (
	"bytes"
	"cmp"
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// isOrdered says whether the rows of the aggregate have an order.
func (a *AggSpec) isOrdered() bool { return isOrderedFunc(a.Func) || isListFunc(a.Func) && !a.Distinct }

func isOrderedFunc(fn string) bool {
	return isByFunc(fn) || fn == "first" || fn == "last" || fn == "any_value"
}

// isByFunc says whether the order is an argument. Of rows that are equal in it, the one with the extreme value is taken, whatever
// order they come in. Of rows that first and last find equal it is the one that comes first or last in its split.
func isByFunc(fn string) bool { return fn == "max_by" || fn == "min_by" }

// checkOrder says what is wrong with By.
func (a *AggSpec) checkOrder() error {
	switch {
	case a.Only != nil && (!isOrderedFunc(a.Func) || a.By != nil):
		return fmt.Errorf("function %s takes no condition", a.Func)
	case a.By == nil && isByFunc(a.Func):
		return fmt.Errorf("function %s takes a value and what it is ordered by", a.Func)
	case a.By == nil:
		return nil
	case !a.isOrdered():
		return fmt.Errorf("function %s takes no order", a.Func)
	}
	switch a.By.Type.ID() {
	case arrow.BOOL, arrow.INT64, arrow.FLOAT64, arrow.TIMESTAMP:
		return nil
	}
	return fmt.Errorf("function %s is ordered by a BOOLEAN, BIGINT, DOUBLE or TIMESTAMP, got %s", a.Func, batch.TypeName(a.By.Type))
}

// orderedArray is the argument of such an aggregate: values, with the order of the rows. It is valid as long as the batch.
type orderedArray struct {
	arrow.Array
	order  []int64
	nulls  arrow.Array // rows of which NULL have no order; nil: all have one
	places []int64     // by row, the order of rows that are equal otherwise
}

// orderedExpr computes an orderedArray.
type orderedExpr struct {
	expr.Expr           // of the values
	by        expr.Expr // nil: by arrival
	only      expr.Expr // nil: all rows
	mem       memory.Allocator
	order     extreme // makes integers in the order of by
	result    orderedArray
	arrivals  []int64
	kept      *batch.Column
}

// Eval returns the values of in with their order. It is borrowed until the next Eval.
func (o *orderedExpr) Eval(ctx context.Context, in batch.Batch, bad expr.BadRow) (arrow.Array, error) {
	r, n := &o.result, in.NumRows()
	var err error
	if r.Array, err = o.Expr.Eval(ctx, in, bad); err != nil {
		return nil, err
	}
	r.nulls = nil
	if o.by == nil {
		o.arrivals = batch.GrowSlice(o.mem, o.arrivals, n)
		fillRange(o.arrivals, int64(in.Origin.Arrival))
		r.order = o.arrivals
		if o.only != nil {
			if r.nulls, err = o.chosen(ctx, in, bad); err != nil {
				return nil, err
			}
		}
	} else {
		by, err := o.by.Eval(ctx, in, bad)
		if err != nil {
			return nil, err
		}
		if r.order = o.order.ordered(by, nil, n); by.NullN() > 0 {
			r.nulls = by
		}
	}
	// Rows of a split are in order of their numbers; those that an operator made, in order of its batches of an interval. 19 bits
	// of the split's key leave 44 for a number.
	base := int64(in.Origin.SplitKey>>45)<<44 + in.Origin.FirstRow
	if in.Origin.Split < 0 {
		base = int64(uint32(in.Origin.Block)) * maxEmitRows
	}
	r.places = batch.GrowSlice(o.mem, r.places, n)
	for i := range r.places {
		r.places[i] = base + int64(in.Origin.BlockRow(i))
	}
	return r, nil
}

// chosen returns a column that is NULL in rows that are left out.
func (o *orderedExpr) chosen(ctx context.Context, in batch.Batch, bad expr.BadRow) (arrow.Array, error) {
	only, err := o.only.Eval(ctx, in, bad)
	if err != nil {
		return nil, err
	}
	o.kept.Reset(in.NumRows())
	flags, _ := only.(*array.Boolean)
	for i := range in.NumRows() {
		if flags == nil || flags.IsNull(i) || !flags.Value(i) {
			o.kept.SetNull(i)
		}
	}
	return o.kept.Array(), nil
}

// Close releases all memory.
func (o *orderedExpr) Close() {
	o.Expr.Close()
	if o.only != nil {
		o.only.Close()
		o.kept.Release()
	}
	if o.by != nil {
		o.by.Close()
	}
	o.order.close()
	batch.FreeSlice(o.mem, o.arrivals)
	batch.FreeSlice(o.mem, o.result.places)
	o.arrivals, o.result.places = nil, nil
}

// chosen is first, last, any_value, min_by and max_by: of each group the value of the row that is the least or the largest in an
// order. Its words are what is known of the row, its order, its place, and its value where that is no text.
type chosen struct {
	textExtreme // has the texts
	at          int
	isLast      bool
	byPlace     bool
	isText      bool
	dtype       arrow.DataType
	values      extreme // makes integers of values, and values of integers
	scratch     [16]byte
}

// What a chosen knows of the row of a group. The word of a new group is noRowYet.
const (
	noRowYet int64 = iota
	rowOfNull
	rowOfValue
)

// The words of a chosen.
const (
	knownWord = iota
	orderWord
	placeWord
	valueWord
	chosenWords
)

var _ accumulator = (*chosen)(nil)

func newChosen(a *AggSpec) *chosen {
	t := batch.Dictless(a.Arg.Type)
	return &chosen{
		isLast: a.Func == "last" || a.Func == "max_by", byPlace: !isByFunc(a.Func), isText: isBytes(t), dtype: t,
	}
}

func (c *chosen) words() int { return chosenWords }

func (c *chosen) bind(rec *records, at int) {
	c.rec, c.values.rec, c.at = rec, &records{mem: rec.mem}, at
	c.values.dtype = c.dtype
}

func (c *chosen) grow(n int) {
	if c.isText {
		c.textExtreme.grow(n)
	}
}

func (c *chosen) row(g int32) []int64 {
	from := int(g)*c.rec.width + c.at
	return c.rec.words[from : from+chosenWords]
}

func (c *chosen) add(arg arrow.Array, rows, groups []int32) {
	in := arg.(*orderedArray)
	if c.isText {
		for k, g := range groups {
			i := rowOf(rows, k)
			if in.nulls != nil && in.nulls.IsNull(i) {
				continue
			}
			if isNull(in.Array, i) {
				c.offer(g, rowOfNull, in.order[i], in.places[i], 0, nil)
			} else {
				c.offer(g, rowOfValue, in.order[i], in.places[i], 0, bytesAt(c.scratch[:0], in.Array, i))
			}
		}
		return
	}
	values := c.values.ordered(in.Array, rows, len(groups))
	hasNulls := in.NullN() > 0
	for k, g := range groups {
		i := rowOf(rows, k)
		if in.nulls != nil && in.nulls.IsNull(i) {
			continue
		}
		known := rowOfValue
		if hasNulls && in.IsNull(i) {
			known = rowOfNull
		}
		c.offer(g, known, in.order[i], in.places[i], values[k], nil)
	}
}

// bytesAt returns a value that is kept as bytes, in the memory of dst if need be.
func bytesAt(dst []byte, arr arrow.Array, i int) []byte {
	if d, ok := arr.(*array.Decimal128); ok {
		return appendOrdered(dst, d.Value(i))
	}
	return textAt(arr, i)
}

// textAt returns a value of a TEXT column.
func textAt(arr arrow.Array, i int) []byte {
	if d, ok := arr.(*array.Dictionary); ok {
		arr, i = d.Dictionary(), d.GetValueIndex(i)
	}
	a := arr.(*array.String)
	offsets := a.ValueOffsets()
	return textOf(a)[offsets[i]:offsets[i+1]]
}

// offer takes a row if it is before, or behind, the one that the group has.
func (c *chosen) offer(g int32, known, order, place, value int64, text []byte) {
	row := c.row(g)
	if row[knownWord] != noRowYet && !c.isBetter(row, g, known, order, place, value, text) {
		return
	}
	row[knownWord], row[orderWord], row[placeWord], row[valueWord] = known, order, place, value
	if c.isText && known == rowOfValue {
		c.set(text, g)
	}
}

func (c *chosen) isBetter(row []int64, g int32, known, order, place, value int64, text []byte) bool {
	if order != row[orderWord] {
		return order > row[orderWord] == c.isLast
	}
	if c.byPlace {
		return place == row[placeWord] && c.isLast || place != row[placeWord] && place > row[placeWord] == c.isLast
	}
	way := cmp.Compare(known, row[knownWord])
	switch {
	case way != 0 || known == rowOfNull:
	case c.isText:
		way = bytes.Compare(text, c.value(g))
	default:
		way = cmp.Compare(value, row[valueWord])
	}
	return way != 0 && way > 0 == c.isLast
}

func (c *chosen) merge(src accumulator, ids, groups []int32) {
	from := src.(*chosen)
	for k, id := range ids {
		row := from.row(id)
		if row[knownWord] == noRowYet {
			continue
		}
		var text []byte
		if c.isText && row[knownWord] == rowOfValue {
			text = from.value(id)
		}
		c.offer(groups[k], row[knownWord], row[orderWord], row[placeWord], row[valueWord], text)
	}
}

// subtract is never called: the next row is not known.
func (c *chosen) subtract(accumulator, []int32, []int32) {}

func (c *chosen) canSubtract() bool { return false }

func (c *chosen) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		row := c.row(id)
		switch v := row[valueWord]; {
		case row[knownWord] != rowOfValue:
			col.AppendNull()
		case c.isText:
			appendBytes(col, c.value(id))
		case c.dtype.ID() == arrow.FLOAT64:
			col.AppendFloat64(doubleOf(v))
		case c.dtype.ID() == arrow.BOOL:
			col.AppendBool(v != 0)
		default:
			col.AppendInt64(v)
		}
	}
}

func (c *chosen) state() []arrow.Field {
	return []arrow.Field{{Name: "value", Type: c.dtype}, {Name: "order", Type: batch.BigInt}, {Name: "place", Type: batch.BigInt}}
}

// save writes NULL as the order of a group without a row.
func (c *chosen) save(cols []*batch.Column, ids []int32) {
	c.result(cols[0], ids)
	for _, id := range ids {
		row := c.row(id)
		if row[knownWord] == noRowYet {
			cols[1].AppendNull()
			cols[2].AppendNull()
			continue
		}
		cols[1].AppendInt64(row[orderWord])
		cols[2].AppendInt64(row[placeWord])
	}
}

func (c *chosen) load(cols []arrow.Array, rows, groups []int32) {
	in := &orderedArray{Array: cols[0], order: batch.Int64s(cols[1]), places: batch.Int64s(cols[2]), nulls: cols[1]}
	for _, g := range groups {
		clear(c.row(g))
	}
	c.add(in, rows, groups)
}

func (c *chosen) reset() {
	c.textExtreme.reset()
}

func (c *chosen) close() {
	c.textExtreme.close()
	c.values.close()
}

// fault is "": the value of a row can always be given.
func (c *chosen) fault(int32) string { return "" }

// canFail is false.
func (c *chosen) canFail() bool { return false }
