package ingest

import (
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// frameRows are the rows of a frame that a reader has filled: a record batch that gives the frame's memory back when it is released
// as often as it was retained, itself and its slices.
type frameRows struct {
	arrow.RecordBatch
	frame *batch.Frame
	refs  *atomic.Int64
}

// newFrameRows returns the rows of a frame, which it releases.
func newFrameRows(frame *batch.Frame, rows int) arrow.RecordBatch {
	frame.SetRows(rows)
	r := &frameRows{RecordBatch: frame.Slice(0, rows), frame: frame, refs: new(atomic.Int64)}
	r.refs.Add(1)
	return r
}

// Retain adds a use.
func (r *frameRows) Retain() { r.refs.Add(1) }

// Release ends a use.
func (r *frameRows) Release() {
	if r.refs.Add(-1) == 0 {
		r.frame.Release()
	}
}

// NewSlice returns some of the rows, which keep the memory.
func (r *frameRows) NewSlice(i, j int64) arrow.RecordBatch {
	v := batch.NewView(r.Schema())
	for k, c := range r.Columns() {
		v.Set(k, array.NewSlice(c, i, j))
	}
	v.SetRows(int(j - i))
	r.Retain()
	return &frameRows{RecordBatch: v, frame: r.frame, refs: r.refs}
}
