package operators

import "github.com/tidemill/tidemill/batch"

// runningWindow is the sliding window that was emitted last, less the panes that have left, so that the next one needs only the
// panes that come in. It costs what the groups of the panes that come and go cost, however long the window is. It is only used
// where all aggregates can be subtracted exactly, and can be made of the panes at any time, so that it is not part of
// what a Snapshot has.
//
// Of cumulating windows it is the last one too, to which a step is added; nothing leaves it but all at once, when another series
// of windows begins.
type runningWindow struct {
	pane  *pane
	next  int64 // the window that it is ready for
	upto  int64 // where the panes end that it has
	valid bool
	dead  int // groups without rows

	ids []int32
}

// minDead is how many groups without rows are left alone, whatever their part.
const minDead = 1024

// forget makes it invalid if it has a pane that changed. No on-time row does that: its window would be closed.
func (r *runningWindow) forget(start int64) {
	if r.valid && start < r.upto {
		r.valid = false
	}
}

// advance makes it the window that begins at start, and returns its groups.
func (r *runningWindow) advance(a *aggregate, sh *shard, start int64) (*pane, []int32) {
	from, begin := r.upto, a.window.begin(start)
	switch {
	case r.pane == nil:
		r.pane = sh.panes.fresh()
		from = begin
	case !r.valid || r.next != start || a.window.most > 0 && begin == start:
		r.pane.reset()
		from = begin
	case r.dead > max(minDead, r.pane.table.len()/2):
		r.bury(a, sh)
	}
	for _, p := range sh.panes.between(from, start+a.window.size) {
		a.mergeAll(r.pane, p)
	}
	n := r.pane.table.len()
	r.ids = batch.GrowSlice(a.mem, r.ids, n)[:0]
	for id := range int32(n) {
		if r.pane.rec.rows(id) > 0 {
			r.ids = append(r.ids, id)
		}
	}
	r.dead = n - len(r.ids)
	return r.pane, r.ids
}

// bury leaves the groups without rows out.
func (r *runningWindow) bury(a *aggregate, sh *shard) {
	live := r.ids[:0]
	for id := range int32(r.pane.table.len()) {
		if r.pane.rec.rows(id) > 0 {
			live = batch.AppendSlice(a.mem, live, id)
		}
	}
	old := r.pane
	r.ids, r.pane = live, sh.panes.fresh()
	a.mergeGroups(r.pane, old, live)
	old.close()
}

// leave takes the panes out that the next window does not have, while they are still there.
func (r *runningWindow) leave(a *aggregate, sh *shard, start int64) {
	r.valid, r.next, r.upto = true, start+a.window.slide, start+a.window.size
	if a.window.most > 0 {
		return
	}
	for _, p := range sh.panes.between(start, r.next) {
		ids := a.allIDs(p)
		a.found = batch.GrowSlice(a.mem, a.found, len(ids))
		r.pane.table.lookupFrom(p.table, ids, false, a.found)
		r.pane.subtract(p, ids, a.found)
	}
}

func (r *runningWindow) close(a *aggregate) {
	if r.pane != nil {
		r.pane.close()
	}
	batch.FreeSlice(a.mem, r.ids)
	r.ids = nil
}
