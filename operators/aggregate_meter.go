package operators

import (
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// meter counts the bytes that state takes. It is safe for concurrent use.
type meter struct {
	memory.Allocator
	used atomic.Int64
}

// Allocate counts what it allocates.
func (m *meter) Allocate(size int) []byte {
	b := m.Allocator.Allocate(size)
	m.used.Add(int64(cap(b)))
	return b
}

// Reallocate counts the difference.
func (m *meter) Reallocate(size int, b []byte) []byte {
	m.used.Add(-int64(cap(b)))
	b = m.Allocator.Reallocate(size, b)
	m.used.Add(int64(cap(b)))
	return b
}

// Free counts what it frees.
func (m *meter) Free(b []byte) {
	m.used.Add(-int64(cap(b)))
	m.Allocator.Free(b)
}
