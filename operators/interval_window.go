package operators

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// IntervalWindow passes the rows of the last intervals on, again and again: every Slide the rows of the ticks in (t-Size, t], as
// DStreams of Spark do, whatever times the rows themselves have. Ticks are multiples of Tick, and t of Slide, since the start of
// the job's first interval. An interval that covers several ticks has the time of its last one; one that ends early has the time
// of the next. When its input ends, the window whose end comes next is emitted as it is.
type IntervalWindow struct {
	// Size and Slide are multiples of Tick, the length of an interval.
	Size, Slide, Tick time.Duration
}

// Spec returns the spec of a node that does this to rows of a schema, which must not mark times: old rows come again.
func (w IntervalWindow) Spec(schema *arrow.Schema) *CustomSpec {
	return &CustomSpec{
		Text:   fmt.Sprintf("window of intervals %s every %s", durationText(w.Size), durationText(w.Slide)),
		New:    func(n *Node, env Env) (Operator, error) { return newIntervalWindow(n, w, env) },
		Tables: func(name string) []StateTable { return []StateTable{intervalRowsTable(name, schema, w.Tick)} },
	}
}

// intervalRowsTable describes rows that are kept by tick, under the names in.*. row counts them within a tick.
func intervalRowsTable(name string, schema *arrow.Schema, tick time.Duration) StateTable {
	fields := []arrow.Field{{Name: "tick", Type: batch.Timestamp}, {Name: "row", Type: batch.BigInt}}
	for _, f := range schema.Fields() {
		fields = append(fields, arrow.Field{Name: "in." + f.Name, Type: f.Type, Nullable: true})
	}
	return StateTable{
		Name: name + "/rows", Schema: arrow.NewSchema(fields, nil), Keys: []int{0, 1}, Version: 1,
		Meaning: "rows of intervals of " + durationText(tick),
	}
}

// intervalWindow keeps the rows of the last ticks. Emitting a window costs what its rows cost; nothing is copied but once, when
// rows come in.
type intervalWindow struct {
	schema            *arrow.Schema
	size, slide, tick batch.Time
	table             StateTable
	mem               meter

	interval batch.Interval
	running  *tickRows   // of the running interval, nil before its first row
	ticks    []*tickRows // by time
	spare    []*tickRows
	retired  int64

	// dropped are ticks whose rows are gone, but not from the checkpoint.
	dropped  []droppedTick
	restored bool // rows may be out of order
}

// tickRows are the rows of one tick.
type tickRows struct {
	at    batch.Time
	frame *batch.Frame
	saved int     // of the rows, those that a snapshot has
	order []int64 // after Restore: numbers of the rows
}

type droppedTick struct {
	at    batch.Time
	saved int
}

var _ Stateful = (*intervalWindow)(nil)

func newIntervalWindow(n *Node, w IntervalWindow, env Env) (Operator, error) {
	if w.Tick <= 0 || w.Size <= 0 || w.Slide <= 0 || w.Size%w.Tick != 0 || w.Slide%w.Tick != 0 {
		return nil, fmt.Errorf("size and slide must be multiples of the interval: size %s, slide %s, interval %s", w.Size, w.Slide, w.Tick)
	}
	o := &intervalWindow{
		schema: n.Schema, table: intervalRowsTable(n.Name, n.Schema, w.Tick),
		size: batch.Time(w.Size.Microseconds()), slide: batch.Time(w.Slide.Microseconds()), tick: batch.Time(w.Tick.Microseconds()),
	}
	o.mem.Allocator = env.Mem
	return o, nil
}

// Schema returns the schema of the input.
func (w *intervalWindow) Schema() *arrow.Schema { return w.schema }

// BeginInterval notes the interval.
func (w *intervalWindow) BeginInterval(iv batch.Interval) error {
	if w.restored {
		w.restored = false
		w.putInOrder()
	}
	w.interval, w.running = iv, nil
	return nil
}

// Process keeps the rows.
func (w *intervalWindow) Process(_ context.Context, _ int, in batch.Batch, _ batch.Emit) error {
	if w.running == nil {
		w.running = w.at(w.interval.Tick(w.tick))
	}
	w.running.frame.AppendBatch(in)
	return nil
}

// at returns the rows of a tick.
func (w *intervalWindow) at(t batch.Time) *tickRows {
	i, found := slices.BinarySearchFunc(w.ticks, t, func(r *tickRows, t batch.Time) int { return cmp.Compare(r.at, t) })
	if found {
		return w.ticks[i]
	}
	var r *tickRows
	if n := len(w.spare); n > 0 {
		r, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		r = &tickRows{frame: batch.NewFrame(&w.mem, w.schema)}
	}
	r.at = t
	w.ticks = slices.Insert(w.ticks, i, r)
	return r
}

// EndInterval emits the window that ends now, if one does, and drops what no later window has. Its promise is none as long as old
// rows come again.
func (w *intervalWindow) EndInterval(_ context.Context, in []batch.Time, emit batch.Emit) (batch.Time, error) {
	end, isDue := w.interval.Due(w.slide)
	isLast := minTime(in) == batch.MaxTime
	if isLast {
		end, isDue = w.interval.Tick(w.slide), true
	}
	if isDue {
		for i, r := range w.ticks {
			if r.at <= end-w.size || r.at > end || r.frame.Len() == 0 {
				continue
			}
			origin := batch.Origin{Split: -1, Block: uint64(i), Watermark: batch.MinTime}
			if err := emit(batch.Batch{Rows: r.frame.Rows(), Origin: origin}); err != nil {
				return batch.MinTime, err
			}
		}
	}
	w.ticks = slices.DeleteFunc(w.ticks, func(r *tickRows) bool {
		// The first window that is not emitted yet and may have the rows ends at next.
		next := max(w.endOf(r.at), end+w.slide)
		if !isLast && next-w.size < r.at {
			return false
		}
		w.drop(r)
		return true
	})
	if isLast {
		return batch.MaxTime, nil
	}
	return batch.MinTime, nil
}

// endOf returns the first end of a window that is not before t.
func (w *intervalWindow) endOf(t batch.Time) batch.Time {
	return batch.Interval{Zero: w.interval.Zero, End: t}.Tick(w.slide)
}

// drop forgets the rows of a tick.
func (w *intervalWindow) drop(r *tickRows) {
	w.retired += int64(r.frame.Len())
	if r.saved > 0 {
		w.dropped = append(w.dropped, droppedTick{r.at, r.saved})
	}
	r.frame.Reset(0)
	r.saved, r.order = 0, nil
	w.spare = append(w.spare, r)
}

// StateTables returns the one table.
func (w *intervalWindow) StateTables() []StateTable { return []StateTable{w.table} }

// Snapshot saves rows that came since the last one, and the keys of those that went.
func (w *intervalWindow) Snapshot(_ context.Context, full bool, put func(string, int, arrow.RecordBatch, arrow.RecordBatch) error) error {
	if !full {
		if err := w.saveDropped(put); err != nil {
			return err
		}
	}
	w.dropped = w.dropped[:0]
	view := batch.NewView(w.table.Schema)
	keys := batch.NewFrame(&w.mem, w.table.KeySchema())
	defer keys.Release()
	for _, r := range w.ticks {
		from := r.saved
		if full {
			from = 0
		}
		if n := r.frame.Len(); n > from {
			fillTickKeys(keys, r.at, from, n)
			for i, c := range keys.Rows().Columns() {
				view.Set(i, c)
			}
			fresh := r.frame.Slice(from, n)
			for i, c := range fresh.Columns() {
				view.Set(2+i, c)
			}
			view.SetRows(n - from)
			err := put(w.table.Name, tickShard(r.at), view, nil)
			for _, c := range fresh.Columns() {
				c.Release()
			}
			if err != nil {
				return err
			}
			r.saved = n
		}
	}
	return nil
}

func (w *intervalWindow) saveDropped(put func(string, int, arrow.RecordBatch, arrow.RecordBatch) error) error {
	keys := batch.NewFrame(&w.mem, w.table.KeySchema())
	defer keys.Release()
	for _, d := range w.dropped {
		fillTickKeys(keys, d.at, 0, d.saved)
		if err := put(w.table.Name, tickShard(d.at), nil, keys.Rows()); err != nil {
			return err
		}
	}
	return nil
}

// fillTickKeys makes f the keys of the rows from to to-1 of a tick.
func fillTickKeys(f *batch.Frame, at batch.Time, from, to int) {
	f.Reset(to - from)
	ticks, rows := f.Columns[0].Int64s(), f.Columns[1].Int64s()
	for i := range ticks {
		ticks[i], rows[i] = int64(at), int64(from+i)
	}
}

// tickShard returns the shard of all rows of a tick.
func tickShard(at batch.Time) int { return ShardOf(appendWord(nil, timeTag, uint64(at))) }

// Restore takes rows of a Snapshot back.
func (w *intervalWindow) Restore(_ context.Context, table string, _ int, rows arrow.RecordBatch) error {
	if table != w.table.Name {
		return fmt.Errorf("restore %s: no table of that name: %q", w.table.Name, table)
	}
	cols, err := columnsByName(w.table.Schema, rows)
	if err != nil {
		return fmt.Errorf("restore %s: %w", table, err)
	}
	ticks, numbers := batch.Int64s(cols[0]), batch.Int64s(cols[1])
	for i := range int(rows.NumRows()) {
		r := w.at(batch.Time(ticks[i]))
		for k, c := range r.frame.Columns {
			c.AppendRow(cols[2+k], i)
		}
		r.frame.SetRows(r.frame.Len() + 1)
		r.order = append(r.order, numbers[i])
		r.saved++
	}
	w.restored = true
	return nil
}

// putInOrder orders restored rows by their numbers, once.
func (w *intervalWindow) putInOrder() {
	for _, r := range w.ticks {
		if !slices.IsSorted(r.order) {
			r.sort(&w.mem, w.schema)
		}
		r.order = nil
	}
}

func (r *tickRows) sort(mem memory.Allocator, schema *arrow.Schema) {
	rows := make([]int, len(r.order))
	for i := range rows {
		rows[i] = i
	}
	slices.SortFunc(rows, func(a, b int) int { return cmp.Compare(r.order[a], r.order[b]) })
	sorted := batch.NewFrame(mem, schema)
	from := r.frame.Rows()
	for _, i := range rows {
		for k, c := range sorted.Columns {
			c.AppendRow(from.Column(k), i)
		}
	}
	sorted.SetRows(len(rows))
	r.frame.Release()
	r.frame = sorted
}

// Stats counts rows; a group is one of them.
func (w *intervalWindow) Stats() StateStats {
	s := StateStats{Retired: w.retired, Bytes: w.mem.used.Load()}
	for _, r := range w.ticks {
		s.Rows += int64(r.frame.Len())
		s.Unsaved += int64(r.frame.Len() - r.saved)
	}
	s.Groups = s.Rows
	return s
}

// Close releases all memory.
func (w *intervalWindow) Close() {
	for _, r := range append(w.ticks, w.spare...) {
		r.frame.Release()
	}
	w.ticks, w.spare = nil, nil
}
