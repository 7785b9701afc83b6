// Package batch holds the unit that moves through the engine: rows in Arrow columns with a selection of live rows,
// the interval they arrived in, and the memory they live in.
package batch

import (
	"math"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// Time is an instant in microseconds since 1970-01-01T00:00:00Z.
type Time int64

// MinTime is before every row: the watermark of a split in which nothing was seen yet.
const MinTime Time = math.MinInt64

// MaxTime is after every row: the watermark of a split that ended.
const MaxTime Time = math.MaxInt64

// TimeOf returns t in microseconds, rounded down.
func TimeOf(t time.Time) Time { return Time(t.UnixMicro()) }

// Go returns t as a time.Time in UTC.
func (t Time) Go() time.Time { return time.UnixMicro(int64(t)).UTC() }

// Sub returns t-d, and MinTime or MaxTime where t is one of these or where the result would overflow.
func (t Time) Sub(d time.Duration) Time {
	if t == MinTime || t == MaxTime {
		return t
	}
	us := Time(d.Microseconds())
	r := t - us
	if us > 0 && r > t {
		return MinTime
	}
	if us < 0 && r < t {
		return MaxTime
	}
	return r
}

// String returns t as text in the form of TIMESTAMP values, or "-inf" and "+inf" for MinTime and MaxTime.
func (t Time) String() string {
	switch t {
	case MinTime:
		return "-inf"
	case MaxTime:
		return "+inf"
	}
	return string(AppendTime(nil, t))
}

// Interval is one tick of the stream's clock: [Start, End). IDs count from 1 and never repeat within a job.
type Interval struct {
	ID         uint64
	Start, End Time
	// Zero is the start of the job's first interval, also after restarts: windows over intervals are aligned to it.
	Zero Time
}

// Tick returns the time that the rows of the interval have among ticks of the given length, which are counted from Zero: the first
// one that is not before End.
func (iv Interval) Tick(length Time) Time {
	t := iv.Floor(length)
	if t < iv.End {
		t += length
	}
	return t
}

// Floor returns the last tick of the given length that is not after End.
func (iv Interval) Floor(length Time) Time { return iv.Zero + (iv.End-iv.Zero)/length*length }

// Due returns Floor of every, and whether that is after Start: what comes every so often then comes at the end of the interval.
func (iv Interval) Due(every Time) (Time, bool) {
	t := iv.Floor(every)
	return t, t > iv.Start
}

// Origin says where the rows of a Batch come from. Together with a row's index it orders all rows of a split.
type Origin struct {
	// Split is the number of the split in this run. It is -1 for rows that an operator made at the end of an interval.
	Split int32
	// SplitKey tells splits apart as their names do, the same in every run: rows of equal time that come from several splits are
	// put in order by it, so that the order does not depend on when they came. It is 0 where Split is -1.
	SplitKey uint64
	// Block is the sequence number of the block within the split.
	Block uint64
	// FirstRow is the row number, within the split, of row 0 of the decoded block.
	FirstRow int64
	// Arrival is when the last byte of the block came in.
	Arrival Time
	// Watermark is a lower bound for Watermarks: no row's own watermark is before it, and where Watermarks is nil, no row of
	// the batch is before its own watermark, so that nobody needs to look at rows one by one.
	Watermark Time
	// Watermarks has, per row of the decoded block, the watermark of the split at that row: the largest event time of the
	// rows before it minus the delay. It is nil unless some row of the block is before its watermark.
	Watermarks []Time
	// Source maps a row of the batch to a row of the decoded block, where an operator changed the numbering (explode);
	// nil means that both are the same.
	Source []int32
}

// BlockRow returns the row of the decoded block that row i of the batch was made from.
func (o *Origin) BlockRow(i int) int {
	if o.Source == nil {
		return i
	}
	return int(o.Source[i])
}

// RowWatermark returns the watermark of the split at row i of the batch. It is O(1).
func (o *Origin) RowWatermark(i int) Time {
	if o.Watermarks == nil {
		return o.Watermark
	}
	return o.Watermarks[o.BlockRow(i)]
}

// Batch is a set of rows of one schema.
//
// Who receives a Batch borrows it, with all that it refers to: it is valid until the call returns, then its memory is written
// again. Who needs rows for longer copies them, for example with Frame.AppendBatch. Nobody retains one.
//
// Rows.NumRows is the number of rows; a column may be longer than that, and what stands behind is undefined. Columns have any
// offset, with or without a validity bitmap; TEXT columns may be dictionaries.
type Batch struct {
	Rows   arrow.RecordBatch
	Sel    []int32 // live rows, increasing; nil means all
	Origin Origin
}

// NumRows returns the number of rows, live or not.
func (b *Batch) NumRows() int { return int(b.Rows.NumRows()) }

// NumLive returns the number of live rows.
func (b *Batch) NumLive() int {
	if b.Sel == nil {
		return int(b.Rows.NumRows())
	}
	return len(b.Sel)
}

// Emit passes a Batch downstream, which borrows it for the call. An error from Emit is returned unchanged.
type Emit func(Batch) error
