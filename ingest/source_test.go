package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// sourceRun plays the engine for a source: it reads every split and joins its blocks.
type sourceRun struct {
	t      *testing.T
	source ingest.Source
	cancel context.CancelFunc
	ctx    context.Context
	blocks *ingest.BlockPool

	readers sync.WaitGroup

	mu      sync.Mutex
	splits  map[string]*splitRun
	failed  error
	changed chan struct{} // closed when something came
}

type splitRun struct {
	writer *ingest.BlockWriter
	text   strings.Builder
	files  []string // the tags of the blocks, without repetition, and their headers
	bad    []string
	ended  bool
	late   bool

	positions []ingest.Position // before each block
	starts    []int             // what length text had at that position
}

// mustOpen returns a source, not opened yet. Options are given as name, value, name, value.
func mustOpen(t testing.TB, uri string, f ingest.Format, spec ingest.OpenSpec, options ...string) ingest.Source {
	t.Helper()
	m := map[string]string{}
	for i := 0; i < len(options); i += 2 {
		m[options[i]] = options[i+1]
	}
	source, err := ingest.Open(uri, m, f, spec)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// start opens a source and reads its splits. Blocks are small, so that there are many.
func start(t *testing.T, source ingest.Source, f ingest.Format, after map[string]ingest.Position) *sourceRun {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &sourceRun{
		t: t, source: source, ctx: ctx, cancel: cancel, blocks: ingest.NewBlockPool(newPool(t)),
		splits: map[string]*splitRun{}, changed: make(chan struct{}),
	}
	t.Cleanup(r.close)
	err := source.Open(ctx, after, func(event ingest.SplitEvent) {
		r.mu.Lock()
		defer r.mu.Unlock()
		position := after[event.Name]
		position.Upto = event.Start
		if r.splits[event.Name] != nil {
			t.Errorf("split %q came twice", event.Name)
		}
		split := &splitRun{late: event.Late}
		r.splits[event.Name] = split
		split.writer = ingest.NewBlockWriter(ingest.WriterSpec{
			Split: event.Split, Name: event.Name, Start: position, Format: f, BlockBytes: 1 << 10, Blocks: r.blocks,
			Now: func() batch.Time { return batch.TimeOf(time.Now()) },
			Bad: func(bad ingest.BadRow) {
				r.mu.Lock()
				defer r.mu.Unlock()
				split.bad = append(split.bad, fmt.Sprintf("line %d offset %d: %s: %.10q", bad.Line, bad.Offset, bad.Why, bad.Raw))
				r.change()
			},
			Send: func(_ context.Context, b *ingest.Block) error { r.take(split, b); return nil },
		})
		r.readers.Go(func() { r.read(event, split) })
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *sourceRun) change() {
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *sourceRun) take(split *splitRun, b *ingest.Block) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer b.Free()
	split.positions = append(split.positions, ingest.Position{Upto: b.From, Rows: b.FirstRow, Lines: b.FirstLine})
	split.starts = append(split.starts, split.text.Len())
	if b.Rows != nil {
		split.text.WriteString(batch.Format(batch.Batch{Rows: b.Rows}))
	}
	split.text.Write(b.Bytes)
	file := string(bytes.TrimSpace(b.Header))
	if len(split.files) == 0 || split.files[len(split.files)-1] != file {
		split.files = append(split.files, file)
	}
	r.change()
}

func (r *sourceRun) read(event ingest.SplitEvent, split *splitRun) {
	err := r.source.Read(r.ctx, event.Split, split.writer)
	split.writer.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	split.ended = err == nil
	if err != nil && r.ctx.Err() == nil && r.failed == nil {
		r.failed = err
	}
	r.change()
}

// close ends everything, as the engine does.
func (r *sourceRun) close() {
	r.cancel()
	if err := r.source.Close(); err != nil {
		r.t.Errorf("close: %v", err)
	}
	r.readers.Wait()
}

// until waits for a condition on the splits, cutting at every turn, and calling turn if it is not nil.
func (r *sourceRun) until(turn func(), isTrue func() bool) {
	r.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		writers := slices.Collect(maps.Values(r.splits))
		r.mu.Unlock()
		for _, split := range writers {
			_ = split.writer.Cut(r.ctx) // an error is that of a split that has ended
		}
		r.mu.Lock()
		done, changed := isTrue() || r.failed != nil, r.changed
		r.mu.Unlock()
		if done {
			return
		}
		if turn != nil {
			turn()
			continue
		}
		select {
		case <-changed:
		case <-time.After(time.Millisecond): // what is read but not cut yet changes nothing
		case <-deadline:
			r.t.Fatalf("waited too long; so far:\n%s", r.String())
		}
	}
}

// finish waits until all splits have ended and returns what they gave.
func (r *sourceRun) finish() string {
	r.t.Helper()
	if d, ok := r.source.(ingest.Discoverer); ok {
		<-d.Complete()
	}
	r.readers.Wait()
	if r.failed != nil {
		r.t.Fatal(r.failed)
	}
	return r.String()
}

func (r *sourceRun) textLocked(name string) string {
	if r.splits[name] == nil {
		return ""
	}
	return r.splits[name].text.String()
}

// String returns the splits in order of name, each as name, text and bad rows.
func (r *sourceRun) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.splits)) {
		split := r.splits[name]
		fmt.Fprintf(&b, "%s: %q", name, split.text.String())
		for _, bad := range split.bad {
			fmt.Fprintf(&b, ", bad %s", bad)
		}
		for _, header := range split.files {
			if header != "" {
				fmt.Fprintf(&b, ", header %s", header)
			}
		}
		if split.late {
			b.WriteString(", late")
		}
		b.WriteByte('\n')
	}
	return b.String()
}
