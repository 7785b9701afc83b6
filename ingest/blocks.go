package ingest

import (
	"sync"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// BlockPool makes blocks and takes them back: the structs are kept, the bytes are the allocator's, which should be a
// batch.Pool, so that a stream in steady state allocates nothing. How many blocks there are at a time is bounded by who holds
// them: queues and writers. It is safe for concurrent use.
type BlockPool struct {
	mem memory.Allocator

	mu   sync.Mutex
	free []*Block
}

// NewBlockPool returns a pool whose blocks have their bytes from mem.
func NewBlockPool(mem memory.Allocator) *BlockPool { return &BlockPool{mem: mem} }

// New returns a block with size undefined Bytes, to be filled, and batch.Slack behind them. All other fields are zero.
func (p *BlockPool) New(size int) *Block {
	b := p.empty()
	b.buffer = p.allocate(size)
	b.Bytes = b.buffer[:size]
	return b
}

// allocate returns a buffer of the size given plus batch.Slack, or more.
func (p *BlockPool) allocate(size int) []byte {
	raw := p.mem.Allocate(size + batch.Slack)
	return raw[:cap(raw)]
}

func (p *BlockPool) release(raw []byte) {
	if cap(raw) > 0 {
		p.mem.Free(raw)
	}
}

// empty returns a block without bytes.
func (p *BlockPool) empty() *Block {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		b.pool = p
		return b
	}
	return &Block{pool: p}
}

func (p *BlockPool) put(b *Block) {
	p.release(b.buffer)
	if b.freeRows != nil {
		b.freeRows()
	}
	*b = Block{}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, b)
}
