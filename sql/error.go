package sql

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Error is a fault of a script at a place.
type Error struct {
	Pos Pos
	// Msg says what is wrong and, where a user can act, what to do.
	Msg string
	// Line is the line of the script that Pos is in, without its end.
	Line string
}

// Error returns one line: the place, then the fault.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Pos.Line, e.Pos.Column, e.Msg)
}

// maxShownRunes is how much of a long line Detail shows: it fits a terminal of 100 columns with room for an indent.
const maxShownRunes = 96

// Detail returns the text of Error, the line of the script and a caret under the place, without a line end.
func (e *Error) Detail() string {
	runes := []rune(e.Line)
	from := 0
	if e.Pos.Column > maxShownRunes*3/4 {
		from = e.Pos.Column - maxShownRunes/2
	}
	from = min(from, len(runes))
	to := min(len(runes), from+maxShownRunes)
	var b strings.Builder
	b.WriteString(e.Error())
	b.WriteString("\n  ")
	b.WriteString(string(runes[from:to]))
	b.WriteString("\n  ")
	for i := from; i < e.Pos.Column-1; i++ {
		if i < len(runes) && runes[i] == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	b.WriteByte('^')
	return b.String()
}

// Errors are all faults found in a script, in the order of their places. It is never empty where it is returned as an error.
type Errors []*Error

// Error returns a line per fault.
func (l Errors) Error() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Detail returns the Detail of each fault, one below the other.
func (l Errors) Detail() string {
	parts := make([]string, len(l))
	for i, e := range l {
		parts[i] = e.Detail()
	}
	return strings.Join(parts, "\n")
}

// Unwrap returns the faults, for errors.As.
func (l Errors) Unwrap() []error {
	list := make([]error, len(l))
	for i, e := range l {
		list[i] = e
	}
	return list
}

// faults collects the errors of one script.
type faults struct {
	text string
	list Errors
}

// maxFaults bounds the list: who has more faults than that reads the first ones only.
const maxFaults = 50

// add records a fault, unless the same was recorded for the same place: a view that is bound twice has its faults once.
func (f *faults) add(at Pos, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	for _, e := range f.list {
		if e.Pos == at && e.Msg == msg {
			return
		}
	}
	if len(f.list) < maxFaults {
		f.list = append(f.list, &Error{Pos: at, Msg: msg, Line: lineOf(f.text, at.Line)})
	}
}

// err returns what was recorded, nil if there is nothing.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b *Error) int {
		if a.Pos.Line != b.Pos.Line {
			return a.Pos.Line - b.Pos.Line
		}
		return a.Pos.Column - b.Pos.Column
	})
	return f.list
}

func lineOf(text string, line int) string {
	for range line - 1 {
		_, rest, found := strings.Cut(text, "\n")
		if !found {
			return ""
		}
		text = rest
	}
	first, _, _ := strings.Cut(text, "\n")
	first = strings.TrimSuffix(first, "\r")
	if !utf8.ValidString(first) {
		return strings.ToValidUTF8(first, string(utf8.RuneError))
	}
	return first
}
