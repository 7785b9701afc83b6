package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/tidemill/tidemill/internal/vfs"
)

// copyBytes is how many bytes are copied at once: enough that calls do not count.
const copyBytes = 1 << 20

// Copied says what Copy copied.
type Copied struct {
	Record *Record
	Bytes  int64
	// HasJournal says that what was received since the commit was copied too. It is not while a job uses the directory: that job
	// goes on to process it.
	HasJournal bool
}

// Copy copies the last commit in dir to a new directory, which a job can then start from. It works while a job uses dir, and
// changes nothing there. The copy is complete, durable and read back when it returns; after an error there is none.
func Copy(fsys vfs.FS, dir, to string) (*Copied, error) {
	if entries, err := fsys.ReadDir(to); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("copy checkpoint %s: %s is not empty: choose another name, or remove it", dir, to)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("copy checkpoint %s: look at %s: %w", dir, to, err)
	}
	c := &copier{fs: fsys, dir: dir, to: to}
	if err := c.copy(); err != nil {
		return nil, fmt.Errorf("copy checkpoint %s to %s: %w", dir, to, errors.Join(err, fsys.RemoveAll(to)))
	}
	return &c.done, nil
}

type copier struct {
	fs      vfs.FS
	dir, to string
	done    Copied
	buf     []byte
}

func (c *copier) copy() (err error) {
	lock, err := c.fs.Lock(filepath.Join(c.dir, "LOCK"))
	var locked *vfs.LockedError
	switch {
	case err == nil:
		c.done.HasJournal = true
		defer func() { err = errors.Join(err, lock.Close()) }()
	case !errors.As(err, &locked):
		return err
	}
	if err := mkdirDurable(c.fs, c.to); err != nil {
		return err
	}
	refs, err := c.segments()
	if err != nil {
		return err
	}
	if c.done.HasJournal {
		if err := c.journal(); err != nil {
			return err
		}
	}
	// The record comes last: without it the directory is refused, not taken for an older state.
	payload, err := encodeRecord(c.done.Record, refs)
	if err != nil {
		return err
	}
	frame := appendFrame(nil, frameHeader{kind: recordFrame}, payload)
	l := &Log{fs: c.fs, dir: c.to, recordsNumber: 1}
	if err := l.createRecords(append(frame, frame...)); err != nil {
		return err
	}
	if err := l.records.Close(); err != nil {
		return err
	}
	report, err := Verify(c.fs, c.to)
	if err != nil {
		return err
	}
	for i := range report.Faults {
		err = errors.Join(err, &report.Faults[i])
	}
	return err
}

// segments copies the segments of the last record, and reads that.
func (c *copier) segments() (refs []segmentRef, err error) {
	var files []vfs.File
	defer func() {
		for _, f := range files {
			_ = f.Close() // it was only read
		}
	}()
	// A running job may remove a segment between the reading of the record and the opening. What is open stays readable.
	const attempts = 5
	for range attempts {
		for _, f := range files {
			_ = f.Close() // it was only read
		}
		files, refs = files[:0], refs[:0]
		if files, refs, err = c.open(files, refs); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	for i, ref := range refs {
		if err := c.file(files[i], filepath.Join(c.to, segmentName(ref.Number)), ref.Size); err != nil {
			return nil, err
		}
	}
	return refs, nil
}

// open opens the segments of the last record.
func (c *copier) open(files []vfs.File, refs []segmentRef) ([]vfs.File, []segmentRef, error) {
	l, err := OpenReadOnly(c.fs, c.dir, Options{})
	if err != nil {
		return files, refs, err
	}
	defer l.Close() //nolint:errcheck // nothing was written
	if l.last == nil {
		return files, refs, errors.New("nothing was committed yet")
	}
	c.done.Record = l.last
	for _, s := range l.segments {
		f, err := c.fs.Open(s.fileName)
		if err != nil {
			return files, refs, err
		}
		files, refs = append(files, f), append(refs, segmentRef{Number: s.number, Size: s.size})
	}
	return files, refs, nil
}

// journal copies the journal of a directory that no job uses.
func (c *copier) journal() error {
	from, to := filepath.Join(c.dir, "journal"), filepath.Join(c.to, "journal")
	entries, err := c.fs.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := mkdirDurable(c.fs, to); err != nil {
		return err
	}
	for _, entry := range entries {
		f, err := c.fs.Open(filepath.Join(from, entry.Name()))
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil {
			err = c.file(f, filepath.Join(to, entry.Name()), info.Size())
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return c.fs.SyncDir(to)
}

// file makes a durable copy of the first size bytes of a file.
func (c *copier) file(from vfs.File, path string, size int64) error {
	to, err := c.fs.Create(path)
	if err != nil {
		return err
	}
	c.buf = growBytes(c.buf[:0], copyBytes)[:copyBytes]
	for pos := int64(0); pos < size; {
		part := c.buf[:min(size-pos, copyBytes)]
		if n, err := from.ReadAt(part, pos); err != nil && (!errors.Is(err, io.EOF) || n != len(part)) {
			return errors.Join(err, to.Close())
		}
		if _, err := to.Write(part); err != nil {
			return errors.Join(err, to.Close())
		}
		pos += int64(len(part))
	}
	c.done.Bytes += size
	return errors.Join(to.Sync(), to.Close())
}
