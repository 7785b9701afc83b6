package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
)

const (
	// lineEvery is how often the status line on a terminal changes.
	lineEvery = 200 * time.Millisecond
	// logEvery is how often progress is logged where there is no terminal.
	logEvery = 10 * time.Second
)

// reporter tells a person on stderr how the job goes: with a status line on a terminal, else with a calm log.
type reporter struct {
	w       io.Writer // screen, if there is one
	screen  *screen   // nil if stderr is no terminal
	paint   paint
	isQuiet bool

	mu       sync.Mutex
	job      *tidemill.Context
	last     tidemill.Status
	lastTime time.Time
	lastBad  map[string]int64
	began    time.Time
}

func newReporter(w io.Writer, isQuiet bool) *reporter {
	r := &reporter{w: w, paint: paintOf(w), isQuiet: isQuiet, began: time.Now(), lastTime: time.Now(), lastBad: make(map[string]int64)}
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		r.onScreen(newScreen(f))
	}
	return r
}

// onScreen makes the reporter write its status to the last line of a terminal.
func (r *reporter) onScreen(s *screen) { r.screen, r.w = s, s }

// stdout returns the writer for rows: a screen if they go to a terminal, where the status is there too, out of their way.
func (r *reporter) stdout(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	switch {
	case !ok || !isTerminal(f):
		return w
	case r.screen == nil:
		return newScreen(f)
	}
	return r.screen
}

func (r *reporter) logger() *slog.Logger {
	level := slog.LevelInfo
	if r.isQuiet {
		level = slog.LevelError
	}
	return slog.New(slog.NewTextHandler(r.w, &slog.HandlerOptions{Level: level}))
}

func (r *reporter) start(job *tidemill.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.job = job
}

// onStatus is called at the end of each interval.
func (r *reporter) onStatus(s tidemill.Status) {
	if r.isQuiet {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	since := now.Sub(r.lastTime)
	switch {
	case s.Ended:
		return
	case r.screen != nil && since >= lineEvery:
		line := statusLine(s, r.last, since)
		if s.FileBytes > 0 {
			line = progressLine(s, r.last, now.Sub(r.began), since)
		}
		r.screen.setStatus(line)
	case r.screen == nil && since >= logEvery:
		line := statusLine(s, r.last, since)
		if s.FileBytes > 0 {
			line = fmt.Sprintf("%.0f %% | %s", percent(s), line)
		}
		fmt.Fprintln(r.w, line)
	default:
		return
	}
	r.reportBad()
	r.last, r.lastTime = s, now
}

// statusLine describes the time between two statuses.
func statusLine(s, last tidemill.Status, since time.Duration) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	add("interval %d", s.Interval.ID)
	add("in %s rows/s", rate(s.RowsIn-last.RowsIn, since))
	add("out %s rows/s", rate(s.RowsOut-last.RowsOut, since))
	add("lag %s", s.Lag.Round(time.Millisecond))
	if s.Watermark != batch.MinTime {
		add("watermark %s", s.Watermark)
	}
	add("state %s", bytesText(s.StateBytes))
	if s.Bad > 0 {
		add("bad %d", s.Bad)
	}
	if s.Late > 0 {
		add("late %d", s.Late)
	}
	if s.Ahead > 0 {
		add("ahead %d", s.Ahead)
	}
	return strings.Join(parts, " | ")
}

// barWidth is how many characters the bar of a progress line has.
const barWidth = 24

// progressLine describes a job over files after took: how much of them was read, and when that will be all at the pace so far.
func progressLine(s, last tidemill.Status, took, since time.Duration) string {
	done := int(percent(s) / 100 * barWidth)
	bar := strings.Repeat("=", done)
	if done < barWidth {
		bar += ">" + strings.Repeat(" ", barWidth-done-1)
	}
	line := fmt.Sprintf("[%s] %3.0f %% | %s rows | %s of %s | in %s rows/s", bar, percent(s), shortNumber(float64(s.RowsIn)),
		bytesText(s.FileBytesRead), bytesText(s.FileBytes), rate(s.RowsIn-last.RowsIn, since))
	if s.FileBytesRead > 0 {
		left := time.Duration(float64(took) * float64(s.FileBytes-s.FileBytesRead) / float64(s.FileBytesRead))
		line += " | " + max(left, 0).Round(time.Second).String() + " left"
	}
	if s.Bad > 0 {
		line += fmt.Sprintf(" | bad %d", s.Bad)
	}
	if s.Late > 0 {
		line += fmt.Sprintf(" | late %d", s.Late)
	}
	return line
}

func percent(s tidemill.Status) float64 {
	return 100 * float64(min(s.FileBytesRead, s.FileBytes)) / float64(s.FileBytes)
}

func rate(rows int64, since time.Duration) string {
	return shortNumber(float64(rows) / max(since.Seconds(), 1e-3))
}

func shortNumber(v float64) string {
	switch {
	case v >= 1e9:
		return fmt.Sprintf("%.2f G", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.1f K", v/1e3)
	}
	return fmt.Sprintf("%.0f", v)
}

func bytesText(n int64) string { return shortNumber(float64(n)) + "B" }

// reportBad prints sources whose number of bad rows has changed. r.mu is held.
func (r *reporter) reportBad() {
	if r.job == nil {
		return
	}
	for _, b := range r.job.BadRows() {
		if b.Count == r.lastBad[b.Source] {
			continue
		}
		isFirst := r.lastBad[b.Source] == 0
		fmt.Fprintf(r.w, "%s in %s: ", r.paint.yellow(plural(b.Count, "bad row")), b.Source)
		reasons := make([]string, 0, len(b.Reasons))
		for reason, n := range b.Reasons {
			reasons = append(reasons, fmt.Sprintf("%d × %s", n, reason))
		}
		slices.Sort(reasons)
		fmt.Fprintln(r.w, strings.Join(reasons, "; "))
		if isFirst {
			for _, row := range b.First {
				fmt.Fprintf(r.w, "  %s\n", tidemill.DescribeBadRow(row))
			}
		}
		r.lastBad[b.Source] = b.Count
	}
}

// end prints what the job did.
func (r *reporter) end(job *tidemill.Context, took time.Duration, isDone bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.screen != nil {
		r.screen.end()
	}
	if r.isQuiet {
		return
	}
	r.job = job
	r.reportBad()
	fmt.Fprintln(r.w, doneLine(job.Status(), took, isDone))
}

// doneLine describes a job that has ended. What there is none of is left out.
func doneLine(s tidemill.Status, took time.Duration, isDone bool) string {
	word := "done"
	if !isDone {
		word = "stopped by an error"
	}
	line := fmt.Sprintf("%s: %s in, %s out", word, plural(s.RowsIn, "row"), plural(s.RowsOut, "row"))
	if s.Bad > 0 {
		line += ", " + plural(s.Bad, "bad row")
	}
	if s.Late > 0 {
		line += ", " + plural(s.Late, "late row")
	}
	if s.Ahead > 0 {
		line += ", " + plural(s.Ahead, "row") + " too far ahead"
	}
	if s.Behind > 0 {
		line += ", " + plural(s.Behind, "row") + " of a split that was set aside"
	}
	return fmt.Sprintf("%s, %.1f s", line, took.Seconds())
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
