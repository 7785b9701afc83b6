package expr

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// padded makes columns of the elements at the same place of two lists, with NULL where one is shorter.
type padded struct {
	owner       []int32
	left, right *batch.Column
}

func (p *padded) init(e *env, left, right arrow.DataType) {
	p.left, p.right = batch.NewColumn(e.mem, left), batch.NewColumn(e.mem, right)
}

func (p *padded) clear() {
	p.owner = p.owner[:0]
	p.left.Reset(0)
	p.right.Reset(0)
}

// add appends element j of o to dst, NULL where j is -1.
func (p *padded) add(dst *batch.Column, o *operand, j int32) {
	if j < 0 || o.isNull(j) {
		dst.AppendNull()
	} else {
		dst.AppendRow(o.arr, int(j))
	}
}

func (p *padded) free() {
	p.left.Release()
	p.right.Release()
}

// zipWith is zip_with(a, b, (x, y) -> body) and map_zip_with(a, b, (k, x, y) -> body).
type zipWith struct {
	listCall
	padded
	fn   *lambda
	keys *batch.Column // of map_zip_with
}

var _ Expr = (*zipWith)(nil)

func resolveZipWith(name string, args []*Spec) (*Spec, error) {
	if len(args) != 3 || elemOf(args[0].Type) == nil || elemOf(args[1].Type) == nil || args[2].Kind != LambdaKind {
		return nil, &TypeError{Func: name, Takes: []string{"(ARRAY<T>, ARRAY<U>, (T, U) -> R)"}, Got: argTypes(args)}
	}
	args = slices.Clone(args)
	if args[2].Type.ID() == arrow.NULL {
		args[2] = args[2].convertBody(batch.Text)
	}
	return call(name, arrow.ListOf(args[2].Type), args...), nil
}

func resolveMapZipWith(name string, args []*Spec) (*Spec, error) {
	mismatch := &TypeError{Func: name, Takes: []string{"(MAP<K, V>, MAP<K, W>, (K, V, W) -> R)"}, Got: argTypes(args)}
	if len(args) != 3 || args[2].Kind != LambdaKind {
		return nil, mismatch
	}
	a, isMap := args[0].Type.(*arrow.MapType)
	b, alsoMap := args[1].Type.(*arrow.MapType)
	if !isMap || !alsoMap || !isSame(a.KeyType(), b.KeyType()) {
		return nil, mismatch
	}
	args = slices.Clone(args)
	if args[2].Type.ID() == arrow.NULL {
		args[2] = args[2].convertBody(batch.Text)
	}
	return call(name, arrow.MapOf(a.KeyType(), args[2].Type), args...), nil
}

func newZipWith(e *env, s *Spec, args []Expr) (Expr, error) {
	z := &zipWith{listCall: *newListCall(e, s.Func, s, args[:2], nil), fn: args[2].(*lambda)}
	if m, isMap := s.Args[0].Type.(*arrow.MapType); isMap {
		z.keys = batch.NewColumn(e.mem, m.KeyType())
		z.init(e, m.ItemType(), s.Args[1].Type.(*arrow.MapType).ItemType())
	} else {
		z.init(e, elemOf(s.Args[0].Type), elemOf(s.Args[1].Type))
	}
	return z, nil
}

// Eval computes the lists, pads them, and computes the lambda function.
func (z *zipWith) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	if err := z.begin(ctx, in, bad); err != nil {
		return nil, err
	}
	z.clear()
	if z.keys != nil {
		z.pairEntries()
	} else {
		z.pairElements()
	}
	params := []arrow.Array{z.left.Array(), z.right.Array()}
	if z.keys != nil {
		params = []arrow.Array{z.keys.Array(), params[0], params[1]}
	}
	if err := z.fn.eval(ctx, z.fn.batchOf(&in, bad, z.owner, nil, params...)); err != nil {
		return nil, err
	}
	values := z.out.Child()
	if z.keys != nil {
		values = z.out.Child().Field(1)
		z.out.Child().Field(0).AppendArray(params[0], len(z.owner), nil)
	}
	if len(z.owner) > 0 {
		values.AppendArray(z.fn.body.arr, len(z.owner), nil)
	}
	if z.keys != nil {
		for range z.owner {
			z.out.Child().AppendStruct()
		}
	}
	z.bad = nil
	return z.out.Array(), nil
}

func (z *zipWith) pairElements() {
	a, b := &z.args[0], &z.args[1]
	for _, i := range z.rows {
		from, to := a.span(i)
		first, end := b.span(i)
		for j := range max(to-from, end-first) {
			x, y := from+j, first+j
			if x >= to {
				x = -1
			}
			if y >= end {
				y = -1
			}
			z.add(z.left, a.child, x)
			z.add(z.right, b.child, y)
			z.owner = append(z.owner, i)
		}
		z.out.EndListAt(int(i), len(z.owner))
	}
}

// pairEntries pairs the values of equal keys: those of the first map, then what only the second one has.
func (z *zipWith) pairEntries() {
	a, b := &z.args[0], &z.args[1]
	aKeys, bKeys := operand{child: &a.child.fields[0], offsets: a.offsets}, operand{child: &b.child.fields[0], offsets: b.offsets}
	hashes, first := hashElements(z.hashes, &aKeys, z.rows)
	others, otherFirst := hashElements(z.others, &bKeys, z.rows)
	z.hashes, z.others = hashes, others
	z.keys.Reset(0)
	for _, i := range z.rows {
		aFrom, aTo := a.span(i)
		bFrom, bTo := b.span(i)
		for j := aFrom; j < aTo; j++ {
			at := int32(-1)
			for k := bFrom; k < bTo && at < 0; k++ {
				if hashes[j-first] == others[k-otherFirst] && aKeys.child.compareAt(j, bKeys.child, k) == 0 {
					at = k
				}
			}
			z.pairEntry(aKeys.child, j, j, at, i)
		}
		z.set.addRow(aKeys.child, aFrom, aTo, hashes, first)
		for k := bFrom; k < bTo; k++ {
			if !z.set.has(aKeys.child, hashes, first, bKeys.child, k, others[k-otherFirst]) {
				z.pairEntry(bKeys.child, k, -1, k, i)
			}
		}
		z.out.EndListAt(int(i), len(z.owner))
	}
}

func (z *zipWith) pairEntry(keys *operand, key, left, right, i int32) {
	z.keys.AppendRow(keys.arr, int(key))
	z.add(z.left, &z.args[0].child.fields[1], left)
	z.add(z.right, &z.args[1].child.fields[1], right)
	z.owner = append(z.owner, i)
}

// Close releases all memory.
func (z *zipWith) Close() {
	z.kernel.Close()
	z.free()
	z.fn.Close()
	if z.keys != nil {
		z.keys.Release()
	}
}
