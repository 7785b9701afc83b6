package operators

import "math"

// stackedWindow makes sliding windows whose aggregates can't be subtracted, of three parts each: a suffix of the oldest block of
// slides, what is between that block and the middle, and what came since the middle was set. It is the queue of two stacks
// (Tangwongsan et al. 2015), but with suffixes kept for one block at a time, and per block for the others: n slides need
// 2*sqrt(n) suffixes instead of n. A slide costs what its three parts have in groups, however long the window is. It can be made
// of the panes at any time, so that it is not part of what a Snapshot has.
//
// Nine slides 1 to 9, blocks of three: suffixes 1-3, 2-3 and 3, blocks 4-9 and 7-9, and since the middle nothing. The window
// 3-11 is suffix 3, block 4-9, and 10-11, which came since. Before 4-12 comes out, the suffixes of 4-6 are made, and block 4-9
// goes. Before 10-18 comes out, the middle is set to the end of 18, and all is made anew.
type stackedWindow struct {
	// phase is when the middle is set anew, in slides, so that the shards do not do so in the same one.
	phase int64

	valid    bool
	middle   int64
	upto     int64   // where the panes end that since has
	suffixes []*pane // each to the end of the oldest block, the longest last; start is where it begins
	blocks   []*pane // each from the start of a block to middle, the longest last
	since    *pane
}

// minStackedSlides is the number of slides in a window from which on it pays: below, merging the panes costs about as much.
const minStackedSlides = 8

// forget makes it invalid if it has a pane that changed.
func (w *stackedWindow) forget(start int64) {
	if w.valid && start < w.upto {
		w.valid = false
	}
}

// advance makes it the window that begins at start, and adds its groups to a pane.
func (w *stackedWindow) advance(a *aggregate, sh *shard, start int64, to *pane) {
	size, slide := a.window.size, a.window.slide
	slides := (size + slide - 1) / slide
	isTurn := (floorTo(start, a.window.offset, slide)/slide+w.phase)%slides == 0
	if !w.valid || start >= w.middle || isTurn {
		w.setMiddle(a, sh, start, slide*int64(math.Ceil(math.Sqrt(float64(slides)))))
	}
	for n := len(w.suffixes); n > 0 && w.suffixes[n-1].start < start; n = len(w.suffixes) {
		w.suffixes = w.drop(sh, w.suffixes)
	}
	if len(w.suffixes) == 0 {
		w.nextBlock(a, sh, start)
	}
	for _, p := range sh.panes.between(w.upto, start+size) {
		a.mergeAll(w.since, p)
	}
	w.upto = start + size
	a.mergeAll(to, w.since)
	if n := len(w.blocks); n > 0 {
		a.mergeAll(to, w.blocks[n-1])
	}
	a.mergeAll(to, w.suffixes[len(w.suffixes)-1])
}

// setMiddle sets the middle to the end of the window that begins at start, with blocks of a length.
func (w *stackedWindow) setMiddle(a *aggregate, sh *shard, start, block int64) {
	w.clear(sh)
	if w.since == nil {
		w.since = sh.panes.fresh()
	}
	w.since.reset()
	w.valid, w.middle = true, start+a.window.size
	w.upto = w.middle
	w.blocks = w.fold(a, sh, start+block, w.middle, block, w.blocks)
	w.nextBlock(a, sh, start)
}

// nextBlock makes the suffixes, from start on, of the oldest block, which begins at or before start.
func (w *stackedWindow) nextBlock(a *aggregate, sh *shard, start int64) {
	for n := len(w.blocks); n > 0 && w.blocks[n-1].start <= start; n = len(w.blocks) {
		w.blocks = w.drop(sh, w.blocks)
	}
	end := w.middle
	if n := len(w.blocks); n > 0 {
		end = w.blocks[n-1].start
	}
	w.suffixes = w.fold(a, sh, start, end, a.window.slide, w.suffixes)
}

// fold appends what is in the panes from each of start, start+step, … to end, the latest first.
func (w *stackedWindow) fold(a *aggregate, sh *shard, start, end, step int64, parts []*pane) []*pane {
	if start >= end {
		return parts
	}
	a.folded.reset()
	for at, until := start+(end-start-1)/step*step, end; at >= start; at, until = at-step, at {
		for _, p := range sh.panes.between(at, until) {
			a.mergeAll(a.folded, p)
		}
		part := sh.panes.take()
		part.start = at
		a.mergeAll(part, a.folded)
		parts = append(parts, part)
	}
	return parts
}

// drop releases the last of parts.
func (w *stackedWindow) drop(sh *shard, parts []*pane) []*pane {
	n := len(parts) - 1
	sh.panes.recycle(parts[n])
	parts[n] = nil
	return parts[:n]
}

func (w *stackedWindow) clear(sh *shard) {
	for len(w.suffixes) > 0 {
		w.suffixes = w.drop(sh, w.suffixes)
	}
	for len(w.blocks) > 0 {
		w.blocks = w.drop(sh, w.blocks)
	}
}

// close releases all memory, before the shard's panes do.
func (w *stackedWindow) close(sh *shard) {
	w.clear(sh)
	if w.since != nil {
		w.since.close()
	}
}
