package expr

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

var choiceFunctions = []function{
	{
		name: "case", syntax: "CASE WHEN a THEN x … [ELSE y] END → type of x", resolve: resolveCase, build: newCase,
		doc: "The x of the first a that is true, y where none is, NULL without ELSE; x and y are computed only where they are the result.",
	},
	{
		name: "if", syntax: "if(BOOLEAN, x, y) → type of x", resolve: resolveIf,
		doc: "The second argument where the first is true, otherwise the third.",
	},
	{
		name: "coalesce", aliases: []string{"ifnull", "nvl"}, syntax: "coalesce(x, y, …) → type of x", resolve: resolveCoalesce, build: newCoalesce,
		doc: "The first argument that is not NULL; those behind it are not computed.",
	},
	{
		name: "nullif", syntax: "nullif(x, y) → type of x", resolve: resolveNullif, build: newNullif,
		doc: "NULL where x = y, otherwise x.",
	},
	{
		name: "greatest", syntax: "greatest(x, y, …) → type of x", resolve: resolveExtreme, build: newExtreme,
		doc: "The greatest argument; NULL arguments do not count, NaN is the greatest number.",
	},
	{
		name: "least", syntax: "least(x, y, …) → type of x", resolve: resolveExtreme, build: newExtreme,
		doc: "The least argument; NULL arguments do not count, NaN is the greatest number.",
	},
}

func resolveCase(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "a condition and a value, any number of times", args, 2, -1); err != nil {
		return nil, err
	}
	args = slices.Clone(args)
	var values []*Spec
	for k := 1; k < len(args); k += 2 {
		values = append(values, args[k])
		if c := args[k-1]; c.Type.ID() != arrow.BOOL && c.Type.ID() != arrow.NULL {
			return nil, &TypeError{Func: name, Why: "condition must be BOOLEAN", Got: argTypes(args[k-1 : k])}
		}
		args[k-1] = convert(args[k-1], batch.Boolean)
	}
	if len(args)%2 == 1 {
		values = append(values, args[len(args)-1])
	}
	values, t, err := unify(name, values)
	if err != nil {
		return nil, err
	}
	for k := range values {
		args[min(2*k+1, len(args)-1)] = values[k]
	}
	if len(args)%2 == 0 {
		args = append(args, null(t))
	}
	return call("case", t, args...), nil
}

func resolveIf(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "(BOOLEAN, x, y)", args, 3, 3); err != nil {
		return nil, err
	}
	return resolveCase(name, args)
}

func resolveCoalesce(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "one argument or more", args, 1, -1); err != nil {
		return nil, err
	}
	args, t, err := unify(name, args)
	if err != nil {
		return nil, err
	}
	return call(name, t, args...), nil
}

func resolveNullif(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "two arguments", args, 2, 2); err != nil {
		return nil, err
	}
	compared, err := unifyCompared(name, args)
	if err != nil {
		return nil, err
	}
	if isSame(compared[0].Type, args[0].Type) {
		return call(name, args[0].Type, compared...), nil
	}
	// The result keeps the type that the first argument had before it was compared.
	return call("case", args[0].Type, call("=", batch.Boolean, compared...), null(args[0].Type), args[0]), nil
}

func resolveExtreme(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "two arguments or more", args, 2, -1); err != nil {
		return nil, err
	}
	args, err := unifyCompared(name, args)
	if err != nil {
		return nil, err
	}
	return call(name, args[0].Type, args...), nil
}

// choice is a result that each row takes from one of several operands.
type choice struct {
	out    *batch.Column
	values []operand

	from []int32 // scratch: one entry per row of the batch, the number of the operand, -1 for NULL
	rows []int32 // scratch: rows that are open
	hits []int32 // scratch: rows that are decided
}

func newChoice(e *env, t arrow.DataType, values []Expr) choice {
	c := choice{values: newOperands(e, values)}
	if t.ID() != arrow.NULL {
		c.out = batch.NewColumn(e.mem, t)
	}
	return c
}

// Type is the type of the result.
func (c *choice) Type() arrow.DataType {
	if c.out == nil {
		return arrow.Null
	}
	return c.out.Type()
}

// Close releases the result and the operands.
func (c *choice) Close() {
	closeOperands(c.values)
	if c.out != nil {
		c.out.Release()
	}
}

// begin makes all n rows NULL.
func (c *choice) begin(n int) {
	c.from = slices.Grow(c.from[:0], n)[:n]
	for i := range c.from {
		c.from[i] = -1
	}
}

// gather makes the result of what from says of the live rows of in: in order, as TEXT and lists must be written.
func (c *choice) gather(in *batch.Batch) arrow.Array {
	if c.out == nil {
		return c.values[0].arr
	}
	c.out.Reset(in.NumRows())
	for _, i := range c.values[0].env.rows(in) {
		k := c.from[i]
		if k < 0 || c.values[k].isNull(i) {
			c.out.SetNull(int(i))
			continue
		}
		c.values[k].copyRow(c.out, i)
	}
	return c.out.Array()
}

// caseWhen is CASE.
type caseWhen struct {
	choice
	conditions []Predicate
}

var _ Expr = (*caseWhen)(nil)

func newCase(e *env, s *Spec, args []Expr) (Expr, error) {
	c := &caseWhen{}
	var values []Expr
	for k := 0; k+1 < len(args); k += 2 {
		c.conditions = append(c.conditions, e.predicate(args[k]))
		values = append(values, args[k+1])
	}
	c.choice = newChoice(e, s.Type, append(values, args[len(args)-1]))
	return c, nil
}

// Eval asks the conditions, each for the rows that those before leave open, and computes each value for the rows it is for.
func (c *caseWhen) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	if c.out == nil {
		return c.values[0].expr.Eval(ctx, in, bad) // all are NULL
	}
	c.begin(in.NumRows())
	part := in
	rows := c.values[0].env.rows(&in)
	for k := range c.values {
		if len(rows) == 0 {
			break
		}
		part.Sel = rows
		hits := rows
		if k < len(c.conditions) {
			var err error
			if c.hits, err = c.conditions[k].Select(ctx, part, c.hits[:0], bad); err != nil {
				return nil, err
			}
			if len(c.hits) == 0 {
				continue
			}
			hits = c.hits
		}
		for _, i := range hits {
			c.from[i] = int32(k)
		}
		part.Sel = hits
		if err := c.values[k].eval(ctx, part, bad); err != nil {
			return nil, err
		}
		if k < len(c.conditions) {
			c.rows = without(c.rows[:0], rows, hits)
			rows = c.rows
		}
	}
	return c.gather(&in), nil
}

// Close releases all memory.
func (c *caseWhen) Close() {
	for _, p := range c.conditions {
		p.Close()
	}
	c.choice.Close()
}

// coalesce is COALESCE.
type coalesce struct{ choice }

var _ Expr = (*coalesce)(nil)

func newCoalesce(e *env, s *Spec, args []Expr) (Expr, error) {
	return &coalesce{newChoice(e, s.Type, args)}, nil
}

// Eval computes each operand for the rows where those before are NULL.
func (c *coalesce) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	c.begin(in.NumRows())
	part := in
	rows := c.values[0].env.rows(&in)
	for k := range c.values {
		v := &c.values[k]
		if len(rows) == 0 {
			break
		}
		part.Sel = rows
		if err := v.eval(ctx, part, bad); err != nil {
			return nil, err
		}
		open := c.rows[:0] // may be rows, from its start
		for _, i := range rows {
			if v.isNull(i) {
				open = append(open, i)
			} else {
				c.from[i] = int32(k)
			}
		}
		c.rows, rows = open, open
	}
	return c.gather(&in), nil
}

// nullif is NULLIF.
type nullif struct{ choice }

var _ Expr = (*nullif)(nil)

func newNullif(e *env, s *Spec, args []Expr) (Expr, error) {
	return &nullif{newChoice(e, s.Type, args)}, nil
}

// Eval takes the first operand where the two are not equal.
func (c *nullif) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	c.begin(in.NumRows())
	both, scratch, err := evalStrict(ctx, c.values, in, nil, c.rows, bad)
	c.rows = scratch
	if err != nil {
		return nil, err
	}
	for _, i := range c.values[0].env.rows(&in) {
		c.from[i] = 0
	}
	c.hits = pickEqual(c.hits[:0], both, &c.values[0], &c.values[1], false)
	for _, i := range c.hits {
		c.from[i] = -1
	}
	return c.gather(&in), nil
}

// extreme is GREATEST or LEAST.
type extreme struct {
	choice
	least bool
}

var _ Expr = (*extreme)(nil)

func newExtreme(e *env, s *Spec, args []Expr) (Expr, error) {
	return &extreme{choice: newChoice(e, s.Type, args), least: s.Func == "least"}, nil
}

// Eval computes all operands and compares them row by row.
func (c *extreme) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	c.begin(in.NumRows())
	for k := range c.values {
		v := &c.values[k]
		if err := v.eval(ctx, in, bad); err != nil {
			return nil, err
		}
		for _, i := range v.env.rows(&in) {
			if v.isNull(i) {
				continue
			}
			best := c.from[i]
			if best < 0 || c.least && v.isRowLess(&c.values[best], i) || !c.least && c.values[best].isRowLess(v, i) {
				c.from[i] = int32(k)
			}
		}
	}
	return c.gather(&in), nil
}
