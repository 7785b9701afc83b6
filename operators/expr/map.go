package expr

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// entriesOf returns the keys and values of the entries of maps.
func entriesOf(entries arrow.Array) (keys, values arrow.Array) {
	s := entries.(*array.Struct)
	return s.Field(0), s.Field(1)
}

// mapCall is a call that makes maps. Keys that are NULL or repeat make a bad row.
type mapCall struct {
	listCall
	result operand
}

var _ Expr = (*mapCall)(nil)

// nestedMap is nested for functions that make maps.
func nestedMap(name string, f form, run func(*listCall), doc string) function {
	fn := nested(name, f, run, doc)
	build := fn.build
	fn.build = func(e *env, s *Spec, args []Expr) (Expr, error) {
		x, err := build(e, s, args)
		if err != nil {
			return nil, err
		}
		return &mapCall{listCall: *x.(*listCall), result: operand{env: e}}, nil
	}
	return fn
}

// Eval computes the arguments and the maps, and looks at the keys.
func (c *mapCall) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	if err := c.begin(ctx, in, bad); err != nil {
		return nil, err
	}
	c.run(&c.listCall)
	c.checkKeys(&c.result)
	c.bad = nil
	return c.out.Array(), nil
}

// checkKeys makes rows bad in which a key repeats.
func (c *listCall) checkKeys(result *operand) {
	result.view(c.out.Array())
	if len(c.rows) == 0 {
		return
	}
	keys := operand{env: result.env}
	keys.child = &result.child.fields[0]
	keys.offsets = result.offsets
	hashes, first := hashElements(c.hashes, &keys, c.rows)
	c.hashes = hashes
	for _, i := range c.rows {
		if c.out.IsNull(int(i)) {
			continue
		}
		from, to := result.span(i)
		c.set.reset(int(to - from))
		for j := from; j < to; j++ {
			if !c.set.add(keys.child, j, hashes, first) {
				c.fail(i, "the key %s is there twice", quote(batch.AppendValue(nil, keys.child.arr, int(j))))
				break
			}
		}
	}
}

// appendKey adds a key to the entries of the row at hand, and says whether it is one: NULL is not, which makes row i bad.
func (c *listCall) appendKey(keys *operand, j, i int32) bool {
	if keys.isNull(j) {
		c.fail(i, "a key of a map is NULL")
		return false
	}
	c.out.Child().Field(0).AppendRow(keys.arr, int(j))
	return true
}

func (c *listCall) appendMapValue(values *operand, j int32) {
	entries := c.out.Child()
	if values.isNull(j) {
		entries.Field(1).AppendNull()
	} else {
		entries.Field(1).AppendRow(values.arr, int(j))
	}
	entries.AppendStruct()
}

// endMap ends row i, which began with entry row, and takes its entries back where it is bad.
func (c *listCall) endMap(i int32, row int) {
	entries := c.out.Child()
	if c.out.IsNull(int(i)) {
		entries.TruncateTo(row)
	}
	c.out.EndListAt(int(i), entries.Len())
}

func resolveMap(name string, args []*Spec) (*Spec, error) {
	if len(args)%2 == 1 {
		return nil, &TypeError{Func: name, Takes: []string{"keys and values by turns"}, Got: argTypes(args)}
	}
	var keys, values []*Spec
	for k := 0; k < len(args); k += 2 {
		keys, values = append(keys, args[k]), append(values, args[k+1])
	}
	k, v := knownType(keys), knownType(values)
	if k == nil || v == nil {
		return nil, &TypeError{Func: name, Why: "keys or values have no common type", Got: argTypes(args)}
	}
	if err := checkKeyType(name, k, args); err != nil {
		return nil, err
	}
	t := arrow.MapOf(k, v)
	if err := checkNesting(name, t); err != nil {
		return nil, err
	}
	all := make([]*Spec, 0, len(args))
	for i, a := range args {
		if i%2 == 0 {
			all = append(all, convert(a, k))
		} else {
			all = append(all, convert(a, v))
		}
	}
	return call("map", t, all...), nil
}

// checkKeyType returns an error if maps can't have keys of a type.
func checkKeyType(name string, k arrow.DataType, args []*Spec) error {
	if !isOrdered(k) {
		return &TypeError{Func: name, Why: "a key can't be a MAP or have one in it", Got: argTypes(args)}
	}
	return nil
}

func runMap(c *listCall) {
	entries := c.out.Child()
	for _, i := range c.rows {
		row := entries.Len()
		for k := 0; k < len(c.args); k += 2 {
			if !c.appendKey(&c.args[k], i, i) {
				break
			}
			c.appendMapValue(&c.args[k+1], i)
		}
		c.endMap(i, row)
	}
}

func newMap(e *env, s *Spec, args []Expr) (Expr, error) {
	c := &mapCall{listCall: *newListCall(e, s.Func, s, args, runMap), result: operand{env: e}}
	for i := range c.lax {
		c.lax[i] = true
	}
	return c, nil
}

func runMapFromArrays(c *listCall) {
	keys, values, entries := &c.args[0], &c.args[1], c.out.Child()
	for _, i := range c.rows {
		row := entries.Len()
		from, to := keys.span(i)
		first, end := values.span(i)
		if to-from != end-first {
			c.fail(i, "%d keys have %d values", to-from, end-first)
			continue
		}
		for j := range to - from {
			if !c.appendKey(keys.child, from+j, i) {
				break
			}
			c.appendMapValue(values.child, first+j)
		}
		c.endMap(i, row)
	}
}

func resolveMapFromEntries(name string, args []*Spec) (*Spec, error) {
	if len(args) == 1 {
		if s, isStruct := elemOf(args[0].Type).(*arrow.StructType); isStruct && s.NumFields() == 2 {
			if err := checkKeyType(name, s.Field(0).Type, args); err != nil {
				return nil, err
			}
			return call(name, arrow.MapOf(s.Field(0).Type, s.Field(1).Type), args...), nil
		}
	}
	return nil, &TypeError{Func: name, Takes: []string{"(ARRAY<STRUCT<key K, value V>>)"}, Got: argTypes(args)}
}

func newMapFromEntries(e *env, s *Spec, args []Expr) (Expr, error) {
	return &mapCall{listCall: *newListCall(e, s.Func, s, args, runMapFromEntries), result: operand{env: e}}, nil
}

func runMapFromEntries(c *listCall) {
	list, entries := &c.args[0], c.out.Child()
	for _, i := range c.rows {
		row := entries.Len()
		from, to := list.span(i)
		for j := from; j < to; j++ {
			if list.child.isNull(j) {
				c.out.SetNull(int(i))
				break
			}
			if !c.appendKey(&list.child.fields[0], j, i) {
				break
			}
			c.appendMapValue(&list.child.fields[1], j)
		}
		c.endMap(i, row)
	}
}

// runMapPart gives the keys or the values of maps.
func runMapPart(part int) func(c *listCall) {
	return func(c *listCall) {
		m := &c.args[0]
		for _, i := range c.rows {
			from, to := m.span(i)
			for j := from; j < to; j++ {
				c.pick(j)
			}
			c.endPicked(i)
		}
		c.takePicked(&m.child.fields[part])
	}
}

// runMapEntries gives the entries as structs.
func runMapEntries(c *listCall) {
	m := &c.args[0]
	for _, i := range c.rows {
		from, to := m.span(i)
		for j := from; j < to; j++ {
			c.pick(j)
		}
		c.endPicked(i)
	}
	c.takePicked(m.child)
}

func resolveMapEntries(name string, args []*Spec) (*Spec, error) {
	if len(args) == 1 {
		if m, isMap := args[0].Type.(*arrow.MapType); isMap {
			return call(name, arrow.ListOf(entryType(m.KeyType(), m.ItemType())), args...), nil
		}
	}
	return nil, &TypeError{Func: name, Takes: []string{"(MAP<K, V>)"}, Got: argTypes(args)}
}

// entryType returns the STRUCT of a key and a value.
func entryType(k, v arrow.DataType) arrow.DataType {
	return arrow.StructOf(arrow.Field{Name: "key", Type: k, Nullable: true}, arrow.Field{Name: "value", Type: v, Nullable: true})
}

func runMapConcat(c *listCall) {
	entries := c.out.Child()
	for _, i := range c.rows {
		for k := range c.args {
			from, to := c.args[k].span(i)
			c.appendSpan(c.args[k].child, from, to)
		}
		c.out.EndListAt(int(i), entries.Len())
	}
}

// findKey sets order, by row, to the entry of the first argument whose key is the second argument, -1 if there is none.
func (c *listCall) findKey() {
	m, key := &c.args[0], &c.args[1]
	keys := &m.child.fields[0]
	c.order = c.order[:0]
	for _, i := range c.rows {
		at := int32(-1)
		from, to := m.span(i)
		for j := from; j < to; j++ {
			if keys.compareAt(j, key, i) == 0 {
				at = j
				break
			}
		}
		c.order = append(c.order, at)
	}
}

func runMapContainsKey(c *listCall) {
	c.findKey()
	for k, i := range c.rows {
		c.out.SetBool(int(i), c.order[k] >= 0)
	}
}

// runMapGet gives the value of a key, NULL where it is not there.
func runMapGet(c *listCall) {
	c.findKey()
	c.takeRows(&c.args[0].child.fields[1])
}

// listGet gives an element of a list by its place.
type listGet struct {
	// first is the number of the first element. From 1 on, negative ones count from the end.
	first   int64
	isQuiet bool // NULL, not a bad row, where there is no such element
}

func (g listGet) run(c *listCall) {
	list, at := &c.args[0], &c.args[1]
	c.order = c.order[:0]
	for _, i := range c.rows {
		from, to := list.span(i)
		n, k := int64(to-from), at.ints[i]
		place := k - g.first
		if g.first > 0 && k < 0 {
			place = n + k
		}
		found := int32(-1)
		switch {
		case g.first > 0 && k == 0:
			c.fail(i, "elements count from 1, or from -1 at the end: got 0")
		case place >= 0 && place < n:
			found = from + int32(place)
		case !g.isQuiet:
			c.fail(i, "there is no element %d among %d", k, n)
		}
		c.order = append(c.order, found)
	}
	c.takeRows(list.child)
}

// getFunction is a function that takes an element of a list, or the value of a key.
func getFunction(name, syntax, doc string, g listGet, takesMap bool) function {
	list, m := form{params: "ai", least: 2, result: 'e'}, form{params: "mk", least: 2, result: 'v'}
	return function{
		name: name, syntax: syntax, doc: doc,
		resolve: func(name string, args []*Spec) (*Spec, error) {
			if len(args) == 2 && takesMap && args[0].Type.ID() == arrow.MAP {
				return m.resolve(name, args)
			}
			return list.resolve(name, args)
		},
		build: func(e *env, s *Spec, args []Expr) (Expr, error) {
			if s.Args[0].Type.ID() == arrow.MAP {
				return newListCall(e, name, s, args, runMapGet), nil
			}
			return newListCall(e, name, s, args, g.run), nil
		},
	}
}
