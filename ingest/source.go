// Package ingest brings bytes in: sources yield splits, framers cut their bytes into blocks on record ends, decoders make
// Arrow columns of blocks.
package ingest

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// Offset is a position in a split. For byte sources Pos counts bytes (after decompression) from the start of the split; Tag is
// for sources whose positions are no numbers. The zero value is the start.
type Offset struct {
	Pos int64  `json:"pos"`
	Tag string `json:"tag,omitempty"`
}

// Block is a piece of one split: raw bytes cut on record ends, or rows that came columnar. It is pooled: Free returns it.
type Block struct {
	Split    int32
	Seq      uint64 // within the split, from 0 in every run
	From, To Offset
	// FirstRow is the number, within the split, of the first record; blank lines and records that were too long count.
	FirstRow int64
	// FirstLine is the number of line ends before the first record, for messages.
	FirstLine int64
	NumRows   int64
	NumLines  int64      // line ends in Bytes
	Arrival   batch.Time // when its last byte came in; kept by the journal, so that a replay sees the same
	Interval  uint64     // chosen by arrival
	Header    []byte     // the split's first record, for formats that have one; shared by all blocks of the split
	Bytes     []byte     // cap(Bytes)-len(Bytes) >= batch.Slack, for wide loads
	Rows      arrow.RecordBatch

	pool     *BlockPool
	buffer   []byte // what Bytes lies in, as allocated
	rowBytes int64  // of Rows
	freeRows func() // gives the memory of Rows back
}

// Size returns how many bytes the block has, about as many for rows that came columnar.
func (b *Block) Size() int64 { return int64(len(b.Bytes)) + b.rowBytes }

// Free gives the block's memory back; its fields must not be used afterwards. A block that is of no pool is left alone.
func (b *Block) Free() {
	if b.pool != nil {
		b.pool.put(b)
	}
}

// SplitEvent says that a split appeared, or ended.
type SplitEvent struct {
	Split int32
	Name  string // how a restart finds it
	Start Offset
	// Late says that the split appeared while the source ran, not at its start.
	Late  bool
	Ended bool
}

// Source yields splits and their blocks.
type Source interface {
	// Open starts after the given positions (none: from the configured start). Splits known at once are announced by events
	// before Open returns; later ones at any time from goroutines of the source, which end before Close returns.
	// A split that was complete when the positions were taken is announced again only if it has grown.
	Open(ctx context.Context, after map[string]Position, events func(SplitEvent)) error
	// Read delivers a split to w until the split ends (nil), ctx does, or it can't go on. The engine calls it once per split, in
	// a goroutine. The source stays in w's calls when the queue is full: that is the back-pressure.
	Read(ctx context.Context, split int32, w *BlockWriter) error
	// Bounded says that every split ends by itself.
	Bounded() bool
	// Replayable says whether Read can deliver the same bytes again from an offset. If not, the engine keeps a journal.
	Replayable() bool
	// Acknowledge says that everything before upTo is committed.
	Acknowledge(ctx context.Context, split int32, upTo Offset) error
	// Close ends all goroutines of the source, also those in Read, and releases what it holds.
	Close() error
}

// Position is what a restart needs to know of a split.
type Position struct {
	Upto  Offset `json:"upto"`
	Rows  int64  `json:"rows"`  // records before Upto
	Lines int64  `json:"lines"` // line ends before Upto
	Ended bool   `json:"ended,omitempty"`
}

// Framer finds record ends; sequential, one per split, aware of quotes.
type Framer interface {
	// Frame is given the bytes that came in since the last call and returns the index in fresh behind the last record end,
	// 0 if there is none, how many records end in fresh, and how many line ends (\n) there are before that index since the
	// record end before. It keeps what it must know of an unfinished record.
	Frame(fresh []byte) (end int, records, lines int64)
	// Reset forgets an unfinished record: the next byte starts one.
	Reset()
}

// Format is how bytes become rows.
type Format interface {
	// Name is the format's SQL name.
	Name() string
	// NewFramer returns a framer for one split.
	NewFramer() Framer
	// HasHeader says that the first record of a split is a header.
	HasHeader() bool
	// Infer returns the columns of records whose list is not declared, from the first bytes of a split, cut on a record end.
	Infer(sample []byte) ([]arrow.Field, error)
	// NewDecoder returns a decoder for one worker.
	NewDecoder(spec DecodeSpec) (Decoder, error)
}

// DecodeSpec tells a decoder what the plan needs.
type DecodeSpec struct {
	// Declared are all columns of a record, in order for formats that go by position.
	Declared []arrow.Field
	// Used are the indices in Declared of the columns to decode; the decoder's batches have these, in this order.
	Used []int
	// Sieve, if not nil, finds a text that all records have in their bytes that anybody wants. A decoder may leave out others, as
	// long as they are well formed: its batch then has fewer rows than the block, and Origin.Source.
	Sieve Sieve
	// Mem is the allocator.
	Mem memory.Allocator
}

// Sieve finds a fixed text. It is used by one goroutine at a time.
type Sieve interface {
	// AppendPlaces appends to dst the indexes in text at which what it finds begins, in order, and says whether all of text is ASCII.
	// It ends when dst has no more room, so that full means that there may be more.
	AppendPlaces(dst []int32, text []byte) (places []int32, isASCII bool)
}

// BadRow is a record that is not well formed (structure and UTF-8 are always checked), or whose used column does not fit its type.
type BadRow struct {
	Source string
	Split  string
	Line   int64 // from 1, header included
	Offset int64 // bytes from the start of the split to the start of the record
	Column string
	Why    string
	Raw    []byte // the record, or its first 256 bytes; borrowed
}

// Decoder turns a block into columns, writing into its own buffers. One per worker.
type Decoder interface {
	// Decode returns the rows of b, valid until the next Decode. Rows are numbered as in the block: blank lines (but for TEXT)
	// and bad records are rows that are not live; a batch of fewer rows is what a Sieve left. Origin is left for the engine to
	// fill, but for Source. It borrows b.
	Decode(ctx context.Context, b *Block, bad func(BadRow)) (batch.Batch, error)
	// Close releases all memory.
	Close()
}
