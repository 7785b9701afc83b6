package ingest

import (
	"context"
	"fmt"
	"os"
)

// stdinSplit is the name of the only split.
const stdinSplit = "stdin"

// stdinSource reads standard input to its end. What was read cannot be read again.
type stdinSource struct {
	file     *os.File
	lifetime lifetime
}

var _ Source = (*stdinSource)(nil)

func newStdinSource(rest string, o *sourceOptions, _ Format, spec OpenSpec) Source {
	if rest != "" {
		o.faultf("want stdin: and nothing behind it")
	}
	return &stdinSource{file: spec.Stdin}
}

// Open announces the split.
func (s *stdinSource) Open(_ context.Context, after map[string]Position, events func(SplitEvent)) error {
	events(SplitEvent{Split: 0, Name: stdinSplit, Start: after[stdinSplit].Upto})
	return nil
}

// Read reads to the end of input.
func (s *stdinSource) Read(ctx context.Context, _ int32, w *BlockWriter) error {
	ctx, leave, err := s.lifetime.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	r, err := newInterruptible(s.file)
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	defer func() { _ = r.Close() }()
	stop := context.AfterFunc(ctx, r.interrupt)
	defer stop()
	if _, err := readInto(ctx, r, w); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("read standard input: %w", err)
	}
	return w.End(ctx)
}

// Bounded is true: input ends when its writer closes it.
func (s *stdinSource) Bounded() bool { return true }

// Replayable is false.
func (s *stdinSource) Replayable() bool { return false }

// Acknowledge has nobody to tell.
func (s *stdinSource) Acknowledge(context.Context, int32, Offset) error { return nil }

// Close ends Read. Standard input stays open: it is not the source's.
func (s *stdinSource) Close() error {
	s.lifetime.close()
	return nil
}
