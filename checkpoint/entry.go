package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Offset is a position in a split: Pos counts bytes or records, Tag is for sources whose positions are no numbers.
type Offset struct {
	Pos int64
	Tag string
}

// Entry is what the journal keeps of a block: its bytes, and what a replay needs to make the same block of them.
type Entry struct {
	Source, Split string
	From, To      Offset
	FirstRow      int64 // number of the first record within the split
	FirstLine     int64 // line ends before the first record
	Rows          int64
	Arrival       int64 // when the last byte came in, microseconds
	Header        []byte
	Bytes         []byte
	Ended         bool // the split ends after the entry, which may have no bytes
}

// mark is how far entries reach in their split: one more where the split ended, so that a position alone does not cover it.
func (e *Entry) mark() int64 {
	if e.Ended {
		return e.To.Pos + 1
	}
	return e.To.Pos
}

// place is a position in the journal.
type place struct {
	file   uint64
	offset uint64
}

func (p place) before(q place) bool {
	return p.file < q.file || p.file == q.file && p.offset < q.offset
}

const (
	entryFixedSize = 96
	endedFlag      = 1
)

// appendEntry appends the payload of an entryFrame. synced is the place up to which the journal was known to be durable.
func appendEntry(dst []byte, e *Entry, synced place) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, synced.file)
	dst = le.AppendUint64(dst, synced.offset)
	dst = le.AppendUint64(dst, uint64(e.From.Pos))
	dst = le.AppendUint64(dst, uint64(e.To.Pos))
	dst = le.AppendUint64(dst, uint64(e.FirstRow))
	dst = le.AppendUint64(dst, uint64(e.FirstLine))
	dst = le.AppendUint64(dst, uint64(e.Rows))
	dst = le.AppendUint64(dst, uint64(e.Arrival))
	flags := uint64(0)
	if e.Ended {
		flags = endedFlag
	}
	dst = le.AppendUint64(dst, flags)
	for _, n := range [...]int{len(e.Source), len(e.Split), len(e.From.Tag), len(e.To.Tag), len(e.Header), len(e.Bytes)} {
		dst = le.AppendUint32(dst, uint32(n))
	}
	dst = append(dst, e.Source...)
	dst = append(dst, e.Split...)
	dst = append(dst, e.From.Tag...)
	dst = append(dst, e.To.Tag...)
	dst = append(dst, e.Header...)
	return append(dst, e.Bytes...)
}

// parseEntry is the inverse of appendEntry. Header and Bytes are in the memory of payload; strings come from names.
func parseEntry(payload []byte, names interner) (e Entry, synced place, err error) {
	if len(payload) < entryFixedSize {
		return e, synced, fmt.Errorf("entry is too short: %d bytes", len(payload))
	}
	le := binary.LittleEndian
	word := func(i int) int64 { return int64(le.Uint64(payload[8*i:])) }
	synced = place{file: uint64(word(0)), offset: uint64(word(1))}
	e.From.Pos, e.To.Pos, e.FirstRow, e.FirstLine = word(2), word(3), word(4), word(5)
	e.Rows, e.Arrival, e.Ended = word(6), word(7), word(8)&endedFlag != 0
	rest := payload[entryFixedSize:]
	var parts [6][]byte
	for i := range parts {
		n := int64(le.Uint32(payload[72+4*i:]))
		if n > int64(len(rest)) {
			return e, synced, errors.New("entry is shorter than its parts")
		}
		parts[i], rest = rest[:n:n], rest[n:]
	}
	if len(rest) > 0 {
		return e, synced, errors.New("entry is longer than its parts")
	}
	e.Source, e.Split = names.intern(parts[0]), names.intern(parts[1])
	e.From.Tag, e.To.Tag = names.intern(parts[2]), names.intern(parts[3])
	e.Header, e.Bytes = parts[4], parts[5]
	return e, synced, nil
}

// interner makes one string of equal names.
type interner map[string]string

// maxInterned bounds an interner: positions that are no numbers never repeat.
const maxInterned = 64 << 10

func (n interner) intern(b []byte) string {
	if s, ok := n[string(b)]; ok {
		return s
	}
	if len(n) >= maxInterned {
		clear(n)
	}
	s := string(b)
	n[s] = s
	return s
}
