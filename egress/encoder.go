package egress

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/invariants"
)

// Encoder turns rows of one schema into text. It is used by one goroutine at a time and allocates nothing per row.
type Encoder interface {
	// AppendHeader appends what precedes the first row of a file; for most formats that is nothing.
	AppendHeader(dst []byte) []byte
	// AppendRows appends the live rows from to to-1 of in, counted among the live rows. It borrows in.
	AppendRows(dst []byte, in batch.Batch, from, to int) []byte
}

// checkSchema says whether a format can hold rows of a schema.
func checkSchema(format string, schema *arrow.Schema) error {
	if format == "TEXT" && (schema.NumFields() != 1 || batch.TypeName(schema.Field(0).Type) != "TEXT") {
		return fmt.Errorf("FORMAT TEXT writes one TEXT column, rows have %s: choose CSV or JSON, or select one column", columnList(schema))
	}
	return nil
}

func columnList(schema *arrow.Schema) string {
	var columns []string
	for _, f := range schema.Fields() {
		columns = append(columns, f.Name+" "+batch.TypeName(f.Type))
	}
	return strings.Join(columns, ", ")
}

func newEncoder(set settings, schema *arrow.Schema) (Encoder, error) {
	if err := checkSchema(set.format, schema); err != nil {
		return nil, err
	}
	switch set.format {
	case "CSV":
		return newCSV(set, schema), nil
	case "JSON":
		return newJSON(schema), nil
	case "TEXT":
		return &lineEncoder{}, nil
	}
	return nil, invariants.Failf("encoder: format %q", set.format)
}

// kind is how the values of a column are read.
type kind uint8

const (
	kindOther kind = iota // lists, structs: through AppendJSON
	kindInt
	kindDouble
	kindTime
	kindBool
	kindText
	kindCodes // TEXT as a dictionary
	// kindScalar is FLOAT, DECIMAL, DATE, INTERVAL and BINARY: through AppendValue.
	kindScalar
)

// column reads one column of a batch. The type switch is done by bind, once per batch.
type column struct {
	kind     kind
	hasNulls bool
	arr      arrow.Array
	ints     []int64
	floats   []float64
	bools    *array.Boolean
	text     *array.String
	codes    *array.Dictionary
}

func (c *column) bind(arr arrow.Array) {
	*c = column{arr: arr, hasNulls: arr.NullN() > 0}
	if t, isLogical := arr.DataType().(*batch.Logical); isLogical && !batch.IsInteger(t) {
		c.kind = kindScalar
		return
	}
	switch a := arr.(type) {
	case *array.Decimal128:
		c.kind = kindScalar
	case *array.Int64:
		c.kind, c.ints = kindInt, a.Int64Values()
	case *array.Timestamp:
		c.kind, c.ints = kindTime, batch.Int64s(a)
	case *array.Float64:
		c.kind, c.floats = kindDouble, a.Float64Values()
	case *array.Boolean:
		c.kind, c.bools = kindBool, a
	case *array.String:
		c.kind, c.text = kindText, a
	case *array.Null:
		c.hasNulls = true
	case *array.Dictionary:
		if words, ok := a.Dictionary().(*array.String); ok {
			c.kind, c.codes, c.text = kindCodes, a, words
			c.hasNulls = c.hasNulls || words.NullN() > 0
		}
	}
}

func bindAll(columns []column, rows arrow.RecordBatch) {
	for i := range columns {
		columns[i].bind(rows.Column(i))
	}
}

func (c *column) isNull(row int) bool {
	if !c.hasNulls {
		return false
	}
	return c.arr.IsNull(row) || c.kind == kindCodes && c.text.IsNull(c.codes.GetValueIndex(row))
}

// str returns the value of a row of kindText or kindCodes.
func (c *column) str(row int) string {
	if c.kind == kindCodes {
		return c.text.Value(c.codes.GetValueIndex(row))
	}
	return c.text.Value(row)
}

// liveRow returns the index of the k-th live row.
func liveRow(in *batch.Batch, k int) int {
	if in.Sel != nil {
		return int(in.Sel[k])
	}
	return k
}

// lineEncoder writes a TEXT column, one value per line. NULL is an empty line, and so is "".
type lineEncoder struct {
	column column
}

var _ Encoder = (*lineEncoder)(nil)

// AppendHeader appends nothing.
func (e *lineEncoder) AppendHeader(dst []byte) []byte { return dst }

// AppendRows appends the live rows from to to-1 of in.
func (e *lineEncoder) AppendRows(dst []byte, in batch.Batch, from, to int) []byte {
	e.column.bind(in.Rows.Column(0))
	for k := from; k < to; k++ {
		if row := liveRow(&in, k); !e.column.isNull(row) {
			dst = append(dst, e.column.str(row)...)
		}
		dst = append(dst, '\n')
	}
	return dst
}
