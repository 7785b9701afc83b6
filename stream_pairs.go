package tidemill

import (
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// KeyBy returns each row with the key that fn gives it. fn may be called by several workers at once.
func KeyBy[T any, K comparable](s Stream[T], fn func(T) K) Stream[Pair[K, T]] {
	return rowStep(s, nameOf("keyBy", fn), func(f *rowFunc[T, Pair[K, T]], from int) {
		for f.row = from; f.row < len(f.in.Values); f.row++ {
			v := f.in.Values[f.row]
			f.emit(Pair[K, T]{fn(v), v})
		}
	})
}

// MapValues returns each key with fn of its value. fn may be called by several workers at once.
func MapValues[K comparable, V, W any](s Stream[Pair[K, V]], fn func(V) W) Stream[Pair[K, W]] {
	return rowStep(s, nameOf("mapValues", fn), func(f *rowFunc[Pair[K, V], Pair[K, W]], from int) {
		for f.row = from; f.row < len(f.in.Values); f.row++ {
			p := f.in.Values[f.row]
			f.emit(Pair[K, W]{p.Key, fn(p.Value)})
		}
	})
}

// FlatMapValues returns the key with each value that fn emits for its value. fn may be called by several workers at once.
func FlatMapValues[K comparable, V, W any](s Stream[Pair[K, V]], fn func(value V, emit func(W))) Stream[Pair[K, W]] {
	return rowStep(s, nameOf("flatMapValues", fn), func(f *rowFunc[Pair[K, V], Pair[K, W]], from int) {
		for f.row = from; f.row < len(f.in.Values); f.row++ {
			p := f.in.Values[f.row]
			fn(p.Value, func(w W) { f.emit(Pair[K, W]{p.Key, w}) })
		}
	})
}

// GroupByKey calls fn, at the end of each interval, with each key and its values in order of (split, row), and returns what that
// emits: lists are no columns, so what a group becomes is said here. values and emit are valid until fn returns.
func GroupByKey[K comparable, V, U any](s Stream[Pair[K, V]], fn func(key K, values []V, emit func(U))) Stream[U] {
	out := codecOf[U](s.rows.c)
	return intervalStep(s.rows.c, nameOf("groupByKey", fn), s.slide, out, []DStream{s.rows}, []checker{s.codec}, func(env operators.Env) intervalFunc {
		return &cogroupFunc[K, V, V, U]{
			emitter: newEmitter(env, out), left: s.codec.NewRows(), groups: newGroups[K, sides[V, V]](),
			fn: func(key K, values, _ []V, emit func(U)) { fn(key, values, emit) },
		}
	})
}

// CoGroup calls fn, at the end of each interval, with each key that one of two streams has, and its values on both sides, and
// returns what that emits. The streams must have the same slide. left, right and emit are valid until fn returns.
func CoGroup[K comparable, V, W, U any](s Stream[Pair[K, V]], other Stream[Pair[K, W]], fn func(key K, left []V, right []W, emit func(U))) Stream[U] {
	return cogroup(s, other, nameOf("cogroup", fn), fn)
}

func cogroup[K comparable, V, W, U any](
	s Stream[Pair[K, V]], other Stream[Pair[K, W]], name string, fn func(key K, left []V, right []W, emit func(U)),
) Stream[U] {
	c := s.rows.c
	c.sameSlide(name, s.slide, other.slide)
	out := codecOf[U](c)
	return intervalStep(c, name, s.slide, out, []DStream{s.rows, other.rows}, []checker{s.codec, other.codec}, func(env operators.Env) intervalFunc {
		return &cogroupFunc[K, V, W, U]{
			emitter: newEmitter(env, out), left: s.codec.NewRows(), right: other.codec.NewRows(), groups: newGroups[K, sides[V, W]](), fn: fn,
		}
	})
}

// sides are the values of a key.
type sides[V, W any] struct {
	left  []V
	right []W
}

// cogroupFunc gathers values by key.
type cogroupFunc[K comparable, V, W, U any] struct {
	emitter[U]
	left   *record.Rows[Pair[K, V]]
	right  *record.Rows[Pair[K, W]] // nil: there is one input
	groups *groups[K, sides[V, W]]
	fn     func(key K, left []V, right []W, emit func(U))
}

func (f *cogroupFunc[K, V, W, U]) add(input int, in batch.Batch, bad expr.BadRow) {
	if input == 0 {
		f.left.Read(in, bad)
		for _, p := range f.left.Values {
			of := f.of(p.Key)
			of.left = append(of.left, p.Value)
		}
		return
	}
	f.right.Read(in, bad)
	for _, p := range f.right.Values {
		of := f.of(p.Key)
		of.right = append(of.right, p.Value)
	}
}

// of returns the values of a key, valid until it is called again.
func (f *cogroupFunc[K, V, W, U]) of(key K) *sides[V, W] {
	at, known := f.groups.index[key]
	if !known {
		at = int32(len(f.groups.pairs))
		f.groups.insert(key, sides[V, W]{})
	}
	return &f.groups.pairs[at].Value
}

func (f *cogroupFunc[K, V, W, U]) end(batch.Interval) error {
	for _, p := range f.groups.pairs {
		f.fn(p.Key, p.Value.left, p.Value.right, f.emit)
	}
	f.groups.reset()
	return nil
}

// Joined has the values of a key that a join puts together.
type Joined[V, W any] struct {
	Left  V
	Right W
}

// Join returns, for each interval and key that both streams have in it, each value of the one with each of the other. The streams
// must have the same slide; a window before makes the range longer.
func Join[K comparable, V, W any](s Stream[Pair[K, V]], other Stream[Pair[K, W]]) Stream[Pair[K, Joined[V, W]]] {
	return cogroup(s, other, "join", func(key K, left []V, right []W, emit func(Pair[K, Joined[V, W]])) {
		for _, l := range left {
			for _, r := range right {
				emit(Pair[K, Joined[V, W]]{key, Joined[V, W]{l, r}})
			}
		}
	})
}

// LeftOuterJoin is Join, and returns values of the left stream without a partner alone.
func LeftOuterJoin[K comparable, V, W any](s Stream[Pair[K, V]], other Stream[Pair[K, W]]) Stream[Pair[K, Joined[V, Optional[W]]]] {
	return cogroup(s, other, "leftOuterJoin", func(key K, left []V, right []W, emit func(Pair[K, Joined[V, Optional[W]]])) {
		for _, l := range left {
			eachOrNone(right, func(r Optional[W]) { emit(Pair[K, Joined[V, Optional[W]]]{key, Joined[V, Optional[W]]{l, r}}) })
		}
	})
}

// RightOuterJoin is Join, and returns values of the right stream without a partner alone.
func RightOuterJoin[K comparable, V, W any](s Stream[Pair[K, V]], other Stream[Pair[K, W]]) Stream[Pair[K, Joined[Optional[V], W]]] {
	return cogroup(s, other, "rightOuterJoin", func(key K, left []V, right []W, emit func(Pair[K, Joined[Optional[V], W]])) {
		if len(right) == 0 {
			return
		}
		eachOrNone(left, func(l Optional[V]) {
			for _, r := range right {
				emit(Pair[K, Joined[Optional[V], W]]{key, Joined[Optional[V], W]{l, r}})
			}
		})
	})
}

// FullOuterJoin is Join, and returns values of both streams without a partner alone.
func FullOuterJoin[K comparable, V, W any](
	s Stream[Pair[K, V]], other Stream[Pair[K, W]],
) Stream[Pair[K, Joined[Optional[V], Optional[W]]]] {
	return cogroup(s, other, "fullOuterJoin", func(key K, left []V, right []W, emit func(Pair[K, Joined[Optional[V], Optional[W]]])) {
		eachOrNone(left, func(l Optional[V]) {
			eachOrNone(right, func(r Optional[W]) {
				emit(Pair[K, Joined[Optional[V], Optional[W]]]{key, Joined[Optional[V], Optional[W]]{l, r}})
			})
		})
	})
}

// eachOrNone calls fn with each value, or once without one.
func eachOrNone[V any](values []V, fn func(Optional[V])) {
	if len(values) == 0 {
		fn(Optional[V]{})
	}
	for _, v := range values {
		fn(Some(v))
	}
}
