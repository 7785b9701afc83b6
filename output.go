package tidemill

import (
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// output collects the rows of an interval that go to one sink, and hands them to the committer. Frames go round between both.
type output struct {
	sink   string
	schema *arrow.Schema
	mem    memory.Allocator
	frame  *batch.Frame // of the running interval, nil if nothing came out yet

	mu   sync.Mutex
	free []*batch.Frame
}

func (o *output) add(b batch.Batch) error {
	if o.frame == nil {
		o.frame = o.take()
	}
	o.frame.AppendBatch(b)
	return nil
}

// flush returns the rows of the interval, nil if there are none. The committer gives the frame back.
func (o *output) flush() *batch.Frame {
	f := o.frame
	o.frame = nil
	return f
}

func (o *output) take() *batch.Frame {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.free); n > 0 {
		f := o.free[n-1]
		o.free = o.free[:n-1]
		return f
	}
	return batch.NewFrame(o.mem, o.schema)
}

func (o *output) giveBack(f *batch.Frame) {
	f.Reset(0)
	o.mu.Lock()
	o.free = append(o.free, f)
	o.mu.Unlock()
}

func (o *output) close() {
	if o.frame != nil {
		o.frame.Release()
	}
	for _, f := range o.free {
		f.Release()
	}
}
