package ingest

import "math/bits"

// takeRun takes apart records from index p on, up to one that is to be read in full and at most the given number. It returns how
// many they are, and the index behind them.
func (d *jsonDecoder) takeRun(p, most int) (n, end int) {
	for n < most && p < d.limit {
		had := n
		if d.tries > 0 {
			if n, p = d.shapes[d.current].take(d, n, most, p); n == had {
				n, p = d.takeByOther(n, p)
			}
		}
		switch {
		case n > had:
			d.hits += n - had
			d.tries = maxTries
			continue
		case d.tries > 1 && len(d.shapes) < maxShapes, d.tries == 0 && d.pause == 0:
			d.tries = max(d.tries-1, 0)
			d.unknown = p
			return n, p
		case d.tries > 1:
			d.tries--
		case d.tries == 1:
			d.giveUp()
		default:
			d.pause--
		}
		next := d.takeAny(n, p)
		if next == 0 {
			break
		}
		d.starts[n] = p
		n++
		p = next
	}
	return n, p
}

// takeByOther takes the record at p, the n-th of the run, apart by a shape that is not the current one, and makes it the current one.
func (d *jsonDecoder) takeByOther(n, p int) (records, end int) {
	for i := range d.shapes {
		if i == d.current {
			continue
		}
		if records, end = d.shapes[i].take(d, n, n+1, p); records > n {
			d.current = i
			return records, end
		}
	}
	return n, p
}

// giveUp forgets all shapes.
func (d *jsonDecoder) giveUp() {
	if d.hits > fewHits {
		d.wait = 0
	} else {
		d.wait = min(2*d.wait+1, maxWait)
	}
	d.tries, d.pause, d.hits = 0, d.wait, 0
	d.shapes = d.shapes[:0]
}

// learn takes the shape of the record buf[start:end], unless a DOUBLE or the like in it is a string, NaN say: values in its place are numbers.
func (d *jsonDecoder) learn(start, end int) {
	for _, m := range d.members {
		if m.column < 0 || d.buf[m.from] != '"' {
			continue
		}
		if kind := d.columns[m.column].kind; kind == double || kind == nested || kind == number {
			return
		}
	}
	d.current = len(d.shapes)
	if d.current < cap(d.shapes) {
		d.shapes = d.shapes[:d.current+1] // with the memory of a shape that was given up
	} else {
		d.shapes = append(d.shapes, jsonShape{})
	}
	d.shapes[d.current].learn(d, start, end)
	if d.tries == 0 {
		d.tries = maxTries
		if d.wait > 0 {
			d.tries = fewTries
		}
	}
}

// takeAny sets the spans of the record at p, the r-th of the run, whatever the order of its keys, and returns the index behind it.
// It returns 0 if there is anything that needs a closer look: a fault, a value of another type than its column, a used key that
// has escapes or repeats, a blank line.
func (d *jsonDecoder) takeAny(r, p int) int {
	buf, marks, spans := d.buf, d.marks, d.spans
	if p = skipBlanks(buf, p); buf[p] != '{' {
		return 0
	}
	d.clearSpans(r)
	for p = skipBlanks(buf, p+1); ; p = skipBlanks(buf, p+1) {
		if buf[p] != '"' {
			return 0 // {} too
		}
		keyEnd := marks.next(p + 1)
		if buf[keyEnd] != '"' {
			return 0
		}
		key := d.keys.find(buf, p+1, keyEnd)
		if p = skipBlanks(buf, keyEnd+1); buf[p] != ':' {
			return 0
		}
		p = skipBlanks(buf, p+1)
		var s span
		switch {
		case buf[p] == '"' && key.form == aContainer:
			return 0
		case buf[p] == '"' && key.form != aScalar:
			end := marks.next(p + 1)
			s = newSpan(p+1, end)
			if buf[end] != '"' {
				if end = d.scan.skipString(end) - 1; end < 0 {
					return 0
				}
				s = newSpan(p+1, end) | isEscaped
			}
			p = end + 1
		case key.form == aScalar:
			end := scalarEnd(buf, p)
			s = newSpan(p, end)
			p = end
		default:
			end := d.scan.skipValue(p, 1)
			isNull := load(buf, p)&word4 == nullWord
			if end < 0 || key.form == aString && !isNull {
				return 0
			}
			if !isNull {
				s = newSpan(p, end)
			}
			p = end
		}
		if spans[key.spans+r] != 0 && key.isUsed {
			return 0
		}
		spans[key.spans+r] = s
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
	return p + 1
}

// scalarEnd returns the index of the first byte from p on that is a comma, a closing brace, white space or a control character.
// The lowest mark is right, those above it may be false.
func scalarEnd(buf []byte, p int) int {
	for ; ; p += 8 {
		word := load(buf, p)
		comma, brace := word^','*ones, word^'}'*ones
		if found := ((comma-ones)&^comma | (brace-ones)&^brace | (word-0x21*ones)&^word) & highs; found != 0 {
			return p + bits.TrailingZeros64(found)>>3
		}
	}
}
