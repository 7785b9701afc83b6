package ingest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const (
	// arrowContinuation begins a message since version 0.15 of Arrow; before, its length did.
	arrowContinuation = 0xFFFFFFFF
	// maxArrowMetadata is the most that describes a message: some thousand columns take less than 1 MiB.
	maxArrowMetadata = 16 << 20
	// arrowChunk is how much memory a body that may be shorter than it says gets at a time.
	arrowChunk = 1 << 20
)

// arrowMessages reads the messages of a stream. Bodies of batches before start are passed over.
type arrowMessages struct {
	in     *bufio.Reader
	size   int64 // of a file; 0 where that is not known
	start  int64
	isFile bool
	mem    *Guard

	rows      int64 // of batches so far
	batchRows int64 // of the last
	batches   int
	err       error // why Message failed
	message   *ipc.Message
}

var _ ipc.MessageReader = (*arrowMessages)(nil)

// Retain does nothing: who made the messages releases them.
func (m *arrowMessages) Retain() {}

// Release does nothing.
func (m *arrowMessages) Release() {}

func (m *arrowMessages) release() {
	if m.message != nil {
		m.message.Release()
		m.message = nil
	}
}

// Message returns the next message, valid until the next call, or io.EOF behind the last.
func (m *arrowMessages) Message() (*ipc.Message, error) {
	m.release()
	message, err := m.next()
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	m.message = message
	return message, err
}

func (m *arrowMessages) next() (*ipc.Message, error) {
	for {
		meta, err := m.metadata()
		if err != nil {
			return nil, err
		}
		header, err := readArrowHeader(meta)
		if err != nil {
			return nil, err
		}
		if header.bodyLen < 0 || header.bodyLen > maxGuarded || m.size > 0 && header.bodyLen > m.size {
			return nil, fmt.Errorf("damaged: a message of %d bytes", header.bodyLen)
		}
		if header.isBatch {
			if header.rows < 0 || header.rows > math.MaxInt32 {
				return nil, fmt.Errorf("damaged: a batch of %d rows", header.rows)
			}
			m.batches++
			m.rows += header.rows
			m.batchRows = header.rows
			if m.rows <= m.start {
				if err := m.discard(header.bodyLen); err != nil {
					return nil, err
				}
				continue
			}
		}
		body, err := m.body(int(header.bodyLen))
		if err != nil {
			return nil, err
		}
		defer body.Release()
		metadata := memory.NewBufferBytes(meta)
		defer metadata.Release()
		return ipc.NewMessage(metadata, body), nil
	}
}

// metadata returns what describes the next message, io.EOF where none follows.
func (m *arrowMessages) metadata() ([]byte, error) {
	var word [4]byte
	_, err := io.ReadFull(m.in, word[:])
	if errors.Is(err, io.EOF) && !m.isFile {
		return nil, io.EOF // a stream may end like that
	}
	if err != nil {
		return nil, notEOF(err)
	}
	size := binary.LittleEndian.Uint32(word[:])
	if size == arrowContinuation {
		if _, err := io.ReadFull(m.in, word[:]); err != nil {
			return nil, notEOF(err)
		}
		size = binary.LittleEndian.Uint32(word[:])
	}
	switch {
	case size == 0:
		return nil, io.EOF
	case size < 8 || size > maxArrowMetadata:
		return nil, fmt.Errorf("no Arrow stream or file, or damaged: metadata of %d bytes", size)
	}
	meta := make([]byte, 0, min(size, 64<<10))
	for len(meta) < int(size) {
		from := len(meta)
		meta = append(meta, make([]byte, min(int(size)-from, 64<<10))...)
		if _, err := io.ReadFull(m.in, meta[from:]); err != nil {
			return nil, notEOF(err)
		}
	}
	return meta, nil
}

// body reads a body, with no more memory than twice what there is of it.
func (m *arrowMessages) body(size int) (*memory.Buffer, error) {
	b := memory.NewResizableBuffer(m.mem)
	step := arrowChunk
	if m.size > 0 { // the file is as long
		step = size
	}
	for have := 0; have < size; {
		next := min(size, have+max(step, have))
		b.Resize(next)
		if _, err := io.ReadFull(m.in, b.Bytes()[have:next]); err != nil {
			b.Release()
			return nil, notEOF(err)
		}
		have = next
	}
	return b, nil
}

func (m *arrowMessages) discard(n int64) error {
	_, err := io.CopyN(io.Discard, m.in, n)
	return notEOF(err)
}
