package expr

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"

	"github.com/tidemill/tidemill/batch"
)

// splitter finds the places where a text is split. Exactly one of its fields is set; all but re allocate nothing.
type splitter struct {
	everywhere bool       // the pattern is empty: every character is a part
	literal    []byte     // a fixed text
	class      *byteClass // one character of a class, by its first byte
	run        *byteClass // one or more bytes of a class
	re         *regexp.Regexp
}

// newSplitter compiles a pattern.
func newSplitter(pattern string) (*splitter, error) {
	if pattern == "" {
		return &splitter{everywhere: true}, nil
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	switch tree.Op {
	case syntax.OpLiteral:
		if tree.Flags&syntax.FoldCase == 0 {
			return &splitter{literal: []byte(string(tree.Rune))}, nil
		}
	case syntax.OpCharClass:
		if class := newByteClass(tree.Rune); class != nil {
			return &splitter{class: class}, nil
		}
	case syntax.OpPlus:
		one := tree.Sub[0]
		var class *byteClass
		switch {
		case tree.Flags&syntax.NonGreedy != 0:
		case one.Op == syntax.OpCharClass:
			class = newByteClass(one.Rune)
		case one.Op == syntax.OpLiteral && one.Flags&syntax.FoldCase == 0 && len(one.Rune) == 1:
			class = newByteClass([]rune{one.Rune[0], one.Rune[0]})
		}
		if class != nil {
			return &splitter{run: class}, nil
		}
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	return &splitter{re: re}, nil
}

// find returns where the first place to split s at begins and ends, -1 if there is none. It is not for re.
func (p *splitter) find(s []byte) (start, end int) {
	switch {
	case p.literal != nil:
		at := bytes.Index(s, p.literal)
		return at, at + len(p.literal)
	case p.class != nil:
		for i, c := range s {
			if p.class.has(c) {
				size := 1
				if c >= utf8.RuneSelf {
					_, size = utf8.DecodeRune(s[i:])
				}
				return i, i + size
			}
		}
	case p.run != nil:
		for i, c := range s {
			if p.run.has(c) {
				end = i + 1
				for end < len(s) && p.run.has(s[end]) {
					end++
				}
				return i, end
			}
		}
	case len(s) > 0: // everywhere: behind the first character, but not at the end
		_, size := utf8.DecodeRune(s)
		if size < len(s) {
			return size, size
		}
	}
	return -1, -1
}

// appendParts adds the parts of s to out, at most limit of them where that is positive. As in Spark, the parts at the end stay
// where they are empty, and a place of no width at the start of s does not count.
func (p *splitter) appendParts(out *batch.Column, s []byte, limit int64) {
	parts := int64(1)
	if p.re != nil {
		from := 0
		for _, at := range p.re.FindAllIndex(s, -1) {
			if parts == limit {
				break
			}
			if at[1] == 0 {
				continue
			}
			out.AppendText(s[from:at[0]])
			from = at[1]
			parts++
		}
		out.AppendText(s[from:])
		return
	}
	for parts != limit {
		start, end := p.find(s)
		if start < 0 {
			break
		}
		out.AppendText(s[:start])
		s = s[end:]
		parts++
	}
	out.AppendText(s)
}

// prepareSplit makes the kernel of split.
func prepareSplit(s *Spec) (func(c *kernel), error) {
	pattern, isConstant := s.Args[1].Value.(string)
	if !isConstant {
		return splitByColumn(), nil
	}
	p, err := newSplitter(pattern)
	if err != nil {
		return nil, err
	}
	if len(s.Args) == 2 {
		if r := newRunSplitter(p); r != nil {
			return r.split, nil
		}
	}
	return func(c *kernel) {
		texts := &c.args[0]
		parts := c.out.Child()
		for _, i := range c.rows {
			p.appendParts(parts, texts.bytes(i), splitLimit(c, i))
			c.out.EndList(int(i))
		}
	}, nil
}

// splitByColumn returns a kernel with patterns that come from a column: one is compiled when it is not that of the row before.
func splitByColumn() func(c *kernel) {
	var p *splitter
	var last string
	return func(c *kernel) {
		texts, patterns := &c.args[0], &c.args[1]
		parts := c.out.Child()
		for _, i := range c.rows {
			if pattern := patterns.bytes(i); p == nil || string(pattern) != last {
				next, err := newSplitter(string(pattern))
				if err != nil {
					c.fail(i, "pattern %v", err)
					continue
				}
				p, last = next, string(pattern)
			}
			p.appendParts(parts, texts.bytes(i), splitLimit(c, i))
			c.out.EndList(int(i))
		}
	}
}

// splitLimit returns the most parts that row i may have, 0 for all.
func splitLimit(c *kernel, i int32) int64 {
	if len(c.args) < 3 {
		return 0
	}
	return c.args[2].ints[i]
}
