package ingest

import (
	"bytes"
	"context"
	"errors"

	"github.com/tidemill/tidemill/batch"
)

// byteOrderMark is U+FEFF in UTF-8. Windows programs write it at the start of files.
var byteOrderMark = []byte{0xEF, 0xBB, 0xBF}

// frame shows the bytes that came in to the framer. Usually that is one call; record by record go the first bytes of a split
// with a header and those around a record that may be too long.
func (w *BlockWriter) frame(ctx context.Context) error {
	if w.wantBOM && !w.passBOM() {
		return nil
	}
	for w.framed < w.n {
		if !w.wantHeader && !w.skipping && w.n-w.end <= w.spec.MaxRecord {
			end, records, lines := w.framer.Frame(w.buf[w.framed:w.n])
			if records > 0 {
				w.end = w.framed + end
				w.pendingRows += records
				w.pendingLines += lines
				w.framedAt = w.spec.Now()
			}
			w.framed = w.n
			return nil
		}
		if err := w.framePiece(ctx); err != nil {
			return err
		}
	}
	return nil
}

// passBOM drops a byte order mark. It returns false if the bytes so far may yet become one.
func (w *BlockWriter) passBOM() bool {
	have := w.buf[w.start:w.n]
	if len(have) < len(byteOrderMark) && bytes.HasPrefix(byteOrderMark, have) {
		return false
	}
	w.wantBOM = false
	if bytes.HasPrefix(have, byteOrderMark) {
		w.drop(w.start + len(byteOrderMark))
	}
	return true
}

// framePiece frames up to the next line end, so that a record ends with the piece or not at all.
func (w *BlockWriter) framePiece(ctx context.Context) error {
	piece := w.buf[w.framed:w.n]
	if i := bytes.IndexByte(piece, '\n'); i >= 0 {
		piece = piece[:i+1]
	}
	_, records, lines := w.framer.Frame(piece)
	w.framed += len(piece)
	isLong := w.framed-w.end > w.spec.MaxRecord
	switch {
	case records == 0 && !isLong && !w.skipping:
	case w.skipping:
		w.drop(w.framed)
		if records > 0 {
			w.endSkipping(lines)
		}
	case isLong:
		if err := w.flush(ctx, true); err != nil {
			return err
		}
		w.bad("record longer than "+sizeText(w.spec.MaxRecord), w.framed)
		w.drop(w.framed)
		w.skipping = true
		if records > 0 {
			w.endSkipping(lines)
		}
	case w.wantHeader:
		w.takeHeader(w.framed, lines)
	default:
		w.end = w.framed
		w.pendingRows += records
		w.pendingLines += lines
		w.framedAt = w.spec.Now()
	}
	return nil
}

// takeHeader makes the record that ends at the given index the header.
func (w *BlockWriter) takeHeader(end int, lines int64) {
	w.header = bytes.Clone(w.buf[w.end:end])
	w.wantHeader = false
	w.drop(end)
	w.lines += lines
}

// drop moves the position to the index given, up to which nothing is left to send.
func (w *BlockWriter) drop(to int) {
	w.pos += int64(to - w.start)
	w.start, w.end, w.framed = to, to, max(w.framed, to)
}

// endSkipping counts a record that was too long. One in the header's place leaves the split without a header.
func (w *BlockWriter) endSkipping(lines int64) {
	w.skipping = false
	w.lines += lines
	if w.wantHeader {
		w.wantHeader = false
		w.header = []byte{}
		return
	}
	w.rows++
}

func (w *BlockWriter) finishRecord(ctx context.Context, sendAll bool) error {
	if err := w.waitHeld(ctx); err != nil {
		return err
	}
	w.wantBOM = false
	if w.framer != nil {
		if err := w.frame(ctx); err != nil {
			return err
		}
		lines := countLines(w.buf[w.end:w.n])
		switch {
		case w.skipping:
			w.endSkipping(0)
		case w.end == w.n:
		case w.wantHeader:
			w.takeHeader(w.n, lines+1) // counted as ended, so that what may come after a restart is no header
		default:
			w.end = w.n
			w.pendingRows++
			w.pendingLines += lines
			w.framedAt = w.spec.Now()
		}
		w.resetFramer()
	}
	return w.flush(ctx, sendAll)
}

func (w *BlockWriter) resetFramer() {
	w.framed = w.n
	if w.framer != nil {
		w.framer.Reset()
	}
}

// flush sends the whole records there are: all of them, or only when they fill a block or use the limiter up.
func (w *BlockWriter) flush(ctx context.Context, all bool) error {
	limiter := w.spec.Limiter
	for w.err == nil && w.pendingRows > 0 {
		isFull := w.n-w.start > w.spec.BlockBytes-batch.Slack-w.minRoom
		if !all && !isFull && (limiter == nil || limiter.left() > w.pendingRows) {
			return nil
		}
		if next := w.isHeld(); next != nil {
			if err := w.waitUnlocked(ctx, next); err != nil {
				return err
			}
			continue
		}
		rows := w.pendingRows
		if limiter != nil {
			var next <-chan struct{}
			if rows, next = limiter.reserve(rows); rows == 0 {
				if err := w.waitInterval(ctx, next); err != nil {
					return err
				}
				continue
			}
		}
		if err := w.send(ctx, rows, true); err != nil {
			return err
		}
		if err := w.waitHeld(ctx); err != nil {
			return err
		}
	}
	return w.waitHeld(ctx)
}

// isHeld returns nil if blocks may be sent.
func (w *BlockWriter) isHeld() <-chan struct{} {
	if w.spec.Hold == nil {
		return nil
	}
	return w.spec.Hold()
}

// waitHeld returns when a block that could not be sent is sent, which the end of an interval may do meanwhile.
func (w *BlockWriter) waitHeld(ctx context.Context) error {
	for w.err == nil && w.held != nil {
		if next := w.isHeld(); next != nil {
			if err := w.waitUnlocked(ctx, next); err != nil {
				return err
			}
			continue
		}
		if err := w.deliverHeld(ctx); err != nil {
			return err
		}
	}
	return w.err
}

// deliverHeld sends the block that could not be sent before, as one of the running interval.
func (w *BlockWriter) deliverHeld(ctx context.Context) error {
	b := w.held
	w.held = nil
	return w.deliver(ctx, b, b.To, b.NumRows, b.NumLines)
}

// waitUnlocked waits for next without the lock.
func (w *BlockWriter) waitUnlocked(ctx context.Context, next <-chan struct{}) error {
	w.Unlock()
	defer w.Lock()
	select {
	case <-next:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waitInterval asks for the next interval and waits for it, without the lock, which the engine needs for that.
func (w *BlockWriter) waitInterval(ctx context.Context, next <-chan struct{}) error {
	w.spec.Limiter.full()
	return w.waitUnlocked(ctx, next)
}

// send makes a block of the first rows whole records. The buffer itself becomes the block if it is mostly that, and if the
// source is not reading into it.
func (w *BlockWriter) send(ctx context.Context, rows int64, mayHandOver bool) error {
	cut, lines := w.end, w.pendingLines
	if rows < w.pendingRows {
		cut, lines = w.findEnd(rows)
	}
	size := cut - w.start
	var b *Block
	if mayHandOver && size >= len(w.buf)/2 {
		b = w.handOver(cut)
	} else {
		b = w.spec.Blocks.New(size)
		copy(b.Bytes, w.buf[w.start:cut])
		w.start = cut
	}
	w.pendingRows -= rows
	w.pendingLines -= lines
	return w.deliver(ctx, b, Offset{Pos: w.pos + int64(size), Tag: w.tag}, rows, lines)
}

// deliver numbers and sends a block. If it can't be sent now it is held, and the position stays before it.
func (w *BlockWriter) deliver(ctx context.Context, b *Block, to Offset, rows, lines int64) error {
	b.Split, b.Seq = w.spec.Split, w.seq
	b.From, b.To = Offset{Pos: w.pos, Tag: w.tag}, to
	b.FirstRow, b.FirstLine = w.rows, w.lines
	b.NumRows, b.NumLines = rows, lines
	b.Arrival = max(w.framedAt, w.intervalStart)
	b.Interval, b.Header = w.interval, w.header
	err := w.spec.Send(ctx, b) // which b does not outlive
	switch {
	case errors.Is(err, ErrHold):
		w.held = b
		return nil
	case err != nil:
		b.Free()
		w.err = err
	}
	w.seq++
	w.pos, w.tag = to.Pos, to.Tag
	w.rows += rows
	w.lines += lines
	return err
}

// findEnd returns the index behind the first rows whole records, and how many line ends there are in them.
func (w *BlockWriter) findEnd(rows int64) (cut int, lines int64) {
	if w.cutter == nil {
		w.cutter = w.spec.Format.NewFramer()
	}
	w.cutter.Reset()
	cut = w.start
	for rows > 0 {
		i := bytes.IndexByte(w.buf[cut:w.end], '\n')
		if i < 0 { // the last record of a split, without line end
			return w.end, w.pendingLines
		}
		_, records, l := w.cutter.Frame(w.buf[cut : cut+i+1])
		cut += i + 1
		rows -= records
		lines += l
	}
	return cut, lines
}

func (w *BlockWriter) setBuffer(raw []byte) {
	w.raw = raw
	w.buf = raw[:len(raw)-batch.Slack]
}

func (w *BlockWriter) releaseBuffer() {
	w.spec.Blocks.release(w.raw)
	w.raw, w.buf = nil, nil
	w.start, w.end, w.framed, w.n = 0, 0, 0, 0
}

// handOver makes a block of the buffer up to cut, and goes on with what is behind in a new one.
func (w *BlockWriter) handOver(cut int) *Block {
	b := w.spec.Blocks.empty()
	b.buffer = w.raw
	b.Bytes = w.raw[w.start:cut]
	w.moveTo(cut, max(w.spec.BlockBytes-batch.Slack, 2*(w.n-cut)))
	return b
}

// moveTo copies the bytes from index from on to a new buffer.
func (w *BlockWriter) moveTo(from, size int) {
	rest := w.buf[from:w.n]
	w.setBuffer(w.spec.Blocks.allocate(size))
	copy(w.buf, rest)
	w.shift(from)
}

func (w *BlockWriter) shift(by int) {
	w.start = max(0, w.start-by)
	w.end -= by
	w.framed -= by
	w.n -= by
}

// makeRoom makes room for a read. It copies at most as many bytes as came in since it last did, so that a long record costs
// time in proportion to its length.
func (w *BlockWriter) makeRoom() {
	kept := w.n - w.start
	standard := w.spec.BlockBytes - batch.Slack
	switch old := w.raw; {
	case len(w.buf) > 2*standard && kept <= standard/2: // a long record is through
		w.moveTo(w.start, standard)
		w.spec.Blocks.release(old)
	case kept <= len(w.buf)/2:
		copy(w.buf, w.buf[w.start:w.n])
		w.shift(w.start)
	default:
		w.moveTo(w.start, 2*len(old)-batch.Slack)
		w.spec.Blocks.release(old)
	}
}
