package operators

import (
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// paneArena holds what compact panes of a shard are made of, one behind the other in chunks: panes go in the order in which they
// came, and so do chunks. A buffer for each would be rounded up to a power of two.
type paneArena struct {
	mem   memory.Allocator
	chunk *arenaChunk // the last one, nil for none
	used  int         // words of it
}

type arenaChunk struct {
	words []int64
	panes int // that have a piece of it
}

const (
	// piecesPerChunk is for how many pieces of the size of its first one a chunk has room: a tenth of it, or less, stays empty, and
	// what the oldest and the newest chunk have too much is little beside a long window.
	piecesPerChunk = 16
	minChunkWords  = 64      // half a KiB
	maxChunkWords  = 1 << 15 // 256 KiB
)

// take returns n words, and the chunk that they are of, to be given back.
func (a *paneArena) take(n int) ([]int64, *arenaChunk) {
	if a.chunk == nil || a.used+n > len(a.chunk.words) {
		size := max(n, min(max(piecesPerChunk*n, minChunkWords), maxChunkWords))
		words := batch.MakeSlice[int64](a.mem, size)
		full := a.chunk
		a.chunk, a.used = &arenaChunk{words: words[:cap(words)], panes: 1}, 0 // one for the arena itself
		if full != nil {
			a.give(full)
		}
	}
	piece := a.chunk.words[a.used : a.used+n : a.used+n]
	a.used += n
	a.chunk.panes++
	return piece, a.chunk
}

// give takes back one piece of a chunk.
func (a *paneArena) give(c *arenaChunk) {
	if c.panes--; c.panes == 0 {
		batch.FreeSlice(a.mem, c.words)
		c.words = nil
	}
}

func (a *paneArena) close() {
	if a.chunk != nil {
		a.give(a.chunk)
		a.chunk = nil
	}
}
