package expr

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// form says what a function of lists and maps takes and gives, a letter each: a is an ARRAY<T>, e a T, i an integer, b a BOOLEAN, t a
// TEXT, m a MAP<K, V>, k a K, v a V, and for results A an ARRAY<ARRAY<T>>, K an ARRAY<K>, V an ARRAY<V>.
type form struct {
	params string
	least  int // how many of params there must be; 0 means all
	result byte
	// lax has the arguments that may be NULL without making the result NULL.
	lax string
	// compares says that elements are compared, which maps can't be.
	compares bool
}

// nested returns the function of a form; run computes its rows.
func nested(name string, f form, run func(c *listCall), doc string) function {
	if f.least == 0 {
		f.least = len(f.params)
	}
	return function{
		name: name, syntax: name + f.String(), doc: doc,
		resolve: f.resolve,
		build: func(e *env, s *Spec, args []Expr) (Expr, error) {
			c := newListCall(e, name, s, args, run)
			for i := range c.lax {
				c.lax[i] = strings.IndexByte(f.lax, f.params[min(i, len(f.params)-1)]) >= 0
			}
			return c, nil
		},
	}
}

var letterNames = map[byte]string{
	'a': "ARRAY<T>", 'e': "T", 'i': "integer", 'b': "BOOLEAN", 't': "TEXT", 'm': "MAP<K, V>", 'k': "K", 'v': "V",
	'A': "ARRAY<ARRAY<T>>", 'K': "ARRAY<K>", 'V': "ARRAY<V>",
}

// String returns the arguments and the result: (ARRAY<T>, T) → BOOLEAN.
func (f *form) String() string { return f.takes() + " → " + letterNames[f.result] }

func (f *form) takes() string {
	var all strings.Builder
	for i := range len(f.params) {
		if i == f.least {
			all.WriteString("[")
		}
		if i > 0 {
			all.WriteString(", ")
		}
		all.WriteString(letterNames[f.params[i]])
	}
	if f.least < len(f.params) {
		all.WriteString("]")
	}
	return "(" + all.String() + ")"
}

// resolve finds T, K and V, converts the arguments, and returns the call.
func (f *form) resolve(name string, args []*Spec) (*Spec, error) {
	mismatch := &TypeError{Func: name, Takes: []string{f.takes()}, Got: argTypes(args)}
	if len(args) < f.least || len(args) > len(f.params) {
		return nil, mismatch
	}
	var elements, keys, values []*Spec
	for i, a := range args {
		switch p := f.params[i]; {
		case p == 'e':
			elements = append(elements, a)
		case p == 'k':
			keys = append(keys, a)
		case p == 'v':
			values = append(values, a)
		case a.Type.ID() == arrow.NULL:
		case p == 'a' || p == 'A':
			inner := elemOf(a.Type)
			if p == 'A' && inner != nil {
				inner = elemOf(inner)
			}
			if inner == nil {
				return nil, mismatch
			}
			elements = append(elements, typed(a, inner))
		case p == 'K' || p == 'V':
			inner := elemOf(a.Type)
			if inner == nil {
				return nil, mismatch
			}
			if p == 'K' {
				keys = append(keys, typed(a, inner))
			} else {
				values = append(values, typed(a, inner))
			}
		case p == 'm':
			m, isMap := a.Type.(*arrow.MapType)
			if !isMap {
				return nil, mismatch
			}
			keys, values = append(keys, typed(a, m.KeyType())), append(values, typed(a, m.ItemType()))
		}
	}
	t, k, v := knownType(elements), knownType(keys), knownType(values)
	if t == nil || k == nil || v == nil {
		return nil, mismatch
	}
	if f.compares && !isOrdered(t) || !isOrdered(k) {
		return nil, &TypeError{Func: name, Why: "a MAP can't be compared", Got: argTypes(args)}
	}
	letters := map[byte]arrow.DataType{
		'a': arrow.ListOf(t), 'e': t, 'i': batch.BigInt, 'b': batch.Boolean, 't': batch.Text, 'm': arrow.MapOf(k, v), 'k': k, 'v': v,
		'A': arrow.ListOf(arrow.ListOf(t)), 'K': arrow.ListOf(k), 'V': arrow.ListOf(v),
	}
	args = slices.Clone(args)
	for i, a := range args {
		want := letters[f.params[i]]
		if strings.IndexByte("ibt", f.params[i]) >= 0 && a.Type.ID() != arrow.NULL &&
			(a.Type.ID() != want.ID() || want == batch.BigInt && !batch.IsInteger(a.Type)) {
			return nil, mismatch
		}
		if f.params[i] == 'i' && a.Type.ID() == want.ID() {
			continue
		}
		args[i] = convert(a, want)
	}
	return call(name, letters[f.result], args...), nil
}

// typed returns a stand-in of type t for a part of a.
func typed(a *Spec, t arrow.DataType) *Spec { return &Spec{Kind: CallKind, Type: t, Args: []*Spec{a}} }

// knownType returns the common type of parts, TEXT where nothing tells, nil where there is none.
func knownType(parts []*Spec) arrow.DataType {
	t := commonType(parts)
	if t != nil && t.ID() == arrow.NULL {
		return batch.Text
	}
	return t
}

// elemOf returns the type of the elements of a list type, nil of any other.
func elemOf(t arrow.DataType) arrow.DataType {
	if l, isList := t.(*arrow.ListType); isList {
		return l.Elem()
	}
	return nil
}

// isNestedType says whether t is a list, a map or a struct.
func isNestedType(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.LIST, arrow.MAP, arrow.STRUCT:
		return true
	}
	return false
}

// listCall is a call of a function over lists, maps or structs. Like a kernel, it computes the rows in which no argument is NULL, but
// for those that may be.
type listCall struct {
	kernel
	env *env
	lax []bool
	run func(*listCall)

	// Scratch of functions, by what it is for; written by each batch.
	picks  []int32  // elements of the first argument that are in the result
	hashes []uint64 // of elements
	others []uint64 // of another argument's
	set    indexSet
	order  []int32
	mark   []bool
	buf    []byte
}

var _ Expr = (*listCall)(nil)

func newListCall(e *env, name string, s *Spec, args []Expr, run func(*listCall)) *listCall {
	return &listCall{
		kernel: kernel{name: name, args: newOperands(e, args), out: batch.NewColumn(e.mem, s.Type)},
		env:    e, lax: make([]bool, len(args)), run: run,
	}
}

// Eval computes the arguments, then the function.
func (c *listCall) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	if err := c.begin(ctx, in, bad); err != nil {
		return nil, err
	}
	c.run(c)
	c.bad = nil
	return c.out.Array(), nil
}

// begin computes the arguments and the rows that are left, and makes the others NULL.
func (c *listCall) begin(ctx context.Context, in batch.Batch, bad BadRow) error {
	c.n, c.bad = in.NumRows(), bad
	c.out.Reset(c.n)
	for k := range c.args {
		if err := c.args[k].eval(ctx, in, bad); err != nil {
			return err
		}
	}
	c.rows = c.env.rows(&in)
	isScratch := false
	for k := range c.args {
		if c.lax[k] || c.args[k].valid == nil {
			continue
		}
		from := c.rows
		if isScratch {
			from = c.scratch
		}
		c.scratch = c.args[k].keepValid(c.scratch[:0], from, c.out)
		c.rows, isScratch = c.scratch, true
	}
	return nil
}

// pick adds element j of the first argument to the result's row at hand.
func (c *listCall) pick(j int32) { c.picks = append(c.picks, j) }

// endPicked ends row i of the result, whose elements were picked.
func (c *listCall) endPicked(i int32) { c.out.EndListAt(int(i), len(c.picks)) }

// takePicked gives the result the elements that were picked.
func (c *listCall) takePicked(from *operand) {
	if len(c.picks) > 0 {
		c.out.Child().AppendArray(from.arr, from.arr.Len(), c.picks)
	}
	c.picks = c.picks[:0]
}

// hashElements returns the hashes of all elements of the list's rows; that of element j is at j-first.
func hashElements(dst []uint64, list *operand, rows []int32) (hashes []uint64, first int32) {
	if len(rows) == 0 {
		return dst[:0], 0
	}
	first = list.offsets[rows[0]]
	n := int(list.offsets[rows[len(rows)-1]+1] - first)
	dst = slices.Grow(dst[:0], n)[:n]
	if n > 0 {
		list.child.hashRows(dst, first)
	}
	return dst, first
}

// hashAll returns the hashes of the first n rows of o.
func hashAll(dst []uint64, o *operand, n int) []uint64 {
	dst = slices.Grow(dst[:0], n)[:n]
	o.hashRows(dst, 0)
	return dst
}

// maxElements bounds what one call makes of one row, so that a mistake in a count does not take all memory: Spark's bound for arrays is
// 2^31-15 elements, which no interval holds.
const maxElements = 16 << 20

// checkElements says whether a list of n elements may be made for row i, and reports the row as bad otherwise.
func (c *listCall) checkElements(i int32, n int64) bool {
	if n > maxElements {
		c.fail(i, "an array has at most %d elements: want %d", maxElements, n)
		return false
	}
	return true
}

// checkNesting returns an error if a type has too many levels.
func checkNesting(name string, t arrow.DataType) error {
	if n := batch.Nesting(t); n > batch.MaxNesting {
		return fmt.Errorf("%s: types are nested at most %d deep, got %d", name, batch.MaxNesting, n)
	}
	return nil
}
