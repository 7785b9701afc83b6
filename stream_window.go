package tidemill

import (
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// Window returns, every slide, the rows of the intervals of the last size: windows over intervals, whatever times the rows have,
// aligned to the start of the job. size and slide must be multiples of the stream's own slide. The first windows are not full, a
// slide that is longer than the size loses the rows between, and when the input ends, the running window is emitted as it is.
//
// After a restart windows go on where they were. An interval that covers several ticks, as after a pause, counts as its last one,
// and windows that would have ended meanwhile are left out, but for the last (see Config.ReplayEveryTick).
func (s Stream[T]) Window(size, slide time.Duration) Stream[T] {
	c := s.rows.c
	c.checkWindow(size, slide, s.slide)
	w := operators.IntervalWindow{Size: size, Slide: slide, Tick: c.cfg.Interval}
	rows, state := c.addStep(c.stateName("window"), []DStream{s.rows}, func(in []*arrow.Schema) (operators.Spec, *arrow.Schema, error) {
		return w.Spec(s.codec.Schema()), s.codec.Schema(), s.codec.Check(in[0])
	})
	return Stream[T]{rows: rows, codec: s.codec, slide: slide, state: state}
}

// checkWindow reports a window that does not fit the stream that it is over.
func (c *Context) checkWindow(size, slide, parent time.Duration) {
	check := func(what string, d time.Duration) {
		if d <= 0 || d%parent != 0 {
			c.fault(fmt.Errorf("window: its %s must be a multiple of how often the stream has rows: %s %s, rows every %s", what, what, d, parent))
		}
	}
	check("size", size)
	check("slide", slide)
}

// CountByWindow returns, every slide, how many rows the intervals of the last size had, 0 for none.
func (s Stream[T]) CountByWindow(size, slide time.Duration) Stream[int64] {
	counts := s.Count().Window(size, slide)
	sums := intervalStep(s.rows.c, "countByWindow", slide, counts.codec, []DStream{counts.rows}, []checker{counts.codec},
		func(env operators.Env) intervalFunc {
			return &transformFunc[int64, int64, int64]{
				left: counts.codec.NewRows(), emitter: newEmitter(env, counts.codec),
				fn: func(_ batch.Interval, rows, _ []int64, emit func(int64)) error {
					total := int64(0)
					for _, n := range rows {
						total += n
					}
					emit(total)
					return nil
				},
			}
		})
	sums.state = counts.state
	return sums
}

// ReduceByWindow returns, every slide, the rows of the intervals of the last size put together by fn, which must be associative and
// commutative; nothing if there are none. fn may be called by several workers at once.
func (s Stream[T]) ReduceByWindow(fn func(a, b T) T, size, slide time.Duration) Stream[T] {
	window := s.Reduce(fn).Window(size, slide)
	r := window.Reduce(fn)
	r.state = window.state
	return r
}

// GroupByKeyAndWindow is GroupByKey over windows.
func GroupByKeyAndWindow[K comparable, V, U any](
	s Stream[Pair[K, V]], size, slide time.Duration, fn func(key K, values []V, emit func(U)),
) Stream[U] {
	window := s.Window(size, slide)
	r := GroupByKey(window, fn)
	r.state = window.state
	return r
}

// CountByValueAndWindow returns, every slide, how often each value occurs in the intervals of the last size.
func CountByValueAndWindow[T comparable](s Stream[T], size, slide time.Duration) Stream[Pair[T, int64]] {
	return runningReduce(s, countSpec[T](), WindowReduce[T, int64]{
		Size: size, Slide: slide,
		Reduce:  func(a, b int64) int64 { return a + b },
		Inverse: func(window, leaving int64) int64 { return window - leaving },
		Keep:    func(_ T, n int64) bool { return n != 0 },
	})
}

// WindowReduce says how the values of a window are put together.
type WindowReduce[K comparable, V any] struct {
	// Size and Slide are multiples of how often the stream has rows.
	Size, Slide time.Duration
	// Reduce puts two values together. It must be associative and commutative, and may be called by several workers at once.
	Reduce func(a, b V) V
	// Inverse, if set, takes what leaves the window out of it again, Inverse(Reduce(a, b), b) = a, so that a window costs what comes
	// and goes, not what it holds. Floating-point errors add up. Without it a window is put together anew every slide.
	Inverse func(window, leaving V) V
	// Keep, which needs Inverse, says which keys stay: others are forgotten, until they have values again. Without it a key that
	// was seen stays for good, with what Inverse leaves of it, such as 0.
	Keep func(key K, value V) bool
}

// ReduceByKeyAndWindow returns, every slide, a row for each key: its values in the intervals of the last size put together.
func ReduceByKeyAndWindow[K comparable, V any](s Stream[Pair[K, V]], spec WindowReduce[K, V]) Stream[Pair[K, V]] {
	c := s.rows.c
	if spec.Reduce == nil || spec.Inverse == nil && spec.Keep != nil {
		c.fault(errors.New("reduceByKeyAndWindow: it needs Reduce, and Keep needs Inverse"))
		return s
	}
	if spec.Inverse == nil {
		window := ReduceByKey(s, spec.Reduce).Window(spec.Size, spec.Slide)
		r := ReduceByKey(window, spec.Reduce)
		r.state = window.state
		return r
	}
	return runningReduce(s, reduceSpec[K](nameOf("reduceByKey", spec.Reduce), func(v V) V { return v }, spec.Reduce, spec.Reduce), spec)
}
