package ingest

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// valueKind is the type of a decoded column, chosen once per decoder.
type valueKind uint8

const (
	bigInt valueKind = iota
	double
	boolean
	text
	timestamp
	// nested is an ARRAY, a MAP or a STRUCT, which JSON has only. Its rows are appended.
	nested
	// number is TINYINT, SMALLINT, INT, FLOAT and DECIMAL, which JSON has as numbers.
	number
	// calendar is DATE and both kinds of INTERVAL, which JSON has as strings.
	calendar
)

func kindOf(dtype arrow.DataType) (valueKind, bool) {
	switch dtype {
	case batch.TinyInt, batch.SmallInt, batch.Int, batch.Float:
		return number, true
	case batch.Date, batch.DayTime, batch.YearMonth:
		return calendar, true
	case batch.Binary:
		return 0, false
	}
	switch dtype.ID() {
	case arrow.DECIMAL128:
		return number, true
	case arrow.INT64:
		return bigInt, true
	case arrow.FLOAT64:
		return double, true
	case arrow.BOOL:
		return boolean, true
	case arrow.STRING:
		return text, true
	case arrow.TIMESTAMP:
		return timestamp, true
	case arrow.LIST, arrow.MAP, arrow.STRUCT:
		return nested, true
	}
	return 0, false
}

// columnWriter writes one column of a block, row by row from 0. Every row of a TEXT column gets its offset, whether it has a
// value or not; rows of other columns may be left out if they are not live.
type columnWriter struct {
	name     string
	typeName string
	kind     valueKind
	column   *batch.Column
	// emptyIsNull says that an empty value is NULL unless it is quoted.
	emptyIsNull bool
	// places is how many decimals the DOUBLE before had, one or more: most have as many.
	places int

	// The memory of column, borrowed from begin to finish.
	ints    []int64
	floats  []float64
	nums    []decimal.Num
	bits    []byte
	valid   []byte
	offsets []int32
	text    []byte // room for all text of the block and batch.Slack bytes
	end     int    // bytes of text written
	nulls   int
	rows    int
}

// begin prepares for a block of so many rows and bytes; the column was reset.
func (c *columnWriter) begin(blockBytes int) {
	c.valid, c.nulls = c.column.Validity(), 0
	switch c.kind {
	case nested:
		c.rows = c.column.Len()
		c.column.Reset(0)
	case bigInt, timestamp:
		c.ints = c.column.Int64s()
	case double:
		c.floats = c.column.Float64s()
	case number, calendar:
		c.beginTyped()
	case boolean:
		c.bits = c.column.Bits()
	case text:
		buf := c.column.TextBuffer(blockBytes + batch.Slack)
		c.offsets, c.text, c.end = c.column.Offsets(), buf[:cap(buf)], 0
	}
}

func (c *columnWriter) finish() {
	if c.kind == nested {
		c.fillNested(c.rows)
		return
	}
	if c.kind == text {
		c.column.SetOffsets(c.text[:c.end])
	}
	c.column.SetNulls(c.nulls)
}

// setNull makes a row NULL that is not NULL yet.
func (c *columnWriter) setNull(row int) {
	if c.kind == nested {
		c.fillNested(row + 1)
		return
	}
	c.valid[row>>3] &^= 1 << (row & 7)
	c.nulls++
	switch c.kind {
	case bigInt, timestamp:
		c.ints[row] = 0
	case double:
		c.floats[row] = 0
	case number, calendar:
		c.zeroTyped(row)
	case boolean:
		c.setBool(row, false)
	case text:
		c.offsets[row+1] = int32(c.end)
	case nested: // done
	}
}

func (c *columnWriter) setBool(row int, v bool) {
	mask := byte(1) << (row & 7)
	if v {
		c.bits[row>>3] |= mask
	} else {
		c.bits[row>>3] &^= mask
	}
}

func (c *columnWriter) setText(row int, v []byte) {
	c.end += copy(c.text[c.end:], v)
	c.offsets[row+1] = int32(c.end)
}

// rewind forgets what was written to the row, so that it can be written again.
func (c *columnWriter) rewind(row int) {
	if c.kind == nested {
		if c.column.Len() > row {
			c.column.TruncateTo(row)
		}
		return
	}
	mask := byte(1) << (row & 7)
	if c.valid[row>>3]&mask == 0 {
		c.valid[row>>3] |= mask
		c.nulls--
	}
	if c.kind == text {
		c.end = int(c.offsets[row])
		c.offsets[row+1] = c.offsets[row]
	}
}

// fault is why a value does not fit its column.
type fault uint8

const (
	noFault fault = iota
	// notOfType says that the text is no form of the type.
	notOfType
	// outOfRange says that the type cannot hold the number.
	outOfRange
)

// setFromText writes the value that v, without quotes, is the text form of.
func (c *columnWriter) setFromText(row int, v []byte, times *timeParser) (f fault) {
	switch c.kind {
	case bigInt:
		c.ints[row], f = parseInt(v)
	case double:
		c.floats[row], f = parseDouble(v)
	case boolean:
		isTrue, f := parseBool(v)
		c.setBool(row, isTrue)
		return f
	case timestamp:
		c.ints[row], f = times.parse(v)
	case text:
		c.setText(row, v)
	case number, calendar:
		f = c.setTyped(row, v)
	case nested:
		f = notOfType
	}
	return f
}

// explain returns the reason for a bad row.
func (c *columnWriter) explain(f fault, v []byte) string {
	if f == outOfRange {
		return fmt.Sprintf("column %s: %s is out of range for %s", c.name, quoteClipped(v), c.typeName)
	}
	return fmt.Sprintf("column %s: %s is not a %s", c.name, quoteClipped(v), c.typeName)
}

// maxQuoted is how many bytes of a value a message shows: enough to recognise it, and still a line.
const maxQuoted = 64

func quoteClipped(v []byte) string {
	if len(v) > maxQuoted {
		return fmt.Sprintf("%q…", v[:maxQuoted])
	}
	return fmt.Sprintf("%q", v)
}
