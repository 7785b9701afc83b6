package tidemill

import (
	"context"
	"errors"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/internal/record"
)

// QueueOptions are settings of a Queue.
type QueueOptions struct {
	// AllAtOnce takes all batches that wait into an interval. The default is one batch per interval, as in Spark.
	AllAtOnce bool
}

// Queue is a source of batches that Go code pushes. It is safe for concurrent use. It can't be read again and is not journaled:
// after a crash, batches of intervals that were not committed are lost.
type Queue[T any] struct {
	codec *record.Codec[T]
	pool  *batch.Pool
	opts  QueueOptions

	mu      sync.Mutex
	waiting [][]T
	taken   uint64        // batches that are part of an interval
	pushed  uint64        // batches
	changed chan struct{} // closed when any of these changes
	isDone  bool          // nothing will be pushed
	stop    chan struct{}
	stopped sync.Once
}

var _ ingest.ColumnSource = (*Queue[int64])(nil)

// QueueStream adds a source to the job whose rows are pushed into a queue, and returns the queue and the rows.
func QueueStream[T any](c *Context, name string, o QueueOptions) (*Queue[T], Stream[T]) {
	q := &Queue[T]{codec: codecOf[T](c), pool: c.pool, opts: o, changed: make(chan struct{}), stop: make(chan struct{})}
	return q, As[T](c.FromSource(name, q, SourceOptions{Options: map[string]string{"journal": "off"}}))
}

// Push adds a batch, which may be empty: with one batch per interval it then takes an interval. The queue keeps rows.
func (q *Queue[T]) Push(rows ...T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, rows)
	q.pushed++
	q.changeLocked()
}

// Done says that nothing more will be pushed: the stream ends when what waits is read.
func (q *Queue[T]) Done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.isDone = true
	q.changeLocked()
}

func (q *Queue[T]) changeLocked() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Wait returns when everything that was pushed so far is part of an interval, or the error of ctx.
func (q *Queue[T]) Wait(ctx context.Context) error {
	for {
		q.mu.Lock()
		isTaken, changed := q.taken == q.pushed, q.changed
		q.mu.Unlock()
		if isTaken {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Columns returns those of T. There is no error.
func (q *Queue[T]) Columns() ([]arrow.Field, error) { return q.codec.Schema().Fields(), nil }

// Open announces the one split.
func (q *Queue[T]) Open(_ context.Context, after map[string]ingest.Position, events func(ingest.SplitEvent)) error {
	events(ingest.SplitEvent{Name: "queue", Start: after["queue"].Upto})
	return nil
}

// Read sends batches as they are pushed.
func (q *Queue[T]) Read(ctx context.Context, _ int32, w *ingest.BlockWriter) error {
	pos := w.Position().Upto.Pos
	for {
		rows, ok, err := q.next(ctx)
		if err != nil || !ok {
			return err
		}
		interval := w.Interval()
		for len(rows) > 0 {
			err := w.SendRows(ctx, int64(len(rows)), func(n int64) ingest.Columnar {
				f := batch.NewFrame(q.pool, q.codec.Schema())
				q.codec.Write(f, rows[:n])
				rows, pos = rows[n:], pos+n
				return ingest.Columnar{Rows: f.Rows(), To: ingest.Offset{Pos: pos}, Free: f.Release}
			})
			if err != nil {
				return err
			}
		}
		q.mu.Lock()
		q.taken++
		q.changeLocked()
		q.mu.Unlock()
		if !q.opts.AllAtOnce {
			if err := w.WaitInterval(ctx, interval, q.stop); err != nil {
				return err
			}
		}
	}
}

// next waits for a batch; ok is false when there will be none.
func (q *Queue[T]) next(ctx context.Context) (rows []T, ok bool, err error) {
	for {
		q.mu.Lock()
		changed, isDone := q.changed, q.isDone
		if len(q.waiting) > 0 {
			rows = q.waiting[0]
			q.waiting[0] = nil
			q.waiting = q.waiting[1:]
			q.mu.Unlock()
			return rows, true, nil
		}
		q.mu.Unlock()
		if isDone {
			return nil, false, nil
		}
		select {
		case <-changed:
		case <-q.stop:
			return nil, false, errors.New("read queue: the job was stopped")
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

// Bounded is false: who pushes may go on for ever.
func (q *Queue[T]) Bounded() bool { return false }

// Replayable is false.
func (q *Queue[T]) Replayable() bool { return false }

// Acknowledge has nobody to tell.
func (q *Queue[T]) Acknowledge(context.Context, int32, ingest.Offset) error { return nil }

// Close ends Read.
func (q *Queue[T]) Close() error {
	q.stopped.Do(func() { close(q.stop) })
	return nil
}
