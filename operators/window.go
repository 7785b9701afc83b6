package operators

import (
	"math"

	"github.com/tidemill/tidemill/batch"
)

// windowing is the arithmetic of windows: [start, start+size) for every start that is offset plus a multiple of slide, assembled
// from panes of length greatestDivisor(size, slide), so that a window has whole panes only. All times are microseconds; they
// are divided rounding down, so that times before 1970 are like others.
//
// Size 10, slide 4, offset 0: panes of 2. Time 5 is in pane 4, whose windows start at -4, 0 and 4.
//
// Of cumulating windows, what is called the start of a window here is that of its last step, which no other has: size and slide
// are the step, and begin tells where the window begins.
type windowing struct {
	size, slide, offset, pane int64
	most                      int64 // the largest size of cumulating windows, else 0
}

// windowMargin keeps times away from the ends of int64, so that adding size, slide, offset and lateness never overflows: each
// is a time.Duration of less than 2^54 microseconds.
const windowMargin = 1 << 57

const (
	firstWindowTime = math.MinInt64 + windowMargin
	lastWindowTime  = math.MaxInt64 - windowMargin
)

func newWindowing(s *WindowSpec) windowing {
	w := windowing{size: s.Size.Microseconds(), slide: s.Slide.Microseconds(), offset: s.Offset.Microseconds()}
	if s.Kind == CumulatingWindow {
		w.most, w.size = w.size, w.slide
		w.pane = w.size
		w.offset -= floorTo(w.offset, 0, w.most)
		return w
	}
	w.pane = greatestDivisor(w.size, w.slide)
	w.offset -= floorTo(w.offset, 0, w.slide)
	return w
}

// alignTo counts the offset from a time instead of from the epoch.
func (w *windowing) alignTo(zero batch.Time) {
	period := max(w.slide, w.most)
	w.offset += int64(zero) - floorTo(int64(zero), 0, period)
	w.offset -= floorTo(w.offset, 0, period)
}

// begin returns where the window begins that starts at start.
func (w *windowing) begin(start int64) int64 {
	if w.most > 0 {
		return floorTo(start, w.offset, w.most)
	}
	return start
}

// floorTo returns the largest offset + k*step that is not after t.
func floorTo(t, offset, step int64) int64 {
	r := (t - offset) % step
	if r < 0 {
		r += step
	}
	return t - r
}

// paneOf returns the start of the pane that has time t.
func (w *windowing) paneOf(t int64) int64 { return floorTo(t, w.offset, w.pane) }

// lastStart returns the start of the last window that starts at or before t. It has t, unless slide is longer than size.
func (w *windowing) lastStart(t int64) int64 {
	if w.most > 0 {
		return w.begin(t) + w.most - w.slide
	}
	return floorTo(t, w.offset, w.slide)
}

// firstStart returns the start of the first window that ends after t.
func (w *windowing) firstStart(t int64) int64 { return floorTo(t-w.size, w.offset, w.slide) + w.slide }

// has says whether any window has time t.
func (w *windowing) has(t int64) bool { return t-w.lastStart(t) < w.size }

// nextEnd returns the smallest end of a window after bound.
func (w *windowing) nextEnd(bound batch.Time) batch.Time {
	if bound < firstWindowTime || bound > lastWindowTime {
		return bound
	}
	return batch.Time(w.firstStart(int64(bound)) + w.size)
}

// isSliding says whether a pane is in several windows.
func (w *windowing) isSliding() bool { return w.size > w.slide || w.most > w.slide }
