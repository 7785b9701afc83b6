package tidemill

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/operators"
)

// coordinate runs intervals until the sources end, someone asks to stop, or ctx ends. An interval ends at its tick, earlier for
// bounded input that has filled it, and when there is nothing more to come.
func (e *engine) coordinate(ctx context.Context) error {
	if err := e.graph.beginChains(e.running); err != nil {
		return err
	}
	opened, isCutWanted, isStopping := e.opened, false, false
	tick := e.tickAfter(e.now())
	e.nextTick <- tick.Go()
	for {
		isTick := false
		if e.hasEnded() {
			return e.endInterval(ctx, max(e.now(), e.running.Start+1), true)
		}
		select {
		case <-opened:
			opened = nil
			if isCutWanted {
				e.requestCut()
			}
			continue
		case <-e.check:
			continue
		case <-e.stop:
			isStopping = true
		case <-e.cutNow:
			isCutWanted = true
		case <-e.ticked:
			isTick = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if opened != nil && !isStopping {
			// The journal is being replayed, or a source is still opening: rows of the past stay in one interval.
			if isTick {
				tick = e.tickAfter(e.now())
				e.nextTick <- tick.Go()
			}
			continue
		}
		end := e.now()
		if isTick {
			end = tick
			if !e.cfg.ReplayEveryTick {
				end = max(end, e.tickAfter(e.now())-e.interval())
			}
		}
		end = max(end, e.running.Start+1)
		isCutWanted = false
		if err := e.endInterval(ctx, end, isStopping); err != nil || isStopping {
			return err
		}
		if isTick {
			tick = end + e.interval()
			if !e.cfg.ReplayEveryTick {
				tick = max(tick, e.tickAfter(e.now()))
			}
			e.nextTick <- tick.Go()
		}
	}
}

func (e *engine) interval() batch.Time { return batch.Time(e.cfg.Interval / time.Microsecond) }

// tickAfter returns the first tick after t: ticks are whole intervals since the epoch.
func (e *engine) tickAfter(t batch.Time) batch.Time {
	iv := e.interval()
	floor := t / iv * iv
	if floor > t {
		floor -= iv
	}
	return floor + iv
}

// hasEnded says that no row will come from any source.
func (e *engine) hasEnded() bool {
	select {
	case <-e.opened:
	default:
		return false
	}
	for _, s := range e.sources {
		if !s.hasEnded() {
			return false
		}
	}
	return true
}

// endInterval ends the running interval at end: blocks so far belong to it. If isLast, everything is committed and no interval
// follows.
func (e *engine) endInterval(ctx context.Context, end batch.Time, isLast bool) error {
	iv := batch.Interval{ID: e.running.ID, Start: e.running.Start, End: end, Zero: e.running.Zero}
	next := batch.Interval{ID: iv.ID + 1, Start: end, End: end + e.interval(), Zero: iv.Zero}
	if err := e.cut(ctx, next); err != nil {
		return err
	}
	select {
	case <-e.queue.arrived:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	began := e.cfg.Clock.Now()
	e.awaitCopy(began)
	if err := e.closeInterval(ctx, iv); err != nil {
		return err
	}
	ops := e.operatorStatus() // before the state is copied, which changes it
	if err := e.handOver(ctx, iv, isLast); err != nil {
		return err
	}
	e.publishStatus(iv, began, ops, isLast)
	if isLast {
		return nil
	}
	if err := e.tables.refresh(ctx); err != nil {
		return err
	}
	if err := e.graph.beginChains(e.running); err != nil {
		return err
	}
	e.queue.open()
	return nil
}

// cut sends what readers have of the running interval, and puts the end of the interval behind it in the queue. All readers are held meanwhile, so that nothing of the next interval comes before.
func (e *engine) cut(ctx context.Context, next batch.Interval) error {
	e.cutMu.Lock()
	defer e.cutMu.Unlock()
	writers := e.cutWriters[:0]
	for _, s := range e.sources {
		writers = s.appendWriters(writers)
	}
	e.cutWriters = writers
	for _, w := range writers {
		w.Lock()
	}
	defer func() {
		for _, w := range writers {
			w.Unlock()
		}
		clear(writers) // those of splits that end are not kept
	}()
	for _, w := range writers {
		if err := w.CutLocked(ctx); err != nil {
			return fmt.Errorf("end of interval %d: %w", next.ID-1, err)
		}
	}
	for _, s := range e.sources {
		s.markCut()
	}
	for _, w := range writers { // after all cuts, since splits of a source share its limit
		w.SetIntervalLocked(next.ID, next.Start)
	}
	e.queue.gate()
	e.running = next
	e.ivBytes.Store(0)
	return nil
}

// closeInterval runs the operators' end of the interval, while the workers stand still.
func (e *engine) closeInterval(ctx context.Context, iv batch.Interval) error {
	var rows int64
	for _, s := range e.sources {
		w := s.watermark()
		if s.node != nil {
			s.node.inMarks[0] = w
			rows += s.node.rowsIn.Load()
		}
	}
	before := e.rowsIn
	e.rowsIn = rows
	if err := e.graph.beginTail(iv); err != nil {
		return err
	}
	if err := e.graph.endInterval(ctx, iv, rows-before); err != nil {
		return err
	}
	return e.checkMemory()
}

// checkMemory stops a job that has outgrown its budget, with the operator that holds most.
func (e *engine) checkMemory() error {
	err := e.pool.Err()
	if err == nil {
		return nil
	}
	var largest *nodeRun
	for _, n := range e.graph.nodes {
		if largest == nil || n.account.Used() > largest.account.Used() {
			largest = n
		}
	}
	keys := ""
	if op, ok := largest.tail.(operators.Skewed); ok {
		if all := op.LargestKeys(); len(all) > 0 {
			keys = ", most of it for keys " + strings.Join(all, ", ")
		}
	}
	return fmt.Errorf("%w: operator %s holds %d bytes%s: raise the bound (--memory) or keep less state", err, largest.Name, largest.account.Used(), keys)
}

// operatorStatus returns the ledgers of all nodes.
func (e *engine) operatorStatus() []OperatorStatus {
	all := make([]OperatorStatus, 0, len(e.graph.nodes))
	for _, n := range e.graph.nodes {
		all = append(all, n.operatorStatus())
	}
	return all
}

// progress returns how much of all sources was read, 0 of 0 if one of them has no known end.
func (e *engine) progress() (read, total int64) {
	for _, src := range e.sources {
		m, ok := src.source.(ingest.Measured)
		if !ok || !src.source.Bounded() {
			return 0, 0
		}
		r, t := m.Progress()
		read, total = read+r, total+t
	}
	return read, total
}

// publishStatus tells of the interval that ended, whose operators' ledgers are ops.
func (e *engine) publishStatus(iv batch.Interval, began time.Time, ops []OperatorStatus, isLast bool) {
	now := e.cfg.Clock.Now()
	s := Status{
		Job: e.record.Job, Interval: iv, Commit: e.commits.done.Load(), BytesIn: e.bytesIn.Load(), Bad: e.bad.total(),
		Took: now.Sub(began), Stall: e.stall, Lag: max(0, now.Sub(iv.End.Go())), MemoryBytes: e.pool.Used(), Watermark: batch.MaxTime,
		RowsOut: e.rowsOut, Ended: isLast, Operators: ops,
	}
	for i, n := range e.graph.nodes {
		op := &ops[i]
		s.Late += op.Late
		if _, ok := n.Spec.(*operators.ScanSpec); ok {
			s.RowsIn += op.In
		}
		if op.State != nil {
			s.StateBytes += op.State.Bytes
		}
	}
	s.FileBytesRead, s.FileBytes = e.progress()
	hasWatermark := false
	for _, src := range e.sources {
		s.Ahead += src.ahead.Load()
		s.Behind += src.behind.Load()
		if src.scan != nil && src.scan.EventTime >= 0 {
			hasWatermark = true
			s.Watermark = min(s.Watermark, src.closed)
		}
	}
	if !hasWatermark {
		s.Watermark = batch.MinTime
	}
	e.statusMu.Lock()
	e.status = s
	e.statusMu.Unlock()
	if e.cfg.OnStatus != nil {
		e.cfg.OnStatus(s)
	}
}
