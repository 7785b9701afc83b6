package operators

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// CollideAll makes all keys of tables that are made before restore is called have the same hash.
func CollideAll() (restore func()) {
	old := probeMask
	probeMask = 0
	return func() { probeMask = old }
}

// HashWord is the fast twin of Hash for nine bytes.
func HashWord(tag byte, v uint64) uint64 { return hashWord(tag, v) }

// TextGroups looks texts up in one table, first all of them, then those of sel, then all again, and returns their groups.
func TextGroups(texts *array.String, sel []int32) (all, selected, again []int32) {
	pool := batch.NewPool(0)
	t := newTextTable(pool, wideRoom)
	defer t.close()
	all, selected, again = make([]int32, texts.Len()), make([]int32, len(sel)), make([]int32, texts.Len())
	cols := []arrow.Array{texts}
	t.lookup(cols, nil, all)
	t.lookup(cols, sel, selected)
	t.lookup(cols, nil, again)
	return all, selected, again
}

// HashText is the fast twin of Hash for the canonical bytes of a text of 4 to 11 bytes.
func HashText(text []byte) uint64 {
	a, b := shortWords(text, 0, len(text))
	return hashText(a, b, uint64(len(text)))
}

// ScatterEarly makes partials scatter rows by shard from the given number of groups on, before restore is called, whatever the size
// of batches.
func ScatterEarly(groups int) (restore func()) {
	oldGroups, oldRows := scatterGroups, minScatterRows
	scatterGroups, minScatterRows = groups, 1
	return func() { scatterGroups, minScatterRows = oldGroups, oldRows }
}

// RenumberEarly makes shards renumber their shared keys from the given number of unused ones on, before restore is called.
func RenumberEarly(unused int) (restore func()) {
	old := minDead
	minDead = unused
	return func() { minDead = old }
}

// TidyEarly makes OVER and DISTINCT forget as soon as they have n rows or keys, until the returned function is called.
func TidyEarly(n int) (restore func()) {
	before := minTidy
	minTidy = n
	return func() { minTidy = before }
}
