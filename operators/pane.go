package operators

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// pane holds groups and their accumulators for a piece of time, or, in an aggregate without a window, for ever. The same type
// serves for the rows of one window that are kept apart because they were too late for another of their windows.
// It is used by one goroutine at a time, but for reads.
type pane struct {
	mem   memory.Allocator
	start int64
	table groupTable
	accs  []accumulator // nil for count(*)
	rows  []int64       // per group
	// owned has, of a window kept apart, how many rows have no later window: each row is in the ledger once.
	owned []int64
	total int64 // rows in the ledger

	// Of a sealed partial: groups in order of shards; those of shard s are order[ends[s]:ends[s+1]].
	order []int32
	ends  [NumShards + 1]int32
	shard []uint8

	// Of the state.
	marks   []uint8
	changed []int32 // groups marked isChanged: since the end of the last interval
	unsaved []int32 // groups marked isUnsaved: since the last Snapshot

	touched int32 // scratch of a partial's Add: index in its list plus one, 0 if not in it
}

const (
	isChanged uint8 = 1 << iota
	isUnsaved
	isSaved // a Snapshot has had the group, so that its end must be told
)

func newPane(mem memory.Allocator, keys []arrow.DataType, aggs []AggSpec) *pane {
	p := &pane{mem: mem, table: newGroupTable(mem, keys)}
	for i := range aggs {
		p.accs = append(p.accs, newAccumulator(mem, &aggs[i]))
	}
	return p
}

// grow makes room for the groups that the table has.
func (p *pane) grow() {
	n := p.table.len()
	if n <= len(p.rows) {
		return
	}
	p.rows = growZero(p.mem, p.rows, n)
	for _, a := range p.accs {
		if a != nil {
			a.grow(n)
		}
	}
}

// merge adds groups ids of src to groups.
func (p *pane) merge(src *pane, ids, groups []int32) {
	for k, id := range ids {
		p.rows[groups[k]] += src.rows[id]
	}
	for i, a := range p.accs {
		if a != nil {
			a.merge(src.accs[i], ids, groups)
		}
	}
}

// subtract takes out what merge added.
func (p *pane) subtract(src *pane, ids, groups []int32) {
	for k, id := range ids {
		p.rows[groups[k]] -= src.rows[id]
	}
	for i, a := range p.accs {
		if a != nil {
			a.subtract(src.accs[i], ids, groups)
		}
	}
}

// seal puts the groups in order of shards.
func (p *pane) seal(scratch []byte) []byte {
	n := p.table.len()
	p.shard, p.order = extendTo(p.shard, n), extendTo(p.order, n)
	clear(p.ends[:])
	for id := range int32(n) {
		scratch = p.table.appendKey(scratch[:0], id)
		s := ShardOf(scratch)
		p.shard[id] = uint8(s)
		p.ends[s+1]++
	}
	for s := range NumShards {
		p.ends[s+1] += p.ends[s]
	}
	next := p.ends
	for id, s := range p.shard {
		p.order[next[s]] = int32(id)
		next[s]++
	}
	return scratch
}

// mark notes that groups changed.
func (p *pane) mark(groups []int32, needsChanged bool) {
	p.marks = growZero(p.mem, p.marks, p.table.len())
	for _, g := range groups {
		m := p.marks[g]
		if m&isUnsaved == 0 {
			p.unsaved = batch.AppendSlice(p.mem, p.unsaved, g)
		}
		m |= isUnsaved
		if needsChanged && m&isChanged == 0 {
			p.changed = batch.AppendSlice(p.mem, p.changed, g)
			m |= isChanged
		}
		p.marks[g] = m
	}
}

func (p *pane) clearChanged() {
	for _, g := range p.changed {
		p.marks[g] &^= isChanged
	}
	p.changed = p.changed[:0]
}

// hasSaved says whether a Snapshot has had any of the groups.
func (p *pane) hasSaved() bool {
	return slices.ContainsFunc(p.marks, func(m uint8) bool { return m&isSaved != 0 })
}

func (p *pane) reset() {
	p.table.reset()
	for _, a := range p.accs {
		if a != nil {
			a.reset()
		}
	}
	p.rows, p.owned, p.marks = shrink(p.mem, p.rows), shrink(p.mem, p.owned), shrink(p.mem, p.marks)
	p.changed, p.unsaved = shrink(p.mem, p.changed), shrink(p.mem, p.unsaved)
	p.total = 0
}

func (p *pane) close() {
	p.table.close()
	for _, a := range p.accs {
		if a != nil {
			a.close()
		}
	}
	batch.FreeSlice(p.mem, p.rows)
	batch.FreeSlice(p.mem, p.owned)
	batch.FreeSlice(p.mem, p.marks)
	batch.FreeSlice(p.mem, p.changed)
	batch.FreeSlice(p.mem, p.unsaved)
	p.rows, p.owned, p.marks, p.changed, p.unsaved = nil, nil, nil, nil, nil
}

// paneSet is panes in order of start, and some empty ones to be used again.
type paneSet struct {
	fresh func() *pane
	panes []*pane
	free  []*pane
	last  int // index of the pane that was found last
}

// maxFreePanes bounds the empty panes that are kept.
const maxFreePanes = 8

// at returns the pane that starts at start, a new one if need be.
func (s *paneSet) at(start int64) *pane {
	if s.last < len(s.panes) && s.panes[s.last].start == start {
		return s.panes[s.last]
	}
	i := s.from(start)
	s.last = i
	if i < len(s.panes) && s.panes[i].start == start {
		return s.panes[i]
	}
	var p *pane
	if n := len(s.free); n > 0 {
		p = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		p = s.fresh()
	}
	p.start = start
	s.panes = slices.Insert(s.panes, i, p)
	return p
}

// from returns the index of the first pane that does not start before start.
func (s *paneSet) from(start int64) int {
	i, _ := slices.BinarySearchFunc(s.panes, start, func(p *pane, start int64) int {
		switch {
		case p.start < start:
			return -1
		case p.start > start:
			return 1
		}
		return 0
	})
	return i
}

// between returns the panes that start in [from, to).
func (s *paneSet) between(from, to int64) []*pane { return s.panes[s.from(from):s.from(to)] }

// drop takes the first n panes out.
func (s *paneSet) drop(n int) {
	s.panes = slices.Delete(s.panes, 0, n)
	s.last = 0
}

// recycle keeps p to be used again, or releases it.
func (s *paneSet) recycle(p *pane) {
	if len(s.free) >= maxFreePanes {
		p.close()
		return
	}
	p.reset()
	s.free = append(s.free, p)
}

func (s *paneSet) reset() {
	for _, p := range s.panes {
		s.recycle(p)
	}
	s.panes, s.last = s.panes[:0], 0
}

func (s *paneSet) close() {
	for _, p := range s.panes {
		p.close()
	}
	for _, p := range s.free {
		p.close()
	}
	s.panes, s.free = nil, nil
}
