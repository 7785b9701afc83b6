package tidemill_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/internal/vfs"
)

// jumpingClock is set an hour forth or back at every look, by chance. What waits for it is woken by whatever it shows.
type jumpingClock struct {
	mu  sync.Mutex
	rng *rand.Rand
	now time.Time
}

func (c *jumpingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	switch c.rng.IntN(20) {
	case 0:
		c.now = c.now.Add(time.Hour)
	case 1:
		c.now = c.now.Add(-time.Hour)
	}
	return c.now
}

func (c *jumpingClock) Wait(ctx context.Context, t time.Time) error {
	for c.Now().Before(t) && ctx.Err() == nil {
		time.Sleep(100 * time.Microsecond)
	}
	return ctx.Err()
}

// TestClockThatJumpsLosesNothing crashes jobs while the clock jumps both ways, and restarts them an hour off.
func TestClockThatJumpsLosesNothing(t *testing.T) {
	for _, job := range crashJobs {
		if job.isByClock {
			continue
		}
		t.Run(job.name, func(t *testing.T) {
			b := newCrashBench(t, job)
			start := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
			jumping := func(off time.Duration) func(*tidemill.Config) {
				return func(cfg *tidemill.Config) {
					cfg.Clock = &jumpingClock{rng: b.rng, now: start.Add(off)}
				}
			}
			for n := int64(20); n < 140; n += 1 + b.rng.Int64N(40) {
				b.points++
				mem := vfs.NewMem()
				err := b.runWith(vfs.NewFailing(mem, vfs.FailSpec{Nth: n, Err: errPower, Forever: true}), jumping(0))
				if err != nil {
					checkDiskError(t, err, errPower, place(n))
					mem = mem.Crash(b.rng.Uint64())
				}
				if err := b.runWith(mem, jumping(time.Duration(b.rng.IntN(3)-1)*time.Hour)); err != nil {
					t.Fatalf("%s: restart: %v", place(n), err)
				}
				b.check(mem, place(n))
			}
		})
	}
}
