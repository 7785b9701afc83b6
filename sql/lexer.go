package sql

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	endOfScript tokenKind = iota
	word                  // a keyword or a name: which of them, the parser knows
	quotedName            // `name`
	stringText            // 'text' or "text"
	number                // 1, 1.5, 1e3, 1L
	sign                  // an operator or a bracket
	parameter             // ${name}: text is the name
	badToken              // text says what is wrong
)

// token is a piece of a script: text[start:end].
type token struct {
	kind       tokenKind
	text       string // word, number and sign: as written; quotedName and stringText: the value
	upper      string // word: in upper case, ASCII letters only
	start, end int
	pos        Pos
}

// lexer cuts a script into tokens.
type lexer struct {
	text   string
	at     int // byte offset of the next rune
	pos    Pos // of the next rune
	tokens []token
}

// lex returns the tokens of text, which is valid UTF-8. The last one is an endOfScript or a badToken.
func lex(text string) []token {
	l := &lexer{text: text, pos: Pos{Line: 1, Column: 1}}
	for {
		if bad := l.skipBlank(); bad != nil {
			return append(l.tokens, *bad)
		}
		t := token{start: l.at, pos: l.pos}
		l.next(&t)
		t.end = l.at
		l.tokens = append(l.tokens, t)
		if t.kind == endOfScript || t.kind == badToken {
			return l.tokens
		}
	}
}

// peek returns the next rune, 0 at the end.
func (l *lexer) peek() rune {
	r, _ := utf8.DecodeRuneInString(l.text[l.at:])
	if l.at >= len(l.text) {
		return 0
	}
	return r
}

func (l *lexer) advance() rune {
	if l.at >= len(l.text) {
		return 0
	}
	r, size := utf8.DecodeRuneInString(l.text[l.at:])
	l.at += size
	l.pos.Column++
	if r == '\n' {
		l.pos = Pos{Line: l.pos.Line + 1, Column: 1}
	}
	return r
}

func (l *lexer) skip(runes int) {
	for range runes {
		l.advance()
	}
}

func (l *lexer) hasPrefix(s string) bool { return strings.HasPrefix(l.text[l.at:], s) }

// skipBlank skips white space and comments.
func (l *lexer) skipBlank() *token {
	for l.at < len(l.text) {
		switch {
		case unicode.IsSpace(l.peek()) || l.peek() == '\uFEFF' && l.at == 0:
			l.advance()
		case l.hasPrefix("--"):
			for l.at < len(l.text) && l.peek() != '\n' {
				l.advance()
			}
		case l.hasPrefix("/*"):
			start, pos := l.at, l.pos
			l.skip(2)
			for !l.hasPrefix("*/") {
				if l.at >= len(l.text) {
					return &token{kind: badToken, text: "the comment has no end: */ is missing", start: start, end: l.at, pos: pos}
				}
				l.advance()
			}
			l.skip(2)
		default:
			return nil
		}
	}
	return nil
}

// signs are the operators and brackets, longer ones first.
var signs = []string{
	"<=>", "||", "::", "->", "<=", ">=", "<>", "!=", "==",
	"(", ")", ",", ";", ".", "+", "-", "*", "/", "%", "=", "<", ">", "!",
	"[", "]",
	"|", "?", "{", "}", // of patterns
}

func (l *lexer) next(t *token) {
	r := l.peek()
	switch {
	case l.at >= len(l.text):
		t.kind = endOfScript
	case r == '\'' || r == '"':
		l.quoted(t, false)
	case r == '`':
		l.quotedName(t)
	case (r == 'r' || r == 'R') && l.at+1 < len(l.text) && (l.text[l.at+1] == '\'' || l.text[l.at+1] == '"'):
		l.advance()
		l.quoted(t, true)
	case l.hasPrefix("${"):
		l.parameter(t)
	case isWordStart(r):
		for isWordStart(l.peek()) || unicode.IsDigit(l.peek()) {
			l.advance()
		}
		t.kind, t.text = word, l.text[t.start:l.at]
		t.upper = asciiUpper(t.text)
	case isDigit(r) || r == '.' && l.at+1 < len(l.text) && isDigit(rune(l.text[l.at+1])):
		l.number(t)
	default:
		for _, s := range signs {
			if l.hasPrefix(s) {
				l.skip(len(s))
				t.kind, t.text = sign, s
				return
			}
		}
		t.kind, t.text = badToken, badSign(r)
	}
}

func badSign(r rune) string {
	switch r {
	case '&', '|', '^', '~':
		return fmt.Sprintf("not supported yet: the bit operator %c", r)
	case '{', '}', ':', '@', '?', '$':
		return fmt.Sprintf("not supported: %c", r)
	}
	return fmt.Sprintf("unexpected character %q", r)
}

func isWordStart(r rune) bool { return r == '_' || unicode.IsLetter(r) }

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// number reads digits, a fraction, an exponent and one of Spark's suffixes: L (BIGINT), S (SMALLINT), Y (TINYINT), D (DOUBLE), F (FLOAT)
// and BD (DECIMAL).
func (l *lexer) number(t *token) {
	digits := func() {
		for isDigit(l.peek()) {
			l.advance()
		}
	}
	digits()
	if l.peek() == '.' {
		l.advance()
		digits()
	}
	if r := l.peek(); r == 'e' || r == 'E' {
		rest := strings.TrimLeft(l.text[l.at+1:], "+-")
		if rest != "" && isDigit(rune(rest[0])) && len(l.text[l.at+1:])-len(rest) <= 1 {
			l.skip(len(l.text[l.at:]) - len(rest))
			digits()
		}
	}
	if rest := l.text[l.at:]; len(rest) > 1 && asciiUpper(rest[:2]) == "BD" {
		l.skip(2)
	} else if rest != "" && strings.IndexByte("LSYDFlsydf", rest[0]) >= 0 {
		l.advance()
	}
	t.kind, t.text = number, l.text[t.start:l.at]
	if isWordStart(l.peek()) {
		for isWordStart(l.peek()) || isDigit(l.peek()) {
			l.advance()
		}
		t.kind = badToken
		t.text = fmt.Sprintf("%q is neither a number nor a name: quote names that begin with a digit, as in `%s`",
			l.text[t.start:l.at], l.text[t.start:l.at])
	}
}

// quoted reads a string in Spark's form: a doubled quote is one quote, and, unless it is raw, a backslash escapes.
func (l *lexer) quoted(t *token, raw bool) {
	quote := l.advance()
	var b strings.Builder
	for {
		if l.at >= len(l.text) {
			t.kind, t.text = badToken, fmt.Sprintf("the string has no end: %c is missing", quote)
			return
		}
		r := l.advance()
		switch {
		case r == quote && l.peek() == quote && !raw:
			l.advance()
			b.WriteRune(quote)
		case r == quote:
			t.kind, t.text = stringText, b.String()
			return
		case r == '\\' && !raw && l.at < len(l.text):
			l.escape(&b)
		default:
			b.WriteRune(r)
		}
	}
}

// escapes are the letters behind a backslash that mean another character.
var escapes = map[rune]rune{'0': 0, 'b': '\b', 'n': '\n', 'r': '\r', 't': '\t', 'Z': 0x1A}

// escape reads what follows a backslash. As in Spark, \% and \_ keep it, for LIKE.
func (l *lexer) escape(b *strings.Builder) {
	if code, ok := hexRune(l.text[l.at:]); ok {
		l.skip(5)
		b.WriteRune(code)
		return
	}
	r := l.advance()
	switch to, ok := escapes[r]; {
	case ok:
		b.WriteRune(to)
	case r == '%' || r == '_':
		b.WriteRune('\\')
		b.WriteRune(r)
	default:
		b.WriteRune(r)
	}
}

// hexRune reads uXXXX at the start of s; half of a surrogate pair is no character.
func hexRune(s string) (rune, bool) {
	if len(s) < 5 || s[0] != 'u' {
		return 0, false
	}
	code := rune(0)
	for _, c := range []byte(s[1:5]) {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 {
			return 0, false
		}
		code = code<<4 | rune(digit)
	}
	return code, utf8.ValidRune(code)
}

func (l *lexer) quotedName(t *token) {
	l.advance()
	var b strings.Builder
	for {
		if l.at >= len(l.text) {
			t.kind, t.text = badToken, "the name has no end: ` is missing"
			return
		}
		r := l.advance()
		if r == '`' && l.peek() != '`' {
			break
		}
		if r == '`' {
			l.advance()
		}
		b.WriteRune(r)
	}
	t.kind, t.text = quotedName, b.String()
	if t.text == "" {
		t.kind, t.text = badToken, "the name between ` and ` is empty"
	}
}

// asciiUpper leaves other letters alone, so that no word but SELECT is SELECT.
func asciiUpper(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, s)
}
