package operators

import (
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
	ids := batch.MakeSlice[int32](s.mem, max(len(s.touched), s.live))[:0]
	if full {
		ids = s.appendLive(ids)
	} else {
		for i, k := range s.goneKeys {
			s.saveGone(deleted, k, s.goneStarts[i])
		}
		for _, at := range s.touched {
			if s.marks[at]&isDead != 0 {
				continue
			}
			if was := s.savedStarts[at]; was != unsaved && was != s.starts[at] {
				s.saveGone(deleted, s.keyOf[at], was)
			}
			ids = append(ids, at)
		}
	}
	s.goneKeys, s.goneStarts = s.goneKeys[:0], s.goneStarts[:0]
	for _, at := range s.touched {
		s.marks[at] &^= isTouched
	}
	s.touched = s.touched[:0]
	s.saveSpans(upserts, ids, hasEnd)
	for _, at := range ids {
		s.savedStarts[at] = s.starts[at]
	}
	batch.FreeSlice(s.mem, ids)
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

// restore adds n spans that save wrote. endOf returns the end of the span that begins at a start, where there is no column of ends.
func (s *spans) restore(cols []arrow.Array, n int, endOf func(start int64) int64) {
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
			keys[i] = s.place(key, starts[i], endOf(starts[i]))
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
