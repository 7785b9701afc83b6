package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Report is a run of the suite.
type Report struct {
	Machine Machine  `json:"machine"`
	Scale   float64  `json:"scale"`
	Count   int      `json:"count"`
	Workers int      `json:"workers"`
	Results []Result `json:"results"`
}

// WriteText writes the report as aligned tables.
func (r *Report) WriteText(w io.Writer) error {
	m := r.Machine
	_, err := fmt.Fprintf(w, "%s, tidemill %s, %s %s, %s, %d cores, memory %.1f GB/s on one, load %.1f, scale %g, median of %d, workers %s %s\n\n",
		m.Time.Format(time.RFC3339), m.Commit, m.Go, m.OS, m.CPU, m.Cores, m.MemoryBandwidth/1e9, m.Load, r.Scale, r.Count,
		workersText(r.Workers), strings.Join(m.Env, " "))
	if err != nil {
		return err
	}
	for _, table := range [][][]string{r.speeds(), r.slides(), r.yardsticks(), r.latencies()} {
		if len(table) == 1 {
			continue
		}
		if _, err := io.WriteString(w, aligned(table)+"\n"); err != nil {
			return err
		}
	}
	for i := range r.Results {
		for _, p := range r.Results[i].Programs {
			if p.Fault != "" {
				if _, err := fmt.Fprintf(w, "VOID %s, %s: %s\n", r.Results[i].Workload, p.Name, p.Fault); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func workersText(n int) string {
	if n == 0 {
		return "one per core"
	}
	return strconv.Itoa(n)
}

// Faults returns how many programs gave a wrong answer or none.
func (r *Report) Faults() (n int) {
	for i := range r.Results {
		for _, p := range r.Results[i].Programs {
			if p.Fault != "" {
				n++
			}
		}
	}
	return n
}

// speeds is the table of the engine's figures.
func (r *Report) speeds() [][]string {
	table := [][]string{{
		"workload", "rows", "Mrow/s", "MB/s", "Mrow/cpu-s", "MB/cpu-s", "CPU s", "peak MiB", "objects/row", "GC %", "load", "of raw", "of loop", "× idiomatic", "2nd worker", "status",
	}}
	for i := range r.Results {
		res := &r.Results[i]
		e := res.Find(Engine)
		if e == nil {
			table = append(table, []string{res.Workload, whole(res.Rows), "", "", "", "", "", "", "", "", "", "", "", "", "", "VOID"})
			continue
		}
		if e.Latency != nil {
			continue
		}
		table = append(table, []string{
			res.Workload, whole(res.Rows), figure(e.RowsPerSecond() / 1e6), perByte(res.Bytes, e.Wall), figure(e.RowsPerCPU() / 1e6), perByte(res.Bytes, e.CPU),
			figure(e.CPU.Seconds()), whole(e.PeakRSS >> 20), fmt.Sprintf("%.4f", float64(e.Objects)/float64(e.Rows)), fmt.Sprintf("%.1f", 100*e.GC),
			fmt.Sprintf("%.1f", e.Load), ratio(e, res.Find(Raw)), ratio(e, res.Find(Loop)), ratio(e, res.Find(Idiomatic)), speedup(res), "ok",
		})
	}
	return table
}

// yardsticks is the table of the other programs' figures.
func (r *Report) yardsticks() [][]string {
	table := [][]string{{"yardstick", "program", "Mrow/s", "MB/s", "Mrow/cpu-s", "CPU s", "peak MiB", "objects/row", "status"}}
	for i := range r.Results {
		res := &r.Results[i]
		for _, p := range res.Programs {
			if p.Name == Engine || len(p.Runs) == 0 {
				continue
			}
			s, status := &p.Median, "ok"
			if p.Fault != "" {
				status = "VOID"
			}
			table = append(table, []string{
				res.Workload, p.Name, figure(s.RowsPerSecond() / 1e6), perByte(res.Bytes, s.Wall), figure(s.RowsPerCPU() / 1e6), figure(s.CPU.Seconds()),
				whole(s.PeakRSS >> 20), fmt.Sprintf("%.4f", float64(s.Objects)/float64(s.Rows)), status,
			})
		}
	}
	return table
}

// slides is the table of the work that a window takes per slide.
func (r *Report) slides() [][]string {
	table := [][]string{{"per slide, cpu ms", "slides", "panes", "rows", "window", "window max", "emission", "rows out"}}
	for i := range r.Results {
		e := r.Results[i].Find(Engine)
		if e == nil || e.Slides == nil {
			continue
		}
		s := e.Slides
		table = append(table, []string{
			r.Results[i].Workload, whole(s.Count), whole(s.Panes), whole(s.Rows), millisText(s.Window), millisText(s.WindowMax), millisText(s.Emission), whole(s.Out),
		})
	}
	return table
}

// latencies is the table of workloads at a fixed rate.
func (r *Report) latencies() [][]string {
	table := [][]string{{"latency, ms", "rows/s", "interval", "p50", "p99", "p99.9", "max", "bare p50", "bare p99", "p99 of bare", "floor p99", "p99 of floor", "cores used", "load"}}
	for i := range r.Results {
		e := r.Results[i].Find(Engine)
		if e == nil || e.Latency == nil {
			continue
		}
		l := e.Latency
		table = append(table, []string{
			r.Results[i].Workload, whole(l.PerSecond), l.Interval.String(), millisText(l.P50), millisText(l.P99), millisText(l.P999), millisText(l.Max),
			millisText(l.BareP50), millisText(l.BareP99), fmt.Sprintf("%.1f×", float64(l.P99)/float64(max(l.BareP99, 1))),
			millisText(l.Floor()), fmt.Sprintf("%.1f×", float64(l.P99)/float64(max(l.Floor(), 1))), figure(e.CPU.Seconds() / e.Wall.Seconds()), fmt.Sprintf("%.1f", e.Load),
		})
	}
	return table
}

func millisText(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1000) }

// ratio returns the rows per CPU second of e in those of a yardstick.
func ratio(e, yardstick *Sample) string {
	if yardstick == nil || yardstick.CPU <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", e.RowsPerCPU()/yardstick.RowsPerCPU())
}

// speedup returns how much faster, by wall clock, the engine is than with one worker.
func speedup(r *Result) string {
	e, one := r.Find(Engine), r.Find(OneWorker)
	if e == nil || one == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f×", one.Wall.Seconds()/e.Wall.Seconds())
}

func perByte(size int64, d time.Duration) string {
	if size == 0 || d <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", float64(size)/1e6/d.Seconds())
}

// figure returns v with three digits.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// aligned returns a table as text that is also Markdown: the first row is the header; first columns are to the left, figures to
// the right.
func aligned(table [][]string) string {
	widths := make([]int, len(table[0]))
	for _, row := range table {
		for c, cell := range row {
			widths[c] = max(widths[c], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for i, row := range table {
		for c, cell := range row {
			pad := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell))
			if c == 0 {
				b.WriteString("| " + cell + pad + " |")
			} else {
				b.WriteString(" " + pad + cell + " |")
			}
		}
		b.WriteByte('\n')
		if i == 0 {
			for c, w := range widths {
				if c == 0 {
					b.WriteString("|:" + strings.Repeat("-", w+1) + "|")
				} else {
					b.WriteString(strings.Repeat("-", w+1) + ":|")
				}
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}
