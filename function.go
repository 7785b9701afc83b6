package tidemill

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators/expr"
	"github.com/tidemill/tidemill/sql"
)

// Function makes fn a function of SQL, also in the expressions of DStreams. In says what it takes: a value of one of the types that
// fields of rows have is one argument, a struct has a field for each argument, in order. A NULL for a field that is no Optional
// gives NULL without a call. Out is a value, an Optional, or a struct, which is a STRUCT in SQL.
//
// An error or a panic makes the row a bad one, with the function's name. fn is called by several workers at once, in any order, and
// again after a restart, so it must be safe for concurrent use and depend on its argument only; what needs an instance per worker is
// a VectorFunction. A name that SQL has, or that is given twice, is a fault that Check reports.
func Function[In, Out any](c *Context, name string, fn func(In) (Out, error)) {
	in, out := codecOf[In](c), codecOf[Out](c)
	result := out.ColumnType()
	c.addFunction(&expr.UserFunc{Name: name, Params: in.Types(), Result: result, New: func(mem memory.Allocator) expr.UserKernel {
		return &rowFunction[In, Out]{
			rowArguments: newRowArguments(in), codec: out, column: batch.NewColumn(mem, result),
			call: fn,
		}
	}})
}

// TableFunction makes fn a function that gives any number of rows, which emit adds, as an ARRAY: explode(name(…)) and inline(name(…))
// make rows of it. In and Out are those of Function, and so is the rest.
func TableFunction[In, Out any](c *Context, name string, fn func(in In, emit func(Out)) error) {
	in, out := codecOf[In](c), codecOf[Out](c)
	result := arrow.ListOf(out.ColumnType())
	c.addFunction(&expr.UserFunc{Name: name, Params: in.Types(), Result: result, New: func(mem memory.Allocator) expr.UserKernel {
		return &tableFunction[In, Out]{
			rowArguments: newRowArguments(in), codec: out, column: batch.NewColumn(mem, result),
			call: fn,
		}
	}})
}

// VectorFunction is a function that computes many rows in one call.
type VectorFunction struct {
	// Params are the types of the arguments and Result that of what it gives, such as batch.BigInt.
	Params []arrow.DataType
	Result arrow.DataType
	// New makes an instance, which one goroutine at a time uses.
	New func() VectorKernel
}

// VectorKernel computes rows of arrow arrays, which have the types of Params, any offset, and are borrowed for the call. rows are
// those to compute, in increasing order; none of them has a NULL argument, and those with one give NULL. It writes row i of out for
// each i of rows, as the docs of batch.Column say. bad is told of rows that can't be computed; they become NULL. If it panics, all
// rows are bad.
type VectorKernel func(args []arrow.Array, rows []int32, out *batch.Column, bad func(row int32, why string))

// VectorFunction makes f a function of SQL. It is the fast way: nothing is called or copied per row. It must depend on its arguments
// only.
func (c *Context) VectorFunction(name string, f VectorFunction) {
	c.addFunction(&expr.UserFunc{Name: name, Params: f.Params, Result: f.Result, New: func(mem memory.Allocator) expr.UserKernel {
		return &vectorFunction{kernel: f.New(), out: batch.NewColumn(mem, f.Result)}
	}})
}

// addFunction gives a function its name.
func (c *Context) addFunction(f *expr.UserFunc) {
	if !c.canName(f.Name) {
		return
	}
	f.Name = strings.ToLower(f.Name)
	if c.functions == nil {
		c.functions = make(map[string]*expr.UserFunc)
	}
	c.functions[f.Name] = f
	c.isBound = false
}

// canName says whether a name is free for a function; it is a fault if it is not.
func (c *Context) canName(given string) bool {
	switch name := strings.ToLower(given); {
	case sql.IsFunction(name):
		c.fault(fmt.Errorf("function %q: SQL has a function of that name", given))
	case !sql.IsName(name):
		c.fault(fmt.Errorf("function %q: want a name of letters, digits and _", given))
	case c.functions[name] != nil || c.aggregates[name] != nil:
		c.fault(fmt.Errorf("function %q: there are two of that name", given))
	default:
		return true
	}
	return false
}

// rowArguments are the rows of a batch of arguments as Go values.
type rowArguments[In any] struct {
	view *batch.View
	rows *record.Rows[In]
	done []bool // per row of the batch: it has a result
}

func newRowArguments[In any](codec *record.Codec[In]) rowArguments[In] {
	return rowArguments[In]{view: batch.NewView(codec.Schema()), rows: codec.NewRows()}
}

// read reads the rows whose arguments are all there.
func (a *rowArguments[In]) read(args []arrow.Array, n int, rows []int32) {
	for i, arg := range args {
		a.view.Set(i, arg)
	}
	a.view.SetRows(n)
	a.rows.Read(batch.Batch{Rows: a.view, Sel: rows}, func(int32, string) {}) // NULL gives NULL
	a.done = resized(a.done, n)
}

// all calls one for all values. A value that makes it panic is a bad row.
func (a *rowArguments[In]) all(one func(k int), bad expr.BadRow) {
	guarded(len(a.rows.Values), one, func(k int, cause any) { bad(a.rows.At[k], fmt.Sprintf("panics: %v", cause)) })
}

// guarded calls one for 0 to n-1. Where it panics, failed is told of it, and it goes on with the next.
func guarded(n int, one func(k int), failed func(k int, cause any)) {
	for k := 0; k < n; {
		next, cause := guardedFrom(k, n, one)
		if cause != nil {
			failed(next-1, cause)
		}
		k = next
	}
}

// guardedFrom calls one for k to n-1, and returns behind which it ended, and what that one panicked with, nil if it did not.
func guardedFrom(k, n int, one func(k int)) (next int, cause any) {
	next = k
	defer func() {
		if cause = recover(); cause != nil {
			next++
		}
	}()
	for ; next < n; next++ {
		one(next)
	}
	return next, nil
}

// finish makes rows without a result NULL.
func (a *rowArguments[In]) finish(out *batch.Column) arrow.Array {
	for i, isDone := range a.done {
		if !isDone {
			out.SetNull(i)
		}
	}
	a.rows.Reset()
	return out.Array()
}

// resized returns s with n zero values.
func resized[T any](s []T, n int) []T {
	if n > cap(s) {
		return make([]T, n, n+n/4)
	}
	s = s[:n]
	clear(s)
	return s
}

// rowFunction calls a function of one row.
type rowFunction[In, Out any] struct {
	rowArguments[In]
	codec  *record.Codec[Out]
	call   func(In) (Out, error)
	values []Out // per row of the batch
	column *batch.Column
}

// Apply calls the function for each row.
func (f *rowFunction[In, Out]) Apply(args []arrow.Array, n int, rows []int32, bad expr.BadRow) arrow.Array {
	f.read(args, n, rows)
	f.values = resized(f.values, n)
	f.all(func(k int) {
		i := f.rows.At[k]
		v, err := f.call(f.rows.Values[k])
		if err != nil {
			bad(i, err.Error())
			return
		}
		f.values[i], f.done[i] = v, true
	}, bad)
	f.codec.WriteColumn(f.column, f.values)
	return f.finish(f.column)
}

// Close releases the results.
func (f *rowFunction[In, Out]) Close() { f.column.Release() }

// tableFunction calls a function that gives any number of rows for one.
type tableFunction[In, Out any] struct {
	rowArguments[In]
	codec  *record.Codec[Out]
	call   func(In, func(Out)) error
	values []Out // of all rows
	ends   []int // per row of the batch: of values
	column *batch.Column
}

// Apply calls the function for each row.
func (f *tableFunction[In, Out]) Apply(args []arrow.Array, n int, rows []int32, bad expr.BadRow) arrow.Array {
	f.read(args, n, rows)
	clear(f.values)
	f.values, f.ends = f.values[:0], resized(f.ends, n)
	emit := func(v Out) { f.values = append(f.values, v) }
	before := 0
	f.all(func(k int) {
		f.values = f.values[:before] // without those of one that panicked
		i := f.rows.At[k]
		if err := f.call(f.rows.Values[k], emit); err != nil {
			f.values = f.values[:before]
			bad(i, err.Error())
			return
		}
		before = len(f.values)
		f.ends[i], f.done[i] = before, true
	}, bad)
	f.values = f.values[:before]
	f.column.Reset(n)
	f.codec.WriteColumn(f.column.Child(), f.values)
	end := 0
	for i, e := range f.ends {
		end = max(end, e)
		f.column.EndListAt(i, end)
	}
	return f.finish(f.column)
}

// Close releases the results.
func (f *tableFunction[In, Out]) Close() { f.column.Release() }

// vectorFunction calls a function of many rows.
type vectorFunction struct {
	kernel VectorKernel
	rows   []int32
	out    *batch.Column
}

// Apply calls the function for the rows without NULL.
func (f *vectorFunction) Apply(args []arrow.Array, n int, rows []int32, bad expr.BadRow) arrow.Array {
	f.out.Reset(n)
	f.rows = f.rows[:0]
	for _, i := range rows {
		isNull := false
		for _, a := range args {
			isNull = isNull || a.IsNull(int(i))
		}
		if isNull {
			f.out.SetNull(int(i))
			continue
		}
		f.rows = append(f.rows, i)
	}
	f.kernel(args, f.rows, f.out, func(row int32, why string) {
		f.out.SetNull(int(row))
		bad(row, why)
	})
	return f.out.Array()
}

// Close releases the results.
func (f *vectorFunction) Close() { f.out.Release() }
