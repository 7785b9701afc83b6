package vfs

import (
	"io"
	"io/fs"
	"sync"
	"syscall"
)

// Failing is a file system whose operations fail as told. Every call of FS and File counts as an operation, but for Seek, Stat
// and closing a file. It is safe for concurrent use.
type Failing struct {
	fs FS

	mu      sync.Mutex
	spec    FailSpec
	ops     int64
	room    int64 // bytes that may still be written, if limited
	limited bool
}

// FailSpec says which operations fail.
type FailSpec struct {
	// Nth is the operation that fails, from 1. 0 is none.
	Nth int64
	// Err is its error.
	Err error
	// Forever makes all operations after it fail too, as if the disk were gone.
	Forever bool
	// Torn makes a write that fails write half of its bytes first.
	Torn bool
}

var _ FS = (*Failing)(nil)

// NewFailing returns a file system over fs in which operations fail as spec says.
func NewFailing(fs FS, spec FailSpec) *Failing { return &Failing{fs: fs, spec: spec} }

// FailNth returns a file system over fs whose n-th operation fails with err.
func FailNth(fs FS, n int64, err error) *Failing { return NewFailing(fs, FailSpec{Nth: n, Err: err}) }

// NewFull returns a file system over fs on which, after room bytes, writes fail with ENOSPC until Lift.
func NewFull(fs FS, room int64) *Failing { return &Failing{fs: fs, room: room, limited: true} }

// Ops returns how many operations there were.
func (f *Failing) Ops() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Failed says whether the n-th operation has come.
func (f *Failing) Failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.spec.Nth > 0 && f.ops >= f.spec.Nth
}

// Lift ends all failing and lets any number of bytes be written.
func (f *Failing) Lift() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spec = FailSpec{}
	f.limited = false
}

// count is called before an operation and returns its error.
func (f *Failing) count() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ops++
	if f.spec.Nth > 0 && (f.ops == f.spec.Nth || f.spec.Forever && f.ops > f.spec.Nth) {
		return f.spec.Err
	}
	return nil
}

// countWrite is called before a write of n bytes. It returns how many of them may be written, and the error behind these.
func (f *Failing) countWrite(n int) (int, error) {
	if err := f.count(); err != nil {
		if f.spec.Torn {
			return n / 2, err
		}
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.limited {
		return n, nil
	}
	if int64(n) > f.room {
		n = int(f.room)
		f.room = 0
		return n, syscall.ENOSPC
	}
	f.room -= int64(n)
	return n, nil
}

// Create is FS.Create.
func (f *Failing) Create(name string) (File, error) { return f.open(f.fs.Create, name) }

// OpenAppend is FS.OpenAppend.
func (f *Failing) OpenAppend(name string) (File, error) { return f.open(f.fs.OpenAppend, name) }

// Open is FS.Open.
func (f *Failing) Open(name string) (File, error) { return f.open(f.fs.Open, name) }

func (f *Failing) open(open func(string) (File, error), name string) (File, error) {
	if err := f.count(); err != nil {
		return nil, err
	}
	file, err := open(name)
	if err != nil {
		return nil, err
	}
	return &failingFile{File: file, fs: f}, nil
}

// Rename is FS.Rename.
func (f *Failing) Rename(oldName, newName string) error {
	if err := f.count(); err != nil {
		return err
	}
	return f.fs.Rename(oldName, newName)
}

// Remove is FS.Remove.
func (f *Failing) Remove(name string) error { return f.named(f.fs.Remove, name) }

// RemoveAll is FS.RemoveAll.
func (f *Failing) RemoveAll(name string) error { return f.named(f.fs.RemoveAll, name) }

// MkdirAll is FS.MkdirAll.
func (f *Failing) MkdirAll(name string) error { return f.named(f.fs.MkdirAll, name) }

// SyncDir is FS.SyncDir.
func (f *Failing) SyncDir(name string) error { return f.named(f.fs.SyncDir, name) }

func (f *Failing) named(do func(string) error, name string) error {
	if err := f.count(); err != nil {
		return err
	}
	return do(name)
}

// ReadDir is FS.ReadDir.
func (f *Failing) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.count(); err != nil {
		return nil, err
	}
	return f.fs.ReadDir(name)
}

// Stat is FS.Stat.
func (f *Failing) Stat(name string) (fs.FileInfo, error) {
	if err := f.count(); err != nil {
		return nil, err
	}
	return f.fs.Stat(name)
}

// Lock is FS.Lock.
func (f *Failing) Lock(name string) (io.Closer, error) {
	if err := f.count(); err != nil {
		return nil, err
	}
	return f.fs.Lock(name)
}

type failingFile struct {
	File
	fs *Failing
}

func (f *failingFile) Read(p []byte) (int, error) {
	if err := f.fs.count(); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

func (f *failingFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.count(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *failingFile) Write(p []byte) (int, error) {
	allowed, err := f.fs.countWrite(len(p))
	if err == nil {
		return f.File.Write(p)
	}
	n, werr := f.File.Write(p[:allowed])
	if werr != nil {
		return n, werr
	}
	return n, err
}

func (f *failingFile) Sync() error {
	if err := f.fs.count(); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *failingFile) Truncate(size int64) error {
	if err := f.fs.count(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}
