package ingest

// jsonShape is what one record looked like: the text up to the first value, and for every value what it is and the text behind it,
// up to the next value or the next line. A record of the same shape is taken apart by comparing these texts, with no look at
// structure: between them are the values, which end at the next stop.
//
// The quotes of strings belong to the texts. A NULL that stands for a string does too, since most records have a string in its
// place and so another shape.
//
// Example: of {"ts":1,"user":"ann","id":null} with three used columns, where id is TEXT, the first text is `{"ts":`, and the parts
// are a scalar with `,"user":"` behind it and a string with `","id":null}\n` behind it. From the value 1 the next stop is the quote
// of `,"user`, so that the scalar's lead is 1.
type jsonShape struct {
	first literal
	parts []shapePart
	// missing are the used columns that have no part.
	missing []int

	// text has the record, in memory that is reused for the next shape.
	text []byte
}

type shapePart struct {
	// behind is the text behind the value, lead how many bytes it has before its first stop.
	behind literal
	lead   int
	// spans is the index of the first span of the value's column.
	spans int
	form  valueForm
}

// valueForm is what stands in a value's place.
type valueForm uint8

const (
	// aString is the text of a string.
	aString valueForm = iota
	// aScalar is a number, true, false or null that its column looks at.
	aScalar
	// anUnusedScalar is one that is only to be well formed.
	anUnusedScalar
	// anyValue is an array, an object, or whatever but a string is the text of a TEXT.
	anyValue
	// aContainer is an array or an object that its column looks at, or NULL. Shapes have anyValue in its place.
	aContainer
)

// literal is text to compare: the first 16 bytes as two words with masks, then words without, of which the last one has the last
// 8 bytes of the text.
type literal struct {
	low, high         uint64
	lowMask, highMask uint64
	size              int
	more              []uint64
}

func (l *literal) matches(buf []byte, p int) bool {
	return (load(buf, p)^l.low)&l.lowMask|(load(buf, p+8)^l.high)&l.highMask == 0 && (l.more == nil || l.matchesMore(buf, p))
}

func (l *literal) matchesMore(buf []byte, p int) bool {
	if len(buf) < p+l.size {
		return false
	}
	for i, word := range l.more {
		if load(buf, p+min(16+8*i, l.size-8)) != word {
			return false
		}
	}
	return true
}

// newLiteral returns the literal of text[from:to], behind which there are 16 bytes.
func newLiteral(text []byte, from, to int) literal {
	l := literal{size: to - from}
	l.lowMask, l.highMask = byteMasks[min(l.size, 8)], byteMasks[max(min(l.size, 16)-8, 0)]
	l.low, l.high = load(text, from)&l.lowMask, load(text, from+8)&l.highMask
	for i := 16; i < l.size; i += 8 {
		l.more = append(l.more, load(text, from+min(i, l.size-8)))
	}
	return l
}

// byteMasks has masks of the 0 to 8 lowest bytes.
var byteMasks = [...]uint64{0, 1<<8 - 1, 1<<16 - 1, 1<<24 - 1, 1<<32 - 1, 1<<40 - 1, 1<<48 - 1, 1<<56 - 1, 1<<64 - 1}

// learn takes the shape of the record buf[start:end], whose members are those of d.
func (s *jsonShape) learn(d *jsonDecoder, start, end int) {
	s.text = append(append(s.text[:0], d.buf[start:end]...), make([]byte, 16)...)
	s.parts, s.missing = s.parts[:0], s.missing[:0]
	behind := &s.first
	from := 0
	add := func(column, valueFrom, valueTo int, form valueForm) {
		*behind = newLiteral(s.text, from, valueFrom-start)
		if column < 0 {
			column = len(d.columns)
		}
		s.parts = append(s.parts, shapePart{lead: d.marks.next(valueTo) - valueTo, spans: column * runRows, form: form})
		behind = &s.parts[len(s.parts)-1].behind
		from = valueTo - start
	}
	isThere := make([]bool, len(d.columns))
	for i := range d.members {
		m := &d.members[i]
		first := d.buf[m.from]
		isOfStrings := m.column >= 0 && (d.columns[m.column].kind == text || d.columns[m.column].kind == timestamp || d.columns[m.column].kind == calendar)
		switch {
		case first == 'n' && (isOfStrings || m.column >= 0 && d.columns[m.column].kind == nested):
			continue
		case first == '"' && (m.column < 0 || isOfStrings):
			add(m.column, m.from+1, m.to-1, aString)
		case first == '{' || first == '[' || isOfStrings:
			add(m.column, m.from, m.to, anyValue)
		case m.column < 0:
			add(m.column, m.from, m.to, anUnusedScalar)
		default:
			add(m.column, m.from, m.to, aScalar)
		}
		if m.column >= 0 {
			isThere[m.column] = true
		}
	}
	*behind = newLiteral(s.text, from, end-start)
	for k, there := range isThere {
		if !there {
			s.missing = append(s.missing, k)
		}
	}
}

// take sets the spans of records from index p on, as long as they are of this shape. The first one is the n-th of the run, and
// there is room for most. It returns how many records the run now has, and the index behind them.
func (s *jsonShape) take(d *jsonDecoder, n, most, p int) (records, end int) {
	buf, marks, spans, parts := d.buf, d.marks, d.spans, s.parts
	for ; n < most && p < d.limit; n++ {
		if !s.first.matches(buf, p) {
			return n, p
		}
		at := p + s.first.size
		for i := range parts {
			part := &parts[i]
			to := marks.next(at) - part.lead
			if part.form > aScalar {
				to = d.skipOther(part.form, at, to)
			}
			if to < at {
				return n, p
			}
			spans[part.spans+n] = newSpan(at, to)
			if (load(buf, to)^part.behind.low)&part.behind.lowMask|(load(buf, to+8)^part.behind.high)&part.behind.highMask != 0 ||
				part.behind.more != nil && !part.behind.matchesMore(buf, to) {
				if to = d.skipEscapes(part, n, at, to); to == 0 || !part.behind.matches(buf, to) {
					return n, p
				}
			}
			at = to + part.behind.size
		}
		for _, k := range s.missing {
			spans[k*runRows+n] = 0
		}
		d.starts[n] = p
		p = at
	}
	return n, p
}

// skipOther returns the index behind the value at p, which is to be looked at here; -1 if it is of another form. If it is a scalar,
// it ends at index to.
func (d *jsonDecoder) skipOther(form valueForm, p, to int) int {
	if form == anUnusedScalar {
		if !isScalar(d.buf, p, to) {
			return -1
		}
		return to
	}
	if d.buf[p] == '"' || load(d.buf, p)&word4 == nullWord {
		return -1
	}
	return d.scan.skipValue(p, 1)
}

// skipEscapes returns the index of the quote that ends the string from index p on, in which there is an escape at index to, and
// sets its span. It returns 0 if there is no such string.
func (d *jsonDecoder) skipEscapes(part *shapePart, n, p, to int) int {
	if part.form != aString || d.buf[to] != '\\' {
		return 0
	}
	end := d.scan.skipString(to) - 1
	if end < 0 {
		return 0
	}
	d.spans[part.spans+n] = newSpan(p, end) | isEscaped
	return end
}

// isScalar says whether buf[p:end] is a number, true, false or null.
func isScalar(buf []byte, p, end int) bool {
	switch word := load(buf, p); {
	case word&word4 == trueWord, word&word4 == nullWord:
		return end == p+4
	case word&word5 == falseWord:
		return end == p+5
	}
	numEnd, _ := numberEnd(buf, p)
	return numEnd == end && end > p
}
