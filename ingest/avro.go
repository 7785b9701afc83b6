package ingest

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"github.com/tidemill/tidemill/batch"
)

// avroMagic begins object container files.
const avroMagic = "Obj\x01"

// avroFormat is Avro object container files, and streams of the same form.
type avroFormat struct{}

var _ ColumnFormat = avroFormat{}

// Name returns AVRO.
func (avroFormat) Name() string { return "AVRO" }

// NewFramer returns nil: blocks tell their length.
func (avroFormat) NewFramer() Framer { return nil }

// HasHeader is false.
func (avroFormat) HasHeader() bool { return false }

// Infer returns an error: columns are those of the schema, which a source gives.
func (avroFormat) Infer([]byte) ([]arrow.Field, error) { return nil, errNothingToInfer }

// NewDecoder returns a decoder of columns.
func (avroFormat) NewDecoder(spec DecodeSpec) (Decoder, error) { return NewColumnDecoder(spec), nil }

// Skips is false: nothing says what is in a block.
func (avroFormat) Skips() bool { return false }

// OpenColumns reads the header.
func (avroFormat) OpenColumns(_ context.Context, in ColumnInput, spec ColumnSpec) (ColumnReader, error) {
	r := &avroReader{in: bufio.NewReaderSize(in.Reader, 64<<10), spec: spec}
	if _, err := r.in.Peek(1); err != nil {
		return nil, err
	}
	if err := r.open(); err != nil {
		return nil, fmt.Errorf("format AVRO: %w", notEOF(err))
	}
	return r, nil
}

// avroReader reads the blocks of a file.
type avroReader struct {
	in     *bufio.Reader
	spec   ColumnSpec
	record *avroType
	schema *arrow.Schema
	want   *arrow.Schema // of the rows
	column []int         // of each field of the record in want, -1 where it is passed over
	codec  string
	sync   [16]byte
	zstd   *zstd.Decoder

	rows  int64 // that were given or passed over
	block int
	left  int64  // records of the block that were not read
	raw   []byte // the block as it is in the file
	plain []byte // what is left of it, decompressed
}

func (r *avroReader) open() error {
	var magic [len(avroMagic)]byte
	if _, err := io.ReadFull(r.in, magic[:]); err != nil {
		return err
	}
	if string(magic[:]) != avroMagic {
		return errors.New("no object container file: it does not begin with Obj and 1")
	}
	meta, err := r.metadata()
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(r.in, r.sync[:]); err != nil {
		return err
	}
	if r.record, err = parseAvroSchema(meta["avro.schema"]); err != nil {
		return err
	}
	switch r.codec = string(meta["avro.codec"]); r.codec {
	case "", "null", "deflate", "snappy", "bzip2":
	case "zstandard":
		if r.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxGuarded)); err != nil {
			return err
		}
	default:
		return fmt.Errorf("codec %q is not known: null, deflate, snappy, zstandard and bzip2 are", r.codec)
	}
	return r.layOut()
}

// layOut chooses the fields that are read.
func (r *avroReader) layOut() error {
	var all, want []arrow.Field
	for i, name := range r.record.names {
		f := arrow.Field{Name: name, Type: r.record.parts[i].column, Nullable: true}
		if f.Type == nil {
			f.Type = arrow.Null // which nobody can read, and engineFields says so
		}
		all = append(all, f)
		r.column = append(r.column, -1)
		if f.Type != arrow.Null && isWanted(r.spec.Columns, name) {
			r.column[i] = len(want)
			want = append(want, f)
		}
	}
	r.schema, r.want = arrow.NewSchema(all, nil), arrow.NewSchema(want, nil)
	return nil
}

func isWanted(columns []arrow.Field, name string) bool {
	for _, f := range columns {
		if strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return columns == nil
}

// maxAvroHeader bounds the texts of the header.
const maxAvroHeader = 16 << 20

// metadata reads the map of the header.
func (r *avroReader) metadata() (map[string][]byte, error) {
	meta := make(map[string][]byte)
	for {
		n, err := r.long()
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return meta, nil
		}
		if n < 0 {
			n = -n
			if _, err := r.long(); err != nil {
				return nil, err
			}
		}
		for ; n > 0; n-- {
			key, err := r.text()
			if err != nil {
				return nil, err
			}
			if meta[string(key)], err = r.text(); err != nil {
				return nil, err
			}
			if len(meta) > 1000 {
				return nil, errors.New("damaged: its header has no end")
			}
		}
	}
}

func (r *avroReader) long() (int64, error) {
	u, err := binary.ReadUvarint(r.in)
	return int64(u>>1) ^ -int64(u&1), err
}

func (r *avroReader) text() ([]byte, error) {
	n, err := r.long()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > maxAvroHeader {
		return nil, fmt.Errorf("damaged: a text of %d bytes in its header", n)
	}
	var b bytes.Buffer
	_, err = io.CopyN(&b, r.in, n)
	return b.Bytes(), notEOF(err)
}

// Schema returns the fields of the record.
func (r *avroReader) Schema() *arrow.Schema { return r.schema }

// Next returns the next rows of a block.
func (r *avroReader) Next(context.Context) (arrow.RecordBatch, int64, error) {
	for r.left == 0 {
		if len(r.plain) > 0 && r.block > 0 {
			return nil, 0, fmt.Errorf("format AVRO: block %d: damaged: %d bytes behind its last record", r.block, len(r.plain))
		}
		err := r.readBlock()
		if errors.Is(err, io.EOF) {
			return nil, r.rows, io.EOF
		}
		if err != nil {
			return nil, 0, fmt.Errorf("format AVRO: block %d: %w", r.block, err)
		}
	}
	n := int(min(r.left, recordBlockRows))
	frame := batch.NewFrame(r.spec.Mem, r.want)
	frame.Reset(0)
	d := avroData{rest: r.plain}
	for i := range n {
		if err := r.readRow(&d, frame); err != nil {
			frame.Release()
			return nil, 0, fmt.Errorf("format AVRO: block %d: row %d: %w", r.block, r.rows+int64(i)+1, err)
		}
	}
	r.plain = d.rest
	first := r.rows
	r.left -= int64(n)
	r.rows += int64(n)
	return newFrameRows(frame, n), first, nil
}

func (r *avroReader) readRow(d *avroData, frame *batch.Frame) (err error) {
	for i, t := range r.record.parts {
		if k := r.column[i]; k >= 0 {
			err = d.appendTo(frame.Columns[k], t)
		} else {
			err = d.skip(t, 0)
		}
		if err != nil {
			return fmt.Errorf("column %q: %w", r.record.names[i], err)
		}
	}
	return nil
}

// readBlock reads the next block that has rows behind the start, and returns io.EOF behind the last.
func (r *avroReader) readBlock() error {
	for {
		if _, err := r.in.Peek(1); err != nil {
			return err
		}
		r.block++
		count, err := r.long()
		if err != nil {
			return notEOF(err)
		}
		size, err := r.long()
		if err != nil {
			return notEOF(err)
		}
		if count < 0 || count > math.MaxInt32 || size < 0 || size > maxGuarded {
			return fmt.Errorf("damaged: %d records in %d bytes", count, size)
		}
		passes := r.rows+count <= r.spec.Start
		if err := r.readRaw(int(size), passes); err != nil {
			return notEOF(err)
		}
		if passes {
			r.rows += count
			continue
		}
		if err := r.decompress(); err != nil {
			return fmt.Errorf("codec %s: %w", r.codec, err)
		}
		r.left = count
		return nil
	}
}

// readRaw reads a block's bytes, or passes over them, and what has to stand behind.
func (r *avroReader) readRaw(size int, passes bool) error {
	r.raw = r.raw[:0]
	if passes {
		if _, err := r.in.Discard(size); err != nil {
			return err
		}
	}
	for !passes && len(r.raw) < size {
		from := len(r.raw)
		r.raw = append(r.raw, make([]byte, min(size-from, 1<<20))...)
		if _, err := io.ReadFull(r.in, r.raw[from:]); err != nil {
			return err
		}
	}
	var sync [16]byte
	if _, err := io.ReadFull(r.in, sync[:]); err != nil {
		return err
	}
	if sync != r.sync {
		return errors.New("damaged: no mark of the file's blocks behind it")
	}
	return nil
}

func (r *avroReader) decompress() (err error) {
	switch r.codec {
	case "deflate":
		r.plain, err = readBounded(flate.NewReader(bytes.NewReader(r.raw)))
	case "bzip2":
		r.plain, err = readBounded(bzip2.NewReader(bytes.NewReader(r.raw)))
	case "zstandard":
		r.plain, err = r.zstd.DecodeAll(r.raw, r.plain[:0])
	case "snappy":
		if len(r.raw) < 4 {
			return io.ErrUnexpectedEOF
		}
		body, sum := r.raw[:len(r.raw)-4], binary.BigEndian.Uint32(r.raw[len(r.raw)-4:])
		if n, err := snappy.DecodedLen(body); err != nil || n > maxGuarded {
			return errors.Join(err, fmt.Errorf("%d bytes", n))
		}
		if r.plain, err = snappy.Decode(r.plain[:cap(r.plain)], body); err == nil && crc32.ChecksumIEEE(r.plain) != sum {
			err = errors.New("damaged: its sum is another")
		}
	default:
		r.plain = r.raw
	}
	return err
}

func readBounded(in io.Reader) ([]byte, error) {
	all, err := io.ReadAll(io.LimitReader(in, maxGuarded+1))
	if err == nil && len(all) > maxGuarded {
		err = fmt.Errorf("more than %d bytes", maxGuarded)
	}
	return all, err
}

// Close ends the decompression.
func (r *avroReader) Close() {
	if r.zstd != nil {
		r.zstd.Close()
	}
}
