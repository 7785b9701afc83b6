package ingest

import "bytes"

// newlineFramer ends records at \n, for TEXT and JSON. It has no state.
type newlineFramer struct{}

var _ Framer = newlineFramer{}

// Frame is O(len(fresh)).
func (newlineFramer) Frame(fresh []byte) (end int, records, lines int64) {
	end = bytes.LastIndexByte(fresh, '\n') + 1
	n := int64(bytes.Count(fresh[:end], newline))
	return end, n, n
}

// Reset has nothing to forget.
func (newlineFramer) Reset() {}

var newline = []byte{'\n'}
