package ingest

import "math/bits"

// readAny reads the record at p, whatever the order of its keys, if its values fit their columns, and returns the index behind
// it. It returns 0, and the row has to be rewound, if there is anything that needs a closer look: a fault, a used key that has
// escapes or repeats, a blank line.
func (d *jsonDecoder) readAny(row, p int) int {
	buf := d.buf
	if p = skipBlanks(buf, p); buf[p] != '{' {
		return 0
	}
	seen := uint64(0)
	for p = skipBlanks(buf, p+1); ; p = skipBlanks(buf, p+1) {
		if buf[p] != '"' {
			return 0 // {} too
		}
		keyEnd := stringEnd(buf, p+1)
		if buf[keyEnd] != '"' {
			return 0
		}
		column := d.keys.find(buf, p+1, keyEnd)
		if p = skipBlanks(buf, keyEnd+1); buf[p] != ':' {
			return 0
		}
		p = skipBlanks(buf, p+1)
		if column < 0 {
			p = d.readValue(opSkip, nil, row, p)
		} else {
			if seen&(1<<column) != 0 {
				return 0
			}
			seen |= 1 << column
			c := &d.columns[column]
			p = d.readValue(fieldOps[c.kind], c, row, p)
		}
		if p <= 0 {
			return 0
		}
		if p = skipBlanks(buf, p); buf[p] != ',' {
			break
		}
	}
	if buf[p] != '}' {
		return 0
	}
	if p = skipBlanks(buf, p+1); buf[p] != '\n' {
		return 0
	}
	for missing := lowBits(len(d.columns)) &^ seen; missing != 0; missing &= missing - 1 {
		d.columns[bits.TrailingZeros64(missing)].setNull(row)
	}
	return p + 1
}

// maxAnyColumns is how many columns the set of seen ones in readAny can hold.
const maxAnyColumns = 64

// lowBits returns a mask of the n lowest bits.
func lowBits(n int) uint64 { return 1<<n - 1 }

// readValue reads the value at p by op, and returns the index behind it, 0 or less if it needs a closer look.
func (d *jsonDecoder) readValue(op fieldOp, c *columnWriter, row, p int) int {
	buf := d.buf
	switch op {
	case opText:
		if buf[p] == '"' {
			if end := c.readString(buf, row, p+1); end > 0 {
				return end
			}
			return d.readEscaped(c, row, p+1)
		}
		if end := c.readNull(buf, row, p); end > 0 {
			return end
		}
		end := d.scan.skipValue(p, 1)
		if end > 0 {
			c.setText(row, buf[p:end])
		}
		return end
	case opBigInt:
		v, end := scanInt(buf, p)
		if end == 0 {
			return c.readNull(buf, row, p)
		}
		c.ints[row] = v
		return end
	case opDouble:
		v, end := scanDouble(buf, p)
		if end == 0 {
			return c.readNull(buf, row, p)
		}
		c.floats[row] = v
		return end
	case opTimestamp:
		if buf[p] != '"' {
			return c.readNull(buf, row, p)
		}
		end := stringEnd(buf, p+1)
		v, f := d.times.parse(buf[p+1 : end])
		if f != noFault || buf[end] != '"' {
			return 0
		}
		c.ints[row] = v
		return end + 1
	case opBoolean:
		switch w := load(buf, p); {
		case w&word4 == trueWord:
			c.setBool(row, true)
			return p + 4
		case w&word5 == falseWord:
			c.setBool(row, false)
			return p + 5
		}
		return c.readNull(buf, row, p)
	}
	if buf[p] == '"' {
		if end := stringEnd(buf, p+1); buf[end] == '"' {
			return end + 1
		}
	}
	return d.scan.skipValue(p, 1)
}

// readNull makes the row NULL if there is a null at p, and returns the index behind it, 0 if there is none.
func (c *columnWriter) readNull(buf []byte, row, p int) int {
	if load(buf, p)&word4 != nullWord {
		return 0
	}
	c.setNull(row)
	return p + 4
}

// readEscaped reads the string whose first byte behind the opening quote is p, and returns the index behind it, 0 if it is not
// well formed.
func (d *jsonDecoder) readEscaped(c *columnWriter, row, p int) int {
	end := d.scan.skipString(p)
	if end < 0 {
		return 0
	}
	c.end += unescape(c.text[c.end:], d.buf[p:end-1])
	c.offsets[row+1] = int32(c.end)
	return end
}

// readString copies the string whose first byte behind the opening quote is p, if it has no escapes, and returns the index
// behind it, 0 if it needs a closer look. It copies words, so that up to 7 bytes behind the text are written.
func (c *columnWriter) readString(buf []byte, row, p int) int {
	dst, end := c.text, c.end
	for {
		w := load(buf, p)
		store(dst, end, w)
		if found := stringStops(w); found != 0 {
			n := bits.TrailingZeros64(found) >> 3
			if buf[p+n] != '"' {
				return 0
			}
			c.end = end + n
			c.offsets[row+1] = int32(c.end)
			return p + n + 1
		}
		p += 8
		end += 8
	}
}
