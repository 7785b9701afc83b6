package tidemill

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// putRows is what Snapshot passes rows to.
type putRows func(table string, shard int, upserts, deletedKeys arrow.RecordBatch) error

// StateTables returns the values of the window and of its ticks.
func (w *runningWindow[K, V]) StateTables() []operators.StateTable { return w.tables }

// Snapshot saves what changed. A tick that changed is saved as a whole: only the running one does.
func (w *runningWindow[K, V]) Snapshot(_ context.Context, full bool, put func(string, int, arrow.RecordBatch, arrow.RecordBatch) error) error {
	if err := w.saveValues(full, put); err != nil {
		return err
	}
	return w.saveTicks(full, put)
}

func (w *runningWindow[K, V]) saveValues(full bool, put putRows) error {
	table := &w.tables[0]
	gone := batch.NewFrame(w.env.Mem, table.KeySchema())
	defer gone.Release()
	if !full {
		// A key may have come back since: it is deleted before it is saved again.
		w.keys.Write(gone, w.forgotten)
		if err := w.putByShard(table.Name, gone, true, put); err != nil {
			return err
		}
	}
	clear(w.forgotten)
	w.forgotten = w.forgotten[:0]
	var pairs []Pair[K, V]
	var rows []int64
	for i := range w.values {
		if v := &w.values[i]; full || !v.isSaved {
			pairs, rows = append(pairs, v.pair), append(rows, v.row)
			v.isSaved, v.isKnown = true, true
		}
	}
	f := batch.NewFrame(w.env.Mem, table.Schema)
	defer f.Release()
	w.codec.WriteColumns(f.Columns, pairs)
	setInts(f.Columns[len(f.Columns)-1], rows)
	f.SetRows(len(pairs))
	return w.putByShard(table.Name, f, false, put)
}

func (w *runningWindow[K, V]) saveTicks(full bool, put putRows) error {
	table := &w.tables[1]
	gone := batch.NewFrame(w.env.Mem, table.KeySchema())
	defer gone.Release()
	for _, t := range w.dropped {
		if full {
			break
		}
		var keys []K
		for _, p := range t.values.pairs {
			keys = append(keys, p.Key)
		}
		w.keys.WriteColumns(gone.Columns, keys)
		fillInts(gone.Columns[len(gone.Columns)-1], int64(t.at), len(keys))
		gone.SetRows(len(keys))
		if err := w.putByShard(table.Name, gone, true, put); err != nil {
			return err
		}
	}
	clear(w.dropped)
	w.dropped = w.dropped[:0]
	f := batch.NewFrame(w.env.Mem, table.Schema)
	defer f.Release()
	for _, t := range w.ticks {
		if t.isSaved && !full {
			continue
		}
		var pairs []Pair[K, V]
		var rows []int64
		for _, p := range t.values.pairs {
			pairs, rows = append(pairs, Pair[K, V]{p.Key, p.Value.value}), append(rows, p.Value.rows)
		}
		w.codec.WriteColumns(f.Columns, pairs)
		fillInts(f.Columns[len(f.Columns)-2], int64(t.at), len(pairs))
		setInts(f.Columns[len(f.Columns)-1], rows)
		f.SetRows(len(pairs))
		if err := w.putByShard(table.Name, f, false, put); err != nil {
			return err
		}
		t.isSaved, t.isKnown = true, true
	}
	return nil
}

func setInts(c *batch.Column, values []int64) {
	c.Reset(len(values))
	copy(c.Int64s(), values)
}

func fillInts(c *batch.Column, v int64, n int) {
	c.Reset(n)
	for i := range c.Int64s() {
		c.Int64s()[i] = v
	}
}

func (w *runningWindow[K, V]) putByShard(table string, f *batch.Frame, isDeleted bool, put putRows) error {
	return putByShard(w.env.Mem, table, w.keys.Schema().NumFields(), f, isDeleted, put)
}

// putByShard passes rows on, each to the shard of its first numKeys columns.
func putByShard(mem memory.Allocator, table string, numKeys int, f *batch.Frame, isDeleted bool, put putRows) error {
	if f.Len() == 0 {
		return nil
	}
	rows := f.Rows()
	var (
		byShard [operators.NumShards][]int32
		key     []byte
	)
	for i := range f.Len() {
		key = key[:0]
		for k := range numKeys {
			key = operators.AppendKey(key, rows.Column(k), i)
		}
		shard := operators.ShardOf(key)
		byShard[shard] = append(byShard[shard], int32(i))
	}
	of := batch.NewFrame(mem, f.Schema())
	defer of.Release()
	for shard, sel := range byShard {
		if len(sel) == 0 {
			continue
		}
		of.Reset(0)
		of.AppendBatch(batch.Batch{Rows: rows, Sel: sel})
		var upserts, deleted arrow.RecordBatch = of.Rows(), nil
		if isDeleted {
			upserts, deleted = nil, upserts
		}
		if err := put(table, shard, upserts, deleted); err != nil {
			return err
		}
	}
	return nil
}

// Restore takes rows of a Snapshot back.
func (w *runningWindow[K, V]) Restore(_ context.Context, table string, _ int, rows arrow.RecordBatch) error {
	at := 0
	if table == w.tables[1].Name {
		at = 1
	} else if table != w.tables[0].Name {
		return fmt.Errorf("restore %s: no table of that name: %q", w.name, table)
	}
	view := batch.NewView(w.codec.Schema())
	for i, f := range w.tables[at].Schema.Fields() {
		found := rows.Schema().FieldIndices(f.Name)
		if len(found) == 0 {
			return fmt.Errorf("restore %s: column missing: %q", table, f.Name)
		}
		if i < len(view.Columns()) {
			view.Set(i, rows.Column(found[0]))
		}
	}
	view.SetRows(int(rows.NumRows()))
	var err error
	pairs := w.codec.NewRows()
	pairs.Read(batch.Batch{Rows: view}, func(row int32, why string) {
		err = fmt.Errorf("restore %s: row %d: %s", table, row, why)
	})
	if err != nil {
		return err
	}
	ints := func(name string) []int64 { return batch.Int64s(rows.Column(rows.Schema().FieldIndices(name)[0])) }
	for i := range pairs.Values {
		w.codec.Own(&pairs.Values[i])
	}
	w.restored = true
	if at == 0 {
		numbers := ints("row")
		for i, p := range pairs.Values {
			w.values = append(w.values, windowValue[K, V]{pair: p, row: numbers[i], isSaved: true, isKnown: true})
		}
		return nil
	}
	ticks, counts := ints("tick"), ints("rows")
	for i, p := range pairs.Values {
		t := w.at(batch.Time(ticks[i]))
		t.isSaved, t.isKnown = true, true
		t.values.insert(p.Key, tickValue[V]{p.Value, counts[i]})
		t.rows += counts[i]
	}
	return nil
}

// Stats counts the rows of the ticks, and as groups the keys of the window and of the ticks. Bytes are those of pairs, without what
// they refer to: user types live on the heap of Go.
func (w *runningWindow[K, V]) Stats() operators.StateStats {
	s := operators.StateStats{Retired: w.retired, Groups: int64(len(w.values))}
	for i := range w.values {
		if !w.values[i].isSaved {
			s.Unsaved++
		}
	}
	for _, t := range w.ticks {
		s.Rows += t.rows
		s.Groups += int64(len(t.values.pairs))
		if !t.isSaved {
			s.Unsaved += int64(len(t.values.pairs))
		}
	}
	s.Bytes = s.Groups * w.codec.ValueBytes()
	return s
}
