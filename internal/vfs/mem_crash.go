package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// sectorSize is what a disk writes at once or not at all: 512 bytes is the smallest in use.
const sectorSize = 512

// fate is what becomes of changes that were not synced.
type fate int

const (
	lost      fate = iota // none survives
	kept                  // all survive
	torn                  // the first ones do, and the last of these up to any byte
	scattered             // any sectors do, whatever their order; what is missing reads as zeros
	numFates
)

// Crash returns the file system as a crash at this moment would leave it: all that was synced, and of the rest what the seed
// chooses: nothing, everything, a beginning cut at any byte, or any of its sectors. Names that were not synced come and go in
// order, directory by directory. m is not changed.
func (m *Mem) Crash(seed uint64) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := crasher{rand: rand.New(rand.NewPCG(seed, 0x7469646d)), done: map[*memNode]*memNode{}}
	c.names, c.bytes = fate(c.rand.IntN(3)), fate(c.rand.IntN(int(numFates)))
	after := NewMem()
	after.root = c.after(m.root)
	return after
}

type crasher struct {
	rand         *rand.Rand
	names, bytes fate
	done         map[*memNode]*memNode // a file may have two names
}

func (c *crasher) after(n *memNode) *memNode {
	if d := c.done[n]; d != nil {
		return d
	}
	if !n.isDir {
		d := &memNode{data: c.bytesAfter(n)}
		d.synced = slices.Clone(d.data)
		c.done[n] = d
		return d
	}
	d := newMemDir()
	c.done[n] = d
	names := maps.Clone(n.durable)
	changes := n.names
	switch c.names {
	case lost:
		changes = nil
	case torn:
		changes = changes[:c.rand.IntN(len(changes)+1)]
	case kept, scattered: // names know no half
	}
	for _, change := range changes {
		apply(names, change)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d.children[name] = c.after(names[name])
	}
	d.durable = maps.Clone(d.children)
	return d
}

func (c *crasher) bytesAfter(n *memNode) []byte {
	data := slices.Clone(n.synced)
	if len(n.writes) == 0 {
		return data
	}
	switch c.bytes {
	case lost:
	case kept:
		for _, w := range n.writes {
			data = w.apply(data)
		}
	case torn:
		whole := c.rand.IntN(len(n.writes) + 1)
		for _, w := range n.writes[:whole] {
			data = w.apply(data)
		}
		if whole < len(n.writes) {
			if w := n.writes[whole]; w.bytes != nil {
				w.bytes = w.bytes[:c.rand.IntN(len(w.bytes)+1)]
				if len(w.bytes) > 0 {
					data = w.apply(data)
				}
			}
		}
	case scattered:
		for _, w := range n.writes {
			data = c.scatter(data, w)
		}
	}
	return data
}

func (c *crasher) scatter(data []byte, w write) []byte {
	if w.bytes == nil {
		return w.apply(data)
	}
	for len(w.bytes) > 0 {
		k := min(len(w.bytes), int(sectorSize-w.off%sectorSize))
		if c.rand.IntN(3) > 0 {
			data = write{off: w.off, bytes: w.bytes[:k]}.apply(data)
		}
		w.off += int64(k)
		w.bytes = w.bytes[k:]
	}
	return data
}
