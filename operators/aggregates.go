package operators

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// ResultType returns the type of an aggregate of values of type arg, which is nil for count(*).
func ResultType(fn string, arg arrow.DataType) (arrow.DataType, error) {
	if fn == "count" {
		return batch.BigInt, nil
	}
	if arg == nil {
		return nil, fmt.Errorf("function %s takes an argument, got *", fn)
	}
	arg = batch.Dictless(arg)
	switch fn {
	case "sum", "avg":
		return sumType(fn, arg)
	case "first", "last", "any_value", "min_by", "max_by", "min", "max":
		if batch.IsScalar(arg) {
			return arg, nil
		}
		return nil, fmt.Errorf("function %s takes a value that has an order, got (%s)", fn, batch.TypeName(arg))
	}
	return nil, fmt.Errorf("unknown aggregate %q: there are %s", fn, strings.Join(AggregateNames(), ", "))
}

func sumType(fn string, arg arrow.DataType) (arrow.DataType, error) {
	isInterval := arg == batch.DayTime || arg == batch.YearMonth
	switch {
	case isInterval:
		return arg, nil
	case arg.ID() == arrow.DECIMAL128:
		t := decimalResult(fn, arg)
		return batch.Decimal(t.Precision, t.Scale), nil
	case arg.ID() == arrow.FLOAT64, fn == "avg" && (batch.IsInteger(arg) || arg.ID() == arrow.NULL):
		return batch.Double, nil
	case batch.IsInteger(arg), arg.ID() == arrow.NULL:
		return batch.BigInt, nil
	}
	return nil, fmt.Errorf("function %s takes a number or an INTERVAL, got (%s)", fn, batch.TypeName(arg))
}

// accumulator holds the intermediate results of one aggregate: words in the records of a pane, and what is rare or has no fixed
// width apart. The pane numbers the groups, makes their records, and counts their rows before it calls add, merge, subtract or
// load. It is used by one goroutine at a time, but for reads.
type accumulator interface {
	// words returns how many words of a record it needs.
	words() int
	// bind gives it its records and its first word in them, before anything else.
	bind(rec *records, at int)
	// grow tells that there are groups up to n-1. New ones are empty.
	grow(n int)
	// add adds row rows[k] of arg, or row k where rows is nil, to group groups[k]. arg may be of type NULL.
	add(arg arrow.Array, rows, groups []int32)
	// merge adds groups ids of src, which is of the same type, to groups.
	merge(src accumulator, ids, groups []int32)
	// subtract takes out what merge added, exactly. It is only called if canSubtract.
	subtract(src accumulator, ids, groups []int32)
	canSubtract() bool
	// fault says why the result of a group can't be given, "" if it can.
	fault(id int32) string
	// canFail says whether any group may have a fault.
	canFail() bool
	// result appends the results of groups ids, which have no fault, to col.
	result(col *batch.Column, ids []int32)
	// state returns the columns that the intermediate results are kept in.
	state() []arrow.Field
	// save appends groups ids to the columns of state.
	save(cols []*batch.Column, ids []int32)
	// load replaces groups by what save wrote to rows.
	load(cols []arrow.Array, rows, groups []int32)
	// reset forgets all groups.
	reset()
	// close releases all memory.
	close()
}

// newAccumulator returns an accumulator for a, nil for count(*), which the rows of a group are counted for anyway.
func newAccumulator(mem memory.Allocator, a *AggSpec) accumulator {
	if a.Arg == nil {
		return nil
	}
	if a.User != nil {
		return newUserAccumulator(mem, a.User)
	}
	if acc := newOther(mem, a); acc != nil {
		return acc
	}
	argType := batch.Dictless(a.Arg.Type)
	switch a.Func {
	case "first", "last", "any_value", "min_by", "max_by":
		return newChosen(a)
	case "sum", "avg":
		switch argType.ID() {
		case arrow.FLOAT64:
			return &doubleSum{isAvg: a.Func == "avg"}
		case arrow.DECIMAL128:
			return newDecimalSum(a)
		}
		return &intSum{isAvg: a.Func == "avg", dtype: argType}
	case "min", "max":
		if isBytes(argType) {
			return &textExtreme{isMax: a.Func == "max", dtype: argType}
		}
		return newExtreme(a.Func == "max", a.Arg.Type)
	}
	return &counter{}
}

// newAccumulators returns an accumulator per aggregate, nil for count(*), and the records that they share.
func newAccumulators(mem memory.Allocator, aggs []AggSpec) ([]accumulator, *records) {
	accs, rec := make([]accumulator, len(aggs)), &records{mem: mem, width: 1}
	for i := range aggs {
		if accs[i] = newAccumulator(mem, &aggs[i]); accs[i] != nil {
			accs[i].bind(rec, rec.width)
			rec.width += accs[i].words()
		}
	}
	return accs, rec
}

// always is embedded by accumulators whose result can always be given.
type always struct{}

func (always) fault(int32) string { return "" }

func (always) canFail() bool { return false }

// growZero returns s with length n, new values 0.
func growZero[T batch.Fixed](mem memory.Allocator, s []T, n int) []T {
	old := len(s)
	if n <= old {
		return s
	}
	s = batch.GrowSlice(mem, s, n)
	clear(s[old:])
	return s
}

// shrink returns s empty, its memory given back if it is large and hardly used.
func shrink[T batch.Fixed](mem memory.Allocator, s []T) []T {
	if cap(s) > 4096 && cap(s) > 16*len(s) {
		batch.FreeSlice(mem, s)
		return nil
	}
	return s[:0]
}

// counter is count(x).
type counter struct {
	always
	presence
}

var _ accumulator = (*counter)(nil)

func (c *counter) words() int { return 0 }

func (c *counter) bind(rec *records, _ int) { c.rec = rec }

func (c *counter) grow(int) {}

func (c *counter) add(arg arrow.Array, rows, groups []int32) { c.valid(arg, rows, groups) }

func (c *counter) merge(src accumulator, ids, groups []int32) {
	c.presence.merge(&src.(*counter).presence, ids, groups)
}

func (c *counter) subtract(src accumulator, ids, groups []int32) {
	c.presence.subtract(&src.(*counter).presence, ids, groups)
}

func (c *counter) canSubtract() bool { return true }

func (c *counter) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		col.AppendInt64(c.n(id))
	}
}

func (c *counter) state() []arrow.Field { return []arrow.Field{{Name: "count", Type: batch.BigInt}} }

func (c *counter) save(cols []*batch.Column, ids []int32) { c.result(cols[0], ids) }

func (c *counter) load(cols []arrow.Array, rows, groups []int32) {
	n := batch.Int64s(cols[0])
	for k, g := range groups {
		c.setN(g, n[rowOf(rows, k)])
	}
}

// stateFields returns the columns of all aggregates' states, and how many each has. Their names begin with the aggregate's.
func stateFields(aggs []AggSpec) (fields []arrow.Field, counts []int) {
	counts = make([]int, len(aggs))
	names := stateNames(aggs)
	for i := range aggs {
		for _, f := range stateOf(&aggs[i]) {
			f.Name = names[i] + "." + f.Name
			f.Nullable = true
			fields = append(fields, f)
			counts[i]++
		}
	}
	return fields, counts
}
