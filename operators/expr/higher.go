package expr

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// higherCall is a call of a function that takes a lambda function, which it computes for all elements of a batch at a time.
type higherCall struct {
	listCall
	fn  *lambda
	run func(ctx context.Context, c *higherCall, in *batch.Batch) error

	elements elements
	truths   []uint8 // by element, of a BOOLEAN body: isFalse, isTrue, isUnknown
}

// The values of a BOOLEAN body.
const (
	isFalse uint8 = iota
	isTrue
	isUnknown
)

var _ Expr = (*higherCall)(nil)

// newHigher returns a call whose last argument is a lambda function.
func newHigher(run func(ctx context.Context, c *higherCall, in *batch.Batch) error) func(e *env, s *Spec, args []Expr) (Expr, error) {
	return func(e *env, s *Spec, args []Expr) (Expr, error) {
		last := len(args) - 1
		c := &higherCall{listCall: *newListCall(e, s.Func, s, args[:last], nil), run: run}
		c.fn = args[last].(*lambda)
		return c, nil
	}
}

// Eval computes the lists, then the function.
func (c *higherCall) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	if err := c.begin(ctx, in, bad); err != nil {
		return nil, err
	}
	c.elements.of(&c.args[0], c.rows)
	if err := c.run(ctx, c, &in); err != nil {
		return nil, err
	}
	c.bad = nil
	return c.out.Array(), nil
}

// Close releases all memory.
func (c *higherCall) Close() {
	c.kernel.Close()
	c.fn.Close()
	c.elements.close()
}

// batch returns the batch of all elements for the lambda function: of a list an element and, if it takes it, its index, of a map key
// and value.
func (c *higherCall) batch(in *batch.Batch) batch.Batch {
	e, list := &c.elements, &c.args[0]
	params := [2]arrow.Array{e.arr}
	switch {
	case list.arr.DataType().ID() == arrow.MAP:
		key, value := entriesOf(e.arr)
		params = [2]arrow.Array{key, value}
	case c.fn.params == 2:
		params[1] = e.indexes(c.fn.env, list)
	}
	return c.fn.batchOf(in, c.bad, e.owner, e.live, params[:c.fn.params]...)
}

// appendElements adds elements of arr, which are numbered as those of c.elements are, to out: those of all rows.
func (c *higherCall) appendElements(out *batch.Column, arr arrow.Array) {
	e := &c.elements
	switch {
	case e.live == nil && len(e.owner) > 0:
		out.AppendArray(arr, len(e.owner), nil)
	case len(e.live) > 0:
		out.AppendArray(arr, arr.Len(), e.live)
	}
}

// endRows ends the rows of out, a list with the lengths of the argument's.
func (c *higherCall) endRows() {
	list, n := &c.args[0], 0
	for _, i := range c.rows {
		from, to := list.span(i)
		n += int(to - from)
		c.out.EndListAt(int(i), n)
	}
}

func runTransform(ctx context.Context, c *higherCall, in *batch.Batch) error {
	if err := c.fn.eval(ctx, c.batch(in)); err != nil {
		return err
	}
	c.appendElements(c.out.Child(), c.fn.body.arr)
	c.endRows()
	return nil
}

// selectElements returns the elements for which the body is true, in order.
func (c *higherCall) selectElements(ctx context.Context, in *batch.Batch) ([]int32, error) {
	var err error
	c.order, err = c.fn.predicate.Select(ctx, c.batch(in), c.order[:0], c.fn.onBad)
	return c.order, err
}

func runFilter(ctx context.Context, c *higherCall, in *batch.Batch) error {
	kept, err := c.selectElements(ctx, in)
	if err != nil {
		return err
	}
	list, n := &c.args[0], 0
	for _, i := range c.rows {
		end := list.offsets[i+1] - c.elements.first
		for n < len(kept) && kept[n] < end {
			n++
		}
		c.out.EndListAt(int(i), n)
	}
	if len(kept) > 0 {
		c.out.Child().AppendArray(c.elements.arr, c.elements.arr.Len(), kept)
	}
	return nil
}

// evalTruths computes the body for all elements.
func (c *higherCall) evalTruths(ctx context.Context, in *batch.Batch) error {
	if err := c.fn.eval(ctx, c.batch(in)); err != nil {
		return err
	}
	n := len(c.elements.owner)
	c.truths = slices.Grow(c.truths[:0], n)[:n]
	body := &c.fn.body
	for j := range c.truths {
		switch {
		case body.isNull(int32(j)):
			c.truths[j] = isUnknown
		case body.bit(int32(j)):
			c.truths[j] = isTrue
		default:
			c.truths[j] = isFalse
		}
	}
	return nil
}

// runExists and runForAll go by three values: what is not known may be the one that counts.
func runExists(ctx context.Context, c *higherCall, in *batch.Batch) error {
	return c.quantify(ctx, in, isTrue)
}

func runForAll(ctx context.Context, c *higherCall, in *batch.Batch) error {
	return c.quantify(ctx, in, isFalse)
}

// quantify gives the truth of decisive where an element has it, NULL where one is not known, otherwise the opposite.
func (c *higherCall) quantify(ctx context.Context, in *batch.Batch, decisive uint8) error {
	if err := c.evalTruths(ctx, in); err != nil {
		return err
	}
	list := &c.args[0]
	for _, i := range c.rows {
		from, to := list.span(i)
		truths := c.truths[from-c.elements.first : to-c.elements.first]
		switch {
		case slices.Contains(truths, decisive):
			c.out.SetBool(int(i), decisive == isTrue)
		case slices.Contains(truths, isUnknown):
			c.out.SetNull(int(i))
		default:
			c.out.SetBool(int(i), decisive != isTrue)
		}
	}
	return nil
}

// resolveHigher returns a resolver of functions of a list and a lambda function that has the result type that result makes of the
// list's type and the body's.
func resolveHigher(takes string, isPredicate bool, result func(list, body arrow.DataType) arrow.DataType) func(name string, args []*Spec) (*Spec, error) {
	return func(name string, args []*Spec) (*Spec, error) {
		mismatch := &TypeError{Func: name, Takes: []string{takes}, Got: argTypes(args)}
		if len(args) != 2 || args[1].Kind != LambdaKind || elemOf(args[0].Type) == nil && args[0].Type.ID() != arrow.MAP {
			return nil, mismatch
		}
		fn := args[1]
		if isPredicate {
			if fn.Type.ID() != arrow.BOOL && fn.Type.ID() != arrow.NULL {
				mismatch.Takes, mismatch.Why = nil, "the lambda function must give BOOLEAN"
				return nil, mismatch
			}
			fn = fn.convertBody(batch.Boolean)
		}
		if fn.Type.ID() == arrow.NULL {
			fn = fn.convertBody(batch.Text)
		}
		t := result(args[0].Type, fn.Type)
		if err := checkNesting(name, t); err != nil {
			return nil, err
		}
		return call(name, t, args[0], fn), nil
	}
}

// convertBody returns the lambda function s with its result as a t.
func (s *Spec) convertBody(t arrow.DataType) *Spec {
	if isSame(s.Type, t) {
		return s
	}
	return Lambda(convert(s.Args[0], t), s.Args[1:]...)
}

// LambdaParams returns the types that the parameters of a lambda function have that is argument at of a call of name, whose arguments
// before it are args; nil if there is no lambda function. Where most is less than their number the others may be left out.
func LambdaParams(name string, args []*Spec, at int) (types []arrow.DataType, least int) {
	f := functions[name]
	if f == nil {
		return nil, 0
	}
	of := func(i int) arrow.DataType {
		if i < len(args) && args[i] != nil {
			return elemOf(args[i].Type)
		}
		return nil
	}
	entry := func(i int) (key, value arrow.DataType) {
		if i < len(args) && args[i] != nil {
			if m, isMap := args[i].Type.(*arrow.MapType); isMap {
				return m.KeyType(), m.ItemType()
			}
		}
		return nil, nil
	}
	switch {
	case (f.name == "transform" || f.name == "filter") && at == 1:
		types, least = []arrow.DataType{of(0), PlaceType}, 1
	case (f.name == "exists" || f.name == "forall") && at == 1:
		types = []arrow.DataType{of(0)}
	case f.name == "array_sort" && at == 1:
		types = []arrow.DataType{of(0), of(0)}
	case f.name == "aggregate" && at == 2:
		types = []arrow.DataType{args[1].Type, of(0)}
	case f.name == "aggregate" && at == 3:
		types = []arrow.DataType{args[1].Type}
	case f.name == "zip_with" && at == 2:
		types = []arrow.DataType{of(0), of(1)}
	case (f.name == "map_filter" || f.name == "transform_keys" || f.name == "transform_values") && at == 1:
		key, value := entry(0)
		types = []arrow.DataType{key, value}
	case f.name == "map_zip_with" && at == 2:
		key, left := entry(0)
		_, right := entry(1)
		types = []arrow.DataType{key, left, right}
	}
	if slices.Contains(types, nil) {
		return nil, 0
	}
	return types, max(least, len(types)-1+bitsOf(least == 0))
}

func bitsOf(yes bool) int { return int(bitOf(yes)) }
