package tidemill

import (
	"context"
	"sync"

	"github.com/tidemill/tidemill/ingest"
)

const (
	// queueBlocks is the number of blocks that wait for workers, per worker.
	queueBlocks = 4
	// wakeBlocks is how many blocks wait until another worker is woken while one is awake. Waking one costs tens of microseconds on
	// both sides, as much as a light query over a block: grep over TCP took 1.5 times the CPU time with two workers as with one when
	// every block woke whoever slept. At the end of an interval nobody waits for more.
	wakeBlocks = 3
)

// work is a block on its way to a worker.
type work struct {
	block *ingest.Block
	split *splitRun
}

// workQueue passes blocks to workers in order. Between two intervals it has a gate: workers take what is before it, and then stand
// still. It is safe for concurrent use.
//
// Example: of two workers one sleeps, the other is at block 6, and 7 waits when the interval ends. The gate is behind 7, and wakes the
// sleeper, who takes 7; the other finds nothing to take. The one who comes back last tells arrived. The reader puts 8 meanwhile,
// behind the gate, which wakes nobody until it is opened.
type workQueue struct {
	// places has a token per block that waits: a full queue holds the reader.
	places chan struct{}
	// arrived gets a token when all workers stand still at the gate.
	arrived chan struct{}

	mu      sync.Mutex
	items   []work // a ring: n of them from first on
	first   int
	n       int
	isGated bool
	before  int             // of a gate: how many items are still to be taken
	asleep  []chan struct{} // of workers, the one who fell asleep last wakes first: its memory is warm
	awake   int
}

// newWorkQueue returns a queue for so many workers, all of whom are awake.
func newWorkQueue(workers int) *workQueue {
	size := queueBlocks * workers
	return &workQueue{
		places: make(chan struct{}, size), arrived: make(chan struct{}, 1), items: make([]work, size),
		asleep: make([]chan struct{}, 0, workers), awake: workers,
	}
}

// put adds an item. It waits while the queue is full, and returns the error of ctx if that ends.
func (q *workQueue) put(ctx context.Context, item work) error {
	select {
	case q.places <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	q.mu.Lock()
	q.items[(q.first+q.n)%len(q.items)] = item
	q.n++
	if !q.isGated && (q.awake == 0 || q.n >= wakeBlocks) {
		q.wakeLocked()
	}
	q.mu.Unlock()
	return nil
}

// wakeLocked wakes a worker, if one sleeps.
func (q *workQueue) wakeLocked() {
	if last := len(q.asleep) - 1; last >= 0 {
		q.asleep[last] <- struct{}{} // has room: a worker that is awake has no token
		q.asleep = q.asleep[:last]
		q.awake++
	}
}

// take returns the next item. It waits for one, asleep, and at a gate; wake is the worker's own, with room for a token. It returns
// the error of ctx if that ends.
func (q *workQueue) take(ctx context.Context, wake chan struct{}) (work, error) {
	for {
		if item, ok := q.next(wake); ok {
			<-q.places
			return item, nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return work{}, ctx.Err()
		}
	}
}

// next returns the next item, or puts the worker to sleep.
func (q *workQueue) next(wake chan struct{}) (item work, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == 0 || q.isGated && q.before == 0 {
		q.awake--
		q.asleep = append(q.asleep, wake)
		q.tellLocked()
		return work{}, false
	}
	item = q.items[q.first]
	q.items[q.first] = work{}
	q.first = (q.first + 1) % len(q.items)
	q.n--
	if q.isGated {
		q.before--
	} else if q.n >= wakeBlocks {
		q.wakeLocked()
	}
	return item, true
}

// gate makes workers stand still behind the items that are in the queue now, and arrived tell when they do.
func (q *workQueue) gate() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.isGated, q.before = true, q.n
	for range min(q.before, len(q.asleep)) {
		q.wakeLocked()
	}
	q.tellLocked()
}

// tellLocked tells arrived if all workers stand still.
func (q *workQueue) tellLocked() {
	if q.isGated && q.before == 0 && q.awake == 0 {
		q.arrived <- struct{}{} // has room: once per gate, since nobody is awake from here to open
	}
}

// open lets workers go on.
func (q *workQueue) open() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.isGated = false
	for i := 0; i < q.n; i += wakeBlocks {
		q.wakeLocked()
	}
}

// drain frees what nobody took.
func (q *workQueue) drain() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for ; q.n > 0; q.n-- {
		q.items[q.first].block.Free()
		q.first = (q.first + 1) % len(q.items)
	}
}
