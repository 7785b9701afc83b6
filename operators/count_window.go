package operators

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// countWindows groups rows by keys and, in the order of their coming, by their number in the group. The rows of a group are kept
// in panes of as many rows as divide both the size and the slide of the windows, and a window is merged of its panes when it is
// full. It comes out at once; what is not full comes out at the end.
//
// Windows of 4 rows, one every 6: panes of 2, and rows 4 and 5 are in no window. The last pane of a group stays, so that the
// number of its next row is known: state grows with the number of groups, as without a window.
type countWindows struct {
	schema   *arrow.Schema
	name     string
	tables   []StateTable
	rows     int64 // of a window
	slide    int64
	paneRows int64

	// State. The end of a span is the number of its last row so far, one before its start if it has none.
	mem     *meter
	spans   *spans
	retired int64

	// Scratch of a batch, and of what it makes full.
	in     rowInput
	groups []int32
	full   []fullWindow
	from   []int32 // panes, with the window in merged that each is part of
	into   []int32
	merged *pane
	out    spanEmitter
	saver  saver
}

// fullWindow is a window that comes out, from row start to the one before end.
type fullWindow struct {
	key        int32
	start, end int64
}

var (
	_ Operator = (*countWindows)(nil)
	_ Stateful = (*countWindows)(nil)
)

// NewCountWindows returns the operator for a spec whose window is of the kind CountWindow. Its state is kept under name; schema is
// what it emits.
func NewCountWindows(name string, spec *AggregateSpec, schema *arrow.Schema, env Env) (Operator, error) {
	if err := validateAggregate(name, spec); err != nil {
		return nil, err
	}
	if n := 2 + len(spec.Keys) + len(spec.Aggs); schema.NumFields() != n {
		return nil, fmt.Errorf("%s: %d columns, schema has %d", name, n, schema.NumFields())
	}
	w := spec.Window
	c := &countWindows{
		schema: schema, name: name, tables: aggregateTables(name, spec), rows: w.Rows, slide: w.RowSlide,
		paneRows: greatestDivisor(w.Rows, w.RowSlide), mem: &meter{Allocator: env.Mem},
	}
	if c.in.init(spec, env); c.in.err != nil {
		c.in.close()
		return nil, fmt.Errorf("%s: %w", name, c.in.err)
	}
	types := keyTypes(spec.Keys)
	c.spans = newSpans(c.mem, types, spec.Aggs, denseRoom)
	c.merged = newPane(env.Mem, nil, spec.Aggs, denseRoom)
	c.out.init(schema, env)
	return c, nil
}

// Schema is the schema of every batch that it emits.
func (c *countWindows) Schema() *arrow.Schema { return c.schema }

// BeginInterval notes the interval.
func (c *countWindows) BeginInterval(iv batch.Interval) error {
	c.out.begin(iv)
	return nil
}

// Process numbers the rows of in, and emits the windows that they make full.
func (c *countWindows) Process(ctx context.Context, _ int, in batch.Batch, emit batch.Emit) error {
	if err := c.in.eval(ctx, &in); err != nil {
		return err
	}
	n := len(c.in.rows)
	if n == 0 {
		return nil
	}
	c.groups = batch.GrowSlice(c.mem, c.groups, n)
	c.spans.lookup(c.in.keyArrs, c.in.rows, c.groups)
	for k, key := range c.groups {
		c.groups[k] = c.count(key)
	}
	c.spans.settle(nil)
	c.spans.pane.add(c.in.argArrs, c.in.rows, c.groups)
	c.spans.total += int64(n)
	return c.emitFull(emit)
}

// count gives the next row of a key a number, and returns the span that it is in.
func (c *countWindows) count(key int32) int32 {
	s := c.spans
	at, next := s.finger[key], int64(0)
	if at >= 0 {
		for s.after[at] >= 0 {
			at = s.after[at]
		}
		next = s.ends[at] + 1
	}
	if at < 0 || next-s.starts[at] == c.paneRows {
		at = s.add(key, next, next-1, at, -1)
	}
	s.ends[at] = next
	s.touch(at)
	next++
	if next >= c.rows && (next-c.rows)%c.slide == 0 {
		c.full = append(c.full, fullWindow{key, next - c.rows, next})
	}
	return at
}

// emitFull emits the windows that are full, in the order in which they became so, and forgets the panes that no other one needs.
func (c *countWindows) emitFull(emit batch.Emit) error {
	if len(c.full) == 0 {
		return nil
	}
	s := c.spans
	c.merged.reset()
	c.merged.growTo(len(c.full))
	c.from, c.into = c.from[:0], c.into[:0]
	for i, w := range c.full {
		for at := s.first(w.key); at >= 0 && s.starts[at] < w.end; at = s.after[at] {
			if s.starts[at] >= w.start {
				c.from, c.into = append(c.from, at), append(c.into, int32(i))
			}
		}
		// Panes before the next window are of no use, but for the last one of the key.
		for at := s.first(w.key); s.starts[at]+c.paneRows <= w.start+c.slide && s.ends[at]+1 == s.starts[at]+c.paneRows; at = s.first(w.key) {
			if s.after[at] < 0 {
				s.add(w.key, s.ends[at]+1, s.ends[at], at, -1)
			}
			c.retired += s.end(at)
		}
	}
	s.settle(nil)
	c.merged.merge(s.pane, c.from, c.into)
	c.out.addWindows(s.pane.table, c.merged, c.full)
	c.full = c.full[:0]
	return c.out.flush(emit)
}

// EndInterval emits, at the end, the windows that have begun.
func (c *countWindows) EndInterval(_ context.Context, in []batch.Time, emit batch.Emit) (batch.Time, error) {
	if minTime(in) != batch.MaxTime {
		c.spans.compact(1)
		return batch.MinTime, nil
	}
	s := c.spans
	for key, at := range s.finger {
		if at < 0 {
			continue
		}
		for s.after[at] >= 0 {
			at = s.after[at]
		}
		next := s.ends[at] + 1
		first := max(0, (next-c.rows)/c.slide*c.slide)
		for first+c.rows <= next {
			first += c.slide
		}
		for start := first; start < next; start += c.slide {
			c.full = append(c.full, fullWindow{int32(key), start, next})
		}
	}
	if err := c.emitFull(emit); err != nil {
		return 0, err
	}
	for _, at := range s.appendLive(nil) {
		c.retired += s.end(at)
	}
	return batch.MaxTime, nil
}

// Stats says how much state there is.
func (c *countWindows) Stats() StateStats {
	return StateStats{
		Rows: c.spans.total, Retired: c.retired, Groups: int64(c.spans.live), Unsaved: int64(c.spans.numUnsaved()), Bytes: c.mem.used.Load(),
	}
}

// StateTables returns the table of panes.
func (c *countWindows) StateTables() []StateTable { return c.tables }

// Snapshot gives what changed since the last one to put, in one call per shard.
func (c *countWindows) Snapshot(ctx context.Context, full bool, put func(table string, shard int, upserts, deletedKeys arrow.RecordBatch) error) error {
	upserts, deleted := c.saver.frames(c.mem.Allocator, c.tables, 0)
	return c.spans.saveByShard(ctx, full, &c.saver.ids, upserts, deleted, func(shard int) error {
		return put(c.tables[0].Name, shard, upserts.Rows(), deleted.Rows())
	})
}

// Restore takes rows of a Snapshot back.
func (c *countWindows) Restore(_ context.Context, table string, shard int, rows arrow.RecordBatch) error {
	if table != c.tables[0].Name || shard < 0 || shard >= NumShards {
		return fmt.Errorf("restore %s: no table and shard like that: %q, shard %d of %d", c.name, table, shard, NumShards)
	}
	cols, err := columnsByName(c.tables[0].Schema, rows)
	if err != nil {
		return fmt.Errorf("restore %s: %w", table, err)
	}
	n := int(rows.NumRows())
	starts, counts := batch.Int64s(cols[0]), batch.Int64s(cols[len(c.tables[0].Keys)])
	c.spans.restore(cols, n, func(i int) int64 { return starts[i] + counts[i] - 1 })
	return nil
}

// Close releases all memory.
func (c *countWindows) Close() {
	c.in.close()
	c.spans.close()
	c.merged.close()
	c.out.close()
	c.saver.close(c.mem)
	batch.FreeSlice(c.mem, c.groups)
	c.groups = nil
}
