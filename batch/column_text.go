package batch

import (
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Writing TEXT.

// SetText sets row i of a TEXT column, where i is larger than in every call since Reset.
func (c *Column) SetText(i int, v []byte) {
	c.fillOffsets(i)
	c.growData(len(v))
	c.data = append(c.data, v...)
	c.endRow(i)
}

// SetString is SetText for a string.
func (c *Column) SetString(i int, v string) {
	c.fillOffsets(i)
	c.growData(len(v))
	c.data = append(c.data, v...)
	c.endRow(i)
}

// TextBuffer returns the text of the rows so far, with room for at least more bytes behind. The caller appends to it and
// gives it back with SetTextBuffer, which makes what was appended row i.
func (c *Column) TextBuffer(more int) []byte {
	c.growData(more)
	return c.data
}

// SetTextBuffer takes the result of TextBuffer back: what was appended is row i, which is larger than in every call since Reset.
// It is also right when append had to move the bytes out of the column's memory.
func (c *Column) SetTextBuffer(i int, buf []byte) {
	c.fillOffsets(i)
	if cap(buf) != cap(c.data) {
		more := buf[len(c.data):]
		c.growData(len(more))
		c.data = append(c.data, more...)
	} else {
		c.data = buf
	}
	c.endRow(i)
}

// fillOffsets gives rows that were left out before row i an empty value.
func (c *Column) fillOffsets(i int) {
	if c.next < i {
		end := int32(len(c.data))
		for r := c.next; r < i; r++ {
			c.offsets[r+1] = end
		}
		c.next = i
	}
}

func (c *Column) endRow(i int) {
	c.offsets[i+1] = int32(len(c.data))
	c.next = i + 1
}

func (c *Column) growData(more int) {
	need := len(c.data) + more
	checkText(need)
	if need <= cap(c.data) {
		return
	}
	c.dropArray()
	n := len(c.data)
	c.data = GrowSlice(c.mem, c.data, max(need, 1024))[:n]
}

// Offsets returns the offsets of a TEXT or list column for n rows, and the text, to be written by a decoder at full speed.
// SetOffsets ends that.
func (c *Column) Offsets() []int32 { return c.offsets[:c.n+1] }

// SetOffsets takes what a decoder wrote: offsets of all rows (through Offsets) and the text, in the memory of TextBuffer.
func (c *Column) SetOffsets(data []byte) {
	c.data = data
	c.next = c.n
}

// AppendText adds a row to a TEXT column.
func (c *Column) AppendText(v []byte) { c.SetText(c.grow(), v) }

// AppendString adds a row to a TEXT column.
func (c *Column) AppendString(v string) { c.SetString(c.grow(), v) }

// ReserveText makes room behind the last row of a TEXT column for so many rows with so many bytes of text together, and Slack
// bytes behind these, which may be written too. It returns the rows' offsets, of which the first is given, and the memory of the
// whole column's text. AddTexts adds what was written.
func (c *Column) ReserveText(rows, bytes int) (offsets []int32, text []byte) {
	c.reserveRows(c.n + rows)
	c.fillOffsets(c.n)
	c.growData(bytes + Slack)
	return c.offsets[c.n : c.n+rows+1], c.data[:cap(c.data)]
}

// AddTexts adds rows, at most as many as ReserveText made room for, whose offsets and text were written.
func (c *Column) AddTexts(rows int) {
	c.extend(rows)
	c.data = c.data[:c.offsets[c.n]]
	c.next = c.n
}

// copyBlock is up to how many bytes are copied in one piece of fixed size, which spares a call: two vector registers.
const copyBlock = 32

// SetTexts sets rows, in ascending order, to the pieces text[from[k]:to[k]], as SetText does one by one. The rows are larger than in
// every call since Reset.
func (c *Column) SetTexts(rows []int32, text []byte, from, to []int32) {
	from, to = from[:len(rows)], to[:len(rows)]
	bytes := 0
	for k, start := range from {
		bytes += int(to[k] - start)
	}
	c.growData(bytes + Slack)
	dst, at, next, offsets := c.data[:cap(c.data)], len(c.data), c.next, c.offsets
	for k, i := range rows {
		for ; next < int(i); next++ {
			offsets[next+1] = int32(at)
		}
		start, end := int(from[k]), int(to[k])
		if end-start <= copyBlock && start+copyBlock <= len(text) {
			*(*[copyBlock]byte)(dst[at:]) = *(*[copyBlock]byte)(text[start:])
		} else {
			copy(dst[at:], text[start:end])
		}
		at += end - start
		offsets[i+1] = int32(at)
		next = int(i) + 1
	}
	c.data, c.next = c.data[:at], next
}

// appendTexts adds the rows of a that sel names.
func (c *Column) appendTexts(a *array.String, sel []int32) {
	if len(sel) == 0 {
		return
	}
	from, text, bytes := a.ValueOffsets(), textOf(a), 0
	for _, i := range sel {
		bytes += int(from[i+1] - from[i])
	}
	old, hasNulls := c.n, a.NullN() > 0
	offsets, dst := c.ReserveText(len(sel), bytes)
	at := int(offsets[0])
	for k, i := range sel {
		start, end := int(from[i]), int(from[i+1])
		if hasNulls && a.IsNull(int(i)) {
			end = start
		}
		if n := end - start; n <= copyBlock && start+copyBlock <= len(text) {
			*(*[copyBlock]byte)(dst[at:]) = *(*[copyBlock]byte)(text[start:])
		} else {
			copy(dst[at:], text[start:end])
		}
		at += end - start
		offsets[k+1] = int32(at)
	}
	c.AddTexts(len(sel))
	if hasNulls {
		for k, i := range sel {
			if a.IsNull(int(i)) {
				c.SetNull(old + k)
			}
		}
	}
}

// appendText adds the first n rows of a, valid.
func (c *Column) appendText(a *array.String, n int) {
	if n == 0 {
		return
	}
	from := a.ValueOffsets()[:n+1]
	bytes := int(from[n] - from[0])
	offsets, dst := c.ReserveText(n, bytes)
	copy(dst[offsets[0]:], textOf(a)[from[0]:from[n]])
	shift := offsets[0] - from[0]
	for i, end := range from[1:] {
		offsets[i+1] = end + shift
	}
	c.AddTexts(n)
}

// textOf returns the memory that the offsets of a refer to, all that can be read of it.
func textOf(a *array.String) []byte {
	b := a.Data().Buffers()[2]
	if b == nil {
		return nil
	}
	text := b.Bytes()
	return text[:cap(text)]
}
