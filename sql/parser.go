package sql

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxScriptBytes, maxDepth and maxHeight bound the work that a hostile script can cause. maxDepth is for brackets, which the
// parser descends into; maxHeight for trees, which grow without descent in chains such as a + b + c.
const (
	maxScriptBytes = 1 << 20
	maxDepth       = 200
	maxHeight      = 1000
)

// Parse parses statements separated by semicolons. Its error is an Errors with the first fault of each statement.
func Parse(text string) (*Script, error) {
	return ParseWith(text, nil)
}

// script parses all statements.
func (p *parser) script(text string) (*Script, error) {
	s := &Script{text: text}
	for {
		for p.acceptSign(";") {
		}
		if p.peek().kind == endOfScript {
			s.end = p.peek().pos
			break
		}
		if st := p.statement(); !p.failed {
			s.statements = append(s.statements, st)
			if p.peek().kind != endOfScript && !p.isSign(";") {
				p.unexpected("; or the end of the script")
			}
		}
		p.recover()
	}
	return s, p.faults.err()
}

// parser is a recursive descent over tokens. The first fault of a statement is recorded and sets failed; from then on the parser
// sees the end of the script only, so that all loops end, until recover skips to the next statement.
type parser struct {
	tokens []token
	at     int
	depth  int
	failed bool
	faults faults
}

func newParser(text string) (*parser, error) {
	f := faults{text: text}
	switch {
	case len(text) > maxScriptBytes:
		f.add(Pos{Line: 1, Column: 1}, "the script is longer than %d bytes: %d", maxScriptBytes, len(text))
	case !utf8.ValidString(text):
		good := text[:len(text)-len(strings.TrimPrefix(text, validPrefix(text)))]
		lines := strings.Count(good, "\n")
		column := utf8.RuneCountInString(good[strings.LastIndexByte(good, '\n')+1:]) + 1
		f.add(Pos{Line: lines + 1, Column: column}, "the script is not UTF-8")
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	return &parser{tokens: lex(text), faults: f}, nil
}

func validPrefix(text string) string {
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)) {
			return text[:i]
		}
	}
	return text
}

func (p *parser) peek() token { return p.peekAt(0) }

func (p *parser) peekAt(n int) token {
	i := min(p.at+n, len(p.tokens)-1)
	if p.failed {
		return token{kind: endOfScript, pos: p.tokens[i].pos}
	}
	return p.tokens[i]
}

func (p *parser) take() token {
	t := p.peek()
	if !p.failed && p.at < len(p.tokens)-1 {
		p.at++
	}
	return t
}

// fail records the statement's first fault.
func (p *parser) fail(at Pos, format string, args ...any) {
	if !p.failed {
		p.faults.add(at, format, args...)
		p.failed = true
	}
}

// recover skips the rest of a statement that has a fault.
func (p *parser) recover() {
	if !p.failed {
		return
	}
	p.failed, p.depth = false, 0
	for !p.isSign(";") && p.peek().kind != endOfScript {
		if p.peek().kind == badToken {
			p.tokens = append(p.tokens[:p.at:p.at], token{kind: endOfScript, pos: p.peek().pos})
			break
		}
		p.take()
	}
}

// unexpected fails with what was wanted and what is there.
func (p *parser) unexpected(want string) {
	t := p.peek()
	switch {
	case p.failed:
	case t.kind == badToken:
		p.fail(t.pos, "%s", t.text)
	case t.kind == endOfScript || t.text == ";" && t.kind == sign:
		p.fail(t.pos, "expected %s, found the end of the statement", want)
	default:
		p.fail(t.pos, "expected %s, found %s", want, t.shown())
	}
}

// shown returns t as it stands in messages.
func (t token) shown() string {
	switch t.kind {
	case word, number, sign:
		return fmt.Sprintf("%q", t.text)
	case quotedName:
		return "the name " + quoteName(t.text)
	case stringText:
		return fmt.Sprintf("the string %q", t.text)
	case endOfScript, badToken, parameter:
	}
	return "the end"
}

func (p *parser) isSign(s string) bool {
	t := p.peek()
	return t.kind == sign && t.text == s
}

func (p *parser) acceptSign(s string) bool {
	if p.isSign(s) {
		p.take()
		return true
	}
	return false
}

func (p *parser) expectSign(s string) {
	if !p.acceptSign(s) {
		p.unexpected(s)
	}
}

// isWords says whether the next tokens are the keywords.
func (p *parser) isWords(keywords ...string) bool {
	for i, k := range keywords {
		if t := p.peekAt(i); t.kind != word || t.upper != k {
			return false
		}
	}
	return true
}

func (p *parser) acceptWords(keywords ...string) bool {
	if !p.isWords(keywords...) {
		return false
	}
	for range keywords {
		p.take()
	}
	return true
}

func (p *parser) expectWords(keywords ...string) {
	for _, k := range keywords {
		if !p.acceptWords(k) {
			p.unexpected(k)
			return
		}
	}
}

// name takes a name, which may be a keyword; what says which, for the message.
func (p *parser) name(what string) ident {
	t := p.peek()
	if t.kind != word && t.kind != quotedName {
		p.unexpected(what)
		return ident{at: t.pos}
	}
	p.take()
	return ident{at: t.pos, text: t.text}
}

func (p *parser) text(what string) string {
	t := p.peek()
	if t.kind != stringText {
		p.unexpected(what + " in quotes")
		return ""
	}
	p.take()
	return t.text
}

// enter guards the descent; leave follows it.
func (p *parser) enter() {
	p.depth++
	if p.depth > maxDepth {
		p.fail(p.peek().pos, "nested too deep: more than %d levels", maxDepth)
	}
}

func (p *parser) leave() { p.depth-- }
