package operators

import (
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators/expr"
)

// Mode says which rows of an aggregate reach the sink.
type Mode uint8

// The output modes.
const (
	// Append emits a group when its window is final.
	Append Mode = iota
	// Update emits, at the end of each interval, groups that changed in it.
	Update
	// Complete emits all groups at the end of each interval in which anything changed.
	Complete
)

// String returns the name of m as in SQL.
func (m Mode) String() string { return [...]string{"append", "update", "complete"}[m] }

// Plan is an immutable graph of nodes in topological order: the inputs of a node have smaller IDs.
type Plan struct {
	Nodes []*Node
}

// Node is one operator of a plan.
type Node struct {
	ID     int    // index in Plan.Nodes
	Name   string // how a restart finds the state of a stateful operator; unique among these
	Inputs []int  // IDs
	Spec   Spec
	Schema *arrow.Schema // of the rows that come out
}

// Spec is what a node does: one of the *Spec types below.
type Spec interface {
	// String returns the line of EXPLAIN, without name and schema.
	String() string
}

// TimeKey is the key of field metadata that marks a TIMESTAMP column whose values have a watermark: TimeEvent or TimeArrival.
// Projections keep it on columns that they pass through.
const (
	TimeKey     = "tidemill.time"
	TimeEvent   = "event"
	TimeArrival = "arrival"
)

// ScanSpec reads a source: it decodes Columns, then adds Computed and, where used, arrival_time.
// Node.Schema has, in this order, Columns, Computed, and arrival_time if Arrival; unused ones are left out by Prune.
type ScanSpec struct {
	Source string
	// Columns are what the decoder makes, in order.
	Columns []arrow.Field
	// Declared is the list of all columns that the format has in the source's records, for formats that go by position. Used maps
	// Columns to it.
	Declared []arrow.Field
	Used     []int
	// Computed are expressions over Columns, with ComputedNames.
	Computed      []*expr.Spec
	ComputedNames []string
	// Arrival adds the column arrival_time.
	Arrival bool
	// EventTime is the index, in Node.Schema, of the column that the watermark is taken from, -1 if none. It is never pruned.
	EventTime int
	// Delay is how far the watermark is behind the largest event time.
	Delay time.Duration
	// Bounds are what rows have to be within to pass the filter behind: a source may leave out others.
	Bounds []Bound
}

// FilterSpec keeps rows for which Predicate is true.
type FilterSpec struct{ Predicate *expr.Spec }

// ProjectSpec computes Exprs over the input.
type ProjectSpec struct {
	Exprs []*expr.Spec
	Names []string
}

// ExplodeSpec makes a row of each element of List, an ARRAY or MAP: the columns of the input that Keep names, the element's place from
// 0 (INT) where Place names it, then the element, named Name, or the fields of it, named Parts: those of a STRUCT, key and value
// of a MAP. A row whose list is NULL or empty makes none; with Outer it makes one in which all that is not kept is NULL.
type ExplodeSpec struct {
	List  *expr.Spec
	Name  string // "" if there are Parts
	Place string // "": none
	Parts []string
	Outer bool
	Keep  []int
}

// UnionSpec passes the rows of all inputs, which have equal column types, on.
type UnionSpec struct{}

// AggregateSpec groups rows by Keys, and by Window where there is one. The output has window.start and window.end (TIMESTAMP,
// if Window is set; marked TimeEvent or TimeArrival like the window's time, window.end only), the keys, the aggregates.
// Where window.end is not marked, no watermark says that a window is complete, no row is late, and windows close at the end.
// Without keys and window there is one group, which exists from the start.
type AggregateSpec struct {
	Window   *WindowSpec // nil: groups live for ever
	Keys     []*expr.Spec
	KeyNames []string
	Aggs     []AggSpec
	Mode     Mode
	// Early says, in Update mode with a window, how often groups of a window come out before the watermark has passed its end: 0 at
	// the end of each interval, NeverEarly never, else at the ends of intervals that have a multiple of it since the epoch. When the
	// watermark has passed the end, what has changed since comes out, and then what rows within lateness change, in each interval.
	Early time.Duration
}

// NeverEarly is an Early that says that windows come out when the watermark has passed their end.
const NeverEarly time.Duration = -1

// AggSpec is one aggregate.
type AggSpec struct {
	Func string     // one of AggregateNames, or the name of User
	Arg  *expr.Spec // nil: count(*)
	// More are the arguments behind Arg: x of covar_pop(y, x), b of count(DISTINCT a, b).
	More []*expr.Spec
	// By is the order in which first, last, any_value, min_by and max_by choose a row, and in which collect_list and listagg have theirs:
	// a BOOLEAN, BIGINT, DOUBLE or TIMESTAMP. Nil means that rows are in the order in which they came, which min_by and max_by do not
	// take. Rows in which it is NULL are left out, but by collect_list and listagg, where they come first.
	By *expr.Spec
	// Only, a BOOLEAN, leaves out rows for which it is not true. It is for first, last and any_value by arrival; of others the
	// argument, or By, is NULL in such rows.
	Only *expr.Spec
	// Distinct computes it of the different values.
	Distinct bool
	// Descending is the opposite of the order of By, or of that of the values: of collect_list, listagg, percentiles and mode.
	Descending bool
	// ByValue says that values are in their own order: of listagg.
	ByValue bool
	// Places are those of percentiles, from 0 to 1. IsArray says that the result is an ARRAY.
	Places  []float64
	IsArray bool
	// Accuracy of approx_percentile: the result is right to 1/Accuracy of its value.
	Accuracy int64
	// Error is the largest standard error of approx_count_distinct, relative to its result.
	Error float64
	// Bins is the most that histogram_numeric has.
	Bins int
	// Delimiter stands between the texts of listagg.
	Delimiter string
	// User is the aggregate, where it is not one of this package.
	User *UserAggregate
	Name string
	Type arrow.DataType // of the result
}

// WindowKind says what a window is.
type WindowKind uint8

// The kinds of windows.
const (
	// SlidingWindow is [start, start+Size) for each start that is a multiple of Slide from Offset after the epoch. Slide need not
	// divide Size; a tumbling window has them equal.
	SlidingWindow WindowKind = iota
	// CumulatingWindow is [start, start+Slide), [start, start+2*Slide) and so on up to [start, start+Size), for each start that
	// is a multiple of Size from Offset after the epoch. Slide divides Size.
	CumulatingWindow
	// SessionWindow is [start, end], where rows of a group follow each other within Gap or, if that is nil, within Size.
	SessionWindow
	// CountWindow is Rows rows of a group in the order of their coming, one every RowSlide rows. Its start and end are BIGINT:
	// the numbers of its first row, from 0, and of the one after its last.
	CountWindow
)

// WindowSpec divides the rows of a group into windows. Times are whole microseconds.
type WindowSpec struct {
	Kind WindowKind
	// Time is nil for a CountWindow.
	Time *expr.Spec
	// Gap is a BIGINT: how long, in microseconds, the session of a row lasts without another. A row for which it is NULL or not
	// positive is in no session.
	Gap *expr.Spec
	// Rows and RowSlide are the size and the slide of a CountWindow.
	Rows, RowSlide int64
	// Arrival says that Time is arrival_time: rows are never late, whatever Lateness is, and a window closes when the interval
	// has passed its end.
	Arrival bool
	Size    time.Duration
	Slide   time.Duration // equal to Size for tumbling windows
	Offset  time.Duration
	// FromStart says that Offset is counted from the start of the stream instead of from the epoch.
	FromStart bool
	// Lateness is how long after the watermark a row still counts.
	Lateness time.Duration
}

// LateSpec keeps the rows that count for none of the windows of an aggregate over the same input: those that it counts as late
// and drops.
type LateSpec struct {
	Window *WindowSpec // over a time with a watermark of events
	// Exprs are what else the aggregate computes of each row, its keys and arguments: a row for which it can't is bad, not late.
	Exprs []*expr.Spec
}

// LateOf returns what keeps the late rows of an aggregate with a window.
func LateOf(s *AggregateSpec) *LateSpec {
	l := &LateSpec{Window: s.Window, Exprs: slices.Clone(s.Keys)}
	for i := range s.Aggs {
		l.Exprs = append(l.Exprs, s.Aggs[i].exprs()...)
	}
	return l
}

// SortSpec orders the rows of an interval, or, where WindowEnd is not negative, of each window, by By, and keeps the first Limit.
// Rows that are equal under By keep their order.
type SortSpec struct {
	By        []SortKey
	Limit     int64 // -1: all
	WindowEnd int   // column that tells windows apart, which come in its order; -1: per interval
}

// SortKey is one ORDER BY term. NULLs come first in ascending order and last in descending order, unless NullsFirst is set apart
// by the front end: the field always holds the effective rule.
type SortKey struct {
	Expr       *expr.Spec
	Descending bool
	NullsFirst bool
}

// OutputSpec hands rows to the sink named Sink. Keys are the columns that identify a row of an updating result.
type OutputSpec struct {
	Sink string
	Mode Mode
	Keys []int
}
