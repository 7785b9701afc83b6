package egress

import (
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/vfs"
)

// flushBytes is how much encoded text is handed to the compressor or the file at once: few system calls, and it stays in L2.
const flushBytes = 128 << 10

// staged is a file that rows are added to.
type staged struct {
	name string
	file vfs.File
	rows int64
}

// resetWriter is a compressor.
type resetWriter interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// stagedWriter puts encoded text into one file after another, through one compressor whose memory is kept.
type stagedWriter struct {
	encoder Encoder

	buf []byte // encoded, not flushed yet

	compressor resetWriter // nil for none
	out        io.Writer
	flushed    int64 // encoded bytes of the file that left buf
}

// init makes the compressor, which runs in the caller's goroutine.
func (w *stagedWriter) init(compression string) (err error) {
	switch compression {
	case compressionGzip:
		w.compressor = gzip.NewWriter(nil)
	case compressionZstd:
		w.compressor, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	case compressionS2:
		w.compressor = s2.NewWriter(nil, s2.WriterConcurrency(1))
	case compressionSnappy:
		w.compressor = s2.NewWriter(nil, s2.WriterConcurrency(1), s2.WriterSnappyCompat())
	case compressionLZ4:
		w.compressor = lz4.NewWriter(nil)
	}
	return err
}

var _ rowWriter = (*stagedWriter)(nil)

// begin starts a file.
func (w *stagedWriter) begin(f vfs.File) error {
	w.buf, w.flushed, w.out = w.buf[:0], 0, f
	if w.compressor != nil {
		w.compressor.Reset(f)
		w.out = w.compressor
	}
	w.buf = w.encoder.AppendHeader(w.buf)
	return nil
}

// size returns the size of the file before compression.
func (w *stagedWriter) size() int64 { return w.flushed + int64(len(w.buf)) }

func (w *stagedWriter) add(in batch.Batch, from, to int) error {
	w.buf = w.encoder.AppendRows(w.buf, in, from, to)
	if len(w.buf) < flushBytes {
		return nil
	}
	return w.flush()
}

func (w *stagedWriter) flush() error {
	n, err := w.out.Write(w.buf)
	w.flushed += int64(len(w.buf))
	if err == nil && n < len(w.buf) {
		err = io.ErrShortWrite
	}
	w.buf = w.buf[:0]
	return err
}

// end writes what is left and the compressor's end.
func (w *stagedWriter) end() error {
	if err := w.flush(); err != nil {
		return err
	}
	if w.compressor != nil {
		return w.compressor.Close()
	}
	return nil
}

// close releases the compressor.
func (w *stagedWriter) close() {
	if w.compressor != nil {
		w.compressor.Reset(io.Discard)
		w.compressor = nil
	}
	w.out, w.buf = nil, nil
}
