package ingest

// jsonShape is what one record looked like: for every member the text from the end of the value before to the start of its own
// value, and what to do with the value; then the text from the last value to the end of the line. A record of the same shape is
// read by comparing these texts and reading the values in between, with no look at structure.
//
// Example: of {"ts":1,"user":"ann"} with both columns used the parts are `{"ts":` BIGINT, `,"user":` TEXT, `}\n`.
type jsonShape struct {
	parts []shapePart
	last  literal
	// missing are the columns that have no member: they are NULL.
	missing []*columnWriter

	// text has the text of the literals, in memory that is reused for the next shape.
	text []byte
}

type shapePart struct {
	literal
	op     fieldOp
	column *columnWriter
}

// literal is text to compare: the first 16 bytes as two words, the others as they are.
type literal struct {
	low, high         uint64
	lowMask, highMask uint64
	size              int
	rest              []byte
}

// wideLiteral is how many bytes of a literal the words hold.
const wideLiteral = 16

func (l *literal) matches(buf []byte, p int) bool {
	if (load(buf, p)^l.low)&l.lowMask|(load(buf, p+8)^l.high)&l.highMask != 0 {
		return false
	}
	if l.size <= wideLiteral {
		return true
	}
	return len(buf) >= p+l.size && string(buf[p+wideLiteral:p+l.size]) == string(l.rest)
}

// newLiteral returns the literal of v, which stays as it is and has 16 bytes behind it.
func newLiteral(text []byte, from, to int) literal {
	l := literal{size: to - from, low: load(text, from), high: load(text, from+8), lowMask: ^uint64(0), highMask: ^uint64(0)}
	switch {
	case l.size <= 8:
		l.lowMask, l.highMask = lowBytes(l.size), 0
	case l.size <= wideLiteral:
		l.highMask = lowBytes(l.size - 8)
	default:
		l.rest = text[from+wideLiteral : to]
	}
	l.low &= l.lowMask
	l.high &= l.highMask
	return l
}

// lowBytes returns a mask of the n lowest bytes.
func lowBytes(n int) uint64 { return 1<<(8*n) - 1 }

// learn takes the shape of the record buf[start:end], whose members are given.
func (s *jsonShape) learn(buf []byte, start, end int, members []jsonMember, columns []columnWriter) {
	s.text = append(s.text[:0], buf[start:end]...)
	s.text = append(s.text, make([]byte, wideLiteral)...)
	s.parts, s.missing = s.parts[:0], s.missing[:0]
	from := 0
	for _, m := range members {
		part := shapePart{literal: newLiteral(s.text, from, m.from-start)}
		if m.column >= 0 {
			part.column = &columns[m.column]
			part.op = fieldOps[part.column.kind]
		}
		s.parts = append(s.parts, part)
		from = m.to - start
	}
	s.last = newLiteral(s.text, from, end-start)
	for k := range columns {
		if !hasMember(members, k) {
			s.missing = append(s.missing, &columns[k])
		}
	}
}

func hasMember(members []jsonMember, column int) bool {
	for _, m := range members {
		if m.column == column {
			return true
		}
	}
	return false
}

// read reads the record at p, if it is of this shape and has no value that needs a closer look, and returns the index behind
// it. Otherwise it returns 0 and the row has to be rewound.
func (s *jsonShape) read(d *jsonDecoder, row, p int) int {
	buf := d.buf
	for i := range s.parts {
		part := &s.parts[i]
		if !part.matches(buf, p) {
			return 0
		}
		p += part.size
		if p = d.readValue(part.op, part.column, row, p); p <= 0 {
			return 0
		}
	}
	if !s.last.matches(buf, p) {
		return 0
	}
	for _, c := range s.missing {
		c.setNull(row)
	}
	return p + s.last.size
}
