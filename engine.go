package tidemill

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/operators"
)

var (
	// errStopped ends goroutines of an engine that failed elsewhere.
	errStopped = errors.New("engine stopped")
	// errDone is the cause that ends the goroutines of a job that is done.
	errDone = errors.New("job done")
)

const (
	// maxIntervalBytes ends an interval of bounded input before its tick: enough that its end costs little, and small enough
	// that a commit is soon there.
	maxIntervalBytes = 64 << 20
)

// sinkSpec is a sink as a front end describes it.
type sinkSpec struct {
	name string
	sink egress.Sink
	mode string
	node int
}

// engine runs one job: readers fill blocks, workers decode them and compute, the coordinator ends intervals, the committer
// makes them durable and visible.
type engine struct {
	cfg     Config
	plan    *operators.Plan
	pool    *batch.Pool
	blocks  *ingest.BlockPool
	graph   *graph
	tables  *tables
	sources []*sourceRun
	sinks   []sinkSpec
	bad     *badRows
	log     *checkpoint.Log // nil without a checkpoint
	record  checkpoint.Record
	// migration is what becomes of the last record's state, nil if there is no such record.
	migration *migration
	commits   *committer
	workers   []*worker

	queue  *workQueue
	cutNow chan struct{} // someone asks for the end of the interval
	check  chan struct{} // a reader ended
	stop   chan struct{} // graceful stop
	opened chan struct{} // all sources are open

	nextTick chan time.Time
	ticked   chan time.Time

	readers sync.WaitGroup

	nextSplit  atomic.Int32
	splitsMu   sync.RWMutex
	splits     map[int32]*splitRun
	isAborted  bool
	blocksIn   atomic.Int64 // since the last commit
	bytesIn    atomic.Int64
	ivBytes    atomic.Int64 // of the running interval
	cancel     context.CancelCauseFunc
	lastCommit time.Time
	stall      time.Duration // that commits added to the end of the last interval
	copying    *stateCopy    // of the last commit, nil if there was none
	rowsIn     int64         // up to the end of the last interval
	rowsOut    int64
	isDirty    bool // something happened since the last commit

	cutMu   sync.Mutex // held during a cut, and while a split is made
	running batch.Interval
	// cutWriters is scratch of a cut.
	cutWriters []*ingest.BlockWriter

	statusMu sync.Mutex
	status   Status
}

func (e *engine) now() batch.Time { return batch.TimeOf(e.cfg.Clock.Now()) }

// fail ends the job with err, the first one only.
func (e *engine) fail(err error) { e.cancel(err) }

func (e *engine) requestCut() { notify(e.cutNow) }

func (e *engine) requestCheck() { notify(e.check) }

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (e *engine) registerSplit(sp *splitRun) {
	e.splitsMu.Lock()
	e.splits[sp.id] = sp
	if e.isAborted {
		sp.times.abort()
	}
	e.splitsMu.Unlock()
}

func (e *engine) splitOf(id int32) *splitRun {
	e.splitsMu.RLock()
	defer e.splitsMu.RUnlock()
	return e.splits[id]
}

func (e *engine) forgetSplit(id int32) {
	e.splitsMu.Lock()
	delete(e.splits, id)
	e.splitsMu.Unlock()
}

// send passes a block to the workers, by way of the journal where the source has one. It blocks while the queue is full. After an
// error the block is still the caller's.
func (e *engine) send(ctx context.Context, sp *splitRun, b *ingest.Block) error {
	if sp.source.isJournaled() {
		if err := e.commits.journal(sp, b); err != nil {
			return err
		}
	}
	return e.enqueue(ctx, sp, b)
}

func (e *engine) enqueue(ctx context.Context, sp *splitRun, b *ingest.Block) error {
	b.Split = sp.id
	b.Seq = sp.blocks
	sp.blocks++
	sp.lastBlock.Store(int64(e.now())) // a replayed block came long ago: that does not make its split idle
	size := b.Size()
	e.blocksIn.Add(1)
	e.bytesIn.Add(size)
	if err := e.queue.put(ctx, work{b, sp}); err != nil {
		return err
	}
	if e.ivBytes.Add(size) >= maxIntervalBytes && sp.source.source.Bounded() {
		e.requestCut()
	}
	return nil
}

// run is the life of the engine: it returns when the job is done, stopped or failed, and has left no goroutine behind.
func (e *engine) run(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	e.cancel = cancel
	var goroutines sync.WaitGroup
	e.graph.bind(ctx)
	for _, w := range e.workers {
		w.bind(ctx)
		goroutines.Go(func() {
			if err := w.run(ctx); err != nil {
				e.fail(err)
			}
		})
	}
	// A failure anywhere wakes workers that wait for each other.
	goroutines.Go(func() {
		<-ctx.Done()
		e.abortSplits()
	})
	goroutines.Go(func() { e.tick(ctx) })
	goroutines.Go(func() {
		if err := e.openSources(ctx); err != nil {
			e.fail(err)
		}
		close(e.opened)
	})
	committed := make(chan struct{})
	go func() {
		defer close(committed)
		if err := e.commits.run(ctx); err != nil {
			e.fail(err)
		}
	}()

	err := e.coordinate(ctx)
	close(e.commits.items)
	<-committed
	e.statusMu.Lock()
	e.status.Commit = e.commits.done.Load()
	e.statusMu.Unlock()
	if err == nil {
		err = errDone
	}
	cancel(err)
	goroutines.Wait()
	var closeErrs []error
	for _, s := range e.sources {
		if err := s.source.Close(); err != nil {
			closeErrs = append(closeErrs, fmt.Errorf("close source %s: %w", s.name, err))
		}
	}
	e.readers.Wait()
	e.queue.drain()
	cause := context.Cause(ctx)
	if errors.Is(cause, errDone) {
		return errors.Join(closeErrs...)
	}
	return cause
}

func (e *engine) abortSplits() {
	e.splitsMu.Lock()
	defer e.splitsMu.Unlock()
	e.isAborted = true
	for _, sp := range e.splits {
		sp.times.abort()
	}
}

// openSources replays the journal, then opens the sources. The first interval lasts at least until it is done.
func (e *engine) openSources(ctx context.Context) error {
	if err := e.replayJournal(ctx); err != nil {
		return err
	}
	for _, s := range e.sources {
		if err := s.open(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tick waits for the times that the coordinator asks for, one after the other.
func (e *engine) tick(ctx context.Context) {
	for {
		select {
		case t := <-e.nextTick:
			if e.cfg.Clock.Wait(ctx, t) != nil {
				return
			}
			select {
			case e.ticked <- t:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
