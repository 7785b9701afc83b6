package expr

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// Kernels of functions that are computed a row at a time.

// textRows makes a kernel of a function that appends the TEXT of row i to dst. After c.fail it returns dst.
func textRows(row func(c *kernel, i int32, dst []byte) []byte) func(*kernel) {
	return func(c *kernel) {
		for _, i := range c.rows {
			c.out.SetTextBuffer(int(i), row(c, i, c.out.TextBuffer(0)))
		}
	}
}

// intRows makes a kernel of a function that returns the integer of row i.
func intRows(row func(c *kernel, i int32) int64) func(*kernel) {
	return func(c *kernel) {
		out := c.out.Int64s()
		for _, i := range c.rows {
			out[i] = row(c, i)
		}
	}
}

// boolRows makes a kernel of a function that returns the BOOLEAN of row i.
func boolRows(row func(c *kernel, i int32) bool) func(*kernel) {
	return func(c *kernel) {
		for _, i := range c.rows {
			c.out.SetBool(int(i), row(c, i))
		}
	}
}

// lenient is a kernel of which run sees rows with NULL arguments too.
type lenient struct{ kernel }

var _ Expr = (*lenient)(nil)

// buildLenient makes a kernel of a function whose arguments go by rules of their own.
func buildLenient(run func(*kernel)) func(e *env, s *Spec, args []Expr) (Expr, error) {
	return func(e *env, s *Spec, args []Expr) (Expr, error) {
		return &lenient{*e.kernel(s.Func, s, args, run)}, nil
	}
}

// Eval computes the arguments, then the function.
func (c *lenient) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	c.n, c.bad = in.NumRows(), bad
	c.out.Reset(c.n)
	for k := range c.args {
		if err := c.args[k].eval(ctx, in, bad); err != nil {
			return nil, err
		}
	}
	c.rows = c.args[0].env.rows(&in)
	c.run(&c.kernel)
	c.bad = nil
	return c.out.Array(), nil
}
