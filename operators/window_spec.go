package operators

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// windowKinds has the function of each kind in SQL, and what it is called in a checkpoint.
var windowKinds = [...]struct{ function, meaning string }{
	SlidingWindow:    {function: "window"},
	CumulatingWindow: {function: "cumulate_window", meaning: "cumulate"},
	SessionWindow:    {function: "session_window", meaning: "session"},
	CountWindow:      {function: "count_window", meaning: "count"},
}

// Function returns the name that windows of the kind have in SQL.
func (k WindowKind) Function() string { return windowKinds[k].function }

// exprs returns the expressions of the window.
func (w *WindowSpec) exprs() []*expr.Spec {
	var exprs []*expr.Spec
	for _, e := range [...]*expr.Spec{w.Time, w.Gap} {
		if e != nil {
			exprs = append(exprs, e)
		}
	}
	return exprs
}

// remap returns the window with other expressions.
func (w *WindowSpec) remap(to func(*expr.Spec) *expr.Spec) *WindowSpec {
	kept := *w
	if w.Time != nil {
		kept.Time = to(w.Time)
	}
	if w.Gap != nil {
		kept.Gap = to(w.Gap)
	}
	return &kept
}

// Validate reports all that is wrong with the sizes of the window.
func (w *WindowSpec) Validate() error {
	switch w.Kind {
	case SessionWindow:
		return w.validateSession()
	case CountWindow:
		return w.validateCount()
	case SlidingWindow, CumulatingWindow:
	}
	var errs []error
	check := func(what string, d time.Duration, positive bool) {
		errs = append(errs, checkDuration(what, d, positive))
	}
	check("size", w.Size, true)
	check("slide", w.Slide, true)
	check("offset", w.Offset, false)
	check("lateness", w.Lateness, false)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if w.Kind == CumulatingWindow && w.Size%w.Slide != 0 {
		return fmt.Errorf("window: the largest size must be a multiple of the step: size %s, step %s", w.Size, w.Slide)
	}
	if n := w.Size / greatestDivisor(w.Size, w.Slide); n > maxWindowsPerRow {
		return fmt.Errorf("window: size %s and slide %s cut time into pieces of %s, %d per window: more than %d are not "+
			"supported: choose a slide that divides the size", w.Size, w.Slide, greatestDivisor(w.Size, w.Slide), n, maxWindowsPerRow)
	}
	return nil
}

func checkDuration(what string, d time.Duration, positive bool) error {
	switch {
	case d < 0 && what != "offset", d == 0 && positive:
		return fmt.Errorf("window: %s must be positive: %s", what, d)
	case d%time.Microsecond != 0:
		return fmt.Errorf("window: %s must be whole microseconds: %s", what, d)
	}
	return nil
}

func (w *WindowSpec) validateSession() error {
	if w.Gap == nil {
		return errors.Join(checkDuration("gap", w.Size, true), checkDuration("lateness", w.Lateness, false))
	}
	if name := batch.TypeName(w.Gap.Type); name != "BIGINT" {
		return fmt.Errorf("window: gap of a session is a BIGINT of microseconds, got %s", name)
	}
	return checkDuration("lateness", w.Lateness, false)
}

func (w *WindowSpec) validateCount() error {
	if w.Rows < 1 || w.RowSlide < 1 {
		return fmt.Errorf("window: numbers of rows must be positive: %d rows, one every %d", w.Rows, w.RowSlide)
	}
	if n := w.Rows / greatestDivisor(w.Rows, w.RowSlide); n > maxWindowsPerRow {
		return fmt.Errorf("window: %d rows every %d rows are made of %d parts: more than %d are not supported: choose a slide that "+
			"divides the size", w.Rows, w.RowSlide, n, maxWindowsPerRow)
	}
	return nil
}

// ValidateMode says why windows of the kind can't have a mode.
func (w *WindowSpec) ValidateMode(m Mode) error {
	switch {
	case w.Kind == SessionWindow && m == Update:
		return errors.New("mode update can't give sessions, because a row can make two of them one, and nothing would take back " +
			"the one that is gone: use append, or complete")
	case w.Kind == CountWindow && m != Append:
		return fmt.Errorf("mode %s can't give windows of rows: use append, which gives each when it is full", m)
	}
	return nil
}

// String returns the window as SQL, with what SQL has no words for behind it.
func (w *WindowSpec) String() string {
	time, gap := "", ""
	if w.Time != nil {
		time = w.Time.String()
	}
	if w.Gap != nil {
		gap = w.Gap.String() + " us"
	}
	return w.text(time, gap)
}

func (w *WindowSpec) text(time, gap string) string {
	text := w.Kind.Function() + "(" + time
	switch w.Kind {
	case SlidingWindow:
		text += ", " + durationText(w.Size)
		if w.Slide != w.Size || w.Offset != 0 {
			text += ", " + durationText(w.Slide)
		}
	case CumulatingWindow:
		text += ", " + durationText(w.Slide) + ", " + durationText(w.Size)
	case SessionWindow:
		if gap == "" {
			gap = durationText(w.Size)
		}
		text += ", " + gap
	case CountWindow:
		text += strconv.FormatInt(w.Rows, 10)
		if w.RowSlide != w.Rows {
			text += fmt.Sprintf(", %d", w.RowSlide)
		}
	}
	if w.Offset != 0 {
		text += ", " + durationText(w.Offset)
	}
	text += ")"
	if w.FromStart {
		text += " from the start"
	}
	if w.Lateness != 0 {
		text += " lateness " + durationText(w.Lateness)
	}
	return text
}

// meaning returns what rows that were divided into these windows mean.
func (w *WindowSpec) meaning() *windowMeaning {
	m := &windowMeaning{
		Arrival: w.Arrival, Size: w.Size.Microseconds(), Slide: w.Slide.Microseconds(), Offset: w.Offset.Microseconds(),
		Lateness: w.Lateness.Microseconds(), Kind: windowKinds[w.Kind].meaning, Rows: w.Rows, RowSlide: w.RowSlide, FromStart: w.FromStart,
	}
	if w.Time != nil {
		m.Time = w.Time.String()
	}
	if w.Gap != nil {
		m.Gap = w.Gap.String()
	}
	return m
}
