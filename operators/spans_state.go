package operators

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// spansTable returns a table of spans: their start, the keys, their end if hasEnd, the number of rows, and the state of
// the aggregates. A span is found by its start and its keys.
func spansTable(name string, spec *AggregateSpec, start arrow.DataType, hasEnd bool) StateTable {
	fields := []arrow.Field{{Name: "start", Type: start}}
	keys := []int{0}
	for i, t := range keyTypes(spec.Keys) {
		fields = append(fields, arrow.Field{Name: "key." + spec.KeyNames[i], Type: t, Nullable: true})
		keys = append(keys, i+1)
	}
	if hasEnd {
		fields = append(fields, arrow.Field{Name: "end", Type: start})
	}
	states, _ := stateFields(spec.Aggs)
	fields = append(slices.Concat(fields, []arrow.Field{{Name: "rows", Type: batch.BigInt}}), states...)
	return StateTable{Name: name, Schema: arrow.NewSchema(fields, nil), Keys: keys, Version: 1, Meaning: meaningOf(spec).encode()}
}

// numUnsaved returns at most how many spans the next save has.
func (s *spans) numUnsaved() int { return min(len(s.touched), s.live) }

// save appends the spans that changed since the last save, or all if full, and the keys of those that are gone.
func (s *spans) save(full, hasEnd bool, upserts, deleted *batch.Frame) {
	ids := s.appendChanged(batch.MakeSlice[int32](s.mem, max(len(s.touched), s.live))[:0], full)
	if !full {
		for i := range s.goneKeys {
			s.saveGone(deleted, s.goneKeys[i], s.goneStarts[i])
		}
		s.saveMoved(deleted, ids)
	}
	s.saveSpans(upserts, ids, hasEnd)
	s.markSaved(ids)
	batch.FreeSlice(s.mem, ids)
}

// saveByShard is save without ends, of a set that has the keys of all shards: put is called for each shard of which upserts and
// deleted have anything. ids is scratch.
func (s *spans) saveByShard(ctx context.Context, full bool, ids *[NumShards][]int32, upserts, deleted *batch.Frame, put func(shard int) error) error {
	shards := batch.MakeSlice[uint8](s.mem, s.pane.table.len())
	defer batch.FreeSlice(s.mem, shards)
	s.pane.table.shards(shards)
	changed := s.appendChanged(batch.MakeSlice[int32](s.mem, max(len(s.touched), s.live))[:0], full)
	defer func() { batch.FreeSlice(s.mem, changed) }()
	for i := range ids {
		ids[i] = ids[i][:0]
	}
	for _, at := range changed {
		shard := shards[s.keyOf[at]]
		ids[shard] = batch.AppendSlice(s.mem, ids[shard], at)
	}
	var gone [NumShards][]int32
	if !full {
		for i, k := range s.goneKeys {
			gone[shards[k]] = append(gone[shards[k]], int32(i))
		}
	}
	for shard := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		upserts.Reset(0)
		deleted.Reset(0)
		for _, i := range gone[shard] {
			s.saveGone(deleted, s.goneKeys[i], s.goneStarts[i])
		}
		s.saveSpans(upserts, ids[shard], false)
		if upserts.Len() == 0 && deleted.Len() == 0 {
			continue
		}
		if err := put(shard); err != nil {
			return err
		}
	}
	s.markSaved(changed)
	return nil
}

// appendChanged appends the spans that are to be saved.
func (s *spans) appendChanged(ids []int32, full bool) []int32 {
	if full {
		return s.appendLive(ids)
	}
	for _, at := range s.touched {
		if s.marks[at]&isDead == 0 {
			ids = append(ids, at)
		}
	}
	return ids
}

// saveMoved appends the keys under which spans are saved that begin earlier by now.
func (s *spans) saveMoved(deleted *batch.Frame, ids []int32) {
	for _, at := range ids {
		if was := s.savedStarts[at]; was != unsaved && was != s.starts[at] {
			s.saveGone(deleted, s.keyOf[at], was)
		}
	}
}

// markSaved notes that spans are saved, which are all that changed.
func (s *spans) markSaved(ids []int32) {
	for _, at := range s.touched {
		s.marks[at] &^= isTouched
	}
	s.touched, s.goneKeys, s.goneStarts = s.touched[:0], s.goneKeys[:0], s.goneStarts[:0]
	for _, at := range ids {
		s.savedStarts[at] = s.starts[at]
	}
}

// saveGone appends the key of a span that is not there any more, unless another one begins where it did.
func (s *spans) saveGone(deleted *batch.Frame, key int32, start int64) {
	for at := s.first(key); at >= 0; at = s.after[at] {
		if s.starts[at] == start {
			return
		}
	}
	deleted.Columns[0].AppendInt64(start)
	id := [1]int32{key}
	s.pane.table.appendKeys(deleted.Columns[1:], id[:])
	deleted.SetRows(deleted.Len() + 1)
}

func (s *spans) saveSpans(f *batch.Frame, ids []int32, hasEnd bool) {
	keys := batch.MakeSlice[int32](s.mem, len(ids))
	for k, at := range ids {
		keys[k] = s.keyOf[at]
		f.Columns[0].AppendInt64(s.starts[at])
	}
	s.pane.table.appendKeys(f.Columns[1:1+len(s.keys)], keys)
	batch.FreeSlice(s.mem, keys)
	cols := f.Columns[1+len(s.keys):]
	if hasEnd {
		for _, at := range ids {
			cols[0].AppendInt64(s.ends[at])
		}
		cols = cols[1:]
	}
	for _, at := range ids {
		cols[0].AppendInt64(s.pane.rec.rows(at))
	}
	cols = cols[1:]
	for _, acc := range s.pane.accs {
		if acc != nil {
			n := len(acc.state())
			acc.save(cols[:n], ids)
			cols = cols[n:]
		}
	}
	f.SetRows(f.Len() + len(ids))
}

// restore adds n spans that save wrote. endOf returns the end of the span of a row, where there is no column of ends.
func (s *spans) restore(cols []arrow.Array, n int, endOf func(i int) int64) {
	keys := batch.MakeSlice[int32](s.mem, n)
	s.lookup(cols[1:1+len(s.keys)], nil, keys)
	starts := batch.Int64s(cols[0])
	cols = cols[1+len(s.keys):]
	var ends []int64
	if endOf == nil {
		ends = batch.Int64s(cols[0])
		cols = cols[1:]
	}
	for i, key := range keys {
		if endOf == nil {
			keys[i] = s.place(key, starts[i], ends[i])
		} else {
			keys[i] = s.place(key, starts[i], endOf(i))
		}
	}
	s.settle(keys)
	rows := batch.Int64s(cols[0])
	cols = cols[1:]
	for i, at := range keys {
		s.pane.rec.words[int(at)*s.pane.rec.width] = rows[i]
		s.total += rows[i]
		s.savedStarts[at] = starts[i]
	}
	for _, acc := range s.pane.accs {
		if acc != nil {
			size := len(acc.state())
			acc.load(cols[:size], nil, keys)
			cols = cols[size:]
		}
	}
	for _, at := range s.touched {
		s.marks[at] &^= isTouched
	}
	s.touched = s.touched[:0]
	batch.FreeSlice(s.mem, keys)
}
