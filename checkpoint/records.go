package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/tidemill/tidemill/internal/vfs"
)

// lastRecord is the newest decision in a directory.
type lastRecord struct {
	record   *Record // nil for a new job
	segments []segmentRef
}

// findLastRecord looks for the last whole record, in the newest file that has one. A newer file without any is one whose making
// a crash interrupted. Each record was written in two copies by one write: a crash may leave both torn, then it was not
// decided; a fault of the disk hits one, then the other counts.
func findLastRecord(fsys vfs.FS, dir string, numbers []uint64) (found lastRecord, err error) {
	var buf []byte
	for _, number := range slices.Backward(numbers) {
		path := filepath.Join(dir, recordsName(number))
		if buf, err = readAll(fsys, path, buf); err != nil {
			return found, fmt.Errorf("checkpoint %s: read records: %w", dir, err)
		}
		// A crash while the file was made may have lost the header and not the record behind it, which counts as any other.
		version, err := parseFileHeader(buf, recordsFile, number)
		if err == nil && version > formatVersion {
			return found, &versionError{dir: dir, found: version}
		}
		offset, payload := lastFrame(buf)
		if payload == nil {
			continue
		}
		if found.record, found.segments, err = decodeRecord(payload); err != nil {
			return found, &CorruptError{Path: path, Offset: offset, Why: "record can't be read: " + err.Error()}
		}
		return found, nil
	}
	// The first record is in the second file: the first one goes when that is durable, and so on.
	if len(numbers) > 0 && numbers[0] > 1 {
		newest := numbers[len(numbers)-1]
		return found, &CorruptError{Path: filepath.Join(dir, recordsName(newest)), Why: "no record is whole"}
	}
	return found, nil
}

// lastFrame returns the payload of the last whole recordFrame of a file, nil if there is none, and the frame's offset.
func lastFrame(file []byte) (offset int64, payload []byte) {
	pos := fileHeaderSize
	for pos < len(file) {
		h, p, ok := parseFrame(file[pos:])
		if !ok {
			skip := findFrame(file[pos+1:])
			if skip < 0 {
				break
			}
			pos += 1 + skip
			continue
		}
		if h.kind == recordFrame {
			offset, payload = int64(pos), p
		}
		pos += frameHeaderSize + len(p)
	}
	return offset, payload
}

// tidy makes what load found durable and removes the rest: files of records that were replaced, segments of an interrupted
// commit and the bytes that it appended to others. Of a new job, it makes the first file of records, so that images without
// records are known to be a fault.
func (l *Log) tidy() error {
	names, err := listDir(l.fs, l.dir)
	if err != nil {
		return err
	}
	if len(names.records) == 0 {
		l.recordsNumber = 1
		return l.createRecords(nil)
	}
	// The record may have been read from the page cache of a process that was killed before its sync: what the engine does next
	// relies on it.
	for _, number := range names.records {
		if err := l.syncFile(l.path(recordsName(number))); err != nil {
			return err
		}
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	if l.last == nil {
		return l.removeSegments(names.segments)
	}
	for _, s := range l.segments {
		info, err := l.fs.Stat(l.path(s.name()))
		if err != nil {
			return err
		}
		if info.Size() > s.size {
			if err := l.truncate(s); err != nil {
				return err
			}
		}
	}
	return l.removeSegments(names.segments)
}

func (l *Log) syncFile(path string) error {
	f, err := l.fs.OpenAppend(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (l *Log) truncate(s *segment) error {
	f, err := l.fs.OpenAppend(l.path(s.name()))
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(s.size), f.Sync(), f.Close())
}

// removeSegments removes those that the last record does not refer to.
func (l *Log) removeSegments(numbers []uint64) error {
	for _, number := range numbers {
		if slices.ContainsFunc(l.segments, func(s *segment) bool { return s.number == number }) {
			continue
		}
		if err := l.fs.Remove(l.path(segmentName(number))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// createRecords makes a new file of records, with frames in it, and makes both durable.
func (l *Log) createRecords(frames []byte) error {
	f, err := l.fs.Create(l.path(recordsName(l.recordsNumber)))
	if err != nil {
		return err
	}
	bytes := append(appendFileHeader(nil, recordsFile, l.recordsNumber), frames...)
	if _, err := f.Write(bytes); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return errors.Join(err, f.Close())
	}
	l.records, l.recordsSize = f, int64(len(bytes))
	return nil
}

// appendRecord decides: it returns nil when the record is durable.
func (l *Log) appendRecord(payload []byte) error {
	l.frame = appendFrame(l.frame[:0], frameHeader{kind: recordFrame}, payload)
	l.frame = append(l.frame, l.frame...)
	if l.records != nil && l.recordsSize > fileHeaderSize && l.recordsSize < l.opts.RecordsBytes {
		if _, err := l.records.Write(l.frame); err != nil {
			return err
		}
		l.recordsSize += int64(len(l.frame))
		return l.records.Sync()
	}
	// After a start, for the first record, or when the file is large: a record stands for itself, so the new file needs no other.
	old := l.records
	l.recordsNumber++
	if err := l.createRecords(l.frame); err != nil {
		return err
	}
	names, err := listDir(l.fs, l.dir)
	if err != nil {
		return err
	}
	for _, number := range names.records {
		if number < l.recordsNumber {
			l.garbage = append(l.garbage, l.path(recordsName(number)))
		}
	}
	if old != nil {
		return old.Close()
	}
	return nil
}
