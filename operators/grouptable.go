package operators

import (
	"math/bits"
	"math/rand/v2"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// groupTable numbers groups, the sets of rows with equal keys, from 0 in order of appearance. A hash finds candidates, equality
// decides; NULL equals NULL. Lookups are O(1). A table is used by one goroutine at a time, but for reads.
//
// Its memory has no pointers, so that the garbage collector does not look into it. Which table serves depends on the types of
// the keys alone; tables of the same types work together in lookupFrom.
type groupTable interface {
	// lookup sets groups, which has an entry per live row of cols, to the groups of these rows, and makes those that are new.
	// sel has the live rows, nil for the first len(groups).
	lookup(cols []arrow.Array, sel []int32, groups []int32)
	// lookupFrom sets groups to the groups that have the keys of ids in src. One that is missing is made if insert, else it is -1.
	lookupFrom(src groupTable, ids []int32, insert bool, groups []int32)
	// len returns the number of groups.
	len() int
	// appendKeys appends the keys of ids to cols, a column per key.
	appendKeys(cols []*batch.Column, ids []int32)
	// appendKey appends the canonical bytes of a key.
	appendKey(dst []byte, id int32) []byte
	// reset forgets all groups. Memory is kept in proportion to how many there were.
	reset()
	// close releases all memory. The table can be used again, from empty.
	close()
}

// newGroupTable returns a table for keys of the given types.
func newGroupTable(mem memory.Allocator, keys []arrow.DataType) groupTable {
	switch {
	case len(keys) == 0:
		return &noKeyTable{}
	case len(keys) > 1:
		return newCompositeTable(mem)
	}
	switch batch.TypeName(keys[0]) {
	case "BIGINT":
		return newIntTable(mem, intTag)
	case "TIMESTAMP":
		return newIntTable(mem, timeTag)
	case "TEXT":
		return newTextTable(mem)
	}
	return newCompositeTable(mem)
}

// isKeyType says whether rows can be grouped by values of a type.
func isKeyType(t arrow.DataType) bool {
	switch batch.TypeName(t) {
	case "BOOLEAN", "BIGINT", "DOUBLE", "TEXT", "TIMESTAMP":
		return true
	}
	return false
}

const (
	// minSlots is what a table begins with: state has a table per shard and pane, most of them small.
	minSlots = 16
	// slotsPerGroup is the inverse of the highest load: half full, the upper end of the range (0.25 to 0.5) that prototypes with
	// inline slots did well in, because it costs the least memory. Not compared with others in this table.
	slotsPerGroup = 2
)

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

// slotShift returns how far a hash is shifted to index n slots.
func slotShift(n int) uint { return uint(64 - bits.Len(uint(n-1))) }

// slotsAfterReset returns how many of its slots a table keeps that had n groups: all, unless they were sixteen times too many, so
// that one large interval does not make the next ones slow.
func slotsAfterReset(n, slots int) int {
	if slots > 1024 && slots > 16*slotsPerGroup*n {
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

func (t *noKeyTable) len() int                             { return t.n }
func (t *noKeyTable) appendKeys([]*batch.Column, []int32)  {}
func (t *noKeyTable) appendKey(dst []byte, _ int32) []byte { return dst }
func (t *noKeyTable) reset()                               { t.n = 0 }
func (t *noKeyTable) close()                               { t.n = 0 }
