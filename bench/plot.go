package bench

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// plotColors has the programs of a plot, with their colours.
var plotColors = []struct{ program, color string }{
	{Engine, "#1b6ca8"}, {Loop, "#8a8a8a"}, {Idiomatic, "#d9a441"},
}

// The measures of a plot in pixels.
const (
	plotLabel  = 150
	plotWidth  = 620
	plotBar    = 9
	plotGap    = 9
	plotMargin = 46
)

// WriteSVG draws rows per CPU second of each workload and program as bars on a logarithmic scale.
func (r *Report) WriteSVG(w io.Writer) error {
	low, high := math.Inf(1), math.Inf(-1)
	var shown []*Result
	for i := range r.Results {
		res := &r.Results[i]
		if e := res.Find(Engine); e == nil || e.Latency != nil {
			continue
		}
		shown = append(shown, res)
		for _, p := range plotColors {
			if s := res.Find(p.program); s != nil && s.CPU > 0 {
				low, high = min(low, s.RowsPerCPU()), max(high, s.RowsPerCPU())
			}
		}
	}
	if len(shown) == 0 {
		low, high = 1, 10
	}
	low, high = math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	x := func(v float64) float64 { return plotLabel + (math.Log10(v)-low)/max(high-low, 1)*plotWidth }
	height := plotMargin*2 + len(shown)*(len(plotColors)*plotBar+plotGap)

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n",
		plotLabel+plotWidth+70, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="8" y="16" font-size="13">Rows per CPU second (log scale), %s, %s</text>`+"\n",
		html.EscapeString(r.Machine.CPU), r.Machine.Time.Format("2006-01-02"))
	for i, p := range plotColors {
		fmt.Fprintf(&b, `<rect x="%d" y="24" width="10" height="10" fill="%s"/><text x="%d" y="33">%s</text>`+"\n",
			plotLabel+i*110, p.color, plotLabel+14+i*110, p.program)
	}
	for e := low; e <= high; e++ {
		at := x(math.Pow(10, e))
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			at, at, plotMargin-6, height-plotMargin, at, height-plotMargin+16, powerText(e))
	}
	y := plotMargin
	for _, res := range shown {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", plotLabel-8, y+2*plotBar, html.EscapeString(res.Workload))
		for _, p := range plotColors {
			if s := res.Find(p.program); s != nil && s.CPU > 0 {
				end := x(s.RowsPerCPU())
				fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d" font-size="9">%s</text>`+"\n",
					plotLabel, y, end-plotLabel, plotBar-1, p.color, end+3, y+plotBar-1, figure(s.RowsPerCPU()/1e6)+" M")
			}
			y += plotBar
		}
		y += plotGap
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// powerText returns ten to the power of e with a unit.
func powerText(e float64) string {
	units := []string{"", "K", "M", "G"}
	u := min(max(int(e)/3, 0), len(units)-1)
	return fmt.Sprintf("%g %s", math.Pow(10, e-float64(3*u)), units[u])
}
