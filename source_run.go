package tidemill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/zeebo/xxh3"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/operators"
)

// defaultIdle is how long a split may be without rows before it is set aside.
const defaultIdle = 10 * time.Second

const (
	// defaultMaxAhead is how far a row of a source without end may be ahead of its arrival and still move the watermark: more than a
	// wrong time zone, so that a source whose clock is off altogether is not held for good, and less than a wrong date.
	defaultMaxAhead = 24 * time.Hour
	// neverAhead says that every row moves the watermark.
	neverAhead time.Duration = -1
)

// sourceSpec is a source as a front end describes it.
type sourceSpec struct {
	name      string
	source    ingest.Source
	format    ingest.Format
	limit     int64 // rows per interval, 0 for no limit
	idle      time.Duration
	maxAhead  time.Duration // 0: defaultMaxAhead where the source has no end, neverAhead elsewhere
	isJournal bool          // keep a journal if the source cannot replay
}

// sourceRun is a source while the engine runs.
type sourceRun struct {
	sourceSpec
	engine  *engine
	scan    *operators.ScanSpec
	node    *nodeRun
	limiter *ingest.Limiter

	ahead  atomic.Int64 // rows that did not move the watermark, see Status.Ahead
	behind atomic.Int64 // see Status.Behind

	mu      sync.Mutex
	splits  map[int32]*splitRun
	byName  map[string]*splitRun
	gone    []checkpoint.SplitState // of the last record, of splits that were not announced again
	ids     []int32                 // scratch
	readers int                     // splits that are being read or will be
	isOpen  bool                    // the source has announced what it knew at once
	closed  batch.Time              // the watermark that windows were closed by

	// Of splits that were forgotten.
	goneLargest, goneArrival batch.Time
}

func newSourceRun(e *engine, spec sourceSpec, node *nodeRun) *sourceRun {
	s := &sourceRun{
		sourceSpec: spec, engine: e, node: node, closed: batch.MinTime, goneLargest: batch.MinTime, goneArrival: batch.MinTime,
		splits: make(map[int32]*splitRun), byName: make(map[string]*splitRun),
	}
	if node != nil {
		s.scan = node.Spec.(*operators.ScanSpec)
	}
	if s.idle == 0 {
		s.idle = defaultIdle
	}
	if s.maxAhead == 0 {
		s.maxAhead = neverAhead
		if !s.source.Bounded() {
			s.maxAhead = defaultMaxAhead
		}
	}
	if spec.limit > 0 {
		s.limiter = ingest.NewLimiter(spec.limit, e.requestCut)
	}
	return s
}

// isJournaled says whether blocks of this source are journaled.
func (s *sourceRun) isJournaled() bool {
	return s.engine.log != nil && s.isJournal && !s.source.Replayable()
}

// restore takes the splits of the last record.
func (s *sourceRun) restore(r *checkpoint.Record) {
	if w, ok := r.Watermarks[s.name]; ok {
		s.closed = batch.Time(w)
	}
	for _, st := range r.Splits {
		if st.Source == s.name {
			if s.scan != nil && s.closed != batch.MinTime && s.closed != batch.MaxTime && st.LargestTime != int64(batch.MinTime) {
				// The delay may be longer than it was: windows that have closed stay closed.
				st.LargestTime = max(st.LargestTime, int64(s.closed.Sub(-s.scan.Delay)))
			}
			s.gone = append(s.gone, st)
		}
	}
}

// positions returns where each split goes on.
func (s *sourceRun) positions() map[string]ingest.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	after := make(map[string]ingest.Position)
	for _, st := range s.gone {
		after[st.Name] = positionOf(st)
	}
	for name, sp := range s.byName {
		after[name] = sp.pos
	}
	return after
}

func positionOf(st checkpoint.SplitState) ingest.Position {
	return ingest.Position{
		Upto: ingest.Offset{Pos: st.Pos, Tag: st.Tag}, Rows: st.Rows, Lines: st.Lines, Ended: st.Ended,
	}
}

// split returns the split of a name, new or as the last record or the journal left it. s.mu is held.
func (s *sourceRun) splitLocked(name string) *splitRun {
	if sp := s.byName[name]; sp != nil {
		return sp
	}
	sp := &splitRun{id: s.engine.nextSplit.Add(1) - 1, key: splitKey(s.name, name), name: name, source: s}
	sp.lastBlock.Store(int64(s.engine.now()))
	largest, isNew := batch.MinTime, true
	for i, st := range s.gone {
		if st.Name == name {
			largest, isNew = batch.Time(st.LargestTime), st.Idle
			sp.pos = positionOf(st)
			s.gone = append(s.gone[:i], s.gone[i+1:]...)
			break
		}
	}
	sp.times.init(largest)
	if isNew { // windows have closed without it
		s.startAtClosed(sp)
	}
	sp.cutPos = sp.pos
	s.byName[name] = sp
	s.splits[sp.id] = sp
	s.engine.registerSplit(sp)
	return sp
}

// splitKey returns a number, not 0, that stands for a split in every run.
func splitKey(source, split string) uint64 { return max(1, xxh3.HashString(source+"\x00"+split)) }

// startAtClosed makes the rows of a split count only for windows that are still open.
func (s *sourceRun) startAtClosed(sp *splitRun) {
	if s.scan != nil && s.closed != batch.MinTime {
		sp.times.startAt(s.closed.Sub(-s.scan.Delay))
	}
}

// onSplit is what the source calls when a split appears or ends.
func (s *sourceRun) onSplit(ctx context.Context, ids map[int32]*splitRun, ev ingest.SplitEvent) {
	e := s.engine
	e.cutMu.Lock()
	defer e.cutMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if ev.Ended {
		if sp := ids[ev.Split]; sp != nil {
			sp.isEnded = true
		}
		return
	}
	sp := s.splitLocked(ev.Name)
	ids[ev.Split] = sp
	sp.isEnded, sp.sourceID = false, ev.Split
	start := sp.pos
	start.Upto = ev.Start
	if ev.Start != sp.pos.Upto { // the source starts elsewhere than the record says: a new generation of the split
		start.Rows, start.Lines = 0, 0
	}
	w := ingest.NewBlockWriter(ingest.WriterSpec{
		Split: sp.id, Source: s.name, Name: ev.Name, Start: start, Header: sp.header, Format: s.format, Wanted: s.wanted(),
		BlockBytes: e.cfg.BlockBytes, MaxRecord: e.cfg.MaxRecordBytes,
		Now:     e.now,
		Send:    func(ctx context.Context, b *ingest.Block) error { return e.send(ctx, sp, b) },
		Bad:     func(b ingest.BadRow) { s.onBadRecord(sp, b) },
		Limiter: s.limiter, Blocks: e.blocks, Hold: s.holder(),
	})
	w.Lock()
	w.SetIntervalLocked(e.running.ID, e.running.Start)
	w.Unlock()
	sp.writer, sp.wasRead = w, true
	s.readers++
	e.readers.Go(func() {
		err := s.source.Read(ctx, ev.Split, w)
		e.cutMu.Lock() // no cut must meet a closed writer
		s.mu.Lock()
		s.readers--
		sp.pos, sp.writer = w.Position(), nil
		if err == nil {
			sp.isEnded = true
			delete(ids, ev.Split)
		}
		s.mu.Unlock()
		e.cutMu.Unlock()
		w.Close()
		if err != nil && ctx.Err() == nil {
			e.fail(fmt.Errorf("read source %s: split %s: %w", s.name, ev.Name, err))
		}
		e.requestCheck()
	})
}

// wanted returns what the plan uses of the source's columns.
func (s *sourceRun) wanted() ingest.Wanted {
	if s.scan == nil {
		return ingest.Wanted{Columns: []arrow.Field{}}
	}
	return wantedOf(s.scan)
}

// holder returns what makes writers wait while the journal is full, nil if there is none.
func (s *sourceRun) holder() func() <-chan struct{} {
	if !s.isJournaled() {
		return nil
	}
	return s.engine.commits.held
}

// onBadRecord counts a record that did not become a row.
func (s *sourceRun) onBadRecord(sp *splitRun, b ingest.BadRow) {
	if s.node != nil {
		s.node.rowsIn.Add(1)
		s.node.bad.Add(1)
	}
	s.engine.bad.report(s.name, sp.name, b)
}

// open opens the source and leaves its readers behind.
func (s *sourceRun) open(ctx context.Context) error {
	ids := make(map[int32]*splitRun)
	if err := s.source.Open(ctx, s.positions(), func(ev ingest.SplitEvent) { s.onSplit(ctx, ids, ev) }); err != nil {
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("source %s: %w", s.name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isOpen = true
	if d, ok := s.source.(ingest.Discoverer); ok {
		s.engine.readers.Go(func() {
			select {
			case <-d.Complete():
				s.engine.requestCheck()
			case <-ctx.Done():
			}
		})
	}
	for _, sp := range s.byName {
		if !sp.wasRead { // it is in the journal, and did not come back
			sp.isEnded = true
		}
	}
	return nil
}

// hasEnded says that no row will come any more.
func (s *sourceRun) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hasEndedLocked()
}

func (s *sourceRun) hasEndedLocked() bool {
	if !s.isOpen || s.readers > 0 {
		return false
	}
	d, ok := s.source.(ingest.Discoverer)
	if !ok {
		return true
	}
	select {
	case <-d.Complete():
		return true
	default:
		return false
	}
}

// appendWriters appends the writers of all splits to all.
func (s *sourceRun) appendWriters(all []*ingest.BlockWriter) []*ingest.BlockWriter {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.splits {
		if sp.writer != nil {
			all = append(all, sp.writer)
		}
	}
	return all
}

// markCut notes what the interval that is being cut is going to commit. All writers are locked.
func (s *sourceRun) markCut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.engine.now()
	for _, sp := range s.splits {
		if sp.writer != nil {
			sp.pos = sp.writer.PositionLocked()
		}
		sp.cutPos, sp.cutEnded = sp.pos, sp.isEnded
		sp.cutIdle = s.canIdle() && !sp.isEnded && now-sp.arrival() >= batch.Time(s.idle.Microseconds())
	}
}

// canIdle says whether a quiet split is set aside: not while files are read, where quiet means slow.
func (s *sourceRun) canIdle() bool { return !s.source.Bounded() || !s.source.Replayable() }

// watermark returns the source's watermark at the end of the interval that was just cut. Workers stand still.
func (s *sourceRun) watermark() batch.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watermarkLocked()
	s.closed = max(s.closed, w)
	for _, sp := range s.splits {
		if sp.cutIdle {
			s.startAtClosed(sp)
		}
	}
	return s.closed
}

func (s *sourceRun) watermarkLocked() batch.Time {
	if !s.isOpen {
		return batch.MinTime
	}
	lowest := batch.MaxTime
	active, idle := 0, 0
	for _, sp := range s.splits {
		switch {
		case sp.cutEnded:
		case sp.cutIdle:
			idle++
		default:
			active++
			lowest = min(lowest, sp.times.reached())
		}
	}
	if active == 0 && idle == 0 && s.hasEndedLocked() {
		return batch.MaxTime
	}
	if s.scan == nil || s.scan.EventTime < 0 {
		return batch.MinTime
	}
	if active > 0 {
		return lowest.Sub(s.scan.Delay)
	}
	return s.clockWatermarkLocked()
}

// clockWatermarkLocked moves the watermark with the clock when every split is idle or ended: the largest time seen, plus the
// time since the last row came, minus the delay.
func (s *sourceRun) clockWatermarkLocked() batch.Time {
	largest, last := s.goneLargest, s.goneArrival
	for _, sp := range s.splits {
		largest = max(largest, sp.times.seen())
		last = max(last, sp.arrival())
	}
	if largest == batch.MinTime || !s.canIdle() {
		return s.closed
	}
	return (largest + max(0, s.engine.now()-last)).Sub(s.scan.Delay)
}

// appendStates appends what the record keeps of the source's splits, as cut, to all.
func (s *sourceRun) appendStates(all []checkpoint.SplitState) []checkpoint.SplitState {
	s.mu.Lock()
	defer s.mu.Unlock()
	all = append(all, s.gone...)
	s.ids = s.ids[:0]
	for id := range s.splits {
		s.ids = append(s.ids, id)
	}
	slices.Sort(s.ids)
	for _, id := range s.ids { // in the order they appeared
		sp := s.splits[id]
		all = append(all, checkpoint.SplitState{
			Source: s.name, Name: sp.name, Pos: sp.cutPos.Upto.Pos, Tag: sp.cutPos.Upto.Tag, Rows: sp.cutPos.Rows,
			Lines: sp.cutPos.Lines, LargestTime: int64(sp.times.seen()), Idle: sp.cutIdle, Ended: sp.cutEnded || sp.cutPos.Ended,
		})
	}
	return all
}

// forget drops splits that have ended and that no record names any more.
func (s *sourceRun) forget(splits []checkpoint.SplitState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range splits {
		if st.Source != s.name {
			continue
		}
		s.gone = slices.DeleteFunc(s.gone, func(g checkpoint.SplitState) bool { return g.Name == st.Name })
		sp := s.byName[st.Name]
		if sp == nil || !sp.cutEnded || sp.writer != nil {
			continue
		}
		s.goneLargest, s.goneArrival = max(s.goneLargest, sp.times.seen()), max(s.goneArrival, sp.arrival())
		delete(s.byName, st.Name)
		delete(s.splits, sp.id)
		s.engine.forgetSplit(sp.id)
	}
}

// appendAcks appends what the source is told when the commit is done to all.
func (s *sourceRun) appendAcks(all []ack) []ack {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.splits {
		if sp.wasRead {
			all = append(all, ack{s, sp.sourceID, sp.cutPos.Upto})
		}
	}
	return all
}
