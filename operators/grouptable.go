package operators

import (
	"math/bits"
	"math/rand/v2"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// groupTable numbers groups, the sets of rows with equal keys, from 0 in order of appearance. A hash finds candidates, equality
// decides; NULL equals NULL. Lookups are O(1). A table is used by one goroutine at a time, but for reads.
//
// Its memory has no pointers, so that the garbage collector does not look into it. Which table serves depends on the types of
// the keys alone; tables of the same types work together in lookupFrom.
//
// The upper bits of a hash choose the slot, with one hash function for all tables. So keys that come in the order of one table's
// slots find theirs in order in any other, which then is read as a stream. Who inserts keys in that order reserves slots for
// all of them first: in a table that grows meanwhile they would pile up at its beginning.
type groupTable interface {
	// lookup sets groups, which has an entry per live row of cols, to the groups of these rows, and makes those that are new.
	// sel has the live rows, nil for the first len(groups).
	lookup(cols []arrow.Array, sel, groups []int32)
	// lookupFrom sets groups to the groups that have the keys of ids in src, all different. One that is missing is made if
	// insert, else it is -1.
	lookupFrom(src groupTable, ids []int32, insert bool, groups []int32)
	// len returns the number of groups.
	len() int
	// appendKeys appends the keys of ids to cols, a column per key.
	appendKeys(cols []*batch.Column, ids []int32)
	// inOrder appends all groups to ids, which has room for them, in the order of their slots.
	inOrder(ids []int32) []int32
	// shards sets an entry per group to the shard of its key.
	shards(shards []uint8)
	// compact gives the slots back, and what else is not needed to read keys. The next lookup makes slots again.
	compact()
	// reset forgets all groups. Memory is kept in proportion to how many there were.
	reset()
	// close releases all memory. The table can be used again, from empty.
	close()
}

// newGroupTable returns a table for keys of the given types, with a number of slots per group.
func newGroupTable(mem memory.Allocator, keys []arrow.DataType, room int) groupTable {
	switch {
	case len(keys) == 0:
		return &noKeyTable{}
	case len(keys) > 1:
		return newCompositeTable(mem, room)
	}
	switch keys[0].ID() {
	case arrow.INT64:
		return newIntTable(mem, intTag, room)
	case arrow.TIMESTAMP:
		return newIntTable(mem, timeTag, room)
	case arrow.STRING:
		return newTextTable(mem, room)
	}
	return newCompositeTable(mem, room)
}

// isKeyType says whether rows can be grouped by values of a type.
func isKeyType(t arrow.DataType) bool { return batch.IsComparable(t) }

const (
	// minSlots is what a table begins with: state has a table per shard and pane, most of them small.
	minSlots = 16
	// denseRoom is the number of slots per group of state, the inverse of the highest load: half full.
	denseRoom = 2
	// wideRoom is that of a worker's partial, whose lookups are many and groups few. A table of maxWideSlots gets no more slots
	// for that: four million are 64 to 96 MiB. With 1 M groups of integers, load 9 to 15, Add made 20 M rows/s instead of 16.
	wideRoom = 4
	// maxWideSlots bounds the memory that speed may cost.
	maxWideSlots = 4 << 20
)

// slotsFor returns how many slots n groups need.
func slotsFor(n, room int) int {
	slots := max(minSlots, 1<<bits.Len(uint(room*n-1)))
	if room > denseRoom && slots > maxWideSlots {
		slots = max(maxWideSlots, 1<<bits.Len(uint(denseRoom*n-1)))
	}
	return slots
}

// slotArray is a power of two of slots, or none, in words of an allocator.
type slotArray[S any] struct {
	slots []S
	words []uint64
	shift uint // 64 minus the logarithm of the number of slots
}

// make makes n slots that are 0, and returns those before, which are to be freed.
func (a *slotArray[S]) make(mem memory.Allocator, n int) (old slotArray[S]) {
	old = *a
	var s S
	a.words = batch.MakeSlice[uint64](mem, n*int(unsafe.Sizeof(s))/8)
	clear(a.words)
	a.slots = unsafe.Slice((*S)(unsafe.Pointer(unsafe.SliceData(a.words))), n)
	a.shift = uint(64 - bits.Len(uint(n-1)))
	return old
}

func (a *slotArray[S]) free(mem memory.Allocator) {
	batch.FreeSlice(mem, a.words)
	*a = slotArray[S]{}
}

// trim returns s in memory of its size, if it has twice of what it needs.
func trim[T batch.Fixed](mem memory.Allocator, s []T) []T {
	if cap(s) < 2*len(s) || cap(s) == 0 {
		return s
	}
	r := batch.MakeSlice[T](mem, len(s))
	copy(r, s)
	batch.FreeSlice(mem, s)
	return r
}

// probeSeed makes the slots of a key unpredictable, so that nobody can choose keys that collide. The order of groups, and what
// is kept on disk, does not depend on it.
var probeSeed = rand.Uint64() | 1

// probeMask is and-ed to every hash that chooses a slot. Tests set it to 0, so that all keys collide.
var probeMask = ^uint64(0)

// mix returns a hash of two words: the folded 128-bit product, as in wyhash (Wang Yi, 2019).
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^probeSeed, b^0x9E3779B97F4A7C15)
	return hi ^ lo
}

// slotsAfterReset returns how many of its slots a table keeps that had n groups: all, unless they were sixteen times too many, so
// that one large interval does not make the next ones slow.
func slotsAfterReset(n, room, slots int) int {
	if slots > 1024 && slots > 16*room*n {
		return slots / 2
	}
	return slots
}

// noKeyTable has one group.
type noKeyTable struct{ n int }

var _ groupTable = (*noKeyTable)(nil)

func (t *noKeyTable) lookup(_ []arrow.Array, _, groups []int32) {
	clear(groups)
	if len(groups) > 0 {
		t.n = 1
	}
}

func (t *noKeyTable) lookupFrom(_ groupTable, _ []int32, insert bool, groups []int32) {
	if t.n == 0 && !insert {
		for i := range groups {
			groups[i] = -1
		}
		return
	}
	t.lookup(nil, nil, groups)
}

func (t *noKeyTable) inOrder(ids []int32) []int32 {
	if t.n > 0 {
		ids = append(ids, 0)
	}
	return ids
}

func (t *noKeyTable) shards(shards []uint8) {
	for id := range t.n {
		shards[id] = uint8(ShardOf(nil))
	}
}

func (t *noKeyTable) len() int                            { return t.n }
func (t *noKeyTable) appendKeys([]*batch.Column, []int32) {}
func (t *noKeyTable) compact()                            {}
func (t *noKeyTable) reset()                              { t.n = 0 }
func (t *noKeyTable) close()                              { t.n = 0 }
