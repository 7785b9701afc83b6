package checkpoint

import (
	"errors"
	"fmt"
)

// ErrCorrupt says that bytes on disk are not those that were written. The error that wraps it is a *CorruptError.
var ErrCorrupt = errors.New("checkpoint is corrupt")

// ErrVersion says that a directory was written by a newer version of the format.
var ErrVersion = errors.New("newer checkpoint format")

// ErrJournalFull says that the journal has reached its bound: commits must free it before more is appended.
var ErrJournalFull = errors.New("journal is full")

// CorruptError names a fault on disk.
type CorruptError struct {
	Path   string
	Offset int64
	Why    string
}

// Error says where the fault is and what can be done.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("checkpoint file %s: offset %d: %s: restore the directory from a copy or start with an empty one", e.Path, e.Offset, e.Why)
}

// Is makes errors.Is(err, ErrCorrupt) true.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// versionError is the error for a directory of a newer format.
type versionError struct {
	dir   string
	found uint32
}

func (e *versionError) Error() string {
	return fmt.Sprintf("checkpoint %s: written by format %d, this binary reads %d: upgrade the binary or start with an empty directory",
		e.dir, e.found, formatVersion)
}

func (e *versionError) Is(target error) bool { return target == ErrVersion }
