package bench

import (
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Slides is what a window costs per slide once it is full, in CPU time of the goroutine that works: the median over slides, or the
// largest.
type Slides struct {
	Count int64 `json:"count"`
	Panes int64 `json:"panes"`
	// Rows and Out are the rows that come in and go out per slide.
	Rows int64 `json:"rows"`
	Out  int64 `json:"rows_out"`
	// Window is for taking rows in and moving the window on, Emission for making the rows of its groups and giving them to the sink.
	Window    time.Duration `json:"window_ns"`
	WindowMax time.Duration `json:"window_max_ns"`
	Emission  time.Duration `json:"emission_ns"`
}

// slideClock measures the slides of a run, all on one goroutine, which stays on its thread: the thread's CPU time is not that of others
// on the machine, nor of garbage collection.
type slideClock struct {
	slides   []slide
	began    time.Duration
	emission time.Duration
	since    time.Duration // when the emission that runs began
	depth    int           // emissions within an emission
	looks    int64         // at the clock, for emissions
	cost     time.Duration // of a look at the clock
	rows     int64
	out      int64
}

type slide struct {
	window, emission time.Duration
	rows, out        int64
}

// threadTime returns the CPU time of the thread.
func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// clockLooks is how often the clock is looked at to find out what that costs: as a call of the system some 0.3 to 2 µs, which is as much
// as what is measured where a slide has many emissions.
const clockLooks = 1000

func (c *slideClock) begin() {
	runtime.LockOSThread()
	if c.cost == 0 {
		from := threadTime()
		for range clockLooks {
			threadTime()
		}
		c.cost = (threadTime() - from) / clockLooks
	}
	c.emission, c.looks, c.rows, c.out = 0, 0, 0, 0
	c.began = threadTime()
}

// emitting is operators.Env.Emitting.
func (c *slideClock) emitting(begins bool) {
	switch {
	case begins && c.depth == 0:
		c.since = threadTime()
		c.depth++
	case begins:
		c.depth++
	default:
		if c.depth--; c.depth == 0 {
			c.emission += threadTime() - c.since
			c.looks += 2
		}
	}
}

// end takes what the clock itself cost out, half of it from either part: a look is half before and half after the time that it tells.
func (c *slideClock) end() {
	all, clock := threadTime()-c.began, time.Duration(c.looks)*c.cost
	c.slides = append(c.slides, slide{all - c.emission - clock/2, c.emission - clock/2, c.rows, c.out})
	runtime.UnlockOSThread()
}

// summary returns the median slide of those whose window is full, nil if there is none.
func (c *slideClock) summary(panes int64) *Slides {
	if int64(len(c.slides)) <= panes+1 {
		return nil
	}
	full := c.slides[panes+1:]
	last := full[len(full)-1]
	s := &Slides{Count: int64(len(full)), Panes: panes, Rows: last.rows, Out: last.out}
	var windows, emissions []time.Duration
	for _, f := range full {
		windows, emissions = append(windows, f.window), append(emissions, f.emission)
	}
	slices.Sort(windows)
	slices.Sort(emissions)
	s.Window, s.WindowMax, s.Emission = windows[len(windows)/2], windows[len(windows)-1], emissions[len(emissions)/2]
	return s
}
