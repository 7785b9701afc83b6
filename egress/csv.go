package egress

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// csvEncoder writes RFC 4180 with \n as line end. NULL is the unquoted null text, which is empty unless the user chose another;
// text that is empty, reads as NULL or holds a delimiter, a quote, a line end or a space at an end is quoted, and nothing else is.
//
// With null = '\N':  [1, NULL, "", "a,b", `say "hi"`, "\N"]  is  1,\N,"","a,b","say ""hi""","\N"
//
// A row of one column that is NULL with an empty null text is a blank line, which readers of CSV pass over.
type csvEncoder struct {
	delimiter byte
	null      string
	header    []byte
	isSpecial [256]bool // bytes that make a field quoted

	// Scratch, valid within one call.
	columns []column
	nested  []byte
	times   timeText
}

var _ Encoder = (*csvEncoder)(nil)

func newCSV(set settings, schema *arrow.Schema) *csvEncoder {
	e := &csvEncoder{delimiter: set.delimiter, null: set.null, columns: make([]column, schema.NumFields())}
	for _, c := range []byte{set.delimiter, '"', '\r', '\n'} {
		e.isSpecial[c] = true
	}
	if set.header {
		for i, f := range schema.Fields() {
			if i > 0 {
				e.header = append(e.header, e.delimiter)
			}
			e.header = e.appendText(e.header, f.Name)
		}
		e.header = append(e.header, '\n')
	}
	return e
}

// AppendHeader appends the names of the columns if the option header is set.
func (e *csvEncoder) AppendHeader(dst []byte) []byte { return append(dst, e.header...) }

// AppendRows appends the live rows from to to-1 of in.
func (e *csvEncoder) AppendRows(dst []byte, in batch.Batch, from, to int) []byte {
	bindAll(e.columns, in.Rows)
	for k := from; k < to; k++ {
		row := liveRow(&in, k)
		for i := range e.columns {
			if i > 0 {
				dst = append(dst, e.delimiter)
			}
			dst = e.appendField(dst, &e.columns[i], row)
		}
		dst = append(dst, '\n')
	}
	return dst
}

func (e *csvEncoder) appendField(dst []byte, c *column, row int) []byte {
	if c.isNull(row) {
		return append(dst, e.null...)
	}
	start := len(dst)
	switch c.kind {
	case kindInt:
		dst = strconv.AppendInt(dst, c.ints[row], 10)
	case kindDouble:
		dst = batch.AppendDouble(dst, c.floats[row])
	case kindTime:
		dst = e.times.append(dst, c.ints[row])
	case kindBool:
		dst = strconv.AppendBool(dst, c.bools.Value(row))
	case kindText, kindCodes:
		return e.appendText(dst, c.str(row))
	case kindScalar:
		e.nested = batch.AppendValue(e.nested[:0], c.arr, row)
		return appendMaybeQuoted(e, dst, e.nested)
	default:
		e.nested = batch.AppendJSON(e.nested[:0], c.arr, row)
		return appendMaybeQuoted(e, dst, e.nested)
	}
	// A delimiter such as - or 1 may stand in a number.
	for _, b := range dst[start:] {
		if e.isSpecial[b] {
			e.nested = append(e.nested[:0], dst[start:]...)
			return appendQuoted(dst[:start], e.nested)
		}
	}
	return dst
}

func (e *csvEncoder) appendText(dst []byte, s string) []byte { return appendMaybeQuoted(e, dst, s) }

func appendMaybeQuoted[T string | []byte](e *csvEncoder, dst []byte, s T) []byte {
	if len(s) == 0 || string(s) == e.null || s[0] <= ' ' || s[len(s)-1] <= ' ' {
		return appendQuoted(dst, s)
	}
	for i := range len(s) {
		if e.isSpecial[s[i]] {
			return appendQuoted(dst, s)
		}
	}
	return append(dst, s...)
}

func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		if s[i] == '"' {
			dst = append(dst, s[start:i+1]...)
			start = i
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
