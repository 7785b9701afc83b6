package operators

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// OverSpec computes functions of rows that are near each other: rows with equal Partition, in order of Time. NULL equals NULL. A
// row comes out when the watermark has passed its time, in order of time, and rows of equal time by split, in that as they came;
// with lead, and with a frame that goes on behind the row, it comes out when the rows are there that it looks at, or at the end. The
// columns are those of the input, then one per function.
type OverSpec struct {
	Partition []*expr.Spec
	// Time is a column that has a watermark. A row without a time is bad.
	Time *expr.Spec
	// Arrival says that Time is arrival_time: no row is late, and the end of the interval is the watermark.
	Arrival bool
	Funcs   []OverFunc
	// Frame has the rows that aggregates, first_value and last_value are computed of; others don't look at it.
	Frame OverFrame
}

// OverFrame is the rows of a partition around the current one. By time, rows that are equal to the current one are among them too.
type OverFrame struct {
	// IsRows says that Rows and RowsAfter count, and otherwise Range and RangeAfter.
	IsRows bool
	// Rows is the number of rows before the current one, RowsAfter that of rows behind it.
	Rows, RowsAfter int64
	// Range is how long before the current one rows may be, RangeAfter how long after it.
	Range, RangeAfter time.Duration
}

// OverFunc is one function.
type OverFunc struct {
	// Func is row_number, rank, dense_rank, lag, lead, first_value, last_value or an aggregate.
	Func string
	Arg  *expr.Spec // a column; nil for count(*) and functions that number rows
	// Offset is how many rows before or after the current one lag and lead look at.
	Offset int64
	// Default is the literal that lag and lead give where there is no such row; nil: NULL.
	Default *expr.Spec
	Name    string
	Type    arrow.DataType // of the result
}

// String returns the function as SQL, without OVER.
func (f *OverFunc) String() string {
	text := f.Func + "("
	switch {
	case f.Arg != nil:
		text += f.Arg.String()
	case f.Func == "count":
		text += "*"
	}
	if f.isNear() {
		text += fmt.Sprintf(", %d", f.Offset)
		if f.Default != nil {
			text += ", " + f.Default.String()
		}
	}
	return text + ")"
}

func (f *OverFunc) isNumber() bool {
	return f.Func == "row_number" || f.Func == "rank" || f.Func == "dense_rank"
}

func (f *OverFunc) isNear() bool { return f.Func == "lag" || f.Func == "lead" }

func (f *OverFunc) isOfFrame() bool { return !f.isNumber() && !f.isNear() }

func (f *OverFunc) isAggregate() bool {
	return f.isOfFrame() && f.Func != "first_value" && f.Func != "last_value"
}

// String returns the frame as SQL.
func (f *OverFrame) String() string {
	kind, before, after, follows := "range", durationText(f.Range), durationText(f.RangeAfter), f.RangeAfter != 0
	if f.IsRows {
		kind, before, after, follows = "rows", strconv.FormatInt(f.Rows, 10), strconv.FormatInt(f.RowsAfter, 10), f.RowsAfter != 0
	}
	text := kind + " between " + before + " preceding and "
	if follows {
		return text + after + " following"
	}
	return text + "current row"
}

// String returns the line of EXPLAIN.
func (s *OverSpec) String() string {
	names := make([]string, len(s.Funcs))
	for i := range s.Funcs {
		names[i] = s.Funcs[i].String() + " AS " + s.Funcs[i].Name
	}
	return "over " + strings.Join(names, ", ") + s.windowText()
}

func (s *OverSpec) windowText() string {
	text := ""
	if len(s.Partition) > 0 {
		text += " partition by [" + namedText(s.Partition, nil) + "]"
	}
	text += " order by " + s.Time.String()
	if s.hasFrame() {
		text += " " + s.Frame.String()
	}
	if s.hasNumbers() {
		text += ", the last row of each partition kept for ever"
	}
	return text
}

// meaning says what the rows of the state were kept for. Names of results are not part of it.
func (s *OverSpec) meaning() string {
	m := meaning{Kind: "window of rows"}
	texts := make([]string, len(s.Funcs))
	for i := range s.Funcs {
		texts[i] = s.Funcs[i].String()
	}
	m.Detail = "for " + strings.Join(texts, ", ") + s.windowText()
	return m.encode()
}

func (s *OverSpec) hasNumbers() bool {
	return slices.ContainsFunc(s.Funcs, func(f OverFunc) bool { return f.isNumber() })
}

// lead returns how many rows after a row must be known before it comes out.
func (s *OverSpec) lead() (rows int64) {
	if s.Frame.IsRows && s.hasFrame() {
		rows = s.Frame.RowsAfter
	}
	for i := range s.Funcs {
		if s.Funcs[i].Func == "lead" {
			rows = max(rows, s.Funcs[i].Offset)
		}
	}
	return rows
}

// after returns how long after a row all others must be known before it comes out.
func (s *OverSpec) after() time.Duration {
	if s.Frame.IsRows || !s.hasFrame() {
		return 0
	}
	return s.Frame.RangeAfter
}

func (s *OverSpec) hasFrame() bool {
	return slices.ContainsFunc(s.Funcs, func(f OverFunc) bool { return f.isOfFrame() })
}

// back returns how many rows before a row it depends on, however old these are.
func (s *OverSpec) back() (rows int64) {
	if s.hasNumbers() {
		rows = 1
	}
	for i := range s.Funcs {
		switch f := &s.Funcs[i]; {
		case f.Func == "lag":
			rows = max(rows, f.Offset)
		case f.isOfFrame() && s.Frame.IsRows:
			rows = max(rows, s.Frame.Rows)
		}
	}
	return rows
}

// exprs returns the expressions over the input.
func (s *OverSpec) exprs() []*expr.Spec {
	exprs := append(slices.Clone(s.Partition), s.Time)
	for _, f := range s.Funcs {
		if f.Arg != nil {
			exprs = append(exprs, f.Arg)
		}
	}
	return exprs
}

// remapped returns the spec over an input whose columns moved.
func (s *OverSpec) remapped(remap func(*expr.Spec) *expr.Spec) *OverSpec {
	kept := *s
	kept.Partition = make([]*expr.Spec, len(s.Partition))
	for i, e := range s.Partition {
		kept.Partition[i] = remap(e)
	}
	kept.Time = remap(s.Time)
	kept.Funcs = slices.Clone(s.Funcs)
	for i := range kept.Funcs {
		if kept.Funcs[i].Arg != nil {
			kept.Funcs[i].Arg = remap(kept.Funcs[i].Arg)
		}
	}
	return &kept
}

// maxNear bounds how many rows lag, lead and a frame of rows reach. The value is a choice, not a measurement.
const maxNear = 1 << 20

// validate reports all that is wrong with the spec.
func (s *OverSpec) validate(name string) error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(name+": "+format, args...)) }
	for _, k := range s.Partition {
		if !isKeyType(k.Type) {
			fault("partition: values of %s can't be compared: it is %s", k, batch.TypeName(k.Type))
		}
	}
	if s.Time == nil || s.Time.Kind != expr.ColumnKind {
		fault("the time is no column")
	}
	f := &s.Frame
	if min(f.Rows, f.RowsAfter) < 0 || max(f.Rows, f.RowsAfter) > maxNear || min(f.Range, f.RangeAfter) < 0 || f.Range%time.Microsecond+f.RangeAfter%time.Microsecond != 0 {
		fault("frame: want up to %d rows or a time of whole microseconds: %s", maxNear, f)
	}
	if s.after() > 0 && s.lead() > 0 {
		fault("lead and a frame that goes on for a time are two windows: %s", f)
	}
	if s.Arrival && (s.after() > 0 || s.lead() > 0) {
		fault("no row can wait for others over arrival_time: windows over it close by the clock")
	}
	for i := range s.Funcs {
		f := &s.Funcs[i]
		switch {
		case f.Arg != nil && f.Arg.Kind != expr.ColumnKind:
			fault("%s: the argument is no column", f)
		case f.isNear() && (f.Arg == nil || f.Offset < 0 || f.Offset > maxNear):
			fault("%s: want a value, and 0 to %d rows", f, maxNear)
		case f.isAggregate():
			agg := AggSpec{Func: f.Func, Arg: f.Arg}
			if err := agg.check(); err != nil {
				fault("%w", err)
			}
		}
	}
	return errors.Join(errs...)
}
