package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const (
	// maxFiles is how many files are read side by side: enough to keep a disk busy, and 64 buffers of 256 KiB are 16 MiB.
	maxFiles = 64
	// pollInterval is the time between two looks at followed files.
	pollInterval = 200 * time.Millisecond
)

// fileSource reads a file, the files of a directory or those that match a glob. Each is a split, called by its path relative to
// the directory or to the glob's fixed part; with ordered they are one split, in order of name. compressed ones are recognised by
// their first bytes; positions count decompressed bytes, and a restart skips up to them.
//
// With follow it has no end: files that grow are read on, new ones are found. A file that was renamed and made anew, or
// truncated, continues its split: see follow.go.
type fileSource struct {
	uri     string
	pattern filePattern
	follow  bool
	ordered bool
	format  Format
	polls   <-chan time.Time

	lifetime lifetime
	places   chan struct{} // a token per file that is being read
	complete chan struct{}

	bytesRead  atomic.Int64
	bytesTotal int64 // of the files that were there at the start; 0 if they are followed

	mu     sync.Mutex
	splits []*fileSplit
	polled chan struct{}       // closed at the next poll
	known  map[string]struct{} // names of splits, and of files that are no splits of their own
}

// fileSplit is a file, or all files in order.
type fileSplit struct {
	name  string
	path  string
	start Position
	files []foundFile // of an ordered source

	followed followedFile // guarded by the source's mu
}

var (
	_ Source     = (*fileSource)(nil)
	_ Discoverer = (*fileSource)(nil)
	_ Columned   = (*fileSource)(nil)
	_ Measured   = (*fileSource)(nil)
)

func newFileSource(rest string, o *sourceOptions, f Format, spec OpenSpec) Source {
	path := pathOf(rest)
	if strings.HasPrefix(rest, "//") && !strings.HasPrefix(path, "/") {
		o.faultf("want file:PATH or file:///PATH: a file on another host can't be read")
	}
	if path == "" {
		o.faultf("path is missing: write file:PATH")
	}
	if _, err := filepath.Match(path, ""); err != nil {
		o.faultf("glob %q: %w", path, err)
	}
	s := &fileSource{
		uri: o.uri, pattern: filePattern(path), format: f, polls: spec.Polls,
		follow: o.isTrue("follow"), ordered: o.isTrue("ordered"),
		places: make(chan struct{}, maxFiles), complete: make(chan struct{}),
		polled: make(chan struct{}), known: map[string]struct{}{},
	}
	if s.follow && s.ordered {
		o.faultf("options follow and ordered exclude each other: a followed file never ends, so that none can come after it")
	}
	return s
}

// pathOf returns the path of a URI without its scheme: PATH, ///PATH or //localhost/PATH.
func pathOf(rest string) string {
	address, hasHost := strings.CutPrefix(rest, "//")
	if !hasHost {
		return rest
	}
	return strings.TrimPrefix(address, "localhost")
}

// Open finds the files.
func (s *fileSource) Open(ctx context.Context, after map[string]Position, events func(SplitEvent)) error {
	files, err := s.pattern.list()
	if err != nil && (!s.follow || !errors.Is(err, fs.ErrNotExist)) {
		return fmt.Errorf("open source %s: %w", s.uri, err)
	}
	switch {
	case s.ordered:
		s.openOrdered(files, after)
	case s.follow:
		s.openFollowed(files, after)
	default:
		err = s.openAll(files, after)
	}
	if err != nil && !s.follow {
		return fmt.Errorf("open source %s: %w", s.uri, err)
	}
	for i, split := range s.splits {
		events(SplitEvent{Split: int32(i), Name: split.name, Start: split.start.Upto})
	}
	if !s.follow {
		close(s.complete)
		return nil
	}
	// What runs on after Open must not end with Open's context.
	ctx, leave, err := s.lifetime.enter(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	go func() {
		defer leave()
		s.poll(ctx, events)
	}()
	return nil
}

func (s *fileSource) openAll(files []foundFile, after map[string]Position) error {
	for name, start := range after {
		if !start.Ended && !slices.ContainsFunc(files, func(f foundFile) bool { return f.name == name }) {
			return fmt.Errorf("file %q is gone, which was read up to position %d and not to its end: put it back", name, start.Upto.Pos)
		}
	}
	for _, f := range files {
		start := after[f.name]
		s.bytesTotal += f.info.Size()
		// The size of a compressed file says nothing about positions: once at its end, it is done.
		hasGrown := s.canGrow(f.name) && f.info.Size() > start.Upto.Pos
		if start.Ended && !hasGrown {
			s.bytesRead.Add(f.info.Size())
			continue
		}
		s.splits = append(s.splits, &fileSplit{name: f.name, path: f.path, start: start})
	}
	return nil
}

func (s *fileSource) openOrdered(files []foundFile, after map[string]Position) {
	name := filepath.Base(string(s.pattern))
	start := after[name]
	for _, f := range files {
		s.bytesTotal += f.info.Size()
		if f.name < start.Upto.Tag { // was read whole
			s.bytesRead.Add(f.info.Size())
		}
	}
	isLast := func(f foundFile) bool { return f.name == start.Upto.Tag }
	if at := slices.IndexFunc(files, isLast); start.Ended && at == len(files)-1 &&
		(at < 0 || files[at].info.Size() <= start.Upto.Pos || !s.canGrow(files[at].name)) {
		return
	}
	if len(files) > 0 {
		s.splits = append(s.splits, &fileSplit{name: name, start: start, files: files})
	}
}

// canGrow says whether a file may get more rows at its end, and whether its size tells.
func (s *fileSource) canGrow(name string) bool {
	_, hasColumns := s.format.(ColumnFormat)
	return !hasColumns && !isCompressedName(name)
}

func isCompressedName(name string) bool {
	switch filepath.Ext(name) {
	case ".gz", ".zst", ".bz2", ".lz4", ".s2", ".sz":
		return true
	}
	return false
}

// Read reads a split, when one of the places for open files is free.
func (s *fileSource) Read(ctx context.Context, split int32, w *BlockWriter) error {
	ctx, leave, err := s.lifetime.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	s.mu.Lock()
	sp := s.splits[split]
	s.mu.Unlock()
	if err := s.takePlace(ctx); err != nil {
		return err
	}
	defer s.leavePlace()
	switch {
	case s.ordered:
		err = s.readOrdered(ctx, sp, w)
	case s.follow:
		err = s.readFollowed(ctx, sp, w)
	default:
		err = s.readFile(ctx, sp.path, sp.start, w)
	}
	if err != nil {
		return err
	}
	return w.End(ctx)
}

func (s *fileSource) takePlace(ctx context.Context) error {
	select {
	case s.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *fileSource) leavePlace() { <-s.places }

// readFile reads a file from a position to the end that it has when it is reached.
func (s *fileSource) readFile(ctx context.Context, path string, start Position, w *BlockWriter) error {
	o, err := openData(path, &s.bytesRead)
	if err != nil {
		return fmt.Errorf("read source %s: %w", s.uri, err)
	}
	defer func() { _ = o.Close() }()
	if f, ok := s.format.(ColumnFormat); ok {
		_, err = readColumns(ctx, f, o.columns(), start.Upto.Pos, w)
		o.file.whole()
	} else {
		err = s.readBytes(ctx, o, path, start, w)
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return err
}

func (s *fileSource) readBytes(ctx context.Context, o *openFile, path string, start Position, w *BlockWriter) error {
	if err := s.restoreHeader(path, start, w); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if err := o.skip(ctx, start.Upto.Pos); err != nil {
		return err
	}
	_, err := readInto(ctx, o, w)
	return err
}

// FileColumns returns the columns that the first file says it has, in a ColumnFormat.
func (s *fileSource) FileColumns(ctx context.Context, mem memory.Allocator) ([]arrow.Field, error) {
	files, err := s.pattern.list()
	if err != nil {
		return nil, fmt.Errorf("open source %s: %w", s.uri, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("open source %s: %w", s.uri, errNothingToInfer)
	}
	o, err := openData(files[0].path, new(atomic.Int64))
	if err != nil {
		return nil, err
	}
	defer func() { _ = o.Close() }()
	columns, err := columnsOf(ctx, s.format.(ColumnFormat), o.columns(), mem)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", files[0].path, err)
	}
	return columns, nil
}

// restoreHeader gives w the header of a file that is not read from its start.
func (s *fileSource) restoreHeader(path string, start Position, w *BlockWriter) error {
	if !s.format.HasHeader() || start.Lines == 0 || w.Header() != nil {
		return nil
	}
	header, err := readHeader(path, s.format)
	if err != nil {
		return err
	}
	w.SetHeader(header)
	return nil
}

// readOrdered reads one file after the other. The tag of offsets is the name of the file.
func (s *fileSource) readOrdered(ctx context.Context, sp *fileSplit, w *BlockWriter) error {
	files, start := sp.files, sp.start
	if tag := start.Upto.Tag; tag == "" {
		w.SetTag(files[0].name)
	} else {
		at := slices.IndexFunc(files, func(f foundFile) bool { return f.name == tag })
		if at < 0 {
			return fmt.Errorf("read source %s: the file to go on with is gone: %s, position %d", s.uri, tag, start.Upto.Pos)
		}
		files = files[at:]
	}
	for i, f := range files {
		if i > 0 {
			start = Position{}
			if err := w.Rotate(ctx, f.name); err != nil {
				return err
			}
		}
		if err := s.readFile(ctx, f.path, start, w); err != nil {
			return err
		}
	}
	return nil
}

// Complete returns a channel that is closed by Open, unless files are followed.
func (s *fileSource) Complete() <-chan struct{} { return s.complete }

// Bounded says that files are not followed.
func (s *fileSource) Bounded() bool { return !s.follow }

// Replayable is true: files stay.
func (s *fileSource) Replayable() bool { return true }

// Acknowledge has nobody to tell.
func (s *fileSource) Acknowledge(context.Context, int32, Offset) error { return nil }

// Close ends Read and the search for files.
func (s *fileSource) Close() error {
	s.lifetime.close()
	return nil
}
