package operators

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// aggPartial is one worker's part of an aggregate: for each pane its groups with their accumulators.
type aggPartial struct {
	spec   *AggregateSpec
	mem    memory.Allocator
	window windowing
	late   func(rows int)
	zero   func() batch.Time // until the windows are aligned to it, else nil
	// hasLate says that rows have watermarks of the window's time.
	hasLate bool
	err     error // of making the expressions
	time    expr.Expr
	keys    []expr.Expr
	args    []expr.Expr // nil for count(*)

	// Rows of the running interval.
	panes   paneSet
	windows paneSet // rows that are late for some of their windows only, per window
	used    bool
	// scattered is how many bytes of rows were scattered, and isWide says that those of the interval before were, so that this one
	// begins so.
	scattered int
	isWide    bool
	intervals int

	// Scratch of a batch.
	bad     badRows
	sel     []int32
	groups  []int32
	keyArrs []arrow.Array
	argArrs []arrow.Array
	times   []int64
	// extent is that of the times of all rows that are added, or of more rows. isExtentKnown says that checkTimes found it.
	extent        extent
	isExtentKnown bool
	pairRows      []int32 // rows with the pane that they go to; a row may have several
	pairPanes     []int32
	touched       []*pane
	counts        []int32
	bucketed      []int32
}

var _ Partial = (*aggPartial)(nil)

func newPartial(spec *AggregateSpec, keyTypes []arrow.DataType, hasLate bool, env Env) *aggPartial {
	p := &aggPartial{
		spec: spec, mem: env.Mem, late: env.Late, hasLate: hasLate,
		keyArrs: make([]arrow.Array, len(spec.Keys)), argArrs: make([]arrow.Array, len(spec.Aggs)),
	}
	fresh := func() *pane { return newPane(env.Mem, keyTypes, spec.Aggs, wideRoom) }
	p.panes.fresh, p.windows.fresh = func() *pane {
		pn := fresh()
		pn.scatter = newScatter(env.Mem, keyTypes, spec.Aggs)
		return pn
	}, fresh
	p.bad.init(env)
	if spec.Window != nil {
		p.window = newWindowing(spec.Window)
		if spec.Window.FromStart {
			p.zero = env.Zero
		}
		if p.time, p.err = expr.New(env.Mem, spec.Window.Time); p.err != nil {
			return p
		}
	}
	if p.keys, p.err = newExprs(env.Mem, spec.Keys); p.err != nil {
		return p
	}
	p.args = make([]expr.Expr, len(spec.Aggs))
	for i, a := range spec.Aggs {
		if a.Arg == nil {
			continue
		}
		if p.args[i], p.err = newArgument(env.Mem, &a); p.err != nil {
			return p
		}
	}
	return p
}

// Add adds the live rows of in to their panes.
func (p *aggPartial) Add(ctx context.Context, in batch.Batch) error {
	if p.err != nil {
		return p.err
	}
	p.used = true
	if p.zero != nil {
		p.window.alignTo(p.zero())
		p.zero = nil
	}
	p.bad.begin(&in)
	var times arrow.Array
	var err error
	if p.time != nil {
		if times, err = p.time.Eval(ctx, in, p.bad.note); err != nil {
			return err
		}
		p.checkTimes(&in, times)
	}
	for i, e := range p.keys {
		if p.keyArrs[i], err = e.Eval(ctx, in, p.bad.note); err != nil {
			return err
		}
	}
	for i, e := range p.args {
		if e == nil {
			continue
		}
		if p.argArrs[i], err = e.Eval(ctx, in, p.bad.note); err != nil {
			return err
		}
	}
	sel := p.bad.narrow(&in, &p.sel)
	n := in.NumRows()
	if sel != nil {
		n = len(sel)
	}
	if n == 0 {
		return nil
	}
	if p.time == nil {
		p.addRows(p.panes.at(0), sel, n)
		return nil
	}
	p.times = batch.Int64s(times)
	if !p.isExtentKnown {
		p.extent = extentOf(p.times, sel, n)
	}
	p.addWindowed(&in, sel, n)
	return nil
}

// addRows adds n rows, those of sel or the first n, to a pane.
func (p *aggPartial) addRows(to *pane, sel []int32, n int) {
	if p.scatters(to, n) {
		p.scattered += to.scatter.add(p.keyArrs[0], p.argArrs, sel, n)
		to.total += int64(n)
		return
	}
	p.groups = batch.GrowSlice(p.mem, p.groups, n)
	groups := p.groups
	to.table.lookup(p.keyArrs, sel, groups)
	to.grow()
	to.add(p.argArrs, sel, groups)
	to.total += int64(n)
}

// scatters says whether n rows for a pane are scattered.
func (p *aggPartial) scatters(to *pane, n int) bool {
	return to.scatter != nil && (p.isWide || to.table.len() >= scatterGroups) && n >= minScatterRows &&
		p.scattered < maxScattered && to.scatter.takes(p.keyArrs[0])
}

func (p *aggPartial) addWindowed(in *batch.Batch, sel []int32, n int) {
	if in.Origin.Watermarks != nil && p.hasLate && p.mayBeLate(in) {
		p.assignLate(in, sel, n)
		p.addPairs()
		return
	}
	if at, ok := p.onlyPane(); ok {
		if p.window.has(at) {
			p.addRows(p.panes.at(at), sel, n)
		}
		return
	}
	p.assign(sel, n)
	p.addPairs()
}

// mayBeLate says whether any of the rows may be late for any window: whether the first one that the earliest row is in ends before
// the largest watermark of all rows.
func (p *aggPartial) mayBeLate(in *batch.Batch) bool {
	bound := batch.MinTime
	for _, w := range in.Origin.Watermarks {
		bound = max(bound, w)
	}
	return p.window.firstStart(p.window.paneOf(p.extent.smallest))+p.window.size <= int64(bound.Sub(p.spec.Window.Lateness))
}

// onlyPane returns the start of the pane that all rows are in, if that is one.
func (p *aggPartial) onlyPane() (start int64, ok bool) {
	start = p.window.paneOf(p.extent.smallest)
	return start, p.extent.largest-start < p.window.pane
}

// assign pairs each row with its pane.
func (p *aggPartial) assign(sel []int32, n int) {
	p.reservePairs(n)
	start, index := int64(0), int32(noPane) // of the pane of the row before
	for k := range n {
		i := rowOf(sel, k)
		if t := p.times[i]; index == noPane || t < start || t >= start+p.window.pane {
			start, index = p.window.paneOf(t), inGap
			if p.window.has(t) {
				index = p.touch(p.panes.at(start))
			}
		}
		if index != inGap {
			p.pairRows = append(p.pairRows, int32(i))
			p.pairPanes = append(p.pairPanes, index)
		}
	}
}

// reservePairs makes room for n pairs.
func (p *aggPartial) reservePairs(n int) {
	p.pairRows = batch.GrowSlice(p.mem, p.pairRows, n)[:0]
	p.pairPanes = batch.GrowSlice(p.mem, p.pairPanes, n)[:0]
}

// assignLate pairs rows some of which may be late: a row counts for a window whose end, plus lateness, is after the watermark of
// the row. One that counts for all of its windows goes to its pane; one that counts for some goes to each of these windows.
func (p *aggPartial) assignLate(in *batch.Batch, sel []int32, n int) {
	w, late := &p.window, 0
	var start, firstEnd, lastEnd int64 // of the pane of the row before, and of the windows that it is in
	index := int32(noPane)
	p.reservePairs(n)
	for k := range n {
		i := rowOf(sel, k)
		t := p.times[i]
		if index == noPane || t < start || t >= start+w.pane {
			start, index = w.paneOf(t), notTouched
			firstEnd, lastEnd = w.firstStart(start)+w.size, w.lastStart(start)+w.size
			if !w.has(t) {
				index = inGap
			}
		}
		if index == inGap {
			continue
		}
		bound := int64(in.Origin.RowWatermark(i).Sub(p.spec.Window.Lateness))
		switch {
		case firstEnd > bound:
			if index == notTouched {
				index = p.touch(p.panes.at(start))
			}
			p.pairRows = batch.AppendSlice(p.mem, p.pairRows, int32(i))
			p.pairPanes = batch.AppendSlice(p.mem, p.pairPanes, index)
		case lastEnd <= bound:
			late++
		default:
			for s := w.firstStart(bound); s+w.size <= lastEnd; s += w.slide {
				p.pair(i, p.windows.at(s))
			}
		}
	}
	if late > 0 && p.late != nil {
		p.late(late)
	}
}

// What is known of a pane, instead of its index in touched.
const (
	noPane     = -1 - iota // nothing: there is no row before
	notTouched             // it has no row of this batch
	inGap                  // it is in no window
)

func (p *aggPartial) pair(row int, to *pane) {
	p.pairRows = batch.AppendSlice(p.mem, p.pairRows, int32(row))
	p.pairPanes = batch.AppendSlice(p.mem, p.pairPanes, p.touch(to))
}

// touch returns the index of a pane in p.touched.
func (p *aggPartial) touch(to *pane) int32 {
	if to.touched == 0 {
		p.touched = append(p.touched, to)
		to.touched = int32(len(p.touched))
	}
	return to.touched - 1
}

// addPairs adds rows to the panes that they were paired with, a pane at a time, rows in order.
func (p *aggPartial) addPairs() {
	p.counts = batch.GrowSlice(p.mem, p.counts, len(p.touched)+1)
	clear(p.counts)
	for _, at := range p.pairPanes {
		p.counts[at+1]++
	}
	for i := range p.touched {
		p.counts[i+1] += p.counts[i]
	}
	p.bucketed = batch.GrowSlice(p.mem, p.bucketed, len(p.pairRows))
	for k, at := range p.pairPanes {
		p.bucketed[p.counts[at]] = p.pairRows[k]
		p.counts[at]++
	}
	from := int32(0)
	for i, to := range p.touched {
		to.touched = 0
		rows := p.bucketed[from:p.counts[i]]
		from = p.counts[i]
		p.addRows(to, rows, len(rows))
		if at := p.windows.from(to.start); at < len(p.windows.panes) && p.windows.panes[at] == to {
			p.own(to, rows)
		}
	}
	p.pairRows, p.pairPanes, p.touched = p.pairRows[:0], p.pairPanes[:0], p.touched[:0]
}

// own counts, of rows kept apart for a window, those that have no later window.
func (p *aggPartial) own(to *pane, rows []int32) {
	to.owned = growZero(to.mem, to.owned, to.table.len())
	to.total -= int64(len(rows))
	for k, i := range rows {
		if p.window.lastStart(p.times[i]) == to.start {
			to.owned[p.groups[k]]++
			to.total++
		}
	}
}

// Seal puts the groups in order of shards.
func (p *aggPartial) Seal() {
	for _, s := range [...]*paneSet{&p.panes, &p.windows} {
		for _, pn := range s.panes {
			pn.seal()
		}
	}
}

// Reset forgets the rows.
func (p *aggPartial) Reset() {
	p.intervals++
	p.isWide, p.scattered = p.scattered > 0 && p.intervals%probeEvery != 0 || p.isSparse(), 0
	p.panes.reset()
	p.windows.reset()
	p.used = false
}

// isSparse says that the rows of the interval have nearly as many groups, so that tables only cost.
func (p *aggPartial) isSparse() bool {
	rows, groups := int64(0), 0
	for _, pn := range p.panes.panes {
		rows += pn.total
		groups += pn.table.len()
	}
	return groups >= sparseGroups && int64(groups) > rows/2
}

// Close releases all memory.
func (p *aggPartial) Close() {
	p.panes.close()
	p.windows.close()
	if p.time != nil {
		p.time.Close()
	}
	closeExprs(p.keys)
	closeExprs(p.args)
	for _, s := range [...]*[]int32{&p.groups, &p.pairRows, &p.pairPanes, &p.counts, &p.bucketed} {
		batch.FreeSlice(p.mem, *s)
		*s = nil
	}
}
