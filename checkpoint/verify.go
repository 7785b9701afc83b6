package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/tidemill/tidemill/internal/vfs"
)

// Report is what Verify found.
type Report struct {
	// Files has an entry per file, in order of kind and number.
	Files []FileReport
	// Faults are the places where bytes are not those that were written. It is empty for a directory that is whole.
	Faults []CorruptError
}

// FileReport is what Verify found in one file.
type FileReport struct {
	Path   string
	Kind   string // records, images or journal
	Bytes  int64
	Frames int
	Rows   int64
	// Loose is how many bytes at the end belong to nothing that was decided: what an interrupted commit or append left. The next
	// Open removes them.
	Loose int64
}

// Verify reads every byte of the checkpoint in a directory and compares it with the CRCs. It needs no lock: what a job that runs
// appends or removes meanwhile is no fault. The error is about reading; faults are in the report.
func Verify(fsys vfs.FS, dir string) (*Report, error) {
	v := &verifier{fs: fsys, dir: dir, report: &Report{}}
	names, err := listDir(fsys, dir)
	if err == nil {
		err = v.run(names)
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: verify: %w", dir, err)
	}
	return v.report, nil
}

type verifier struct {
	fs     vfs.FS
	dir    string
	report *Report
	buf    []byte
}

func (v *verifier) fault(path string, offset int64, why string) {
	v.report.Faults = append(v.report.Faults, CorruptError{Path: path, Offset: offset, Why: why})
}

func (v *verifier) run(names dirNames) error {
	for i, number := range names.records {
		if err := v.records(number, i == len(names.records)-1); err != nil {
			return err
		}
	}
	last, err := findLastRecord(v.fs, v.dir, names.records)
	var corrupt *CorruptError
	switch {
	case errors.Is(err, ErrVersion):
		return err
	case errors.As(err, &corrupt):
		if len(v.report.Faults) == 0 {
			v.report.Faults = append(v.report.Faults, *corrupt)
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	sizes := map[uint64]int64{}
	for _, ref := range last.segments {
		sizes[ref.Number] = ref.Size
	}
	for _, number := range names.segments {
		if err := v.segment(number, sizes[number]); err != nil {
			return err
		}
		delete(sizes, number)
	}
	for number := range sizes {
		// A job that runs may have made it after the directory was listed.
		if _, err := v.fs.Stat(filepath.Join(v.dir, segmentName(number))); errors.Is(err, fs.ErrNotExist) {
			v.fault(filepath.Join(v.dir, segmentName(number)), 0, "file is missing")
		}
	}
	return v.journal()
}

// read returns the bytes of a file, nil if it was removed meanwhile.
func (v *verifier) read(path string) (err error) {
	v.buf, err = readAll(v.fs, path, v.buf)
	if errors.Is(err, fs.ErrNotExist) {
		v.buf, err = v.buf[:0], nil
	}
	return err
}

func (v *verifier) records(number uint64, isLast bool) error {
	path := filepath.Join(v.dir, recordsName(number))
	if err := v.read(path); err != nil {
		return err
	}
	f := FileReport{Path: path, Kind: "records", Bytes: int64(len(v.buf))}
	good := v.frames(&f, recordsFile, number, f.Bytes)
	// Behind the last whole frame there may be what a crash left of the last record.
	if good < f.Bytes {
		if isLast {
			f.Loose = f.Bytes - good
		} else {
			v.fault(path, good, "record is torn or altered")
		}
	}
	v.report.Files = append(v.report.Files, f)
	return nil
}

// segment verifies the first size bytes; 0 means that no record refers to the file.
func (v *verifier) segment(number uint64, size int64) error {
	path := filepath.Join(v.dir, segmentName(number))
	if err := v.read(path); err != nil {
		return err
	}
	f := FileReport{Path: path, Kind: "images", Bytes: int64(len(v.buf))}
	f.Loose = max(0, f.Bytes-size)
	if f.Bytes < size {
		v.fault(path, f.Bytes, fmt.Sprintf("file is shorter than its record says: %d bytes, want %d", f.Bytes, size))
	}
	if size > 0 {
		if good := v.frames(&f, segmentFile, number, min(size, f.Bytes)); good < min(size, f.Bytes) {
			v.fault(path, good, "frame is altered")
		}
	}
	v.report.Files = append(v.report.Files, f)
	return nil
}

// frames counts the whole frames in the first size bytes and reports the gaps between them. It returns where the last one ends.
func (v *verifier) frames(f *FileReport, kind fileKind, number uint64, size int64) (good int64) {
	buf := v.buf[:size]
	if _, err := parseFileHeader(buf, kind, number); err != nil {
		if findFrame(buf) < 0 {
			return 0
		}
		v.fault(f.Path, 0, err.Error())
	}
	pos := min(fileHeaderSize, len(buf))
	good = int64(pos)
	for pos < len(buf) {
		h, payload, ok := parseFrame(buf[pos:])
		if !ok {
			skip := findFrame(buf[pos+1:])
			if skip < 0 {
				break
			}
			v.fault(f.Path, int64(pos), "frame is altered")
			pos += 1 + skip
			continue
		}
		f.Frames++
		f.Rows += int64(h.rows)
		pos += frameHeaderSize + len(payload)
		good = int64(pos)
	}
	return good
}

func (v *verifier) journal() error {
	dir := filepath.Join(v.dir, "journal")
	scans, err := scanJournalDir(v.fs, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	synced := syncedPlace(scans)
	for i := range scans {
		s := &scans[i]
		path := filepath.Join(dir, journalName(s.part.number))
		f := FileReport{Path: path, Kind: "journal", Bytes: s.size, Frames: s.entries, Rows: s.rows, Loose: s.size - s.part.size}
		if s.isFault(synced) {
			v.fault(path, s.gap, s.why)
			f.Loose = 0
		}
		v.report.Files = append(v.report.Files, f)
	}
	return nil
}
