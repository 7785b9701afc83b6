package operators

import (
	"math"
	"slices"
)

// stackedWindow makes sliding windows whose aggregates can't be subtracted, of three parts each: a suffix of the oldest block of
// slides, what is between that block and the middle, and what came since the middle was set. It is the queue of two stacks
// (Tangwongsan et al. 2015), but with suffixes kept for one block at a time, and per block for the others: n slides need
// 2*sqrt(n) suffixes instead of n. A slide costs what its three parts have in groups, however long the window is. The groups of
// all parts are the numbers of the shard's keys, so that no key is looked up. It can be made of the panes at any time, so that it is
// not part of what a Snapshot has.
//
// What came since the middle is kept per block too, so that the next middle is set by adding up these blocks, the latest first,
// instead of all panes: of 3600 slides some 60.
//
// Nine slides 1 to 9, blocks of three: suffixes 1-3, 2-3 and 3, blocks 4-9 and 7-9, and since the middle nothing. The window
// 3-11 is suffix 3, block 4-9, and 10-11, which came since. Before 4-12 comes out, the suffixes of 4-6 are made, and block 4-9
// goes. Before 10-18 comes out, the middle is set to the end of 18: the sums 13-15 and 16-18 become the blocks 13-18 and 16-18, and
// the suffixes of 10-12 are made.
type stackedWindow struct {
	// phase is when the middle is set anew, in slides, so that the shards do not do so in the same one.
	phase int64

	valid    bool
	middle   int64
	block    int64   // the length of a block
	grid     int64   // where the first block begins, or began
	upto     int64   // where the panes end that since has
	suffixes []*pane // each to the end of the oldest block, the longest last; start is where it begins
	blocks   []*pane // each from the start of a block to middle, the longest last
	since    *pane
	sums     []*pane // each of a block since middle, the oldest first; blocks without panes have none
	free     []*pane // parts to be used again
}

// minStackedSlides is the number of slides in a window from which on it pays: below, merging the panes costs about as much.
const minStackedSlides = 8

// forget makes it invalid if it has a pane that changed.
func (w *stackedWindow) forget(start int64) {
	if w.valid && start < w.upto {
		w.valid = false
	}
}

// advance makes it the window that begins at start, and returns its groups, valid until the next call for any shard.
func (w *stackedWindow) advance(a *aggregate, sh *shard, start int64) (*pane, []int32) {
	slide := a.window.slide
	slides := (a.window.size + slide - 1) / slide
	isTurn := (floorTo(start, a.window.offset, slide)/slide+w.phase)%slides == 0
	if w.valid {
		w.takeIn(a, sh, start+a.window.size)
	}
	switch {
	case w.valid && start == w.middle:
		w.turn(a, sh, start)
	case !w.valid || start > w.middle || isTurn:
		w.block = slide * int64(math.Ceil(math.Sqrt(float64(slides))))
		w.setMiddle(a, sh, start)
	}
	for n := len(w.suffixes); n > 0 && w.suffixes[n-1].start < start; n = len(w.suffixes) {
		w.suffixes = w.drop(w.suffixes)
	}
	if len(w.suffixes) == 0 {
		w.nextBlock(a, sh, start)
	}
	whole := a.whole
	whole.clearOver(sh.keys.table)
	a.mergeNumbers(whole, w.since)
	if n := len(w.blocks); n > 0 {
		a.mergeNumbers(whole, w.blocks[n-1])
	}
	a.mergeNumbers(whole, w.suffixes[len(w.suffixes)-1])
	a.wholeIDs = whole.rec.appendLive(a.env.Mem, a.wholeIDs[:0])
	return whole, a.wholeIDs
}

// takeIn adds the panes that came.
func (w *stackedWindow) takeIn(a *aggregate, sh *shard, upto int64) {
	w.since.grow()
	for _, p := range sh.panes.between(w.upto, upto) {
		start := floorTo(p.start, w.middle, w.block)
		if n := len(w.sums); n == 0 || w.sums[n-1].start != start {
			sum := w.take(a, sh)
			sum.start = start
			w.sums = append(w.sums, sum)
		}
		sum := w.sums[len(w.sums)-1]
		sum.grow()
		a.mergeMembers(sum, p)
		a.mergeMembers(w.since, p)
	}
	w.upto = max(w.upto, upto)
}

// turn is setMiddle where the window that begins at start has what came since the middle, and nothing else.
func (w *stackedWindow) turn(a *aggregate, sh *shard, start int64) {
	w.clearFront()
	for _, sum := range slices.Backward(w.sums) {
		if sum.start <= start { // the oldest one, which is made of panes again
			w.free = append(w.free, sum)
			continue
		}
		if n := len(w.blocks); n > 0 {
			sum.grow()
			a.mergeNumbers(sum, w.blocks[n-1])
		}
		w.blocks = append(w.blocks, sum)
	}
	clear(w.sums)
	w.sums = w.sums[:0]
	w.begin(a, sh, start)
}

// begin makes what comes since the end of the window that begins at start empty, and the suffixes of the oldest block.
func (w *stackedWindow) begin(a *aggregate, sh *shard, start int64) {
	w.since.clearOver(sh.keys.table)
	w.valid, w.grid, w.middle = true, start, start+a.window.size
	w.upto = w.middle
	w.nextBlock(a, sh, start)
}

// clearOver makes it a pane without rows whose groups are those of a table.
func (p *pane) clearOver(table groupTable) {
	p.resetValues()
	p.table = table
	p.grow()
}

// mergeMembers adds a pane with shared keys to a pane whose groups are their numbers.
func (a *aggregate) mergeMembers(to, src *pane) {
	to.merge(src, a.allIDs(src), src.table.(*memberTable).ids)
}

// mergeNumbers adds to a pane another one that has the same numbers, but maybe not the last ones yet.
func (a *aggregate) mergeNumbers(to, src *pane) {
	ids := a.idsTo(src.rec.len())
	to.merge(src, ids, ids)
}

// setMiddle sets the middle to the end of the window that begins at start, and makes all of the panes.
func (w *stackedWindow) setMiddle(a *aggregate, sh *shard, start int64) {
	w.clear()
	if w.since == nil {
		w.since = w.take(a, sh)
	}
	w.blocks = w.fold(a, sh, start+w.block, start+a.window.size, w.block, w.blocks)
	w.begin(a, sh, start)
}

// nextBlock makes the suffixes, from start on, of the block that start is in.
func (w *stackedWindow) nextBlock(a *aggregate, sh *shard, start int64) {
	for n := len(w.blocks); n > 0 && w.blocks[n-1].start <= start; n = len(w.blocks) {
		w.blocks = w.drop(w.blocks)
	}
	end := min(w.middle, floorTo(start, w.grid, w.block)+w.block)
	w.suffixes = w.fold(a, sh, start, end, a.window.slide, w.suffixes)
}

// fold appends what is in the panes from each of start, start+step, … to end, the latest first.
func (w *stackedWindow) fold(a *aggregate, sh *shard, start, end, step int64, parts []*pane) []*pane {
	if start >= end {
		return parts
	}
	a.whole.clearOver(sh.keys.table)
	for at, until := start+(end-start-1)/step*step, end; at >= start; at, until = at-step, at {
		for _, p := range sh.panes.between(at, until) {
			a.mergeMembers(a.whole, p)
		}
		part := w.take(a, sh)
		part.start = at
		a.mergeNumbers(part, a.whole)
		parts = append(parts, part)
	}
	return parts
}

// take returns a pane without rows.
func (w *stackedWindow) take(a *aggregate, sh *shard) *pane {
	n := len(w.free)
	if n == 0 {
		w.free = append(w.free, newPaneOver(sh.keys.table, a.mem, a.spec.Aggs))
		n = 1
	}
	p := w.free[n-1]
	w.free = w.free[:n-1]
	p.clearOver(sh.keys.table)
	return p
}

// drop releases the last of parts.
func (w *stackedWindow) drop(parts []*pane) []*pane {
	n := len(parts) - 1
	if len(w.free) < maxFreePanes {
		w.free = append(w.free, parts[n])
	} else {
		parts[n].closeValues()
	}
	parts[n] = nil
	return parts[:n]
}

// clearFront drops what is before the middle.
func (w *stackedWindow) clearFront() {
	for len(w.suffixes) > 0 {
		w.suffixes = w.drop(w.suffixes)
	}
	for len(w.blocks) > 0 {
		w.blocks = w.drop(w.blocks)
	}
}

func (w *stackedWindow) clear() {
	w.clearFront()
	for len(w.sums) > 0 {
		w.sums = w.drop(w.sums)
	}
}

// close releases all memory. What is made of the panes next is made of them alone.
func (w *stackedWindow) close() {
	w.clear()
	if w.since != nil {
		w.since.closeValues()
	}
	for _, p := range w.free {
		p.closeValues()
	}
	w.valid, w.since, w.free = false, nil, nil
}
