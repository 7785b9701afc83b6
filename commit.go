package tidemill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/operators"
)

// queuedIntervals is how many ended intervals wait for the committer, at most.
const queuedIntervals = 4

// committer makes what intervals gave durable and visible, while the next intervals are in work. It alone calls sinks.
type committer struct {
	engine  *engine
	items   chan commitItem
	pending chan struct{} // a place for each commit under way: two at most
	done    atomic.Uint64 // last commit that is durable and visible
	empty   map[int]*batch.Frame
	hold    journalHold
}

// commitItem is an interval that ended, with a commit if one is due.
type commitItem struct {
	iv     batch.Interval
	rows   []*batch.Frame // by sink; nil where nothing came out
	commit *commitWork
}

// commitWork is what a commit saves.
type commitWork struct {
	record checkpoint.Record
	drops  []string   // state tables
	state  *stateCopy // nil without a checkpoint
	acks   []ack
}

type ack struct {
	source *sourceRun
	split  int32
	upTo   ingest.Offset
}

func newCommitter(e *engine) *committer {
	return &committer{
		engine: e, items: make(chan commitItem, queuedIntervals), pending: make(chan struct{}, 2), empty: make(map[int]*batch.Frame),
	}
}

// handOver gives the rows of an interval to the committer, with a commit if it is due. Workers stand still.
func (e *engine) handOver(ctx context.Context, iv batch.Interval, isLast bool) error {
	item := commitItem{iv: iv, rows: make([]*batch.Frame, len(e.sinks))}
	for i, s := range e.sinks {
		if f := e.graph.nodes[s.node].out.flush(); f != nil {
			item.rows[i] = f
			e.rowsOut += int64(f.Len())
			e.isDirty = true
		}
	}
	if e.blocksIn.Swap(0) > 0 {
		e.isDirty = true
	}
	now := e.cfg.Clock.Now()
	e.commits.hold.tryAgain()
	// Half an interval of slack: ticks come a little late or early, and must not miss every second commit for that.
	since := now.Sub(e.lastCommit) + e.cfg.Interval/2
	isDue := isLast || e.commits.hold.takeUrgent() || since >= e.cfg.CommitEvery || now.Before(e.lastCommit)
	if isDue && (e.isDirty || isLast) {
		work := e.snapshot(ctx, iv)
		e.isDirty = false
		e.lastCommit = now
		select {
		case e.commits.pending <- struct{}{}:
			item.commit = work
			e.stall += e.cfg.Clock.Now().Sub(now)
		case <-ctx.Done():
			work.release()
			e.commits.release(item)
			return context.Cause(ctx)
		}
	}
	select {
	case e.commits.items <- item:
		return nil
	case <-ctx.Done():
		e.commits.release(item)
		return context.Cause(ctx)
	}
}

// snapshot takes the positions of all splits, and begins to copy what changed since the last commit.
func (e *engine) snapshot(ctx context.Context, iv batch.Interval) *commitWork {
	e.record.Commit++
	e.record.Last = checkpoint.Interval{ID: iv.ID, Start: int64(iv.Start), End: int64(iv.End)}
	e.record.Splits = nil
	work := &commitWork{}
	e.record.Watermarks = make(map[string]int64, len(e.sources))
	for _, s := range e.sources {
		e.record.Splits = s.appendStates(e.record.Splits)
		e.record.Watermarks[s.name] = int64(s.closed)
		work.acks = s.appendAcks(work.acks)
	}
	work.record = e.record
	work.record.Tokens = maps.Clone(e.record.Tokens)
	if e.log == nil {
		return work
	}
	if e.migration != nil {
		work.drops, e.migration.drops = e.migration.drops, nil
	}
	work.state = e.startCopy(ctx)
	e.copying = work.state
	return work
}

func (w *commitWork) release() {
	if w.state != nil {
		w.state.release()
	}
}

// run takes items until the engine closes the channel. After an error it only gives memory back.
func (c *committer) run(ctx context.Context) error {
	var failed error
	for item := range c.items {
		if failed == nil && ctx.Err() == nil {
			failed = c.commitInterval(ctx, item)
			if failed != nil {
				c.engine.fail(failed)
			}
		}
		c.release(item)
	}
	for _, f := range c.empty {
		f.Release()
	}
	return failed
}

func (c *committer) release(item commitItem) {
	for i, f := range item.rows {
		if f != nil {
			c.engine.graph.nodes[c.engine.sinks[i].node].out.giveBack(f)
		}
	}
	if item.commit != nil {
		item.commit.release()
		<-c.pending
	}
}

func (c *committer) commitInterval(ctx context.Context, item commitItem) error {
	e := c.engine
	for i, s := range e.sinks {
		f := item.rows[i]
		if f == nil {
			f = c.emptyFrame(i)
		}
		if err := s.sink.Write(ctx, item.iv, batch.Batch{Rows: f.Rows(), Origin: batch.Origin{Split: -1}}); err != nil {
			return fmt.Errorf("sink %s: write interval %d: %w", s.name, item.iv.ID, err)
		}
	}
	if item.commit == nil {
		return nil
	}
	if err := c.commit(ctx, item.commit); err != nil {
		return fmt.Errorf("commit %d: %w", item.commit.record.Commit, err)
	}
	c.done.Store(item.commit.record.Commit)
	return nil
}

func (c *committer) emptyFrame(sink int) *batch.Frame {
	f := c.empty[sink]
	if f == nil {
		f = batch.NewFrame(c.engine.pool, c.engine.graph.nodes[c.engine.sinks[sink].node].Schema)
		c.empty[sink] = f
	}
	return f
}

// commit makes state and output durable, then decides, then makes the output visible. Its order is the protocol.
func (c *committer) commit(ctx context.Context, w *commitWork) error {
	e := c.engine
	r := &w.record
	if e.log != nil {
		for _, table := range w.drops {
			if err := e.log.Drop(table); err != nil {
				return err
			}
		}
		if err := w.state.save(ctx, e.log); err != nil {
			return err
		}
	}
	if r.Tokens == nil {
		r.Tokens = make(map[string][]byte)
	}
	for _, s := range e.sinks {
		token, err := s.sink.Prepare(ctx, r.Commit)
		if err != nil {
			return fmt.Errorf("sink %s: prepare: %w", s.name, err)
		}
		r.Tokens[s.name] = token
	}
	covered := *r // with all splits
	if e.log != nil {
		if err := c.syncJournal(); err != nil {
			return err
		}
	}
	trimmed := c.trimSplits(r)
	if e.log != nil {
		if err := e.log.Decide(ctx, *r); err != nil {
			return err
		}
	}
	e.forget(trimmed)
	for _, s := range e.sinks {
		if err := s.sink.Commit(ctx, r.Commit, egress.Token(r.Tokens[s.name])); err != nil {
			return fmt.Errorf("sink %s: make commit visible: %w", s.name, err)
		}
	}
	for _, a := range w.acks {
		if err := a.source.source.Acknowledge(ctx, a.split, a.upTo); err != nil {
			return fmt.Errorf("source %s: acknowledge: %w", a.source.name, err)
		}
	}
	return c.truncateJournal(&covered)
}

// openSinks opens every sink with the token of the last record, which commits what was decided and discards what was not.
func (e *engine) openSinks(ctx context.Context) error {
	for i, s := range e.sinks {
		node := e.graph.nodes[s.node]
		spec := egress.Spec{Job: e.record.Job, Name: s.name, Schema: node.Schema, Mode: s.mode}
		spec.Keys = node.Spec.(*operators.OutputSpec).Keys
		if err := s.sink.Open(ctx, spec, e.record.Commit, egress.Token(e.record.Tokens[s.name])); err != nil {
			return errors.Join(fmt.Errorf("open sink %s: %w", s.name, err), e.closeSinks(i))
		}
	}
	return nil
}

// closeSinks closes the first n sinks.
func (e *engine) closeSinks(n int) error {
	var errs []error
	for _, s := range slices.Backward(e.sinks[:n]) {
		if err := s.sink.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close sink %s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}
