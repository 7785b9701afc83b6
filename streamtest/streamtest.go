// Package streamtest runs steps of streams over batches that a test lists, one per interval, on a virtual clock: no test waits, and
// each gives the same rows every time.
package streamtest

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
)

// Spec is the input of an operation.
type Spec[T any] struct {
	// Batches are the rows of the intervals, the first one first.
	Batches [][]T
	// Intervals is how many intervals are run. The default is one for each batch; more have no rows.
	Intervals int
	// Restarts are numbers of intervals after which the job is stopped, and another one goes on from its checkpoint.
	Restarts []int
	// Config is the job's. The default of its Interval is 1 s, of its Checkpoint, where there are restarts, a directory of the test.
	// The clock is the test's.
	Config tidemill.Config
}

// Operation runs a job, in which op makes steps of a stream of the batches, and returns the rows that come of each interval. It fails
// the test if the job fails or leaves memory. It must not be called from a synctest bubble.
func Operation[T, U any](t *testing.T, s Spec[T], op func(tidemill.Stream[T]) tidemill.Stream[U]) [][]U {
	t.Helper()
	return run(t, s, nil, func(first, _ tidemill.Stream[T]) tidemill.Stream[U] { return op(first) })
}

// Operation2 is Operation for steps of two streams. Of other, Batches alone are used.
func Operation2[T, U, V any](
	t *testing.T, s Spec[T], other Spec[U], op func(tidemill.Stream[T], tidemill.Stream[U]) tidemill.Stream[V],
) [][]V {
	t.Helper()
	return run(t, s, other.Batches, op)
}

func run[T, U, V any](
	t *testing.T, s Spec[T], others [][]U, op func(tidemill.Stream[T], tidemill.Stream[U]) tidemill.Stream[V],
) (out [][]V) {
	t.Helper()
	if s.Intervals == 0 {
		s.Intervals = len(s.Batches)
	}
	if s.Config.Interval == 0 {
		s.Config.Interval = time.Second
	}
	if s.Restarts != nil && s.Config.Checkpoint == "" {
		s.Config.Checkpoint = t.TempDir()
	}
	if s.Config.Stdout == nil {
		s.Config.Stdout = io.Discard
	}
	if s.Config.Log == nil {
		s.Config.Log = slog.New(slog.DiscardHandler)
	}
	s.Config.CommitEvery = 1
	s.Config.Clock = nil
	synctest.Test(t, func(t *testing.T) {
		b := bench[T, U, V]{t: t, spec: s, others: others, op: op}
		for i := range s.Intervals {
			if b.job == nil {
				b.start()
			}
			b.push(i)
			synctest.Wait()
			time.Sleep(s.Config.Interval)
			synctest.Wait()
			if slices.Contains(s.Restarts, i+1) {
				b.stop()
			}
		}
		if b.job != nil {
			b.stop()
		}
		out = b.out
	})
	return out
}

// bench is the job that runs, or the next one.
type bench[T, U, V any] struct {
	t      *testing.T
	spec   Spec[T]
	others [][]U
	op     func(tidemill.Stream[T], tidemill.Stream[U]) tidemill.Stream[V]

	job   *tidemill.Context
	first *tidemill.Queue[T]
	other *tidemill.Queue[U]
	out   [][]V
}

func (b *bench[T, U, V]) start() {
	job, err := tidemill.New(b.spec.Config)
	if err != nil {
		b.t.Fatal(err)
	}
	var first tidemill.Stream[T]
	var other tidemill.Stream[U]
	b.first, first = tidemill.QueueStream[T](job, "first", tidemill.QueueOptions{})
	b.other, other = tidemill.QueueStream[U](job, "other", tidemill.QueueOptions{})
	b.op(first, other).ForeachBatch("out", func(_ context.Context, iv batch.Interval, rows []V) error {
		if iv.Tick(batch.Time(b.spec.Config.Interval.Microseconds())) == iv.End { // not the rest of an interval, when a job stops
			b.out = append(b.out, slices.Clone(rows))
		}
		return nil
	})
	if err := job.Start(context.Background()); err != nil {
		b.t.Fatal(err)
	}
	b.job = job
}

func (b *bench[T, U, V]) push(i int) {
	if i < len(b.spec.Batches) {
		b.first.Push(b.spec.Batches[i]...)
	}
	if i < len(b.others) {
		b.other.Push(b.others[i]...)
	}
}

func (b *bench[T, U, V]) stop() {
	b.t.Helper()
	b.job.Stop()
	if err := b.job.Wait(); err != nil {
		b.t.Error(err)
	}
	if held := b.job.MemoryHeld(); held != 0 {
		b.t.Errorf("%d bytes are still held after the job", held)
	}
	b.job = nil
}
