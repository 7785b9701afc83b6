package operators

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// spans holds, per key, spans of a line, each with the accumulators of its rows: sessions, which are spans of time, or panes of rows
// that were counted. The spans of a key neither overlap nor touch. They are chained in their order, and a finger per key remembers
// the one that was found last: finding one costs as many steps as it is away from the one before, none where rows come in order.
//
// A span that ends is only marked as dead, because accumulators can't forget one group; compact leaves the dead out. It is used
// by one goroutine at a time, but for reads.
type spans struct {
	mem  memory.Allocator
	keys []arrow.DataType
	aggs []AggSpec

	// pane numbers the keys in its table; its records and accumulators have a group per span.
	pane   *pane
	finger []int32 // per key: a span of it, -1 if it has none

	// Per span.
	starts, ends []int64
	keyOf        []int32
	before       []int32 // the span of the same key before it, -1 if none; of one that was merged, the one that it is part of
	after        []int32
	savedStarts  []int64 // where it began in the last Snapshot that had it, unsaved if none had it
	marks        []uint8

	live  int
	total int64 // rows of the live ones
	// touched are spans that changed since the last Snapshot, and maybe died.
	touched []int32
	// goneKeys and goneStarts are those of saved spans that are not there any more.
	goneKeys   []int32
	goneStarts []int64

	// merged are spans that became part of others, whose accumulators are still to be merged.
	merged  []int32
	roots   []int32
	scratch *pane
	numbers []int32
}

// The marks of a span.
const (
	isDead uint8 = 1 << iota
	isMerged
	isTouched
)

// unsaved is the saved start of a span that no Snapshot has had.
const unsaved = math.MinInt64

func newSpans(mem memory.Allocator, keys []arrow.DataType, aggs []AggSpec, room int) *spans {
	return &spans{mem: mem, keys: keys, aggs: aggs, pane: newPane(mem, keys, aggs, room)}
}

// lookup sets keys to the numbers of the keys of rows, as groupTable.lookup does.
func (s *spans) lookup(cols []arrow.Array, sel, keys []int32) {
	s.pane.table.lookup(cols, sel, keys)
	s.growKeys()
}

func (s *spans) growKeys() {
	n, old := s.pane.table.len(), len(s.finger)
	s.finger = batch.GrowSlice(s.mem, s.finger, max(n, old))
	for k := old; k < n; k++ {
		s.finger[k] = -1
	}
}

// place puts [start, end] among the spans of a key: it becomes part of those that it overlaps or touches, which become one, or a
// span of its own. The number that it returns is that of root once all rows of a batch are placed.
//
// With the spans 0-5 and 9-12, placing 5-9 makes one span 0-12: the second is merged into the first.
func (s *spans) place(key int32, start, end int64) int32 {
	at := s.finger[key]
	if at < 0 {
		return s.add(key, start, end, -1, -1)
	}
	for s.starts[at] > end && s.before[at] >= 0 {
		at = s.before[at]
	}
	for next := s.after[at]; next >= 0 && s.starts[next] <= end; next = s.after[at] {
		at = next
	}
	switch { // at is the last span that begins at or before end, or the first of all
	case s.starts[at] > end:
		return s.add(key, start, end, -1, at)
	case s.ends[at] < start:
		return s.add(key, start, end, at, s.after[at])
	}
	s.starts[at], s.ends[at] = min(s.starts[at], start), max(s.ends[at], end)
	for b := s.before[at]; b >= 0 && s.ends[b] >= s.starts[at]; b = s.before[at] {
		s.starts[b], s.ends[b] = min(s.starts[b], s.starts[at]), max(s.ends[b], s.ends[at])
		s.unlink(at)
		s.marks[at] |= isDead | isMerged
		s.before[at] = b
		s.merged = batch.AppendSlice(s.mem, s.merged, at)
		at = b
	}
	s.finger[key] = at
	s.touch(at)
	return at
}

// add makes a span between two others of its key, either of which may be -1.
func (s *spans) add(key int32, start, end int64, before, after int32) int32 {
	at := int32(len(s.starts))
	s.starts = batch.AppendSlice(s.mem, s.starts, start)
	s.ends = batch.AppendSlice(s.mem, s.ends, end)
	s.keyOf = batch.AppendSlice(s.mem, s.keyOf, key)
	s.before = batch.AppendSlice(s.mem, s.before, before)
	s.after = batch.AppendSlice(s.mem, s.after, after)
	s.savedStarts = batch.AppendSlice(s.mem, s.savedStarts, unsaved)
	s.marks = batch.AppendSlice(s.mem, s.marks, 0)
	if before >= 0 {
		s.after[before] = at
	}
	if after >= 0 {
		s.before[after] = at
	}
	s.finger[key] = at
	s.live++
	s.touch(at)
	return at
}

func (s *spans) touch(at int32) {
	if s.marks[at]&isTouched == 0 {
		s.marks[at] |= isTouched
		s.touched = batch.AppendSlice(s.mem, s.touched, at)
	}
}

// unlink takes a span out of the chain of its key, and notes that it is gone if a Snapshot has had it.
func (s *spans) unlink(at int32) {
	before, after := s.before[at], s.after[at]
	if before >= 0 {
		s.after[before] = after
	}
	if after >= 0 {
		s.before[after] = before
	}
	if key := s.keyOf[at]; s.finger[key] == at {
		s.finger[key] = after
		if after < 0 {
			s.finger[key] = before
		}
	}
	if s.savedStarts[at] != unsaved {
		s.goneKeys = batch.AppendSlice(s.mem, s.goneKeys, s.keyOf[at])
		s.goneStarts = batch.AppendSlice(s.mem, s.goneStarts, s.savedStarts[at])
	}
	s.live--
}

// end ends a span: its rows leave the state.
func (s *spans) end(at int32) (rows int64) {
	s.unlink(at)
	s.marks[at] |= isDead
	rows = s.pane.rec.rows(at)
	s.total -= rows
	return rows
}

// root returns the span that a span has become part of, or itself.
func (s *spans) root(at int32) int32 {
	for s.marks[at]&isMerged != 0 {
		at = s.before[at]
	}
	return at
}

// settle makes room for all spans, and leads the numbers that place returned to the spans that there are now.
func (s *spans) settle(placed []int32) {
	s.pane.growTo(len(s.starts))
	if len(s.merged) == 0 {
		return
	}
	for k, at := range placed {
		placed[k] = s.root(at)
	}
}

// mergeAccumulators adds what the spans had that became part of others. It follows the adding of rows that were placed.
func (s *spans) mergeAccumulators() {
	n := len(s.merged)
	if n == 0 {
		return
	}
	if s.scratch == nil {
		s.scratch = newPane(s.mem, nil, s.aggs, denseRoom)
	}
	s.roots = batch.GrowSlice(s.mem, s.roots, n)
	for k, at := range s.merged {
		s.roots[k] = s.root(at)
	}
	// Not at once: accumulators may move what they have while they take in more of it.
	all := s.upTo(n)
	s.scratch.reset()
	s.scratch.growTo(n)
	s.scratch.merge(s.pane, s.merged, all)
	s.pane.merge(s.scratch, all, s.roots)
	s.merged = s.merged[:0]
}

// upTo returns 0 to n-1.
func (s *spans) upTo(n int) []int32 {
	if len(s.numbers) < n {
		s.numbers = appendRange(s.mem, s.numbers, len(s.numbers), n)
	}
	return s.numbers[:n]
}

// first returns the first span of a key, -1 if it has none.
func (s *spans) first(key int32) int32 {
	at := s.finger[key]
	for at >= 0 && s.before[at] >= 0 {
		at = s.before[at]
	}
	return at
}

// appendLive appends the numbers of all spans that are not dead.
func (s *spans) appendLive(ids []int32) []int32 {
	for at, m := range s.marks {
		if m&isDead == 0 {
			ids = append(ids, int32(at))
		}
	}
	return ids
}

// compactPart is what compact takes for a shard: from a half to one and a half of the live spans.
func compactPart(shard int) float64 { return 0.5 + float64(shard)/NumShards }

// minDeadSpans is how many dead spans are left alone, whatever their part. The value is a choice, not a measurement.
const minDeadSpans = 256

// compact leaves dead spans out once they are more than part of the live ones, and keys without spans with them. Shards get
// different parts, so that they do not all do so in the same interval.
func (s *spans) compact(part float64) {
	n := len(s.starts)
	if dead := n - s.live; dead < minDeadSpans || float64(dead) < part*float64(s.live) {
		return
	}
	to := newSpans(s.mem, s.keys, s.aggs, denseRoom)
	keys := s.pane.table.len()
	newKeys := batch.MakeSlice[int32](s.mem, keys) // by old key, at first whether it is needed
	clear(newKeys)
	for _, k := range s.goneKeys {
		newKeys[k] = 1
	}
	ids := batch.MakeSlice[int32](s.mem, keys)[:0]
	for k, at := range s.finger {
		if at >= 0 || newKeys[k] != 0 {
			ids = append(ids, int32(k))
		}
	}
	found := batch.MakeSlice[int32](s.mem, len(ids))
	to.pane.table.lookupFrom(s.pane.table, ids, true, found)
	to.growKeys()
	live := batch.MakeSlice[int32](s.mem, s.live)[:0]
	for k, id := range ids {
		newKeys[id] = found[k]
		last := int32(-1)
		for at := s.first(id); at >= 0; at = s.after[at] {
			last = to.add(found[k], s.starts[at], s.ends[at], last, -1)
			to.savedStarts[last] = s.savedStarts[at]
			if s.marks[at]&isTouched == 0 {
				to.touched = to.touched[:len(to.touched)-1]
				to.marks[last] = 0
			}
			live = append(live, at)
		}
	}
	for i, k := range s.goneKeys {
		to.goneKeys = batch.AppendSlice(s.mem, to.goneKeys, newKeys[k])
		to.goneStarts = batch.AppendSlice(s.mem, to.goneStarts, s.goneStarts[i])
	}
	to.pane.growTo(len(to.starts))
	to.pane.merge(s.pane, live, to.upTo(len(live)))
	to.total = s.total
	for _, scratch := range [...][]int32{newKeys, ids, found, live} {
		batch.FreeSlice(s.mem, scratch)
	}
	s.close()
	*s = *to
}

// reset forgets everything. Memory is kept in proportion to what there was.
func (s *spans) reset() {
	s.pane.reset()
	s.starts, s.ends, s.savedStarts = shrink(s.mem, s.starts), shrink(s.mem, s.ends), shrink(s.mem, s.savedStarts)
	for _, p := range s.numbered() {
		*p = shrink(s.mem, *p)
	}
	s.goneStarts, s.marks = s.goneStarts[:0], shrink(s.mem, s.marks)
	s.live, s.total = 0, 0
}

// numbered returns what has numbers of keys or spans.
func (s *spans) numbered() [7]*[]int32 {
	return [...]*[]int32{&s.finger, &s.keyOf, &s.before, &s.after, &s.touched, &s.goneKeys, &s.merged}
}

// close releases all memory.
func (s *spans) close() {
	s.pane.close()
	if s.scratch != nil {
		s.scratch.close()
	}
	for _, p := range [...]*[]int64{&s.starts, &s.ends, &s.savedStarts, &s.goneStarts} {
		batch.FreeSlice(s.mem, *p)
		*p = nil
	}
	for _, p := range s.numbered() {
		batch.FreeSlice(s.mem, *p)
		*p = nil
	}
	batch.FreeSlice(s.mem, s.marks)
	batch.FreeSlice(s.mem, s.roots)
	batch.FreeSlice(s.mem, s.numbers)
	s.marks, s.roots, s.numbers = nil, nil, nil
}
