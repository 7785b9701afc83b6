package tidemill

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/ingest"
)

// journal keeps a block of a source that cannot replay, before a worker sees it.
func (c *committer) journal(sp *splitRun, b *ingest.Block) (err error) {
	raw := b.Bytes
	if b.Rows != nil {
		if raw, err = ingest.EncodeRows(c.engine.pool, b.Rows); err != nil {
			return fmt.Errorf("journal source %s: %w", sp.source.name, err)
		}
	}
	err = c.engine.log.Journal().Append(&checkpoint.Entry{
		Source: sp.source.name, Split: sp.name, From: checkpoint.Offset(b.From), To: checkpoint.Offset(b.To), FirstRow: b.FirstRow, FirstLine: b.FirstLine,
		Rows: b.NumRows, Arrival: int64(b.Arrival), Header: b.Header, Bytes: raw,
	})
	if err != nil {
		err = fmt.Errorf("journal source %s: split %s: offset %d: %w", sp.source.name, sp.name, b.From.Pos, err)
		if c.holdForDisk(err) {
			return fmt.Errorf("%w: %w", ingest.ErrHold, err)
		}
		return err
	}
	return nil
}

// syncJournal makes what was journaled durable, before the record that covers it.
func (c *committer) syncJournal() error {
	if !c.hasJournal() {
		return nil
	}
	return c.engine.log.Journal().Sync()
}

// truncateJournal drops what is committed.
func (c *committer) truncateJournal(r *checkpoint.Record) error {
	if !c.hasJournal() {
		return nil
	}
	if err := c.engine.log.Journal().Truncate(committedOf(r)); err != nil {
		return err
	}
	c.hold.endIfRoom(c.engine)
	return nil
}

// committedOf returns how far a record commits each split.
func committedOf(r *checkpoint.Record) func(source, split string) int64 {
	committed := make(map[[2]string]int64, len(r.Splits))
	for _, s := range r.Splits {
		committed[[2]string{s.Source, s.Name}] = s.Pos
		if s.Ended {
			committed[[2]string{s.Source, s.Name}] = math.MaxInt64
		}
	}
	return func(source, split string) int64 { return committed[[2]string{source, split}] }
}

func (c *committer) hasJournal() bool {
	for _, s := range c.engine.sources {
		if s.isJournaled() {
			return true
		}
	}
	return false
}

// replayJournal passes blocks that were received and not committed to the workers, with the arrival times they had.
func (e *engine) replayJournal(ctx context.Context) error {
	if e.log == nil || !e.commits.hasJournal() {
		return nil
	}
	sources := make(map[string]*sourceRun)
	for _, s := range e.sources {
		if s.isJournaled() {
			sources[s.name] = s
		}
	}
	after := func(source, split string) int64 {
		if s := sources[source]; s != nil {
			p := s.positions()[split]
			if !p.Ended {
				return p.Upto.Pos
			}
		}
		return math.MaxInt64
	}
	err := e.log.Journal().Replay(after, func(en checkpoint.Entry) error {
		s := sources[en.Source]
		if s == nil {
			return nil
		}
		e.cutMu.Lock()
		s.mu.Lock()
		sp := s.splitLocked(en.Split)
		sp.pos = ingest.Position{
			Upto: ingest.Offset(en.To), Rows: en.FirstRow + en.Rows, Lines: en.FirstLine + en.Rows,
		}
		sp.header = bytes.Clone(en.Header)
		s.mu.Unlock()
		e.cutMu.Unlock()
		b, err := e.replayedBlock(s, en.Bytes)
		if err != nil {
			return err
		}
		b.From, b.To = ingest.Offset(en.From), ingest.Offset(en.To)
		b.FirstRow, b.FirstLine, b.NumRows = en.FirstRow, en.FirstLine, en.Rows
		b.Arrival, b.Header = batch.Time(en.Arrival), sp.header
		if err := e.enqueue(ctx, sp, b); err != nil {
			b.Free()
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("replay journal: %w", err)
	}
	return nil
}

// replayedBlock returns a block of what was journaled.
func (e *engine) replayedBlock(s *sourceRun, raw []byte) (*ingest.Block, error) {
	if _, isColumns := s.format.(ingest.ColumnFormat); isColumns || s.format == nil {
		b := e.blocks.New(0)
		if err := b.SetRows(e.pool, raw); err != nil {
			b.Free()
			return nil, fmt.Errorf("source %s: %w", s.name, err)
		}
		return b, nil
	}
	b := e.blocks.New(len(raw))
	copy(b.Bytes, raw)
	return b, nil
}
