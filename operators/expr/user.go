package expr

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// UserFunc is a function that is not of this package: Go code of a program. It is not computed before a job runs, also where its
// arguments are constant.
type UserFunc struct {
	// Name is how expressions call it, in lower case.
	Name string
	// Params are the types of the arguments, Result that of what it gives.
	Params []arrow.DataType
	Result arrow.DataType
	// New makes an instance, which one goroutine uses.
	New func(mem memory.Allocator) UserKernel
}

// UserKernel computes a UserFunc.
type UserKernel interface {
	// Apply returns the results of rows, an increasing list, of arguments that have n rows at least; its other rows are undefined.
	// Arguments have the types of Params, and no dictionary; they are borrowed for the call. The result is valid until the next
	// call. bad is told of rows that can't be computed, whose result is NULL. If Apply panics, all rows are bad.
	Apply(args []arrow.Array, n int, rows []int32, bad BadRow) arrow.Array
	// Close releases all memory.
	Close()
}

// Call returns f(args…), with arguments converted as those of other functions are.
func (f *UserFunc) Call(args ...*Spec) (*Spec, error) {
	o := overload{params: f.Params, result: f.Result}
	if _, fits := o.cost(args); !fits {
		return nil, &TypeError{Func: f.Name, Takes: []string{o.takes()}, Got: argTypes(args)}
	}
	args = slices.Clone(args)
	for i := range args {
		args[i] = convert(args[i], f.Params[i])
	}
	s := call(f.Name, f.Result, args...)
	s.User = f
	return s, nil
}

// userCall is a call of a UserFunc.
type userCall struct {
	env    *env
	f      *UserFunc
	args   []operand
	arrays []arrow.Array
	kernel UserKernel

	none *batch.Column // NULLs, after a panic
}

var _ Expr = (*userCall)(nil)

func newUserCall(e *env, f *UserFunc, args []Expr) Expr {
	return &userCall{env: e, f: f, args: newOperands(e, args), arrays: make([]arrow.Array, len(args)), kernel: f.New(e.mem)}
}

// Type is the type of the result.
func (c *userCall) Type() arrow.DataType { return c.f.Result }

// Eval computes the arguments, then the function.
func (c *userCall) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	for i := range c.args {
		if err := c.args[i].eval(ctx, in, bad); err != nil {
			return nil, err
		}
		c.arrays[i] = c.args[i].arr
	}
	return c.apply(in.NumRows(), c.env.rows(&in), bad), nil
}

func (c *userCall) apply(n int, rows []int32, bad BadRow) (result arrow.Array) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		for _, i := range rows {
			bad(i, fmt.Sprintf("%s panics: %v", c.f.Name, cause))
		}
		if c.none == nil {
			c.none = batch.NewColumn(c.env.mem, c.f.Result)
		}
		c.none.Reset(0)
		c.none.AppendNulls(n)
		result = c.none.Array()
	}()
	return c.kernel.Apply(c.arrays, n, rows, func(row int32, why string) { bad(row, c.f.Name+": "+why) })
}

// Close releases all memory.
func (c *userCall) Close() {
	closeOperands(c.args)
	c.kernel.Close()
	if c.none != nil {
		c.none.Release()
	}
}
