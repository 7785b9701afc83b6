package ingest

import (
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

var (
	gzipMagic = []byte{0x1F, 0x8B}
	zstdMagic = []byte{0x28, 0xB5, 0x2F, 0xFD}
	// bzip2 begins with BZh, a level, and the mark of a block; the letters alone might begin a text.
	bzipMagic = []byte("BZh")
	bzipBlock = []byte{0x31, 0x41, 0x59, 0x26, 0x53, 0x59}
	lz4Magic  = []byte{0x04, 0x22, 0x4D, 0x18}
	// Frames of S2, and of Snappy, which S2 reads too.
	s2Magic     = []byte("\xff\x06\x00\x00S2sTwO")
	snappyMagic = []byte("\xff\x06\x00\x00sNaPpY")
)

// maxZstdWindow bounds the memory that a file may ask for: what zstd --long=27, its largest level by default, needs.
const maxZstdWindow = 128 << 20

// openFile is a file as it is read: decompressed if need be.
type openFile struct {
	io.Reader
	file         *countedFile
	isCompressed bool
	closer       func()
}

// openData opens a file and reads its first bytes to see whether it is compressed. One that is empty has no compression, also
// if it is called so. What is read of it is added to count.
func openData(path string, count *atomic.Int64) (*openFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	o := &openFile{file: &countedFile{File: f, total: count}}
	o.Reader = o.file
	if err := o.decompress(path); err != nil {
		f.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return o, nil
}

func (o *openFile) decompress(path string) error {
	var start [10]byte
	n, err := o.file.File.ReadAt(start[:], 0)
	if err != nil && err != io.EOF {
		return err
	}
	ext := filepath.Ext(path)
	switch {
	case bytes.HasPrefix(start[:n], gzipMagic), n > 0 && ext == ".gz":
		r, err := gzip.NewReader(o.file)
		if err != nil {
			return err
		}
		o.Reader, o.isCompressed = r, true
		o.closer = func() { _ = r.Close() }
	case bytes.HasPrefix(start[:n], zstdMagic), n > 0 && ext == ".zst":
		// One goroutine per file is enough: files are read side by side.
		r, err := zstd.NewReader(o.file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return err
		}
		o.Reader, o.isCompressed = r, true
		o.closer = r.Close
	case bytes.HasPrefix(start[:n], lz4Magic), n > 0 && ext == ".lz4":
		o.Reader, o.isCompressed = lz4.NewReader(o.file), true
	case bytes.HasPrefix(start[:n], s2Magic), bytes.HasPrefix(start[:n], snappyMagic), n > 0 && (ext == ".s2" || ext == ".sz"):
		o.Reader, o.isCompressed = s2.NewReader(o.file), true
	case ext == ".bz2" && n > 0, n == len(start) && bytes.HasPrefix(start[:], bzipMagic) && bytes.Equal(start[4:], bzipBlock):
		o.Reader, o.isCompressed = bzip2.NewReader(o.file), true
	}
	return nil
}

// columns returns the file as the input of a ColumnFormat.
func (o *openFile) columns() ColumnInput {
	in := ColumnInput{Reader: o.Reader}
	if info, err := o.file.Stat(); err == nil && !o.isCompressed {
		in.File, in.Size = o.file, info.Size()
	}
	return in
}

// Close closes the file and what decompresses it.
func (o *openFile) Close() error {
	if o.closer != nil {
		o.closer()
	}
	return o.file.Close()
}

// skip moves on to a position.
func (o *openFile) skip(ctx context.Context, pos int64) error {
	if pos == 0 {
		return nil
	}
	if !o.isCompressed {
		info, err := o.file.Stat()
		if err != nil {
			return err
		}
		if info.Size() < pos {
			return fmt.Errorf("file is shorter than it was: %d bytes, position %d", info.Size(), pos)
		}
		o.file.add(pos)
		_, err = o.file.Seek(pos, io.SeekStart)
		return err
	}
	for at := int64(0); at < pos; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.CopyN(io.Discard, o.Reader, min(pos-at, 1<<20))
		at += n
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("file is shorter than it was: %d bytes, position %d", at, pos)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readHeader returns the first record of a file, for a restart behind it.
func readHeader(path string, format Format) ([]byte, error) {
	o, err := openData(path, new(atomic.Int64))
	if err != nil {
		return nil, err
	}
	defer func() { _ = o.Close() }()
	framer := format.NewFramer()
	var header []byte
	chunk := make([]byte, 4096)
	for len(header) <= defaultMaxRecord {
		n, err := o.Read(chunk)
		fresh := chunk[:n]
		for len(fresh) > 0 {
			piece := fresh
			if i := bytes.IndexByte(fresh, '\n'); i >= 0 {
				piece = fresh[:i+1]
			}
			header = append(header, piece...)
			fresh = fresh[len(piece):]
			if _, records, _ := framer.Frame(piece); records > 0 {
				return bytes.TrimPrefix(header, byteOrderMark), nil
			}
		}
		if errors.Is(err, io.EOF) {
			return bytes.TrimPrefix(header, byteOrderMark), nil
		}
		if err != nil {
			return nil, err
		}
	}
	return []byte{}, nil
}
