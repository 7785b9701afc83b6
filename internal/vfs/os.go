package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// OS is the file system of the operating system. Files are closed in child processes (Go opens all with O_CLOEXEC).
var OS FS = osFS{}

type osFS struct{}

func (osFS) Create(name string) (File, error) {
	return fileOrNil(os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644))
}

func (osFS) OpenAppend(name string) (File, error) {
	return fileOrNil(os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644))
}

func (osFS) Open(name string) (File, error)             { return fileOrNil(os.Open(name)) }
func (osFS) Rename(oldName, newName string) error       { return os.Rename(oldName, newName) }
func (osFS) Remove(name string) error                   { return os.Remove(name) }
func (osFS) RemoveAll(name string) error                { return os.RemoveAll(name) }
func (osFS) MkdirAll(name string) error                 { return os.MkdirAll(name, 0o755) }
func (osFS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (osFS) Stat(name string) (fs.FileInfo, error)      { return os.Stat(name) }

func (osFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (osFS) Lock(name string) (io.Closer, error) {
	f, err := lockFile(name)
	if err != nil {
		return nil, err
	}
	// The number is for whoever finds the lock taken; the lock itself is the operating system's.
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func lockedError(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return &LockedError{Path: name}
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		pid = 0 // being written
	}
	return &LockedError{Path: name, PID: pid}
}

// fileOrNil keeps a nil *os.File from becoming a File that is not nil.
func fileOrNil(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}
