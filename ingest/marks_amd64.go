package ingest

import "golang.org/x/sys/cpu"

// hasVectors says that markBlocks may be called.
var hasVectors = cpu.X86.HasAVX2

// markBlocks is marks.markWords for blocks of 64 bytes. The result is not 0 if a byte is not ASCII.
//
//go:noescape
func markBlocks(m, buf *byte, blocks int, set *byteSet) (high uint32)
