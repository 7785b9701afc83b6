package operators

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// The tables of an aggregate's state, as parts of its name. Version is 1 for all.
const (
	// panesTable has a row per (pane, group).
	panesTable = "/panes"
	// windowsTable has a row per (window, group) of rows that are late for another of their windows.
	windowsTable = "/windows"
	// progressTable has one row: how far windows are closed. Without it a restart could not tell which windows of a pane that is
	// still needed have come out.
	progressTable = "/progress"
)

// aggregateTables returns the tables that the aggregate keeps its state in.
func aggregateTables(name string, spec *AggregateSpec) []StateTable {
	fields := []arrow.Field{{Name: "start", Type: batch.Timestamp}}
	keys := []int{0}
	for i, t := range keyTypes(spec.Keys) {
		fields = append(fields, arrow.Field{Name: "key." + spec.KeyNames[i], Type: t, Nullable: true})
		keys = append(keys, i+1)
	}
	states, _ := stateFields(spec.Aggs)
	rows, owned := arrow.Field{Name: "rows", Type: batch.BigInt}, arrow.Field{Name: "owned", Type: batch.BigInt}
	tables := []StateTable{
		{Name: name + panesTable, Schema: arrow.NewSchema(slices.Concat(fields, []arrow.Field{rows}, states), nil), Keys: keys, Version: 1},
	}
	if spec.Window == nil || spec.Window.Size <= spec.Window.Slide {
		return tables
	}
	tables = append(tables, StateTable{
		Name: name + windowsTable, Schema: arrow.NewSchema(slices.Concat(fields, []arrow.Field{rows, owned}, states), nil),
		Keys: keys, Version: 1,
	})
	return append(tables, StateTable{Name: name + progressTable, Schema: progressSchema, Keys: []int{0}, Version: 1})
}

var progressSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: batch.BigInt}, {Name: "bound", Type: batch.Timestamp},
}, nil)

// StateTables returns the tables of the state.
func (a *aggregate) StateTables() []StateTable { return a.tables }

// saver has the batches that Snapshot fills.
type saver struct {
	upserts, deleted map[string]*batch.Frame
	ids              []int32
}

func (s *saver) frames(mem memory.Allocator, t *StateTable) (upserts, deleted *batch.Frame) {
	if s.upserts == nil {
		s.upserts, s.deleted = make(map[string]*batch.Frame), make(map[string]*batch.Frame)
	}
	if s.upserts[t.Name] == nil {
		keys := make([]arrow.Field, len(t.Keys))
		for i, k := range t.Keys {
			keys[i] = t.Schema.Field(k)
		}
		s.upserts[t.Name] = batch.NewFrame(mem, t.Schema)
		s.deleted[t.Name] = batch.NewFrame(mem, arrow.NewSchema(keys, nil))
	}
	upserts, deleted = s.upserts[t.Name], s.deleted[t.Name]
	upserts.Reset(0)
	deleted.Reset(0)
	return upserts, deleted
}

func (s *saver) close() {
	for _, f := range s.upserts {
		f.Release()
	}
	for _, f := range s.deleted {
		f.Release()
	}
}

type putState = func(table string, shard int, upserts, deletedKeys arrow.RecordBatch) error

// Snapshot gives what changed since the last one to put, in one call per table and shard.
func (a *aggregate) Snapshot(ctx context.Context, full bool, put putState) error {
	for i := range a.shards {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.saveShard(&a.tables[0], i, false, full, put); err != nil {
			return err
		}
		if len(a.tables) == 1 {
			continue
		}
		if err := a.saveShard(&a.tables[1], i, true, full, put); err != nil {
			return err
		}
	}
	if len(a.tables) == 1 || a.bound == batch.MinTime || !full && a.bound == a.savedBound {
		return nil
	}
	upserts, _ := a.saver.frames(a.env.Mem, &a.tables[2])
	upserts.Columns[0].AppendInt64(0)
	upserts.Columns[1].AppendInt64(int64(a.bound))
	upserts.SetRows(1)
	a.savedBound = a.bound
	return put(a.tables[2].Name, 0, upserts.Rows(), nil)
}

// saveShard gives one shard's part of a table to put.
func (a *aggregate) saveShard(t *StateTable, index int, isApart, full bool, put putState) error {
	sh := &a.shards[index]
	set, gone := &sh.panes, &sh.gone
	if isApart {
		set, gone = &sh.windows, &sh.goneWindows
	}
	upserts, deleted := a.saver.frames(a.env.Mem, t)
	for _, p := range *gone {
		if !full {
			a.saver.ids = a.saver.ids[:0]
			for id, m := range p.marks {
				if m&isSaved != 0 {
					a.saver.ids = append(a.saver.ids, int32(id))
				}
			}
			a.saveKeys(deleted, p, a.saver.ids)
		}
		set.recycle(p)
	}
	*gone = (*gone)[:0]
	for _, p := range set.panes {
		ids := p.unsaved
		if full {
			ids = a.allIDs(p)
		}
		if len(ids) > 0 {
			a.saveGroups(upserts, p, ids, isApart)
			p.markSaved(ids)
		}
	}
	var up, del arrow.RecordBatch
	if upserts.Len() > 0 {
		up = upserts.Rows()
	}
	if deleted.Len() > 0 {
		del = deleted.Rows()
	}
	if up == nil && del == nil {
		return nil
	}
	return put(t.Name, index, up, del)
}

func (a *aggregate) saveKeys(f *batch.Frame, p *pane, ids []int32) {
	for range ids {
		f.Columns[0].AppendInt64(p.start)
	}
	p.table.appendKeys(f.Columns[1:1+len(a.keyTypes)], ids)
	f.SetRows(f.Len() + len(ids))
}

func (a *aggregate) saveGroups(f *batch.Frame, p *pane, ids []int32, hasOwned bool) {
	a.saveKeys(f, p, ids)
	cols := f.Columns[1+len(a.keyTypes):]
	for _, id := range ids {
		cols[0].AppendInt64(p.rows[id])
	}
	cols = cols[1:]
	if hasOwned {
		for _, id := range ids {
			cols[0].AppendInt64(p.owned[id])
		}
		cols = cols[1:]
	}
	for i, acc := range p.accs {
		if acc != nil {
			acc.save(cols[:a.stateSizes[i]], ids)
			cols = cols[a.stateSizes[i]:]
		}
	}
}

// markSaved notes that a Snapshot has had groups ids.
func (p *pane) markSaved(ids []int32) {
	p.marks = growZero(p.mem, p.marks, p.table.len())
	for _, id := range ids {
		p.marks[id] = p.marks[id]&^isUnsaved | isSaved
	}
	p.unsaved = p.unsaved[:0]
}

// Restore takes rows of a Snapshot back.
func (a *aggregate) Restore(_ context.Context, table string, index int, rows arrow.RecordBatch) error {
	at := slices.IndexFunc(a.tables, func(t StateTable) bool { return t.Name == table })
	if at < 0 {
		return fmt.Errorf("restore %s: no table of that name: %q", a.name, table)
	}
	if index < 0 || index >= NumShards {
		return fmt.Errorf("restore %s: shard %d of %d", table, index, NumShards)
	}
	cols, err := columnsByName(a.tables[at].Schema, rows)
	if err != nil {
		return fmt.Errorf("restore %s: %w", table, err)
	}
	n := int(rows.NumRows())
	if n == 0 {
		return nil
	}
	sh := &a.shards[index]
	switch at {
	case 0:
		a.restoreGroups(sh, &sh.panes, cols, n, false)
	case 1:
		a.restoreGroups(sh, &sh.windows, cols, n, true)
	default:
		a.bound = batch.Time(batch.Int64s(cols[1])[n-1])
		a.savedBound = a.bound
	}
	a.dirty.Store(false)
	return nil
}

// columnsByName returns the columns of rows in order of a schema.
func columnsByName(s *arrow.Schema, rows arrow.RecordBatch) ([]arrow.Array, error) {
	cols := make([]arrow.Array, s.NumFields())
	for i, f := range s.Fields() {
		found := rows.Schema().FieldIndices(f.Name)
		if len(found) == 0 {
			return nil, fmt.Errorf("column missing: %q", f.Name)
		}
		cols[i] = rows.Column(found[0])
		if have := cols[i].DataType(); batch.TypeName(have) != batch.TypeName(f.Type) {
			return nil, fmt.Errorf("column %q: want %s, got %s", f.Name, batch.TypeName(f.Type), batch.TypeName(have))
		}
	}
	return cols, nil
}

// restoreGroups puts n rows into their panes, a run of rows with the same start at a time.
func (a *aggregate) restoreGroups(sh *shard, set *paneSet, cols []arrow.Array, n int, hasOwned bool) {
	starts := batch.Int64s(cols[0])
	keys, cols := cols[1:1+len(a.keyTypes)], cols[1+len(a.keyTypes):]
	for from := 0; from < n; {
		to := from
		a.found = a.found[:0]
		for ; to < n && starts[to] == starts[from]; to++ {
			a.found = append(a.found, int32(to))
		}
		p := set.at(starts[from])
		a.foundIn = extendTo(a.foundIn, len(a.found))
		p.table.lookup(keys, a.found, a.foundIn)
		p.grow()
		held := p.total
		a.restoreRows(p, cols, a.found, a.foundIn, hasOwned)
		sh.held += p.total - held
		p.markSaved(a.foundIn)
		from = to
	}
}

func (a *aggregate) restoreRows(p *pane, cols []arrow.Array, rows, groups []int32, hasOwned bool) {
	counts := batch.Int64s(cols[0])
	for k, g := range groups {
		if !hasOwned {
			p.total += counts[rows[k]] - p.rows[g]
		}
		p.rows[g] = counts[rows[k]]
	}
	cols = cols[1:]
	if hasOwned {
		p.owned = growZero(p.mem, p.owned, p.table.len())
		owned := batch.Int64s(cols[0])
		for k, g := range groups {
			p.total += owned[rows[k]] - p.owned[g]
			p.owned[g] = owned[rows[k]]
		}
		cols = cols[1:]
	}
	for i, acc := range p.accs {
		if acc != nil {
			acc.load(cols[:a.stateSizes[i]], rows, groups)
			cols = cols[a.stateSizes[i]:]
		}
	}
}
