package ingest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// arrowMagic begins Arrow files. What follows, up to their footer, is what a stream has; dictionaries and batches are read in that
// order, and the footer is not needed.
var arrowMagic = []byte("ARROW1\x00\x00")

// arrowFormat is Arrow IPC, of files (Feather version 2) and of streams, which it tells apart.
type arrowFormat struct{}

var _ ColumnFormat = arrowFormat{}

// Name returns ARROW.
func (arrowFormat) Name() string { return "ARROW" }

// NewFramer returns nil: messages tell their length.
func (arrowFormat) NewFramer() Framer { return nil }

// HasHeader is false.
func (arrowFormat) HasHeader() bool { return false }

// Infer returns an error: columns are those of the schema, which a source gives.
func (arrowFormat) Infer([]byte) ([]arrow.Field, error) { return nil, errNothingToInfer }

// NewDecoder returns a decoder of columns.
func (arrowFormat) NewDecoder(spec DecodeSpec) (Decoder, error) { return NewColumnDecoder(spec), nil }

// Skips is false: nothing says what is in a batch.
func (arrowFormat) Skips() bool { return false }

// OpenColumns reads the schema.
func (arrowFormat) OpenColumns(_ context.Context, in ColumnInput, spec ColumnSpec) (ColumnReader, error) {
	r := bufio.NewReaderSize(in.Reader, 4096)
	start, err := r.Peek(len(arrowMagic))
	if len(start) == 0 {
		return nil, err
	}
	messages := &arrowMessages{in: r, size: in.Size, start: spec.Start, mem: spec.Mem}
	if bytes.Equal(start, arrowMagic) {
		messages.isFile = true
		if _, err := r.Discard(len(arrowMagic)); err != nil {
			return nil, err
		}
	}
	a := &arrowReader{messages: messages}
	err = messages.mem.Do(func() (err error) {
		a.reader, err = ipc.NewReaderFromMessageReader(messages, ipc.WithAllocator(messages.mem))
		return err
	})
	if err != nil {
		a.Close()
		if messages.err != nil {
			err = messages.err
		}
		return nil, fmt.Errorf("format ARROW: schema: %w", notEOF(err))
	}
	return a, nil
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// arrowReader reads the batches of a stream.
type arrowReader struct {
	messages *arrowMessages
	reader   *ipc.Reader
}

// Schema returns that of the stream.
func (a *arrowReader) Schema() *arrow.Schema { return a.reader.Schema() }

// Next returns the next batch.
func (a *arrowReader) Next(context.Context) (rows arrow.RecordBatch, first int64, err error) {
	err = a.messages.mem.Do(func() error {
		if !a.reader.Next() {
			if err := a.reader.Err(); err != nil {
				return err
			}
			return io.EOF
		}
		rows = a.reader.RecordBatch()
		for i, c := range rows.Columns() {
			if err := checkBuffers(c); err != nil {
				return fmt.Errorf("column %q: %w", rows.ColumnName(i), err)
			}
		}
		return nil
	})
	switch {
	case a.messages.err != nil:
		err = fmt.Errorf("format ARROW: batch %d: %w", a.messages.batches, a.messages.err)
	case errors.Is(err, io.EOF):
		return nil, a.messages.rows, io.EOF
	case err == nil && rows.NumRows() != a.messages.batchRows:
		err = fmt.Errorf("format ARROW: batch %d: damaged: it has %d rows, not %d", a.messages.batches, rows.NumRows(), a.messages.batchRows)
	case err != nil:
		err = fmt.Errorf("format ARROW: batch %d: %w", a.messages.batches, err)
	default:
		rows.Retain()
		return rows, a.messages.rows - a.messages.batchRows, nil
	}
	return nil, 0, err
}

// Close releases the batch that came last.
func (a *arrowReader) Close() {
	if a.reader != nil {
		a.reader.Release()
		a.reader = nil
	}
	a.messages.release()
}

// checkBuffers checks what the making of an array does not: that its buffers are long enough. It makes the dictionaries, too, which else
// are made when they are first asked for.
func checkBuffers(arr arrow.Array) error {
	d := arr.Data()
	width := 0
	switch t := d.DataType().(type) {
	case *arrow.DictionaryType:
		width = t.IndexType.(arrow.FixedWidthDataType).BitWidth()
	case arrow.FixedWidthDataType:
		width = t.BitWidth()
	}
	if width > 0 && d.Len() > 0 && len(d.Buffers()) > 1 {
		if b := d.Buffers()[1]; b == nil || b.Len() < ((d.Offset()+d.Len())*width+7)/8 {
			return fmt.Errorf("damaged: its values are too short for %d rows", d.Len())
		}
	}
	if len(d.Buffers()) > 0 && d.Len() > 0 && arr.NullN() > 0 {
		if b := d.Buffers()[0]; b == nil || b.Len() < (d.Offset()+d.Len()+7)/8 {
			return fmt.Errorf("damaged: its validity is too short for %d rows", d.Len())
		}
	}
	switch a := arr.(type) {
	case *array.Dictionary:
		return checkBuffers(a.Dictionary())
	case array.ListLike:
		return checkBuffers(a.ListValues())
	case *array.Struct:
		for i := range a.NumField() {
			if err := checkBuffers(a.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}
