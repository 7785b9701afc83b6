package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// ColumnFormat is a Format whose rows are read as columns, by a reader that knows where they are: nothing frames and cuts bytes. Its
// NewFramer returns nil, HasHeader false, and NewDecoder what NewColumnDecoder does. Positions count rows, from the start of a file.
type ColumnFormat interface {
	Format
	// OpenColumns reads as much of in as says which columns there are. An input without a byte gives io.EOF.
	OpenColumns(ctx context.Context, in ColumnInput, spec ColumnSpec) (ColumnReader, error)
	// Skips says that a reader leaves out parts of a file which, by what the file says of them, have no row within ColumnSpec.Bounds.
	Skips() bool
}

// ColumnInput is a file or a connection.
type ColumnInput struct {
	// Reader gives the bytes from the first one, decompressed.
	Reader io.Reader
	// File gives the same bytes at any place; nil for what is compressed or no file.
	File io.ReaderAt
	// Size is how many bytes File has, 0 without one.
	Size int64
}

// ColumnSpec says what a reader is to read.
type ColumnSpec struct {
	// Wanted is what the plan uses.
	Wanted
	// Start is how many rows were read before. Readers may begin with earlier ones, which are dropped.
	Start int64
	// Mem is the allocator. What is left of it when the reader is closed and its rows are released is given back.
	Mem *Guard
	// Bad is told of records that make no row.
	Bad func(BadRow)
}

// Wanted is what a plan uses of the columns of a source.
type Wanted struct {
	// Columns are the names and types of the columns that are used, as declared; nil for all that there are.
	Columns []arrow.Field
	// Bounds are what rows have to be within, all of them. Who reads may leave out rows that are not, and need not.
	Bounds []Bound
}

// Bound is a comparison of a column with a constant. A NULL is not within it.
type Bound struct {
	Column string
	// Op is one of = < <= > >=.
	Op string
	// Value is a bool, int64, float64, string, or a batch.Time.
	Value any
}

// String returns the bound as SQL has it.
func (b Bound) String() string {
	switch v := b.Value.(type) {
	case string:
		return fmt.Sprintf("%s %s '%s'", b.Column, b.Op, v)
	case batch.Time:
		return fmt.Sprintf("%s %s TIMESTAMP '%s'", b.Column, b.Op, v)
	}
	return fmt.Sprintf("%s %s %v", b.Column, b.Op, b.Value)
}

// ColumnReader reads the rows of one input. One goroutine uses it.
type ColumnReader interface {
	// Schema returns the columns of the input, under the types that it has. They may be more than were wanted.
	Schema() *arrow.Schema
	// Next returns the next rows, which the caller releases, and the number of the first of them, from 0. Its columns are some of
	// Schema's, with all that are wanted. Rows between those of two calls were left out. At the end it returns how many rows there
	// are, and io.EOF.
	Next(ctx context.Context) (rows arrow.RecordBatch, first int64, err error)
	// Close releases what the reader holds; rows that it gave stay.
	Close()
}

// readColumns sends the rows of an input behind the first start ones, and returns how many it has.
func readColumns(ctx context.Context, f ColumnFormat, in ColumnInput, start int64, w *BlockWriter) (rows int64, err error) {
	at := w.Position().Upto
	mem := newGuard(w.spec.Blocks.mem)
	defer mem.drop()
	r, err := f.OpenColumns(ctx, in, ColumnSpec{Wanted: w.spec.Wanted, Start: start, Mem: mem, Bad: w.spec.Bad})
	if errors.Is(err, io.EOF) && start == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer r.Close()
	sender := recordSender{w: w, mem: mem, skip: start, pos: at.Pos - start, tag: at.Tag}
	for {
		batch, first, err := r.Next(ctx)
		if err == nil || errors.Is(err, io.EOF) {
			sender.pass(first - rows)
			rows = first
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return rows, fmt.Errorf("behind row %d: %w", rows, err)
		}
		rows += batch.NumRows()
		err = sender.send(ctx, batch)
		batch.Release()
		if err != nil {
			return rows, err
		}
	}
	if sender.skip > 0 {
		return rows, fmt.Errorf("file is shorter than it was: %d rows, position %d", rows, start)
	}
	return rows, nil
}

// columnsOf returns the columns of an input under the engine's types.
func columnsOf(ctx context.Context, f ColumnFormat, in ColumnInput, mem memory.Allocator) ([]arrow.Field, error) {
	guard := newGuard(mem)
	defer guard.drop()
	r, err := f.OpenColumns(ctx, in, ColumnSpec{Mem: guard, Bad: func(BadRow) {}})
	if errors.Is(err, io.EOF) {
		return nil, errNothingToInfer
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return engineFields(r.Schema())
}

// recordSender sends record batches as blocks. Offsets count rows.
type recordSender struct {
	w    *BlockWriter
	skip int64 // rows that were sent before a restart
	pos  int64
	tag  string
	mem  *Guard // of the rows; nil where they are the caller's
}

// pass moves over rows that are not sent.
func (s *recordSender) pass(rows int64) {
	if rows == 0 {
		return
	}
	s.skip -= min(s.skip, rows)
	s.pos += rows
	if s.skip == 0 {
		s.w.passTo(s.pos)
	}
}

// send sends the rows of b, which it retains as long as a block has them.
func (s *recordSender) send(ctx context.Context, b arrow.RecordBatch) error {
	next, rows := min(s.skip, b.NumRows()), b.NumRows()
	s.skip -= next
	s.pos += next
	rowSize := sizeOf(b) / max(1, rows)
	fill := func(n int64) Columnar {
		part := b
		if n == rows {
			part.Retain()
		} else {
			part = b.NewSlice(next, next+n)
		}
		next += n
		s.pos += n
		free := part.Release
		if s.mem != nil {
			s.mem.hold()
			free = func() {
				part.Release()
				s.mem.drop()
			}
		}
		return Columnar{Rows: part, Bytes: n * rowSize, To: Offset{Pos: s.pos, Tag: s.tag}, Free: free}
	}
	for next < rows {
		if err := s.w.SendRows(ctx, min(rows-next, recordBlockRows), fill); err != nil {
			return err
		}
	}
	return nil
}

// sizeOf returns how many bytes the buffers of the columns of b have, without those of dictionaries.
func sizeOf(b arrow.RecordBatch) (size int64) {
	for _, c := range b.Columns() {
		size += dataSize(c.Data())
	}
	return size
}

func dataSize(d arrow.ArrayData) (size int64) {
	for _, b := range d.Buffers() {
		if b != nil {
			size += int64(b.Len())
		}
	}
	for _, c := range d.Children() {
		size += dataSize(c)
	}
	return size
}
