package egress

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// jsonEncoder writes one object per line, with all columns in order of the schema; NULL is null.
type jsonEncoder struct {
	keys [][]byte // `{"a":`, `,"b":`

	// Scratch, valid within one call.
	columns []column
	times   timeText
}

var _ Encoder = (*jsonEncoder)(nil)

func newJSON(schema *arrow.Schema) *jsonEncoder {
	e := &jsonEncoder{columns: make([]column, schema.NumFields())}
	for i, f := range schema.Fields() {
		key := []byte{','}
		if i == 0 {
			key = []byte{'{'}
		}
		key = batch.AppendJSONString(key, f.Name)
		e.keys = append(e.keys, append(key, ':'))
	}
	return e
}

// AppendHeader appends nothing.
func (e *jsonEncoder) AppendHeader(dst []byte) []byte { return dst }

// AppendRows appends the live rows from to to-1 of in.
func (e *jsonEncoder) AppendRows(dst []byte, in batch.Batch, from, to int) []byte {
	bindAll(e.columns, in.Rows)
	for k := from; k < to; k++ {
		row := liveRow(&in, k)
		for i := range e.columns {
			dst = append(dst, e.keys[i]...)
			dst = e.appendValue(dst, &e.columns[i], row)
		}
		dst = append(dst, '}', '\n')
	}
	return dst
}

func (e *jsonEncoder) appendValue(dst []byte, c *column, row int) []byte {
	if c.isNull(row) {
		return append(dst, "null"...)
	}
	switch c.kind {
	case kindInt:
		return strconv.AppendInt(dst, c.ints[row], 10)
	case kindDouble:
		if v := c.floats[row]; v-v == 0 {
			return batch.AppendDouble(dst, v)
		}
	case kindTime:
		dst = e.times.append(append(dst, '"'), c.ints[row])
		return append(dst, '"')
	case kindBool:
		return strconv.AppendBool(dst, c.bools.Value(row))
	case kindText, kindCodes:
		return batch.AppendJSONString(dst, c.str(row))
	case kindOther, kindScalar:
	}
	return batch.AppendJSON(dst, c.arr, row)
}
