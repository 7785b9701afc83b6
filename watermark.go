package tidemill

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// mark gives a batch that left the scan its watermarks. It looks at rows one by one only if one of them may be before its own
// watermark, which means that the smallest time of the block is before the largest so far, minus the delay; or if one is too far
// ahead.
func (w *worker) mark(s *sourceRun, b *batch.Batch) error {
	times := b.Rows.Column(s.scan.EventTime)
	smallest, largest := extent(b, times)
	limit := s.latestAt(b.Origin.Arrival)
	if largest > limit {
		largest = s.withoutAhead(b, times, limit)
	}
	w.published = true
	before, ok := w.split.times.publish(w.seq, largest)
	if !ok {
		return errStopped
	}
	b.Origin.Watermark = before.Sub(s.scan.Delay)
	if smallest >= max(before, largest).Sub(s.scan.Delay) {
		return nil
	}
	w.markRows(s, b, times, before, limit)
	return nil
}

// extent returns the smallest and the largest time of the live rows, MaxTime and MinTime if there is none.
func extent(b *batch.Batch, times arrow.Array) (smallest, largest batch.Time) {
	values := batch.Int64s(times)
	smallest, largest = batch.MaxTime, batch.MinTime
	if b.Sel == nil && times.NullN() == 0 {
		for _, v := range values[:b.NumRows()] {
			smallest, largest = min(smallest, batch.Time(v)), max(largest, batch.Time(v))
		}
		return smallest, largest
	}
	for k := range b.NumLive() {
		if i := liveRow(b, k); times.IsValid(i) {
			smallest, largest = min(smallest, batch.Time(values[i])), max(largest, batch.Time(values[i]))
		}
	}
	return smallest, largest
}

func liveRow(b *batch.Batch, k int) int {
	if b.Sel == nil {
		return k
	}
	return int(b.Sel[k])
}

// latestAt returns the latest time with which a row that arrives at a time moves the watermark.
func (s *sourceRun) latestAt(arrival batch.Time) batch.Time {
	if s.maxAhead == neverAhead {
		return batch.MaxTime
	}
	return arrival.Sub(-s.maxAhead)
}

// withoutAhead returns the largest time up to limit, and counts the rows after it.
func (s *sourceRun) withoutAhead(b *batch.Batch, times arrow.Array, limit batch.Time) batch.Time {
	values := batch.Int64s(times)
	largest, ahead := batch.MinTime, int64(0)
	for k := range b.NumLive() {
		i := liveRow(b, k)
		switch v := batch.Time(values[i]); {
		case !times.IsValid(i):
		case v > limit:
			ahead++
		default:
			largest = max(largest, v)
		}
	}
	s.ahead.Add(ahead)
	return largest
}

// markRows gives each row its own watermark: the largest time of the rows before it, which is that of the blocks before at first,
// minus the delay.
func (w *worker) markRows(s *sourceRun, b *batch.Batch, times arrow.Array, before, limit batch.Time) {
	values, n := batch.Int64s(times), b.NumRows()
	if cap(w.marks) < n {
		w.marks = make([]batch.Time, n+n/2)
	}
	w.marks = w.marks[:n]
	delay, start := s.scan.Delay, w.split.times.start()
	next, behind := 0, int64(0)
	running, mark := before, before.Sub(delay)
	for k := range b.NumLive() {
		i := liveRow(b, k)
		for ; next <= i; next++ {
			w.marks[next] = mark
		}
		if !times.IsValid(i) {
			continue
		}
		v := batch.Time(values[i])
		if v < mark && running <= start { // its split has seen nothing yet that makes it late
			behind++
		}
		if v > running && v <= limit {
			running, mark = v, v.Sub(delay)
		}
	}
	for ; next < n; next++ {
		w.marks[next] = running.Sub(delay)
	}
	if behind > 0 {
		s.behind.Add(behind)
	}
	b.Origin.Watermarks = w.marks
}
