package tidemill

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators"
)

// Aggregator is an aggregate in Go. A group begins with the zero State, which must be a group without rows.
type Aggregator[In, State, Out any] struct {
	// Add adds a row to a group.
	Add func(to *State, row In)
	// Merge adds the rows of one group to another. Groups are cut by worker, interval and pane, so a result must not depend on how
	// rows were cut, nor on their order.
	Merge func(to *State, from State)
	// Result returns the result of a group. Its error makes a bad row of the group.
	Result func(of State) (Out, error)
}

// Aggregate makes an aggregate of SQL, also over windows, of Go code. In and Out are as those of Function; rows with NULL in a field
// that is no Optional are left out. State is a value or a struct of values, as rows are: it is kept in checkpoints, in columns of
// its fields, and goes on after a restart as long as these are the same. What Add, Merge and Result panic with makes the group's row
// a bad one, with the aggregate's name.
func Aggregate[In, State, Out any](c *Context, name string, a Aggregator[In, State, Out]) {
	in, state, out := codecOf[In](c), codecOf[State](c), codecOf[Out](c)
	fields := state.Fields("state")
	for i := range fields {
		fields[i].Nullable = true
	}
	fields = append(fields, arrow.Field{Name: "fault", Type: batch.Text, Nullable: true})
	if !c.canName(name) {
		return
	}
	name = strings.ToLower(name)
	if c.aggregates == nil {
		c.aggregates = make(map[string]*operators.UserAggregate)
	}
	c.aggregates[name] = &operators.UserAggregate{
		Name: name, Params: in.Types(), Result: out.ColumnType(), State: fields, TakesNull: in.TakesNull(),
		New: func(mem memory.Allocator) operators.UserAccumulator {
			return &rowAggregate[In, State, Out]{
				name: name, of: a, state: state, out: out, mem: mem, rows: in.NewRows(), view: batch.NewView(in.Schema()),
				saved: state.NewRows(), savedView: batch.NewView(state.Schema()),
			}
		},
	}
	c.isBound = false
}

// rowAggregate is an Aggregator with its groups.
type rowAggregate[In, State, Out any] struct {
	name  string
	of    Aggregator[In, State, Out]
	state *record.Codec[State]
	out   *record.Codec[Out]
	mem   memory.Allocator

	groups []State
	faults map[int32]string // of groups with which code panicked
	room   []byte           // as much of mem as groups have on Go's heap, so that the bound of memory counts them

	rows      *record.Rows[In]
	view      *batch.View
	saved     *record.Rows[State]
	savedView *batch.View

	// Scratch.
	groupOf []int32 // of each row that was read
	all     []int32
	states  []State
	results []Out
	columns []*batch.Column // of State's fields
	result  *batch.Column
}

var _ operators.UserAccumulator = (*rowAggregate[int64, int64, int64])(nil)

// Grow makes room for groups.
func (r *rowAggregate[In, State, Out]) Grow(n int) {
	if n <= len(r.groups) {
		return
	}
	r.groups = append(r.groups, make([]State, n-len(r.groups))...)
	r.room = batch.GrowSlice(r.mem, r.room, cap(r.groups)*int(r.state.ValueBytes()))
}

// readRows reads the rows of columns that can be read, and finds the group of each.
func readRows[T any](r *record.Rows[T], view *batch.View, columns []arrow.Array, rows, groups, groupOf []int32) []int32 {
	for i, arr := range columns {
		view.Set(i, arr)
	}
	n := len(groups)
	if rows != nil {
		n = columns[0].Len()
	}
	view.SetRows(n)
	r.Read(batch.Batch{Rows: view, Sel: rows}, func(int32, string) {}) // a row with NULL is left out
	groupOf = groupOf[:0]
	k := 0
	for _, at := range r.At {
		for rows != nil && rows[k] != at || rows == nil && int32(k) != at {
			k++
		}
		groupOf = append(groupOf, groups[k])
		k++
	}
	return groupOf
}

// Add adds rows without NULL.
func (r *rowAggregate[In, State, Out]) Add(args []arrow.Array, rows, groups []int32) {
	if len(groups) == 0 {
		return
	}
	r.groupOf = readRows(r.rows, r.view, args, rows, groups, r.groupOf)
	r.guarded(len(r.groupOf), r.groupOf, func(k int) {
		r.of.Add(&r.groups[r.groupOf[k]], r.rows.Values[k])
	})
	for _, g := range r.groupOf { // whose texts may be parts of those of all rows
		r.state.Own(&r.groups[g])
	}
	r.rows.Reset()
}

// Merge merges groups, and what is wrong with them.
func (r *rowAggregate[In, State, Out]) Merge(src operators.UserAccumulator, ids, groups []int32) {
	from := src.(*rowAggregate[In, State, Out])
	r.guarded(len(ids), groups, func(k int) { r.of.Merge(&r.groups[groups[k]], from.groups[ids[k]]) })
	for k, id := range ids {
		if why := from.faults[id]; why != "" {
			r.fail(groups[k], why)
		}
	}
}

// guarded calls one for 0 to n-1. Where it panics, the k-th of groups is one without a result.
func (r *rowAggregate[In, State, Out]) guarded(n int, groups []int32, one func(k int)) {
	guarded(n, one, func(k int, cause any) { r.fail(groups[k], fmt.Sprintf("%s panics: %v", r.name, cause)) })
}

func (r *rowAggregate[In, State, Out]) fail(group int32, why string) {
	if r.faults == nil {
		r.faults = make(map[int32]string)
	}
	if r.faults[group] == "" {
		r.faults[group] = why
	}
}

// Fault returns what code said or panicked with.
func (r *rowAggregate[In, State, Out]) Fault(id int32) (why string) {
	if why := r.faults[id]; why != "" {
		return why
	}
	guarded(1, func(int) {
		if _, err := r.of.Result(r.groups[id]); err != nil {
			why = fmt.Sprintf("%s: %s", r.name, err)
		}
	}, func(_ int, cause any) { why = fmt.Sprintf("%s panics: %v", r.name, cause) })
	return why
}

// Result appends results. That of a group which has one now, and had none when Fault was asked, is the zero value.
func (r *rowAggregate[In, State, Out]) Result(col *batch.Column, ids []int32) {
	if r.result == nil {
		r.result = batch.NewColumn(r.mem, r.out.ColumnType())
	}
	r.results = resized(r.results, len(ids))
	guarded(len(ids), func(k int) {
		if v, err := r.of.Result(r.groups[ids[k]]); err == nil {
			r.results[k] = v
		}
	}, func(int, any) {})
	r.out.WriteColumn(r.result, r.results)
	col.AppendFrom(r.result, r.first(len(ids)))
}

// first returns 0 to n-1.
func (r *rowAggregate[In, State, Out]) first(n int) []int32 {
	for len(r.all) < n {
		r.all = append(r.all, int32(len(r.all)))
	}
	return r.all[:n]
}

// Save appends the states of groups.
func (r *rowAggregate[In, State, Out]) Save(cols []*batch.Column, ids []int32) {
	if r.columns == nil {
		for _, t := range r.state.Types() {
			r.columns = append(r.columns, batch.NewColumn(r.mem, t))
		}
	}
	r.states = resized(r.states, len(ids))
	for k, id := range ids {
		r.states[k] = r.groups[id]
	}
	r.state.WriteColumns(r.columns, r.states)
	for i, c := range r.columns {
		cols[i].AppendFrom(c, r.first(len(ids)))
	}
	for _, id := range ids {
		if why := r.faults[id]; why != "" {
			cols[len(r.columns)].AppendString(why)
		} else {
			cols[len(r.columns)].AppendNull()
		}
	}
}

// Load replaces groups.
func (r *rowAggregate[In, State, Out]) Load(cols []arrow.Array, rows, groups []int32) {
	if len(groups) == 0 {
		return
	}
	last := len(cols) - 1
	for k, g := range groups {
		var empty State
		r.groups[g] = empty
		delete(r.faults, g)
		i := k
		if rows != nil {
			i = int(rows[k])
		}
		if text := cols[last]; text.IsValid(i) {
			r.fail(g, strings.Clone(text.(*array.String).Value(i)))
		}
	}
	r.groupOf = readRows(r.saved, r.savedView, cols[:last], rows, groups, r.groupOf)
	for k, g := range r.groupOf {
		r.groups[g] = r.saved.Values[k]
		r.state.Own(&r.groups[g])
	}
	r.saved.Reset()
}

// Reset forgets all groups.
func (r *rowAggregate[In, State, Out]) Reset() {
	clear(r.groups)
	r.groups = r.groups[:0]
	clear(r.faults)
}

// Close releases all memory.
func (r *rowAggregate[In, State, Out]) Close() {
	batch.FreeSlice(r.mem, r.room)
	for _, c := range r.columns {
		c.Release()
	}
	if r.result != nil {
		r.result.Release()
	}
}
