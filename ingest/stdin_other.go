//go:build !unix

package ingest

import "os"

// interruptible reads a file. Where there is no poll(2), a read that waits ends only with input.
type interruptible struct{ *os.File }

func newInterruptible(file *os.File) (interruptible, error) { return interruptible{file}, nil }

func (interruptible) interrupt() {}

// Close does nothing: the file is not the source's.
func (interruptible) Close() error { return nil }
