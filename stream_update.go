package tidemill

import (
	"errors"
	"fmt"
	"time"

	"github.com/tidemill/tidemill/batch"
)

// UpdateSpec says how the state of keys changes with each interval.
type UpdateSpec[K comparable, V, S any] struct {
	// Update returns the state of a key after an interval, none to remove it. It is called, in each interval, for every key that has
	// state, also without values, and for every new one. values are in order of (split, row), and valid until it returns. A panic stops
	// the job.
	Update func(iv batch.Interval, key K, values []V, state Optional[S]) Optional[S]
	// Initial is the state before the job's first interval. A restart has its own.
	Initial []Pair[K, S]
}

// UpdateStateByKey keeps a state per key, and returns all of them after each interval, in the order in which the keys came. It costs a
// call and a row per key and interval, whether something came or not: MapWithState and Process do not.
func UpdateStateByKey[K comparable, V, S any](s Stream[Pair[K, V]], spec UpdateSpec[K, V, S]) Stream[Pair[K, S]] {
	const kind = "updateStateByKey"
	if spec.Update == nil {
		s.rows.c.fault(errors.New(kind + ": Update is missing"))
	}
	return processStep(s, processParts[K, Pair[K, V], Pair[K, S]]{
		kind: kind, name: nameOf(kind, spec.Update), perInterval: true,
		spec: ProcessSpec[K, Pair[K, V], Pair[K, S]]{
			Key: func(p Pair[K, V]) K { return p.Key },
			New: func(ks *KeyedState) Processor[K, Pair[K, V], Pair[K, S]] {
				return &updater[K, V, S]{spec: spec, state: NewValueState[S](ks, "state", TTL{}), values: newGroups[K, []V]()}
			},
		},
	})
}

// updater gathers values, and updates all states at the end of an interval.
type updater[K comparable, V, S any] struct {
	spec   UpdateSpec[K, V, S]
	state  *ValueState[S]
	values *groups[K, []V]
}

// Row keeps a value for the end of the interval.
func (u *updater[K, V, S]) Row(_ *Call[K, Pair[K, S]], p Pair[K, V]) {
	at, known := u.values.index[p.Key]
	if !known {
		at = int32(len(u.values.pairs))
		u.values.insert(p.Key, nil)
	}
	of := &u.values.pairs[at]
	of.Value = append(of.Value, p.Value)
}

// Timer is never called: no timer is set.
func (u *updater[K, V, S]) Timer(*Call[K, Pair[K, S]], TimeKind, time.Time) {}

func (u *updater[K, V, S]) begin(r *processState[K, Pair[K, S]]) error {
	return setInitial(r.store, r.interval, u.state, u.spec.Initial)
}

// setInitial sets the state of keys in the job's first interval.
func setInitial[K comparable, S any](store *keyedStore[K], iv batch.Interval, state *ValueState[S], initial []Pair[K, S]) error {
	if iv.Start != iv.Zero {
		return nil
	}
	for _, p := range initial {
		store.slot = store.at(p.Key)
		if _, known := state.Get(); known {
			return fmt.Errorf("initial state: key %v is there twice", p.Key)
		}
		state.Set(p.Value)
		store.commit()
	}
	return nil
}

func (u *updater[K, V, S]) end(r *processState[K, Pair[K, S]], isDue bool) {
	if !isDue {
		return
	}
	r.store.all(func(slot int32) {
		key := r.store.of[slot]
		var values []V
		if at, known := u.values.index[key]; known {
			values = u.values.pairs[at].Value
			delete(u.values.index, key)
		}
		r.store.slot = slot
		state, _ := u.state.Get()
		u.update(r, key, values, Some(state))
	})
	for _, p := range u.values.pairs {
		if _, isNew := u.values.index[p.Key]; isNew {
			r.store.slot = r.store.at(p.Key)
			u.update(r, p.Key, p.Value, Optional[S]{})
		}
	}
	u.values.reset()
}

// update makes one call, for the slot of the store.
func (u *updater[K, V, S]) update(r *processState[K, Pair[K, S]], key K, values []V, state Optional[S]) {
	is := u.spec.Update(r.interval, key, values, state)
	switch {
	case is.Valid:
		u.state.Set(is.Value)
		r.call.Emit(Pair[K, S]{r.call.Key(), is.Value})
	case state.Valid:
		u.state.Clear()
	}
	r.store.commit()
}

func (u *updater[K, V, S]) after(*processState[K, Pair[K, S]]) {}
