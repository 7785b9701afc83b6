package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/vfs"
)

// flushBytes is how many bytes of frames are gathered before they are written: fewer calls, and still in L2.
const flushBytes = 256 << 10

// segment is a file of frames. Bytes before its size are never changed; the last segment is appended to.
type segment struct {
	number uint64
	size   int64 // what is in buf included
	live   int   // frames that some image refers to

	file     vfs.File // open for appending, or nil
	fileName string   // its path
	buf      []byte   // frames that are not written yet
	isNew    bool     // its name is not durable yet
	isDirty  bool     // written to since the last sync
	defined  []*table // by number
}

func (s *segment) name() string { return segmentName(s.number) }

func (s *segment) closeFile() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// flush writes the gathered frames.
func (s *segment) flush(fsys vfs.FS) error {
	if len(s.buf) == 0 {
		return nil
	}
	if s.file == nil {
		f, err := fsys.OpenAppend(s.fileName)
		if err != nil {
			return err
		}
		s.file = f
	}
	_, err := s.file.Write(s.buf)
	s.buf = s.buf[:0]
	s.isDirty = true
	return err
}

// table is a state table and the index of its image.
type table struct {
	spec     Table
	keys     *arrow.Schema // the key columns
	messages struct{ rows, keys []byte }
	frames   []frameRef // from the last full image on, in the order they were saved

	upserted, deleted int64
	baseRows          int64 // rows of the last full image
	baseBytes         int64

	savedIn   uint64 // Log.saves of the last Save
	savedFull bool
	definedIn *segment
	number    uint16 // in definedIn
}

// frameRef is where a frame of rows or keys is.
type frameRef struct {
	frameHeader
	segment *segment
	offset  int64
}

func (t *table) bytes() (n int64) {
	for i := range t.frames {
		n += frameHeaderSize + int64(t.frames[i].length)
	}
	return n
}

// begin forgets the image: a new one begins.
func (t *table) begin() {
	for i := range t.frames {
		t.frames[i].segment.live--
	}
	t.frames = t.frames[:0]
	t.upserted, t.deleted, t.baseRows, t.baseBytes = 0, 0, 0, 0
}

func (t *table) add(ref frameRef) {
	ref.segment.live++
	t.frames = append(t.frames, ref)
	switch {
	case ref.kind == deleteFrame:
		t.deleted += int64(ref.rows)
	case ref.flags&baseFlag != 0:
		t.baseRows += int64(ref.rows)
		t.baseBytes += frameHeaderSize + int64(ref.length)
		fallthrough
	default:
		t.upserted += int64(ref.rows)
	}
}

// tableHeader is the payload of a tableFrame.
type tableHeader struct {
	Name    text  `json:"name"`
	Version int   `json:"version"`
	Keys    []int `json:"keys"`
	Meaning text  `json:"meaning,omitempty"`
	// Full says that an image begins: what was saved of the table before is void.
	Full bool `json:"full,omitempty"`
	// Dropped says that the table is gone.
	Dropped bool `json:"dropped,omitempty"`
}

// scanSegment indexes a segment that a record refers to. It reads headers and descriptions; images are read by Restore.
func (l *Log) scanSegment(ref segmentRef) error {
	s := &segment{number: ref.Number, size: ref.Size, fileName: l.path(segmentName(ref.Number))}
	f, err := l.fs.Open(s.fileName)
	if err != nil {
		return fmt.Errorf("checkpoint %s: open segment: %w", l.dir, err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	corrupt := func(offset int64, why string) error { return &CorruptError{Path: s.fileName, Offset: offset, Why: why} }

	head := make([]byte, fileHeaderSize)
	if _, err := f.ReadAt(head, 0); err != nil {
		return readError(s.fileName, 0, err)
	}
	version, err := parseFileHeader(head, segmentFile, s.number)
	if err != nil {
		return corrupt(0, err.Error())
	}
	if version > formatVersion {
		return &versionError{dir: l.dir, found: version}
	}
	l.segments = append(l.segments, s)
	for pos := int64(fileHeaderSize); pos < s.size; {
		if _, err := f.ReadAt(head, pos); err != nil {
			return readError(s.fileName, pos, err)
		}
		h, ok := parseFrameHeader(head)
		end := pos + frameHeaderSize + int64(h.length)
		if !ok || end > s.size {
			return corrupt(pos, "frame header is altered")
		}
		switch h.kind {
		case tableFrame, rowsSchemaFrame, keysSchemaFrame:
			payload := make([]byte, h.length)
			if _, err := f.ReadAt(payload, pos+frameHeaderSize); err != nil {
				return readError(s.fileName, pos, err)
			}
			if _, _, ok := parseFrame(append(head, payload...)); !ok {
				return corrupt(pos, "bytes do not match their CRC")
			}
			if err := l.define(s, h, payload); err != nil {
				return corrupt(pos, err.Error())
			}
		case upsertFrame, deleteFrame:
			if int(h.table) >= len(s.defined) || s.defined[h.table] == nil {
				return corrupt(pos, "frame of a table that is not described")
			}
			s.defined[h.table].add(frameRef{frameHeader: h, segment: s, offset: pos})
		default:
			return corrupt(pos, fmt.Sprintf("frame of unknown kind %q", h.kind))
		}
		pos = end
	}
	return nil
}

// define follows a frame that describes a table.
func (l *Log) define(s *segment, h frameHeader, payload []byte) error {
	for len(s.defined) <= int(h.table) {
		s.defined = append(s.defined, nil)
	}
	if h.kind != tableFrame {
		t := s.defined[h.table]
		if t == nil {
			return errors.New("schema of a table that is not described")
		}
		schema, err := parseSchema(payload)
		if err != nil {
			return fmt.Errorf("schema can't be read: %w", err)
		}
		if h.kind == rowsSchemaFrame {
			t.spec.Schema, t.messages.rows = schema, payload
		} else {
			t.keys, t.messages.keys = schema, payload
		}
		return nil
	}
	var th tableHeader
	if err := json.Unmarshal(payload, &th); err != nil {
		return fmt.Errorf("table description can't be read: %w", err)
	}
	name := string(th.Name)
	t := l.tables[name]
	if t == nil {
		t = &table{}
	}
	if th.Full || th.Dropped {
		t.begin()
	}
	t.spec.Name, t.spec.Version, t.spec.Keys, t.spec.Meaning = name, th.Version, th.Keys, string(th.Meaning)
	t.definedIn, t.number = s, h.table
	s.defined[h.table] = t
	l.tables[name] = t
	if th.Dropped {
		delete(l.tables, name)
	}
	return nil
}

func parseSchema(message []byte) (*arrow.Schema, error) {
	r, err := ipc.NewReader(&feed{bytes: message})
	if err != nil {
		return nil, err
	}
	defer r.Release()
	return batch.LogicalSchema(r.Schema())
}

// feed gives an ipc.Reader one message after the other.
type feed struct{ bytes []byte }

// Read is io.Reader.
func (f *feed) Read(p []byte) (int, error) {
	if len(f.bytes) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.bytes)
	f.bytes = f.bytes[n:]
	return n, nil
}

// readError tells a file that is too short from a disk that can't read.
func readError(path string, offset int64, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &CorruptError{Path: path, Offset: offset, Why: "file is shorter than its record says"}
	}
	return fmt.Errorf("read %s at %d: %w", path, offset, err)
}
