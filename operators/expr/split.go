package expr

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// splitter finds the places where a text is split. Exactly one of its fields is set; all but re allocate nothing.
type splitter struct {
	everywhere bool       // the pattern is empty: every character is a part
	literal    []byte     // a fixed text
	class      *[256]bool // one character of a class, by its first byte
	run        *[256]bool // one or more bytes of a class
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
		if class := byteClass(tree.Rune); class != nil {
			return &splitter{class: class}, nil
		}
	case syntax.OpPlus:
		one := tree.Sub[0]
		var class *[256]bool
		switch {
		case tree.Flags&syntax.NonGreedy != 0:
		case one.Op == syntax.OpCharClass:
			class = byteClass(one.Rune)
		case one.Op == syntax.OpLiteral && one.Flags&syntax.FoldCase == 0 && len(one.Rune) == 1:
			class = byteClass([]rune{one.Rune[0], one.Rune[0]})
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

// byteClass returns the class of ranges (pairs of first and last) by byte, nil if it has some characters of more than one byte but
// not all.
func byteClass(ranges []rune) *[256]bool {
	class := new([256]bool)
	for k := 0; k+1 < len(ranges); k += 2 {
		low, high := ranges[k], ranges[k+1]
		for r := low; r <= min(high, utf8.RuneSelf-1); r++ {
			class[r] = true
		}
		if high < utf8.RuneSelf {
			continue
		}
		if low > utf8.RuneSelf || high != unicode.MaxRune {
			return nil
		}
		for b := utf8.RuneSelf; b < len(class); b++ {
			class[b] = true
		}
	}
	return class
}

// find returns where the first place to split s at begins and ends, -1 if there is none. It is not for re.
func (p *splitter) find(s []byte) (start, end int) {
	switch {
	case p.literal != nil:
		at := bytes.Index(s, p.literal)
		return at, at + len(p.literal)
	case p.class != nil:
		for i, c := range s {
			if p.class[c] {
				size := 1
				if c >= utf8.RuneSelf {
					_, size = utf8.DecodeRune(s[i:])
				}
				return i, i + size
			}
		}
	case p.run != nil:
		for i, c := range s {
			if p.run[c] {
				end = i + 1
				for end < len(s) && p.run[s[end]] {
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
	var p *splitter
	last, isConstant := s.Args[1].Value.(string)
	if isConstant {
		var err error
		if p, err = newSplitter(last); err != nil {
			return nil, err
		}
	}
	return func(c *kernel) {
		texts, patterns := &c.args[0], &c.args[1]
		parts := c.out.Child()
		for _, i := range c.rows {
			// A pattern from a column is compiled when it is not that of the row before.
			if pattern := patterns.bytes(i); !isConstant && (p == nil || string(pattern) != last) {
				next, err := newSplitter(string(pattern))
				if err != nil {
					c.fail(i, "pattern %v", err)
					continue
				}
				p, last = next, string(pattern)
			}
			limit := int64(0)
			if len(c.args) > 2 {
				limit = c.args[2].ints[i]
			}
			p.appendParts(parts, texts.bytes(i), limit)
			c.out.EndList(int(i))
		}
	}, nil
}

// listOffsets returns the offsets of the rows of a list.
func listOffsets(arr arrow.Array) []int32 {
	return arr.(*array.List).Offsets()[arr.Data().Offset():]
}
