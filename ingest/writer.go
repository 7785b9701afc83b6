package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

const (
	// defaultBlockBytes makes a block and the columns decoded from it fit in an L2 cache of 1 MiB.
	defaultBlockBytes = 256 << 10
	// defaultMaxRecord bounds what a peer that never ends its record can make the job hold.
	defaultMaxRecord = 16 << 20
	// readBytes is the least room for one read: a socket's default receive buffer is about as large.
	readBytes = 64 << 10
	// shownBytes is how much of a bad record is shown.
	shownBytes = 256
)

// WriterSpec says what a BlockWriter writes, and where to.
type WriterSpec struct {
	// Split is the number of the split in this run; Source and Name are for messages.
	Split        int32
	Source, Name string
	// Start is the position of the first byte that the source will write.
	Start Position
	// Header is the split's header where it is known, because Start is behind it.
	Header []byte
	// Format tells how records end. A source that is columnar has none.
	Format Format
	// Wanted is what a ColumnFormat need not read more than.
	Wanted Wanted
	// BlockBytes is the size of a full block's buffer. The default is 256 KiB.
	BlockBytes int
	// MaxRecord is the size of the longest record that is not bad. The default is 16 MiB.
	MaxRecord int
	// Now is the clock that arrival times are taken from.
	Now func() batch.Time
	// Send takes a block over, unless it returns an error. It may block: that is the back-pressure. An error that wraps ErrHold
	// leaves the block to the writer, which sends it again when Hold lets it.
	Send func(ctx context.Context, b *Block) error
	// Hold returns nil while blocks may be sent, else a channel that is closed when it is time to ask again. The writer waits for
	// that without its lock, so that intervals end meanwhile. Without it blocks may always be sent.
	Hold func() <-chan struct{}
	// Bad is told of records that no decoder gets to see. It must not call the writer.
	Bad func(BadRow)
	// Limiter is shared by the splits of the source; nil means no limit.
	Limiter *Limiter
	// Blocks is where the blocks come from.
	Blocks *BlockPool
}

// ErrHold says that a block can't be taken over now.
var ErrHold = errors.New("the block can't be taken now")

// BlockWriter cuts the bytes of one split into blocks on record ends. Two goroutines use it: the source's writes, with Space
// and Wrote, and the engine's cuts the block that is not full yet when an interval ends, also while the source waits for
// bytes. Every record of every format ends with a line end, or with the split.
//
// At a tick the engine calls, for the writers of all splits: Lock; then CutLocked; then PositionLocked and SetIntervalLocked;
// then Unlock. A writer that waits in Send keeps its lock, so what empties the queue must take no writer's lock.
type BlockWriter struct {
	spec    WriterSpec
	framer  Framer
	cutter  Framer // looks for record ends again, in bytes that framer has been given; made when first needed
	minRoom int
	lock    chan struct{} // holds a token while locked: unlike a Mutex, a wait for it lets virtual time go on

	interval      uint64
	intervalStart batch.Time
	intervalEnds  chan struct{} // closed at the next interval; nil while nobody waits
	seq           uint64

	// The position behind what was sent. pos is that of buf[start].
	pos         int64
	tag         string
	rows, lines int64
	header      []byte
	wantHeader  bool
	wantBOM     bool

	// buf[start:end] are whole records that were not sent yet, buf[end:n] is the unfinished one, of which the framer has seen
	// buf[end:framed]. The source reads into buf[n:] without the lock.
	raw                   []byte // the buffer as allocated, batch.Slack longer than buf
	buf                   []byte
	start, end, framed, n int
	pendingRows           int64
	pendingLines          int64
	framedAt              batch.Time
	skipping              bool // the unfinished record is too long: its bytes are dropped
	ended                 bool
	held                  *Block // could not be sent; the position is before it
	err                   error  // of Send: nothing works after it
}

// NewBlockWriter returns a writer that has no memory yet.
func NewBlockWriter(spec WriterSpec) *BlockWriter {
	if spec.BlockBytes <= 0 {
		spec.BlockBytes = defaultBlockBytes
	}
	if spec.MaxRecord <= 0 {
		spec.MaxRecord = defaultMaxRecord
	}
	spec.BlockBytes = max(spec.BlockBytes, 4*batch.Slack)
	w := &BlockWriter{
		spec: spec, minRoom: min(readBytes, spec.BlockBytes/4), lock: make(chan struct{}, 1),
		pos: spec.Start.Upto.Pos, tag: spec.Start.Upto.Tag, rows: spec.Start.Rows, lines: spec.Start.Lines,
		header: spec.Header,
	}
	if spec.Format != nil {
		w.framer = spec.Format.NewFramer()
		w.wantBOM = w.pos == 0
		w.wantHeader = spec.Format.HasHeader() && w.header == nil && w.lines == 0
	}
	return w
}

// Lock keeps the source out, for CutLocked and the like. It waits while the source waits in Send.
func (w *BlockWriter) Lock() { w.lock <- struct{}{} }

// Unlock lets the source go on.
func (w *BlockWriter) Unlock() { <-w.lock }

// Cut is Lock, CutLocked, Unlock.
func (w *BlockWriter) Cut(ctx context.Context) error {
	w.Lock()
	defer w.Unlock()
	return w.CutLocked(ctx)
}

// CutLocked sends the whole records there are as a block of the running interval, as far as the limiter lets it.
func (w *BlockWriter) CutLocked(ctx context.Context) error {
	if w.err != nil || w.ended || w.isHeld() != nil {
		return w.err
	}
	if w.held != nil {
		if err := w.deliverHeld(ctx); err != nil || w.held != nil {
			return err
		}
	}
	if w.pendingRows == 0 {
		return nil
	}
	rows := w.pendingRows
	if w.spec.Limiter != nil {
		if rows, _ = w.spec.Limiter.reserve(rows); rows == 0 {
			return nil
		}
	}
	return w.send(ctx, rows, false)
}

// SetIntervalLocked makes later blocks those of the interval that starts now. All writers of a source must have been cut.
func (w *BlockWriter) SetIntervalLocked(id uint64, start batch.Time) {
	w.interval, w.intervalStart = id, start
	if w.intervalEnds != nil {
		close(w.intervalEnds)
		w.intervalEnds = nil
	}
	if w.spec.Limiter != nil {
		w.spec.Limiter.begin(id)
	}
}

// Interval returns the running interval.
func (w *BlockWriter) Interval() uint64 {
	w.Lock()
	defer w.Unlock()
	return w.interval
}

// WaitInterval returns when an interval after the given one runs, with an error if ctx ends or stop is closed before. The next
// blocks are then not part of the given one.
func (w *BlockWriter) WaitInterval(ctx context.Context, after uint64, stop <-chan struct{}) error {
	w.Lock()
	for w.interval <= after {
		if w.intervalEnds == nil {
			w.intervalEnds = make(chan struct{})
		}
		ends := w.intervalEnds
		w.Unlock()
		select {
		case <-ends:
		case <-stop:
			return errors.New("wait for the next interval: the source was closed")
		case <-ctx.Done():
			return ctx.Err()
		}
		w.Lock()
	}
	w.Unlock()
	return nil
}

// SetInterval is Lock, SetIntervalLocked, Unlock.
func (w *BlockWriter) SetInterval(id uint64, start batch.Time) {
	w.Lock()
	defer w.Unlock()
	w.SetIntervalLocked(id, start)
}

// Position returns the position behind all that was sent, and behind what was dropped since. Records that were not sent yet
// are not part of it.
func (w *BlockWriter) Position() Position {
	w.Lock()
	defer w.Unlock()
	return w.PositionLocked()
}

// PositionLocked is Position for who has the lock.
func (w *BlockWriter) PositionLocked() Position {
	return Position{Upto: Offset{Pos: w.pos, Tag: w.tag}, Rows: w.rows, Lines: w.lines, Ended: w.ended}
}

// Header returns the split's header, nil as long as there is none. It is never written again.
func (w *BlockWriter) Header() []byte {
	w.Lock()
	defer w.Unlock()
	return w.header
}

// SetHeader gives the header of a split that is not read from its start. The writer keeps it.
func (w *BlockWriter) SetHeader(header []byte) {
	w.Lock()
	defer w.Unlock()
	w.header, w.wantHeader = header, false
}

// Space returns room to read into, at least 64 KiB by default. It is valid until the next call of Space; Wrote says how much of
// it was used.
func (w *BlockWriter) Space() []byte {
	w.Lock()
	defer w.Unlock()
	if w.buf == nil {
		w.setBuffer(w.spec.Blocks.allocate(w.spec.BlockBytes - batch.Slack))
	}
	if len(w.buf)-w.n < w.minRoom {
		w.makeRoom()
	}
	return w.buf[w.n:min(len(w.buf), w.n+w.spec.BlockBytes)]
}

// Wrote says that n bytes were written to the start of Space. It sends blocks that are full, and waits while the limiter has
// no rows left for the records that came in.
func (w *BlockWriter) Wrote(ctx context.Context, n int) error {
	w.Lock()
	defer w.Unlock()
	if w.err != nil {
		return w.err
	}
	w.n += n
	if err := w.waitHeld(ctx); err != nil {
		return err
	}
	if err := w.frame(ctx); err != nil {
		return err
	}
	return w.flush(ctx, false)
}

// Write writes p: for sources that have their bytes already. It retains nothing of p.
func (w *BlockWriter) Write(ctx context.Context, p []byte) error {
	for len(p) > 0 {
		n := copy(w.Space(), p)
		if err := w.Wrote(ctx, n); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// FinishRecord makes the bytes behind the last record end a record: the peer closed the connection, say, and the split goes on
// with the next. It sends everything, so that a peer who sees the connection closed knows that all it sent was taken.
func (w *BlockWriter) FinishRecord(ctx context.Context) error {
	w.Lock()
	defer w.Unlock()
	return w.finishRecord(ctx, true)
}

// Abort drops the bytes behind the last record end, if any, as one bad row.
func (w *BlockWriter) Abort(ctx context.Context, why string) error {
	w.Lock()
	defer w.Unlock()
	if err := w.waitHeld(ctx); err != nil {
		return err
	}
	w.wantBOM = false
	if err := w.frame(ctx); err != nil {
		return err
	}
	if err := w.flush(ctx, true); err != nil {
		return err
	}
	switch {
	case w.skipping: // was reported when it became too long
		w.endSkipping(0)
	case w.end < w.n:
		w.bad(why, w.n)
		w.drop(w.n)
		w.rows++
	}
	w.resetFramer()
	return nil
}

// Lost reports that bytes behind the position can't be read any more. No row is counted.
func (w *BlockWriter) Lost(why string) {
	w.Lock()
	defer w.Unlock()
	w.bad(why, w.end)
}

// Rotate ends what came so far, as FinishRecord does, and sends it. The next byte is at position 0 of a file of its own, called
// tag, with line numbers and a header of its own; row numbers go on.
func (w *BlockWriter) Rotate(ctx context.Context, tag string) error {
	w.Lock()
	defer w.Unlock()
	if err := w.finishRecord(ctx, true); err != nil {
		return err
	}
	w.pos, w.tag, w.lines = 0, tag, 0
	w.wantBOM = true
	w.header, w.wantHeader = nil, w.spec.Format.HasHeader()
	return nil
}

// passTo moves the position over rows that are not sent.
func (w *BlockWriter) passTo(pos int64) {
	w.Lock()
	defer w.Unlock()
	w.pos = pos
}

// SetTag changes the tag of positions from here on.
func (w *BlockWriter) SetTag(tag string) {
	w.Lock()
	defer w.Unlock()
	w.tag = tag
}

// End ends the split, in order: a last record without line end is a record. It sends everything and gives the memory back.
func (w *BlockWriter) End(ctx context.Context) error {
	w.Lock()
	defer w.Unlock()
	if err := w.finishRecord(ctx, true); err != nil {
		return err
	}
	w.ended = true
	w.releaseBuffer()
	return nil
}

// Close gives the memory back; records that were not sent are dropped. The source must have returned from Read.
func (w *BlockWriter) Close() {
	w.Lock()
	defer w.Unlock()
	w.releaseBuffer()
	if w.held != nil {
		w.held.Free()
		w.held = nil
	}
	w.pendingRows, w.pendingLines = 0, 0
	if w.err == nil {
		w.err = errors.New("write of a split: its writer is closed")
	}
}

// Columnar are rows that a source hands over as a block.
type Columnar struct {
	// Rows must stay as they are until Free is called.
	Rows arrow.RecordBatch
	// Bytes is about how much memory they are.
	Bytes int64
	// To is the position behind the rows.
	To Offset
	// Free is called when the block is freed; it may be nil.
	Free func()
}

// SendRows sends a block of the rows that fill makes: n of them, at least one and at most maxRows, as the limiter has it. fill
// is called once, unless there is an error, and must not call the writer.
func (w *BlockWriter) SendRows(ctx context.Context, maxRows int64, fill func(n int64) Columnar) error {
	w.Lock()
	defer w.Unlock()
	if err := w.waitHeld(ctx); err != nil {
		return err
	}
	n := maxRows
	for w.spec.Limiter != nil && w.err == nil {
		var next <-chan struct{}
		if n, next = w.spec.Limiter.reserve(maxRows); n > 0 {
			break
		}
		if err := w.waitInterval(ctx, next); err != nil {
			return err
		}
	}
	if w.err != nil {
		return w.err
	}
	filled := fill(n)
	b := w.spec.Blocks.empty()
	b.Rows, b.rowBytes, b.freeRows = filled.Rows, filled.Bytes, filled.Free
	w.framedAt = w.spec.Now()
	if err := w.deliver(ctx, b, filled.To, n, 0); err != nil {
		return err
	}
	return w.waitHeld(ctx)
}

// bad reports the record that is not whole yet, as far as the index given.
func (w *BlockWriter) bad(why string, end int) {
	if w.spec.Bad == nil {
		return
	}
	record := w.buf[w.end:end]
	w.spec.Bad(BadRow{
		Source: w.spec.Source, Split: w.spec.Name,
		Line: w.lines + w.pendingLines + 1, Offset: w.pos + int64(w.end-w.start),
		Why: why, Raw: record[:min(len(record), shownBytes)],
	})
}

// sizeText returns n in the largest unit that it is a multiple of.
func sizeText(n int) string {
	switch {
	case n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// countLines returns the number of line ends in p.
func countLines(p []byte) int64 { return int64(bytes.Count(p, newline)) }
