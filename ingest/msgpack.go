package ingest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// maxMessage bounds one record of MessagePack, as MaxRecord does for text.
const maxMessage = defaultMaxRecord

// msgpackFormat is MessagePack: maps one behind the other, each a row whose keys are column names. Keys that are missing are NULL, others
// are passed over, of two equal ones the last counts. What is no map, or does not fit its column, is a bad row.
type msgpackFormat struct{}

var _ ColumnFormat = msgpackFormat{}

// Name returns MSGPACK.
func (msgpackFormat) Name() string { return "MSGPACK" }

// NewFramer returns nil: values tell their length.
func (msgpackFormat) NewFramer() Framer { return nil }

// HasHeader is false.
func (msgpackFormat) HasHeader() bool { return false }

// Infer returns an error: columns are found by a source, which reads the first rows.
func (msgpackFormat) Infer([]byte) ([]arrow.Field, error) { return nil, errNothingToInfer }

// NewDecoder returns a decoder of columns.
func (msgpackFormat) NewDecoder(spec DecodeSpec) (Decoder, error) {
	for _, f := range spec.Declared {
		if _, ok := kindOf(f.Type); !ok {
			return nil, fmt.Errorf("format MSGPACK: column %s: a column of type %s can't be read", f.Name, batch.TypeName(f.Type))
		}
	}
	return NewColumnDecoder(spec), nil
}

// Skips is false: nothing says what comes.
func (msgpackFormat) Skips() bool { return false }

// OpenColumns reads nothing, unless the columns are not given: then they are those of the first rows.
func (msgpackFormat) OpenColumns(_ context.Context, in ColumnInput, spec ColumnSpec) (ColumnReader, error) {
	r := &msgpackReader{in: bufio.NewReaderSize(in.Reader, 64<<10), spec: spec}
	if spec.Columns == nil {
		if err := r.infer(); err != nil {
			return nil, err
		}
	} else {
		r.schema = arrow.NewSchema(spec.Columns, nil)
	}
	return r, nil
}

// msgpackReader reads messages, as many at a time as have come in, so that a quiet connection does not hold rows back.
type msgpackReader struct {
	in     *bufio.Reader
	spec   ColumnSpec
	schema *arrow.Schema

	rows    int64  // records that were read, bad ones too
	offset  int64  // bytes
	message []byte // the record at hand
	err     error  // why no record follows
}

// Schema returns the columns that are read.
func (r *msgpackReader) Schema() *arrow.Schema { return r.schema }

// Close has nothing to release.
func (r *msgpackReader) Close() {}

// Next returns the rows up to one that is bad, or to the end of what has come in.
func (r *msgpackReader) Next(ctx context.Context) (arrow.RecordBatch, int64, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		first := r.rows
		frame := batch.NewFrame(r.spec.Mem, r.schema)
		frame.Reset(0)
		n, err := r.fill(frame)
		if n > 0 {
			return newFrameRows(frame, n), first, nil
		}
		frame.Release()
		if errors.Is(err, io.EOF) {
			return nil, r.rows, io.EOF
		}
		if err != nil {
			return nil, 0, fmt.Errorf("format MSGPACK: record %d, byte %d: %w", r.rows+1, r.offset, err)
		}
	}
}

// fill adds rows to the frame. An error that comes behind rows comes again without them.
func (r *msgpackReader) fill(frame *batch.Frame) (n int, err error) {
	for n < recordBlockRows {
		if n > 0 && r.in.Buffered() == 0 {
			return n, nil
		}
		if len(r.message) == 0 && r.err == nil {
			r.err = r.read()
		}
		if r.err != nil {
			return n, r.err
		}
		m := msgpackData{rest: r.message}
		why, column := m.appendRow(frame)
		if why == "" {
			n++
			r.done()
			continue
		}
		for _, c := range frame.Columns {
			c.TruncateTo(n)
		}
		if n > 0 { // it is read again, behind the rows before it
			return n, nil
		}
		if r.rows >= r.spec.Start && r.spec.Bad != nil {
			r.spec.Bad(BadRow{Line: r.rows + 1, Offset: r.offset, Column: column, Why: why, Raw: r.message[:min(len(r.message), maxRaw)]})
		}
		r.done()
		return 0, nil
	}
	return n, nil
}

func (r *msgpackReader) done() {
	r.rows++
	r.offset += int64(len(r.message))
	r.message = r.message[:0]
}

// read reads one value into message, io.EOF if there is none.
func (r *msgpackReader) read() error {
	r.message = r.message[:0]
	open := 1 // values that are missing
	for open > 0 {
		head, err := r.in.ReadByte()
		if err != nil {
			if len(r.message) == 0 {
				return err
			}
			return r.broken(notEOF(err))
		}
		r.message = append(r.message, head)
		size, lengthBytes, values := msgpackHead(head)
		if lengthBytes > 0 {
			at := len(r.message)
			if err := r.take(lengthBytes); err != nil {
				return r.broken(err)
			}
			n := bigEndian(r.message[at:])
			if values > 0 { // an array or a map of n
				values *= n
			} else {
				size += n
			}
		}
		if size > maxMessage || values > maxMessage || len(r.message)+size > maxMessage || open > maxMessage {
			return r.broken(fmt.Errorf("a record longer than %s", sizeText(maxMessage)))
		}
		if err := r.take(size); err != nil {
			return r.broken(err)
		}
		open += values - 1
	}
	return nil
}

func (r *msgpackReader) broken(err error) error {
	r.message = r.message[:0]
	return err
}

func (r *msgpackReader) take(n int) error {
	from := len(r.message)
	for have := 0; have < n; {
		step := min(n-have, 1<<20)
		r.message = append(r.message, make([]byte, step)...)
		if _, err := io.ReadFull(r.in, r.message[from+have:]); err != nil {
			return notEOF(err)
		}
		have += step
	}
	return nil
}

// msgpackHead returns what follows the first byte of a value: so many bytes; before them a length of so many bytes, which is added to
// size; and, of an array or a map, how many values, or how many per counted item where there is a length.
func msgpackHead(head byte) (size, lengthBytes, values int) {
	switch {
	case head < 0x80 || head >= 0xE0: // a small integer
		return 0, 0, 0
	case head < 0x90:
		return 0, 0, 2 * int(head&0x0F)
	case head < 0xA0:
		return 0, 0, int(head & 0x0F)
	case head < 0xC0:
		return int(head & 0x1F), 0, 0
	}
	switch head {
	case 0xC4, 0xC5, 0xC6: // bytes
		return 0, 1 << (head - 0xC4), 0
	case 0xC7, 0xC8, 0xC9: // an extension, with its type
		return 1, 1 << (head - 0xC7), 0
	case 0xCA:
		return 4, 0, 0
	case 0xCB:
		return 8, 0, 0
	case 0xCC, 0xCD, 0xCE, 0xCF:
		return 1 << (head - 0xCC), 0, 0
	case 0xD0, 0xD1, 0xD2, 0xD3:
		return 1 << (head - 0xD0), 0, 0
	case 0xD4, 0xD5, 0xD6, 0xD7, 0xD8:
		return 1 + 1<<(head-0xD4), 0, 0
	case 0xD9, 0xDA, 0xDB: // a text
		return 0, 1 << (head - 0xD9), 0
	case 0xDC, 0xDD:
		return 0, 2 << (head - 0xDC), 1
	case 0xDE, 0xDF:
		return 0, 2 << (head - 0xDE), 2
	}
	return 0, 0, 0 // nil, false, true, and 0xC1, which means nothing
}

func bigEndian(v []byte) (n int) {
	for _, b := range v {
		n = n<<8 | int(b)
	}
	return n
}
