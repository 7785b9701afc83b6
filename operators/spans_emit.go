package operators

import (
	"cmp"
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// spanEmitter gathers the results of spans, of any number of shards, and emits them in order of their ends. Its schema has start,
// end, the keys, the aggregates.
type spanEmitter struct {
	env      Env
	interval batch.Interval
	sequence uint64
	frame    *batch.Frame // in the order of their coming
	sorted   *batch.Frame

	// Scratch.
	good  []int32
	keys  []int32
	order []int32
}

func (e *spanEmitter) init(schema *arrow.Schema, env Env) {
	e.env = env
	e.frame, e.sorted = batch.NewFrame(env.Mem, schema), batch.NewFrame(env.Mem, schema)
}

// begin forgets what an interval that failed may have left.
func (e *spanEmitter) begin(iv batch.Interval) {
	e.interval, e.sequence = iv, 0
	e.frame.Reset(0)
}

func (e *spanEmitter) origin() batch.Origin {
	return batch.Origin{
		Split: -1, Block: e.interval.ID<<32 | e.sequence, Arrival: e.interval.End, Watermark: batch.MinTime,
	}
}

// add appends the results of spans.
func (e *spanEmitter) add(s *spans, ids []int32) {
	ids = e.withoutFaults(s.pane, ids)
	e.keys = e.keys[:0]
	for _, at := range ids {
		e.keys = append(e.keys, s.keyOf[at])
		e.frame.Columns[0].AppendInt64(s.starts[at])
		e.frame.Columns[1].AppendInt64(s.ends[at])
	}
	e.append(s.pane.table, e.keys, s.pane, ids)
}

// addWindows appends the results of windows of rows, which are the groups of merged, in their order.
func (e *spanEmitter) addWindows(table groupTable, merged *pane, windows []fullWindow) {
	e.order = e.order[:0]
	for i := range windows {
		e.order = append(e.order, int32(i))
	}
	ids := e.withoutFaults(merged, e.order)
	e.keys = e.keys[:0]
	for _, i := range ids {
		e.keys = append(e.keys, windows[i].key)
		e.frame.Columns[0].AppendInt64(windows[i].start)
		e.frame.Columns[1].AppendInt64(windows[i].end)
	}
	e.append(table, e.keys, merged, ids)
}

// append appends keys of a table and, beside them, the results of groups of a pane. The starts and ends of the rows are there.
func (e *spanEmitter) append(table groupTable, keys []int32, p *pane, ids []int32) {
	cols := e.frame.Columns[2:]
	n := len(cols) - len(p.accs)
	table.appendKeys(cols[:n], keys)
	for i, acc := range p.accs {
		if acc != nil {
			acc.result(cols[n+i], ids)
			continue
		}
		for _, id := range ids {
			cols[n+i].AppendInt64(p.rec.rows(id))
		}
	}
	e.frame.SetRows(e.frame.Len() + len(ids))
}

// withoutFaults returns the groups whose results can be given, and tells of the others.
func (e *spanEmitter) withoutFaults(p *pane, ids []int32) []int32 {
	if !slices.ContainsFunc(p.accs, func(acc accumulator) bool { return acc != nil && acc.canFail() }) {
		return ids
	}
	e.good = e.good[:0]
	for _, id := range ids {
		why := ""
		for _, acc := range p.accs {
			if acc != nil && why == "" {
				why = acc.fault(id)
			}
		}
		if why == "" {
			e.good = append(e.good, id)
		} else if e.env.Bad != nil {
			origin := e.origin()
			e.env.Bad(&origin, int32(e.frame.Len()+len(e.good)), why)
		}
	}
	return e.good
}

// emit emits what was added, in order of ends and starts.
func (e *spanEmitter) emit(ctx context.Context, emit batch.Emit) error {
	n := e.frame.Len()
	if n == 0 {
		return nil
	}
	e.order = e.order[:0]
	for i := range int32(n) {
		e.order = append(e.order, i)
	}
	starts, ends := e.frame.Columns[0].Int64s(), e.frame.Columns[1].Int64s()
	slices.SortFunc(e.order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(ends[a], ends[b]), cmp.Compare(starts[a], starts[b]), cmp.Compare(a, b))
	})
	rows := e.frame.Rows()
	for order := e.order; len(order) > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := order[:min(len(order), maxEmitRows)]
		order = order[len(part):]
		e.sorted.Reset(0)
		e.sorted.AppendBatch(batch.Batch{Rows: rows, Sel: part})
		err := emit(batch.Batch{Rows: e.sorted.Rows(), Origin: e.origin()})
		e.sequence++
		if err != nil {
			return err
		}
	}
	e.frame.Reset(0)
	return nil
}

// flush emits what was added, in the order of its coming.
func (e *spanEmitter) flush(emit batch.Emit) error {
	if e.frame.Len() == 0 {
		return nil
	}
	err := emit(batch.Batch{Rows: e.frame.Rows(), Origin: e.origin()})
	e.sequence++
	e.frame.Reset(0)
	return err
}

func (e *spanEmitter) close() {
	e.frame.Release()
	e.sorted.Release()
}
