package tidemill

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// Pair is a value with a key.
type Pair[K comparable, V any] struct {
	Key   K
	Value V
}

// Reduce returns, for each interval with rows, one row: all of them put together by fn, which must be associative and commutative.
// fn may be called by several workers at once.
func (s Stream[T]) Reduce(fn func(a, b T) T) Stream[T] {
	return combineStep(s, combineSpec[T, struct{}, T, T]{
		name: nameOf("reduce", fn), key: func(T) struct{} { return struct{}{} }, create: func(v T) T { return v }, add: fn, merge: fn,
		finish: func(p Pair[struct{}, T]) T { return p.Value },
	})
}

// ReduceByKey returns, for each interval and key, one row: the values of the key put together by fn, which must be associative and
// commutative. fn may be called by several workers at once. Keys come in the order in which they were first seen.
func ReduceByKey[K comparable, V any](s Stream[Pair[K, V]], fn func(a, b V) V) Stream[Pair[K, V]] {
	return combineByKey(s, nameOf("reduceByKey", fn), func(v V) V { return v }, fn, fn)
}

// CombineByKey is ReduceByKey where values are put together in another type: create makes one of a value, add adds a value to one,
// and merge puts two of them together. They must not depend on how values are divided.
func CombineByKey[K comparable, V, C any](s Stream[Pair[K, V]], create func(V) C, add func(C, V) C, merge func(C, C) C) Stream[Pair[K, C]] {
	return combineByKey(s, nameOf("combineByKey", merge), create, add, merge)
}

// AggregateByKey is CombineByKey that begins with zero for each key and batch: zero must change nothing when it is merged.
func AggregateByKey[K comparable, V, C any](s Stream[Pair[K, V]], zero C, add func(C, V) C, merge func(C, C) C) Stream[Pair[K, C]] {
	return combineByKey(s, nameOf("aggregateByKey", merge), func(v V) C { return add(zero, v) }, add, merge)
}

func combineByKey[K comparable, V, C any](
	s Stream[Pair[K, V]], name string, create func(V) C, add func(C, V) C, merge func(C, C) C,
) Stream[Pair[K, C]] {
	return combineStep(s, reduceSpec[K](name, create, add, merge))
}

func reduceSpec[K comparable, V, C any](
	name string, create func(V) C, add func(C, V) C, merge func(C, C) C,
) combineSpec[Pair[K, V], K, C, Pair[K, C]] {
	return combineSpec[Pair[K, V], K, C, Pair[K, C]]{
		name: name, key: func(p Pair[K, V]) K { return p.Key }, create: func(p Pair[K, V]) C { return create(p.Value) },
		add: func(c C, p Pair[K, V]) C { return add(c, p.Value) }, merge: merge,
		finish: func(p Pair[K, C]) Pair[K, C] { return p },
	}
}

// CountByValue returns, for each interval and value, how often it occurs.
func CountByValue[T comparable](s Stream[T]) Stream[Pair[T, int64]] {
	return combineStep(s, countSpec[T]())
}

func countSpec[T comparable]() combineSpec[T, T, int64, Pair[T, int64]] {
	return combineSpec[T, T, int64, Pair[T, int64]]{
		name: "countByValue", key: func(v T) T { return v }, create: func(T) int64 { return 1 },
		add: func(n int64, _ T) int64 { return n + 1 }, merge: func(a, b int64) int64 { return a + b },
		finish: func(p Pair[T, int64]) Pair[T, int64] { return p },
	}
}

// combineSpec says how rows of T become one value C per key, and these rows of U.
type combineSpec[T any, K comparable, C, U any] struct {
	name   string
	key    func(T) K
	create func(T) C
	add    func(C, T) C
	merge  func(C, C) C
	finish func(Pair[K, C]) U
}

// combineStep adds two steps: one in the chains, which puts the rows of each batch together, and one in the tail, which does that
// with what comes of it.
func combineStep[T any, K comparable, C, U any](s Stream[T], spec combineSpec[T, K, C, U]) Stream[U] {
	pairs, codec := combineBatches(s, spec)
	c := s.rows.c
	out := codecOf[U](c)
	return intervalStep(c, spec.name, s.slide, out, []DStream{pairs}, []checker{codec}, func(env operators.Env) intervalFunc {
		return &mergeFunc[K, C, U]{
			emitter: newEmitter(env, out), in: codec.NewRows(), groups: newGroups[K, C](), merge: spec.merge, finish: spec.finish,
		}
	})
}

// combineBatches adds the step in the chains. It returns no Stream, which would be one of a type that is made of T without end.
func combineBatches[T any, K comparable, C, U any](s Stream[T], spec combineSpec[T, K, C, U]) (DStream, *record.Codec[Pair[K, C]]) {
	c := s.rows.c
	codec := codecOf[Pair[K, C]](c)
	name := spec.name + " per batch"
	rows, _ := c.addStep("", []DStream{s.rows}, func(in []*arrow.Schema) (operators.Spec, *arrow.Schema, error) {
		return &operators.FuncSpec{Func: name, New: func(out *arrow.Schema, env operators.Env) (operators.BatchFunc, error) {
			return &combineFunc[T, K, C, U]{
				spec: spec, in: s.codec.NewRows(), groups: newGroups[K, C](), codec: codec, frame: batch.NewFrame(env.Mem, out),
			}, nil
		}}, codec.Schema(), s.codec.Check(in[0])
	})
	return rows, codec
}

// groups are values by key, in the order in which keys were first seen.
type groups[K comparable, C any] struct {
	index map[K]int32
	pairs []Pair[K, C]
}

func newGroups[K comparable, C any]() *groups[K, C] { return &groups[K, C]{index: make(map[K]int32)} }

func (g *groups[K, C]) insert(key K, value C) {
	g.index[key] = int32(len(g.pairs))
	g.pairs = append(g.pairs, Pair[K, C]{key, value})
}

func (g *groups[K, C]) reset() {
	clear(g.index)
	clear(g.pairs)
	g.pairs = g.pairs[:0]
}

// combineFunc puts the rows of a batch together by key.
type combineFunc[T any, K comparable, C, U any] struct {
	spec  combineSpec[T, K, C, U]
	codec *record.Codec[Pair[K, C]]

	// Scratch, written again for every batch.
	in     *record.Rows[T]
	groups *groups[K, C]
	row    int
	frame  *batch.Frame
}

// Apply returns a row for each key of the batch.
func (f *combineFunc[T, K, C, U]) Apply(_ context.Context, in batch.Batch, bad expr.BadRow) (batch.Batch, error) {
	f.in.Read(in, bad)
	f.groups.reset()
	for next := 0; next < len(f.in.Values); {
		next = f.run(next, bad)
	}
	f.codec.Write(f.frame, f.groups.pairs)
	out := batch.Batch{Rows: f.frame.Rows(), Origin: in.Origin}
	out.Origin.Source, out.Origin.Watermarks = nil, nil
	return out, nil
}

// run adds rows, and returns where to go on: behind the row that a function panicked at.
func (f *combineFunc[T, K, C, U]) run(from int, bad expr.BadRow) (next int) {
	defer func() {
		if cause := recover(); cause != nil {
			bad(f.in.At[f.row], fmt.Sprintf("%s panics: %v", f.spec.name, cause))
			next = f.row + 1
		}
	}()
	for f.row = from; f.row < len(f.in.Values); f.row++ {
		v := f.in.Values[f.row]
		key := f.spec.key(v)
		if at, known := f.groups.index[key]; known {
			f.groups.pairs[at].Value = f.spec.add(f.groups.pairs[at].Value, v)
		} else {
			f.groups.insert(key, f.spec.create(v))
		}
	}
	return len(f.in.Values)
}

// Close releases all memory.
func (f *combineFunc[T, K, C, U]) Close() { f.frame.Release() }

// mergeFunc puts what comes of batches together, by key.
type mergeFunc[K comparable, C, U any] struct {
	emitter[U]
	in     *record.Rows[Pair[K, C]]
	groups *groups[K, C]
	merge  func(C, C) C
	finish func(Pair[K, C]) U
}

func (f *mergeFunc[K, C, U]) add(_ int, in batch.Batch, bad expr.BadRow) {
	f.in.Read(in, bad)
	for _, p := range f.in.Values {
		if at, known := f.groups.index[p.Key]; known {
			f.groups.pairs[at].Value = f.merge(f.groups.pairs[at].Value, p.Value)
		} else {
			f.groups.insert(p.Key, p.Value)
		}
	}
}

func (f *mergeFunc[K, C, U]) end(batch.Interval) error {
	for _, p := range f.groups.pairs {
		f.emit(f.finish(p))
	}
	f.groups.reset()
	return nil
}
