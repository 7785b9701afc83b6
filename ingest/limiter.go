package ingest

import "sync"

// Limiter is the number of rows that the splits of one source may bring into one interval, the option max_rows_per_interval.
// Its writers share it. It is safe for concurrent use.
type Limiter struct {
	rows int64
	full func()

	mu       sync.Mutex
	interval uint64
	used     int64
	next     chan struct{} // closed when the next interval begins
}

// NewLimiter returns a limiter of at least one row per interval. full asks for the interval to be cut before its time, because
// there are more rows: it must not block. It may be called more than once in an interval.
func NewLimiter(rows int64, full func()) *Limiter {
	return &Limiter{rows: max(rows, 1), full: full, next: make(chan struct{})}
}

// begin starts an interval with all its rows. Only the first call for an interval counts.
func (l *Limiter) begin(interval uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if interval == l.interval {
		return
	}
	l.interval, l.used = interval, 0
	close(l.next)
	l.next = make(chan struct{})
}

func (l *Limiter) left() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rows - l.used
}

// reserve takes up to want rows. If it gives none, next is closed when there are some.
func (l *Limiter) reserve(want int64) (rows int64, next <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows = min(want, l.rows-l.used)
	l.used += rows
	return rows, l.next
}
