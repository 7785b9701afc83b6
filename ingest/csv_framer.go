package ingest

import (
	"bytes"
	"math/bits"
)

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

// Frame is O(len(fresh)). Where there are quotes it takes 64 bytes at a time, unless one of them is within a field that it did not
// open.
func (f *csvFramer) Frame(fresh []byte) (int, int64, int64) {
	if len(fresh) == 0 {
		return 0, 0, 0
	}
	if f.state != inQuotes && bytes.IndexByte(fresh, '"') < 0 {
		return f.framePlain(fresh)
	}
	done, end, records, lines := f.frameWords(fresh)
	behind, more, moreLines := f.frameBytes(fresh[done:])
	if more > 0 {
		end = done + behind
	}
	return end, records + more, lines + moreLines
}

// frameWords is Frame for the first bytes of fresh: done of them, a multiple of 64. It stops at a quote that neither opens a field
// nor closes one.
//
// Example, with a bit for every byte of `x,"a,""b"` and a newline, the first one lowest: quotes 0010011010, their sums modulo 2 from
// the left 0011101100. There, from the opening quote to the byte before the closing one, delimiters and newlines are text. The
// quotes at 2 and 6 open: behind a delimiter, and, as a doubled quote does, right behind a quote that closed.
func (f *csvFramer) frameWords(fresh []byte) (done, end int, records, lines int64) {
	var quotes, newlines, delimiters [framedWords*8 + 8]byte
	quoted := uint64(0) // all bits are those of the byte before
	if f.state == inQuotes {
		quoted = ^uint64(0)
	}
	for at := 0; len(fresh)-done >= 64; at += 8 {
		if at %= framedWords * 8; at == 0 {
			n := min(len(fresh)-done, framedWords*64) &^ 63
			marks(quotes[:]).mark(fresh[done:], n, oneByte('"'))
			marks(newlines[:]).mark(fresh[done:], n, oneByte('\n'))
			marks(delimiters[:]).mark(fresh[done:], n, oneByte(f.delimiter))
		}
		quote, newline := load(quotes[:], at), load(newlines[:], at)
		isQuoted := sums(quote) ^ quoted
		ends := (newline | load(delimiters[:], at)) &^ isQuoted
		before := (ends | quote&^isQuoted) << 1
		if f.state == atFieldStart || f.state == afterQuote {
			before |= 1
		}
		if quote&isQuoted&^before != 0 {
			return done, end, records, lines
		}
		switch last := uint64(1) << 63; {
		case isQuoted&last != 0:
			f.state = inQuotes
		case quote&last != 0:
			f.state = afterQuote
		case ends&last != 0:
			f.state = atFieldStart
		default:
			f.state = inField
		}
		quoted = uint64(int64(isQuoted) >> 63)
		if recordEnds := newline &^ isQuoted; recordEnds != 0 {
			size := bits.Len64(recordEnds)
			inRecords := newline & (^uint64(0) >> (64 - size))
			records += int64(bits.OnesCount64(recordEnds))
			lines += f.lines + int64(bits.OnesCount64(inRecords))
			f.lines = 0
			newline &^= inRecords
			end = done + size
		}
		f.lines += int64(bits.OnesCount64(newline))
		done += 64
	}
	return done, end, records, lines
}

// framedWords is how many blocks of 64 bytes are marked at a time: their marks stay in an L1 cache.
const framedWords = 64

// oneByte returns the set of c.
func oneByte(c byte) *byteSet { return &byteSet{flip: c, a: c, b: c} }

// sums returns, for every bit, the sum modulo 2 of it and all lower ones.
func sums(w uint64) uint64 {
	w ^= w << 1
	w ^= w << 2
	w ^= w << 4
	w ^= w << 8
	w ^= w << 16
	return w ^ w<<32
}

// frameBytes is Frame for all of fresh. It looks at single bytes only around quotes.
func (f *csvFramer) frameBytes(fresh []byte) (end int, records, lines int64) {
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
		if behind, more, moreLines := f.framePlain(fresh[p : p+n]); more > 0 {
			end = p + behind
			records += more
			lines += moreLines
		}
		p += n
	}
	return end, records, lines
}

// framePlain is Frame for bytes, at least one, none of which is a quote or in quotes.
func (f *csvFramer) framePlain(fresh []byte) (end int, records, lines int64) {
	if end = bytes.LastIndexByte(fresh, '\n') + 1; end > 0 {
		records = int64(bytes.Count(fresh[:end], newline))
		lines = f.lines + records
		f.lines = 0
	}
	f.state = inField
	if last := fresh[len(fresh)-1]; last == '\n' || last == f.delimiter {
		f.state = atFieldStart
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
