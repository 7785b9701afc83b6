package operators

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// aggregate groups rows by keys, and by windows of time where it has one. Its state is divided into shards by key, each shard
// into panes, each pane has a table of groups and their accumulators. Memory grows with (pane, group) pairs; a pane is released
// as a whole when the last of its windows is final.
//
// Windows that are final come out in order of their ends. A tumbling window is one pane; a sliding one is merged of its panes,
// or, where all aggregates can be subtracted exactly, made of the window before it.
type aggregate struct {
	schema   *arrow.Schema
	name     string
	spec     *AggregateSpec
	env      Env
	window   windowing
	keyTypes []arrow.DataType
	tables   []StateTable
	// stateSizes has, per aggregate, how many columns its state has.
	stateSizes []int
	// isUnaligned says that windows begin at the start of the stream, which is not known before the first interval.
	isUnaligned bool
	// runs says that a window is made of the one before it.
	runs bool
	// stacks says that it is made of three parts that are kept.
	stacks bool
	// closes says that the window's time has a watermark. Without one nothing tells that the rows of a window are complete,
	// whatever the watermark of the input, which is that of another column: windows then close at the end.
	closes bool

	// State.
	mem    *meter
	shards [NumShards]shard
	// bound is how far windows are closed: those that end at or before it are final. It is part of the state where panes outlive
	// the first of their windows.
	bound      batch.Time
	savedBound batch.Time
	// passed is how far the watermark has come: windows that end at or before it have come out once, where Early is set. Lateness
	// is between it and bound.
	passed, savedPassed batch.Time
	// lastTick is the end of the interval in which running windows came out last. isRestored says that groups that changed after it
	// are not marked yet.
	lastTick, savedTick batch.Time
	isRestored          atomic.Bool
	dirty               atomic.Bool // something changed in this interval

	// Scratch.
	interval batch.Interval
	own      *aggPartial // rows that came by Process
	emitter  emitter
	merged   *pane
	whole    *pane // of the groups of a stackedWindow
	wholeIDs []int32
	ids      []int32
	found    []int32
	foundIn  []int32
	starts   []int64
	saver    saver
}

// shard is the state of the keys of one shard. Shards are absorbed concurrently.
type shard struct {
	panes   paneSet
	windows paneSet    // rows kept apart, per window
	keys    sharedKeys // of panes, where windows slide
	running runningWindow
	stacked stackedWindow
	held    int64
	retired int64
	// gone are panes whose groups a Snapshot has had, until the next one tells of their end.
	gone, goneWindows []*pane
	// loose are panes of sliding windows that had rows since they were last made compact.
	loose []*pane

	groups []int32 // scratch
}

var (
	_ Keyed    = (*aggregate)(nil)
	_ Stateful = (*aggregate)(nil)

	_ ShardedState = (*aggregate)(nil)
)

// NewAggregate returns the operator for spec. Its state is kept under name; schema is what it emits.
func NewAggregate(name string, spec *AggregateSpec, schema *arrow.Schema, env Env) (Operator, error) {
	if err := validateAggregate(name, spec); err != nil {
		return nil, err
	}
	a := &aggregate{
		schema: schema, name: name, spec: spec, env: env, mem: &meter{Allocator: env.Mem},
		bound: batch.MinTime, savedBound: batch.MinTime, passed: batch.MinTime, savedPassed: batch.MinTime,
		lastTick: batch.MinTime, savedTick: batch.MinTime, keyTypes: keyTypes(spec.Keys),
	}
	for i, t := range a.keyTypes {
		if !isKeyType(t) {
			return nil, fmt.Errorf("%s: cannot group by %s: it is %s", name, spec.Keys[i], batch.TypeName(t))
		}
	}
	columns := len(spec.Keys) + len(spec.Aggs)
	if spec.Window != nil {
		a.window, a.isUnaligned = newWindowing(spec.Window), spec.Window.FromStart
		columns += 2
	}
	if schema.NumFields() != columns {
		return nil, fmt.Errorf("%s: %d columns, schema has %d", name, columns, schema.NumFields())
	}
	if spec.Window != nil {
		a.closes = spec.Window.Arrival || schema.Field(1).HasMetadata() && schema.Field(1).Metadata.FindKey(TimeKey) >= 0
	}
	a.own = newPartial(spec, a.keyTypes, a.hasLate(), env)
	if a.own.err != nil {
		a.own.Close()
		return nil, fmt.Errorf("%s: %w", name, a.own.err)
	}
	a.tables = aggregateTables(name, spec)
	_, a.stateSizes = stateFields(spec.Aggs)
	fresh := func() *pane { return newPane(a.mem, a.keyTypes, spec.Aggs, denseRoom) }
	for i := range a.shards {
		sh := &a.shards[i]
		sh.panes.fresh, sh.windows.fresh = fresh, fresh
		if spec.Window != nil && a.window.isSliding() {
			sh.keys.init(a.mem, i, a.keyTypes)
			sh.panes.fresh = func() *pane { return newPaneOver(&memberTable{keys: &sh.keys}, a.mem, spec.Aggs) }
		}
	}
	a.merged = newPane(env.Mem, a.keyTypes, spec.Aggs, denseRoom)
	a.runs = spec.Window != nil && a.window.isSliding() && spec.Mode == Append
	for _, acc := range a.merged.accs {
		if acc != nil {
			a.runs = a.runs && (acc.canSubtract() || a.window.most > 0)
		}
	}
	a.whole = newPaneOver(nil, env.Mem, spec.Aggs)
	if spec.Window != nil && spec.Mode == Append && !a.runs {
		slides := a.window.size / a.window.slide
		a.stacks = slides >= minStackedSlides
		for i := range a.shards {
			a.shards[i].stacked.phase = int64(i) * slides / NumShards
		}
	}
	a.emitter.init(a)
	if spec.isKeyless() {
		a.makeOnlyGroup()
	}
	return a, nil
}

// makeOnlyGroup makes the group that exists from the start where there are no keys.
func (a *aggregate) makeOnlyGroup() {
	pn := a.shards[ShardOf(nil)].panes.at(0)
	var group [1]int32
	pn.table.lookup(nil, nil, group[:])
	pn.grow()
	pn.mark(group[:], false)
	a.dirty.Store(true)
}

// Schema is the schema of every batch that it emits.
func (a *aggregate) Schema() *arrow.Schema { return a.schema }

// BeginInterval notes the interval.
func (a *aggregate) BeginInterval(iv batch.Interval) error {
	a.interval = iv
	a.emitter.sequence = 0
	if a.isUnaligned {
		a.window.alignTo(iv.Zero)
		a.isUnaligned = false
	}
	return nil
}

// Process adds the rows of in to a partial of its own.
func (a *aggregate) Process(ctx context.Context, _ int, in batch.Batch, _ batch.Emit) error {
	return a.own.Add(ctx, in)
}

// NewPartial returns one worker's accumulator.
func (a *aggregate) NewPartial() Partial {
	return newPartial(a.spec, a.keyTypes, a.hasLate(), a.env)
}

// hasLate says whether the watermarks of rows are those of the window's time.
func (a *aggregate) hasLate() bool { return a.closes && !a.spec.Window.Arrival }

// Absorb adds one shard's part of p to the state.
func (a *aggregate) Absorb(_ context.Context, index int, p Partial) error {
	part, sh := p.(*aggPartial), &a.shards[index]
	for _, src := range part.panes.panes {
		ids, isScattered := src.sealed.ofShard(index), src.scatter != nil && src.scatter.shards[index].rows > 0
		if len(ids) > 0 || isScattered {
			to := sh.panes.at(src.start)
			if len(ids) > 0 {
				sh.held += a.absorb(sh, to, src, ids)
			}
			if isScattered {
				sh.held += a.addScattered(sh, to, src.scatter, index)
			}
			sh.running.forget(src.start)
			sh.stacked.forget(src.start)
			a.noteLoose(sh, to)
		}
	}
	for _, src := range part.windows.panes {
		if ids := src.sealed.ofShard(index); len(ids) > 0 {
			sh.held += a.absorb(sh, sh.windows.at(src.start), src, ids)
		}
	}
	return nil
}

// absorb adds groups ids of src to a pane, and returns how many rows the ledger has more.
func (a *aggregate) absorb(sh *shard, to, src *pane, ids []int32) (rows int64) {
	sh.groups = batch.GrowSlice(a.mem, sh.groups, len(ids))
	to.loosen()
	to.table.lookupFrom(src.table, ids, true, sh.groups)
	to.grow()
	to.merge(src, ids, sh.groups)
	if src.owned == nil {
		for _, id := range ids {
			rows += src.rec.rows(id)
		}
	} else {
		to.owned = growZero(to.mem, to.owned, to.table.len())
		for k, id := range ids {
			to.owned[sh.groups[k]] += src.owned[id]
			rows += src.owned[id]
		}
	}
	to.total += rows
	a.markChanged(to, sh.groups)
	a.dirty.Store(true)
	return rows
}

// EndInterval emits what is final, or what changed. The watermark that it returns is, for a window, the end of the first window
// that can still come out: a row that comes has window.end at or after it, so that a window downstream over window.end may
// close as soon as it ends there. A window over a time that has no watermark promises nothing before the end. Complete results,
// and those without a window, return the watermark of the input.
func (a *aggregate) EndInterval(ctx context.Context, in []batch.Time, emit batch.Emit) (batch.Time, error) {
	if err := a.absorbOwn(ctx); err != nil {
		return 0, err
	}
	watermark := minTime(in)
	a.emitter.begin(emit)
	var err error
	switch {
	case a.spec.Window == nil:
		err = a.endGroups()
	case a.spec.Mode == Complete:
		if a.dirty.Load() {
			err = a.emitWindows(ctx, math.MaxInt64, false)
		}
	default:
		watermark, err = a.endWindows(ctx, watermark)
	}
	if err != nil {
		return 0, err
	}
	a.dirty.Store(false)
	return watermark, nil
}

func (a *aggregate) absorbOwn(ctx context.Context) error {
	if !a.own.used {
		return nil
	}
	a.own.Seal()
	for s := range NumShards {
		if err := a.Absorb(ctx, s, a.own); err != nil {
			return err
		}
	}
	a.own.Reset()
	return nil
}

// evict lets panes go that no open window needs.
func (a *aggregate) evict(sh *shard) {
	n := 0
	for _, p := range sh.panes.panes {
		if a.isOpen(a.window.lastStart(p.start)) {
			break
		}
		n++
		sh.letGo(&sh.panes, p, &sh.gone)
	}
	sh.panes.drop(n)
	n = 0
	for _, p := range sh.windows.panes {
		if a.isOpen(p.start) {
			break
		}
		n++
		sh.letGo(&sh.windows, p, &sh.goneWindows)
	}
	sh.windows.drop(n)
}

// noteLoose notes that a pane had rows since it was made compact.
func (a *aggregate) noteLoose(sh *shard, p *pane) {
	if a.spec.Window != nil && a.window.isSliding() && !p.isLoose {
		p.isLoose = true
		sh.loose = append(sh.loose, p)
	}
}

// tidy makes panes compact that no row is expected for, because they end at or before watermark.
func (a *aggregate) tidy(sh *shard, watermark int64) {
	left := sh.loose[:0]
	for _, p := range sh.loose {
		switch {
		case !p.isLoose: // let go
		case p.start+a.window.pane > watermark:
			left = append(left, p)
		default:
			p.compact()
			p.isLoose = false
		}
	}
	clear(sh.loose[len(left):])
	sh.loose = left
}

// renumber lets keys go that no pane has any more, of as many shards as it takes to go through maxRenumbered groups of panes: when
// keys change all the time, shards come to it at the same time.
func (a *aggregate) renumber() {
	renumbered := 0
	for i := range a.shards {
		sh := &a.shards[i]
		if !sh.keys.isSparse() {
			continue
		}
		if renumbered > maxRenumbered {
			return
		}
		remap := sh.keys.renumber(a.keyTypes)
		for _, set := range [...][]*pane{sh.panes.panes, sh.gone} {
			for _, p := range set {
				t := p.table.(*memberTable)
				t.renumber(remap)
				renumbered += len(t.ids)
			}
		}
		sh.running.renumber(a, sh, remap)
		sh.stacked.close()
		batch.FreeSlice(a.mem, remap)
	}
}

// maxRenumbered is after how many groups of panes the next shard waits for the next interval: 3 ms.
const maxRenumbered = 1 << 20

func (a *aggregate) isOpen(start int64) bool { return start+a.window.size > int64(a.bound) }

func (sh *shard) letGo(set *paneSet, p *pane, gone *[]*pane) {
	sh.held -= p.total
	sh.retired += p.total
	p.isLoose = false
	if p.numSaved > 0 {
		p.keepKeys()
		*gone = append(*gone, p)
		return
	}
	set.recycle(p)
}

// Stats says how much state there is.
func (a *aggregate) Stats() StateStats {
	s := StateStats{Bytes: a.mem.used.Load()}
	for i := range a.shards {
		sh := &a.shards[i]
		s.Rows += sh.held
		s.Retired += sh.retired
		for _, p := range sh.panes.panes {
			s.Groups += int64(p.table.len())
			s.Unsaved += int64(p.numUnsaved(false))
		}
		for _, p := range sh.windows.panes {
			s.Groups += int64(p.table.len())
			s.Unsaved += int64(p.numUnsaved(false))
		}
	}
	return s
}

// Close releases all memory.
func (a *aggregate) Close() {
	a.own.Close()
	a.merged.close()
	a.whole.closeValues()
	a.emitter.close()
	a.saver.close(a.env.Mem)
	for _, s := range [...]*[]int32{&a.ids, &a.found, &a.foundIn} {
		batch.FreeSlice(a.mem, *s)
		*s = nil
	}
	batch.FreeSlice(a.env.Mem, a.wholeIDs)
	for i := range a.shards {
		sh := &a.shards[i]
		sh.stacked.close()
		sh.panes.close()
		sh.windows.close()
		sh.running.close(a)
		for _, p := range append(sh.gone, sh.goneWindows...) {
			p.close()
		}
		sh.keys.close()
		sh.gone, sh.goneWindows, sh.loose = nil, nil, nil
		batch.FreeSlice(a.mem, sh.groups)
		sh.groups = nil
	}
}
