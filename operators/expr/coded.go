package expr

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// coded is an expression over one TEXT column. Where that is a dictionary whose entries are fewer than half of the live rows, it
// computes the entries, and looks each row's result up by its code: a result that is TEXT is a dictionary again. Entries that
// are not used are computed too, so a batch in which one of them is NULL or can't be computed is left to the expression itself, as is
// one with NULLs. Nothing is kept from one batch to the next, since their memory may be the same.
type coded struct {
	env    *env
	column int
	inner  Expr

	// Reused from batch to batch.
	view   *batch.View
	out    *batch.Column
	codes  []int32
	result arrow.Array // a dictionary that Eval returned
	isBad  bool
	onBad  BadRow
}

// codedPredicate is one of type BOOLEAN.
type codedPredicate struct {
	coded
	predicate Predicate // inner
}

var (
	_ Expr      = (*coded)(nil)
	_ Predicate = (*codedPredicate)(nil)
)

// newCoded returns inner itself where there is nothing to be gained: it is no call, or not over one TEXT column alone.
func newCoded(e *env, s *Spec, inner Expr) Expr {
	column := -1
	if s.Kind != CallKind || !batch.IsScalar(s.Type) || !s.isOver(&column) || column < 0 || s.Type == batch.Binary {
		return inner
	}
	fields := make([]arrow.Field, column+1)
	for i := range fields {
		fields[i] = arrow.Field{Type: batch.Text, Nullable: true}
	}
	view, out := batch.NewView(arrow.NewSchema(fields, nil)), batch.NewColumn(e.mem, s.Type)
	if s.Type.ID() == arrow.BOOL {
		p := &codedPredicate{predicate: e.predicate(inner)}
		p.coded = coded{env: e, column: column, inner: p.predicate, view: view, out: out}
		p.onBad = func(int32, string) { p.isBad = true }
		return p
	}
	c := &coded{env: e, column: column, inner: inner, view: view, out: out}
	c.onBad = func(int32, string) { c.isBad = true }
	return c
}

// isOver says whether all columns of s are the same column, of type TEXT; column is that, -1 as long as there is none. A function of
// the user's is to see each row.
func (s *Spec) isOver(column *int) bool {
	if s.User != nil {
		return false
	}
	if s.Kind == ColumnKind {
		isSameColumn := *column < 0 || *column == s.Column
		*column = s.Column
		return isSameColumn && s.Type.ID() == arrow.STRING && s.Type != batch.Binary
	}
	for _, a := range s.Args {
		if !a.isOver(column) {
			return false
		}
	}
	return true
}

// Type is that of the expression.
func (c *coded) Type() arrow.DataType { return c.inner.Type() }

// Eval computes the entries of a dictionary, and any other column row by row.
func (c *coded) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	d, results, err := c.entries(ctx, in)
	if err != nil {
		return nil, err
	}
	if results == nil {
		return c.inner.Eval(ctx, in, bad)
	}
	codes := c.codesOf(d, in.NumRows())
	switch r := results.(type) {
	case *array.String:
		return c.textOf(codes, r), nil
	case *array.Boolean:
		c.out.Reset(len(codes))
		for _, i := range c.env.rows(&in) {
			c.out.SetBool(int(i), r.Value(int(codes[i])))
		}
	case *array.Float64:
		c.out.Reset(len(codes))
		gatherCodes(c.out.Float64s(), r.Float64Values(), codes, c.env.rows(&in))
	case *array.Decimal128:
		c.out.Reset(len(codes))
		gatherCodes(c.out.Decimals(), r.Values(), codes, c.env.rows(&in))
	default:
		c.out.Reset(len(codes))
		gatherCodes(c.out.Int64s(), batch.Int64s(r), codes, c.env.rows(&in))
	}
	return c.out.Array(), nil
}

func gatherCodes[T int64 | float64 | decimal.Num](dst, results []T, codes, rows []int32) {
	for _, i := range rows {
		dst[i] = results[codes[i]]
	}
}

// Select appends the rows whose entries are true.
func (c *codedPredicate) Select(ctx context.Context, in batch.Batch, dst []int32, bad BadRow) ([]int32, error) {
	d, results, err := c.entries(ctx, in)
	if err != nil {
		return dst, err
	}
	if results == nil {
		return c.predicate.Select(ctx, in, dst, bad)
	}
	codes, truths := c.codesOf(d, in.NumRows()), results.(*array.Boolean)
	rows := c.env.rows(&in)
	dst, free := room(dst, len(rows))
	n := 0
	for _, i := range rows {
		free[n] = i
		n = add(n, truths.Value(int(codes[i])))
	}
	return dst[:len(dst)+n], nil
}

// entries returns the column as a dictionary and the result of each entry, or nil where rows are to be computed one by one.
func (c *coded) entries(ctx context.Context, in batch.Batch) (d *array.Dictionary, results arrow.Array, err error) {
	d, isDictionary := in.Rows.Column(c.column).(*array.Dictionary)
	if !isDictionary || d.NullN() > 0 || 2*d.Dictionary().Len() > in.NumLive() || !isCode(d.Indices().DataType().ID()) {
		return nil, nil, nil
	}
	texts, isText := d.Dictionary().(*array.String)
	if !isText || texts.NullN() > 0 {
		return nil, nil, nil
	}
	n := texts.Len()
	c.view.Set(c.column, texts)
	c.view.SetRows(n)
	c.isBad = false
	results, err = c.inner.Eval(ctx, batch.Batch{Rows: c.view}, c.onBad)
	if err != nil || c.isBad {
		return nil, nil, err
	}
	if results.NullN() > 0 || results.DataType().ID() != c.out.Type().ID() {
		return nil, nil, nil
	}
	return d, results, nil
}

func isCode(t arrow.Type) bool {
	return t == arrow.INT8 || t == arrow.INT16 || t == arrow.INT32 || t == arrow.UINT8 || t == arrow.UINT16
}

// codesOf returns the indices of n rows.
func (c *coded) codesOf(d *array.Dictionary, n int) []int32 {
	switch a := d.Indices().(type) {
	case *array.Int8:
		c.codes = widenCodes(c.codes, a.Int8Values()[:n])
	case *array.Int16:
		c.codes = widenCodes(c.codes, a.Int16Values()[:n])
	case *array.Uint8:
		c.codes = widenCodes(c.codes, a.Uint8Values()[:n])
	case *array.Uint16:
		c.codes = widenCodes(c.codes, a.Uint16Values()[:n])
	case *array.Int32:
		return a.Int32Values()[:n]
	}
	return c.codes
}

func widenCodes[T int8 | int16 | uint8 | uint16](dst []int32, codes []T) []int32 {
	dst, _ = room(dst[:0], len(codes))
	for _, code := range codes {
		dst = append(dst, int32(code))
	}
	return dst
}

// codedText is the type of dictionaries that come out.
var codedText = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: batch.Text}

// textOf returns a dictionary of results, in the memory of codes. Its entries may be there twice.
func (c *coded) textOf(codes []int32, results *array.String) arrow.Array {
	c.drop()
	buffers := []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(codes))}
	data := array.NewDataWithDictionary(codedText, len(codes), buffers, 0, 0, results.Data().(*array.Data))
	c.result = array.NewDictionaryData(data)
	data.Release()
	return c.result
}

func (c *coded) drop() {
	if c.result != nil {
		c.result.Release()
		c.result = nil
	}
}

// Close releases all memory.
func (c *coded) Close() {
	c.drop()
	c.out.Release()
	c.inner.Close()
}
