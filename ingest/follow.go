package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// followedFile is the file that a split is in now. The source looks at it to know a new file from one that was renamed.
type followedFile struct {
	info os.FileInfo
	left []fileID
}

// follower reads one followed split: a file as it grows, and when another takes its name, that one from its start.
//
// A file is rotated by renaming it and making it anew, or by truncating it. Who writes may go on with a renamed file for a
// while, so that it is left only when it brought nothing from one poll to the next. Positions carry in their tag which file
// they are in; after a restart that file is found by its ID under whatever name it has beside the old one, and read to its end.
// What can't be seen: a file that was truncated, and has grown past the position with the same first bytes between two looks.
type follower struct {
	source *fileSource
	split  *fileSplit
	w      *BlockWriter

	file       *os.File // nil while there is none
	pos        int64
	tag        followTag
	later      []string // files that took the split's name while nobody looked, before the one that has it now
	isReplaced bool     // at the last poll the name was another file's
	absent     []fileID // files of the tag that were not seen when the last file was left
}

// readFollowed reads a split until ctx ends, or to the end of a file that does not grow: one of columns, or that is called .gz or .zst.
func (s *fileSource) readFollowed(ctx context.Context, sp *fileSplit, w *BlockWriter) error {
	if !s.canGrow(sp.name) {
		return s.readWhole(ctx, sp, w)
	}
	r := &follower{source: s, split: sp, w: w}
	defer r.close()
	err := r.resume(ctx)
	for err == nil {
		polled := s.nextPoll()
		var hasMore bool
		if hasMore, err = r.readOn(ctx); err == nil && !hasMore {
			err = s.waitPoll(ctx, polled)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("follow %s: %w", sp.path, err)
}

// readWhole waits until the file has bytes, which should then be all: it is best written elsewhere and renamed.
func (s *fileSource) readWhole(ctx context.Context, sp *fileSplit, w *BlockWriter) error {
	for {
		polled := s.nextPoll()
		if info, err := os.Stat(sp.path); err != nil || info.Size() > 0 {
			return s.readFile(ctx, sp.path, sp.start, w)
		}
		if err := s.waitPoll(ctx, polled); err != nil {
			return err
		}
	}
}

// waitPoll waits without a place, so that any number of files can be followed.
func (s *fileSource) waitPoll(ctx context.Context, polled <-chan struct{}) error {
	s.leavePlace()
	defer func() { s.places <- struct{}{} }()
	select {
	case <-polled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resume opens the file that the start position is in.
func (r *follower) resume(ctx context.Context) error {
	start := r.split.start
	var err error
	if r.tag, err = parseFollowTag(start.Upto.Tag); err != nil {
		return err
	}
	path := r.split.path
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	isThere := err == nil
	current := r.tag.current
	isFresh := start.Upto.Tag == "" || start.Upto.Pos == 0
	switch {
	case isThere && info.Size() >= start.Upto.Pos && (isFresh || current.isAt(path, info)):
		return r.open(path, start)
	case isThere && current.inode != 0 && current.inode == inodeOf(info): // truncated, or written anew
		_, err := r.switchTo(ctx, path)
		return err
	}
	if rotated := findRotated(path, current); len(rotated) > 0 {
		r.later = rotated[1:]
		return r.open(rotated[0], start)
	}
	if isFresh {
		return nil // nothing was read yet
	}
	r.w.Lost("file was replaced while nobody read it, and the old one is gone: what was not read of it is lost")
	return nil
}

// open begins to read a file at a position, of which the split's writer knows.
func (r *follower) open(path string, start Position) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	r.file, r.pos = f, start.Upto.Pos
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < r.pos {
		return fmt.Errorf("file is shorter than it was: %d bytes, position %d", info.Size(), r.pos)
	}
	if err := r.source.restoreHeader(path, start, r.w); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if _, err := f.Seek(r.pos, io.SeekStart); err != nil {
		return err
	}
	r.tag.current.inode = inodeOf(info)
	r.publish(info)
	r.w.SetTag(r.tag.String())
	return r.learn()
}

// publish tells the source which files are the split's.
func (r *follower) publish(info os.FileInfo) {
	r.source.mu.Lock()
	defer r.source.mu.Unlock()
	r.split.followed = followedFile{info: info, left: r.tag.left}
}

// learn takes the file's first bytes into the tag, as far as they were read.
func (r *follower) learn() error {
	if size := min(r.pos, idBytes); size > r.tag.current.size {
		id, err := identify(r.file, size)
		if err != nil {
			return err
		}
		r.tag.current = id
		r.w.SetTag(r.tag.String())
	}
	return nil
}

// errRewritten says that the file was truncated, so that what was read at its position is not what follows.
var errRewritten = errors.New("the file was truncated and written anew")

// Read reads from the file. The tag has the file's first bytes before a block can have them, or a restart after that block would
// not know the file again. They are compared behind the read too: the file may have been truncated, and grown past the
// position, since they were looked at.
func (r *follower) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	if n > 0 && !r.isSame() {
		return 0, errRewritten
	}
	r.pos += int64(n)
	if learnErr := r.learn(); learnErr != nil {
		return n, learnErr
	}
	return n, err
}

// isSame says whether the file begins as it did.
func (r *follower) isSame() bool {
	id, err := identify(r.file, r.tag.current.size)
	return err == nil && id == r.tag.current
}

// readOn reads to the end of the file, and goes on to the next if that is due. It returns false if there is nothing to do
// before the next poll.
func (r *follower) readOn(ctx context.Context) (hasMore bool, err error) {
	if r.file != nil {
		if !r.isSame() {
			return r.switchTo(ctx, r.split.path)
		}
		n, err := readInto(ctx, r, r.w)
		if errors.Is(err, errRewritten) {
			return r.switchTo(ctx, r.split.path)
		}
		if err != nil {
			return false, err
		}
		if n > 0 {
			r.isReplaced = false
			return true, nil
		}
	}
	if len(r.later) > 0 {
		next := r.later[0]
		r.later = r.later[1:]
		return r.switchTo(ctx, next)
	}
	info, err := os.Stat(r.split.path)
	if errors.Is(err, fs.ErrNotExist) { // renamed; another will come
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if r.file == nil {
		return r.switchTo(ctx, r.split.path)
	}
	own, err := r.file.Stat()
	switch {
	case err != nil:
		return false, err
	case os.SameFile(info, own):
		r.isReplaced = false
		if own.Size() < r.pos {
			return r.switchTo(ctx, r.split.path)
		}
		return false, nil
	case !r.isReplaced:
		r.isReplaced = true
		return false, nil
	}
	return r.switchTo(ctx, r.split.path)
}

// switchTo leaves the file for another, or for what it has become, from the start. What came last is a whole record. It returns
// false if there is no such file at the moment: it was renamed again.
func (r *follower) switchTo(ctx context.Context, path string) (switched bool, err error) {
	next, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info, err := next.Stat()
	if err == nil {
		err = r.leave(info)
	}
	if err != nil {
		next.Close()
		return false, err
	}
	r.close()
	r.file, r.pos, r.isReplaced = next, 0, false
	r.tag.generation++
	r.tag.current = fileID{inode: inodeOf(info)}
	r.publish(info)
	return true, r.w.Rotate(ctx, r.tag.String())
}

// leave remembers the file that is left for the one given.
func (r *follower) leave(next os.FileInfo) error {
	left, err := r.stillThere()
	if err != nil {
		return err
	}
	if r.file != nil && r.pos > 0 {
		own, err := r.file.Stat()
		if err != nil {
			return err
		}
		if !os.SameFile(own, next) {
			id, err := identify(r.file, r.pos)
			if err != nil {
				return err
			}
			left = append(left, id)
		}
	}
	r.tag.left = left
	return nil
}

// stillThere returns the files that were left before, but for those that are gone and can't be taken for new ones any more. A
// file counts as gone when it was missed twice: while files are renamed, a list of them need not be whole.
func (r *follower) stillThere() (left []fileID, err error) {
	if len(r.tag.left) == 0 {
		return nil, nil
	}
	files, err := r.source.pattern.list()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var absent []fileID
	for _, id := range r.tag.left {
		isThere := slices.ContainsFunc(files, func(f foundFile) bool { return id.isAt(f.path, f.info) })
		if !isThere && slices.Contains(r.absent, id) {
			continue
		}
		if !isThere {
			absent = append(absent, id)
		}
		left = append(left, id)
	}
	r.absent = absent
	return left, nil
}

func (r *follower) close() {
	if r.file != nil {
		r.file.Close()
	}
}
