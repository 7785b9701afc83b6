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

// MatchSpec finds, in each partition and in order of Time, runs of rows that match a pattern, and gives a row for each:
// the partition's keys, then Measures. It is MATCH_RECOGNIZE of SQL:2016 with ONE ROW PER MATCH.
//
// Conditions and measures are expressions over the columns of NavSchema, each of which is a reference into the rows matched so
// far, the row in question being the last of them.
type MatchSpec struct {
	PartitionBy    []*expr.Spec // over the input
	PartitionNames []string
	Time           *expr.Spec   // TIMESTAMP column with a watermark
	Values         []*expr.Spec // over the input: what Navs take from a row
	Navs           []NavSpec
	Vars           []string // pattern variables, up to MaxMatchVars
	Pattern        *Pattern
	Define         []*expr.Spec // by variable, BOOLEAN over NavSchema; nil: every row
	Measures       []*expr.Spec // over NavSchema
	MeasureNames   []string
	// Within bounds the time from the first row of a match to its last: it is less than that. 0: no bound, so that a pattern that
	// goes on and on keeps rows for as long.
	Within time.Duration
	// After says where the search goes on after a match; AfterVar is the variable of SkipToFirst and SkipToLast.
	After    MatchSkip
	AfterVar int
}

// MaxMatchVars is the number of variables that a pattern may have: which of them a row can be is kept in a word.
const MaxMatchVars = 64

// NavSpec is a reference into the rows of a match.
type NavSpec struct {
	// Func is first, last, or an aggregate's name.
	Func string
	// Var is the variable whose rows are looked at, -1 for all rows.
	Var int
	// Value is the index in MatchSpec.Values of what is taken, -1 for count(*).
	Value int
	// Offset is how many rows of Var are passed over before the first, or behind the last.
	Offset int
	Type   arrow.DataType
}

// MatchSkip says where the search goes on after a match.
type MatchSkip uint8

// The places where the search goes on. Where SkipToFirst or SkipToLast name no row of the match, or its first, which would find
// the same match for ever, the search goes on at the next row.
const (
	SkipPastLastRow MatchSkip = iota
	SkipToNextRow
	SkipToFirst
	SkipToLast
)

// Pattern is a regular expression over variables: a variable, or Parts one after the other, or one of Parts, the first that
// matches; repeated from Min to Max times.
type Pattern struct {
	Var   int // variable, where Parts is empty
	Parts []*Pattern
	IsAny bool // Parts are alternatives
	Min   int
	Max   int // -1: without bound
	// IsLazy prefers few repetitions over many.
	IsLazy bool
}

// Once returns a pattern of one repetition.
func (p Pattern) Once() *Pattern {
	p.Min, p.Max = 1, 1
	return &p
}

// NavSchema returns the schema that conditions and measures are bound over: a column per reference.
func (s *MatchSpec) NavSchema() *arrow.Schema {
	fields := make([]arrow.Field, len(s.Navs))
	for i, n := range s.Navs {
		fields[i] = arrow.Field{Name: s.navText(n), Type: n.Type, Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

func (s *MatchSpec) navText(n NavSpec) string {
	arg := "*"
	if n.Value >= 0 {
		arg = s.Values[n.Value].String()
	}
	if n.Var >= 0 {
		arg = s.Vars[n.Var] + "." + arg
	}
	if n.Offset > 0 {
		arg += ", " + strconv.Itoa(n.Offset)
	}
	return n.Func + "(" + arg + ")"
}

// String returns the line of EXPLAIN.
func (s *MatchSpec) String() string {
	var text strings.Builder
	text.WriteString("match")
	if len(s.PartitionBy) > 0 {
		fmt.Fprintf(&text, " partition by [%s]", namedText(s.PartitionBy, s.PartitionNames))
	}
	fmt.Fprintf(&text, " order by %s pattern (%s)", s.Time, s.Pattern.text(s.Vars))
	if s.Within > 0 {
		text.WriteString(" within " + durationText(s.Within))
	} else {
		text.WriteString(" within no bound")
	}
	for i, d := range s.Define {
		if d != nil {
			fmt.Fprintf(&text, ", %s as %s", s.Vars[i], d)
		}
	}
	fmt.Fprintf(&text, ", measures [%s]", namedText(s.Measures, s.MeasureNames))
	switch s.After {
	case SkipPastLastRow:
	case SkipToNextRow:
		text.WriteString(", skip to next row")
	case SkipToFirst:
		text.WriteString(", skip to first " + s.Vars[s.AfterVar])
	case SkipToLast:
		text.WriteString(", skip to last " + s.Vars[s.AfterVar])
	}
	return text.String()
}

func (p *Pattern) text(vars []string) string {
	var text string
	if len(p.Parts) == 0 {
		text = vars[p.Var]
	} else {
		parts := make([]string, len(p.Parts))
		for i, part := range p.Parts {
			parts[i] = part.text(vars)
		}
		between := " "
		if p.IsAny {
			between = " | "
		}
		text = strings.Join(parts, between)
		if p.IsAny || p.Min != 1 || p.Max != 1 {
			text = "(" + text + ")"
		}
	}
	switch {
	case p.Min == 1 && p.Max == 1:
		return text
	case p.Min == 0 && p.Max < 0:
		text += "*"
	case p.Min == 1 && p.Max < 0:
		text += "+"
	case p.Min == 0 && p.Max == 1:
		text += "?"
	case p.Max < 0:
		text += fmt.Sprintf("{%d,}", p.Min)
	case p.Min == p.Max:
		text += fmt.Sprintf("{%d}", p.Min)
	default:
		text += fmt.Sprintf("{%d,%d}", p.Min, p.Max)
	}
	if p.IsLazy {
		text += "?"
	}
	return text
}

// isOfCurrentRow says whether n is a value of the row in question, when that is tried as variable v.
func (n *NavSpec) isOfCurrentRow(v int) bool {
	return n.Func == "last" && n.Offset == 0 && n.Value >= 0 && (n.Var < 0 || n.Var == v)
}

// Validate reports what is wrong with the pattern.
func (s *MatchSpec) Validate() error {
	if len(s.Vars) > MaxMatchVars {
		return fmt.Errorf("pattern: it has up to %d variables, this one has %d", MaxMatchVars, len(s.Vars))
	}
	if batch.TypeName(s.Time.Type) != "TIMESTAMP" {
		return fmt.Errorf("match: rows are ordered by a TIMESTAMP, got %s", batch.TypeName(s.Time.Type))
	}
	_, err := compilePattern(s.Pattern)
	return err
}
