// Package parquet reads Parquet files: those columns that a plan uses, of those row groups whose statistics do not say that a filter
// behind would drop all of their rows. It is apart because of what it links in.
package parquet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tidemill/tidemill/ingest"
)

const (
	// batchRows is how many rows are made at once: those of a block.
	batchRows = 8192
	// bufferBytes is what is read of a column at once; a file has many columns.
	bufferBytes = 64 << 10
	// maxPage is how large a page may say that it is, compressed or not. Writers make pages of about 1 MiB, and larger ones for large values.
	maxPage = 128 << 20
)

// Format returns FORMAT PARQUET, which has no options.
func Format() ingest.FormatKind {
	return ingest.FormatKind{Name: "PARQUET", New: func(map[string]string) (ingest.Format, error) { return format{}, nil }}
}

type format struct{}

var _ ingest.ColumnFormat = format{}

// Name returns PARQUET.
func (format) Name() string { return "PARQUET" }

// NewFramer returns nil: pages are found by the footer.
func (format) NewFramer() ingest.Framer { return nil }

// HasHeader is false.
func (format) HasHeader() bool { return false }

// Infer returns an error: columns are those of the footer, which a source gives.
func (format) Infer([]byte) ([]arrow.Field, error) {
	return nil, errors.New("format PARQUET: the columns are in the footer of the file: give a column list")
}

// NewDecoder returns a decoder of columns.
func (format) NewDecoder(spec ingest.DecodeSpec) (ingest.Decoder, error) {
	return ingest.NewColumnDecoder(spec), nil
}

// Skips is true: row groups have statistics.
func (format) Skips() bool { return true }

// OpenColumns reads the footer.
func (format) OpenColumns(ctx context.Context, in ingest.ColumnInput, spec ingest.ColumnSpec) (ingest.ColumnReader, error) {
	if in.File == nil {
		return nil, errors.New("format PARQUET: the footer is read first, so that it takes a file that is not compressed as a whole")
	}
	if in.Size == 0 {
		return nil, io.EOF
	}
	r := &reader{spec: spec}
	err := spec.Mem.Do(func() error { return r.open(ctx, in) })
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("format PARQUET: %w", err)
	}
	return r, nil
}

// zeroed gives memory that is zero, which arrow-go takes for granted: it leaves out the first offset of lists.
type zeroed struct{ *ingest.Guard }

// Allocate returns size bytes of zero.
func (z zeroed) Allocate(size int) []byte {
	b := z.Guard.Allocate(size)
	clear(b)
	return b
}

// Reallocate returns b with another size, and zeros behind what it had.
func (z zeroed) Reallocate(size int, b []byte) []byte {
	had := len(b)
	b = z.Guard.Reallocate(size, b)
	if size > had {
		clear(b[had:])
	}
	return b
}

// reader reads one file.
type reader struct {
	spec    ingest.ColumnSpec
	file    *file.Reader
	rows    *pqarrow.FileReader
	schema  *arrow.Schema
	columns []int // leaves that are read

	next  int                  // row group to open
	at    int64                // number of the first row that was not given
	end   int64                // of the row group that is open
	group pqarrow.RecordReader // nil between row groups
}

func (r *reader) open(_ context.Context, in ingest.ColumnInput) (err error) {
	mem := zeroed{r.spec.Mem}
	props := parquet.NewReaderProperties(mem)
	props.BufferSize = bufferBytes
	props.BufferedStreamEnabled = true
	props.MaxCompressedPageSize, props.MaxUncompressedPageSize = maxPage, maxPage
	if r.file, err = file.NewParquetReader(io.NewSectionReader(in.File, 0, in.Size), file.WithReadProps(props)); err != nil {
		return err
	}
	if r.rows, err = pqarrow.NewFileReader(r.file, pqarrow.ArrowReadProperties{BatchSize: batchRows}, mem); err != nil {
		return err
	}
	if r.schema, err = r.rows.Schema(); err != nil {
		return err
	}
	for i := range r.file.NumRowGroups() {
		if n := r.file.MetaData().RowGroup(i).NumRows(); n < 0 || n > math.MaxInt32 {
			return fmt.Errorf("damaged: row group %d has %d rows", i, n)
		}
	}
	for i := range r.rows.Manifest.Fields {
		f := &r.rows.Manifest.Fields[i]
		if r.isWanted(f.Field.Name) {
			r.columns = appendLeaves(r.columns, f)
		}
	}
	if len(r.columns) == 0 { // rows are counted
		r.columns = appendLeaves(nil, &r.rows.Manifest.Fields[0])
	}
	return nil
}

func (r *reader) isWanted(name string) bool {
	if r.spec.Columns == nil {
		return true
	}
	for _, f := range r.spec.Columns {
		if strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}

// appendLeaves appends the indices of the columns that a field is stored as.
func appendLeaves(dst []int, f *pqarrow.SchemaField) []int {
	if len(f.Children) == 0 {
		return append(dst, f.ColIndex)
	}
	for i := range f.Children {
		dst = appendLeaves(dst, &f.Children[i])
	}
	return dst
}

// Schema returns the columns of the file.
func (r *reader) Schema() *arrow.Schema { return r.schema }

// Next returns the next rows of a row group.
func (r *reader) Next(ctx context.Context) (rows arrow.RecordBatch, first int64, err error) {
	err = r.spec.Mem.Do(func() (err error) {
		rows, first, err = r.read(ctx)
		return err
	})
	switch {
	case errors.Is(err, io.EOF):
		return nil, r.at, io.EOF
	case err != nil:
		return nil, 0, fmt.Errorf("format PARQUET: row group %d: %w", r.next-1, err)
	}
	return rows, first, nil
}

func (r *reader) read(ctx context.Context) (arrow.RecordBatch, int64, error) {
	for {
		if r.group == nil {
			if err := r.openGroup(ctx); err != nil {
				return nil, 0, err
			}
		}
		if r.group.Next() {
			rows := r.group.RecordBatch()
			first := r.at
			if r.at += rows.NumRows(); r.at > r.end {
				return nil, 0, fmt.Errorf("damaged: it has more than %d rows", r.end)
			}
			rows.Retain()
			return rows, first, nil
		}
		if err := r.group.Err(); err != nil {
			return nil, 0, err
		}
		if r.at != r.end {
			return nil, 0, fmt.Errorf("damaged: %d of its rows are missing", r.end-r.at)
		}
		r.closeGroup()
	}
}

// openGroup opens the next row group that has rows to read, and returns io.EOF behind the last.
func (r *reader) openGroup(ctx context.Context) error {
	for r.next < r.file.NumRowGroups() {
		meta := r.file.MetaData().RowGroup(r.next)
		r.next++
		begin, rows := r.at, meta.NumRows()
		if r.at+rows <= r.spec.Start || rows == 0 || !r.mayMatch(meta) {
			r.at += rows
			continue
		}
		group, err := r.rows.GetRecordReader(ctx, r.columns, []int{r.next - 1})
		if err != nil {
			return err
		}
		r.group, r.end = group, begin+rows
		if r.at < r.spec.Start {
			r.at = r.spec.Start
			return group.SeekToRow(r.spec.Start - begin)
		}
		return nil
	}
	return io.EOF
}

func (r *reader) closeGroup() {
	if r.group != nil {
		r.group.Release()
		r.group = nil
	}
}

// Close releases what the reader holds.
func (r *reader) Close() {
	// What a damaged file leaves half open may panic; its memory is given back none the less.
	_ = r.spec.Mem.Do(func() error {
		r.closeGroup()
		if r.file != nil {
			return r.file.Close()
		}
		return nil
	})
}
