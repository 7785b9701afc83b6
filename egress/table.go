package egress

import (
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// maxCellWidth is how many columns of the terminal a cell takes at most: a TIMESTAMP has up to 27, and two long texts with
// a number still fit in 120.
const maxCellWidth = 48

// ellipsis ends a cell that was cut.
const ellipsis = "…"

// table lays out the rows of a commit for a terminal: columns as wide as their widest cell, numbers to the right, NULL as NULL,
// the fields of a struct (a window) as columns of their own. Rows of different intervals are set apart by a blank line, and so
// is what follows the table:
//
//	word   n
//	-----  ---
//	apple   12
//	pear     7
//
//	apple    1
type table struct {
	mem   memory.Allocator
	names []string
	right []bool  // numbers
	paths [][]int // column of the schema, field in it, …

	// Cells of the commit so far, row by row, in memory of mem.
	text   []byte
	ends   []int64 // in text, of each cell
	widths []uint8 // on the terminal, of each cell
	breaks []int64 // rows before which an interval begins

	last    uint64 // interval of the last row
	columns []column
	times   timeText

	// Scratch, valid within one call.
	cell   []byte
	nested []byte
}

func newTable(mem memory.Allocator, schema *arrow.Schema) *table {
	t := &table{mem: mem}
	for i, f := range schema.Fields() {
		t.addColumn(f.Name, f.Type, []int{i})
	}
	t.columns = make([]column, len(t.names))
	return t
}

func (t *table) addColumn(name string, dtype arrow.DataType, path []int) {
	if st, ok := dtype.(*arrow.StructType); ok {
		for i, f := range st.Fields() {
			t.addColumn(name+"."+f.Name, f.Type, append(slices.Clip(path), i))
		}
		return
	}
	t.names = append(t.names, name)
	id := dtype.ID()
	t.right = append(t.right, batch.IsInteger(dtype) || id == arrow.FLOAT64 || id == arrow.DECIMAL128)
	t.paths = append(t.paths, path)
}

// add keeps the text of the live rows of in.
func (t *table) add(interval uint64, in batch.Batch) {
	rows := in.NumLive()
	if rows == 0 {
		return
	}
	if before := t.numRows(); before > 0 && interval != t.last {
		t.breaks = batch.AppendSlice(t.mem, t.breaks, int64(before))
	}
	t.last = interval
	for c, path := range t.paths {
		arr := in.Rows.Column(path[0])
		for _, field := range path[1:] {
			arr = arr.(*array.Struct).Field(field)
		}
		t.columns[c].bind(arr)
	}
	for k := range rows {
		row := liveRow(&in, k)
		for c := range t.columns {
			t.addCell(&t.columns[c], row, hasNullParent(in.Rows, t.paths[c], row))
		}
	}
}

// hasNullParent says whether a struct that a column is a field of is NULL.
func hasNullParent(rows arrow.RecordBatch, path []int, row int) bool {
	arr := rows.Column(path[0])
	for _, field := range path[1:] {
		if arr.IsNull(row) {
			return true
		}
		arr = arr.(*array.Struct).Field(field)
	}
	return false
}

func (t *table) numRows() int { return len(t.ends) / len(t.names) }

func (t *table) addCell(c *column, row int, isNull bool) {
	t.cell = t.cell[:0]
	var width int
	switch {
	case isNull || c.isNull(row):
		t.cell, width = append(t.cell, "NULL"...), len("NULL")
	case c.kind == kindText || c.kind == kindCodes:
		t.cell, width = appendCell(t.cell, c.str(row))
	case c.kind == kindScalar:
		t.nested = batch.AppendValue(t.nested[:0], c.arr, row)
		t.cell, width = appendCell(t.cell, t.nested)
	case c.kind == kindOther:
		t.nested = batch.AppendJSON(t.nested[:0], c.arr, row)
		t.cell, width = appendCell(t.cell, t.nested)
	default:
		t.cell = t.appendPlain(t.cell, c, row)
		width = len(t.cell)
	}
	t.text = batch.AppendSlice(t.mem, t.text, t.cell...)
	t.ends = batch.AppendSlice(t.mem, t.ends, int64(len(t.text)))
	t.widths = batch.AppendSlice(t.mem, t.widths, uint8(width))
}

// appendPlain appends a value whose text is short and ASCII.
func (t *table) appendPlain(dst []byte, c *column, row int) []byte {
	switch c.kind {
	case kindInt:
		return strconv.AppendInt(dst, c.ints[row], 10)
	case kindDouble:
		return batch.AppendDouble(dst, c.floats[row])
	case kindTime:
		return t.times.append(dst, c.ints[row])
	default:
		return strconv.AppendBool(dst, c.bools.Value(row))
	}
}

// render appends the table to dst, which is of mem, and empties it.
func (t *table) render(dst []byte) []byte {
	rows := t.numRows()
	if rows == 0 {
		return dst
	}
	numColumns := len(t.names)
	widest := make([]int, numColumns)
	line := t.cell[:0]
	heads := make([][]byte, numColumns)
	for c, name := range t.names {
		heads[c], widest[c] = appendCell(nil, name)
	}
	for k, w := range t.widths {
		widest[k%numColumns] = max(widest[k%numColumns], int(w))
	}
	for c, head := range heads {
		_, width := appendCell(nil, t.names[c])
		line = t.appendAligned(line, c, head, width, widest)
	}
	line = append(line, '\n')
	for c, w := range widest {
		if c > 0 {
			line = append(line, "  "...)
		}
		line = appendRepeated(line, '-', w)
	}
	line = append(line, '\n')
	dst = batch.AppendSlice(t.mem, dst, line...)
	start, breaks := int64(0), t.breaks
	for row := range rows {
		line = line[:0]
		if len(breaks) > 0 && breaks[0] == int64(row) {
			line, breaks = append(line, '\n'), breaks[1:]
		}
		for c := range numColumns {
			k := row*numColumns + c
			line = t.appendAligned(line, c, t.text[start:t.ends[k]], int(t.widths[k]), widest)
			start = t.ends[k]
		}
		dst = batch.AppendSlice(t.mem, dst, append(line, '\n')...)
	}
	t.cell = line[:0]
	t.clear()
	return batch.AppendSlice(t.mem, dst, '\n')
}

// appendAligned appends a cell of column c, with no blanks at the end of the line.
func (t *table) appendAligned(dst []byte, c int, cell []byte, width int, widest []int) []byte {
	if c > 0 {
		dst = append(dst, "  "...)
	}
	pad := widest[c] - width
	if t.right[c] {
		return append(appendRepeated(dst, ' ', pad), cell...)
	}
	dst = append(dst, cell...)
	if c == len(widest)-1 {
		return dst
	}
	return appendRepeated(dst, ' ', pad)
}

func appendRepeated(dst []byte, b byte, n int) []byte {
	for range n {
		dst = append(dst, b)
	}
	return dst
}

// take returns the cells of the rows so far, and empties the table.
func (t *table) take() []liveRowText {
	rows := make([]liveRowText, t.numRows())
	start, k := int64(0), 0
	for i := range rows {
		r := &rows[i]
		r.cells, r.widths = make([]string, len(t.names)), make([]uint8, len(t.names))
		for c := range t.names {
			r.cells[c], r.widths[c] = string(t.text[start:t.ends[k]]), t.widths[k]
			start = t.ends[k]
			k++
		}
	}
	t.clear()
	return rows
}

// fill puts rows that take gave into the table, which is empty.
func (t *table) fill(rows []liveRowText) {
	for i := range rows {
		for c, cell := range rows[i].cells {
			t.text = batch.AppendSlice(t.mem, t.text, []byte(cell)...)
			t.ends = batch.AppendSlice(t.mem, t.ends, int64(len(t.text)))
			t.widths = batch.AppendSlice(t.mem, t.widths, rows[i].widths[c])
		}
	}
}

func (t *table) clear() {
	t.text, t.ends, t.widths, t.breaks = t.text[:0], t.ends[:0], t.widths[:0], t.breaks[:0]
}

func (t *table) close() {
	batch.FreeSlice(t.mem, t.text)
	batch.FreeSlice(t.mem, t.ends)
	batch.FreeSlice(t.mem, t.widths)
	batch.FreeSlice(t.mem, t.breaks)
	t.text, t.ends, t.widths, t.breaks = nil, nil, nil, nil
}

// appendCell appends s for a terminal, at most maxCellWidth wide, and returns its width. What a terminal would obey or not show
// is escaped as in Go, so that data can't move the cursor.
func appendCell[T string | []byte](dst []byte, s T) (cell []byte, width int) {
	cut, cutWidth := len(dst), 0 // where the ellipsis goes if it must
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
		start := len(dst)
		w := 1
		switch {
		case r >= ' ' && r < 0x7F:
			dst = append(dst, byte(r))
		case r == utf8.RuneError && size == 1 || !unicode.IsGraphic(r):
			dst = strconv.AppendQuoteToASCII(dst, string(s[i:i+size]))
			w = copy(dst[start:], dst[start+1:len(dst)-1])
			dst = dst[:start+w]
		default:
			dst = utf8.AppendRune(dst, r)
			w = runeWidth(r)
		}
		if width+w > maxCellWidth {
			return append(dst[:cut], ellipsis...), cutWidth + 1
		}
		width += w
		if width < maxCellWidth {
			cut, cutWidth = len(dst), width
		}
		i += size
	}
	return dst, width
}

// runeWidth returns how many columns of a terminal r takes: 0 for marks, 2 for the blocks that Unicode's East Asian Width
// (UAX #11) has as wide, 1 otherwise.
func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r < 0x1100:
		return 1
	case r <= 0x115F, r >= 0x2E80 && r <= 0xA4CF, r >= 0xAC00 && r <= 0xD7A3, r >= 0xF900 && r <= 0xFAFF,
		r >= 0xFE30 && r <= 0xFE6F, r >= 0xFF00 && r <= 0xFF60, r >= 0xFFE0 && r <= 0xFFE6,
		r >= 0x1F300 && r <= 0x1F64F, r >= 0x1F900 && r <= 0x1F9FF, r >= 0x20000 && r <= 0x3FFFD:
		return 2
	}
	return 1
}
