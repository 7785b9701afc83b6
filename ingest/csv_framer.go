package ingest

import "bytes"

// csvFramer ends records at every \n that is not within quotes. As in RFC 4180 a quote opens a quoted field only at the start of
// a field, so that one stray quote in a field spoils its record and not all that follow.
type csvFramer struct {
	delimiter byte

	state csvState
	// lines are the line ends in the unfinished record.
	lines int64
}

// csvState is where in a record the next byte is.
type csvState uint8

const (
	// atFieldStart ends with the first byte of the field.
	atFieldStart csvState = iota
	// inField ends with a delimiter or line end.
	inField
	// inQuotes ends with a quote.
	inQuotes
	// afterQuote ends with the next byte: another quote leads back into the quotes.
	afterQuote
)

var _ Framer = (*csvFramer)(nil)

// Frame is O(len(fresh)) and looks at single bytes only around quotes.
func (f *csvFramer) Frame(fresh []byte) (end int, records, lines int64) {
	for p := 0; p < len(fresh); {
		switch f.state {
		case inQuotes:
			n := bytes.IndexByte(fresh[p:], '"')
			if n < 0 {
				f.lines += int64(bytes.Count(fresh[p:], newline))
				return end, records, lines
			}
			f.lines += int64(bytes.Count(fresh[p:p+n], newline))
			p += n + 1
			f.state = afterQuote
			continue
		case afterQuote:
			f.state = inField
			if fresh[p] == '"' {
				f.state = inQuotes
				p++
				continue
			}
		case atFieldStart:
			if fresh[p] == '"' {
				f.state = inQuotes
				p++
				continue
			}
		case inField:
		}
		// Outside quotes: on to the next quote, which opens a field if a delimiter or line end is before it.
		n := bytes.IndexByte(fresh[p:], '"')
		if n == 0 { // within a field, or it would have been met above
			p++
			f.state = inField
			continue
		}
		if n < 0 {
			n = len(fresh) - p
		}
		piece := fresh[p : p+n]
		if last := bytes.LastIndexByte(piece, '\n'); last >= 0 {
			ended := int64(bytes.Count(piece, newline))
			records += ended
			lines += f.lines + ended
			f.lines = 0
			end = p + last + 1
		}
		f.state = inField
		if last := piece[n-1]; last == '\n' || last == f.delimiter {
			f.state = atFieldStart
		}
		p += n
	}
	return end, records, lines
}

// Reset forgets an unfinished record.
func (f *csvFramer) Reset() { f.state, f.lines = atFieldStart, 0 }

// csvRecordEnd returns the index behind the first record of v, and whether it ends there: false means that quotes are open at
// the end of v, or that there is no line end.
func csvRecordEnd(v []byte, delimiter byte) (end int, isEnded bool) {
	state := atFieldStart
	for i, c := range v {
		switch {
		case state == inQuotes:
			if c == '"' {
				state = afterQuote
			}
		case c == '"' && (state == atFieldStart || state == afterQuote):
			state = inQuotes
		case c == '\n':
			return i + 1, true
		case c == delimiter:
			state = atFieldStart
		default:
			state = inField
		}
	}
	return len(v), false
}
