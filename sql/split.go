package sql

import "strings"

// Statement is a statement of a text that was only cut, not parsed.
type Statement struct {
	// Text is the statement without its semicolon, and without comments and blanks before it.
	Text string
	// Kind is CREATE SOURCE, CREATE TABLE, CREATE VIEW or CREATE SINK, else the first word in upper case, "" if it begins with none.
	Kind string
	// Name is what is created, or the word behind the first one in other statements; "" if there is none.
	Name string
	// From is where a source or table comes from, "" for other statements.
	From string
}

// Split cuts a text at its semicolons, and returns what follows the last one, "" if that is blanks and comments only. A semicolon
// in a string, a comment or a quoted name ends nothing. What Parse would refuse is cut as it stands.
func Split(text string) (statements []Statement, rest string) {
	l := &lexer{text: text, pos: Pos{Line: 1, Column: 1}}
	var tokens []token
	for {
		bad := l.skipBlank()
		t := token{start: l.at, pos: l.pos}
		if bad != nil {
			t.start = bad.start
		} else {
			l.next(&t)
			if t.kind == badToken && l.at == t.start {
				l.advance() // a sign that nothing begins with
			}
		}
		isOver := bad != nil || t.kind == endOfScript || t.kind == badToken && l.at == len(text)
		switch {
		case isOver && len(tokens) == 0:
			return statements, text[t.start:]
		case isOver:
			return statements, text[tokens[0].start:]
		case t.kind == sign && t.text == ";":
			if len(tokens) > 0 {
				statements = append(statements, statementOf(text[tokens[0].start:t.start], tokens))
			}
			tokens = tokens[:0]
		default:
			t.end = l.at
			tokens = append(tokens, t)
		}
	}
}

func statementOf(text string, tokens []token) Statement {
	s := Statement{Text: strings.TrimSpace(text), Kind: tokens[0].upper}
	rest := tokens[1:]
	if s.Kind == "CREATE" && len(rest) > 0 {
		s.Kind += " " + rest[0].upper
		rest = rest[1:]
	}
	if len(rest) > 0 && (rest[0].kind == word || rest[0].kind == quotedName) {
		s.Name = rest[0].text
	}
	if s.Kind == "CREATE SOURCE" || s.Kind == "CREATE TABLE" {
		for i := range rest[:max(0, len(rest)-1)] {
			if rest[i].upper == "FROM" && rest[i+1].kind == stringText {
				s.From = rest[i+1].text
			}
		}
	}
	return s
}
