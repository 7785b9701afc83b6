package egress

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// arrowFormat is Arrow IPC files (Feather version 2).
type arrowFormat struct{}

var _ FileFormat = arrowFormat{}

// Name returns ARROW.
func (arrowFormat) Name() string { return "ARROW" }

// Extension returns .arrow.
func (arrowFormat) Extension() string { return ".arrow" }

// Options returns the names of its options.
func (arrowFormat) Options() []string { return []string{"compression"} }

// NewEncoder returns an encoder.
func (arrowFormat) NewEncoder(spec EncoderSpec) (ColumnEncoder, error) {
	e := &arrowEncoder{options: []ipc.Option{ipc.WithSchema(spec.Schema), ipc.WithAllocator(spec.Mem)}}
	switch v := spec.Options["compression"]; strings.ToLower(v) {
	case "", "none":
	case "lz4":
		e.options = append(e.options, ipc.WithLZ4())
	case "zstd":
		e.options = append(e.options, ipc.WithZstd())
	default:
		return nil, fmt.Errorf("option compression: want none, lz4 or zstd, got %q", v)
	}
	return e, nil
}

// arrowEncoder writes files.
type arrowEncoder struct {
	options []ipc.Option
	writer  *ipc.FileWriter
}

// Begin writes the schema.
func (e *arrowEncoder) Begin(w io.Writer) (err error) {
	e.writer, err = ipc.NewFileWriter(w, e.options...)
	return err
}

// Write writes a batch.
func (e *arrowEncoder) Write(rows arrow.RecordBatch) error { return e.writer.Write(rows) }

// End writes the footer.
func (e *arrowEncoder) End() error {
	if e.writer == nil {
		return errors.New("end of an Arrow file that was not begun")
	}
	err := e.writer.Close()
	e.writer = nil
	return err
}

// Close has nothing to release: batches are written as they come.
func (e *arrowEncoder) Close() {}
