package operators

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// Bound is a comparison of a column that is read with a constant.
type Bound struct {
	Column int    // index in ScanSpec.Columns
	Op     string // = < <= > >=
	Value  any    // bool, int64, float64, string or batch.Time
}

// PushDown returns p with ScanSpec.Bounds set where canSkip says that the source of a scan may leave out rows, and only a filter
// looks at what is scanned: there is no watermark, which dropped rows move too, and no computed column, which may make bad rows. The
// filter stays. p is unchanged.
func PushDown(p *Plan, canSkip func(source string) bool) *Plan {
	out := &Plan{Nodes: slices.Clone(p.Nodes)}
	for i, n := range out.Nodes {
		scan, ok := n.Spec.(*ScanSpec)
		if !ok || scan.EventTime >= 0 || len(scan.Computed) > 0 || !canSkip(scan.Source) {
			continue
		}
		filter := onlyFilter(p, i)
		if filter == nil {
			continue
		}
		bounded, node := *scan, *n
		bounded.Bounds = appendBounds(nil, filter.Predicate, scan)
		node.Spec = &bounded
		out.Nodes[i] = &node
	}
	return out
}

// onlyFilter returns the filter that alone reads a node, nil if there is none.
func onlyFilter(p *Plan, node int) (filter *FilterSpec) {
	readers := 0
	for _, n := range p.Nodes {
		if slices.Contains(n.Inputs, node) {
			readers++
			filter, _ = n.Spec.(*FilterSpec)
		}
	}
	if readers != 1 {
		return nil
	}
	return filter
}

// mirrored has the operator of a comparison whose sides are exchanged.
var mirrored = map[string]string{"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// appendBounds appends the comparisons that must all hold for a predicate to do so.
func appendBounds(dst []Bound, e *expr.Spec, scan *ScanSpec) []Bound {
	if e.Kind != expr.CallKind {
		return dst
	}
	if e.Func == "and" {
		for _, a := range e.Args {
			dst = appendBounds(dst, a, scan)
		}
		return dst
	}
	op := e.Func
	if mirrored[op] == "" || len(e.Args) != 2 {
		return dst
	}
	column, value := e.Args[0], e.Args[1]
	if column.Kind == expr.LiteralKind {
		column, value, op = value, column, mirrored[op]
	}
	if column.Kind != expr.ColumnKind || column.Column >= len(scan.Columns) || value.Kind != expr.LiteralKind ||
		!arrow.TypeEqual(column.Type, value.Type) {
		return dst
	}
	switch value.Value.(type) {
	case bool, int64, float64, string, batch.Time:
		dst = append(dst, Bound{Column: column.Column, Op: op, Value: value.Value})
	}
	return dst
}

// boundsText returns what EXPLAIN says of bounds.
func (s *ScanSpec) boundsText() string {
	var text strings.Builder
	for i, b := range s.Bounds {
		if i > 0 {
			text.WriteString(", ")
		}
		value := fmt.Sprint(b.Value)
		switch b.Value.(type) {
		case string, batch.Time:
			value = "'" + value + "'"
		}
		fmt.Fprintf(&text, "%s %s %s", s.Columns[b.Column].Name, b.Op, value)
	}
	return text.String()
}
