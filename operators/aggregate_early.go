package operators

import (
	"context"
	"slices"

	"github.com/tidemill/tidemill/batch"
)

// endWindows emits windows and releases those that are final.
func (a *aggregate) endWindows(ctx context.Context, watermark batch.Time) (batch.Time, error) {
	passed := watermark
	switch {
	case watermark == batch.MaxTime:
	case a.spec.Window.Arrival:
		watermark, passed = a.interval.End, a.interval.End
	case a.closes:
		watermark = watermark.Sub(a.spec.Window.Lateness)
	default:
		watermark, passed = batch.MinTime, batch.MinTime
	}
	bound := max(a.bound, watermark)
	var err error
	switch {
	case a.spec.Mode == Append:
		err = a.emitWindows(ctx, bound, true)
	case a.spec.Early != 0:
		err = a.emitDue(ctx, max(a.passed, passed))
	default:
		err = a.emitChanged(ctx)
	}
	if err != nil {
		return 0, err
	}
	a.bound = bound
	for i := range a.shards {
		a.evict(&a.shards[i])
		a.tidy(&a.shards[i], int64(watermark))
	}
	a.renumber()
	return a.window.nextEnd(bound), nil
}

// emitDue emits, in update mode with Early, what is due when the watermark has come as far as passed: of windows that it has passed
// in this interval the groups that have changed since the window came out last; of those that it had passed before, the groups
// that a row within lateness has changed in this interval; of running windows, at a tick of Early, the groups that have changed
// since the tick before.
//
// Windows of 10 s, Early 5 s, intervals of 1 s, watermark at 8, 9, 10, 11 s. Rows of group a at 1 and 9 s, which come in the intervals
// that end at 4 and 9 s of the clock, and one more that is late at 11 s: a comes out at 5 s with the first row, when the watermark is at
// 10 s with the second one, and in the interval of the third one.
func (a *aggregate) emitDue(ctx context.Context, passed batch.Time) error {
	if a.isRestored.Load() {
		a.markRestored()
	}
	isTick := passed == batch.MaxTime || a.isEarlyTick()
	if !isTick && !a.dirty.Load() && passed == a.passed {
		return nil
	}
	a.starts = a.starts[:0]
	for i := range a.shards {
		sh := &a.shards[i]
		for _, p := range sh.panes.panes {
			for s := a.window.firstStart(p.start); s <= a.window.lastStart(p.start); s += a.window.slide {
				if !isTick && s+a.window.size > int64(passed) {
					break // it runs, and so do those after it
				}
				a.addDue(p, s)
			}
		}
		for _, p := range sh.windows.panes {
			if isTick || p.start+a.window.size <= int64(passed) {
				a.addDue(p, p.start)
			}
		}
	}
	slices.Sort(a.starts)
	a.starts = slices.Compact(a.starts)
	for _, start := range a.starts {
		if err := a.emitChangedIn(ctx, start, a.dueOf(start)); err != nil {
			return err
		}
	}
	for i := range a.shards {
		sh := &a.shards[i]
		for _, p := range sh.panes.panes {
			p.clearDue(isTick || a.window.lastStart(p.start)+a.window.size <= int64(passed))
		}
		for _, p := range sh.windows.panes {
			p.clearDue(isTick || p.start+a.window.size <= int64(passed))
		}
	}
	a.passed = passed
	if isTick {
		a.lastTick = a.interval.End
	}
	return nil
}

// isEarlyTick says whether a multiple of Early since the epoch is in the interval, its end included.
func (a *aggregate) isEarlyTick() bool {
	early := a.spec.Early.Microseconds()
	return early > 0 && floorTo(int64(a.interval.End), 0, early) > int64(a.interval.Start)
}

// addDue notes that the window that begins at start may have groups of p that are due.
func (a *aggregate) addDue(p *pane, start int64) {
	if len(a.dueOf(start)(p)) > 0 {
		a.starts = append(a.starts, start)
	}
}

// dueOf returns which groups of a pane are due in the window that begins at start.
func (a *aggregate) dueOf(start int64) func(*pane) []int32 {
	if start+a.window.size <= int64(a.passed) {
		return (*pane).freshGroups
	}
	return (*pane).changedGroups
}

func (p *pane) changedGroups() []int32 { return p.changed }

func (p *pane) freshGroups() []int32 { return p.fresh }

// markChanged notes that groups of a pane changed in the running interval.
func (a *aggregate) markChanged(p *pane, groups []int32) {
	p.mark(groups, a.spec.Mode == Update)
	if a.spec.Early == 0 {
		return
	}
	n := len(p.fresh)
	p.fresh = batch.GrowSlice(p.mem, p.fresh, n+len(groups))
	p.changedAt = growZero(p.mem, p.changedAt, p.table.len())
	for _, g := range groups {
		p.changedAt[g] = int64(a.interval.End)
		if p.marks[g]&isFresh == 0 {
			p.marks[g] |= isFresh
			p.fresh[n] = g
			n++
		}
	}
	p.fresh = p.fresh[:n]
}

// markRestored marks the groups of a restored state that changed after the last tick.
func (a *aggregate) markRestored() {
	for i := range a.shards {
		for _, set := range [...]*paneSet{&a.shards[i].panes, &a.shards[i].windows} {
			for _, p := range set.panes {
				p.markAfter(int64(a.lastTick))
			}
		}
	}
	a.isRestored.Store(false)
}

func (p *pane) markAfter(tick int64) {
	p.marks = growZero(p.mem, p.marks, p.table.len())
	for g, at := range p.changedAt {
		if at > tick && p.marks[g]&isChanged == 0 {
			p.marks[g] |= isChanged
			p.changed = batch.AppendSlice(p.mem, p.changed, int32(g))
		}
	}
}

// clearDue ends the interval, and what has changed since a tick if that came out.
func (p *pane) clearDue(changed bool) {
	for _, g := range p.fresh {
		p.marks[g] &^= isFresh
	}
	p.fresh = p.fresh[:0]
	if changed {
		p.clearChanged()
	}
}
