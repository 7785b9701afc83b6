package egress

import (
	"context"
	"sync/atomic"

	"github.com/tidemill/tidemill/batch"
)

// Blackhole counts rows and drops them: for benchmarks, where only what is before the sink is to be measured.
type Blackhole struct {
	rows atomic.Int64
}

var _ Sink = (*Blackhole)(nil)

// NewBlackhole returns a sink that drops everything.
func NewBlackhole() *Blackhole { return &Blackhole{} }

// Rows returns how many rows were written. It is safe for concurrent use.
func (s *Blackhole) Rows() int64 { return s.rows.Load() }

// Open does nothing.
func (s *Blackhole) Open(context.Context, Spec, uint64, Token) error { return nil }

// Write counts the live rows of in.
func (s *Blackhole) Write(_ context.Context, _ batch.Interval, in batch.Batch) error {
	s.rows.Add(int64(in.NumLive()))
	return nil
}

// Prepare returns an empty token.
func (s *Blackhole) Prepare(context.Context, uint64) (Token, error) { return nil, nil }

// Commit does nothing.
func (s *Blackhole) Commit(context.Context, uint64, Token) error { return nil }

// Close does nothing.
func (s *Blackhole) Close() error { return nil }
