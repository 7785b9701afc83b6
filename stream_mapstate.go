package tidemill

import (
	"errors"
	"fmt"
	"time"

	"github.com/tidemill/tidemill/batch"
)

// StateSpec says what becomes of each value with the state of its key.
type StateSpec[K comparable, V, S, M any] struct {
	// Map is called with each value, in order of (split, row), and may change the state of its key. It returns nothing: emit, which is
	// valid until it returns, puts rows out. After a panic the row is bad, and the state is as it was before the call.
	//
	// With a Timeout it is also called, once and without a value, for a key that is timing out. The state is removed afterwards. A
	// panic stops the job then.
	Map func(iv batch.Interval, key K, value Optional[V], state *State[S], emit func(M))
	// Timeout is how long a key with state may have no values: at the end of the first interval that ends later, it times out. 0 means
	// for ever.
	Timeout time.Duration
	// Initial is the state before the job's first interval; it counts as touched in that. A restart has its own.
	Initial []Pair[K, S]
}

// State is the state of the key that a StateSpec's Map is called for. It is valid until that returns.
type State[S any] struct {
	value       *ValueState[S]
	isTimingOut bool
	isRemoved   bool
}

// Exists says whether the key has state.
func (s *State[S]) Exists() bool {
	_, ok := s.value.Get()
	return ok
}

// Get returns the state. It panics if there is none.
func (s *State[S]) Get() S {
	v, ok := s.value.Get()
	if !ok {
		panic("state is not set")
	}
	return v
}

// Option returns the state, if there is one.
func (s *State[S]) Option() Optional[S] {
	v, ok := s.value.Get()
	return Optional[S]{Value: v, Valid: ok}
}

// IsTimingOut says that the key has had no value for the Timeout.
func (s *State[S]) IsTimingOut() bool { return s.isTimingOut }

// Update sets the state. It panics if that was removed in the same call, or is timing out.
func (s *State[S]) Update(v S) {
	s.check("update")
	s.value.Set(v)
}

// Remove removes the state. It panics if that was removed in the same call, or is timing out.
func (s *State[S]) Remove() {
	s.check("remove")
	s.value.Clear()
	s.isRemoved = true
}

func (s *State[S]) check(what string) {
	switch {
	case s.isTimingOut:
		panic("cannot " + what + " the state that is timing out")
	case s.isRemoved:
		panic("cannot " + what + " the state after it has been removed")
	}
}

// MappedStream is what MapWithState returns: the rows that Map emits, and the states.
type MappedStream[K comparable, S, M any] struct {
	Stream[M]
	both         Stream[mappedRow[K, S, M]]
	hasSnapshots *bool
}

// mappedRow is a row that Map emitted, or a state.
type mappedRow[K comparable, S, M any] struct {
	IsState bool
	Mapped  M
	Key     K
	State   S
}

// MapWithState keeps a state per key, and calls spec.Map with each value and the state of its key. Keys without values cost nothing.
func MapWithState[K comparable, V, S, M any](s Stream[Pair[K, V]], spec StateSpec[K, V, S, M]) MappedStream[K, S, M] {
	const kind = "mapWithState"
	c := s.rows.c
	if spec.Map == nil {
		c.fault(errors.New(kind + ": Map is missing"))
	}
	if spec.Timeout < 0 || spec.Timeout%time.Microsecond != 0 {
		c.fault(fmt.Errorf("%s: Timeout must be whole microseconds and not negative: %s", kind, spec.Timeout))
	}
	ttl := TTL{After: spec.Timeout}
	if spec.Timeout > 0 {
		ttl.After += time.Microsecond // an interval that ends just then is too early
	}
	hasSnapshots := new(bool)
	both := processStep(s, processParts[K, Pair[K, V], mappedRow[K, S, M]]{
		kind: kind, name: nameOf(kind, spec.Map), perInterval: true,
		spec: ProcessSpec[K, Pair[K, V], mappedRow[K, S, M]]{
			Key: func(p Pair[K, V]) K { return p.Key },
			New: func(ks *KeyedState) Processor[K, Pair[K, V], mappedRow[K, S, M]] {
				m := &stateMapper[K, V, S, M]{spec: spec, hasSnapshots: hasSnapshots}
				m.state.value = NewValueState[S](ks, "state", ttl)
				if spec.Timeout > 0 {
					m.state.value.onExpire = m.timeOut
				}
				return m
			},
		},
	})
	mapped := rowStep(both, "rows of "+kind, func(f *rowFunc[mappedRow[K, S, M], M], from int) {
		for f.row = from; f.row < len(f.in.Values); f.row++ {
			if v := &f.in.Values[f.row]; !v.IsState {
				f.emit(v.Mapped)
			}
		}
	})
	mapped.state = both.state
	return MappedStream[K, S, M]{Stream: mapped, both: both, hasSnapshots: hasSnapshots}
}

// Named gives the operation the name by which a restart finds its state. The default is mapWithState1, mapWithState2, ….
func (s MappedStream[K, S, M]) Named(name string) MappedStream[K, S, M] {
	s.Stream = s.Stream.Named(name)
	return s
}

// StateSnapshots returns, after each interval, all keys and their states, in the order in which the keys came.
func (s MappedStream[K, S, M]) StateSnapshots() Stream[Pair[K, S]] {
	*s.hasSnapshots = true
	return rowStep(s.both, "states of mapWithState", func(f *rowFunc[mappedRow[K, S, M], Pair[K, S]], from int) {
		for f.row = from; f.row < len(f.in.Values); f.row++ {
			if v := &f.in.Values[f.row]; v.IsState {
				f.emit(Pair[K, S]{v.Key, v.State})
			}
		}
	})
}

// stateMapper calls Map.
type stateMapper[K comparable, V, S, M any] struct {
	spec         StateSpec[K, V, S, M]
	hasSnapshots *bool
	state        State[S]

	r     *processState[K, mappedRow[K, S, M]]
	emit  func(M)
	isDue bool
}

// Row calls Map with a value.
func (m *stateMapper[K, V, S, M]) Row(c *Call[K, mappedRow[K, S, M]], p Pair[K, V]) {
	m.state.isTimingOut, m.state.isRemoved = false, false
	m.spec.Map(m.r.interval, c.Key(), Some(p.Value), &m.state, m.emit)
	if m.spec.Timeout > 0 && m.state.Exists() {
		m.state.value.prolong(m.state.value.change())
	}
}

// timeOut calls Map without a value.
func (m *stateMapper[K, V, S, M]) timeOut(slot int32) error {
	m.r.store.slot = slot
	m.state.isTimingOut = true
	m.spec.Map(m.r.interval, m.r.call.Key(), Optional[V]{}, &m.state, m.emit)
	m.r.store.commit()
	return nil
}

// Timer is never called: no timer is set.
func (m *stateMapper[K, V, S, M]) Timer(*Call[K, mappedRow[K, S, M]], TimeKind, time.Time) {}

func (m *stateMapper[K, V, S, M]) begin(r *processState[K, mappedRow[K, S, M]]) error {
	if m.r == nil {
		m.r, m.emit = r, func(v M) { r.call.Emit(mappedRow[K, S, M]{Mapped: v}) }
	}
	return setInitial(r.store, r.interval, m.state.value, m.spec.Initial)
}

func (m *stateMapper[K, V, S, M]) end(_ *processState[K, mappedRow[K, S, M]], isDue bool) {
	m.isDue = isDue
}

func (m *stateMapper[K, V, S, M]) after(r *processState[K, mappedRow[K, S, M]]) {
	if !*m.hasSnapshots || !m.isDue {
		return
	}
	r.store.all(func(slot int32) {
		r.call.Emit(mappedRow[K, S, M]{IsState: true, Key: r.store.of[slot], State: m.state.value.cells[slot].value})
	})
}
