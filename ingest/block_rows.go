package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// EncodeRows returns rows that came columnar as bytes for a journal: an Arrow stream, with the types of the storage.
func EncodeRows(mem memory.Allocator, rows arrow.RecordBatch) ([]byte, error) {
	var out bytes.Buffer
	// Rows with types of the engine's own have no dictionaries: readers that make these types write plain columns.
	if stored := batch.StoredSchema(rows.Schema()); stored != rows.Schema() {
		rows = batch.WithSchema(rows, stored)
		defer rows.Release()
	}
	w := ipc.NewWriter(&out, ipc.WithAllocator(mem), ipc.WithSchema(rows.Schema()))
	if err := errors.Join(w.Write(rows), w.Close()); err != nil {
		return nil, fmt.Errorf("encode rows: %w", err)
	}
	return out.Bytes(), nil
}

// SetRows makes the rows of EncodeRows those of the block.
func (b *Block) SetRows(mem memory.Allocator, encoded []byte) error {
	r, err := ipc.NewReader(bytes.NewReader(encoded), ipc.WithAllocator(mem))
	if err != nil {
		return fmt.Errorf("decode rows: %w", err)
	}
	defer r.Release()
	if !r.Next() {
		return fmt.Errorf("decode rows: %w", errors.Join(r.Err(), io.ErrUnexpectedEOF))
	}
	schema, err := batch.LogicalSchema(r.Schema())
	if err != nil {
		return fmt.Errorf("decode rows: %w", err)
	}
	if b.Rows = r.RecordBatch(); schema == r.Schema() {
		b.Rows.Retain()
	} else {
		b.Rows = batch.WithSchema(b.Rows, schema)
	}
	b.freeRows = b.Rows.Release
	return nil
}
