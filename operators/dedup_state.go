package operators

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// keysTable has a row per known key of a dedup. Version is 1.
const keysTable = "/keys"

// dedupTables returns the table that the keys are kept in: the keys, and the last time that each is known at, NULL for ever.
func dedupTables(name string, spec *DedupSpec) []StateTable {
	var fields []arrow.Field
	var keys []int
	m := meaning{Kind: "distinct"}
	for i, t := range keyTypes(spec.Keys) {
		fields = append(fields, arrow.Field{Name: "key." + spec.KeyNames[i], Type: t, Nullable: true})
		keys = append(keys, i)
		m.Keys = append(m.Keys, keyMeaning{Name: spec.KeyNames[i], Expr: spec.Keys[i].String(), Type: batch.TypeName(t)})
	}
	fields = append(fields, arrow.Field{Name: "last", Type: batch.Timestamp, Nullable: true})
	if spec.Time != nil {
		m.Detail = "by " + spec.Time.String()
		if spec.Within >= 0 {
			m.Detail = "within " + durationText(spec.Within) + " of " + spec.Time.String()
		}
	}
	return []StateTable{{Name: name + keysTable, Schema: arrow.NewSchema(fields, nil), Keys: keys, Version: 1, Meaning: m.encode()}}
}

// StateTables returns the table of the state.
func (d *dedup) StateTables() []StateTable { return d.tables }

// Snapshot gives the keys that came, went or are known for another time since the last one to put, in one call per shard.
func (d *dedup) Snapshot(ctx context.Context, full bool, put func(table string, shard int, upserts, deletedKeys arrow.RecordBatch) error) error {
	n := d.known.len()
	s := &d.saver
	s.begin(d.mem, &d.tables[0])
	from := d.numSaved
	if full {
		from = 0
		d.gone.Reset(0)
	} else {
		slices.Sort(d.changed)
		s.ids = batch.AppendSlice(d.mem, s.ids, slices.Compact(d.changed)...)
	}
	s.ids = appendRange(d.mem, s.ids, from, n)
	if len(s.ids) > 0 {
		s.shards = batch.GrowSlice(d.mem, s.shards, n)
		d.known.shards(s.shards)
	}
	err := s.save(ctx, d.gone, put, func(f *batch.Frame, ids []int32) {
		keys := len(d.types)
		d.known.appendKeys(f.Columns[:keys], ids)
		for _, id := range ids {
			if d.time == nil || batch.Time(d.last[id]) == batch.MaxTime {
				f.Columns[keys].AppendNull()
			} else {
				f.Columns[keys].AppendInt64(d.last[id])
			}
		}
	})
	if err != nil {
		return err
	}
	d.numSaved, d.changed = n, d.changed[:0]
	d.gone.Reset(0)
	return nil
}

// Restore takes rows of a Snapshot back.
func (d *dedup) Restore(_ context.Context, table string, _ int, rows arrow.RecordBatch) error {
	if table != d.tables[0].Name {
		return fmt.Errorf("restore %s: no table of that name: %q", d.name, table)
	}
	cols, err := columnsByName(d.tables[0].Schema, rows)
	if err != nil {
		return fmt.Errorf("restore %s: %w", table, err)
	}
	n := int(rows.NumRows())
	if n == 0 {
		return nil
	}
	keys := len(d.types)
	d.groups = batch.GrowSlice(d.mem, d.groups, n)
	d.known.lookup(cols[:keys], nil, d.groups)
	d.numSaved = d.known.len()
	d.tidyAt = max(minTidy, d.numSaved+d.numSaved/4)
	if d.time == nil {
		return nil
	}
	d.last = batch.GrowSlice(d.mem, d.last, d.numSaved)
	last := batch.Int64s(cols[keys])
	for k, g := range d.groups {
		d.last[g] = int64(batch.MaxTime)
		if cols[keys].IsValid(k) {
			d.last[g] = last[k]
		}
		d.farthest = max(d.farthest, d.last[g])
	}
	return nil
}
