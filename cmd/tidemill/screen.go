package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/term"
)

// screen is a terminal whose last lines are written again and again: a table, if there is one, and a line of status. What else
// is written scrolls by above them.
type screen struct {
	w     io.Writer
	size  func() (width, height int)
	paint paint

	mu     sync.Mutex
	table  []string
	status string
	below  int  // lines of table and status on the terminal
	isOpen bool // the last text written above did not end its line
}

// newScreen returns the screen of a terminal.
func newScreen(f *os.File) *screen {
	return &screen{w: f, paint: paintOf(f), size: func() (width, height int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil || width <= 0 || height <= 0 {
			return 80, 24
		}
		return width, height
	}}
}

// Size returns the place for a table: all but the lines of the status and of the next prompt.
func (s *screen) Size() (width, height int) {
	width, height = s.size()
	return width - 1, max(4, height-2)
}

// Draw shows a table above the status.
func (s *screen) Draw(lines []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = lines
	return s.redraw(nil)
}

// Write shows p above table and status.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(p), s.redraw(p)
}

// setStatus replaces the last line.
func (s *screen) setStatus(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = line
	_ = s.redraw(nil) // a terminal that is gone ends the job where its rows go
}

// end leaves the table as it is and takes the status away.
func (s *screen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = ""
	_ = s.redraw(nil)
	s.table, s.below = nil, 0
}

// redraw writes text in the place of table and status, and these below it. s.mu is held.
func (s *screen) redraw(text []byte) error {
	var b strings.Builder
	if s.below > 0 {
		b.WriteString("\r")
		if s.below > 1 {
			fmt.Fprintf(&b, "\x1b[%dA", s.below-1)
		}
		b.WriteString("\x1b[J")
	}
	b.Write(text)
	if len(text) > 0 {
		s.isOpen = text[len(text)-1] != '\n'
	}
	width, _ := s.size()
	lines := s.table
	if s.status != "" {
		lines = append(slices.Clip(lines), cutText(s.status, width-1))
	}
	if s.isOpen && len(lines) > 0 {
		b.WriteByte('\n')
		s.isOpen = false
	}
	for i, line := range lines {
		switch {
		case i == 0 && len(s.table) > 0:
			line = s.paint.bold(line)
		case i == len(s.table):
			line = s.paint.dim(line)
		}
		b.WriteString(line)
		if i < len(s.table) { // a table ends its lines, the status does not
			b.WriteByte('\n')
		}
	}
	s.below = len(lines)
	if s.below > 0 && s.status == "" {
		s.below++ // the cursor stands below the table
	}
	_, err := io.WriteString(s.w, b.String())
	return err
}

// cutText cuts plain text to a number of characters.
func cutText(s string, width int) string {
	if r := []rune(s); len(r) > width {
		return string(r[:max(0, width)])
	}
	return s
}

// paint colours text for a terminal, if there is one that wants it.
type paint bool

// paintOf says whether what is written to w may be coloured: it is a terminal, and nobody asked for plain text as
// https://no-color.org has it.
func paintOf(w io.Writer) paint {
	return paint(isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
}

func (p paint) with(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p paint) bold(s string) string   { return p.with("1", s) }
func (p paint) dim(s string) string    { return p.with("2", s) }
func (p paint) red(s string) string    { return p.with("1;31", s) }
func (p paint) yellow(s string) string { return p.with("33", s) }
