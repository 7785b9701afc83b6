package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/tidemill/tidemill/internal/vfs"
)

// journalScan is what reading a file of the journal from its beginning finds.
type journalScan struct {
	part    journalPart
	version uint32
	entries int
	rows    int64
	size    int64
	// gap is where the first byte is that belongs to no whole entry, -1 if there is none; part.size is then gap.
	gap int64
	why string
	// isEnded says that the file ends with its endFrame, so that nothing of it is missing.
	isEnded bool
	// synced is the furthest place that any entry, also behind a gap, says was synced before it was written.
	synced place
}

// scanJournal checks every byte of a file.
func scanJournal(number uint64, buf []byte, names interner) journalScan {
	s := journalScan{part: journalPart{number: number, marks: map[splitKey]int64{}}, gap: -1, size: int64(len(buf))}
	pos := 0
	version, err := parseFileHeader(buf, journalFile, number)
	if err != nil {
		s.gap, s.why = 0, err.Error()
	} else {
		s.version = version
		pos = fileHeaderSize
	}
	for pos < len(buf) {
		h, payload, ok := parseFrame(buf[pos:])
		if ok && h.kind == endFrame && pos+frameHeaderSize == len(buf) {
			s.isEnded = s.gap < 0
			break
		}
		var e Entry
		var synced place
		var err error
		if ok {
			e, synced, err = parseEntry(payload, names)
		}
		if !ok || err != nil || h.kind != entryFrame {
			if s.gap < 0 {
				s.gap, s.why = int64(pos), "entry is torn or altered"
			}
			skip := findFrame(buf[pos+1:])
			if skip < 0 {
				break
			}
			pos += 1 + skip
			continue
		}
		if s.synced.before(synced) {
			s.synced = synced
		}
		if s.gap < 0 {
			s.part.note(&e)
			s.entries++
			s.rows += e.Rows
		}
		pos += frameHeaderSize + len(payload)
	}
	s.part.size = int64(len(buf))
	if s.gap >= 0 {
		s.part.size = s.gap
	}
	return s
}

// scanJournalDir checks all files of a journal, in order of number.
func scanJournalDir(fsys vfs.FS, dir string) ([]journalScan, error) {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var scans []journalScan
	var buf []byte
	names := interner{}
	for _, entry := range entries {
		number, ok := parseName(entry.Name(), "", ".jnl")
		if !ok {
			continue
		}
		if buf, err = readAll(fsys, filepath.Join(dir, entry.Name()), buf); err != nil {
			return nil, err
		}
		scans = append(scans, scanJournal(number, buf, names))
	}
	return scans, nil
}

// syncedPlace returns the place up to which all bytes were durable once.
func syncedPlace(scans []journalScan) (synced place) {
	for _, s := range scans {
		if synced.before(s.synced) {
			synced = s.synced
		}
	}
	return synced
}

// isFault says whether a gap is in bytes that had been synced. Other gaps are what a crash leaves.
func (s *journalScan) isFault(synced place) bool {
	return s.gap >= 0 && place{file: s.part.number, offset: uint64(s.gap)}.before(synced)
}

// openJournal reads the journal, cuts off what a crash left of entries that were not synced, and makes the rest durable. Files
// before the first one that counts were removed, and may have come back with a crash: they are removed again.
func openJournal(fsys vfs.FS, dir string, first uint64, opts Options) (*Journal, error) {
	j := &Journal{fs: fsys, dir: dir, opts: opts, next: max(first, 1), first: first}
	scans, err := scanJournalDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("journal %s: read: %w", dir, err)
	}
	for len(scans) > 0 && scans[0].part.number < first {
		if err := fsys.Remove(j.path(scans[0].part.number)); err != nil {
			return nil, fmt.Errorf("journal %s: remove committed entries: %w", dir, err)
		}
		scans = scans[1:]
	}
	if len(scans) == 0 {
		return j, nil
	}
	synced := syncedPlace(scans)
	cut := len(scans) // files from here on follow a gap
	for i := range scans {
		s := &scans[i]
		if s.version > formatVersion {
			return nil, &versionError{dir: dir, found: s.version}
		}
		if s.gap < 0 && !s.isEnded && i < len(scans)-1 {
			s.gap, s.why = s.size, "entries are missing before the next file"
		}
		if s.isFault(synced) {
			return nil, &CorruptError{Path: j.path(s.part.number), Offset: s.gap, Why: s.why}
		}
		if s.gap >= 0 {
			cut = min(cut, i+1)
		}
	}
	j.next = scans[len(scans)-1].part.number + 1
	// The newest go first: should this be interrupted, the gap is still the last thing in the journal.
	for _, s := range slices.Backward(scans[cut:]) {
		if err := fsys.Remove(j.path(s.part.number)); err != nil {
			return nil, fmt.Errorf("journal %s: remove torn entries: %w", dir, err)
		}
	}
	if err := fsys.SyncDir(dir); err != nil {
		return nil, fmt.Errorf("journal %s: remove torn entries: %w", dir, err)
	}
	for i := range scans[:cut] {
		p := &scans[i].part
		if p.size < fileHeaderSize {
			if err := fsys.Remove(j.path(p.number)); err != nil {
				return nil, fmt.Errorf("journal %s: remove torn entries: %w", dir, err)
			}
			continue
		}
		if err := finish(fsys, j.path(p.number), &scans[i]); err != nil {
			return nil, fmt.Errorf("journal %s: cut torn entries: %w", dir, err)
		}
		j.files = append(j.files, p)
		j.total += p.size
	}
	if len(j.files) > 0 {
		last := j.files[len(j.files)-1]
		j.synced = place{file: last.number, offset: uint64(last.size)}
	}
	return j, nil
}

// finish cuts off what follows the last whole entry, ends the file, and makes it durable.
func finish(fsys vfs.FS, path string, s *journalScan) error {
	f, err := fsys.OpenAppend(path)
	if err != nil {
		return err
	}
	if s.gap >= 0 {
		if err := f.Truncate(s.gap); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if !s.isEnded {
		if _, err := f.Write(appendFrame(nil, frameHeader{kind: endFrame}, nil)); err != nil {
			return errors.Join(err, f.Close())
		}
		s.part.size += frameHeaderSize
	}
	return errors.Join(f.Sync(), f.Close())
}
