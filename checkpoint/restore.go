package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/vfs"
)

const (
	// gatherRows is how many rows are collected from small frames before they are given out.
	gatherRows = 16 << 10
	// passRows is how many rows a frame must have to be given out as it is, when all of them are live.
	passRows = 4 << 10
)

// Restore calls fn with the live rows of a table: of each key the row that was saved last, unless it was deleted since. Rows come
// shard by shard, otherwise in no order, in batches of up to 64 Ki rows, which fn borrows. An error of fn is returned unchanged.
// A table that is not known has no rows. Restore returns ErrCorrupt if bytes on disk were altered; fn may have seen rows by then.
func (l *Log) Restore(ctx context.Context, table string, fn func(shard int, rows arrow.RecordBatch) error) error {
	return l.RestoreShards(ctx, table, 1, fn)
}

// RestoreShards is Restore by a number of goroutines, which are done when it returns: fn is called for several shards at once, for
// one shard by one goroutine at a time.
func (l *Log) RestoreShards(ctx context.Context, table string, workers int, fn func(shard int, rows arrow.RecordBatch) error) error {
	if l.failed != nil {
		return l.failed
	}
	t := l.tables[table]
	if t == nil {
		return nil
	}
	for _, s := range l.segments {
		if err := s.flush(l.fs); err != nil {
			return l.fail("write images", err)
		}
	}
	err := l.readImage(ctx, t, t.frames, workers, fn)
	if l.readOnly && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("checkpoint %s: the job that uses it has rewritten its state since it was opened here: open it again: %w", l.dir, err)
	}
	return err
}

// image reads the frames of one table.
type image struct {
	log   *Log
	table *table
	files map[*segment]vfs.File

	rows, keys messages
	reader     keyReader
	seen       keySet  // keys that newer frames have
	live       []int32 // rows of a frame whose key is not in seen
	gathered   *batch.Frame
	comp       compressor

	// Scratch of one frame.
	stored, raw []byte
}

// messages decodes the record batches of one schema.
type messages struct {
	feed   feed
	reader *ipc.Reader
}

// readImage gives out the live rows among frames.
func (l *Log) readImage(ctx context.Context, t *table, frames []frameRef, workers int, fn func(int, arrow.RecordBatch) error) error {
	byShard := slices.Clone(frames)
	slices.SortStableFunc(byShard, func(a, b frameRef) int { return cmp.Compare(a.shard, b.shard) })
	var shards [][]frameRef
	for from := 0; from < len(byShard); {
		to := from + 1
		for to < len(byShard) && byShard[to].shard == byShard[from].shard {
			to++
		}
		shards = append(shards, byShard[from:to])
		from = to
	}
	var (
		next atomic.Int64
		wg   sync.WaitGroup
		errs = make([]error, max(1, min(workers, len(shards))))
	)
	read := func(worker int) {
		m := &image{
			log: l, table: t, files: map[*segment]vfs.File{}, gathered: batch.NewFrame(l.opts.Mem, t.spec.Schema),
		}
		defer m.close()
		for errs[worker] == nil {
			i := int(next.Add(1)) - 1
			if i >= len(shards) {
				return
			}
			if errs[worker] = m.readShard(ctx, int(shards[i][0].shard), shards[i], fn); errs[worker] != nil {
				next.Store(int64(len(shards))) // the others end, too
			}
		}
	}
	for w := 1; w < len(errs); w++ {
		wg.Go(func() { read(w) })
	}
	read(0)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// readShard goes from the newest frame to the oldest, so that a key counts where it is met first.
func (m *image) readShard(ctx context.Context, shard int, frames []frameRef, fn func(int, arrow.RecordBatch) error) error {
	m.seen.reset()
	for i := range slices.Backward(frames) {
		if err := ctx.Err(); err != nil {
			return err
		}
		ref := &frames[i]
		rows, err := m.readFrame(ref)
		if err != nil {
			return err
		}
		n := int(rows.NumRows())
		if ref.kind == deleteFrame {
			m.reader.read(rows, allColumns(rows))
			for row := range n {
				m.seen.add(m.reader.keyOf(row))
			}
			continue
		}
		allLive := m.findLive(rows, n, ref.flags&baseFlag != 0)
		if allLive && n >= passRows {
			if err := m.passOn(shard, rows, fn); err != nil {
				return err
			}
			continue
		}
		sel := m.live
		if allLive {
			sel = nil
		}
		m.gathered.AppendBatch(batch.Batch{Rows: rows, Sel: sel})
		if m.gathered.Len() >= gatherRows {
			if err := m.giveOut(shard, fn); err != nil {
				return err
			}
		}
	}
	return m.giveOut(shard, fn)
}

// passOn gives out all rows of a frame, with the types of SQL for those of the storage.
func (m *image) passOn(shard int, rows arrow.RecordBatch, fn func(int, arrow.RecordBatch) error) error {
	if schema := m.table.spec.Schema; batch.StoredSchema(schema) != schema {
		rows = batch.WithSchema(rows, schema)
		defer rows.Release()
	}
	return fn(shard, rows)
}

// findLive sets live to the rows whose keys are not in seen, and adds these to it; it returns true, without setting live, if that
// can be known to be all. Of rows with equal keys in one frame the last is live. Keys of a full image are not added: there is
// nothing older, and each occurs once.
func (m *image) findLive(rows arrow.RecordBatch, n int, isBase bool) bool {
	if isBase && m.seen.n == 0 {
		return true
	}
	m.live = slices.Grow(m.live[:0], n)[:0]
	m.reader.read(rows, m.table.spec.Keys)
	if isBase {
		for row := range n {
			if !m.seen.contains(m.reader.keyOf(row)) {
				m.live = append(m.live, int32(row))
			}
		}
		return len(m.live) == n
	}
	for row := n - 1; row >= 0; row-- {
		if m.seen.add(m.reader.keyOf(row)) {
			m.live = append(m.live, int32(row))
		}
	}
	slices.Reverse(m.live)
	return len(m.live) == n
}

func (m *image) giveOut(shard int, fn func(int, arrow.RecordBatch) error) error {
	if m.gathered.Len() == 0 {
		return nil
	}
	err := fn(shard, m.gathered.Rows())
	m.gathered.Reset(0)
	return err
}

// readFrame returns the rows or keys of a frame, valid until the next call for a frame of its kind.
func (m *image) readFrame(ref *frameRef) (arrow.RecordBatch, error) {
	path := ref.segment.fileName
	f := m.files[ref.segment]
	if f == nil {
		var err error
		if f, err = m.log.fs.Open(path); err != nil {
			return nil, fmt.Errorf("checkpoint %s: open segment: %w", m.log.dir, err)
		}
		m.files[ref.segment] = f
	}
	m.stored = growBytes(m.stored[:0], int(ref.length))[:ref.length]
	if n, err := f.ReadAt(m.stored, ref.offset+frameHeaderSize); err != nil && (!errors.Is(err, io.EOF) || n != len(m.stored)) {
		return nil, readError(path, ref.offset, err)
	}
	corrupt := func(why string) error { return &CorruptError{Path: path, Offset: ref.offset, Why: why} }
	if crc32.Checksum(m.stored, castagnoli) != ref.crc {
		return nil, corrupt("bytes do not match their CRC")
	}
	raw, err := m.comp.decompress(m.raw, m.stored, ref.codec)
	if err != nil {
		return nil, corrupt(err.Error())
	}
	if ref.codec != codecNone {
		m.raw = raw
	}
	from, message := &m.rows, m.table.messages.rows
	if ref.kind == deleteFrame {
		from, message = &m.keys, m.table.messages.keys
	}
	rows, err := from.decode(message, raw, m.log)
	if err != nil {
		return nil, corrupt("rows can't be read: " + err.Error())
	}
	if rows.NumRows() != int64(ref.rows) {
		return nil, corrupt(fmt.Sprintf("%d rows, header says %d", rows.NumRows(), ref.rows))
	}
	return rows, nil
}

func (s *messages) decode(schema, message []byte, l *Log) (arrow.RecordBatch, error) {
	if s.reader == nil {
		s.feed.bytes = schema
		r, err := ipc.NewReader(&s.feed, ipc.WithAllocator(l.opts.Mem))
		if err != nil {
			return nil, err
		}
		s.reader = r
	}
	s.feed.bytes = message
	if !s.reader.Next() {
		return nil, cmp.Or(s.reader.Err(), io.ErrUnexpectedEOF)
	}
	return s.reader.RecordBatch(), nil
}

func (m *image) close() {
	for _, f := range m.files {
		_ = f.Close() // it was only read
	}
	for _, s := range []*messages{&m.rows, &m.keys} {
		if s.reader != nil {
			s.reader.Release()
		}
	}
	m.gathered.Release()
	m.comp.close()
}

func allColumns(rows arrow.RecordBatch) []int {
	all := make([]int, rows.NumCols())
	for i := range all {
		all[i] = i
	}
	return all
}
