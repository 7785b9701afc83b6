package ingest

import (
	"fmt"
	"sync"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// maxGuarded is the most memory that a file may ask for at once: what Arrow's own readers take for the body of a message.
const maxGuarded = 256 << 20

// Guard is the allocator of a reader that another library has made, which believes what a file says: it bounds what is asked for at once,
// makes errors of panics, and gives back what is left when the reader and its rows are gone, for a reader that failed may have
// forgotten some. It is safe for concurrent use.
type Guard struct {
	mem memory.Allocator

	mu    sync.Mutex
	holds int                       // who uses the memory: the reader, and blocks
	made  map[unsafe.Pointer][]byte // allocated and not freed
}

var _ memory.Allocator = (*Guard)(nil)

// tooLarge is what Allocate panics with.
type tooLarge int

// newGuard returns a guard whose memory is that of mem, with one hold.
func newGuard(mem memory.Allocator) *Guard {
	return &Guard{mem: mem, holds: 1, made: make(map[unsafe.Pointer][]byte)}
}

// Do calls f, which may panic.
func (g *Guard) Do(f func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case tooLarge:
			err = fmt.Errorf("damaged: it asks for %d bytes at once, and may have %d", int(p), maxGuarded)
		default:
			err = fmt.Errorf("damaged: %v", p)
		}
	}()
	return f()
}

// hold keeps the memory until one more drop.
func (g *Guard) hold() {
	g.mu.Lock()
	g.holds++
	g.mu.Unlock()
}

// drop ends a hold. The last one gives back what is left.
func (g *Guard) drop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holds--; g.holds > 0 {
		return
	}
	for _, b := range g.made {
		g.mem.Free(b)
	}
	clear(g.made)
}

// Allocate returns size bytes. It panics where that is too much.
func (g *Guard) Allocate(size int) []byte {
	if size < 0 || size > maxGuarded {
		panic(tooLarge(size))
	}
	b := g.mem.Allocate(size)
	g.note(b)
	return b
}

// Reallocate returns b with another size.
func (g *Guard) Reallocate(size int, b []byte) []byte {
	if size < 0 || size > maxGuarded {
		panic(tooLarge(size))
	}
	g.forget(b)
	b = g.mem.Reallocate(size, b)
	g.note(b)
	return b
}

// Free gives b back, unless that was done when the last hold ended: a decoder may keep a dictionary for longer, to know it again.
func (g *Guard) Free(b []byte) {
	if g.forget(b) {
		g.mem.Free(b)
	}
}

func (g *Guard) note(b []byte) {
	if cap(b) == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.made[unsafe.Pointer(unsafe.SliceData(b))] = b
}

// forget says whether b was not given back yet.
func (g *Guard) forget(b []byte) bool {
	if cap(b) == 0 {
		return true
	}
	at := unsafe.Pointer(unsafe.SliceData(b))
	g.mu.Lock()
	defer g.mu.Unlock()
	_, isThere := g.made[at]
	delete(g.made, at)
	return isThere
}
