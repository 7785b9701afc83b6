//go:build !amd64

package ingest

// hasVectors says that markBlocks may be called.
const hasVectors = false

func markBlocks(m, buf *byte, blocks int, set *byteSet) (high uint32) { return 0 }
