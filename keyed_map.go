package tidemill

import (
	"cmp"
	"iter"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators"
)

// MapState is a map per key. E, the key of an entry, and V are types that are rows: see Stream. A snapshot saves the entries that
// changed.
type MapState[E comparable, V any] struct {
	varBase
	entries *record.Codec[E]
	values  *record.Codec[V]
	cells   []mapCell[E, V]

	undo     []mapUndo[E, V] // the running call
	goneUndo int             // length of gone before
	liveUndo int             // number of live entries before
	numLive  int64           // entries of all maps
	restored []restoredEntry[E, V]
}

// mapCell is a map. Its entries are in the order in which they were first put, with dead ones between.
type mapCell[E comparable, V any] struct {
	index    map[E]int32 // of entries that are live
	entries  []mapEntry[E, V]
	next     int64 // number of the next entry
	gone     []E   // that a snapshot has to delete
	isDirty  bool
	isQueued bool
}

type mapEntry[E comparable, V any] struct {
	key     E
	value   V
	expires batch.Time
	number  int64
	isLive  bool
	isSaved bool // a snapshot has it as it is
	isKnown bool // a snapshot has its key
}

// mapUndo is an entry as it was; one that is new has no number.
type mapUndo[E comparable, V any] struct {
	at    int32
	entry mapEntry[E, V]
}

type restoredEntry[E comparable, V any] struct {
	slot  int32
	entry mapEntry[E, V]
}

// NewMapState declares a map per key. name is how a restart finds it.
func NewMapState[E comparable, V any](ks *KeyedState, name string, ttl TTL) *MapState[E, V] {
	entries, entriesErr := record.For[E]()
	values, err := record.For[V]()
	v := &MapState[E, V]{entries: entries, values: values}
	ks.declare(v, name, ttl, entriesErr, err)
	return v
}

// Get returns the value of an entry of the call's key, and whether there is one.
func (v *MapState[E, V]) Get(entry E) (V, bool) {
	c := &v.cells[v.use()]
	at, found := c.index[entry]
	if !found || v.isOver(c.entries[at].expires) {
		var none V
		return none, false
	}
	if v.ttl.OnRead {
		v.prolong(v.change(at), at)
	}
	return c.entries[at].value, true
}

// Put makes value that of an entry of the call's key.
func (v *MapState[E, V]) Put(entry E, value V) {
	slot := v.use()
	c := &v.cells[slot]
	v.values.Own(&value)
	at, found := c.index[entry]
	if found && v.isOver(c.entries[at].expires) { // it is put anew, behind the others
		v.remove(entry, at)
		found = false
	}
	if found {
		c = v.change(at)
		c.entries[at].value = value
		v.prolong(c, at)
		return
	}
	at = int32(len(c.entries))
	c = v.change(at)
	v.entries.Own(&entry)
	if c.index == nil {
		c.index = make(map[E]int32)
	}
	c.index[entry] = at
	c.entries = append(c.entries, mapEntry[E, V]{key: entry, value: value, number: c.next, isLive: true})
	c.next++
	v.prolong(c, at)
}

// Delete removes an entry of the call's key.
func (v *MapState[E, V]) Delete(entry E) {
	if at, found := v.cells[v.use()].index[entry]; found {
		v.remove(entry, at)
	}
}

// Clear removes all entries of the call's key.
func (v *MapState[E, V]) Clear() {
	c := &v.cells[v.use()]
	for i := range c.entries {
		if c.entries[i].isLive {
			v.remove(c.entries[i].key, int32(i))
		}
	}
}

// All returns the entries of the call's key, in the order in which they were put first. Entries may be put and deleted meanwhile;
// those that are put meanwhile are not among them.
func (v *MapState[E, V]) All() iter.Seq2[E, V] {
	slot := v.use()
	return func(yield func(E, V) bool) {
		for i := range len(v.cells[slot].entries) {
			e := &v.cells[slot].entries[i]
			if !e.isLive || v.isOver(e.expires) {
				continue
			}
			key, value := e.key, e.value
			if v.ttl.OnRead {
				v.prolong(v.change(int32(i)), int32(i))
			}
			if !yield(key, value) {
				return
			}
		}
	}
}

// Len returns the number of entries of the call's key.
func (v *MapState[E, V]) Len() int {
	c := &v.cells[v.use()]
	if v.ttl.After == 0 {
		return len(c.index)
	}
	n := 0
	for i := range c.entries {
		if c.entries[i].isLive && !v.isOver(c.entries[i].expires) {
			n++
		}
	}
	return n
}

// change keeps an entry as it was, for a rollback.
func (v *MapState[E, V]) change(at int32) *mapCell[E, V] {
	c := &v.cells[v.ks.slot]
	if v.touch(v) {
		v.goneUndo, v.liveUndo = len(c.gone), len(c.index)
	}
	c.isDirty = true
	u := mapUndo[E, V]{at: at, entry: mapEntry[E, V]{number: -1}}
	if int(at) < len(c.entries) {
		u.entry = c.entries[at]
	}
	v.undo = append(v.undo, u)
	return c
}

func (v *MapState[E, V]) prolong(c *mapCell[E, V], at int32) {
	e := &c.entries[at]
	e.isSaved, e.expires = false, v.deadline()
	if e.expires < batch.MaxTime && !c.isQueued {
		c.isQueued = true
		v.queue(v.ks.slot, e.expires)
	}
}

func (v *MapState[E, V]) remove(entry E, at int32) {
	c := v.change(at)
	v.removeFrom(c, entry, at)
	v.ks.mayBeEmpty = true
}

func (v *MapState[E, V]) removeFrom(c *mapCell[E, V], entry E, at int32) {
	delete(c.index, entry)
	e := &c.entries[at]
	if e.isKnown {
		c.gone = append(c.gone, e.key)
	}
	*e = mapEntry[E, V]{number: e.number}
}

func (v *MapState[E, V]) grow() { v.cells = append(v.cells, mapCell[E, V]{}) }

func (v *MapState[E, V]) commit(slot int32) {
	v.numLive += int64(len(v.cells[slot].index) - v.liveUndo)
	clear(v.undo)
	v.undo = v.undo[:0]
	v.compact(&v.cells[slot])
}

// compact removes dead entries once they are more than half.
func (v *MapState[E, V]) compact(c *mapCell[E, V]) {
	if len(c.entries) < 16 || 2*len(c.index) >= len(c.entries) {
		return
	}
	c.entries = slices.DeleteFunc(c.entries, func(e mapEntry[E, V]) bool { return !e.isLive })
	for i := range c.entries {
		c.index[c.entries[i].key] = int32(i)
	}
}

func (v *MapState[E, V]) rollback(slot int32) {
	c := &v.cells[slot]
	for _, u := range slices.Backward(v.undo) {
		if int(u.at) < len(c.entries) && c.entries[u.at].isLive {
			delete(c.index, c.entries[u.at].key)
		}
		if u.entry.number < 0 {
			clear(c.entries[u.at:])
			c.entries = c.entries[:u.at]
			continue
		}
		c.entries[u.at] = u.entry
		if u.entry.isLive {
			c.index[u.entry.key] = u.at
		}
	}
	clear(v.undo)
	v.undo = v.undo[:0]
	c.gone = c.gone[:v.goneUndo]
}

func (v *MapState[E, V]) isEmpty(slot int32) bool { return len(v.cells[slot].index) == 0 }

func (v *MapState[E, V]) isKnown(slot int32) bool {
	return len(v.cells[slot].gone) > 0 // it is asked of an empty map
}

func (v *MapState[E, V]) release(slot int32) {
	v.cells[slot] = mapCell[E, V]{isQueued: v.cells[slot].isQueued}
}

func (v *MapState[E, V]) expire(slot int32, now batch.Time) (batch.Time, error) {
	c := &v.cells[slot]
	c.isQueued = false
	next := batch.MaxTime
	for i := range c.entries {
		e := &c.entries[i]
		switch {
		case !e.isLive:
		case e.expires <= now:
			v.removeFrom(c, e.key, int32(i))
			v.numLive--
			c.isDirty = true
			v.ks.markUnsaved(slot)
		default:
			next = min(next, e.expires)
		}
	}
	v.compact(c)
	c.isQueued = next < batch.MaxTime
	return next, nil
}

func (v *MapState[E, V]) fields() ([]arrow.Field, int, string) {
	fields := append(v.entries.Fields("entry"), v.values.Fields("value")...)
	fields = append(fields, arrow.Field{Name: "number", Type: batch.BigInt})
	return v.withExpires(fields), v.entries.Schema().NumFields(), "a map per key"
}

func (v *MapState[E, V]) save(s *stateSaver, table *operators.StateTable, slots []int32) error {
	var (
		gone, set         []int32
		goneKeys, entries []E
		values            []V
		extra             extraColumns
	)
	for _, slot := range slots {
		c := &v.cells[slot]
		if !s.full && !c.isDirty {
			continue
		}
		for _, key := range c.gone {
			if !s.full {
				gone, goneKeys = append(gone, slot), append(goneKeys, key)
			}
		}
		c.gone, c.isDirty = nil, false
		for i := range c.entries {
			e := &c.entries[i]
			if !e.isLive || e.isSaved && !s.full {
				continue
			}
			set, entries, values = append(set, slot), append(entries, e.key), append(values, e.value)
			extra.add(e.number, e.expires)
			e.isSaved, e.isKnown = true, true
		}
	}
	n, m := v.entries.Schema().NumFields(), v.values.Schema().NumFields()
	if err := s.put(table, gone, true, func(columns []*batch.Column) { v.entries.WriteColumns(columns[:n], goneKeys) }); err != nil {
		return err
	}
	return s.put(table, set, false, func(columns []*batch.Column) {
		v.entries.WriteColumns(columns[:n], entries)
		v.values.WriteColumns(columns[n:n+m], values)
		extra.write(columns[n+m:])
	})
}

func (v *MapState[E, V]) restore(slots []int32, rows batch.Batch, rest []arrow.Array) error {
	view := rows.Rows.Columns()
	n := v.entries.Schema().NumFields()
	entries, err := readAll(v.entries, viewOf(v.entries.Schema(), view[:n], rows.NumRows()))
	if err != nil {
		return err
	}
	values, err := readAll(v.values, viewOf(v.values.Schema(), view[n:], rows.NumRows()))
	if err != nil {
		return err
	}
	for i, slot := range slots {
		v.entries.Own(&entries[i])
		v.values.Own(&values[i])
		v.restored = append(v.restored, restoredEntry[E, V]{slot, mapEntry[E, V]{
			key: entries[i], value: values[i], number: batch.Int64s(rest[0])[i], expires: expiryOf(rest, i), isLive: true, isSaved: true, isKnown: true,
		}})
	}
	return nil
}

func (v *MapState[E, V]) settle() {
	slices.SortFunc(v.restored, func(a, b restoredEntry[E, V]) int {
		return cmp.Or(cmp.Compare(a.slot, b.slot), cmp.Compare(a.entry.number, b.entry.number))
	})
	for _, r := range v.restored {
		c := &v.cells[r.slot]
		if c.index == nil {
			c.index = make(map[E]int32)
		}
		c.index[r.entry.key] = int32(len(c.entries))
		c.entries = append(c.entries, r.entry)
		c.next = r.entry.number + 1
		if r.entry.expires < batch.MaxTime && !c.isQueued {
			c.isQueued = true
			v.queue(r.slot, r.entry.expires)
		}
	}
	v.numLive += int64(len(v.restored))
	v.restored = nil
}

func (v *MapState[E, V]) bytes() int64 {
	return v.numLive * (v.entries.ValueBytes() + v.values.ValueBytes())
}
