package expr

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// kernel is a call of a function that gives NULL where an argument is NULL: it evaluates the arguments and lets run compute the
// rows that are left.
type kernel struct {
	name  string
	args  []operand
	run   func(*kernel)
	quiet bool // bad rows are NULL and not told of

	rows []int32 // for run: rows to compute, increasing; dense where they are all
	n    int     // for run: number of rows of the batch
	out  *batch.Column
	bad  BadRow

	scratch []int32 // reused from batch to batch
}

var _ Expr = (*kernel)(nil)

func newKernel(e *env, f *function, s *Spec, args []Expr) (Expr, error) {
	o := f.match(s.Args)
	if o != nil {
		if cost, _ := o.cost(s.Args); cost > 0 {
			o = nil // Call would have converted the arguments
		}
	}
	if o == nil {
		return nil, &TypeError{Func: s.Func, Why: "no such arguments", Got: argTypes(s.Args)}
	}
	if o.pick != nil {
		return e.picking(&textTest{args: newOperands(e, args), test: o.pick(s.Args[1])}), nil
	}
	run := o.run
	if o.prepare != nil {
		var err error
		if run, err = o.prepare(s); err != nil {
			return nil, fmt.Errorf("function %s: %w", f.name, err)
		}
	}
	k := kernel{name: f.name, args: newOperands(e, args), run: run, out: batch.NewColumn(e.mem, s.Type)}
	if f.lenient {
		return &lenient{k}, nil
	}
	return &k, nil
}

// Type is the type of the result.
func (c *kernel) Type() arrow.DataType { return c.out.Type() }

// Eval computes the arguments, then the function.
func (c *kernel) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	c.n, c.bad = in.NumRows(), bad
	c.out.Reset(c.n)
	var err error
	c.rows, c.scratch, err = evalStrict(ctx, c.args, in, c.out, c.scratch, bad)
	if err != nil {
		return nil, err
	}
	c.run(c)
	c.bad = nil
	return c.out.Array(), nil
}

// Close releases the result and the arguments.
func (c *kernel) Close() {
	closeOperands(c.args)
	c.out.Release()
}

// isDense says whether rows has all rows of the batch.
func (c *kernel) isDense() bool { return len(c.rows) == c.n }

// fail makes row i NULL and reports it, with the function's name before why.
func (c *kernel) fail(i int32, format string, values ...any) {
	c.out.SetNull(int(i))
	if !c.quiet {
		c.bad(i, c.name+": "+fmt.Sprintf(format, values...))
	}
}

// maxQuoted is how many bytes of a text are shown in a message: enough to find it by.
const maxQuoted = 100

// quote returns text for a message, cut off where it is long.
func quote(text []byte) string {
	if len(text) <= maxQuoted {
		return fmt.Sprintf("%q", text)
	}
	n := maxQuoted
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return fmt.Sprintf("%q…", text[:n])
}
