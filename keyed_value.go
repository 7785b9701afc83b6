package tidemill

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators"
)

// ValueState is one value per key. T is a type that is a row: see Stream.
type ValueState[T any] struct {
	varBase
	codec *record.Codec[T]
	cells []valueCell[T]

	before   valueCell[T] // the running call
	onExpire func(slot int32) error
}

type valueCell[T any] struct {
	value    T
	expires  batch.Time
	isSet    bool
	isDirty  bool // a snapshot has it otherwise
	isKnown  bool // a snapshot has it
	isQueued bool // expire will be called
}

// NewValueState declares a value per key. name is how a restart finds it.
func NewValueState[T any](ks *KeyedState, name string, ttl TTL) *ValueState[T] {
	codec, err := record.For[T]()
	v := &ValueState[T]{codec: codec}
	ks.declare(v, name, ttl, err)
	return v
}

// Get returns the value of the call's key, and whether there is one.
func (v *ValueState[T]) Get() (T, bool) {
	c := &v.cells[v.use()]
	if !c.isSet || v.isOver(c.expires) && v.onExpire == nil {
		var none T
		return none, false
	}
	if v.ttl.OnRead {
		c = v.change()
		v.prolong(c)
	}
	return c.value, true
}

// Set makes value that of the call's key.
func (v *ValueState[T]) Set(value T) {
	c := v.change()
	v.codec.Own(&value)
	c.value, c.isSet = value, true
	v.prolong(c)
}

// Clear removes the value of the call's key.
func (v *ValueState[T]) Clear() {
	if !v.cells[v.use()].isSet {
		return
	}
	c := v.change()
	var none T
	c.value, c.isSet, c.expires = none, false, batch.MaxTime
	v.ks.mayBeEmpty = true
}

func (v *ValueState[T]) change() *valueCell[T] {
	c := &v.cells[v.use()]
	if v.touch(v) {
		v.before = *c
	}
	c.isDirty = true
	return c
}

// prolong lets a value live from now on.
func (v *ValueState[T]) prolong(c *valueCell[T]) {
	c.expires = v.deadline()
	if c.expires < batch.MaxTime && !c.isQueued {
		c.isQueued = true
		v.queue(v.ks.slot, c.expires)
	}
}

func (v *ValueState[T]) grow() { v.cells = append(v.cells, valueCell[T]{}) }

func (v *ValueState[T]) commit(int32) { v.before = valueCell[T]{} }

func (v *ValueState[T]) rollback(slot int32) {
	v.before.isDirty, v.before.isQueued = true, v.cells[slot].isQueued
	v.cells[slot] = v.before
	v.before = valueCell[T]{}
}

func (v *ValueState[T]) isEmpty(slot int32) bool { return !v.cells[slot].isSet }

func (v *ValueState[T]) isKnown(slot int32) bool { return v.cells[slot].isKnown }

func (v *ValueState[T]) release(slot int32) {
	v.cells[slot] = valueCell[T]{isQueued: v.cells[slot].isQueued}
}

func (v *ValueState[T]) expire(slot int32, now batch.Time) (batch.Time, error) {
	c := &v.cells[slot]
	c.isQueued = false
	if !c.isSet {
		return batch.MaxTime, nil
	}
	if c.expires > now {
		c.isQueued = c.expires < batch.MaxTime
		return c.expires, nil
	}
	if v.onExpire != nil {
		if err := v.onExpire(slot); err != nil {
			return batch.MaxTime, err
		}
		c = &v.cells[slot]
	}
	var none T
	c.value, c.isSet, c.isDirty = none, false, true
	v.ks.markUnsaved(slot)
	return batch.MaxTime, nil
}

func (v *ValueState[T]) fields() ([]arrow.Field, int, string) {
	fields := append(v.codec.Fields("value"), arrow.Field{Name: "number", Type: batch.BigInt})
	return v.withExpires(fields), 0, "a value per key"
}

func (v *ValueState[T]) save(s *stateSaver, table *operators.StateTable, slots []int32) error {
	var (
		gone, set []int32
		values    []T
		extra     extraColumns
	)
	for _, slot := range slots {
		c := &v.cells[slot]
		if !s.full && !c.isDirty {
			continue
		}
		switch {
		case c.isSet:
			set, values = append(set, slot), append(values, c.value)
			extra.add(v.ks.slots[slot].born, c.expires)
		case c.isKnown && !s.full:
			gone = append(gone, slot)
		}
		c.isDirty, c.isKnown = false, c.isSet
	}
	if err := s.put(table, gone, true, func([]*batch.Column) {}); err != nil {
		return err
	}
	return s.put(table, set, false, func(columns []*batch.Column) {
		n := v.codec.Schema().NumFields()
		v.codec.WriteColumns(columns[:n], values)
		extra.write(columns[n:])
	})
}

func (v *ValueState[T]) restore(slots []int32, rows batch.Batch, rest []arrow.Array) error {
	values, err := readAll(v.codec, rows)
	if err != nil {
		return err
	}
	for i, slot := range slots {
		c := &v.cells[slot]
		v.codec.Own(&values[i])
		*c = valueCell[T]{value: values[i], isSet: true, isKnown: true, expires: expiryOf(rest, i)}
		v.ks.slots[slot].born = batch.Int64s(rest[0])[i]
		if c.expires < batch.MaxTime {
			c.isQueued = true
			v.queue(slot, c.expires)
		}
	}
	return nil
}

func (v *ValueState[T]) settle() {}

func (v *ValueState[T]) bytes() int64 {
	return int64(len(v.cells)) * int64(unsafe.Sizeof(valueCell[T]{}))
}
