package egress

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/vfs"
)

// stagedMark begins the names of files that are not visible yet: names with a dot are not data. Staged and final names are in
// one directory, for only then is a rename one change of one directory, which a crash does not leave half done on any system.
const stagedMark = "."

// chunkRows is how many rows are encoded between two looks at roll_bytes: some KiB of text.
const chunkRows = 128

// fileSink writes a directory of files. Rows of a commit are staged in files that have their final name behind a stagedMark;
// Prepare syncs them, Commit renames them. A final name is NAME-JOB-COMMIT-N.EXT: a commit that is done again after a crash
// writes the same names, and the same sink of another job writes others. A commit without rows has no file.
//
// A failed write ends the sink: after a failed sync nobody knows what is on disk, so that only a restart can go on.
type fileSink struct {
	fs  vfs.FS
	dir string
	set settings
	mem memory.Allocator

	// Set by Open.
	prefix string // NAME-JOB-
	writer rowWriter

	next     uint64   // commit that the next Prepare is expected to have
	current  *staged  // file that rows are added to, nil if none
	files    []string // complete files since the last Prepare
	prepared []string // prepared, and not known to be committed
	err      error    // the first failed write
}

var _ Sink = (*fileSink)(nil)

func newFile(fsys vfs.FS, dir string, set settings, mem memory.Allocator) *fileSink {
	return &fileSink{fs: fsys, dir: filepath.Clean(dir), set: set, mem: mem}
}

func newRowWriter(set settings, schema *arrow.Schema, mem memory.Allocator) (rowWriter, error) {
	if set.columns != nil {
		return newColumnWriter(set.columns, set.columnOptions, schema, mem)
	}
	encoder, err := newEncoder(set, schema)
	if err != nil {
		return nil, err
	}
	w := &stagedWriter{encoder: encoder}
	return w, w.init(set.compression)
}

// Open makes the directory if need be, commits last, and removes what the job's sink of that name staged after it. It refuses a
// directory with files of later commits: the checkpoint is older than what readers may have seen, so that rows would come twice.
func (s *fileSink) Open(_ context.Context, spec Spec, commit uint64, last Token) (err error) {
	if s.writer, err = newRowWriter(s.set, spec.Schema, s.mem); err != nil {
		return err
	}
	s.prefix = filePrefix(spec)
	s.next = commit + 1
	token, err := parseToken(last, s.prefix)
	if err != nil {
		return err
	}
	if err := makeDir(s.fs, s.dir); err != nil {
		return explain(fmt.Errorf("make the directory: %w", err), s.dir)
	}
	entries, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return explain(fmt.Errorf("look for files: %w", err), s.dir)
	}
	if err := s.checkCommits(entries, commit); err != nil {
		return err
	}
	// The job may have been given another directory, or the directory another name, after the token was made.
	if err := s.commit(s.dir, token.names); err != nil {
		return err
	}
	if token.dir != s.dir && len(token.names) > 0 {
		if err := s.commit(token.dir, token.names); err != nil {
			return err
		}
	}
	return s.discard(entries)
}

// checkCommits returns an error if the job's sink of that name has made files visible after the given commit.
func (s *fileSink) checkCommits(entries []fs.DirEntry, commit uint64) error {
	for _, entry := range entries {
		rest, isOurs := strings.CutPrefix(entry.Name(), s.prefix)
		if !isOurs {
			continue
		}
		digits, _, _ := strings.Cut(rest, "-")
		if n, err := strconv.ParseUint(digits, 10, 64); err == nil && n > commit {
			return fmt.Errorf("file sink %q: %s is of commit %d and the checkpoint ends with commit %d, so that its rows would come again: "+
				"the checkpoint was damaged or is an older copy: use the newer one, or remove the files of later commits, or choose another directory",
				s.dir, entry.Name(), n, commit)
		}
	}
	return nil
}

// makeDir is MkdirAll, and makes the names of dir and of all new parents durable.
func makeDir(fsys vfs.FS, dir string) error {
	parents := []string{filepath.Dir(dir)}
	for d := dir; ; d = filepath.Dir(d) {
		info, err := fsys.Stat(d)
		if err == nil {
			if !info.IsDir() {
				return &fs.PathError{Op: "mkdir", Path: d, Err: syscall.ENOTDIR}
			}
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if filepath.Dir(d) == d {
			break
		}
		parents = append(parents, filepath.Dir(d))
	}
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	for _, d := range slices.Backward(parents) {
		// A parent that may not be read can't be synced. Whoever made dir there saw to that.
		if err := fsys.SyncDir(d); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// discard removes the files that this sink of this job staged.
func (s *fileSink) discard(entries []fs.DirEntry) error {
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), stagedMark+s.prefix) {
			continue
		}
		// What was staged for the last commit has its final name by now.
		if err := s.fs.Remove(filepath.Join(s.dir, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return explain(fmt.Errorf("remove a staged file: %w", err), s.dir)
		}
	}
	return nil
}

// Write adds the live rows of in to the staged file, and begins another one where the file is full.
func (s *fileSink) Write(ctx context.Context, _ batch.Interval, in batch.Batch) error {
	if s.err != nil {
		return s.err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	rows := in.NumLive()
	for from := 0; from < rows; {
		if s.current == nil {
			if err := s.begin(); err != nil {
				return s.fail("begin a file", err)
			}
		}
		to := min(rows, from+chunkRows)
		if s.set.rollRows > 0 {
			to = int(min(int64(to), int64(from)+s.set.rollRows-s.current.rows))
		}
		if err := s.writer.add(in, from, to); err != nil {
			return s.fail("write rows", err)
		}
		s.current.rows += int64(to - from)
		from = to
		if s.isFull() {
			if err := s.finish(); err != nil {
				return s.fail("finish a file", err)
			}
		}
	}
	return nil
}

func (s *fileSink) isFull() bool {
	return s.set.rollRows > 0 && s.current.rows >= s.set.rollRows ||
		s.set.rollBytes > 0 && s.writer.size() >= s.set.rollBytes
}

func stagedPath(dir, name string) string { return filepath.Join(dir, stagedMark+name) }

func (s *fileSink) begin() error {
	name := s.fileName(s.next, len(s.files))
	f, err := s.fs.Create(stagedPath(s.dir, name))
	if err != nil {
		return err
	}
	s.current = &staged{name: name, file: f}
	return s.writer.begin(f)
}

// finish completes the current file and makes its bytes durable.
func (s *fileSink) finish() error {
	f := s.current
	s.current = nil
	s.files = append(s.files, f.name)
	err := s.writer.end()
	if err == nil {
		err = f.file.Sync()
	}
	if closeErr := f.file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Prepare makes the staged files durable. The token names them, and those of commits that are prepared and not committed yet.
func (s *fileSink) Prepare(_ context.Context, commit uint64) (Token, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.current != nil {
		if err := s.finish(); err != nil {
			return nil, s.fail("finish a file", err)
		}
	}
	if len(s.files) > 0 {
		if err := s.nameAfter(commit); err != nil {
			return nil, s.fail("name a file after its commit", err)
		}
		if err := s.fs.SyncDir(s.dir); err != nil {
			return nil, s.fail("sync the names of staged files", err)
		}
	}
	s.prepared = append(s.prepared, s.files...)
	s.files = s.files[:0]
	s.next = commit + 1
	if len(s.prepared) == 0 {
		return nil, nil
	}
	return fileToken{dir: s.dir, names: s.prepared}.encode(), nil
}

// nameAfter renames staged files that were begun under another commit's number, because numbers were left out.
func (s *fileSink) nameAfter(commit uint64) error {
	if commit == s.next {
		return nil
	}
	for n, name := range s.files {
		s.files[n] = s.fileName(commit, n)
		if err := s.fs.Rename(stagedPath(s.dir, name), stagedPath(s.dir, s.files[n])); err != nil {
			return err
		}
	}
	return nil
}

// Commit makes the files that t names visible.
func (s *fileSink) Commit(_ context.Context, _ uint64, t Token) error {
	token, err := parseToken(t, s.prefix)
	if err != nil {
		return err
	}
	return s.commit(s.dir, token.names)
}

// commit renames staged files. One that is not there was renamed before, and may have been taken away by its reader since,
// unless it was prepared by this run and not committed yet: then it has to be under one of its names.
func (s *fileSink) commit(dir string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	for _, name := range names {
		final := filepath.Join(dir, name)
		err := s.fs.Rename(stagedPath(dir, name), final)
		if errors.Is(err, fs.ErrNotExist) {
			if err = nil; slices.Contains(s.prepared, name) {
				_, err = s.fs.Stat(final)
			}
		}
		if err != nil {
			return explain(fmt.Errorf("give a staged file its name: %w", err), dir)
		}
	}
	if err := s.fs.SyncDir(dir); err != nil && (dir == s.dir || !errors.Is(err, fs.ErrNotExist)) {
		return explain(fmt.Errorf("sync the names of files: %w", err), dir)
	}
	s.prepared = slices.DeleteFunc(s.prepared, func(name string) bool { return slices.Contains(names, name) })
	return nil
}

// Close removes the files that were staged and not prepared. Prepared ones may be in a record that is decided: they stay.
func (s *fileSink) Close() error {
	if s.writer != nil {
		s.writer.close()
	}
	var err error
	if s.current != nil {
		err = s.current.file.Close()
		s.files = append(s.files, s.current.name)
		s.current = nil
	}
	for _, name := range s.files {
		// What can't be removed now is discarded by the next Open.
		_ = s.fs.Remove(stagedPath(s.dir, name))
	}
	s.files = nil
	return err
}

func (s *fileSink) fail(doing string, err error) error {
	s.err = explain(fmt.Errorf("%s: %w", doing, err), s.dir)
	return s.err
}

// explain adds the directory, and what the user can do.
func explain(err error, dir string) error {
	advice := ""
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		advice = ": the disk is full: make room and start the job again, it continues from its last commit"
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		advice = ": may not write there: change the permissions or choose another directory"
	case errors.Is(err, syscall.ENOTDIR):
		advice = ": a file is in the way: a file: sink writes a directory of files, choose a path that is free or a directory"
	case errors.Is(err, fs.ErrNotExist):
		advice = ": the directory or a staged file in it was removed while the job ran"
	}
	return fmt.Errorf("file sink %q: %w%s", dir, err, advice)
}
