package expr

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

var twoTexts = []arrow.DataType{batch.Text, batch.Text}

var matchFunctions = []function{
	{
		name: "in", syntax: "x IN (a, b, …) → BOOLEAN", resolve: resolveIn, build: newIn,
		doc: "True where x equals one of the list; otherwise NULL where x or one of the list is NULL.",
	},
	{
		name: "like", syntax: "TEXT LIKE TEXT → BOOLEAN", resolve: resolveLike, build: newLike,
		doc: "True where the whole text fits the pattern: % is any text, _ any character, and a backslash takes the meaning of what follows.",
	},
	{
		name: "contains", doc: "True where the first text has the second in it.",
		overloads: []overload{{params: twoTexts, result: batch.Boolean, pick: pickContaining}},
	},
	{
		name: "startswith", doc: "True where the first text begins with the second.",
		overloads: []overload{{params: twoTexts, result: batch.Boolean, pick: pickStarting}},
	},
	{
		name: "endswith", doc: "True where the first text ends with the second.",
		overloads: []overload{{params: twoTexts, result: batch.Boolean, pick: pickEnding}},
	},
}

// textPicking appends to dst the rows of which the texts pass a test. No row is NULL.
type textPicking func(dst, rows []int32, a, b *operand) []int32

// pickTexts makes a picking of a test of two texts.
func pickTexts(test func(s, part []byte) bool) textPicking {
	return func(dst, rows []int32, a, b *operand) []int32 {
		for _, i := range rows {
			if test(a.bytes(i), b.bytes(i)) {
				dst = append(dst, i)
			}
		}
		return dst
	}
}

func pickContaining(part *Spec) textPicking {
	if v, isConstant := part.Value.(string); isConstant && v != "" {
		return newTextSearch([]byte(v)).pick
	}
	return pickTexts(bytes.Contains)
}

func pickStarting(part *Spec) textPicking {
	if v, isConstant := part.Value.(string); isConstant && len(v) <= maxShort {
		w := newShortText([]byte(v))
		return func(dst, rows []int32, a, _ *operand) []int32 {
			dst, free := room(dst, len(rows))
			return dst[:len(dst)+w.pick(free, rows, a, true)]
		}
	}
	return pickTexts(bytes.HasPrefix)
}

func pickEnding(*Spec) textPicking { return pickTexts(bytes.HasSuffix) }

// textTest is a test of two texts.
type textTest struct {
	args []operand
	test textPicking

	scratch []int32
}

func (t *textTest) pick(ctx context.Context, in batch.Batch, dst []int32, out *batch.Column, bad BadRow) ([]int32, error) {
	rows, scratch, err := evalStrict(ctx, t.args, in, out, t.scratch, bad)
	t.scratch = scratch
	if err != nil {
		return dst, err
	}
	return t.test(dst, rows, &t.args[0], &t.args[1]), nil
}

func (t *textTest) close() { closeOperands(t.args) }

func resolveIn(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "an operand and a list", args, 2, -1); err != nil {
		return nil, err
	}
	args, err := unifyCompared(name, args)
	if err != nil {
		return nil, err
	}
	if args[0].Type.ID() != arrow.DECIMAL128 && !slices.ContainsFunc(args[1:], func(a *Spec) bool { return a.Kind != LiteralKind }) {
		return call(name, batch.Boolean, args...), nil
	}
	// A list with more than literals, or of DECIMAL, is a chain of comparisons.
	var chain []*Spec
	for _, a := range args[1:] {
		chain = append(chain, call("=", batch.Boolean, args[0], a))
	}
	if len(chain) == 1 {
		return chain[0], nil
	}
	return call("or", batch.Boolean, chain...), nil
}

// in is IN with a list of constants.
type in struct {
	arg     operand
	hasNull bool // the list has a NULL: what is not found is NULL

	ints   []int64 // sorted
	floats []float64
	texts  map[string]struct{}
	bools  [2]bool

	scratch, found []int32
}

func newIn(e *env, s *Spec, args []Expr) (Expr, error) {
	n := &in{arg: newOperands(e, args[:1])[0], texts: make(map[string]struct{})}
	closeAll(args[1:])
	for _, a := range s.Args[1:] {
		switch v := a.Value.(type) {
		case nil:
			n.hasNull = true
		case bool:
			n.bools[add(0, v)] = true
		case int64:
			n.ints = append(n.ints, v)
		case batch.Time:
			n.ints = append(n.ints, int64(v))
		case time.Duration:
			n.ints = append(n.ints, v.Microseconds())
		case float64:
			n.floats = append(n.floats, v)
		case string:
			n.texts[v] = struct{}{}
		}
	}
	slices.Sort(n.ints)
	slices.SortFunc(n.floats, compareDoubles)
	return e.picking(n), nil
}

// compareDoubles orders as SQL does: NaN last.
func compareDoubles(a, b float64) int {
	switch {
	case isLess(a, b):
		return -1
	case isEqual(a, b):
		return 0
	}
	return 1
}

// maxScanned is the length up to which a list is scanned: a binary search mispredicts about log2 of its length times, a scan once.
const maxScanned = 8

func (n *in) pick(ctx context.Context, input batch.Batch, dst []int32, out *batch.Column, bad BadRow) ([]int32, error) {
	if err := n.arg.eval(ctx, input, bad); err != nil {
		return dst, err
	}
	rows := n.arg.env.rows(&input)
	if n.arg.valid != nil {
		n.scratch = n.arg.keepValid(n.scratch[:0], rows, out)
		rows = n.scratch
	}
	before := len(dst)
	dst = n.find(dst, rows)
	if n.hasNull && out != nil {
		n.found = without(n.found[:0], rows, dst[before:])
		for _, i := range n.found {
			out.SetNull(int(i))
		}
	}
	return dst, nil
}

// find appends the rows that are in the list.
func (n *in) find(dst, rows []int32) []int32 {
	switch n.arg.arr.DataType().ID() {
	case arrow.INT64, arrow.TIMESTAMP:
		return findValues(dst, rows, n.arg.ints, n.ints, cmp.Compare[int64])
	case arrow.FLOAT64:
		return findValues(dst, rows, n.arg.floats, n.floats, compareDoubles)
	case arrow.BOOL:
		for _, i := range rows {
			if n.bools[add(0, n.arg.bit(i))] {
				dst = append(dst, i)
			}
		}
	case arrow.STRING:
		for _, i := range rows {
			if _, found := n.texts[string(n.arg.bytes(i))]; found {
				dst = append(dst, i)
			}
		}
	}
	return dst
}

func findValues[T int64 | float64](dst, rows []int32, values, list []T, compare func(a, b T) int) []int32 {
	if len(list) > maxScanned {
		for _, i := range rows {
			if _, found := slices.BinarySearchFunc(list, values[i], compare); found {
				dst = append(dst, i)
			}
		}
		return dst
	}
	dst, free := room(dst, len(rows))
	k := 0
	for _, i := range rows {
		found := false
		for _, v := range list {
			found = found || isEqual(values[i], v)
		}
		free[k] = i
		k = add(k, found)
	}
	return dst[:len(dst)+k]
}

func (n *in) close() { n.arg.close() }
