package egress

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/vfs"
)

// encodedRows is how many rows a ColumnEncoder gets at once: some MiB of most, so that what a file says of a batch costs nothing.
const encodedRows = 16 << 10

// FileFormat is a format of files that hold columns, not lines of text.
type FileFormat interface {
	// Name returns the SQL name, in upper case.
	Name() string
	// Extension returns what the names of its files end with.
	Extension() string
	// Options returns the names of its options, compression among them: files are not compressed as a whole.
	Options() []string
	// NewEncoder returns an encoder. The error reports options that are wrong, and columns that the format can't hold.
	NewEncoder(spec EncoderSpec) (ColumnEncoder, error)
}

// EncoderSpec says what an encoder writes.
type EncoderSpec struct {
	// Schema is that of the rows, with Arrow's own types.
	Schema *arrow.Schema
	// Options are those of FileFormat.Options that are set.
	Options map[string]string
	// Mem is the allocator.
	Mem memory.Allocator
}

// ColumnEncoder writes one file after the other. One goroutine uses it.
type ColumnEncoder interface {
	// Begin starts a file. What was written to the one before, if it has no end, is forgotten.
	Begin(w io.Writer) error
	// Write adds rows of the schema, which it borrows.
	Write(rows arrow.RecordBatch) error
	// End writes what is missing of the file. It does not close it.
	End() error
	// Close releases all memory.
	Close()
}

// rowWriter puts rows into one file after another.
type rowWriter interface {
	begin(f vfs.File) error
	// add writes the live rows from to to-1 of in, counted among the live rows.
	add(in batch.Batch, from, to int) error
	// size returns about how many bytes the file has so far, before compression.
	size() int64
	end() error
	close()
}

// columnWriter is the rowWriter of a ColumnEncoder: it gathers rows.
type columnWriter struct {
	encoder ColumnEncoder
	mem     memory.Allocator
	out     countingWriter

	frame *batch.Frame
	rows  []int32 // scratch of add
}

var _ rowWriter = (*columnWriter)(nil)

// nativeSchema returns the schema of exported rows.
func nativeSchema(schema *arrow.Schema) *arrow.Schema {
	fields := schema.Fields()
	for i := range fields {
		fields[i] = arrow.Field{Name: fields[i].Name, Type: batch.NativeType(fields[i].Type), Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

func newColumnWriter(f FileFormat, options map[string]string, schema *arrow.Schema, mem memory.Allocator) (*columnWriter, error) {
	encoder, err := f.NewEncoder(EncoderSpec{Schema: nativeSchema(schema), Options: options, Mem: mem})
	if err != nil {
		return nil, err
	}
	return &columnWriter{encoder: encoder, mem: mem, frame: batch.NewFrame(mem, schema)}, nil
}

func (w *columnWriter) begin(f vfs.File) error {
	w.out = countingWriter{w: f}
	w.frame.Reset(0)
	return w.encoder.Begin(&w.out)
}

func (w *columnWriter) add(in batch.Batch, from, to int) error {
	w.rows = w.rows[:0]
	for k := from; k < to; k++ {
		w.rows = append(w.rows, int32(liveRow(&in, k)))
	}
	w.frame.AppendBatch(batch.Batch{Rows: in.Rows, Sel: w.rows})
	if w.frame.Len() < encodedRows {
		return nil
	}
	return w.flush()
}

func (w *columnWriter) flush() error {
	if w.frame.Len() == 0 {
		return nil
	}
	rows := batch.Export(w.mem, batch.Batch{Rows: w.frame.Rows()})
	defer rows.Release()
	w.frame.Reset(0)
	named := array.NewRecordBatch(nativeSchema(w.frame.Schema()), rows.Columns(), rows.NumRows())
	defer named.Release()
	return w.encoder.Write(named)
}

// size counts what waits as 8 bytes a value, and its text.
func (w *columnWriter) size() int64 {
	size := w.out.n
	for _, c := range w.frame.Columns {
		size += int64(8*c.Len() + c.Bytes())
	}
	return size
}

func (w *columnWriter) end() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.encoder.End()
}

func (w *columnWriter) close() {
	w.encoder.Close()
	w.frame.Release()
}

// countingWriter counts bytes.
type countingWriter struct {
	w io.Writer
	n int64
}

// Write writes p.
func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
