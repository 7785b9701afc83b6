package ingest

import (
	"fmt"
	"math/bits"
	"unicode/utf8"

	"github.com/tidemill/tidemill/batch"
)

// maxDepth is how deep arrays and objects may be nested in a record, the record itself included.
const maxDepth = 64

// jsonScanner walks over the JSON text in buf, in which every record is followed by a line end: no production of JSON takes
// one within a record, so that no function needs to know where the record ends. A function that meets a fault returns -1 and
// leaves the reason in why and its index in at.
type jsonScanner struct {
	buf []byte
	at  int
	why string
}

func (s *jsonScanner) fail(at int, why string) int {
	s.at, s.why = at, why
	return -1
}

// failWant reports that something else was expected than the byte at index at.
func (s *jsonScanner) failWant(at int, want string) int {
	if s.buf[at] == '\n' {
		return s.fail(at, "want "+want+", got the end of the record")
	}
	r, _ := utf8.DecodeRune(s.buf[at:])
	return s.fail(at, fmt.Sprintf("want %s, got %q", want, r))
}

// skipBlanks returns the index of the first byte from p on that is no white space; a line end is none.
func skipBlanks(buf []byte, p int) int {
	for buf[p] == ' ' || buf[p] == '\t' || buf[p] == '\r' {
		p++
	}
	return p
}

// stringEnd returns the index of the first byte from p on that is a quote, a backslash or a control character.
//
// With bit 1 flipped, control characters and the quote, and only they, are below 0x21. The lowest byte found is right; borrows
// make false ones only above it.
func stringEnd(buf []byte, p int) int {
	for {
		if found := stringStops(load(buf, p)); found != 0 {
			return p + bits.TrailingZeros64(found)>>3
		}
		p += 8
	}
}

func stringStops(w uint64) uint64 {
	q := w ^ 0x02*ones
	b := w ^ '\\'*ones
	return ((q-0x21*ones)&^q | (b-ones)&^b) & highs
}

// skipString returns the index behind the string whose first byte behind the opening quote is p.
func (s *jsonScanner) skipString(p int) int {
	for {
		p = stringEnd(s.buf, p)
		switch s.buf[p] {
		case '"':
			return p + 1
		case '\\':
			if p = s.skipEscape(p); p < 0 {
				return -1
			}
		case '\n':
			return s.fail(p, "a string does not end")
		default:
			return s.fail(p, fmt.Sprintf("control character %q in a string", rune(s.buf[p])))
		}
	}
}

// skipEscape returns the index behind the escape at p; a pair of surrogates is one.
func (s *jsonScanner) skipEscape(p int) int {
	switch s.buf[p+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return p + 2
	case 'u':
		r := batch.HexValue(s.buf[p+2 : p+6])
		switch {
		case r < 0:
			return s.fail(p, `want four hexadecimal digits behind \u`)
		case r < 0xD800 || r > 0xDFFF:
			return p + 6
		case r < 0xDC00 && s.buf[p+6] == '\\' && s.buf[p+7] == 'u':
			if low := batch.HexValue(s.buf[p+8 : p+12]); low >= 0xDC00 && low <= 0xDFFF {
				return p + 12
			}
		}
		return s.fail(p, "lone surrogate")
	}
	return s.fail(p, `unknown escape in a string`)
}

// skipValue returns the index behind the value at p, whatever it is; depth is how many arrays and objects it is in.
func (s *jsonScanner) skipValue(p, depth int) int {
	switch c := s.buf[p]; {
	case c == '"':
		return s.skipString(p + 1)
	case c == '-' || isDigit(c):
		end, _ := numberEnd(s.buf, p)
		if end == 0 {
			return s.fail(p, "malformed number")
		}
		return end
	case c == 't' && load(s.buf, p)&word4 == trueWord, c == 'n' && load(s.buf, p)&word4 == nullWord:
		return p + 4
	case c == 'f' && load(s.buf, p)&word5 == falseWord:
		return p + 5
	case c == '{' || c == '[':
		if depth == maxDepth {
			return s.fail(p, fmt.Sprintf("nested deeper than %d", maxDepth))
		}
		if c == '[' {
			return s.skipArray(p+1, depth+1)
		}
		return s.skipObject(p+1, depth+1)
	}
	return s.failWant(p, "a value")
}

// The words of JSON as load returns them.
const (
	word4     = 1<<32 - 1
	word5     = 1<<40 - 1
	trueWord  = 't' | 'r'<<8 | 'u'<<16 | 'e'<<24
	nullWord  = 'n' | 'u'<<8 | 'l'<<16 | 'l'<<24
	falseWord = 'f' | 'a'<<8 | 'l'<<16 | 's'<<24 | 'e'<<32
)

func (s *jsonScanner) skipArray(p, depth int) int {
	if p = skipBlanks(s.buf, p); s.buf[p] == ']' {
		return p + 1
	}
	for {
		if p = s.skipValue(p, depth); p < 0 {
			return -1
		}
		p = skipBlanks(s.buf, p)
		switch s.buf[p] {
		case ']':
			return p + 1
		case ',':
			p = skipBlanks(s.buf, p+1)
		default:
			return s.failWant(p, "',' or ']'")
		}
	}
}

func (s *jsonScanner) skipObject(p, depth int) int {
	if p = skipBlanks(s.buf, p); s.buf[p] == '}' {
		return p + 1
	}
	for {
		_, value := s.key(p)
		if value < 0 {
			return -1
		}
		if p = s.skipValue(value, depth); p < 0 {
			return -1
		}
		p = skipBlanks(s.buf, p)
		switch s.buf[p] {
		case '}':
			return p + 1
		case ',':
			p = skipBlanks(s.buf, p+1)
		default:
			return s.failWant(p, "',' or '}'")
		}
	}
}

// key returns the index behind the closing quote of the key at p, and the index of its value.
func (s *jsonScanner) key(p int) (end, value int) {
	if s.buf[p] != '"' {
		return 0, s.failWant(p, "a key")
	}
	if end = s.skipString(p + 1); end < 0 {
		return 0, -1
	}
	p = skipBlanks(s.buf, end)
	if s.buf[p] != ':' {
		return 0, s.failWant(p, "':'")
	}
	return end, skipBlanks(s.buf, p+1)
}
