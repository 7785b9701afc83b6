// Package vfs is the file system as the engine uses it, behind an interface, so that tests can fail the n-th operation.
package vfs

import (
	"fmt"
	"io"
	"io/fs"
)

// FS is a file system. All paths are those of the operating system.
type FS interface {
	// Create makes a new empty file for writing, truncating an old one.
	Create(name string) (File, error)
	// OpenAppend opens a file for writing at its end, making it if need be.
	OpenAppend(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// Rename replaces newName by oldName atomically. SyncDir makes it durable.
	Rename(oldName, newName string) error
	// Remove removes a file or an empty directory. A missing one is an error that is fs.ErrNotExist.
	Remove(name string) error
	// RemoveAll removes name and all below. A missing one is no error.
	RemoveAll(name string) error
	// MkdirAll makes a directory and its parents.
	MkdirAll(name string) error
	// ReadDir returns the entries of a directory in order of name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Stat describes a file.
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes the names in a directory durable.
	SyncDir(name string) error
	// Lock takes the lock that a file stands for, making it if need be, until the returned Closer is closed or the process ends.
	// It does not wait: if somebody has the lock, the error is a *LockedError.
	Lock(name string) (io.Closer, error)
}

// LockedError says that somebody else has a lock.
type LockedError struct {
	Path string
	PID  int // of who has it, 0 if unknown
}

// Error names the holder.
func (e *LockedError) Error() string {
	if e.PID == 0 {
		return "in use by another process"
	}
	return fmt.Sprintf("in use by another process (pid %d)", e.PID)
}

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Seeker
	io.Closer
	// Sync makes the written bytes durable.
	Sync() error
	// Truncate cuts the file to size bytes.
	Truncate(size int64) error
	// Stat describes the file.
	Stat() (fs.FileInfo, error)
}
