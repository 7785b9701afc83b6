package operators

import "github.com/tidemill/tidemill/batch"

// runningWindow is the sliding window that was emitted last, less the panes that have left, so that the next one needs only the
// panes that come in. It costs what the groups of the panes that come and go cost, however long the window is. Its groups are the
// numbers of the shard's keys, so that no key is looked up. It is only used where all aggregates can be subtracted exactly, and can
// be made of the panes at any time, so that it is not part of what a Snapshot has.
//
// Of cumulating windows it is the last one too, to which a step is added; nothing leaves it but all at once, when another series
// of windows begins.
type runningWindow struct {
	pane  *pane
	next  int64 // the window that it is ready for
	upto  int64 // where the panes end that it has
	valid bool
	live  int // groups with rows

	ids []int32
}

// forget makes it invalid if it has a pane that changed. No on-time row does that: its window would be closed.
func (r *runningWindow) forget(start int64) {
	if r.valid && start < r.upto {
		r.valid = false
	}
}

// advance makes it the window that begins at start, and returns its groups.
func (r *runningWindow) advance(a *aggregate, sh *shard, start int64) (*pane, []int32) {
	from, begin := r.upto, a.window.begin(start)
	if r.pane == nil {
		r.pane = newPaneOver(sh.keys.table, a.mem, a.spec.Aggs)
		r.valid = false
	}
	if !r.valid || r.next != start || a.window.most > 0 && begin == start {
		r.pane.resetValues()
		from, r.live = begin, 0
	}
	r.pane.grow()
	for _, p := range sh.panes.between(from, start+a.window.size) {
		groups := p.table.(*memberTable).ids
		r.live += len(groups) - r.pane.rec.numLive(groups)
		r.pane.merge(p, a.allIDs(p), groups)
	}
	if r.live == r.pane.rec.len() {
		return r.pane, a.allIDs(r.pane)
	}
	r.ids = r.pane.rec.appendLive(a.mem, r.ids[:0])
	return r.pane, r.ids
}

// leave takes the panes out that the next window does not have, while they are still there.
func (r *runningWindow) leave(a *aggregate, sh *shard, start int64) {
	r.valid, r.next, r.upto = true, start+a.window.slide, start+a.window.size
	if a.window.most > 0 {
		return
	}
	for _, p := range sh.panes.between(start, r.next) {
		groups := p.table.(*memberTable).ids
		r.pane.subtract(p, a.allIDs(p), groups)
		r.live -= len(groups) - r.pane.rec.numLive(groups)
	}
}

// renumber gives its groups the numbers that sharedKeys.renumber gave their keys. Those that have none are of panes that left with
// a window that was not made of this one, so that it is of no use any more.
func (r *runningWindow) renumber(a *aggregate, sh *shard, remap []int32) {
	if r.pane == nil {
		return
	}
	old := r.pane
	r.pane = newPaneOver(sh.keys.table, a.mem, a.spec.Aggs)
	r.ids = old.rec.appendLive(a.mem, r.ids[:0])
	a.found = batch.GrowSlice(a.mem, a.found, len(r.ids))
	for k, id := range r.ids {
		a.found[k] = remap[id]
		r.valid = r.valid && remap[id] >= 0
	}
	if r.valid {
		r.pane.grow()
		r.pane.merge(old, r.ids, a.found)
	}
	old.closeValues()
}

func (r *runningWindow) close(a *aggregate) {
	if r.pane != nil {
		r.pane.closeValues()
	}
	batch.FreeSlice(a.mem, r.ids)
	r.ids = nil
}
