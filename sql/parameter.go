package sql

import (
	"slices"
	"strings"
)

// setParameter is SET name = value. It has done its work when a script is parsed.
type setParameter struct{ name, value string }

func (s *setParameter) print(b *printer) {
	b.add("SET ", s.name, " = ")
	b.text(s.value)
}

// ParseWith parses a script with parameters: ${name} stands for a value, in texts and elsewhere. Those in given go before those that
// SET name = value gives in the script, ahead of their use.
func ParseWith(text string, given map[string]string) (*Script, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	p.substitute(given)
	return p.script(text)
}

// substitute puts the values of parameters in their place.
func (p *parser) substitute(given map[string]string) {
	if !slices.ContainsFunc(p.tokens, func(t token) bool {
		return t.kind == parameter || t.kind == word && t.upper == "SET" || t.kind == stringText && strings.Contains(t.text, "${")
	}) {
		return
	}
	values := make(map[string]string)
	var all []token
	begin := 0 // of the statement, in all
	for _, t := range p.tokens {
		switch {
		case t.kind == parameter:
			value, ok := valueOf(t.text, given, values)
			if !ok {
				p.faults.add(t.pos, "%s", unknownParameter(t.text))
				value = "NULL"
			}
			part := lex(value)
			for _, v := range part[:len(part)-1] {
				v.pos, v.start, v.end = t.pos, t.start, t.end
				all = append(all, v)
			}
			if last := part[len(part)-1]; last.kind == badToken {
				p.faults.add(t.pos, "parameter %s: %s", t.text, last.text)
			}
			continue
		case t.kind == stringText && strings.Contains(t.text, "${"):
			t.text = p.inText(t, given, values)
		case (t.kind == sign && t.text == ";" || t.kind == endOfScript) && len(all) > begin:
			if name, value, ok := setting(all[begin:]); ok {
				values[name] = value
			}
		}
		all = append(all, t)
		if t.kind == sign && t.text == ";" {
			begin = len(all)
		}
	}
	p.tokens = all
}

func unknownParameter(name string) string {
	return "the parameter ${" + name + "} has no value: give --set " + name + "=VALUE, or write SET " + name + " = 'VALUE'; before"
}

// valueOf returns the value of a parameter.
func valueOf(name string, given, set map[string]string) (string, bool) {
	if v, ok := given[name]; ok {
		return v, true
	}
	v, ok := set[name]
	return v, ok
}

// isParameterName says whether s is words with dots between them.
func isParameterName(s string) bool {
	for i, r := range s {
		if !isWordStart(r) && (i == 0 || !isDigit(r) && r != '.') {
			return false
		}
	}
	return s != ""
}

// inText returns a text with the values of its parameters.
func (p *parser) inText(t token, given, set map[string]string) string {
	var b strings.Builder
	rest := t.text
	for {
		before, after, found := strings.Cut(rest, "${")
		name, behind, closed := strings.Cut(after, "}")
		if !found || !closed {
			b.WriteString(rest)
			return b.String()
		}
		value, ok := valueOf(name, given, set)
		switch {
		case !isParameterName(name): // such as ${1} of a regular expression
			value = "${" + name + "}"
		case !ok:
			p.faults.add(t.pos, "%s", unknownParameter(name))
		}
		b.WriteString(before)
		b.WriteString(value)
		rest = behind
	}
}

// setting returns what the tokens of SET name = value set.
func setting(tokens []token) (name, value string, ok bool) {
	if len(tokens) < 4 || tokens[0].kind != word || tokens[0].upper != "SET" {
		return "", "", false
	}
	i := 1
	for ; i < len(tokens) && (tokens[i].kind == word || tokens[i].text == "."); i++ {
		name += tokens[i].text
	}
	if i >= len(tokens)-1 || tokens[i].text != "=" || name == "" {
		return "", "", false
	}
	for _, t := range tokens[i+1:] {
		value += t.text
	}
	return name, value, true
}

// set parses SET name = value.
func (p *parser) set() statement {
	first := p.at
	p.take()
	if t := p.peek(); t.kind != word {
		p.unexpected("the name of a parameter")
		return nil
	}
	for p.peek().kind == word || p.isSign(".") {
		p.take()
	}
	p.expectSign("=")
	if t := p.peek(); !p.failed && (t.kind == endOfScript || p.isSign(";")) {
		p.unexpected("a value")
	}
	for !p.failed && !p.isSign(";") && p.peek().kind != endOfScript {
		if t := p.peek(); t.kind == badToken {
			p.unexpected("a value")
			break
		}
		p.take()
	}
	s := &setParameter{}
	s.name, s.value, _ = setting(p.tokens[first:p.at])
	return s
}

// parameter reads ${name}.
func (l *lexer) parameter(t *token) {
	l.skip(2)
	from := l.at
	for l.at < len(l.text) && l.peek() != '}' && (isWordStart(l.peek()) || isDigit(l.peek()) || l.peek() == '.') {
		l.advance()
	}
	t.kind, t.text = parameter, l.text[from:l.at]
	if t.text == "" || l.peek() != '}' {
		t.kind, t.text = badToken, "a parameter is written ${name}"
		return
	}
	l.advance()
}
