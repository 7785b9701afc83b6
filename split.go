package tidemill

import (
	"sync"
	"sync/atomic"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// splitRun is a split while the engine runs.
type splitRun struct {
	id       int32
	key      uint64 // of the names of source and split
	name     string
	source   *sourceRun
	sourceID int32 // the source's own number of the split
	times    timeChain

	blocks    uint64       // sent so far; whoever holds the writer's lock, or replays, counts
	lastBlock atomic.Int64 // when the last block came in, or the split appeared

	// Below here the source's mutex guards.

	writer  *ingest.BlockWriter // nil before and after it is read
	wasRead bool                // the source announced it in this run
	pos     ingest.Position     // after the last block sent
	isEnded bool
	header  []byte // from the journal, for a writer that starts behind it

	// What the running interval's end is going to commit, set at its cut.
	cutPos   ingest.Position
	cutEnded bool
	cutIdle  bool
}

// arrival returns when the last block came in, or the split appeared.
func (sp *splitRun) arrival() batch.Time { return batch.Time(sp.lastBlock.Load()) }

// timeChain keeps the largest event time of a split in the order of its blocks, while workers decode them in any order: a
// worker publishes the largest time of its block, then takes the largest of all earlier blocks.
//
// Example: blocks 0, 1, 2 have largest times 10, 30, 20. Worker A has block 0, worker B block 1, then A takes 2. B publishes 30
// and waits until A has published 10; before(1) is then 10, and before(2) is 30 whatever comes first.
type timeChain struct {
	mu      sync.Mutex
	cond    *sync.Cond
	largest batch.Time // of blocks before next
	floor   batch.Time // the least that blocks are told; changes only while no block of the split is in work
	next    uint64     // the first block that is not published, or whose predecessors are not
	pending map[uint64]batch.Time
	before  map[uint64]batch.Time // block → largest time of earlier blocks, until it is taken
	aborted bool
}

func (c *timeChain) init(largest batch.Time) {
	c.cond = sync.NewCond(&c.mu)
	c.largest, c.floor = largest, batch.MinTime
	c.pending = make(map[uint64]batch.Time)
	c.before = make(map[uint64]batch.Time)
}

// publish tells the largest time of a block, MinTime if it has none, and returns the largest time of all earlier blocks.
// It waits until these are published, and returns false if the engine failed meanwhile.
func (c *timeChain) publish(seq uint64, largest batch.Time) (before batch.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if seq == c.next { // the usual case: nothing to keep
		before = max(c.largest, c.floor)
		c.advance(largest)
		if len(c.pending) > 0 {
			c.drain()
		}
		return before, !c.aborted
	}
	c.pending[seq] = largest
	for !c.aborted {
		if b, found := c.before[seq]; found {
			delete(c.before, seq)
			return b, true
		}
		c.cond.Wait()
	}
	return batch.MinTime, false
}

func (c *timeChain) advance(largest batch.Time) {
	c.largest = max(c.largest, largest)
	c.next++
}

func (c *timeChain) drain() {
	for {
		largest, found := c.pending[c.next]
		if !found {
			break
		}
		delete(c.pending, c.next)
		c.before[c.next] = max(c.largest, c.floor)
		c.advance(largest)
	}
	c.cond.Broadcast()
}

// startAt makes rows from now on count from a time at least, for a split that was set aside or appears late.
func (c *timeChain) startAt(t batch.Time) {
	c.mu.Lock()
	c.floor = max(c.floor, t)
	c.mu.Unlock()
}

// start returns the least that blocks are told.
func (c *timeChain) start() batch.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.floor
}

// reached returns the time that the split's watermark is taken from.
func (c *timeChain) reached() batch.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.largest, c.floor)
}

// seen returns the largest time of all published blocks.
func (c *timeChain) seen() batch.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.largest
}

// abort wakes all who wait.
func (c *timeChain) abort() {
	c.mu.Lock()
	c.aborted = true
	c.cond.Broadcast()
	c.mu.Unlock()
}
