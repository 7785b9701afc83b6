package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// ErrClosed says that nobody reads the output any more, as after | head: a reason to stop the job, not a fault.
var ErrClosed = errors.New("the reader of the output is gone")

// StdoutSpec says how rows are printed.
type StdoutSpec struct {
	// Out is where rows go.
	Out io.Writer
	// Format is TABLE, CSV, JSON or TEXT. "" is CSV.
	Format string
	// Header puts the names of the columns before the first row of CSV.
	Header bool
	// Mem is the allocator for rows that wait for their commit.
	Mem memory.Allocator
}

// NewStdout returns a sink that prints rows when they are committed. What a crash leaves between the decision and the printing
// is not printed by the restart: a terminal can't be asked what it has shown.
//
// Out is written by Commit only. Where it is os.Stdout, the process must ignore SIGPIPE, or it dies of it before the sink can
// return ErrClosed.
func NewStdout(spec StdoutSpec) (Sink, error) {
	set, err := parseSettings("stdout", spec.Format, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("print rows: %w", err)
	}
	set.header = spec.Header
	return newStdout(spec.Out, spec.Mem, set), nil
}

// printed is the text of a prepared commit.
type printed struct {
	commit uint64
	text   []byte // of mem
}

// stdoutSink prints.
type stdoutSink struct {
	out io.Writer
	mem memory.Allocator
	set settings

	encoder Encoder // nil for TABLE
	table   *table  // nil for others

	hasHeader bool      // the header is in some commit's text
	text      []byte    // of mem: encoded since the last Prepare
	prepared  []printed // oldest first

	chunk []byte // scratch, valid within one call
}

var _ Sink = (*stdoutSink)(nil)

func newStdout(out io.Writer, mem memory.Allocator, set settings) *stdoutSink {
	return &stdoutSink{out: out, mem: mem, set: set}
}

// Open checks the schema. Tokens are empty.
func (s *stdoutSink) Open(_ context.Context, spec Spec, _ uint64, _ Token) (err error) {
	if s.set.format == "TABLE" {
		s.table = newTable(s.mem, spec.Schema)
		return nil
	}
	s.encoder, err = newEncoder(s.set, spec.Schema)
	return err
}

// Write encodes the live rows of in.
func (s *stdoutSink) Write(_ context.Context, iv batch.Interval, in batch.Batch) error {
	if s.table != nil {
		s.table.add(iv.ID, in)
		return nil
	}
	rows := in.NumLive()
	for from := 0; from < rows; {
		to := min(rows, from+chunkRows)
		s.chunk = s.chunk[:0]
		if !s.hasHeader {
			s.chunk, s.hasHeader = s.encoder.AppendHeader(s.chunk), true
		}
		s.chunk = s.encoder.AppendRows(s.chunk, in, from, to)
		s.text = batch.AppendSlice(s.mem, s.text, s.chunk...)
		from = to
	}
	return nil
}

// Prepare keeps the text of the commit apart. The token is empty.
func (s *stdoutSink) Prepare(_ context.Context, commit uint64) (Token, error) {
	if s.table != nil {
		s.text = s.table.render(s.text)
	}
	if len(s.text) > 0 {
		s.prepared = append(s.prepared, printed{commit: commit, text: s.text})
		s.text = nil
	}
	return nil, nil
}

// Commit prints what was prepared up to commit and not printed yet. Its error wraps ErrClosed if nobody reads.
func (s *stdoutSink) Commit(_ context.Context, commit uint64, _ Token) error {
	for len(s.prepared) > 0 && s.prepared[0].commit <= commit {
		p := &s.prepared[0]
		for done := 0; done < len(p.text); {
			n, err := s.out.Write(p.text[done:])
			if err == nil && n == 0 {
				err = io.ErrShortWrite
			}
			done += n
			if err != nil {
				// A second call prints the rest, not the beginning again.
				p.text = append(p.text[:0], p.text[done:]...)
				return printError(err)
			}
		}
		batch.FreeSlice(s.mem, p.text)
		s.prepared = append(s.prepared[:0], s.prepared[1:]...)
	}
	return nil
}

func printError(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		return fmt.Errorf("print rows: %w: %w", ErrClosed, err)
	}
	return fmt.Errorf("print rows: %w", err)
}

// Close drops what was not committed.
func (s *stdoutSink) Close() error {
	batch.FreeSlice(s.mem, s.text)
	s.text = nil
	for _, p := range s.prepared {
		batch.FreeSlice(s.mem, p.text)
	}
	s.prepared = nil
	if s.table != nil {
		s.table.close()
	}
	return nil
}
