package ingest

import (
	"context"
	"errors"
	"sync"
)

// errClosed is what Read returns when its source was closed.
var errClosed = errors.New("source was closed")

// lifetime ends the goroutines of a source when it is closed. The zero value is alive.
type lifetime struct {
	mu      sync.Mutex
	closed  bool
	next    int
	cancels map[int]context.CancelCauseFunc
	running sync.WaitGroup
}

// enter returns a context that ends with ctx or when the source is closed, and a function to call at the end of the work, which
// close waits for.
func (l *lifetime) enter(ctx context.Context) (context.Context, func(), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, errClosed
	}
	bound, cancel := context.WithCancelCause(ctx)
	if l.cancels == nil {
		l.cancels = map[int]context.CancelCauseFunc{}
	}
	id := l.next
	l.next++
	l.cancels[id] = cancel
	l.running.Add(1)
	return bound, func() {
		l.mu.Lock()
		delete(l.cancels, id)
		l.mu.Unlock()
		cancel(nil)
		l.running.Done()
	}, nil
}

// close ends everything that entered, and waits for it.
func (l *lifetime) close() {
	l.mu.Lock()
	l.closed = true
	for _, cancel := range l.cancels {
		cancel(errClosed)
	}
	l.mu.Unlock()
	l.running.Wait()
}
