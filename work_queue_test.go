package tidemill_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemill/tidemill"
)

// taken is what workers took, and whether they were to stand still when they did.
type taken struct {
	mu      sync.Mutex
	numbers []int64
	closed  bool
	fault   string
}

func (t *taken) add(number int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		t.fault = fmt.Sprintf("block %d was taken while all stood still", number)
	}
	t.numbers = append(t.numbers, number)
}

// startWorkers takes from q in goroutines that need a time of their own for each block, until ctx ends.
func startWorkers(ctx context.Context, q *tidemill.WorkQueue, workers int, rng *rand.Rand, into *taken) *sync.WaitGroup {
	var group sync.WaitGroup
	for range workers {
		takes := time.Duration(rng.IntN(3)) * time.Millisecond
		group.Go(func() {
			wake := make(chan struct{}, 1)
			for {
				number, err := q.Take(ctx, wake)
				if err != nil {
					return
				}
				into.add(number)
				time.Sleep(takes)
			}
		})
	}
	return &group
}

// Blocks come in from two readers, intervals end at random times: every block before a gate is taken before all stand still, none
// behind it is, and none is lost.
func TestWorkQueueGates(t *testing.T) {
	for seed := range uint64(30) {
		for workers := 1; workers <= 3; workers++ {
			synctest.Test(t, func(t *testing.T) { runGates(t, seed, workers) })
		}
	}
}

func runGates(t *testing.T, seed uint64, workers int) {
	rng := rand.New(rand.NewPCG(seed, 11))
	ctx, cancel := context.WithCancel(context.Background())
	q, got := tidemill.NewWorkQueue(workers), &taken{}
	done := startWorkers(ctx, q, workers, rng, got)
	const blocks = 100
	var readers sync.WaitGroup
	lock := make(chan struct{}, 1) // as a writer's lock: held from a number to its place in the queue
	next := int64(0)
	for range 2 {
		pause := time.Duration(rng.IntN(3)) * time.Millisecond
		readers.Go(func() {
			for range blocks / 2 {
				lock <- struct{}{}
				next++
				if err := q.Put(ctx, next); err != nil {
					t.Error(err)
				}
				<-lock
				time.Sleep(pause)
			}
		})
	}
	for range 10 {
		time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
		lock <- struct{}{}
		before := next
		q.Gate()
		<-lock
		<-q.Arrived()
		got.mu.Lock()
		got.closed = true
		if n := int64(len(got.numbers)); n != before {
			t.Errorf("seed %d, %d workers: %d blocks were taken before all stood still, want %d", seed, workers, n, before)
		}
		got.mu.Unlock()
		time.Sleep(time.Duration(rng.IntN(3)) * time.Millisecond)
		got.mu.Lock()
		got.closed = false
		got.mu.Unlock()
		q.Open()
	}
	readers.Wait()
	q.Gate()
	<-q.Arrived()
	cancel()
	done.Wait()
	if got.fault != "" {
		t.Errorf("seed %d, %d workers: %s", seed, workers, got.fault)
	}
	slices.Sort(got.numbers)
	if n := len(got.numbers); n != blocks || got.numbers[0] != 1 || len(slices.Compact(got.numbers)) != blocks {
		t.Errorf("seed %d, %d workers: %d blocks were taken, want each of %d once", seed, workers, n, blocks)
	}
}

// A second worker wakes when the first leaves blocks behind, and not before.
func TestWorkQueueWakesWhoIsNeeded(t *testing.T) {
	for _, tt := range []struct {
		name   string
		blocks int64
		want   int // blocks that are taken while the first worker is at its first
	}{
		{name: "two blocks wait for the worker that is awake", blocks: 3, want: 1},
		{name: "of three blocks the next worker takes one, and goes on", blocks: 4, want: 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.Background())
				q, isFirst := tidemill.NewWorkQueue(2), make(chan struct{}, 1)
				isFirst <- struct{}{}
				var group sync.WaitGroup
				var got taken
				for range 2 {
					group.Go(func() {
						wake := make(chan struct{}, 1)
						for {
							number, err := q.Take(ctx, wake)
							if err != nil {
								return
							}
							got.add(number)
							select {
							case <-isFirst:
								time.Sleep(time.Hour)
							default:
							}
						}
					})
				}
				synctest.Wait() // both sleep
				for number := range tt.blocks {
					if err := q.Put(ctx, number); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				if n := len(got.numbers); n != tt.want {
					t.Errorf("%d blocks were taken, want %d", n, tt.want)
				}
				q.Gate() // at which whoever sleeps helps
				synctest.Wait()
				if n := int64(len(got.numbers)); n != tt.blocks {
					t.Errorf("%d blocks were taken at the gate, want %d", n, tt.blocks)
				}
				<-q.Arrived()
				cancel()
				group.Wait()
			})
		})
	}
}

func TestWorkQueueEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	q := tidemill.NewWorkQueue(1)
	for full := false; !full; {
		short, stop := context.WithTimeout(ctx, time.Millisecond)
		full = q.Put(short, 1) != nil
		stop()
	}
	cancel()
	if err := q.Put(ctx, 1); err == nil {
		t.Error("a full queue takes a block after its context ended")
	}
	empty := tidemill.NewWorkQueue(1)
	if _, err := empty.Take(ctx, make(chan struct{}, 1)); err == nil {
		t.Error("an empty queue gives a block after its context ended")
	}
}
