//go:build unix

package ingest

import (
	"os"
	"syscall"
)

// inodeOf returns a number that a file keeps when it is renamed, and that no other file of its file system has at the time.
func inodeOf(info os.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}
