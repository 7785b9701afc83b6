package ingest

// takeRun takes apart records from index p on, up to one that is to be read in full, since it has a fault or is a blank line, and at
// most the given number. It returns how many they are, and the index behind them.
func (d *csvDecoder) takeRun(p, most int) (n, end int) {
	buf, marks, spans, delimiter := d.buf, d.marks, d.spans, d.format.delimiter
	fields, last := d.fields[:len(d.fields)-1], &d.fields[len(d.fields)-1]
records:
	for ; n < most && p < d.limit; n++ {
		at := p
		for i := range fields {
			to := marks.next(at)
			spans[fields[i].spans+n] = newSpan(at, to)
			if buf[to] != delimiter {
				if to = d.takeQuoted(at, fields[i].spans+n); to == 0 || buf[to] != delimiter {
					break records
				}
			}
			at = to + 1
		}
		to := marks.next(at)
		size := to - at
		if size > 0 && buf[to-1] == '\r' {
			size--
		}
		spans[last.spans+n] = newSpan(at, at+size)
		if buf[to] != '\n' {
			if to = d.takeQuoted(at, last.spans+n); to == 0 {
				break
			}
			if buf[to] == '\r' {
				to++
			}
			if buf[to] != '\n' {
				break
			}
		} else if at == p && size == 0 {
			break
		}
		d.starts[n] = p
		p = to + 1
	}
	if d.format.null != "" {
		d.clearNulls(n)
	}
	return n, p
}

// takeQuoted sets the i-th span to the field at p, and returns the index behind its closing quote; 0 if it is not in quotes, or
// does not end.
func (d *csvDecoder) takeQuoted(p, i int) int {
	buf := d.buf
	if buf[p] != '"' {
		return 0
	}
	from, flags := p+1, isQuoted
	for p++; p < d.limit; p++ {
		if p = d.marks.next(p); buf[p] != '"' {
			continue // a delimiter or a line end in quotes
		}
		if buf[p+1] != '"' {
			d.spans[i] = newSpan(from, p) | flags
			return p + 1
		}
		flags |= isEscaped
		p++
	}
	return 0
}

// clearNulls makes the values of n records missing that are the text for NULL. An empty one at the start of the block, which looks
// as if it were missing, is not.
func (d *csvDecoder) clearNulls(n int) {
	for i := range d.fields {
		f := &d.fields[i]
		if f.column == nil {
			continue
		}
		spans := d.spans[f.spans:][:n]
		for r, s := range spans {
			switch {
			case s == 0:
				spans[r] = isQuoted
			case s&isQuoted == 0 && string(d.buf[s.from():s.to()]) == d.format.null:
				spans[r] = 0
			}
		}
	}
}
