package operators

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// matchTables returns the table that the rows are kept in that may still be part of a match: their number, time and split, the
// partition's keys and the values that are looked at. Where a search stands is not kept: it begins again with the first row.
func matchTables(name string, spec *MatchSpec) []StateTable {
	fields := []arrow.Field{{Name: "row", Type: batch.BigInt}, {Name: "time", Type: batch.Timestamp}, {Name: "split", Type: batch.BigInt}}
	for i, t := range keyTypes(spec.PartitionBy) {
		fields = append(fields, arrow.Field{Name: "key." + spec.PartitionNames[i], Type: t, Nullable: true})
	}
	fields = append(fields, matchValueFields(spec)...)
	return []StateTable{{
		Name: name + "/rows", Schema: arrow.NewSchema(fields, nil), Keys: []int{0}, Version: 1, Meaning: spec.String(),
	}}
}

// matchValueFields returns the columns of the values that are looked at.
func matchValueFields(spec *MatchSpec) []arrow.Field {
	var fields []arrow.Field
	for i, t := range keyTypes(spec.Values) {
		fields = append(fields, arrow.Field{Name: fmt.Sprintf("value%d.%s", i, spec.Values[i]), Type: t, Nullable: true})
	}
	return fields
}

// StateTables returns the tables of the state.
func (m *match) StateTables() []StateTable { return m.tables }

// Snapshot gives rows that came and rows that are gone to put.
func (m *match) Snapshot(ctx context.Context, full bool, put func(table string, shard int, upserts, deletedKeys arrow.RecordBatch) error) error {
	s := &m.store
	m.saver.begin(m.mem, &m.tables[0])
	from := s.unsaved
	if full {
		from = 0
		s.gone.Reset(0)
	}
	m.saver.shards = batch.GrowSlice(m.mem, m.saver.shards, len(s.times))
	for row := from; row < len(s.times); row++ {
		if s.numbers[row] >= 0 {
			m.saver.ids = batch.AppendSlice(m.mem, m.saver.ids, int32(row))
			m.saver.shards[row] = uint8(shardOfRow(s.numbers[row]))
		}
	}
	if err := m.saver.save(ctx, s.gone, put, m.saveRows); err != nil {
		return err
	}
	s.unsaved = len(s.times)
	s.gone.Reset(0)
	return nil
}

func (m *match) saveRows(f *batch.Frame, rows []int32) {
	m.groups = m.groups[:0]
	for _, row := range rows {
		f.Columns[0].AppendInt64(m.store.numbers[row])
		f.Columns[1].AppendInt64(m.store.times[row])
		f.Columns[2].AppendInt64(m.store.splits[row])
		m.groups = append(m.groups, m.store.groups[row])
	}
	keys := len(m.keys)
	m.table.appendKeys(f.Columns[3:3+keys], m.groups)
	values := m.store.values.Rows()
	for i, c := range f.Columns[3+keys:] {
		c.AppendArray(values.Column(i), 0, rows)
	}
}

// Restore stores rows again.
func (m *match) Restore(ctx context.Context, _ string, _ int, rows arrow.RecordBatch) error {
	n := int(rows.NumRows())
	keys := len(m.keys)
	for i := range keys {
		m.keyCols[i] = rows.Column(3 + i)
	}
	for i := range m.values {
		m.valueCols[i] = rows.Column(3 + keys + i)
	}
	sel := make([]int32, n)
	for i := range sel {
		sel[i] = int32(i)
	}
	m.groups = slices.Grow(m.groups[:0], n)[:n]
	m.table.lookup(m.keyCols, nil, m.groups)
	m.addParts()
	next := m.store.next
	first := m.store.append(rows.Column(1), m.valueCols, sel, m.groups, 0)
	copy(m.store.splits[first:], batch.Int64s(rows.Column(2))[:n])
	copy(m.store.numbers[first:], batch.Int64s(rows.Column(0))[:n])
	m.store.next = next
	for _, number := range m.store.numbers[first:] {
		m.store.next = max(m.store.next, number+1)
	}
	m.store.unsaved = len(m.store.times)
	if err := m.search.classify(ctx, &m.store, m.valueCols, n, sel, first); err != nil {
		return err
	}
	for k, g := range m.groups {
		m.parts[g].add(first+int32(k), m.store.times[first+int32(k)])
	}
	return nil
}

// Stats returns what is held.
func (m *match) Stats() StateStats {
	st := StateStats{Rows: int64(m.store.live), Retired: m.retired, Bytes: m.store.bytes()}
	for g := range m.parts {
		if len(m.parts[g].rows) > 0 {
			st.Groups++
		}
	}
	for _, number := range m.store.numbers[m.store.unsaved:] {
		if number >= 0 {
			st.Unsaved++
		}
	}
	return st
}
