package expr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/tidemill/tidemill/batch"
)

func resolveLike(name string, args []*Spec) (*Spec, error) {
	const takes = "(TEXT, TEXT)"
	if err := checkCount(name, takes, args, 2, 2); err != nil {
		return nil, err
	}
	args, err := convertAll(name, takes, args, batch.Text)
	if err != nil {
		return nil, err
	}
	if text, isConstant := args[1].Value.(string); isConstant {
		if err := new(pattern).compile([]byte(text)); err != nil {
			return nil, fmt.Errorf("like: %w: %q", err, text)
		}
	}
	return call(name, batch.Boolean, args...), nil
}

// pattern is a compiled LIKE pattern: pieces of text that must follow each other with anything between them. In a piece,
// anyCharacter stands for one character.
//
// Worked example: a_c%x%z has the pieces a?c, x and z; the first is bound to the start and the last to the end, so that "abcwxyz"
// matches: abc at the start, z at the end, and x somewhere in wxy.
type pattern struct {
	pieces   []piece
	anyStart bool // the pattern begins with %
	anyEnd   bool // the pattern ends with %
	memory   []byte
}

type piece struct {
	text     []byte
	wildcard bool // text has anyCharacter
}

// anyCharacter is a byte that is in no UTF-8 text.
const anyCharacter = 0xFF

var (
	errEscapeAtEnd = errors.New("pattern ends in its escape character")
	errEscape      = errors.New("backslash must be before %, _ or a backslash")
)

// compile makes p the pattern that text says, in the memory of the one it was.
func (p *pattern) compile(text []byte) error {
	p.pieces, p.anyStart, p.anyEnd = p.pieces[:0], len(text) > 0 && text[0] == '%', false
	p.memory = slices.Grow(p.memory[:0], len(text)) // pieces are parts of it, so it must not move
	start, wildcard := 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		p.anyEnd = c == '%'
		switch c {
		case '%':
			p.addPiece(start, wildcard)
			start, wildcard = len(p.memory), false
			continue
		case '_':
			c, wildcard = anyCharacter, true
		case '\\':
			i++
			if i == len(text) {
				return errEscapeAtEnd
			}
			if c = text[i]; c != '%' && c != '_' && c != '\\' {
				return errEscape
			}
		}
		p.memory = append(p.memory, c)
	}
	p.addPiece(start, wildcard)
	return nil
}

// addPiece adds what is in memory from start on as a piece, unless it is empty.
func (p *pattern) addPiece(start int, wildcard bool) {
	if start < len(p.memory) {
		p.pieces = append(p.pieces, piece{text: p.memory[start:], wildcard: wildcard})
	}
}

// matches says whether the whole of s fits. It takes pieces where they are first found, which never hides a match: what is behind
// an earlier place has more room.
func (p *pattern) matches(s []byte) bool {
	pieces := p.pieces
	if len(pieces) == 0 {
		return p.anyStart || len(s) == 0
	}
	if !p.anyStart {
		end := pieces[0].matchAt(s)
		if end < 0 {
			return false
		}
		s, pieces = s[end:], pieces[1:]
		if len(pieces) == 0 {
			return p.anyEnd || len(s) == 0
		}
	}
	var last *piece
	if !p.anyEnd {
		last, pieces = &pieces[len(pieces)-1], pieces[:len(pieces)-1]
	}
	for k := range pieces {
		end := pieces[k].find(s)
		if end < 0 {
			return false
		}
		s = s[end:]
	}
	return last == nil || last.matchEnd(s)
}

// newSearch returns a search for the longest piece without wildcards, and whether all that has it fits. It is nil if there is none,
// or if the pattern is bound to the start, where a look at that is enough for most texts.
func (p *pattern) newSearch() (_ *textSearch, suffices bool) {
	if !p.anyStart {
		return nil, false
	}
	longest := p.longest()
	if longest == nil {
		return nil, false
	}
	return newTextSearch(longest), p.anyEnd && len(p.pieces) == 1
}

// longest returns the longest piece without wildcards, nil if there is none.
func (p *pattern) longest() (text []byte) {
	for _, q := range p.pieces {
		if !q.wildcard && len(q.text) > len(text) {
			text = q.text
		}
	}
	return text
}

// matchAt returns the end of the piece at the start of s, -1 if it is not there.
func (q *piece) matchAt(s []byte) int {
	if !q.wildcard {
		if bytes.HasPrefix(s, q.text) {
			return len(q.text)
		}
		return -1
	}
	pos := 0
	for _, c := range q.text {
		switch {
		case pos == len(s):
			return -1
		case c == anyCharacter:
			_, size := utf8.DecodeRune(s[pos:])
			pos += size
		case s[pos] != c:
			return -1
		default:
			pos++
		}
	}
	return pos
}

// find returns the end of the first place of the piece in s, -1 if there is none.
func (q *piece) find(s []byte) int {
	if !q.wildcard {
		at := bytes.Index(s, q.text)
		if at < 0 {
			return -1
		}
		return at + len(q.text)
	}
	for at := 0; at < len(s); {
		if end := q.matchAt(s[at:]); end >= 0 {
			return at + end
		}
		_, size := utf8.DecodeRune(s[at:])
		at += size
	}
	return -1
}

// matchEnd says whether s ends with the piece.
func (q *piece) matchEnd(s []byte) bool {
	if !q.wildcard {
		return bytes.HasSuffix(s, q.text)
	}
	for _, v := range slices.Backward(q.text) {
		switch c := v; {
		case len(s) == 0:
			return false
		case c == anyCharacter:
			_, size := utf8.DecodeLastRune(s)
			s = s[:len(s)-size]
		case s[len(s)-1] != c:
			return false
		default:
			s = s[:len(s)-1]
		}
	}
	return true
}

// like is LIKE.
type like struct {
	args     []operand
	constant *pattern    // nil where the pattern comes from a column
	search   *textSearch // for a piece of constant that is in all that fits it, nil if there is none or a better way
	suffices bool        // what has the piece in it fits

	compiled pattern // of a column's row
	scratch  []int32
	found    []int32
}

func newLike(e *env, s *Spec, args []Expr) (Expr, error) {
	l := &like{args: newOperands(e, args)}
	if text, isConstant := s.Args[1].Value.(string); isConstant {
		l.constant = &pattern{}
		if err := l.constant.compile([]byte(text)); err != nil {
			return nil, fmt.Errorf("like: %w: %q", err, text)
		}
		l.search, l.suffices = l.constant.newSearch()
	}
	return e.picking(l), nil
}

func (l *like) pick(ctx context.Context, in batch.Batch, dst []int32, out *batch.Column, bad BadRow) ([]int32, error) {
	rows, scratch, err := evalStrict(ctx, l.args, in, out, l.scratch, bad)
	l.scratch = scratch
	if err != nil {
		return dst, err
	}
	a, patterns := &l.args[0], &l.args[1]
	if p := l.constant; p != nil {
		if l.search != nil {
			if l.suffices {
				return l.search.pick(dst, rows, a, nil), nil
			}
			l.found = l.search.pick(l.found[:0], rows, a, nil)
			rows = l.found
		}
		for _, i := range rows {
			if p.matches(a.bytes(i)) {
				dst = append(dst, i)
			}
		}
		return dst, nil
	}
	for _, i := range rows {
		if err := l.compiled.compile(patterns.bytes(i)); err != nil {
			bad(i, fmt.Sprintf("like: %v: %s", err, quote(patterns.bytes(i))))
			if out != nil {
				out.SetNull(int(i))
			}
			continue
		}
		if l.compiled.matches(a.bytes(i)) {
			dst = append(dst, i)
		}
	}
	return dst, nil
}

func (l *like) close() { closeOperands(l.args) }
