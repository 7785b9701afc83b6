package ingest

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

const (
	// rateBlockRows is the most rows of one block: 16 bytes each make 128 KiB.
	rateBlockRows = 8192
	// rateStep is the least time between two blocks of a paced source, so that a high rate costs few blocks.
	rateStep = 10 * time.Millisecond
	// maxRate keeps the arithmetic of times within 64 bits.
	maxRate = 1_000_000_000
	// rateSplit is the name of the only split.
	rateSplit = "rate"
)

// rateSource makes rows with a timestamp and the numbers 0, 1, and so on. Row v is due v/rows_per_second after the start, and
// has that time as its timestamp, so that the same rows come again after a restart. The start is kept in the tag of offsets.
// With rows_per_second = 0 rows come as fast as they are taken, one microsecond apart in their timestamps.
type rateSource struct {
	uri  string
	rate int64
	rows int64
	mem  memory.Allocator
	now  func() batch.Time

	lifetime lifetime
	start    Offset // Tag is the time of row 0

	mu     sync.Mutex
	closed bool
	frames []*rateFrame // not in use
}

// rateFrame is the memory of a block.
type rateFrame struct {
	frame *batch.Frame
	free  func()
}

var _ ColumnSource = (*rateSource)(nil)

var rateColumns = []arrow.Field{{Name: "timestamp", Type: batch.Timestamp}, {Name: "value", Type: batch.BigInt}}

func newRateSource(rest string, o *sourceOptions, _ Format, spec OpenSpec) Source {
	if rest != "" {
		o.faultf("want rate: and nothing behind it: the rate is the option rows_per_second")
	}
	s := &rateSource{
		uri: o.uri, mem: spec.Mem, now: spec.Now,
		rate: o.whole("rows_per_second", 1, 0), rows: o.whole("rows", math.MaxInt64, 0),
	}
	if s.rate > maxRate {
		o.faultf("option rows_per_second: want at most %d, got %d", maxRate, s.rate)
	}
	if s.rate == 0 && s.rows == math.MaxInt64 {
		o.faultf("rows_per_second = 0 is as fast as possible: give the option rows, or it never ends")
	}
	return s
}

// Columns returns timestamp TIMESTAMP and value BIGINT.
func (s *rateSource) Columns() ([]arrow.Field, error) { return rateColumns, nil }

// Open starts the clock, or takes it from the offset.
func (s *rateSource) Open(_ context.Context, after map[string]Position, events func(SplitEvent)) error {
	s.start = after[rateSplit].Upto
	if s.start.Tag == "" {
		s.start.Tag = strconv.FormatInt(int64(s.now()), 10)
	}
	if after[rateSplit].Ended && s.start.Pos >= s.rows {
		return nil
	}
	events(SplitEvent{Split: 0, Name: rateSplit, Start: s.start})
	return nil
}

// Read sends rows when they are due.
func (s *rateSource) Read(ctx context.Context, _ int32, w *BlockWriter) error {
	ctx, leave, err := s.lifetime.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	micros, err := strconv.ParseInt(s.start.Tag, 10, 64)
	if err != nil {
		return fmt.Errorf("read %s: offset: %w", s.uri, err)
	}
	zero := batch.Time(micros)
	w.SetTag(s.start.Tag)
	next := s.start.Pos
	// fill is made once, so that a block allocates nothing.
	fill := func(n int64) Columnar {
		f := s.take()
		f.frame.Reset(int(n))
		times, values := f.frame.Columns[0].Int64s(), f.frame.Columns[1].Int64s()
		for i := range values {
			values[i] = next + int64(i)
			times[i] = int64(s.due(zero, next+int64(i)))
		}
		next += n
		return Columnar{Rows: f.frame.Rows(), To: Offset{Pos: next, Tag: s.start.Tag}, Free: f.free}
	}
	for next < s.rows {
		due := s.rows - next
		if s.rate > 0 {
			now := s.now()
			if due = min(due, s.dueBy(zero, now)-next); due <= 0 {
				wait := time.Duration(s.due(zero, next)-now) * time.Microsecond
				if err := sleep(ctx, max(wait, rateStep)); err != nil {
					return err
				}
				continue
			}
		}
		if err := w.SendRows(ctx, min(due, rateBlockRows), fill); err != nil {
			return err
		}
	}
	return w.End(ctx)
}

// due returns the time of row v.
func (s *rateSource) due(zero batch.Time, v int64) batch.Time {
	if s.rate == 0 {
		return zero + batch.Time(v)
	}
	return zero + batch.Time(v/s.rate*1_000_000+v%s.rate*1_000_000/s.rate)
}

// dueBy returns how many rows are due at a time: those whose time, rounded down, is not after it.
func (s *rateSource) dueBy(zero, now batch.Time) int64 {
	if now < zero {
		return 0
	}
	micros := int64(now-zero) + 1
	return micros/1_000_000*s.rate + (micros%1_000_000*s.rate+999_999)/1_000_000
}

func (s *rateSource) take() *rateFrame {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.frames); n > 0 {
		f := s.frames[n-1]
		s.frames = s.frames[:n-1]
		return f
	}
	f := &rateFrame{frame: batch.NewFrame(s.mem, arrow.NewSchema(rateColumns, nil))}
	f.free = func() { s.put(f) }
	return f
}

func (s *rateSource) put(f *rateFrame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		f.frame.Release()
		return
	}
	s.frames = append(s.frames, f)
}

// Bounded says that the number of rows was given.
func (s *rateSource) Bounded() bool { return s.rows < math.MaxInt64 }

// Replayable is true: rows follow from their numbers.
func (s *rateSource) Replayable() bool { return true }

// Acknowledge has nobody to tell.
func (s *rateSource) Acknowledge(context.Context, int32, Offset) error { return nil }

// Close ends Read and gives back the memory of blocks that were freed; the others follow when they are.
func (s *rateSource) Close() error {
	s.lifetime.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, f := range s.frames {
		f.frame.Release()
	}
	s.frames = nil
	return nil
}
