package tidemill

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators"
)

// TimeKind says by which time a timer fires or a value expires.
type TimeKind uint8

const (
	// ProcessingTime is the last tick of the job's clock, a multiple of Config.Interval after its start, when the interval ends. It
	// stands still while an interval is computed.
	ProcessingTime TimeKind = iota
	// EventTime is the time of the row or timer that is being handled. It never goes back.
	EventTime
)

// String returns the kind in words.
func (k TimeKind) String() string { return [...]string{"processing time", "event time"}[k] }

// TTL says how long state lives. Expired state is never seen again; its memory is given back at the end of an interval. The zero
// value keeps it for ever.
type TTL struct {
	// After is how long a value, an element of a list, or an entry of a map lives after it was written. 0 means for ever.
	After time.Duration
	// Kind is the time that After is counted in. EventTime needs ProcessSpec.EventTime.
	Kind TimeKind
	// OnRead counts from the last time that it was written or read.
	OnRead bool
}

// KeyedState is where a Processor declares its state, by NewValueState, NewListState and NewMapState. State belongs to a key: in a
// call it is that of the call's key, and there is none between calls.
type KeyedState struct {
	hasEventTime bool
	vars         []variable
	errs         []error

	// State: slots are keys with state, and those that are free.
	slots      []slotState
	expiries   [2]dueHeap // by TimeKind: of is the variable; at most one for each cell
	timers     [2]dueHeap // by TimeKind: some are gone, number tells
	numTimers  [2]int     // that are not gone
	nextTimer  int64
	goneTimers []goneTimer // that a snapshot has to delete
	unsaved    []int32     // slots
	now        [2]batch.Time

	// Of the running call.
	slot       int32 // -1: none
	touched    []variable
	mayBeEmpty bool
	timerUndo  []timer
	isTimed    bool // timerUndo, countUndo and goneUndo are from before the call
	countUndo  [2]int
	goneUndo   int
}

// slotState is what there is of a key besides its variables.
type slotState struct {
	born      int64 // keys are in order of it
	timers    []timer
	isLive    bool
	isUnsaved bool
	// hasGoneTimers says that a snapshot has to delete timers of it.
	hasGoneTimers bool
}

// variable is state of one name, with a cell for each slot.
type variable interface {
	base() *varBase
	// fields returns the columns of its table behind those of the key; the first numKeys are part of the table's key.
	fields() (fields []arrow.Field, numKeys int, what string)
	// grow makes one more cell.
	grow()
	// commit and rollback end a call in which the cell of the slot changed.
	commit(slot int32)
	rollback(slot int32)
	isEmpty(slot int32) bool
	isKnown(slot int32) bool
	// release empties the cell.
	release(slot int32)
	// expire forgets what has expired, and returns when it must be called again.
	expire(slot int32, now batch.Time) (next batch.Time, err error)
	save(s *stateSaver, table *operators.StateTable, slots []int32) error
	restore(slots []int32, rows batch.Batch, rest []arrow.Array) error
	// settle puts restored elements in order.
	settle()
	bytes() int64
}

// varBase is what all variables have.
type varBase struct {
	ks        *KeyedState
	name      string
	ttl       TTL
	index     int32 // in ks.vars
	isTouched bool  // in the running call
}

func (b *varBase) base() *varBase { return b }

// declare adds a variable. What is wrong with it is kept until the job is checked.
func (ks *KeyedState) declare(v variable, name string, ttl TTL, errs ...error) {
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if name == "" || name == timersName || name == rowsName || strings.ContainsAny(name, "/ ") {
		fault("its name must be a word, and neither %q nor %q", timersName, rowsName)
	}
	for _, other := range ks.vars {
		if other.base().name == name {
			fault("there are two of this name")
		}
	}
	if ttl.After < 0 || ttl.After%time.Microsecond != 0 {
		fault("TTL: After must be whole microseconds and not negative: %s", ttl.After)
	}
	if ttl.After > 0 && ttl.Kind == EventTime && !ks.hasEventTime {
		fault("TTL in event time: the rows have none: set EventTime")
	}
	for _, err := range errs {
		if err != nil {
			ks.errs = append(ks.errs, fmt.Errorf("state %q: %w", name, err))
		}
	}
	*v.base() = varBase{ks: ks, name: name, ttl: ttl, index: int32(len(ks.vars))}
	ks.vars = append(ks.vars, v)
}

// use returns the slot of the running call.
func (b *varBase) use() int32 {
	if b.ks.slot < 0 {
		panic(fmt.Sprintf("state %q is used outside of a call", b.name))
	}
	return b.ks.slot
}

// touch notes that the cell of the running call changes, and says whether that is so for the first time in the call.
func (b *varBase) touch(v variable) bool {
	if b.isTouched {
		return false
	}
	b.isTouched = true
	b.ks.touched = append(b.ks.touched, v)
	b.ks.markUnsaved(b.ks.slot)
	return true
}

// deadline returns when what is written now expires.
func (b *varBase) deadline() batch.Time {
	if b.ttl.After == 0 {
		return batch.MaxTime
	}
	return b.ks.now[b.ttl.Kind].Sub(-b.ttl.After)
}

// isOver says whether something with a deadline has expired.
func (b *varBase) isOver(deadline batch.Time) bool { return deadline <= b.ks.now[b.ttl.Kind] }

// queue has expire called for a slot.
func (b *varBase) queue(slot int32, at batch.Time) {
	b.ks.expiries[b.ttl.Kind].push(due{at: int64(at), number: b.ks.slots[slot].born, slot: slot, of: b.index})
}

func (ks *KeyedState) markUnsaved(slot int32) {
	if s := &ks.slots[slot]; !s.isUnsaved {
		s.isUnsaved = true
		ks.unsaved = append(ks.unsaved, slot)
	}
}

func (ks *KeyedState) isEmpty(slot int32) bool {
	if len(ks.slots[slot].timers) > 0 {
		return false
	}
	for _, v := range ks.vars {
		if !v.isEmpty(slot) {
			return false
		}
	}
	return true
}

// isKnown says whether the last snapshot has something of the slot besides timers.
func (ks *KeyedState) isKnown(slot int32) bool {
	for _, v := range ks.vars {
		if v.isKnown(slot) {
			return true
		}
	}
	return false
}

// keyedStore has the slots of keys.
type keyedStore[K comparable] struct {
	*KeyedState
	keys   *record.Codec[K]
	tables []operators.StateTable // of the variables, then of the timers

	index      map[K]int32
	of         []K // by slot
	free       []int32
	nextBorn   int64
	order      []bornSlot // in order of born, if keepsOrder; some are gone
	keepsOrder bool
	isRestored bool
}

type bornSlot struct {
	born int64
	slot int32
}

func newKeyedStore[K comparable](ks *KeyedState, keys *record.Codec[K], tables []operators.StateTable) *keyedStore[K] {
	ks.slot = -1
	ks.now = [2]batch.Time{batch.MinTime, batch.MinTime}
	return &keyedStore[K]{KeyedState: ks, keys: keys, tables: tables, index: make(map[K]int32)}
}

// at returns the slot of a key, a new one if it has none.
func (s *keyedStore[K]) at(key K) int32 {
	if slot, known := s.index[key]; known {
		return slot
	}
	s.keys.Own(&key)
	var slot int32
	if n := len(s.free); n > 0 {
		slot = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		slot = int32(len(s.slots))
		s.slots = append(s.slots, slotState{})
		s.of = append(s.of, key)
		for _, v := range s.vars {
			v.grow()
		}
	}
	s.index[key], s.of[slot] = slot, key
	st := &s.slots[slot]
	st.born, st.isLive = s.nextBorn, true
	s.nextBorn++
	if s.keepsOrder {
		s.order = append(s.order, bornSlot{st.born, slot})
	}
	s.mayBeEmpty = true
	return slot
}

// all calls fn with each slot that has state, in the order in which keys came. fn may empty the slot.
func (s *keyedStore[K]) all(fn func(slot int32)) {
	kept := s.order[:0]
	for i := range s.order {
		if st := &s.slots[s.order[i].slot]; st.isLive && st.born == s.order[i].born {
			kept = append(kept, s.order[i])
		}
	}
	s.order = kept
	for i := range len(kept) {
		fn(kept[i].slot)
	}
}

// commit ends a call.
func (s *keyedStore[K]) commit() {
	for _, v := range s.touched {
		v.commit(s.slot)
		v.base().isTouched = false
	}
	s.endCall()
}

// rollback ends a call, and takes back what it changed.
func (s *keyedStore[K]) rollback() {
	for _, v := range s.touched {
		v.rollback(s.slot)
		v.base().isTouched = false
	}
	if s.isTimed {
		s.rollbackTimers()
	}
	s.endCall()
}

func (s *keyedStore[K]) endCall() {
	s.touched = s.touched[:0]
	slot := s.slot
	s.slot = -1
	if s.isTimed {
		s.isTimed = false
		s.dropGoneTimers()
	}
	if s.mayBeEmpty {
		s.mayBeEmpty = false
		s.releaseIfEmpty(slot)
	}
}

// releaseIfEmpty gives a slot back. One that a snapshot has rows of must wait for the next one.
func (s *keyedStore[K]) releaseIfEmpty(slot int32) {
	if slot < 0 || !s.slots[slot].isLive || !s.isEmpty(slot) || s.slots[slot].hasGoneTimers || s.isKnown(slot) {
		return
	}
	delete(s.index, s.of[slot])
	var none K
	s.of[slot] = none
	s.slots[slot].isLive = false
	for _, v := range s.vars {
		v.release(slot)
	}
	s.free = append(s.free, slot)
}

// expire forgets what has expired by now, and calls what waits for that.
func (s *keyedStore[K]) expire() error {
	for kind := range s.expiries {
		h := &s.expiries[kind]
		for len(*h) > 0 && (*h)[0].at <= int64(s.now[kind]) {
			d := h.pop()
			v := s.vars[d.of]
			next, err := v.expire(d.slot, s.now[kind])
			if err != nil {
				return err
			}
			if next < batch.MaxTime {
				v.base().queue(d.slot, next)
			}
			s.releaseIfEmpty(d.slot)
		}
	}
	return nil
}

// settle makes restored state whole.
func (s *keyedStore[K]) settle() {
	if !s.isRestored {
		return
	}
	s.isRestored = false
	s.order = s.order[:0]
	for _, v := range s.vars {
		v.settle()
	}
	for slot := range s.slots {
		s.nextBorn = max(s.nextBorn, s.slots[slot].born+1)
		if s.keepsOrder && s.slots[slot].isLive {
			s.order = append(s.order, bornSlot{s.slots[slot].born, int32(slot)})
		}
	}
	slices.SortFunc(s.order, func(a, b bornSlot) int { return cmp.Compare(a.born, b.born) })
}

// stats counts keys. Bytes are those of values, without what they refer to: user types live on the heap of Go.
func (s *keyedStore[K]) stats() operators.StateStats {
	var key K
	groups := int64(len(s.index))
	st := operators.StateStats{Groups: groups, Unsaved: min(groups, int64(len(s.unsaved))), Bytes: groups * int64(unsafe.Sizeof(key))}
	for _, v := range s.vars {
		st.Bytes += v.bytes()
	}
	return st
}

// err returns what is wrong with the declared state.
func (ks *KeyedState) err() error { return errors.Join(ks.errs...) }
