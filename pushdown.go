package tidemill

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/operators"
)

// pushDown tells scans of formats that can leave out parts of a file what the filter behind them wants. p is unchanged.
func (c *Context) pushDown(p *operators.Plan) *operators.Plan {
	return operators.PushDown(p, func(source string) bool {
		i := slices.IndexFunc(c.sources, func(s sourceSpec) bool { return s.name == source })
		if i < 0 {
			return false
		}
		f, ok := c.sources[i].format.(ingest.ColumnFormat)
		return ok && f.Skips()
	})
}

// wantedOf returns what a plan uses of the columns that a scan reads.
func wantedOf(scan *operators.ScanSpec) ingest.Wanted {
	w := ingest.Wanted{Columns: slices.Concat(scan.Columns)}
	if w.Columns == nil {
		w.Columns = []arrow.Field{}
	}
	for _, b := range scan.Bounds {
		w.Bounds = append(w.Bounds, ingest.Bound{Column: scan.Columns[b.Column].Name, Op: b.Op, Value: b.Value})
	}
	return w
}
