package ingest

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
)

const (
	// recordBlockRows is the most rows of one block of record batches, so that a few columns of it fit in an L2 cache.
	recordBlockRows = 8192
	// recordSplit is the name of the only split of record batches in memory.
	recordSplit = "batches"
)

// recordSource delivers record batches that are in memory. Offsets count rows, so that the same batches replay.
type recordSource struct {
	fields  []arrow.Field
	batches []arrow.RecordBatch

	lifetime lifetime
	start    int64
	isOpen   bool
}

var _ ColumnSource = (*recordSource)(nil)

// NewRecords returns a ColumnSource of record batches, which have one schema. It retains them from Open to Close; until then they
// are the caller's. Columns may be BOOLEAN, integers of up to 64 bits but UINT64, FLOAT, DOUBLE, TEXT (with offsets of 32 or 64 bits, or
// as a dictionary) and TIMESTAMP of any unit.
func NewRecords(schema *arrow.Schema, batches []arrow.RecordBatch) (Source, error) {
	fields, err := engineFields(schema)
	if err != nil {
		return nil, fmt.Errorf("record batches: %w", err)
	}
	for i, b := range batches {
		if !b.Schema().Equal(schema) {
			return nil, fmt.Errorf("record batches: batch %d has other columns than the schema: %s", i, b.Schema())
		}
	}
	return &recordSource{fields: fields, batches: batches}, nil
}

// Columns returns those of the schema, under the engine's types.
func (s *recordSource) Columns() ([]arrow.Field, error) { return s.fields, nil }

// Open goes on after the rows that were read.
func (s *recordSource) Open(_ context.Context, after map[string]Position, events func(SplitEvent)) error {
	position := after[recordSplit]
	if position.Ended {
		return nil
	}
	for _, b := range s.batches {
		b.Retain()
	}
	s.isOpen = true
	s.start = position.Upto.Pos
	events(SplitEvent{Split: 0, Name: recordSplit, Start: position.Upto})
	return nil
}

// Read sends the rows.
func (s *recordSource) Read(ctx context.Context, _ int32, w *BlockWriter) error {
	ctx, leave, err := s.lifetime.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	sender := recordSender{w: w, skip: s.start}
	for _, b := range s.batches {
		if err := sender.send(ctx, b); err != nil {
			return err
		}
	}
	if sender.skip > 0 {
		return fmt.Errorf("read record batches: %d rows fewer than there were", sender.skip)
	}
	return w.End(ctx)
}

// Bounded is true: the batches are all there is.
func (s *recordSource) Bounded() bool { return true }

// Replayable is true.
func (s *recordSource) Replayable() bool { return true }

// Acknowledge has nobody to tell.
func (s *recordSource) Acknowledge(context.Context, int32, Offset) error { return nil }

// Close ends Read and lets the batches go; blocks keep theirs.
func (s *recordSource) Close() error {
	s.lifetime.close()
	if s.isOpen {
		s.isOpen = false
		for _, b := range s.batches {
			b.Release()
		}
	}
	return nil
}
