package tidemill

import (
	"cmp"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators"
)

// ListState is a list per key, to which one appends. T is a type that is a row: see Stream. A snapshot saves what was appended only.
type ListState[T any] struct {
	varBase
	codec *record.Codec[T]
	cells []listCell[T]

	before   listCell[T] // the running call
	numItems int64       // of all lists
	restored []restoredItem[T]
}

// listCell is a list. Its elements have numbers, which are never used again.
type listCell[T any] struct {
	items   []T
	expires []batch.Time // of items, increasing; nil without a TTL
	first   int64        // the number of items[0]

	knownFrom, knownTo int64 // numbers that a snapshot has
	savedTo            int64 // elements before it are saved as they are
	isDirty            bool
	isQueued           bool
}

type restoredItem[T any] struct {
	slot    int32
	number  int64
	value   T
	expires batch.Time
}

// NewListState declares a list per key. name is how a restart finds it.
func NewListState[T any](ks *KeyedState, name string, ttl TTL) *ListState[T] {
	codec, err := record.For[T]()
	v := &ListState[T]{codec: codec}
	ks.declare(v, name, ttl, err)
	return v
}

// All returns the elements of the call's key, in the order in which they were appended. They are valid until the list changes or the
// call ends, and must not be changed.
func (v *ListState[T]) All() []T {
	c := &v.cells[v.use()]
	live := v.live(c)
	if v.ttl.OnRead && live < len(c.items) {
		c = v.change()
		v.drop(c, live)
		c.expires = slices.Repeat([]batch.Time{v.deadline()}, len(c.items))
		c.savedTo = c.first
		v.queueFirst(c)
		live = 0
	}
	return c.items[live:len(c.items):len(c.items)]
}

// Append adds elements to the list of the call's key.
func (v *ListState[T]) Append(values ...T) {
	c := v.change()
	at := v.deadline()
	if n := len(c.expires); n > 0 && c.expires[n-1] > at { // the TTL was longer before a restart
		c.expires = slices.Clone(c.expires)
		for i := n - 1; i >= 0 && c.expires[i] > at; i-- {
			c.expires[i] = at
		}
		c.savedTo = c.first
	}
	for _, value := range values {
		v.codec.Own(&value)
		c.items = append(c.items, value)
		if v.ttl.After > 0 {
			c.expires = append(c.expires, at)
		}
	}
	v.queueFirst(c)
}

// Set makes values the list of the call's key.
func (v *ListState[T]) Set(values []T) {
	c := v.change()
	c.first += int64(len(c.items))
	c.items, c.expires = nil, nil
	v.ks.mayBeEmpty = true
	v.Append(values...)
}

// Clear empties the list of the call's key.
func (v *ListState[T]) Clear() {
	if len(v.cells[v.use()].items) > 0 {
		v.Set(nil)
	}
}

func (v *ListState[T]) change() *listCell[T] {
	c := &v.cells[v.use()]
	if v.touch(v) {
		v.before = *c
	}
	c.isDirty = true
	return c
}

// live returns how many elements at the beginning have expired.
func (v *ListState[T]) live(c *listCell[T]) int {
	n := 0
	for n < len(c.expires) && v.isOver(c.expires[n]) {
		n++
	}
	return n
}

// drop removes elements at the beginning.
func (v *ListState[T]) drop(c *listCell[T], n int) {
	c.items, c.first = c.items[n:], c.first+int64(n)
	if c.expires != nil {
		c.expires = c.expires[n:]
	}
}

func (v *ListState[T]) queueFirst(c *listCell[T]) {
	if len(c.expires) > 0 && c.expires[0] < batch.MaxTime && !c.isQueued {
		c.isQueued = true
		v.queue(v.ks.slot, c.expires[0])
	}
}

func (v *ListState[T]) grow() { v.cells = append(v.cells, listCell[T]{}) }

func (v *ListState[T]) commit(slot int32) {
	v.numItems += int64(len(v.cells[slot].items) - len(v.before.items))
	v.before = listCell[T]{}
}

func (v *ListState[T]) rollback(slot int32) {
	v.before.isDirty, v.before.isQueued = true, v.cells[slot].isQueued
	v.cells[slot] = v.before
	v.before = listCell[T]{}
}

func (v *ListState[T]) isEmpty(slot int32) bool { return len(v.cells[slot].items) == 0 }

func (v *ListState[T]) isKnown(slot int32) bool {
	return v.cells[slot].knownTo > v.cells[slot].knownFrom
}

func (v *ListState[T]) release(slot int32) {
	v.cells[slot] = listCell[T]{isQueued: v.cells[slot].isQueued}
}

func (v *ListState[T]) expire(slot int32, now batch.Time) (batch.Time, error) {
	c := &v.cells[slot]
	c.isQueued = false
	n := 0
	for n < len(c.expires) && c.expires[n] <= now {
		n++
	}
	if n > 0 {
		v.drop(c, n)
		v.numItems -= int64(n)
		c.items, c.expires = slices.Clone(c.items), slices.Clone(c.expires) // gives memory back
		c.isDirty = true
		v.ks.markUnsaved(slot)
	}
	if len(c.expires) == 0 || c.expires[0] == batch.MaxTime {
		return batch.MaxTime, nil
	}
	c.isQueued = true
	return c.expires[0], nil
}

func (v *ListState[T]) fields() ([]arrow.Field, int, string) {
	fields := append([]arrow.Field{{Name: "number", Type: batch.BigInt}}, v.codec.Fields("value")...)
	return v.withExpires(fields), 1, "a list per key"
}

func (v *ListState[T]) save(s *stateSaver, table *operators.StateTable, slots []int32) error {
	var (
		gone, set            []int32
		goneNumbers, numbers []int64
		values               []T
		extra                extraColumns
	)
	for _, slot := range slots {
		c := &v.cells[slot]
		if !s.full && !c.isDirty {
			continue
		}
		end := c.first + int64(len(c.items))
		for n := c.knownFrom; n < min(c.first, c.knownTo) && !s.full; n++ {
			gone, goneNumbers = append(gone, slot), append(goneNumbers, n)
		}
		from := max(c.first, c.savedTo)
		if s.full {
			from = c.first
		}
		for n := from; n < end; n++ {
			set, numbers, values = append(set, slot), append(numbers, n), append(values, c.items[n-c.first])
			if c.expires != nil {
				extra.expires = append(extra.expires, int64(c.expires[n-c.first]))
			}
		}
		c.isDirty, c.knownFrom, c.knownTo, c.savedTo = false, c.first, end, end
	}
	if err := s.put(table, gone, true, func(columns []*batch.Column) { setInts(columns[0], goneNumbers) }); err != nil {
		return err
	}
	return s.put(table, set, false, func(columns []*batch.Column) {
		n := v.codec.Schema().NumFields()
		setInts(columns[0], numbers)
		v.codec.WriteColumns(columns[1:1+n], values)
		extra.writeExpires(columns[1+n:])
	})
}

func (v *ListState[T]) restore(slots []int32, rows batch.Batch, rest []arrow.Array) error {
	values, err := readAll(v.codec, rows)
	if err != nil {
		return err
	}
	for i, slot := range slots {
		v.codec.Own(&values[i])
		v.restored = append(v.restored, restoredItem[T]{slot, batch.Int64s(rest[0])[i], values[i], expiryOf(rest, i)})
	}
	return nil
}

func (v *ListState[T]) settle() {
	slices.SortFunc(v.restored, func(a, b restoredItem[T]) int {
		return cmp.Or(cmp.Compare(a.slot, b.slot), cmp.Compare(a.number, b.number))
	})
	for _, r := range v.restored {
		c := &v.cells[r.slot]
		if len(c.items) == 0 {
			c.first = r.number
		}
		c.items = append(c.items, r.value)
		if v.ttl.After > 0 {
			c.expires = append(c.expires, r.expires)
		}
		c.knownFrom, c.knownTo = c.first, r.number+1
		c.savedTo = c.knownTo
		if r.expires < batch.MaxTime && v.ttl.After > 0 && !c.isQueued {
			c.isQueued = true
			v.queue(r.slot, r.expires)
		}
	}
	v.numItems += int64(len(v.restored))
	v.restored = nil
}

func (v *ListState[T]) bytes() int64 { return v.numItems * v.codec.ValueBytes() }
