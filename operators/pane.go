package operators

import (
	"unsafe"

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
	rec   *records
	accs  []accumulator // nil for count(*)
	sum   int           // index of the first intSum in accs, -1 if none
	// spread has three of accs that are added together, if hasSpread.
	spread    spread
	hasSpread bool
	// owned has, of a window kept apart, how many rows have no later window: each row is in the ledger once.
	owned []int64
	total int64 // rows in the ledger

	// Of a partial.
	scatter *scatter // rows that are not in table; nil if they can't be scattered
	sealed  *sealed

	// Of the state.
	marks     []uint8
	changed   []int32 // groups marked isChanged: since they came out last
	fresh     []int32 // groups marked isFresh: those of the running interval, where changed ones do not come out at its end
	unsaved   []int32 // groups marked isUnsaved: changed since the last Snapshot, which had them
	changedAt []int64 // where Early is set: the end of the interval in which a group changed last
	numSaved  int     // groups that a Snapshot has had: those before this one
	isLoose   bool    // in shard.loose
	// packed has, of a compact pane with shared keys, its records, and behind them the numbers of its keys.
	packed *arenaChunk

	touched int32 // scratch of a partial's Add: index in its list plus one, 0 if not in it
}

// sealed has the groups of a pane in order of shards, and within a shard in order of slots: those of shard s are
// order[ends[s]:ends[s+1]].
type sealed struct {
	order []int32
	ends  [NumShards + 1]int32

	ids    []int32 // scratch
	shards []uint8
}

const (
	isChanged uint8 = 1 << iota
	isUnsaved
	isFresh
)

func newPane(mem memory.Allocator, keys []arrow.DataType, aggs []AggSpec, room int) *pane {
	return newPaneOver(newGroupTable(mem, keys, room), mem, aggs)
}

// newPaneOver returns an empty pane with a table.
func newPaneOver(table groupTable, mem memory.Allocator, aggs []AggSpec) *pane {
	p := &pane{mem: mem, table: table, sum: -1}
	p.accs, p.rec = newAccumulators(mem, aggs)
	for i, a := range p.accs {
		if _, ok := a.(*intSum); ok && p.sum < 0 {
			p.sum = i
		}
	}
	p.spread, p.hasSpread = findSpread(aggs, p.accs)
	return p
}

// grow makes room for the groups that the table has.
func (p *pane) grow() { p.growTo(p.table.len()) }

// growTo makes room for n groups.
func (p *pane) growTo(n int) {
	if n*p.rec.width <= len(p.rec.words) {
		return
	}
	p.rec.grow(n)
	for _, a := range p.accs {
		if a != nil {
			a.grow(n)
		}
	}
}

// add adds rows of args, those of sel or the first ones, to groups.
func (p *pane) add(args []arrow.Array, sel, groups []int32) {
	if p.hasSpread && p.spread.add(p.rec, args[p.spread.arg], sel, groups) {
		for i, a := range p.accs {
			if a != nil && !p.spread.has(a) {
				a.add(args[i], sel, groups)
			}
		}
		return
	}
	counted := -1
	if p.sum >= 0 {
		if arg := args[p.sum]; arg.DataType().ID() == arrow.INT64 && arg.NullN() == 0 {
			p.accs[p.sum].(*intSum).addCounted(batch.Int64s(arg), sel, groups)
			counted = p.sum
		}
	}
	if counted < 0 {
		p.rec.count(groups)
	}
	for i, a := range p.accs {
		if a != nil && i != counted {
			a.add(args[i], sel, groups)
		}
	}
}

// merge adds groups ids of src to groups.
func (p *pane) merge(src *pane, ids, groups []int32) {
	p.rec.merge(src.rec, ids, groups)
	for i, a := range p.accs {
		if a != nil {
			a.merge(src.accs[i], ids, groups)
		}
	}
}

// subtract takes out what merge added.
func (p *pane) subtract(src *pane, ids, groups []int32) {
	p.rec.subtract(src.rec, ids, groups)
	for i, a := range p.accs {
		if a != nil {
			a.subtract(src.accs[i], ids, groups)
		}
	}
}

// seal puts the groups in order of shards.
func (p *pane) seal() {
	if p.sealed == nil {
		p.sealed = &sealed{}
	}
	s, n := p.sealed, p.table.len()
	s.ids = p.table.inOrder(batch.GrowSlice(p.mem, s.ids[:0], n)[:0])
	s.shards = batch.GrowSlice(p.mem, s.shards[:0], n)
	s.order = batch.GrowSlice(p.mem, s.order[:0], n)
	p.table.shards(s.shards)
	clear(s.ends[:])
	for _, shard := range s.shards {
		s.ends[shard+1]++
	}
	for shard := range NumShards {
		s.ends[shard+1] += s.ends[shard]
	}
	next := s.ends
	for _, id := range s.ids {
		shard := s.shards[id]
		s.order[next[shard]] = id
		next[shard]++
	}
}

// ofShard returns the groups of a shard.
func (s *sealed) ofShard(shard int) []int32 { return s.order[s.ends[shard]:s.ends[shard+1]] }

// mark notes that groups changed.
func (p *pane) mark(groups []int32, needsChanged bool) {
	if p.numSaved == 0 && !needsChanged {
		return // all groups are to be saved
	}
	p.marks = growZero(p.mem, p.marks, p.table.len())
	unsaved, changed := len(p.unsaved), len(p.changed)
	p.unsaved = batch.GrowSlice(p.mem, p.unsaved, min(unsaved+len(groups), p.table.len())) // a group is in it once
	if needsChanged {
		p.changed = batch.GrowSlice(p.mem, p.changed, min(changed+len(groups), p.table.len()))
	}
	for _, g := range groups {
		m := p.marks[g]
		if m&isUnsaved == 0 && int(g) < p.numSaved {
			p.unsaved[unsaved] = g
			unsaved++
			m |= isUnsaved
		}
		if needsChanged && m&isChanged == 0 {
			p.changed[changed] = g
			changed++
			m |= isChanged
		}
		p.marks[g] = m
	}
	p.unsaved, p.changed = p.unsaved[:unsaved], p.changed[:changed]
}

func (p *pane) clearChanged() {
	for _, g := range p.changed {
		p.marks[g] &^= isChanged
	}
	p.changed = p.changed[:0]
}

// numUnsaved returns how many groups the next Snapshot has.
func (p *pane) numUnsaved(full bool) int {
	if full {
		return p.table.len()
	}
	return len(p.unsaved) + p.table.len() - p.numSaved
}

// markSaved notes that a Snapshot has had all groups.
func (p *pane) markSaved() {
	for _, g := range p.unsaved {
		p.marks[g] &^= isUnsaved
	}
	p.unsaved, p.numSaved = p.unsaved[:0], p.table.len()
}

// compact gives back what a pane does not need that no row is expected for. Where keys are shared, records and numbers of keys
// go to the arena of the shard.
func (p *pane) compact() {
	p.table.compact()
	t, ok := p.table.(*memberTable)
	if !ok || len(t.ids) == 0 || p.packed != nil {
		p.rec.words = trim(p.mem, p.rec.words)
		return
	}
	words, n := len(p.rec.words), len(t.ids)
	packed, chunk := t.keys.arena.take(words + (n+1)/2)
	copy(packed, p.rec.words)
	ids := unsafe.Slice((*int32)(unsafe.Pointer(&packed[words])), n)
	copy(ids, t.ids)
	batch.FreeSlice(p.mem, t.ids)
	batch.FreeSlice(p.mem, p.rec.words)
	p.rec.words, t.ids, p.packed = packed[:words:words], ids, chunk
}

// loosen undoes compact, before anything is added.
func (p *pane) loosen() {
	if p.packed == nil {
		return
	}
	t := p.table.(*memberTable)
	t.ids = batch.AppendSlice(p.mem, nil, t.ids...)
	p.rec.words = batch.AppendSlice(p.mem, nil, p.rec.words...)
	t.keys.arena.give(p.packed)
	p.packed = nil
}

// keepKeys gives everything back but the keys.
func (p *pane) keepKeys() {
	p.loosen()
	p.table.compact()
	p.closeValues()
}

func (p *pane) reset() {
	p.unpack()
	p.table.reset()
	p.resetValues()
}

// resetValues forgets all but the table.
func (p *pane) resetValues() {
	for _, a := range p.accs {
		if a != nil {
			a.reset()
		}
	}
	p.rec.words = shrink(p.mem, p.rec.words)
	if p.scatter != nil {
		p.scatter.reset()
	}
	p.owned, p.marks = shrink(p.mem, p.owned), shrink(p.mem, p.marks)
	p.changed, p.unsaved, p.fresh = shrink(p.mem, p.changed), shrink(p.mem, p.unsaved), shrink(p.mem, p.fresh)
	p.changedAt = shrink(p.mem, p.changedAt)
	p.total, p.numSaved, p.isLoose = 0, 0, false
}

// unpack gives records and numbers of keys back where they are packed.
func (p *pane) unpack() {
	if p.packed != nil {
		t := p.table.(*memberTable)
		t.keys.release(t.ids)
		t.ids, p.rec.words = nil, nil
		t.keys.arena.give(p.packed)
		p.packed = nil
	}
}

func (p *pane) close() {
	p.unpack()
	p.table.close()
	p.closeValues()
	if p.scatter != nil {
		p.scatter.close()
	}
	if s := p.sealed; s != nil {
		batch.FreeSlice(p.mem, s.order)
		batch.FreeSlice(p.mem, s.ids)
		batch.FreeSlice(p.mem, s.shards)
		p.sealed = nil
	}
}

func (p *pane) closeValues() {
	for _, a := range p.accs {
		if a != nil {
			a.close()
		}
	}
	batch.FreeSlice(p.mem, p.rec.words)
	batch.FreeSlice(p.mem, p.owned)
	batch.FreeSlice(p.mem, p.marks)
	batch.FreeSlice(p.mem, p.changed)
	batch.FreeSlice(p.mem, p.unsaved)
	batch.FreeSlice(p.mem, p.fresh)
	batch.FreeSlice(p.mem, p.changedAt)
	p.rec.words, p.owned, p.marks, p.changed, p.unsaved, p.fresh, p.changedAt = nil, nil, nil, nil, nil, nil, nil
}
