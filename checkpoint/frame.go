package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill/internal/vfs"
)

// formatVersion is the version that this package writes, and the newest that it reads.
const formatVersion = 1

// castagnoli is the table of CRC32C, which processors compute by themselves.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileKind is what a file holds; it ends the magic.
type fileKind byte

const (
	recordsFile fileKind = 'R'
	segmentFile fileKind = 'S'
	journalFile fileKind = 'J'
)

const (
	magic          = "TIDEMIL"
	fileHeaderSize = 24
)

func appendFileHeader(dst []byte, kind fileKind, number uint64) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, byte(kind))
	dst = binary.LittleEndian.AppendUint32(dst, formatVersion)
	dst = binary.LittleEndian.AppendUint64(dst, number)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// errHeader says that a file does not begin with its header.
var errHeader = errors.New("file header is missing or altered")

// parseFileHeader returns the version in a file's header, and errHeader if b does not begin with the header of that file.
func parseFileHeader(b []byte, kind fileKind, number uint64) (version uint32, err error) {
	if len(b) < fileHeaderSize || string(b[:7]) != magic || b[7] != byte(kind) ||
		binary.LittleEndian.Uint32(b[20:]) != crc32.Checksum(b[:20], castagnoli) || binary.LittleEndian.Uint64(b[12:]) != number {
		return 0, errHeader
	}
	return binary.LittleEndian.Uint32(b[8:]), nil
}

// frameKind is what a frame holds.
type frameKind byte

const (
	recordFrame     frameKind = 'R' // records file: a Record as JSON, in two copies
	tableFrame      frameKind = 'T' // segment: a table's description as JSON; begins an image if it says so
	rowsSchemaFrame frameKind = 'Y' // segment: the Arrow schema message of rows
	keysSchemaFrame frameKind = 'Z' // segment: the Arrow schema message of deleted keys
	upsertFrame     frameKind = 'U' // segment: an Arrow record batch message with rows
	deleteFrame     frameKind = 'D' // segment: an Arrow record batch message with deleted keys
	entryFrame      frameKind = 'E' // journal: an Entry
	endFrame        frameKind = 'F' // journal: empty, the last of a file that is not appended to any more
)

const (
	frameHeaderSize = 24
	// maxFrameBytes bounds what a reader allocates for a frame. Writers stay far below: they cut after maxFrameRows rows.
	maxFrameBytes = 1 << 30
	// baseFlag marks an upsertFrame as part of a full image, in which every key occurs once.
	baseFlag uint16 = 1
)

// frameHeader precedes every payload.
type frameHeader struct {
	kind   frameKind
	codec  codec
	table  uint16 // number of the table within its segment
	shard  uint16
	flags  uint16
	rows   uint32
	length uint32 // of the payload as stored
	crc    uint32 // of the payload as stored
}

// put writes the header into dst, which has room for it.
func (h *frameHeader) put(dst []byte) {
	dst = dst[:frameHeaderSize]
	binary.LittleEndian.PutUint32(dst, h.length)
	dst[4], dst[5] = byte(h.kind), byte(h.codec)
	binary.LittleEndian.PutUint16(dst[6:], h.table)
	binary.LittleEndian.PutUint16(dst[8:], h.shard)
	binary.LittleEndian.PutUint16(dst[10:], h.flags)
	binary.LittleEndian.PutUint32(dst[12:], h.rows)
	binary.LittleEndian.PutUint32(dst[16:], h.crc)
	binary.LittleEndian.PutUint32(dst[20:], crc32.Checksum(dst[:20], castagnoli))
}

// parseFrameHeader returns false if b does not begin with a header whose CRC is right.
func parseFrameHeader(b []byte) (h frameHeader, ok bool) {
	if len(b) < frameHeaderSize || binary.LittleEndian.Uint32(b[20:]) != crc32.Checksum(b[:20], castagnoli) {
		return h, false
	}
	h = frameHeader{
		kind: frameKind(b[4]), codec: codec(b[5]), table: binary.LittleEndian.Uint16(b[6:]), shard: binary.LittleEndian.Uint16(b[8:]),
		flags: binary.LittleEndian.Uint16(b[10:]), rows: binary.LittleEndian.Uint32(b[12:]), length: binary.LittleEndian.Uint32(b),
		crc: binary.LittleEndian.Uint32(b[16:]),
	}
	return h, h.length <= maxFrameBytes
}

// appendFrame appends a frame with a payload.
func appendFrame(dst []byte, h frameHeader, payload []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, frameHeaderSize)...)
	dst = append(dst, payload...)
	sealFrame(dst[start:], h)
	return dst
}

// sealFrame writes the header in front of a payload that is already in place.
func sealFrame(frame []byte, h frameHeader) {
	payload := frame[frameHeaderSize:]
	h.length = uint32(len(payload))
	h.crc = crc32.Checksum(payload, castagnoli)
	h.put(frame)
}

// parseFrame returns the frame that b begins with, its payload in the memory of b, and false if there is none that is whole.
func parseFrame(b []byte) (h frameHeader, payload []byte, ok bool) {
	if h, ok = parseFrameHeader(b); !ok || int64(h.length) > int64(len(b)-frameHeaderSize) {
		return h, nil, false
	}
	payload = b[frameHeaderSize:][:h.length]
	return h, payload, crc32.Checksum(payload, castagnoli) == h.crc
}

// findFrame returns the offset of the next whole frame in b, -1 if there is none. It looks at every byte: for files with a fault.
func findFrame(b []byte) int {
	for i := range b {
		if _, _, ok := parseFrame(b[i:]); ok {
			return i
		}
	}
	return -1
}

func recordsName(number uint64) string { return fmt.Sprintf("records-%010d.log", number) }
func segmentName(number uint64) string { return fmt.Sprintf("state-%010d.seg", number) }
func journalName(number uint64) string { return fmt.Sprintf("%010d.jnl", number) }

// parseName returns the number in a file name of the given form.
func parseName(name, prefix, suffix string) (number uint64, ok bool) {
	digits, ok1 := strings.CutPrefix(name, prefix)
	digits, ok2 := strings.CutSuffix(digits, suffix)
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, ok1 && ok2 && err == nil && number > 0 && len(digits) == 10
}

// readAll returns the bytes of a file, in buf if they fit.
func readAll(fs vfs.FS, name string, buf []byte) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if n := int(info.Size()); cap(buf) < n {
		buf = make([]byte, n)
	} else {
		buf = buf[:n]
	}
	n, err := io.ReadFull(f, buf)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil // shorter than a moment ago: what is left counts
	}
	return buf[:n], err
}
