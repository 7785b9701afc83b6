package ingest

import (
	"os"
	"sync/atomic"
)

// Measured is a Source that knows how much there is to read.
type Measured interface {
	// Progress returns how many bytes were read, as they lie in files (compressed, if they are), and how many there are. Both
	// count what a restart left out. It may be called at any time after Open.
	Progress() (read, total int64)
}

// countedFile is a file of which is counted how much was read.
type countedFile struct {
	*os.File
	total *atomic.Int64 // of all files of the source
	own   atomic.Int64
}

// Read reads and counts.
func (f *countedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.add(int64(n))
	return n, err
}

// ReadAt reads at a place and counts.
func (f *countedFile) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(p, at)
	f.add(int64(n))
	return n, err
}

func (f *countedFile) add(n int64) {
	f.own.Add(n)
	f.total.Add(n)
}

// whole counts the file as read once: what nobody wanted, and what was read twice.
func (f *countedFile) whole() {
	if info, err := f.Stat(); err == nil {
		f.add(info.Size() - f.own.Load())
	}
}

// Progress returns how much of the files was read.
func (s *fileSource) Progress() (read, total int64) { return s.bytesRead.Load(), s.bytesTotal }
