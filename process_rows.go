package tidemill

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators"
)

// waitingRows are rows that the watermark has not passed, in order of time, then of split, then as they came.
type waitingRows[K comparable, In any] struct {
	codec *record.Codec[In]
	table *operators.StateTable

	heap       dueHeap // slot is the index of rows
	rows       []waitingRow[K, In]
	free       []int32
	nextNumber int64   // number of the next row
	gone       []int64 // numbers that a snapshot has to delete
}

type waitingRow[K comparable, In any] struct {
	key     K
	row     In
	isKnown bool // a snapshot has it
}

func (w *waitingRows[K, In]) len() int64 { return int64(len(w.heap)) }

// add keeps a row. Its texts stay in the memory of the batch's: most rows of that wait together.
func (w *waitingRows[K, In]) add(at batch.Time, split uint64, key K, row In) {
	w.insert(due{at: int64(at), order: split, number: w.nextNumber}, waitingRow[K, In]{key: key, row: row})
	w.nextNumber++
}

func (w *waitingRows[K, In]) insert(d due, row waitingRow[K, In]) {
	if n := len(w.free); n > 0 {
		d.slot = w.free[n-1]
		w.free = w.free[:n-1]
		w.rows[d.slot] = row
	} else {
		d.slot = int32(len(w.rows))
		w.rows = append(w.rows, row)
	}
	w.heap.push(d)
}

// next returns the time of the first row, and whether there is one.
func (w *waitingRows[K, In]) next() (batch.Time, bool) {
	if len(w.heap) == 0 {
		return 0, false
	}
	return batch.Time(w.heap[0].at), true
}

// pop removes the first row.
func (w *waitingRows[K, In]) pop() (batch.Time, K, In) {
	d := w.heap.pop()
	r := w.rows[d.slot]
	w.rows[d.slot] = waitingRow[K, In]{}
	w.free = append(w.free, d.slot)
	if r.isKnown {
		w.gone = append(w.gone, d.number)
	}
	return batch.Time(d.at), r.key, r.row
}

// save passes rows on that came, and numbers of rows that went, since the last time.
func (w *waitingRows[K, In]) save(mem memory.Allocator, full bool, put putRows) error {
	if !full {
		f := batch.NewFrame(mem, w.table.KeySchema())
		defer f.Release()
		setInts(f.Columns[0], w.gone)
		f.SetRows(len(w.gone))
		if err := putByShard(mem, w.table.Name, 1, f, true, put); err != nil {
			return err
		}
	}
	w.gone = w.gone[:0]
	var numbers, times, splits []int64
	var rows []In
	for _, d := range w.heap {
		r := &w.rows[d.slot]
		if r.isKnown && !full {
			continue
		}
		r.isKnown = true
		numbers, times, splits = append(numbers, d.number), append(times, d.at), append(splits, int64(d.order))
		rows = append(rows, r.row)
	}
	f := batch.NewFrame(mem, w.table.Schema)
	defer f.Release()
	for i, values := range [][]int64{numbers, times, splits} {
		setInts(f.Columns[i], values)
	}
	w.codec.WriteColumns(f.Columns[3:], rows)
	f.SetRows(len(rows))
	return putByShard(mem, w.table.Name, 1, f, false, put)
}

// restore takes rows back, and asks for their keys again.
func (w *waitingRows[K, In]) restore(rows arrow.RecordBatch, keyOf func(In) K) (err error) {
	columns := make([]arrow.Array, w.table.Schema.NumFields())
	for i, f := range w.table.Schema.Fields() {
		found := rows.Schema().FieldIndices(f.Name)
		if len(found) == 0 {
			return fmt.Errorf("restore %s: column missing: %q", w.table.Name, f.Name)
		}
		columns[i] = rows.Column(found[0])
	}
	values, err := readAll(w.codec, viewOf(w.codec.Schema(), columns[3:], int(rows.NumRows())))
	if err != nil {
		return fmt.Errorf("restore %s: %w", w.table.Name, err)
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("restore %s: Key panics: %v", w.table.Name, cause)
		}
	}()
	numbers, times, splits := batch.Int64s(columns[0]), batch.Int64s(columns[1]), batch.Int64s(columns[2])
	for i, row := range values {
		d := due{at: times[i], order: uint64(splits[i]), number: numbers[i]}
		w.insert(d, waitingRow[K, In]{key: keyOf(row), row: row, isKnown: true})
		w.nextNumber = max(w.nextNumber, d.number+1)
	}
	return nil
}
