package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/internal/vfs"
)

// Options tune a Log. The zero value is the default.
type Options struct {
	// Compression is how images are compressed.
	Compression Compression
	// Mem is the allocator for rows that are encoded or that Restore gives out. The default is Go's heap.
	Mem memory.Allocator
	// SegmentBytes is the size from which a segment is not appended to any more. The default is 64 MiB.
	SegmentBytes int64
	// CompactBytes is the size of all segments below which dead space is not worth the rewriting. The default is 1 MiB.
	CompactBytes int64
	// RecordsBytes is the size from which the file of records is replaced by a new one. The default is 1 MiB.
	RecordsBytes int64
	// JournalBytes bounds the journal: Append returns ErrJournalFull beyond it. The default is 0, no bound.
	JournalBytes int64
	// Check looks at what the directory holds before Open changes anything. If it returns an error, so does Open, and nothing
	// was changed but the text of the lock.
	Check func(last *Record, tables []TableInfo) error
	// JournalFileBytes is the size from which a file of the journal is not appended to any more. The default is 64 MiB.
	JournalFileBytes int64
}

func (o *Options) setDefaults() {
	if o.Mem == nil {
		o.Mem = memory.NewGoAllocator()
	}
	setDefault(&o.SegmentBytes, 64<<20)
	setDefault(&o.CompactBytes, 1<<20)
	setDefault(&o.RecordsBytes, 1<<20)
	setDefault(&o.JournalFileBytes, 64<<20)
}

func setDefault(v *int64, value int64) {
	if *v <= 0 {
		*v = value
	}
}

// Log is the checkpoint directory of one job. It is used by one goroutine at a time, but for its Journal.
type Log struct {
	fs       vfs.FS
	dir      string
	opts     Options
	readOnly bool
	lock     io.Closer
	journal  *Journal

	last          *Record
	tables        map[string]*table
	segments      []*segment // in order of number
	nextSegment   uint64
	records       vfs.File // nil until the first Decide
	recordsSize   int64
	recordsNumber uint64   // of the newest file
	garbage       []string // files that a decided record does not need any more
	failed        error    // why nothing but Close is possible
	saves         uint64   // counts commits of this run; a table's savedIn refers to it
	changed       bool     // something was saved since the last Decide

	// Scratch, written again by every frame.
	comp    compressor
	message []byte
	frame   []byte
}

// Open opens the checkpoint in a directory, which is made if it is missing, and locks it. It reads the last record, indexes the
// images, and removes what an interrupted commit left. It returns an error with a *vfs.LockedError in it if the directory is in
// use, with ErrVersion if it is of a newer format, and with ErrCorrupt if it is not as it was written.
func Open(fsys vfs.FS, dir string, opts Options) (*Log, error) {
	opts.setDefaults()
	if err := mkdirDurable(fsys, dir); err != nil {
		return nil, fmt.Errorf("checkpoint %s: make directory: %w", dir, err)
	}
	lock, err := fsys.Lock(filepath.Join(dir, "LOCK"))
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", dir, err)
	}
	l := &Log{fs: fsys, dir: dir, opts: opts, lock: lock, comp: compressor{compression: opts.Compression}}
	if err := l.load(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if opts.Check != nil && l.last != nil {
		if err := opts.Check(l.last, l.Tables()); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
	}
	if err := l.tidy(); err != nil {
		return nil, errors.Join(fmt.Errorf("checkpoint %s: remove an interrupted commit: %w", dir, err), lock.Close())
	}
	var firstFile uint64
	if l.last != nil {
		firstFile = l.last.JournalFile
	}
	if l.journal, err = openJournal(fsys, filepath.Join(dir, "journal"), firstFile, opts); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return l, nil
}

// OpenReadOnly opens the checkpoint in a directory for Last, Tables and Restore, without lock, also while a job uses it: what it
// shows is then the last commit at the time of opening, for as long as the job keeps it. It changes nothing.
func OpenReadOnly(fsys vfs.FS, dir string, opts Options) (*Log, error) {
	opts.setDefaults()
	l := &Log{fs: fsys, dir: dir, opts: opts, readOnly: true}
	// A running job may remove files between the listing and the reading; what it put in their place is there by then.
	const attempts = 5
	var err error
	for range attempts {
		if err = l.load(); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// load reads the last record and indexes its segments.
func (l *Log) load() error {
	names, err := listDir(l.fs, l.dir)
	if err != nil {
		return fmt.Errorf("checkpoint %s: read directory: %w", l.dir, err)
	}
	l.tables, l.segments = map[string]*table{}, nil
	found, err := findLastRecord(l.fs, l.dir, names.records)
	if err != nil {
		return err
	}
	if len(names.records) == 0 && len(names.segments) > 0 {
		return &CorruptError{Path: filepath.Join(l.dir, segmentName(names.segments[0])), Why: "images are there, but no file of records"}
	}
	l.last = found.record
	if len(names.records) > 0 {
		l.recordsNumber = slices.Max(names.records)
	}
	l.nextSegment = 1
	if len(names.segments) > 0 {
		l.nextSegment = slices.Max(names.segments) + 1
	}
	for _, ref := range found.segments {
		if err := l.scanSegment(ref); err != nil {
			return err
		}
	}
	return nil
}

// Last returns the last record, nil for a new job. It must not be changed.
func (l *Log) Last() *Record { return l.last }

// Dir returns the directory.
func (l *Log) Dir() string { return l.dir }

// Journal returns the journal, nil if the Log is read-only.
func (l *Log) Journal() *Journal { return l.journal }

// Tables returns what is kept of each state table, in order of name.
func (l *Log) Tables() []TableInfo {
	var infos []TableInfo
	for _, name := range slices.Sorted(maps.Keys(l.tables)) {
		t := l.tables[name]
		info := TableInfo{Table: t.spec, Bytes: t.bytes(), UpsertedRows: t.upserted, DeletedRows: t.deleted}
		if l.last != nil {
			info.Commit = l.last.States[name]
		}
		infos = append(infos, info)
	}
	return infos
}

// Close gives up what was saved and not decided, and ends the lock.
func (l *Log) Close() error {
	var errs []error
	if l.journal != nil {
		errs = append(errs, l.journal.close())
	}
	for _, s := range l.segments {
		errs = append(errs, s.closeFile())
	}
	if l.records != nil {
		errs = append(errs, l.records.Close())
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	l.comp.close()
	l.records, l.lock, l.journal, l.segments = nil, nil, nil, nil
	if l.failed == nil {
		l.failed = fmt.Errorf("checkpoint %s: closed", l.dir)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("checkpoint %s: close: %w", l.dir, err)
	}
	return nil
}

func (l *Log) writable() error {
	if l.readOnly {
		return fmt.Errorf("checkpoint %s: opened for reading only", l.dir)
	}
	return l.failed
}

// fail notes that what is on disk is unknown.
func (l *Log) fail(what string, err error) error {
	err = fmt.Errorf("checkpoint %s: %s: %w", l.dir, what, err)
	l.failed = err
	return err
}

func (l *Log) path(name string) string { return filepath.Join(l.dir, name) }

// mkdirDurable makes a directory and its parents such that a crash does not lose the new ones.
func mkdirDurable(fsys vfs.FS, dir string) error {
	var parents []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := fsys.Stat(d); err == nil || !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		parents = append(parents, filepath.Dir(d))
	}
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	for _, d := range parents {
		if err := fsys.SyncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// dirNames are the numbers of the files in a checkpoint directory, increasing.
type dirNames struct {
	records, segments []uint64
}

func listDir(fsys vfs.FS, dir string) (names dirNames, err error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return names, err
	}
	for _, e := range entries {
		if number, ok := parseName(e.Name(), "records-", ".log"); ok {
			names.records = append(names.records, number)
		}
		if number, ok := parseName(e.Name(), "state-", ".seg"); ok {
			names.segments = append(names.segments, number)
		}
	}
	return names, nil
}
