package tidemill

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators"
)

// The tables that belong to no variable.
const (
	timersName = "timers"
	rowsName   = "rows"
)

// keyedTables describes the tables of variables and of timers, in an operator of that name.
func keyedTables(name string, ks *KeyedState, keys []arrow.Field) []operators.StateTable {
	table := func(of string, fields []arrow.Field, numKeys int, what string) operators.StateTable {
		t := operators.StateTable{
			Name: name + "/" + of, Schema: arrow.NewSchema(slices.Concat(keys, fields), nil), Version: 1, Meaning: operators.MeaningOfCode(what),
		}
		for i := range len(keys) + numKeys {
			t.Keys = append(t.Keys, i)
		}
		return t
	}
	var tables []operators.StateTable
	for _, v := range ks.vars {
		fields, numKeys, what := v.fields()
		tables = append(tables, table(v.base().name, fields, numKeys, what))
	}
	return append(tables, table(timersName, []arrow.Field{
		{Name: "event", Type: batch.Boolean}, {Name: "at", Type: batch.Timestamp}, {Name: "number", Type: batch.BigInt},
	}, 2, "timers per key"))
}

// withExpires adds the column that says until when a row lives, NULL for ever.
func (b *varBase) withExpires(fields []arrow.Field) []arrow.Field {
	if b.ttl.After == 0 {
		return fields
	}
	return append(fields, arrow.Field{Name: "expires", Type: batch.Timestamp, Nullable: true})
}

// extraColumns are the last columns of variables.
type extraColumns struct{ numbers, expires []int64 }

func (e *extraColumns) add(number int64, expires batch.Time) {
	e.numbers, e.expires = append(e.numbers, number), append(e.expires, int64(expires))
}

func (e *extraColumns) write(columns []*batch.Column) {
	setInts(columns[0], e.numbers)
	e.writeExpires(columns[1:])
}

func (e *extraColumns) writeExpires(columns []*batch.Column) {
	if len(columns) == 0 {
		return
	}
	setInts(columns[0], e.expires)
	for i, at := range e.expires {
		if batch.Time(at) == batch.MaxTime {
			columns[0].SetNull(i)
		}
	}
}

// expiryOf returns until when row i lives, of the columns that restore gets: number and, if there is one, expires.
func expiryOf(rest []arrow.Array, i int) batch.Time {
	if len(rest) < 2 || rest[1].IsNull(i) {
		return batch.MaxTime
	}
	return batch.Time(batch.Int64s(rest[1])[i])
}

// stateSaver passes rows of state on to a checkpoint.
type stateSaver struct {
	mem  memory.Allocator
	full bool
	// keys is the number of columns that a key has; writeKeys fills them for slots.
	keys      int
	writeKeys func(columns []*batch.Column, slots []int32)
	to        putRows
}

// put passes rows on, one for each of slots: fill makes the columns behind those of the key, in the table or, for deleted rows, in its
// keys.
func (s *stateSaver) put(table *operators.StateTable, slots []int32, isDeleted bool, fill func(columns []*batch.Column)) error {
	if len(slots) == 0 {
		return nil
	}
	schema := table.Schema
	if isDeleted {
		schema = table.KeySchema()
	}
	f := batch.NewFrame(s.mem, schema)
	defer f.Release()
	s.writeKeys(f.Columns[:s.keys], slots)
	fill(f.Columns[s.keys:])
	f.SetRows(len(slots))
	return putByShard(s.mem, table.Name, s.keys, f, isDeleted, s.to)
}

// save passes what changed since the last time on, and gives back slots that have waited for it.
func (s *keyedStore[K]) save(ctx context.Context, mem memory.Allocator, full bool, put putRows) error {
	s.settle()
	keys := make([]K, 0, len(s.unsaved))
	saver := &stateSaver{mem: mem, full: full, keys: s.keys.Schema().NumFields(), to: put, writeKeys: func(columns []*batch.Column, slots []int32) {
		keys = keys[:0]
		for _, slot := range slots {
			keys = append(keys, s.of[slot])
		}
		s.keys.WriteColumns(columns, keys)
	}}
	slots := s.unsaved
	if full {
		slots = nil
		for slot := range s.slots {
			if s.slots[slot].isLive {
				slots = append(slots, int32(slot))
			}
		}
	}
	for i, v := range s.vars {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := v.save(saver, &s.tables[i], slots); err != nil {
			return err
		}
	}
	if err := s.saveTimers(saver, slots); err != nil {
		return err
	}
	for _, slot := range s.unsaved {
		s.slots[slot].isUnsaved = false
		s.slots[slot].hasGoneTimers = false
		s.releaseIfEmpty(slot)
	}
	s.unsaved = s.unsaved[:0]
	return nil
}

func (s *keyedStore[K]) saveTimers(saver *stateSaver, slots []int32) error {
	table := &s.tables[len(s.vars)]
	var gone, set []int32
	var timers []timer
	if !saver.full {
		for _, t := range s.goneTimers {
			gone, timers = append(gone, t.slot), append(timers, timer{kind: t.kind, at: t.at})
		}
	}
	s.goneTimers = s.goneTimers[:0]
	fill := func(columns []*batch.Column) {
		for i := range columns {
			columns[i].Reset(len(timers))
		}
		for i, t := range timers {
			columns[0].SetBool(i, t.kind == EventTime)
			columns[1].Int64s()[i] = int64(t.at)
			if len(columns) > 2 {
				columns[2].Int64s()[i] = t.number
			}
		}
	}
	if err := saver.put(table, gone, true, fill); err != nil {
		return err
	}
	timers = timers[:0]
	for _, slot := range slots {
		of := s.slots[slot].timers
		for i := range of {
			if saver.full || !of[i].isKnown {
				set, timers = append(set, slot), append(timers, of[i])
				of[i].isKnown = true
			}
		}
	}
	return saver.put(table, set, false, fill)
}

// restore takes rows of a table back, and says whether that is one of the store's.
func (s *keyedStore[K]) restore(table string, rows arrow.RecordBatch) (bool, error) {
	at := slices.IndexFunc(s.tables, func(t operators.StateTable) bool { return t.Name == table })
	if at < 0 {
		return false, nil
	}
	columns := make([]arrow.Array, s.tables[at].Schema.NumFields())
	var rest []arrow.Array
	for i, f := range s.tables[at].Schema.Fields() {
		found := rows.Schema().FieldIndices(f.Name)
		if len(found) == 0 {
			return true, fmt.Errorf("restore %s: column missing: %q", table, f.Name)
		}
		columns[i] = rows.Column(found[0])
		if f.Name == "number" || f.Name == "expires" {
			rest = append(rest, columns[i])
		}
	}
	n, numKeys := int(rows.NumRows()), s.keys.Schema().NumFields()
	keys, err := readAll(s.keys, viewOf(s.keys.Schema(), columns, n))
	if err != nil {
		return true, fmt.Errorf("restore %s: %w", table, err)
	}
	s.isRestored = true
	slots := make([]int32, n)
	for i, key := range keys {
		slots[i] = s.at(key)
	}
	s.mayBeEmpty = false
	if at == len(s.vars) {
		s.restoreTimers(slots, columns[numKeys:])
		return true, nil
	}
	var values []arrow.Field
	var arrays []arrow.Array
	for i, f := range s.tables[at].Schema.Fields()[numKeys:] {
		if f.Name != "number" && f.Name != "expires" {
			values, arrays = append(values, f), append(arrays, columns[numKeys+i])
		}
	}
	if err := s.vars[at].restore(slots, viewOf(arrow.NewSchema(values, nil), arrays, n), rest); err != nil {
		return true, fmt.Errorf("restore %s: %w", table, err)
	}
	return true, nil
}

func (s *keyedStore[K]) restoreTimers(slots []int32, columns []arrow.Array) {
	isEvent, at, numbers := columns[0].(*array.Boolean), batch.Int64s(columns[1]), batch.Int64s(columns[2])
	for i, slot := range slots {
		t := timer{at: batch.Time(at[i]), number: numbers[i], isKnown: true}
		if isEvent.Value(i) {
			t.kind = EventTime
		}
		st := &s.slots[slot]
		k, _ := findTimer(st.timers, t.kind, t.at)
		st.timers = slices.Insert(st.timers, k, t)
		s.timers[t.kind].push(due{at: at[i], number: t.number, slot: slot})
		s.numTimers[t.kind]++
		s.nextTimer = max(s.nextTimer, t.number+1)
	}
}

// viewOf returns a batch of the first columns, as many as the schema has.
func viewOf(schema *arrow.Schema, columns []arrow.Array, n int) batch.Batch {
	view := batch.NewView(schema)
	for i := range schema.NumFields() {
		view.Set(i, columns[i])
	}
	view.SetRows(n)
	return batch.Batch{Rows: view}
}

// readAll returns all rows as values.
func readAll[T any](codec *record.Codec[T], in batch.Batch) ([]T, error) {
	var err error
	rows := codec.NewRows()
	rows.Read(in, func(row int32, why string) { err = fmt.Errorf("row %d: %s", row, why) })
	return rows.Values, err
}
