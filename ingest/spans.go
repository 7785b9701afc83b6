package ingest

import (
	"math"
	"math/bits"

	"github.com/tidemill/tidemill/batch"
)

// span is where a value is: the index of its first byte in the lower half, the index behind its last one in the upper half. 0 is
// a value that is missing or NULL.
type span uint64

const (
	// isEscaped says that the text has escapes, or doubled quotes. They are well formed.
	isEscaped span = 1 << 31
	// isQuoted says that the field of a CSV record is in quotes, so that it is not NULL.
	isQuoted span = 1 << 63

	spanIndex = 1<<31 - 1
)

func newSpan(from, to int) span { return span(from) | span(to)<<32 }

func (s span) from() int { return int(s & spanIndex) }

func (s span) to() int { return int(s >> 32 & spanIndex) }

// runRows is how many records are taken apart before their values are read column by column: the spans of ten columns then fit
// in half of an L1 cache of 32 KiB.
const runRows = 128

// fewRunRows is what a run may always have, so that its columns are worth a call each.
const fewRunRows = 8

// spansOf returns the spans of a column for n records of the run.
func (d *recordDecoder) spansOf(column, n int) []span {
	return d.spans[column*runRows:][:n]
}

// clearSpans makes the values of a record missing.
func (d *recordDecoder) clearSpans(r int) {
	for i := r; i < len(d.spans); i += runRows {
		d.spans[i] = 0
	}
}

// readRun writes the values of n records to the rows from row on, and returns how many rows it wrote: the next record, if there
// is one, has a value that needs a closer look.
func (d *recordDecoder) readRun(row, n int) int {
	written := n
	for k := range d.columns {
		c := &d.columns[k]
		spans := d.spansOf(k, written)
		switch c.kind {
		case bigInt:
			written = d.readInts(c, spans, row)
		case double:
			written = d.readDoubles(c, spans, row)
		case timestamp:
			written = d.readTimes(c, spans, row)
		case boolean:
			written = d.readBools(c, spans, row)
		case number, calendar:
			written = d.readTyped(c, spans, row)
		case nested:
			written = d.readNested(c, spans, row)
		case text:
		}
	}
	for k := range d.columns {
		c := &d.columns[k]
		if c.kind == text {
			d.readTexts(c, d.spansOf(k, written), row)
			continue
		}
		for r := written; r < n; r++ {
			c.rewind(row + r)
		}
	}
	if written < n {
		d.most = max(d.most/2, fewRunRows)
	} else {
		d.most = min(d.most*2, runRows)
	}
	return written
}

// readInts writes BIGINT values up to the first one that needs a closer look, and returns how many it wrote; readDoubles, readTimes
// and readBools do the same for their types.
func (d *recordDecoder) readInts(c *columnWriter, spans []span, row int) int {
	buf, out := d.buf, c.ints[row:][:len(spans)]
	for r, s := range spans {
		from, to := s.from(), s.to()
		word := load(buf, from)
		// Without a branch: the sign of values is often random.
		negative := 0
		if byte(word) == '-' {
			negative = 1
		}
		from += negative
		size := to - from
		word = load(buf, from) ^ '0'*ones
		var v uint64
		switch {
		case size > 16 || size > 1 && byte(word) == 0:
			size = 0
		case size > 8:
			low := load(buf, to-8) ^ '0'*ones
			word <<= (128 - 8*size) & 63
			if batch.NotDigits(word)|batch.NotDigits(low) != 0 {
				size = 0
			}
			v = batch.EightDigits(word)*1e8 + batch.EightDigits(low)
		case size > 0:
			word <<= (64 - 8*size) & 63
			if batch.NotDigits(word) != 0 {
				size = 0
			}
			v = batch.EightDigits(word)
		}
		if size <= 0 {
			if !d.readOther(c, s, row+r) {
				return r
			}
			continue
		}
		out[r] = int64(v) * (1 - 2*int64(negative))
	}
	return len(spans)
}

// readDoubles reads decimals of up to 8 bytes by readPlaces, which takes most, or shortDecimal.
func (d *recordDecoder) readDoubles(c *columnWriter, spans []span, row int) int {
	buf, out := d.buf, c.floats[row:][:len(spans)]
	turns := 0
	for r := 0; r < len(spans); r++ {
		if turns < maxPlacesTurns {
			turns++
			if r += readPlaces(out[r:], buf, spans[r:], c.places); r == len(spans) {
				break
			}
		}
		s := spans[r]
		v, places, ok := shortDecimal(buf, s.from(), s.to())
		if ok {
			out[r] = v
			c.places = max(places, 1)
		} else if !d.readOther(c, s, row+r) {
			return r
		}
	}
	return len(spans)
}

// maxPlacesTurns is how often in a run readPlaces begins anew: where it ends early each time, it costs more than it spares.
const maxPlacesTurns = 8

// readPlaces reads decimals of up to 8 bytes that have a whole part and exactly so many places, one or more, up to the first one
// that is none, and returns how many they are. It gives what shortDecimal does with less than half of the work: where the dot is
// from the end is known.
//
// Example: with one place 12.5 shifted up by 4 bytes and without 0x30 has the bytes 0 0 0 0 1 2 1E 5. Byte 6 is to be the dot, and
// the bytes below it move up by one.
func readPlaces(out []float64, buf []byte, spans []span, places int) int {
	if places > 6 {
		return 0
	}
	out = out[:len(spans)]
	at := 8 * (7 - places)
	dot, dotMask := uint64('.'^'0')<<(at&63), uint64(0xFF)<<(at&63)
	below, above, divisor := uint64(1)<<(at&63)-1, ^(uint64(1)<<((at+8)&63) - 1), pow10Exact[places]
	shortest := places + 2 // a digit and the dot
	for r, s := range spans {
		from, to := s.from(), s.to()
		negative := 0
		if byte(load(buf, from)) == '-' {
			negative = 1
		}
		from += negative
		size := to - from
		if uint(size-shortest) > uint(8-shortest) {
			return r
		}
		word := load(buf, from) ^ '0'*ones
		if byte(word) == 0 && size > shortest {
			return r // a superfluous zero
		}
		word <<= (64 - 8*size) & 63
		digits := word&below<<8 | word&above
		if batch.NotDigits(digits)|(word^dot)&dotMask != 0 {
			return r
		}
		v := float64(int64(batch.EightDigits(digits))) / divisor
		out[r] = math.Float64frombits(math.Float64bits(v) | uint64(negative)<<63)
	}
	return len(spans)
}

// shortDecimal reads a decimal of up to 8 bytes as scanDouble does, and by the same reason. It also returns how many places it has.
func shortDecimal(buf []byte, from, to int) (v float64, places int, ok bool) {
	negative := 0
	if byte(load(buf, from)) == '-' {
		negative = 1
	}
	from += negative
	size := to - from
	if uint(size-1) >= 8 {
		return 0, 0, false
	}
	shift := (64 - 8*size) & 63
	word := load(buf, from) ^ '0'*ones
	isZero := byte(word) == 0
	word <<= shift
	whole := size
	dots := word ^ ('.'^'0')*ones
	if dots = (dots - ones) &^ dots & highs; dots != 0 {
		at := bits.TrailingZeros64(dots) &^ 7
		below := uint64(1)<<(at&63) - 1
		word = word&below<<8 | word&^(below<<8|0xFF)
		places, whole = 7-at>>3, (at-shift)>>3
		if places == 0 {
			whole = 0
		}
	}
	if batch.NotDigits(word) != 0 || whole <= 0 || isZero && whole > 1 {
		return 0, 0, false
	}
	v = float64(int64(batch.EightDigits(word))) / pow10Exact[places]
	return math.Float64frombits(math.Float64bits(v) | uint64(negative)<<63), places, true
}

func (d *recordDecoder) readTimes(c *columnWriter, spans []span, row int) int {
	out := c.ints[row:][:len(spans)]
	for r, s := range spans {
		v, ok := d.times.parseUsual(d.buf, s.from(), s.to())
		if !ok {
			if !d.readOther(c, s, row+r) {
				return r
			}
			continue
		}
		out[r] = v
	}
	return len(spans)
}

func (d *recordDecoder) readBools(c *columnWriter, spans []span, row int) int {
	for r, s := range spans {
		word := load(d.buf, s.from())
		switch size := s.to() - s.from(); {
		case size == 4 && word&word4 == trueWord:
			c.setBool(row+r, true)
		case size == 5 && word&word5 == falseWord:
			c.setBool(row+r, false)
		default:
			if !d.readOther(c, s, row+r) {
				return r
			}
		}
	}
	return len(spans)
}

// readTexts writes TEXT values, all of which are fine. It copies in pieces of fixed size, so that bytes behind the text are written.
func (d *recordDecoder) readTexts(c *columnWriter, spans []span, row int) {
	buf, dst, end := d.buf, c.text, c.end
	offsets := c.offsets[row+1:][:len(spans)]
	for r, s := range spans {
		from := s.from()
		size := s.to() - from
		switch {
		case s&isEscaped != 0:
			size = d.unescape(dst[end:], buf[from:from+size])
		case uint(size-1) < 32:
			copy32(dst, end, buf, from)
		case uint(size-1) < 64:
			copy32(dst, end, buf, from)
			copy32(dst, end+32, buf, from+32)
		case size > 0:
			copy(dst[end:], buf[from:from+size])
		case s == 0 || c.emptyIsNull && s&isQuoted == 0:
			c.end = end
			c.setNull(row + r)
		}
		end += size
		offsets[r] = int32(end)
	}
	c.end = end
}

// readOther writes a value that is NULL or in an unusual form. It returns false, and the record is to be read in full, if the value
// does not fit, which is not said here.
func (d *recordDecoder) readOther(c *columnWriter, s span, row int) bool {
	from, to := s.from(), s.to()
	switch {
	case s == 0 || c.emptyIsNull && from == to && s&isQuoted == 0:
		c.setNull(row)
		return true
	case s&isEscaped != 0:
		return false
	case d.isLenient || c.kind == timestamp || c.kind == calendar:
		return c.setFromText(row, d.buf[from:to], &d.times) == noFault
	case string(d.buf[from:to]) == "null":
		c.setNull(row)
		return true
	}
	var end int
	switch c.kind {
	case bigInt:
		c.ints[row], end = scanInt(d.buf, from)
	case double:
		c.floats[row], end = scanDouble(d.buf, from)
	case number:
		if end, _ = numberEnd(d.buf, from); end == to && c.setTyped(row, d.buf[from:to]) != noFault {
			return false
		}
	case boolean, text, timestamp, calendar, nested:
	}
	return end == to && end > 0
}
