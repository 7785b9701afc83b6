package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"

	"github.com/tidemill/tidemill/internal/vfs"
)

// Journal keeps what sources that cannot replay have received, until it is committed. It is safe for concurrent use; entries of one
// split are appended by one goroutine.
type Journal struct {
	fs   vfs.FS
	dir  string
	opts Options

	// syncing is held by who syncs, closes or removes files, and is taken before mu: so that Append does not wait for the disk.
	syncing sync.Mutex

	mu     sync.Mutex
	files  []*journalPart // in order of number; all but the last are never appended to
	next   uint64         // number of the next file
	first  uint64         // number of the first file that counts: what is in earlier ones is committed
	active vfs.File       // the last of files, open for appending, or nil
	isNew  bool           // some file is not durable under its name yet
	rolled []vfs.File     // filled, and not synced yet
	synced place
	total  int64
	isFull bool
	failed error
	buf    []byte
}

// journalPart is one file of the journal.
type journalPart struct {
	number uint64
	size   int64
	marks  map[splitKey]int64 // largest mark of the file's entries
}

type splitKey struct{ source, split string }

func (p *journalPart) note(e *Entry) {
	key := splitKey{e.Source, e.Split}
	if old, ok := p.marks[key]; !ok || old < e.mark() {
		p.marks[key] = e.mark()
	}
}

// maxFileSplits is how many splits have entries in one file: records name a split as long as the journal has it, so that
// many short connections must not share a file for long. Some KiB of a record.
const maxFileSplits = 256

// isFilled says that nothing more should be appended to the file.
func (p *journalPart) isFilled(bytes int64) bool {
	return p.size >= bytes || len(p.marks) >= maxFileSplits
}

// isCommitted says whether nothing of the file will be replayed.
func (p *journalPart) isCommitted(committed func(source, split string) int64) bool {
	for key, mark := range p.marks {
		if mark > committed(key.source, key.split) {
			return false
		}
	}
	return true
}

func (j *Journal) path(number uint64) string { return filepath.Join(j.dir, journalName(number)) }

// Append adds an entry by one write, so that the end of the process loses nothing of it; Sync makes it outlive the machine's.
// It borrows e. It returns ErrJournalFull, with nothing written, where the journal would exceed its bound: the caller waits for a
// commit and appends again. After another error the entry is not in the journal and Append may be tried again.
func (j *Journal) Append(e *Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	size := int64(frameHeaderSize + entryFixedSize + len(e.Source) + len(e.Split) + len(e.From.Tag) + len(e.To.Tag) + len(e.Header) + len(e.Bytes))
	if size > maxFrameBytes {
		return fmt.Errorf("journal %s: append: entry is longer than %d bytes: %d", j.dir, maxFrameBytes, size)
	}
	if j.opts.JournalBytes > 0 && j.total > 0 && j.total+size > j.opts.JournalBytes {
		j.isFull = true
		return fmt.Errorf("journal %s: append: %w: %d bytes, bound %d", j.dir, ErrJournalFull, j.total, j.opts.JournalBytes)
	}
	if j.active != nil && j.files[len(j.files)-1].isFilled(j.opts.JournalFileBytes) {
		j.buf = appendFrame(j.buf[:0], frameHeader{kind: endFrame}, nil)
		if err := j.write(); err != nil {
			return err
		}
		j.rolled = append(j.rolled, j.active)
		j.active = nil
	}
	j.buf = j.buf[:0]
	if j.active == nil {
		if err := j.create(); err != nil {
			return fmt.Errorf("journal %s: append: %w", j.dir, err)
		}
	}
	part := j.files[len(j.files)-1]
	if part.size == 0 {
		j.buf = appendFileHeader(j.buf, journalFile, part.number)
	}
	start := len(j.buf)
	j.buf = growBytes(j.buf, int(size))
	j.buf = j.buf[:start+frameHeaderSize]
	j.buf = appendEntry(j.buf, e, j.synced)
	sealFrame(j.buf[start:], frameHeader{kind: entryFrame})
	if err := j.write(); err != nil {
		return err
	}
	part.note(e)
	return nil
}

// write appends buf to the active file, or nothing.
func (j *Journal) write() error {
	part := j.files[len(j.files)-1]
	if _, err := j.active.Write(j.buf); err != nil {
		// Part of the entry may be there; what is appended next must not follow it.
		if terr := j.active.Truncate(part.size); terr != nil {
			j.failed = fmt.Errorf("journal %s: cut a torn entry: %w", j.dir, terr)
		}
		return errors.Join(fmt.Errorf("journal %s: append: %w", j.dir, err), j.failed)
	}
	part.size += int64(len(j.buf))
	j.total += int64(len(j.buf))
	return nil
}

// create makes the file that entries are appended to.
func (j *Journal) create() error {
	if len(j.files) == 0 {
		if err := mkdirDurable(j.fs, j.dir); err != nil {
			return err
		}
	}
	f, err := j.fs.OpenAppend(j.path(j.next))
	if err != nil {
		return err
	}
	j.active = f
	j.files = append(j.files, &journalPart{number: j.next, marks: map[splitKey]int64{}})
	j.isNew = true
	j.next++
	return nil
}

// Sync makes what was appended before the call durable. After an error the journal refuses to go on, since it is unknown what is
// on disk.
func (j *Journal) Sync() error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	if err := j.failed; err != nil || len(j.files) == 0 {
		j.mu.Unlock()
		return err
	}
	rolled, active, isNew := j.rolled, j.active, j.isNew
	last := j.files[len(j.files)-1]
	upTo := place{file: last.number, offset: uint64(last.size)}
	j.rolled, j.isNew = nil, false
	j.mu.Unlock()

	var errs []error
	for _, f := range rolled {
		errs = append(errs, f.Sync(), f.Close())
	}
	if active != nil {
		errs = append(errs, active.Sync())
	}
	if isNew {
		errs = append(errs, j.fs.SyncDir(j.dir))
	}
	err := errors.Join(errs...)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.failed = fmt.Errorf("journal %s: sync: %w", j.dir, err)
		return j.failed
	}
	j.synced = upTo
	return nil
}

// Advance passes over files whose entries are all committed, in order, and returns the number of the first one that still counts. It
// belongs into the record whose positions committed is about: as in Truncate, which removes the files that were passed over.
func (j *Journal) Advance(committed func(source, split string) int64) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, p := range j.files {
		isClosed := i < len(j.files)-1 || j.active == nil
		if !isClosed || len(j.rolled) > 0 && !p.isBefore(j.synced) || !p.isCommitted(committed) {
			break
		}
		j.first = p.number + 1
	}
	return j.first
}

// Has says whether files that count have entries of a split.
func (j *Journal) Has(source, split string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, p := range j.files {
		if _, ok := p.marks[splitKey{source, split}]; ok && p.number >= j.first {
			return true
		}
	}
	return false
}

// Reclaim makes the next Truncate remove the file that is appended to as well, however small, if all of it is committed.
func (j *Journal) Reclaim() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.isFull = true
}

// Truncate removes files, in order, that were synced and all of whose entries are committed: committed returns, for a split, the position in the last record, and
// math.MaxInt64 if the record has it as ended. An entry with Ended counts as one position more, so that it is kept until then.
func (j *Journal) Truncate(committed func(source, split string) int64) error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	var active *journalPart
	if j.active != nil {
		active = j.files[len(j.files)-1]
	}
	var errs []error
	isPassed := true // a file that a crash brings back must be before the first that counts
	j.files = slices.DeleteFunc(j.files, func(p *journalPart) bool {
		isActive := p == active
		isWorthIt := !isActive || j.isFull || 2*p.size >= j.opts.JournalFileBytes
		isCommitted := p.number < j.first || isWorthIt && (len(j.rolled) == 0 || p.isBefore(j.synced)) && p.isCommitted(committed)
		if isPassed = isPassed && isCommitted; !isPassed {
			return false
		}
		j.first = max(j.first, p.number+1)
		if isActive {
			errs = append(errs, j.active.Close())
			j.active = nil
		}
		if err := j.fs.Remove(j.path(p.number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		j.total -= p.size
		return true
	})
	j.isFull = false
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("journal %s: remove committed entries: %w", j.dir, err)
	}
	return nil
}

// isBefore says that a file is one before the place up to which the journal was synced: closed, if it is not the last.
func (p *journalPart) isBefore(synced place) bool { return p.number < synced.file }

// Replay calls fn with the entries that are not committed, split by split in the order they were appended. after is as in
// Truncate. Entries and their bytes are borrowed by fn, but for strings. An error of fn is returned unchanged.
func (j *Journal) Replay(after func(source, split string) int64, fn func(Entry) error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	names := interner{}
	var buf []byte
	for _, p := range j.files {
		if p.isCommitted(after) {
			continue
		}
		var err error
		if buf, err = readAll(j.fs, j.path(p.number), buf); err != nil {
			return fmt.Errorf("journal %s: replay: %w", j.dir, err)
		}
		for pos := int64(fileHeaderSize); pos < p.size; {
			h, payload, ok := parseFrame(buf[min(pos, int64(len(buf))):])
			if ok && h.kind == endFrame {
				break
			}
			if !ok || h.kind != entryFrame {
				return &CorruptError{Path: j.path(p.number), Offset: pos, Why: "entry is altered"}
			}
			e, _, err := parseEntry(payload, names)
			if err != nil {
				return &CorruptError{Path: j.path(p.number), Offset: pos, Why: err.Error()}
			}
			pos += frameHeaderSize + int64(h.length)
			if e.mark() <= after(e.Source, e.Split) {
				continue
			}
			if err := fn(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// Bytes returns the size of the journal.
func (j *Journal) Bytes() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.total
}

func (j *Journal) close() error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	for _, f := range j.rolled {
		errs = append(errs, f.Close())
	}
	if j.active != nil {
		errs = append(errs, j.active.Close())
	}
	j.rolled, j.active = nil, nil
	if j.failed == nil {
		j.failed = fmt.Errorf("journal %s: closed", j.dir)
	}
	return errors.Join(errs...)
}
