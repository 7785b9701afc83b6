// Package egress makes rows visible outside: sinks that take the output of commits exactly once.
package egress

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// Token is what a sink needs to make prepared output visible, or to find that it is.
type Token []byte

// Spec is what a sink learns of its stream.
type Spec struct {
	Job    string // random id kept in the checkpoint: the same name on an old directory is another job
	Name   string
	Schema *arrow.Schema
	Keys   []int  // upsert key of an updating result, nil for append
	Mode   string // append, update, complete
}

// Sink takes the output of commits. One goroutine calls it, with rows ordered by (split, row) within an interval.
type Sink interface {
	// Open is given the last token in the decided record, nil if there is none, commits it if that had not happened, and
	// discards what was staged after it.
	Open(ctx context.Context, spec Spec, commit uint64, last Token) error
	// Write stages rows, invisible to readers. It borrows in, which may have no live row: an interval in which nothing came out.
	Write(ctx context.Context, iv batch.Interval, in batch.Batch) error
	// Prepare makes all that was written since the last Prepare durable and still invisible.
	Prepare(ctx context.Context, commit uint64) (Token, error)
	// Commit makes it visible. It may be called again for the same token; the second call changes nothing.
	Commit(ctx context.Context, commit uint64, t Token) error
	// Close releases what the sink holds. What was written and not prepared is lost.
	Close() error
}
