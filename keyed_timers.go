package tidemill

import (
	"cmp"
	"slices"

	"github.com/tidemill/tidemill/batch"
)

// timer is a time that a key waits for. A key has at most one for each kind and time.
type timer struct {
	at      batch.Time
	number  int64 // timers of equal time fire in order of it
	kind    TimeKind
	isKnown bool // a snapshot has it
}

// goneTimer is what a snapshot has to delete.
type goneTimer struct {
	slot int32
	kind TimeKind
	at   batch.Time
}

func findTimer(timers []timer, kind TimeKind, at batch.Time) (int, bool) {
	return slices.BinarySearchFunc(timers, timer{kind: kind, at: at}, func(a, b timer) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.at, b.at))
	})
}

// changeTimers keeps the timers of the call's key as they were, for a rollback.
func (ks *KeyedState) changeTimers() *slotState {
	st := &ks.slots[ks.slot]
	if !ks.isTimed {
		ks.isTimed = true
		ks.timerUndo = append(ks.timerUndo[:0], st.timers...)
		ks.countUndo, ks.goneUndo = ks.numTimers, len(ks.goneTimers)
		ks.markUnsaved(ks.slot)
	}
	return st
}

func (ks *KeyedState) rollbackTimers() {
	st := &ks.slots[ks.slot]
	st.timers = append(st.timers[:0], ks.timerUndo...)
	ks.numTimers, ks.goneTimers = ks.countUndo, ks.goneTimers[:ks.goneUndo]
	for _, t := range st.timers { // what was deleted may have left the heap
		ks.timers[t.kind].push(due{at: int64(t.at), number: t.number, slot: ks.slot})
	}
}

// setTimer adds a timer for the call's key, unless it has the same one.
func (ks *KeyedState) setTimer(kind TimeKind, at batch.Time) {
	i, found := findTimer(ks.slots[ks.slot].timers, kind, at)
	if found {
		return
	}
	st := ks.changeTimers()
	st.timers = slices.Insert(st.timers, i, timer{at: at, number: ks.nextTimer, kind: kind})
	ks.timers[kind].push(due{at: int64(at), number: ks.nextTimer, slot: ks.slot})
	ks.nextTimer++
	ks.numTimers[kind]++
}

// deleteTimer removes a timer of the call's key, if it has it.
func (ks *KeyedState) deleteTimer(kind TimeKind, at batch.Time) {
	i, found := findTimer(ks.slots[ks.slot].timers, kind, at)
	if !found {
		return
	}
	st := ks.changeTimers()
	if st.timers[i].isKnown {
		ks.goneTimers = append(ks.goneTimers, goneTimer{ks.slot, kind, at})
		st.hasGoneTimers = true
	}
	st.timers = slices.Delete(st.timers, i, i+1)
	ks.numTimers[kind]--
	ks.mayBeEmpty = true
}

// nextTimerOf returns the timer that fires next.
func (ks *KeyedState) nextTimerOf(kind TimeKind) (due, bool) {
	h := &ks.timers[kind]
	for len(*h) > 0 {
		if d := (*h)[0]; ks.isSet(kind, &d) {
			return d, true
		}
		h.pop()
	}
	return due{}, false
}

// isSet says whether a timer of the heap was not deleted.
func (ks *KeyedState) isSet(kind TimeKind, d *due) bool {
	st := &ks.slots[d.slot]
	i, found := findTimer(st.timers, kind, batch.Time(d.at))
	return st.isLive && found && st.timers[i].number == d.number
}

// dropGoneTimers removes deleted timers from the heaps, once they are more than half.
func (ks *KeyedState) dropGoneTimers() {
	for kind := range ks.timers {
		if h := &ks.timers[kind]; len(*h) > 2*ks.numTimers[kind]+64 {
			h.keep(func(d *due) bool { return ks.isSet(TimeKind(kind), d) })
		}
	}
}
