// Package parquet writes Parquet files. It is apart because of what it links in.
package parquet

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tidemill/tidemill/egress"
)

const (
	// groupRows is the most rows of a row group: what DuckDB writes. A group is in memory until it is complete.
	groupRows = 122_880
	// groupBytes ends a row group of rows that are large.
	groupBytes = 64 << 20
)

var codecs = map[string]compress.Compression{
	"snappy": compress.Codecs.Snappy, "none": compress.Codecs.Uncompressed, "zstd": compress.Codecs.Zstd, "gzip": compress.Codecs.Gzip,
	"brotli": compress.Codecs.Brotli, "lz4": compress.Codecs.Lz4Raw,
}

// Format returns FORMAT PARQUET. Its option compression is snappy, unless it is none, zstd, gzip, brotli or lz4.
func Format() egress.FileFormat { return format{} }

type format struct{}

// Name returns PARQUET.
func (format) Name() string { return "PARQUET" }

// Extension returns .parquet.
func (format) Extension() string { return ".parquet" }

// Options returns the names of the options.
func (format) Options() []string { return []string{"compression"} }

// NewEncoder returns an encoder.
func (format) NewEncoder(spec egress.EncoderSpec) (egress.ColumnEncoder, error) {
	codec := "snappy"
	if v, ok := spec.Options["compression"]; ok {
		codec = strings.ToLower(v)
	}
	c, ok := codecs[codec]
	if !ok {
		return nil, fmt.Errorf("option compression: want snappy, none, zstd, gzip, brotli or lz4, got %q", spec.Options["compression"])
	}
	return &encoder{
		schema: spec.Schema, mem: spec.Mem,
		props: parquet.NewWriterProperties(parquet.WithAllocator(spec.Mem), parquet.WithCompression(c), parquet.WithMaxRowGroupLength(groupRows),
			parquet.WithCreatedBy("tidemill"), parquet.WithVersion(parquet.V2_LATEST)),
	}, nil
}

// encoder writes one file after the other.
type encoder struct {
	schema *arrow.Schema
	mem    memory.Allocator
	props  *parquet.WriterProperties
	writer *pqarrow.FileWriter
}

// notClosed keeps a writer from closing what it writes to.
type notClosed struct{ io.Writer }

// Begin starts a file. Its columns have the types of the schema, which it holds too, as Arrow has them.
func (e *encoder) Begin(w io.Writer) (err error) {
	e.Close()
	e.writer, err = pqarrow.NewFileWriter(e.schema, notClosed{w}, e.props, pqarrow.NewArrowWriterProperties(pqarrow.WithAllocator(e.mem), pqarrow.WithStoreSchema()))
	return err
}

// Write adds rows to a row group.
func (e *encoder) Write(rows arrow.RecordBatch) error {
	if err := e.writer.WriteBuffered(rows); err != nil {
		return err
	}
	if e.writer.RowGroupTotalBytesWritten() >= groupBytes {
		return e.writer.NewBufferedRowGroupChecked()
	}
	return nil
}

// End writes the last row group and the footer.
func (e *encoder) End() error {
	if e.writer == nil {
		return errors.New("end of a Parquet file that was not begun")
	}
	err := e.writer.Close()
	e.writer = nil
	return err
}

// Close forgets what was not ended.
func (e *encoder) Close() {
	if e.writer != nil {
		_ = e.writer.Close() // to whatever is left of the file: only its memory matters
		e.writer = nil
	}
}
