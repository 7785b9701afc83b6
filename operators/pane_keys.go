package operators

import (
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// sharedKeys numbers the keys of all panes of a shard whose windows overlap, where most keys are in many panes. A pane then holds
// four bytes for a key, however long that is, and what is made of panes has a group per number, so that no key is looked up for it.
//
// Pane 0 has the keys a and b, pane 1 has b and c: the table has a, b and c as 0, 1 and 2, the panes [0 1] and [1 2]. When pane 0
// goes, number 0 is of no pane. Such numbers stay until they are most of all, and then all others get new ones, by renumber.
type sharedKeys struct {
	mem   memory.Allocator
	shard uint8
	table groupTable
	refs  []int32 // per number, how many panes have it
	dead  int     // numbers that no pane has
	arena paneArena

	numbers []int32 // scratch
}

// minDead is how many numbers of no pane are left alone, whatever their part. Tests lower it.
var minDead = 1024

func (k *sharedKeys) init(mem memory.Allocator, shard int, keys []arrow.DataType) {
	k.mem, k.shard, k.table = mem, uint8(shard), newGroupTable(mem, keys, denseRoom)
	k.arena.mem = mem
}

// lookupFrom sets numbers to those of the keys ids of src.
func (k *sharedKeys) lookupFrom(src groupTable, ids []int32, insert bool, numbers []int32) {
	if m, ok := src.(*memberTable); ok {
		if m.keys == k {
			for i, id := range ids {
				numbers[i] = m.ids[id]
			}
			return
		}
		src, ids = m.keys.table, m.numbersOf(ids)
	}
	k.table.lookupFrom(src, ids, insert, numbers)
	k.grow()
}

// grow makes room for the numbers that the table has.
func (k *sharedKeys) grow() {
	old := len(k.refs)
	k.refs = growZero(k.mem, k.refs, k.table.len())
	k.dead += len(k.refs) - old
}

// retain notes that one more pane has numbers.
func (k *sharedKeys) retain(numbers []int32) {
	for _, id := range numbers {
		if k.refs[id] == 0 {
			k.dead--
		}
		k.refs[id]++
	}
}

// release notes that one pane less has numbers.
func (k *sharedKeys) release(numbers []int32) {
	for _, id := range numbers {
		if k.refs[id]--; k.refs[id] == 0 {
			k.dead++
		}
	}
}

// isSparse says whether renumber pays.
func (k *sharedKeys) isSparse() bool { return k.dead > minDead && k.dead > k.table.len()/2 }

// renumber leaves the keys out that no pane has. What had number i has number remap[i] then, which is -1 for those. The caller
// frees remap.
func (k *sharedKeys) renumber(keys []arrow.DataType) (remap []int32) {
	live := batch.MakeSlice[int32](k.mem, max(len(k.refs)-k.dead, 1))[:0]
	for id, n := range k.refs {
		if n > 0 {
			live = append(live, int32(id))
		}
	}
	table, fresh := newGroupTable(k.mem, keys, denseRoom), batch.MakeSlice[int32](k.mem, max(len(live), 1))[:len(live)]
	table.lookupFrom(k.table, live, true, fresh)
	k.table.close()
	k.table = table
	remap = batch.MakeSlice[int32](k.mem, len(k.refs))
	for id := range remap {
		remap[id] = -1
	}
	refs := batch.MakeSlice[int32](k.mem, max(len(live), 1))[:len(live)]
	for i, id := range live {
		remap[id] = fresh[i]
		refs[fresh[i]] = k.refs[id]
	}
	batch.FreeSlice(k.mem, k.refs)
	k.refs, k.dead = refs, 0
	batch.FreeSlice(k.mem, live)
	batch.FreeSlice(k.mem, fresh)
	return remap
}

func (k *sharedKeys) close() {
	if k.table != nil {
		k.table.close()
	}
	k.arena.close()
	batch.FreeSlice(k.mem, k.refs)
	batch.FreeSlice(k.mem, k.numbers)
	k.refs, k.numbers = nil, nil
}

// memberTable is the table of a pane whose keys are shared: its groups are numbers of them. As long as it only takes what has no
// key twice it has no slots.
type memberTable struct {
	keys  *sharedKeys
	ids   []int32 // by group, the number of its key
	slots []int32 // groups plus one; 0: free
	shift int     // 32 minus the logarithm of the number of slots
}

var _ groupTable = (*memberTable)(nil)

func (t *memberTable) len() int { return len(t.ids) }

func (t *memberTable) lookup(cols []arrow.Array, sel, groups []int32) {
	t.keys.table.lookup(cols, sel, groups)
	t.keys.grow()
	t.find(groups, true)
}

func (t *memberTable) lookupFrom(src groupTable, ids []int32, insert bool, groups []int32) {
	t.keys.lookupFrom(src, ids, insert, groups)
	if insert && len(t.ids)+len(t.slots) == 0 {
		t.ids = batch.AppendSlice(t.keys.mem, t.ids, groups...)
		for k := range groups {
			groups[k] = int32(k)
		}
		t.keys.retain(t.ids)
		return
	}
	t.find(groups, insert)
}

// find makes groups of the numbers in groups. Those that are missing are made if insert, else they are -1, as those that are -1.
func (t *memberTable) find(groups []int32, insert bool) {
	n, most := len(t.ids), min(len(t.ids)+len(groups), t.keys.table.len())
	t.reserve(most)
	if insert {
		t.ids = batch.GrowSlice(t.keys.mem, t.ids, most)
	}
	old, ids, slots, shift := n, t.ids, t.slots, t.shift
	for k, id := range groups {
		if id < 0 {
			continue
		}
		at := memberSlot(id, shift)
		for slots[at] != 0 && ids[slots[at]-1] != id {
			at = (at + 1) & uint32(len(slots)-1)
		}
		switch {
		case slots[at] != 0:
			groups[k] = slots[at] - 1
		case insert:
			ids[n] = id
			groups[k] = int32(n)
			n++
			slots[at] = int32(n)
		default:
			groups[k] = -1
		}
	}
	t.ids = ids[:n]
	t.keys.retain(t.ids[old:])
}

// memberSlot returns the first slot where a number may be (multiplicative hashing, Knuth, TAOCP 3, 6.4).
func memberSlot(id int32, shift int) uint32 { return uint32(id) * 0x9E3779B1 >> (shift & 31) }

// reserve makes slots for n groups.
func (t *memberTable) reserve(n int) {
	need := slotsFor(max(n, 1), denseRoom)
	if need <= len(t.slots) {
		return
	}
	batch.FreeSlice(t.keys.mem, t.slots)
	t.slots, t.shift = batch.MakeSlice[int32](t.keys.mem, need), 32-bits.Len(uint(need-1))
	clear(t.slots)
	for group, id := range t.ids {
		at := memberSlot(id, t.shift)
		for t.slots[at] != 0 {
			at = (at + 1) & uint32(need-1)
		}
		t.slots[at] = int32(group) + 1
	}
}

// numbersOf returns the numbers of the keys of groups, valid until the next call for a pane of the shard.
func (t *memberTable) numbersOf(groups []int32) []int32 {
	k := t.keys
	k.numbers = batch.GrowSlice(k.mem, k.numbers, len(groups))
	for i, g := range groups {
		k.numbers[i] = t.ids[g]
	}
	return k.numbers
}

func (t *memberTable) appendKeys(cols []*batch.Column, ids []int32) {
	t.keys.table.appendKeys(cols, t.numbersOf(ids))
}

// inOrder appends the groups as they are: none of their slots is that of a key.
func (t *memberTable) inOrder(ids []int32) []int32 {
	for g := range t.ids {
		ids = append(ids, int32(g))
	}
	return ids
}

func (t *memberTable) shards(shards []uint8) {
	for g := range t.ids {
		shards[g] = t.keys.shard
	}
}

func (t *memberTable) compact() {
	batch.FreeSlice(t.keys.mem, t.slots)
	t.slots = nil
}

func (t *memberTable) reset() {
	n := len(t.ids)
	t.keys.release(t.ids)
	t.ids = shrink(t.keys.mem, t.ids)
	if slotsAfterReset(n, denseRoom, len(t.slots)) < len(t.slots) {
		t.compact()
	}
	clear(t.slots)
}

func (t *memberTable) close() {
	t.keys.release(t.ids)
	t.compact()
	batch.FreeSlice(t.keys.mem, t.ids)
	t.ids = nil
}

// renumber gives the keys the numbers that sharedKeys.renumber gave them.
func (t *memberTable) renumber(remap []int32) {
	for g, id := range t.ids {
		t.ids[g] = remap[id]
	}
	t.compact()
}

// lookupFrom is to.lookupFrom for a source whose keys may be shared.
func lookupFrom(to, src groupTable, ids []int32, insert bool, groups []int32) {
	if m, ok := src.(*memberTable); ok {
		if _, isMember := to.(*memberTable); !isMember {
			src, ids = m.keys.table, m.numbersOf(ids)
		}
	}
	to.lookupFrom(src, ids, insert, groups)
}
