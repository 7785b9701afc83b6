package operators

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// AggregateNames returns the names of the aggregate functions.
func AggregateNames() []string { return []string{"avg", "count", "max", "min", "sum"} }

// ResultType returns the type of an aggregate of values of type arg, which is nil for count(*).
func ResultType(fn string, arg arrow.DataType) (arrow.DataType, error) {
	if fn == "count" {
		return batch.BigInt, nil
	}
	if arg == nil {
		return nil, fmt.Errorf("function %s takes an argument, got *", fn)
	}
	name := batch.TypeName(arg)
	switch fn {
	case "sum":
		switch name {
		case "BIGINT", "NULL":
			return batch.BigInt, nil
		case "DOUBLE":
			return batch.Double, nil
		}
		return nil, fmt.Errorf("function sum takes (BIGINT) or (DOUBLE), got (%s)", name)
	case "avg":
		switch name {
		case "BIGINT", "DOUBLE", "NULL":
			return batch.Double, nil
		}
		return nil, fmt.Errorf("function avg takes (BIGINT) or (DOUBLE), got (%s)", name)
	case "min", "max":
		switch name {
		case "TEXT":
			return batch.Text, nil
		case "BOOLEAN", "BIGINT", "DOUBLE", "TIMESTAMP":
			return arg, nil
		}
		return nil, fmt.Errorf("function %s takes a value that has an order, got (%s)", fn, name)
	}
	return nil, fmt.Errorf("unknown aggregate %q: there are %s", fn, strings.Join(AggregateNames(), ", "))
}

func (a *AggSpec) resultType() (arrow.DataType, error) {
	if a.Arg == nil {
		return ResultType(a.Func, nil)
	}
	return ResultType(a.Func, a.Arg.Type)
}

// accumulator holds the intermediate results of one aggregate, a row of fixed-width values per group. Groups are numbered by a
// groupTable; grow makes them. It is used by one goroutine at a time, but for reads.
type accumulator interface {
	// grow makes groups up to n-1. New ones are empty.
	grow(n int)
	// add adds row rows[k] of arg, or row k where rows is nil, to group groups[k].
	add(arg arrow.Array, rows, groups []int32)
	// merge adds groups ids of src, which is of the same type, to groups.
	merge(src accumulator, ids, groups []int32)
	// subtract takes out what merge added, exactly. It is only called if canSubtract.
	subtract(src accumulator, ids, groups []int32)
	canSubtract() bool
	// fault says why the result of a group can't be given, "" if it can.
	fault(id int32) string
	// canFail says whether fault ever finds one.
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
	argType := batch.TypeName(a.Arg.Type)
	switch a.Func {
	case "sum", "avg":
		if argType == "DOUBLE" {
			return &doubleSum{mem: mem, isAvg: a.Func == "avg"}
		}
		return &intSum{mem: mem, isAvg: a.Func == "avg"}
	case "min", "max":
		if argType == "TEXT" {
			return &textExtreme{mem: mem, isMax: a.Func == "max"}
		}
		return &extreme{mem: mem, isMax: a.Func == "max", dtype: a.Arg.Type}
	}
	return &counter{mem: mem}
}

// always is embedded by accumulators whose result can always be given.
type always struct{}

func (always) fault(int32) string { return "" }

func (always) canFail() bool { return false }

// validRows leaves NULLs of arr out of rows and groups, with the memory of a scratch. Where there are none it returns both as
// they are.
type validRows struct{ rows, groups []int32 }

func (v *validRows) of(arr arrow.Array, rows, groups []int32) (validRows, validGroups []int32) {
	if arr.NullN() == 0 {
		return rows, groups
	}
	v.rows, v.groups = v.rows[:0], v.groups[:0]
	if v.rows == nil {
		v.rows = make([]int32, 0, len(groups)) // nil would mean all rows
	}
	for k, g := range groups {
		if i := rowOf(rows, k); arr.IsValid(i) {
			v.rows = append(v.rows, int32(i))
			v.groups = append(v.groups, g)
		}
	}
	return v.rows, v.groups
}

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
	mem memory.Allocator
	n   []int64

	valid validRows
}

var _ accumulator = (*counter)(nil)

func (c *counter) grow(n int) { c.n = growZero(c.mem, c.n, n) }

func (c *counter) add(arg arrow.Array, rows, groups []int32) {
	_, groups = c.valid.of(arg, rows, groups)
	for _, g := range groups {
		c.n[g]++
	}
}

func (c *counter) merge(src accumulator, ids, groups []int32) {
	from := src.(*counter).n
	for k, id := range ids {
		c.n[groups[k]] += from[id]
	}
}

func (c *counter) subtract(src accumulator, ids, groups []int32) {
	from := src.(*counter).n
	for k, id := range ids {
		c.n[groups[k]] -= from[id]
	}
}

func (c *counter) canSubtract() bool { return true }

func (c *counter) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		col.AppendInt64(c.n[id])
	}
}

func (c *counter) state() []arrow.Field { return []arrow.Field{{Name: "count", Type: batch.BigInt}} }

func (c *counter) save(cols []*batch.Column, ids []int32) { c.result(cols[0], ids) }

func (c *counter) load(cols []arrow.Array, rows, groups []int32) {
	n := batch.Int64s(cols[0])
	for k, g := range groups {
		c.n[g] = n[rowOf(rows, k)]
	}
}

func (c *counter) reset() { c.n = shrink(c.mem, c.n) }

func (c *counter) close() {
	batch.FreeSlice(c.mem, c.n)
	c.n = nil
}

// stateFields returns the columns of all aggregates' states, and how many each has. Their names begin with the aggregate's.
func stateFields(aggs []AggSpec) (fields []arrow.Field, counts []int) {
	counts = make([]int, len(aggs))
	taken := make(map[string]bool)
	for i := range aggs {
		name := aggs[i].Name
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s#%d", aggs[i].Name, n)
		}
		taken[name] = true
		acc := newAccumulator(nil, &aggs[i])
		if acc == nil {
			continue
		}
		for _, f := range acc.state() {
			f.Name = name + "." + f.Name
			f.Nullable = true
			fields = append(fields, f)
			counts[i]++
		}
	}
	return fields, counts
}
