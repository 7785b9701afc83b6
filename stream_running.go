package tidemill

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// runningReduce adds two steps: one in the chains, which puts the rows of each batch together, and the window, which is changed by
// what comes and goes.
func runningReduce[T any, K comparable, V any](
	rows Stream[T], combine combineSpec[T, K, V, Pair[K, V]], spec WindowReduce[K, V],
) Stream[Pair[K, V]] {
	c := rows.rows.c
	c.checkWindow(spec.Size, spec.Slide, rows.slide)
	s := Stream[Pair[K, V]]{slide: spec.Slide}
	s.rows, s.codec = combineBatches(rows, combine)
	kind := "reduceByKeyAndWindow"
	name := nameOf(kind, spec.Inverse)
	keys, err := record.For[K]()
	if err != nil {
		c.fault(err)
	}
	tick := c.cfg.Interval
	s.rows, s.state = c.addStep(c.stateName(kind), []DStream{s.rows}, func(in []*arrow.Schema) (operators.Spec, *arrow.Schema, error) {
		return &operators.CustomSpec{
			Text: fmt.Sprintf("%s, %s every %s", name, spec.Size, spec.Slide),
			Tables: func(name string) []operators.StateTable {
				return runningTables(name, s.codec.Schema(), keys.Schema().NumFields(), tick.String())
			},
			New: func(n *operators.Node, env operators.Env) (operators.Operator, error) {
				w := &runningWindow[K, V]{
					name: name, schema: n.Schema, spec: spec, codec: s.codec, keys: keys, env: env,
					tables: runningTables(n.Name, s.codec.Schema(), keys.Schema().NumFields(), tick.String()),
					size:   batch.Time(spec.Size.Microseconds()), slide: batch.Time(spec.Slide.Microseconds()), tick: batch.Time(tick.Microseconds()),
					upto: batch.MinTime, index: make(map[K]int32), in: s.codec.NewRows(), emitter: newEmitter(env, s.codec),
				}
				w.bad = func(row int32, why string) { env.Bad(&w.origin, row, why) }
				return w, nil
			},
		}, s.codec.Schema(), s.codec.Check(in[0])
	})
	return s
}

// runningTables describes the values of the window, and what came in each tick, under the names of the pairs' columns.
func runningTables(name string, pairs *arrow.Schema, numKeys int, tick string) []operators.StateTable {
	var keys []int
	for i := range numKeys {
		keys = append(keys, i)
	}
	values := append(pairs.Fields(), arrow.Field{Name: "row", Type: batch.BigInt})
	ticks := append(pairs.Fields(), arrow.Field{Name: "tick", Type: batch.Timestamp}, arrow.Field{Name: "rows", Type: batch.BigInt})
	return []operators.StateTable{
		{
			Name: name + "/values", Schema: arrow.NewSchema(values, nil), Keys: keys, Version: 1,
			Meaning: "values of a window over intervals of " + tick,
		},
		{
			Name: name + "/ticks", Schema: arrow.NewSchema(ticks, nil), Keys: append(slices.Clone(keys), pairs.NumFields()), Version: 1,
			Meaning: "values of intervals of " + tick,
		},
	}
}

// runningWindow keeps a value per key for the window that was emitted last, and what came in each tick of it. A slide costs what
// comes and what goes, and the rows that are emitted.
type runningWindow[K comparable, V any] struct {
	name              string
	schema            *arrow.Schema
	spec              WindowReduce[K, V]
	size, slide, tick batch.Time
	codec             *record.Codec[Pair[K, V]]
	keys              *record.Codec[K]
	env               operators.Env
	bad               expr.BadRow
	tables            []operators.StateTable

	// State: the window that ends at upto, in the order in which keys were first seen, and ticks, by time.
	upto    batch.Time
	values  []windowValue[K, V]
	index   map[K]int32 // of values
	nextRow int64
	ticks   []*tickValues[K, V]
	retired int64

	// What a snapshot has to delete.
	forgotten []K
	dropped   []*tickValues[K, V]

	restored bool
	interval batch.Interval
	running  *tickValues[K, V] // of the running interval, nil before its first row
	origin   batch.Origin      // of the batch that is being read
	in       *record.Rows[Pair[K, V]]
	emitter  emitter[Pair[K, V]]
}

// windowValue is what the window has of a key.
type windowValue[K comparable, V any] struct {
	pair    Pair[K, V]
	row     int64 // by which restored values are put in order
	isSaved bool  // a snapshot has it as it is
	isKnown bool  // a snapshot has its key
}

// tickValues are the values of one tick.
type tickValues[K comparable, V any] struct {
	at      batch.Time
	values  *groups[K, tickValue[V]]
	rows    int64
	isSaved bool // a snapshot has it as it is
	isKnown bool // a snapshot has keys of it
}

type tickValue[V any] struct {
	value V
	rows  int64
}

var _ operators.Stateful = (*runningWindow[int64, int64])(nil)

// Schema returns the schema of the pairs.
func (w *runningWindow[K, V]) Schema() *arrow.Schema { return w.schema }

// BeginInterval notes the interval. The first one tells where the windows are.
func (w *runningWindow[K, V]) BeginInterval(iv batch.Interval) error {
	if w.upto == batch.MinTime {
		w.upto = batch.Interval{Zero: iv.Zero, End: iv.Start}.Floor(w.slide)
	}
	if w.restored {
		w.restored = false
		slices.SortFunc(w.values, func(a, b windowValue[K, V]) int { return cmp.Compare(a.row, b.row) })
		w.reindex()
	}
	w.interval, w.running = iv, nil
	return nil
}

// reindex makes index fit values.
func (w *runningWindow[K, V]) reindex() {
	clear(w.index)
	for i := range w.values {
		w.index[w.values[i].pair.Key] = int32(i)
		w.nextRow = max(w.nextRow, w.values[i].row+1)
	}
}

// Process adds values to those of the tick.
func (w *runningWindow[K, V]) Process(_ context.Context, _ int, in batch.Batch, _ batch.Emit) (err error) {
	defer w.recover(&err)
	if w.running == nil {
		w.running = w.at(w.interval.Tick(w.tick))
	}
	t := w.running
	t.isSaved = false
	w.origin = in.Origin
	w.in.Read(in, w.bad)
	for i := range w.in.Values {
		p := &w.in.Values[i]
		t.rows++
		at, known := t.values.index[p.Key]
		if !known {
			w.codec.Own(p)
			t.values.insert(p.Key, tickValue[V]{p.Value, 1})
			continue
		}
		v := &t.values.pairs[at].Value
		v.value, v.rows = w.spec.Reduce(v.value, p.Value), v.rows+1
	}
	return nil
}

// at returns the values of a tick.
func (w *runningWindow[K, V]) at(t batch.Time) *tickValues[K, V] {
	i, found := slices.BinarySearchFunc(w.ticks, t, func(v *tickValues[K, V], t batch.Time) int { return cmp.Compare(v.at, t) })
	if !found {
		w.ticks = slices.Insert(w.ticks, i, &tickValues[K, V]{at: t, values: newGroups[K, tickValue[V]]()})
	}
	return w.ticks[i]
}

// EndInterval emits the window that ends now, if one does. No times are promised: rows have none.
func (w *runningWindow[K, V]) EndInterval(_ context.Context, in []batch.Time, emit batch.Emit) (batch.Time, error) {
	end, isDue := w.interval.Due(w.slide)
	isLast := in[0] == batch.MaxTime
	if isLast {
		end, isDue = w.interval.Tick(w.slide), true
	}
	out := batch.MinTime
	if isLast {
		out = batch.MaxTime
	}
	if !isDue {
		return out, nil
	}
	if err := w.moveTo(end); err != nil {
		return out, err
	}
	rows := w.emitter.rows()
	if isLast {
		w.forgetAll()
	}
	if rows.Len() == 0 {
		return out, nil
	}
	return out, emit(batch.Batch{Rows: rows.Rows(), Origin: batch.Origin{Split: -1, Watermark: batch.MinTime}})
}

// moveTo makes the window that which ends at end, and puts it out.
func (w *runningWindow[K, V]) moveTo(end batch.Time) (err error) {
	defer w.recover(&err)
	start := end - w.size
	for _, t := range w.ticks { // what goes, before what comes
		if t.at <= start && t.at <= w.upto {
			w.takeOut(t)
		}
	}
	for _, t := range w.ticks {
		if t.at > max(start, w.upto) && t.at <= end {
			w.putIn(t)
		}
	}
	w.ticks = slices.DeleteFunc(w.ticks, func(t *tickValues[K, V]) bool {
		if t.at > start {
			return false
		}
		w.drop(t)
		return true
	})
	w.upto = end
	kept := len(w.values)
	if w.spec.Keep != nil {
		w.values = slices.DeleteFunc(w.values, func(v windowValue[K, V]) bool {
			if w.spec.Keep(v.pair.Key, v.pair.Value) {
				return false
			}
			w.forget(&v)
			return true
		})
	}
	if len(w.values) < kept {
		w.reindex()
	}
	for i := range w.values {
		w.emitter.emit(w.values[i].pair)
	}
	return nil
}

// takeOut takes the values of a tick out of the window. A key that Keep has removed has nothing to be taken from.
func (w *runningWindow[K, V]) takeOut(t *tickValues[K, V]) {
	for _, p := range t.values.pairs {
		if at, known := w.index[p.Key]; known {
			v := &w.values[at]
			v.pair.Value, v.isSaved = w.spec.Inverse(v.pair.Value, p.Value.value), false
		}
	}
}

func (w *runningWindow[K, V]) putIn(t *tickValues[K, V]) {
	for _, p := range t.values.pairs {
		at, known := w.index[p.Key]
		if !known {
			w.index[p.Key] = int32(len(w.values))
			w.values = append(w.values, windowValue[K, V]{pair: Pair[K, V]{p.Key, p.Value.value}, row: w.nextRow})
			w.nextRow++
			continue
		}
		v := &w.values[at]
		v.pair.Value, v.isSaved = w.spec.Reduce(v.pair.Value, p.Value.value), false
	}
}

func (w *runningWindow[K, V]) forget(v *windowValue[K, V]) {
	if v.isKnown {
		w.forgotten = append(w.forgotten, v.pair.Key)
	}
}

func (w *runningWindow[K, V]) drop(t *tickValues[K, V]) {
	w.retired += t.rows
	if t.isKnown {
		w.dropped = append(w.dropped, t)
	}
}

// forgetAll empties the state at the end of all input.
func (w *runningWindow[K, V]) forgetAll() {
	for i := range w.values {
		w.forget(&w.values[i])
	}
	for _, t := range w.ticks {
		w.drop(t)
	}
	w.values, w.ticks = w.values[:0], w.ticks[:0]
	w.reindex()
}

// recover makes an error of a panic in a function.
func (w *runningWindow[K, V]) recover(err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("%s panics: %v", w.name, cause)
	}
}

// Close releases all memory.
func (w *runningWindow[K, V]) Close() { w.emitter.close() }
