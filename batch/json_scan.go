package batch

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// JSONScanner walks over JSON text (RFC 8259). Its functions take the index at which something begins and return the index behind
// it, or -1 where it is not well formed; Why and At then say what is wrong and where. Nothing is read behind the text. The zero
// value with Text set is ready.
type JSONScanner struct {
	Text []byte
	Why  string
	At   int
}

func (s *JSONScanner) fail(at int, why string) int {
	s.At, s.Why = at, why
	return -1
}

func (s *JSONScanner) failWant(at int, want string) int {
	if at >= len(s.Text) {
		return s.fail(at, "want "+want+", got the end of the text")
	}
	r, _ := utf8.DecodeRune(s.Text[at:])
	return s.fail(at, fmt.Sprintf("want %s, got %q", want, r))
}

// byteAt returns the byte at p, 0 behind the text.
func (s *JSONScanner) byteAt(p int) byte {
	if p < len(s.Text) {
		return s.Text[p]
	}
	return 0
}

// Blanks returns the index of the first byte from p on that is no white space.
func (s *JSONScanner) Blanks(p int) int {
	for p < len(s.Text) {
		switch s.Text[p] {
		case ' ', '\t', '\r', '\n':
			p++
		default:
			return p
		}
	}
	return p
}

// Value returns the index behind the value at p, whatever it is, which is in depth arrays and objects, at most MaxNesting.
func (s *JSONScanner) Value(p, depth int) int {
	switch c := s.byteAt(p); {
	case c == '"':
		return s.String(p)
	case c == '-' || isDigit(c):
		return s.number(p)
	case c == 't':
		return s.word(p, "true")
	case c == 'f':
		return s.word(p, "false")
	case c == 'n':
		return s.word(p, "null")
	case c == '{' || c == '[':
		if depth == MaxNesting {
			return s.fail(p, fmt.Sprintf("nested deeper than %d", MaxNesting))
		}
		return s.container(p, depth+1, c == '{')
	}
	return s.failWant(p, "a value")
}

func isDigit(c byte) bool { return c-'0' < 10 }

func (s *JSONScanner) word(p int, w string) int {
	if end := p + len(w); end <= len(s.Text) && string(s.Text[p:end]) == w {
		return end
	}
	return s.failWant(p, "a value")
}

func (s *JSONScanner) container(p, depth int, isObject bool) int {
	closing, want := byte(']'), "',' or ']'"
	if isObject {
		closing, want = '}', "',' or '}'"
	}
	if p = s.Blanks(p + 1); s.byteAt(p) == closing {
		return p + 1
	}
	for {
		if isObject {
			if _, p = s.Key(p); p < 0 {
				return -1
			}
		}
		if p = s.Value(p, depth); p < 0 {
			return -1
		}
		p = s.Blanks(p)
		switch s.byteAt(p) {
		case closing:
			return p + 1
		case ',':
			p = s.Blanks(p + 1)
		default:
			return s.failWant(p, want)
		}
	}
}

// Key returns the index behind the key at p, with its quotes, and that of its value.
func (s *JSONScanner) Key(p int) (end, value int) {
	if s.byteAt(p) != '"' {
		return 0, s.failWant(p, "a key")
	}
	if end = s.String(p); end < 0 {
		return 0, -1
	}
	p = s.Blanks(end)
	if s.byteAt(p) != ':' {
		return 0, s.failWant(p, "':'")
	}
	return end, s.Blanks(p + 1)
}

// String returns the index behind the string whose opening quote is at p.
func (s *JSONScanner) String(p int) int {
	for p++; p < len(s.Text); {
		switch c := s.Text[p]; {
		case c == '"':
			return p + 1
		case c == '\\':
			if p = s.escape(p); p < 0 {
				return -1
			}
		case c < 0x20:
			return s.fail(p, fmt.Sprintf("control character %q in a string", rune(c)))
		default:
			p++
		}
	}
	return s.fail(p, "a string does not end")
}

func (s *JSONScanner) escape(p int) int {
	switch s.byteAt(p + 1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return p + 2
	case 'u':
		switch r := s.hex4(p + 2); {
		case r < 0:
			return s.fail(p, `want four hexadecimal digits behind \u`)
		case r < 0xD800 || r > 0xDFFF:
			return p + 6
		case r < 0xDC00 && s.byteAt(p+6) == '\\' && s.byteAt(p+7) == 'u':
			if low := s.hex4(p + 8); low >= 0xDC00 && low <= 0xDFFF {
				return p + 12
			}
		}
		return s.fail(p, "lone surrogate")
	}
	return s.fail(p, "unknown escape in a string")
}

func (s *JSONScanner) hex4(p int) rune {
	if p+4 > len(s.Text) {
		return -1
	}
	return HexValue(s.Text[p : p+4])
}

// HexValue returns the value of hexadecimal digits, four of an escape in JSON, -1 if one of them is none.
func HexValue(digits []byte) rune {
	var r rune
	for _, c := range digits {
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return r
}

func (s *JSONScanner) digits(p int) int {
	for isDigit(s.byteAt(p)) {
		p++
	}
	return p
}

func (s *JSONScanner) number(start int) int {
	p := start
	if s.byteAt(p) == '-' {
		p++
	}
	first := p
	if p = s.digits(p); p == first || p > first+1 && s.Text[first] == '0' {
		return s.fail(start, "malformed number")
	}
	if s.byteAt(p) == '.' {
		fraction := p + 1
		if p = s.digits(fraction); p == fraction {
			return s.fail(start, "malformed number")
		}
	}
	if s.byteAt(p)|0x20 == 'e' {
		p++
		if c := s.byteAt(p); c == '+' || c == '-' {
			p++
		}
		exponent := p
		if p = s.digits(exponent); p == exponent {
			return s.fail(start, "malformed number")
		}
	}
	return p
}

// AppendUnescaped appends the text that a well-formed JSON string, given without its quotes, stands for.
func AppendUnescaped(dst, v []byte) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(v))
	return dst[:n+Unescape(dst[n:n+len(v)], v)]
}

// Unescape is AppendUnescaped into the room of dst, at least as much as v has, and returns how many bytes the text has: never more than
// v. dst may be v.
func Unescape(dst, v []byte) int {
	n := 0
	for i := 0; i < len(v); {
		if v[i] != '\\' {
			dst[n] = v[i]
			n++
			i++
			continue
		}
		c := v[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := HexValue(v[i : i+4])
			i += 4
			if r >= 0xD800 && r <= 0xDFFF {
				r = 0x10000 + (r-0xD800)<<10 + HexValue(v[i+2:i+6]) - 0xDC00
				i += 6
			}
			n += utf8.EncodeRune(dst[n:], r)
			continue
		}
		dst[n] = c
		n++
	}
	return n
}
