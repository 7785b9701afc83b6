package sql

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// windowForm says how a window function is called.
type windowForm struct {
	kind     operators.WindowKind
	min, max int // arguments
	takes    string
}

var windowForms = map[string]windowForm{
	"window":          {operators.SlidingWindow, 2, 4, "(TIMESTAMP, size), (TIMESTAMP, size, slide) or (TIMESTAMP, size, slide, offset)"},
	"cumulate_window": {operators.CumulatingWindow, 3, 4, "(TIMESTAMP, step, size) or (TIMESTAMP, step, size, offset)"},
	"count_window":    {operators.CountWindow, 1, 2, "(rows) or (rows, slide)"},
	"session_window":  {operators.SessionWindow, 2, 2, "(TIMESTAMP, gap)"},
}

func isWindowFunction(fn string) bool {
	_, ok := windowForms[fn]
	return ok
}

// window binds a window function of GROUP BY.
func (a *aggregation) window(c *call) bool {
	b, form := a.b, windowForms[c.fn]
	if a.windowText != "" {
		if a.windowText == textOf(c) {
			return true
		}
		b.fault(c.at, "GROUP BY has two windows: one is supported")
		return false
	}
	if len(c.args) < form.min || len(c.args) > form.max {
		b.fault(c.at, "%s takes %s: got %d arguments", c.fn, form.takes, len(c.args))
		return false
	}
	w := &operators.WindowSpec{Kind: form.kind}
	ok := false
	switch form.kind {
	case operators.SlidingWindow:
		ok = a.windowOf(c, w) && b.windowSizes(c, &w.Size, &w.Slide, &w.Offset)
		if len(c.args) == 2 {
			w.Slide = w.Size
		}
	case operators.CumulatingWindow:
		ok = a.windowOf(c, w) && b.windowSizes(c, &w.Slide, &w.Size, &w.Offset)
	case operators.SessionWindow:
		ok = a.windowOf(c, w) && a.sessionGap(c.args[1], w)
	case operators.CountWindow:
		ok = b.windowRows(c, w)
	}
	if !ok {
		return false
	}
	if err := w.Validate(); err != nil {
		b.fault(c.at, "%v", err)
		return false
	}
	every := w.Slide
	if w.Kind == operators.CumulatingWindow {
		every = w.Size
	}
	if w.Offset != 0 && max(w.Offset, -w.Offset) >= every {
		b.fault(c.at, "window: the offset must be smaller than the slide: offset %s, slide %s", formatInterval(w.Offset), formatInterval(every))
		return false
	}
	w.FromStart = b.opts.FromStart && (w.Kind == operators.SlidingWindow || w.Kind == operators.CumulatingWindow)
	a.spec.Window, a.windowText, a.windowAt = w, textOf(c), c.at
	bound := batch.Timestamp
	if w.Kind == operators.CountWindow {
		bound = batch.BigInt
	}
	start := arrow.Field{Name: a.unique(c.fn + ".start"), Type: bound, Nullable: true}
	end := arrow.Field{Name: a.unique(c.fn + ".end"), Type: bound, Nullable: true, Metadata: timeMark(timeKind(a.windowTime))}
	a.fields = append(a.fields, start, end)
	return true
}

// windowOf binds the time, which is the first argument.
func (a *aggregation) windowOf(c *call, w *operators.WindowSpec) bool {
	w.Time = a.b.overRelation(a.in, c.fn).bind(c.args[0])
	if w.Time == nil {
		return false
	}
	if w.Time.Type.ID() != arrow.TIMESTAMP {
		a.b.fault(c.args[0].place(), "%s takes a TIMESTAMP, got %s: timestamp_millis(x) makes one of milliseconds, CAST(x AS TIMESTAMP) of text",
			c.fn, typeName(w.Time.Type))
		return false
	}
	if w.Time.Kind == expr.ColumnKind {
		a.windowTime = a.b.schema(a.in).Field(w.Time.Column)
		w.Arrival = timeKind(a.windowTime) == operators.TimeArrival
	}
	return true
}

// windowSizes binds the arguments behind the time.
func (b *binder) windowSizes(c *call, sizes ...*time.Duration) bool {
	ok := true
	for i, n := range c.args[1:] {
		size, given := b.windowSize(n)
		*sizes[i] = size
		ok = ok && given
	}
	return ok
}

// windowSize returns the interval that n is, as INTERVAL or as text.
func (b *binder) windowSize(n node) (time.Duration, bool) {
	l, ok := n.(*literal)
	if !ok {
		b.fault(n.place(), "window: sizes are constants, such as '10 seconds'")
		return 0, false
	}
	switch v := l.value.(type) {
	case time.Duration:
		return v, true
	case string:
		d, err := parseInterval(v)
		if err != nil {
			b.fault(n.place(), "window: %v", err)
			return 0, false
		}
		return d, true
	}
	b.fault(n.place(), "window: a size needs a unit: write for example '10 seconds'")
	return 0, false
}

// windowRows binds the arguments of count_window.
func (b *binder) windowRows(c *call, w *operators.WindowSpec) bool {
	for i, n := range c.args {
		rows, ok := int64(0), false
		if l, isLiteral := n.(*literal); isLiteral {
			rows, ok = wholeOf(l.value)
		}
		if !ok || rows < 1 {
			b.fault(n.place(), "count_window takes numbers of rows, which are constants from 1: write for example count_window(100)")
			return false
		}
		if i == 0 {
			w.Rows = rows
		}
		w.RowSlide = rows
	}
	return true
}

// sessionGap binds the gap of session_window: a constant, or an expression of the columns of each row.
func (a *aggregation) sessionGap(n node, w *operators.WindowSpec) bool {
	if _, ok := n.(*literal); ok {
		size, given := a.b.windowSize(n)
		w.Size = size
		return given
	}
	micros := a.b.gapMicros(n)
	if micros == nil {
		return false
	}
	w.Gap = a.b.overRelation(a.in, "session_window").bind(micros)
	if w.Gap == nil {
		return false
	}
	if w.Gap.Type.ID() != arrow.INT64 {
		a.b.fault(n.place(), "session_window takes a gap that is an INTERVAL, such as CASE WHEN … THEN INTERVAL '1 minute' END, "+
			"or n * INTERVAL '1 second' with a BIGINT n")
		return false
	}
	return true
}

// gapMicros returns n with intervals as numbers of microseconds, nil if n is no interval: these exist only as constants, which
// CASE, if, coalesce and the like choose from, and which *, + and - compute with.
func (b *binder) gapMicros(n node) node {
	switch n := n.(type) {
	case *literal:
		if n.value == nil {
			return n
		}
		if d, ok := b.windowSize(n); ok {
			return &literal{base: n.base, value: d.Microseconds()}
		}
		return nil
	case *caseOf:
		return b.gapCase(n)
	case *call:
		in := *n
		in.args = append([]node(nil), n.args...)
		from := 0
		switch {
		case n.fn == "if":
			from = 1
		case n.fn == "*" && len(n.args) == 2:
			if _, ok := isInterval(n.args[0]); ok {
				in.args = in.args[:1]
			} else {
				from = 1
			}
		case n.fn == "coalesce", n.fn == "nvl", n.fn == "ifnull", n.fn == "greatest", n.fn == "least", n.fn == "+", n.fn == "-":
		default:
			b.faultGap(n)
			return nil
		}
		for i := from; i < len(in.args); i++ {
			if in.args[i] = b.gapMicros(in.args[i]); in.args[i] == nil {
				return nil
			}
		}
		in.args = append(in.args, n.args[len(in.args):]...)
		return &in
	}
	b.faultGap(n)
	return nil
}

func (b *binder) faultGap(n node) {
	b.fault(n.place(), "session_window: the gap is no INTERVAL: write '5 minutes', CASE WHEN … THEN INTERVAL '1 minute' … END, "+
		"or n * INTERVAL '1 second'")
}

func (b *binder) gapCase(n *caseOf) node {
	in := *n
	in.whens = append([]when(nil), n.whens...)
	for i := range in.whens {
		if in.whens[i].result = b.gapMicros(in.whens[i].result); in.whens[i].result == nil {
			return nil
		}
	}
	if n.otherwise != nil {
		if in.otherwise = b.gapMicros(n.otherwise); in.otherwise == nil {
			return nil
		}
	}
	return &in
}

// chooseMode sets the mode: the one asked for if it is possible, otherwise append where windows close, update elsewhere.
func (a *aggregation) chooseMode(ask request, s *selectClause) bool {
	w := a.spec.Window
	closes := w != nil && (w.Kind == operators.CountWindow || timeKind(a.windowTime) != "")
	other := "update"
	if w != nil && w.Kind == operators.SessionWindow {
		other = "complete"
	}
	switch {
	case ask.mode == modeAsDefault && (closes || other == "complete"):
		a.spec.Mode = operators.Append
	case ask.mode == modeAsDefault:
		a.spec.Mode = operators.Update
	default:
		a.spec.Mode = operators.Mode(ask.mode)
	}
	if w != nil {
		if err := w.ValidateMode(a.spec.Mode); err != nil {
			a.b.fault(a.windowAt, "%v", err)
			return false
		}
	}
	switch {
	case a.spec.Mode != operators.Append || closes:
		return true
	case w == nil:
		a.b.fault(s.at, "mode append gives a group when it is final, which one without a window never is: "+
			"use mode update or complete, or GROUP BY window(…)")
	case a.windowTime.Name == "":
		a.b.fault(a.windowAt, "mode append needs a window over a column with a WATERMARK, not over an expression: "+
			"make a computed column of its source, or use mode %s", other)
	default:
		c := quoteName(a.windowTime.Name)
		a.b.fault(a.windowAt, "mode append needs a watermark, which column %q has not: add WATERMARK FOR %s AS %s - INTERVAL '5 seconds' "+
			"to its source, or use mode %s", a.windowTime.Name, c, c, other)
	}
	return false
}
