package operators

import (
	"context"
	"math"
	"slices"

	"github.com/tidemill/tidemill/batch"
)

// emitter fills batches with results and emits them, maxEmitRows at a time.
type emitter struct {
	a        *aggregate
	frame    *batch.Frame
	emit     batch.Emit
	sequence uint64
	rows     int
}

func (e *emitter) init(a *aggregate) {
	e.a = a
	e.frame = batch.NewFrame(a.env.Mem, a.schema)
}

func (e *emitter) begin(emit batch.Emit) {
	e.emit = emit
	e.frame.Reset(0)
	e.rows = 0
}

func (e *emitter) origin() batch.Origin {
	return batch.Origin{
		Split: -1, Block: e.a.interval.ID<<32 | e.sequence, Arrival: e.a.interval.End, Watermark: batch.MinTime,
	}
}

// add adds groups ids of a pane, as results of the window that begins at start.
func (e *emitter) add(start int64, p *pane, ids []int32) error {
	if on := e.a.env.Emitting; on != nil {
		on(true)
		defer on(false)
	}
	for len(ids) > 0 {
		n := min(len(ids), maxEmitRows-e.rows)
		e.append(start, p, e.withoutFaults(p, ids[:n]))
		ids = ids[n:]
		if e.rows == maxEmitRows {
			if err := e.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// withoutFaults returns the groups whose results can be given, and tells of the others.
func (e *emitter) withoutFaults(p *pane, ids []int32) []int32 {
	if !slices.ContainsFunc(p.accs, func(acc accumulator) bool { return acc != nil && acc.canFail() }) {
		return ids
	}
	e.a.foundIn = batch.GrowSlice(e.a.mem, e.a.foundIn[:0], len(ids))
	good := e.a.foundIn[:0]
	for _, id := range ids {
		why := ""
		for _, acc := range p.accs {
			if acc != nil && why == "" {
				why = acc.fault(id)
			}
		}
		if why == "" {
			good = append(good, id)
		} else if e.a.env.Bad != nil {
			origin := e.origin()
			e.a.env.Bad(&origin, int32(e.rows+len(good)), why)
		}
	}
	return good
}

func (e *emitter) append(start int64, p *pane, ids []int32) {
	cols := e.frame.Columns
	if e.a.spec.Window != nil {
		fill(cols[0].AppendInt64s(len(ids)), e.a.window.begin(start))
		fill(cols[1].AppendInt64s(len(ids)), start+e.a.window.size)
		cols = cols[2:]
	}
	keys := len(e.a.keyTypes)
	p.table.appendKeys(cols[:keys], ids)
	for i, acc := range p.accs {
		col := cols[keys+i]
		if acc != nil {
			acc.result(col, ids)
			continue
		}
		p.rec.gather(0, ids, col.AppendInt64s(len(ids)))
	}
	e.rows += len(ids)
}

func fill(values []int64, v int64) {
	for i := range values {
		values[i] = v
	}
}

// flush emits the rows that were added.
func (e *emitter) flush() error {
	if e.rows == 0 {
		return nil
	}
	if on := e.a.env.Emitting; on != nil {
		on(true)
		defer on(false)
	}
	e.frame.SetRows(e.rows)
	err := e.emit(batch.Batch{Rows: e.frame.Rows(), Origin: e.origin()})
	e.sequence++
	e.frame.Reset(0)
	e.rows = 0
	return err
}

func (e *emitter) close() { e.frame.Release() }

// allIDs returns the numbers of all groups of a pane.
func (a *aggregate) allIDs(p *pane) []int32 { return a.idsTo(p.table.len()) }

// idsTo returns the numbers from 0 to n-1.
func (a *aggregate) idsTo(n int) []int32 {
	if from := len(a.ids); from < n {
		a.ids = batch.GrowSlice(a.mem, a.ids, n)
		for id := from; id < n; id++ {
			a.ids[id] = int32(id)
		}
	}
	return a.ids[:n]
}

// endGroups emits, without a window, the groups that changed, or all of them.
func (a *aggregate) endGroups() error {
	isAll := a.spec.Mode == Complete || a.spec.isKeyless()
	if !a.dirty.Load() && (!a.spec.isKeyless() || a.spec.Mode != Update) {
		return nil
	}
	for i := range a.shards {
		for _, p := range a.shards[i].panes.panes {
			ids := p.changed
			if isAll {
				ids = a.allIDs(p)
			}
			if err := a.emitter.add(0, p, ids); err != nil {
				return err
			}
			p.clearChanged()
		}
	}
	return a.emitter.flush()
}

// emitWindows emits the windows that end at or before bound and after the bound before, in order. If isFinal, they will not be
// needed again.
func (a *aggregate) emitWindows(ctx context.Context, bound batch.Time, isFinal bool) error {
	next := int64(math.MinInt64)
	if isFinal && a.bound >= firstWindowTime {
		if a.bound > lastWindowTime {
			return nil
		}
		next = a.window.firstStart(int64(a.bound))
	}
	if oldest, ok := a.startFrom(math.MinInt64); !ok || max(a.window.firstStart(oldest), next)+a.window.size > int64(bound) {
		return nil
	}
	for from := int64(math.MinInt64); ; {
		// The first window not emitted yet that has the oldest pane, or that has rows kept apart.
		oldest, ok := a.startFrom(from)
		if !ok {
			return nil
		}
		start := max(a.window.firstStart(oldest), next)
		if start > a.window.lastStart(oldest) {
			from = oldest + 1
			continue
		}
		if start+a.window.size > int64(bound) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range a.shards {
			if err := a.emitWindow(&a.shards[i], start, isFinal); err != nil {
				return err
			}
		}
		if err := a.emitter.flush(); err != nil {
			return err
		}
		next = start + a.window.slide
	}
}

// startFrom returns the smallest start from a time on of a pane, or of a window with rows kept apart, which is that of a pane too.
func (a *aggregate) startFrom(from int64) (start int64, ok bool) {
	start = math.MaxInt64
	for i := range a.shards {
		sh := &a.shards[i]
		for _, set := range [...]*paneSet{&sh.panes, &sh.windows} {
			if n := len(set.panes); n == 0 || set.panes[0].start >= start || set.panes[n-1].start < from {
				continue
			}
			if at := set.from(from); at < len(set.panes) {
				start, ok = min(start, set.panes[at].start), true
			}
		}
	}
	return start, ok
}

// emitWindow emits a shard's groups of the window that begins at start.
func (a *aggregate) emitWindow(sh *shard, start int64, isFinal bool) error {
	parts := sh.panes.between(a.window.begin(start), start+a.window.size)
	apart := sh.windows.between(start, start+1)
	switch {
	case len(parts)+len(apart) == 0:
		return nil
	case len(parts) == 1 && len(apart) == 0:
		return a.emitter.add(start, parts[0], a.allIDs(parts[0]))
	case a.runs && isFinal:
		p, ids := sh.running.advance(a, sh, start)
		if err := a.emitWith(start, p, ids, apart); err != nil {
			return err
		}
		sh.running.leave(a, sh, start)
		return nil
	case a.stacks && isFinal && len(parts) > 0:
		p, ids := sh.stacked.advance(a, sh, start)
		return a.emitWith(start, p, ids, apart)
	}
	a.merged.reset()
	for _, p := range parts {
		a.mergeAll(a.merged, p)
	}
	for _, p := range apart {
		a.mergeAll(a.merged, p)
	}
	return a.emitter.add(start, a.merged, a.allIDs(a.merged))
}

// emitWith emits groups of a window with the rows that were kept apart for it.
func (a *aggregate) emitWith(start int64, p *pane, ids []int32, apart []*pane) error {
	if len(apart) == 0 {
		return a.emitter.add(start, p, ids)
	}
	a.merged.reset()
	a.mergeGroups(a.merged, p, ids)
	a.mergeAll(a.merged, apart[0])
	return a.emitter.add(start, a.merged, a.allIDs(a.merged))
}

// mergeAll adds all groups of src to a pane.
func (a *aggregate) mergeAll(to, src *pane) { a.mergeGroups(to, src, a.allIDs(src)) }

// mergeGroups adds groups ids of src to a pane.
func (a *aggregate) mergeGroups(to, src *pane, ids []int32) {
	a.found = batch.GrowSlice(a.mem, a.found, len(ids))
	lookupFrom(to.table, src.table, ids, true, a.found)
	to.grow()
	to.merge(src, ids, a.found)
}

// emitChanged emits the groups that changed in this interval, in every window that they changed in.
func (a *aggregate) emitChanged(ctx context.Context) error {
	if !a.dirty.Load() {
		return nil
	}
	a.starts = a.starts[:0]
	for i := range a.shards {
		sh := &a.shards[i]
		for _, p := range sh.panes.panes {
			if len(p.changed) == 0 {
				continue
			}
			for s := a.window.firstStart(p.start); s <= a.window.lastStart(p.start); s += a.window.slide {
				a.starts = append(a.starts, s)
			}
		}
		for _, p := range sh.windows.panes {
			if len(p.changed) > 0 {
				a.starts = append(a.starts, p.start)
			}
		}
	}
	slices.Sort(a.starts)
	a.starts = slices.Compact(a.starts)
	for _, start := range a.starts {
		if err := a.emitChangedIn(ctx, start, (*pane).changedGroups); err != nil {
			return err
		}
	}
	for i := range a.shards {
		sh := &a.shards[i]
		for _, p := range sh.panes.panes {
			p.clearChanged()
		}
		for _, p := range sh.windows.panes {
			p.clearChanged()
		}
	}
	return nil
}

// emitChangedIn emits, of the window that begins at start, the groups that of returns for its panes.
func (a *aggregate) emitChangedIn(ctx context.Context, start int64, of func(*pane) []int32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i := range a.shards {
		if err := a.emitChangedWindow(&a.shards[i], start, of); err != nil {
			return err
		}
	}
	return a.emitter.flush()
}

func (a *aggregate) emitChangedWindow(sh *shard, start int64, of func(*pane) []int32) error {
	parts := sh.panes.between(a.window.begin(start), start+a.window.size)
	apart := sh.windows.between(start, start+1)
	if len(parts) == 1 && len(apart) == 0 {
		return a.emitter.add(start, parts[0], of(parts[0]))
	}
	a.merged.reset()
	for _, set := range [...][]*pane{parts, apart} {
		for _, p := range set {
			groups := of(p)
			a.found = batch.GrowSlice(a.mem, a.found, len(groups))
			lookupFrom(a.merged.table, p.table, groups, true, a.found)
		}
	}
	a.merged.grow()
	if a.merged.table.len() == 0 {
		return nil
	}
	for _, set := range [...][]*pane{parts, apart} {
		for _, p := range set {
			a.mergeKnown(p)
		}
	}
	return a.emitter.add(start, a.merged, a.allIDs(a.merged))
}

// mergeKnown adds to merged what src has of its groups.
func (a *aggregate) mergeKnown(src *pane) {
	all := a.allIDs(a.merged)
	a.found = batch.GrowSlice(a.mem, a.found, len(all))
	src.table.lookupFrom(a.merged.table, all, false, a.found)
	a.foundIn = batch.GrowSlice(a.mem, a.foundIn, len(all))
	ids, groups := a.found[:0], a.foundIn[:0]
	for g, id := range a.found {
		if id >= 0 {
			ids = append(ids, id)
			groups = append(groups, int32(g))
		}
	}
	a.merged.merge(src, ids, groups)
}
