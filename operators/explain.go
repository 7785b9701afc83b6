package operators

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// String returns the plan as EXPLAIN shows it: each output with the nodes that feed it below, indented, and under a stateful
// node the tables that it keeps. A node that several others read is described once and named after that.
func (p *Plan) String() string {
	read := make([]bool, len(p.Nodes))
	for _, n := range p.Nodes {
		for _, in := range n.Inputs {
			read[in] = true
		}
	}
	e := explainer{plan: p, shown: make([]bool, len(p.Nodes))}
	for _, n := range p.Nodes {
		if !read[n.ID] {
			e.node(n, 0)
		}
	}
	return e.text.String()
}

type explainer struct {
	plan  *Plan
	shown []bool
	text  strings.Builder
}

func (e *explainer) node(n *Node, depth int) {
	indent := strings.Repeat("  ", depth)
	fmt.Fprintf(&e.text, "%s#%d %s", indent, n.ID, n.Spec)
	if n.Name != "" {
		fmt.Fprintf(&e.text, " [%s]", n.Name)
	}
	if e.shown[n.ID] {
		e.text.WriteString(" (see above)\n")
		return
	}
	e.shown[n.ID] = true
	fmt.Fprintf(&e.text, " -> (%s)\n", schemaText(n.Schema))
	for _, t := range StateTables(n) {
		fmt.Fprintf(&e.text, "%s  state %s (%s) key (%s)\n", indent, t.Name, schemaText(t.Schema), keyText(&t))
	}
	for _, in := range n.Inputs {
		e.node(e.plan.Nodes[in], depth+1)
	}
}

func schemaText(s *arrow.Schema) string {
	if s == nil {
		return ""
	}
	columns := make([]string, s.NumFields())
	for i, f := range s.Fields() {
		columns[i] = f.Name + " " + batch.TypeName(f.Type)
	}
	return strings.Join(columns, ", ")
}

func keyText(t *StateTable) string {
	names := make([]string, len(t.Keys))
	for i, k := range t.Keys {
		names[i] = t.Schema.Field(k).Name
	}
	return strings.Join(names, ", ")
}

// DecodedSchema returns the schema of the batches that a Scan takes: Columns alone.
func (s *ScanSpec) DecodedSchema() *arrow.Schema { return arrow.NewSchema(s.Columns, nil) }

// String returns the line of EXPLAIN.
func (s *ScanSpec) String() string {
	names := make([]string, len(s.Columns))
	for i, f := range s.Columns {
		names[i] = f.Name
	}
	text := fmt.Sprintf("scan %s columns [%s]", s.Source, strings.Join(names, ", "))
	if len(s.Computed) > 0 {
		text += " computed [" + namedText(s.Computed, s.ComputedNames) + "]"
	}
	if s.Arrival {
		text += " with arrival_time"
	}
	if s.EventTime >= 0 {
		text += fmt.Sprintf(" watermark of column %d - %s", s.EventTime, durationText(s.Delay))
	}
	if len(s.Bounds) > 0 {
		text += " of parts with [" + s.boundsText() + "]"
	}
	return text
}

// String returns the line of EXPLAIN.
func (s *FilterSpec) String() string { return "filter " + s.Predicate.String() }

// String returns the line of EXPLAIN.
func (s *ProjectSpec) String() string { return "project [" + namedText(s.Exprs, s.Names) + "]" }

// String returns the line of EXPLAIN.
func (s *ExplodeSpec) String() string {
	keep := make([]string, len(s.Keep))
	for i, k := range s.Keep {
		keep[i] = strconv.Itoa(k)
	}
	outer := ""
	if s.Outer {
		outer = " outer"
	}
	return fmt.Sprintf("explode%s %s AS %s keep columns [%s]", outer, s.List, strings.Join(s.Names(), ", "), strings.Join(keep, ", "))
}

// Names returns the names of the columns that s makes.
func (s *ExplodeSpec) Names() []string {
	var names []string
	if s.Place != "" {
		names = append(names, s.Place)
	}
	if s.Parts != nil {
		return append(names, s.Parts...)
	}
	return append(names, s.Name)
}

// String returns the line of EXPLAIN.
func (s *UnionSpec) String() string { return "union" }

// String returns the line of EXPLAIN.
func (s *AggregateSpec) String() string {
	parts := []string{"aggregate"}
	if s.Window != nil {
		parts = append(parts, s.Window.String())
	}
	if len(s.Keys) > 0 {
		parts = append(parts, "keys ["+namedText(s.Keys, s.KeyNames)+"]")
	}
	aggs := make([]string, len(s.Aggs))
	for i, a := range s.Aggs {
		aggs[i] = a.String()
	}
	return strings.Join(append(parts, strings.Join(aggs, ", ")), " ") + ", " + s.Mode.String() + s.earlyText() + s.keptText()
}

// keptText says what is kept for ever, apart from the result itself.
func (s *AggregateSpec) keptText() string {
	if s.Window != nil && s.Window.Kind == CountWindow && len(s.Keys) > 0 {
		return ", the number of the last row of each group kept for ever"
	}
	return ""
}

func (s *AggregateSpec) earlyText() string {
	switch {
	case s.Early == NeverEarly:
		return " when windows end"
	case s.Early > 0:
		return " early every " + durationText(s.Early)
	}
	return ""
}

// String returns the line of EXPLAIN.
func (s *LateSpec) String() string { return "late rows of " + s.Window.String() }

// String returns the line of EXPLAIN.
func (s *SortSpec) String() string {
	terms := make([]string, len(s.By))
	for i, k := range s.By {
		terms[i] = k.String()
	}
	text := "sort by [" + strings.Join(terms, ", ") + "]"
	if len(terms) == 0 {
		text = "limit"
	}
	if s.Limit >= 0 {
		if len(terms) > 0 {
			text += " limit"
		}
		text += " " + strconv.FormatInt(s.Limit, 10)
	}
	if s.WindowEnd >= 0 {
		return text + " per window"
	}
	return text + " per interval"
}

// String returns the term as SQL: n DESC NULLS LAST.
func (k SortKey) String() string {
	text := k.Expr.String()
	if k.Descending {
		text += " DESC"
	}
	if k.NullsFirst {
		return text + " NULLS FIRST"
	}
	return text + " NULLS LAST"
}

// String returns the line of EXPLAIN.
func (s *OutputSpec) String() string {
	text := fmt.Sprintf("output %s %s", s.Sink, s.Mode)
	if len(s.Keys) > 0 {
		text += fmt.Sprintf(" keys %v", s.Keys)
	}
	return text
}

// namedText returns expressions with their names, where these say more: n + 1 AS m, word.
func namedText(exprs []*expr.Spec, names []string) string {
	parts := make([]string, len(exprs))
	for i, e := range exprs {
		parts[i] = e.String()
		if i < len(names) && names[i] != "" && names[i] != parts[i] {
			parts[i] += " AS " + names[i]
		}
	}
	return strings.Join(parts, ", ")
}

var durationUnits = []struct {
	size time.Duration
	name string
}{
	{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "us"},
}

// durationText returns d in its largest whole unit: 90 s, 10 min, 1500 ms.
func durationText(d time.Duration) string {
	for _, u := range durationUnits {
		if d != 0 && d%u.size == 0 {
			return fmt.Sprintf("%d %s", d/u.size, u.name)
		}
	}
	if d == 0 {
		return "0 s"
	}
	return d.String()
}
