package ingest

import (
	"bytes"
	"math/bits"
)

// readPlain reads the record at p in one pass and returns the index behind it. It returns 0, and the row has to be rewound, if
// there is anything that needs a closer look: doubled quotes, a fault, a blank line.
func (d *csvDecoder) readPlain(row, p int) int {
	buf, delimiter := d.buf, d.format.delimiter
	for _, c := range d.missing {
		c.setNull(row)
	}
	start := p
	last := len(d.fields) - 1
	for i := range d.fields {
		c := d.fields[i].column
		first := p
		switch {
		case buf[p] == '"':
			p = d.readQuoted(d.fields[i].op, c, row, p+1)
		case d.fields[i].op == opSkip:
			p = d.fieldEnd(p)
		case d.fields[i].op == opText:
			p = d.readText(c, row, p)
		default:
			switch d.fields[i].op {
			case opBigInt:
				c.ints[row], p = scanInt(buf, p)
			case opDouble:
				c.floats[row], p = scanDouble(buf, p)
			default:
				p = 0
			}
			if p == 0 {
				p = d.readOther(c, row, first)
			}
		}
		if p == 0 {
			return 0
		}
		if i < last {
			if buf[p] != delimiter {
				return 0
			}
			p++
		}
	}
	switch {
	case p == start: // one column, blank line
		return 0
	case buf[p] == '\n':
		return p + 1
	case buf[p] == '\r' && buf[p+1] == '\n':
		return p + 2
	}
	return 0
}

// readOther reads the unquoted field at p, which is NULL or has a form that is not read on the way, and returns the index of the
// delimiter or line end behind it, 0 if it needs a closer look.
func (d *csvDecoder) readOther(c *columnWriter, row, p int) int {
	end := d.fieldEnd(p)
	if end == 0 {
		return 0
	}
	v := d.buf[p:end]
	if string(v) == d.format.null {
		c.setNull(row)
		return end
	}
	if c.setFromText(row, v, &d.times) != noFault {
		return 0
	}
	return end
}

// fieldStops marks the bytes of w that are the delimiter, a quote or a control character; the lowest mark is right.
func fieldStops(w, delimiters uint64) uint64 {
	q := w ^ 0x02*ones
	d := w ^ delimiters
	return ((q-0x21*ones)&^q | (d-ones)&^d) & highs
}

// fieldEnd returns the index of the delimiter or line end behind the unquoted field at p, 0 if there is a quote in it.
func (d *csvDecoder) fieldEnd(p int) int {
	buf, delimiter := d.buf, d.format.delimiter
	for {
		found := fieldStops(load(buf, p), uint64(delimiter)*ones)
		if found == 0 {
			p += 8
			continue
		}
		p += bits.TrailingZeros64(found) >> 3
		switch c := buf[p]; {
		case c == delimiter, c == '\n', c == '\r' && buf[p+1] == '\n':
			return p
		case c == '"':
			return 0
		}
		p++
	}
}

// readText copies the unquoted field at p and returns the index of the delimiter or line end behind it, 0 if there is a quote in
// it. It copies words, so that up to 7 bytes behind the text are written.
func (d *csvDecoder) readText(c *columnWriter, row, p int) int {
	buf, delimiter := d.buf, d.format.delimiter
	first, dst, end := p, c.text, c.end
	for {
		w := load(buf, p)
		store(dst, end, w)
		found := fieldStops(w, uint64(delimiter)*ones)
		if found == 0 {
			p += 8
			end += 8
			continue
		}
		n := bits.TrailingZeros64(found) >> 3
		p += n
		end += n
		stop := buf[p]
		if stop == delimiter || stop == '\n' || stop == '\r' && buf[p+1] == '\n' {
			break
		}
		if stop == '"' {
			return 0
		}
		p++
		end++
	}
	if string(buf[first:p]) == d.format.null {
		c.setNull(row)
		return p
	}
	c.end = end
	c.offsets[row+1] = int32(end)
	return p
}

// readQuoted reads the quoted field whose first byte behind the quote is p, if there are no doubled quotes in it, and returns
// the index behind the closing quote, 0 otherwise.
func (d *csvDecoder) readQuoted(op fieldOp, c *columnWriter, row, p int) int {
	var end int
	switch op {
	case opBigInt:
		c.ints[row], end = scanInt(d.buf, p)
	case opDouble:
		c.floats[row], end = scanDouble(d.buf, p)
	}
	if end == 0 || d.buf[end] != '"' {
		n := bytes.IndexByte(d.buf[p:d.limit], '"')
		if n < 0 {
			return 0
		}
		end = p + n
		if op != opSkip && c.setFromText(row, d.buf[p:end], &d.times) != noFault {
			return 0
		}
	}
	if d.buf[end+1] == '"' {
		return 0
	}
	return end + 1
}
