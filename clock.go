package tidemill

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time to a Context, and waits for it. Tests set one by hand.
type Clock interface {
	// Now returns the time.
	Now() time.Time
	// Wait returns nil when the clock has reached t, or the error of ctx.
	Wait(ctx context.Context, t time.Time) error
}

// wallClock is the system's clock.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) Wait(ctx context.Context, t time.Time) error {
	d := time.Until(t)
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ManualClock is a Clock that stands still until it is advanced. It is safe for concurrent use.
type ManualClock struct {
	mu      sync.Mutex
	now     time.Time
	changed chan struct{}
}

// NewManualClock returns a clock that shows now.
func NewManualClock(now time.Time) *ManualClock {
	return &ManualClock{now: now, changed: make(chan struct{})}
}

// Now returns the time that the clock shows.
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock and wakes who waits.
func (c *ManualClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	close(c.changed)
	c.changed = make(chan struct{})
}

// Wait returns nil when the clock has reached t, or the error of ctx.
func (c *ManualClock) Wait(ctx context.Context, t time.Time) error {
	for {
		c.mu.Lock()
		reached, changed := !c.now.Before(t), c.changed
		c.mu.Unlock()
		if reached {
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
