package tidemill

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// shownBadRows is how many bad rows of a source are kept to be shown.
const shownBadRows = 5

// BadRows is what is known of the bad rows of one source.
type BadRows struct {
	Source  string
	Count   int64
	Reasons map[string]int64 // by reason, values left out
	First   []ingest.BadRow  // the first ones; Raw is a copy
}

// badRows counts bad rows by source and keeps the first ones. It is safe for concurrent use.
type badRows struct {
	onReport func(source string, err error)

	mu      sync.Mutex
	sources map[string]*BadRows
}

func newBadRows(onReport func(source string, err error)) *badRows {
	return &badRows{onReport: onReport, sources: make(map[string]*BadRows)}
}

func (b *badRows) report(source, split string, row ingest.BadRow) {
	row.Source, row.Split = source, split
	b.mu.Lock()
	s := b.sources[source]
	if s == nil {
		s = &BadRows{Source: source, Reasons: make(map[string]int64)}
		b.sources[source] = s
	}
	s.Count++
	s.Reasons[reasonOf(row)]++
	if len(s.First) < shownBadRows {
		row.Raw = slices.Clone(row.Raw)
		s.First = append(s.First, row)
	}
	b.mu.Unlock()
	b.onReport(source, fmt.Errorf("bad row: source %s: %s", source, DescribeBadRow(row)))
}

// DescribeBadRow returns the place of a bad row and the reason, in one line.
func DescribeBadRow(row ingest.BadRow) string {
	var s strings.Builder
	if row.Split != "" {
		fmt.Fprintf(&s, "%s: ", row.Split)
	}
	if row.Line > 0 {
		fmt.Fprintf(&s, "line %d: ", row.Line)
	}
	if row.Offset >= 0 {
		fmt.Fprintf(&s, "byte offset %d: ", row.Offset)
	}
	if row.Column != "" && !strings.HasPrefix(row.Why, "column ") {
		fmt.Fprintf(&s, "column %s: ", row.Column)
	}
	s.WriteString(row.Why)
	return s.String()
}

// reasonOf returns the reason of a bad row with quoted values and numbers left out, so that equal ones are counted together.
func reasonOf(row ingest.BadRow) string {
	var s strings.Builder
	inQuotes, escaped := false, false
	for _, c := range row.Why {
		switch {
		case escaped:
			escaped = false
		case inQuotes && c == '\\':
			escaped = true
		case c == '"':
			if inQuotes = !inQuotes; inQuotes {
				s.WriteString("…")
			}
		case !inQuotes && (c < '0' || c > '9'):
			s.WriteRune(c)
		}
	}
	if row.Column != "" && !strings.HasPrefix(row.Why, "column ") {
		return "column " + row.Column + ": " + s.String()
	}
	return s.String()
}

// ofOperator returns the function that operators tell of rows they can't compute. Such a row is known by its number in the split.
func (b *badRows) ofOperator(splits func(int32) *splitRun) badRowFunc {
	return func(n *nodeRun, origin *batch.Origin, row int32, why string) {
		bad := ingest.BadRow{Offset: -1, Why: why}
		source, split := n.Name, ""
		if sp := splits(origin.Split); sp != nil {
			source, split = sp.source.name, sp.name
			bad.Line = origin.FirstRow + int64(origin.BlockRow(int(row))) + 1
			if f := sp.source.format; f != nil && f.HasHeader() {
				bad.Line++
			}
		}
		b.report(source, split, bad)
	}
}

// total returns the number of bad rows of all sources.
func (b *badRows) total() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var n int64
	for _, s := range b.sources {
		n += s.Count
	}
	return n
}

// list returns a copy of what is known, in order of source.
func (b *badRows) list() []BadRows {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []BadRows
	for _, s := range b.sources {
		c := *s
		c.Reasons = maps.Clone(s.Reasons)
		c.First = slices.Clone(s.First)
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y BadRows) int { return cmp.Compare(x.Source, y.Source) })
	return all
}
