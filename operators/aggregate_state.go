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
	// progressTable has a row, progressBound: how far windows are closed. Without it a restart could not tell which windows of a pane
	// that is still needed have come out. Where Early is set it has two more: progressPassed, how far the watermark has come, and progressTick,
	// when running windows came out last.
	progressTable = "/progress"
	// sessionsTable has a row per session that is open.
	sessionsTable = "/sessions"
	// countsTable has a row per pane of rows that are counted.
	countsTable = "/counts"
)

// The ids of the rows of progressTable.
const (
	progressBound  = 0
	progressPassed = 1
	progressTick   = 2
)

// changedColumn has the end of the interval in which a group changed last, where Early is set: what changed after progressTick has
// not come out yet in windows that run.
const changedColumn = "changed"

// aggregateTables returns the tables that the aggregate keeps its state in.
func aggregateTables(name string, spec *AggregateSpec) []StateTable {
	if spec.Window != nil && spec.Window.Kind == SessionWindow {
		return []StateTable{spansTable(name+sessionsTable, spec, batch.Timestamp, true)}
	}
	if spec.Window != nil && spec.Window.Kind == CountWindow {
		return []StateTable{spansTable(name+countsTable, spec, batch.BigInt, false)}
	}
	fields := []arrow.Field{{Name: "start", Type: batch.Timestamp}}
	keys := []int{0}
	for i, t := range keyTypes(spec.Keys) {
		fields = append(fields, arrow.Field{Name: "key." + spec.KeyNames[i], Type: t, Nullable: true})
		keys = append(keys, i+1)
	}
	states, _ := stateFields(spec.Aggs)
	rows, owned := arrow.Field{Name: "rows", Type: batch.BigInt}, arrow.Field{Name: "owned", Type: batch.BigInt}
	if spec.Early != 0 {
		states = append([]arrow.Field{{Name: changedColumn, Type: batch.Timestamp}}, states...)
	}
	tables := []StateTable{
		{
			Name: name + panesTable, Schema: arrow.NewSchema(slices.Concat(fields, []arrow.Field{rows}, states), nil), Keys: keys,
			Version: 1, Meaning: meaningOf(spec).encode(),
		},
	}
	isSliding := spec.Window != nil && spec.Window.Size > spec.Window.Slide
	if isSliding {
		tables = append(tables, StateTable{
			Name: name + windowsTable, Schema: arrow.NewSchema(slices.Concat(fields, []arrow.Field{rows, owned}, states), nil),
			Keys: keys, Version: 1, Meaning: tables[0].Meaning,
		})
	} else if spec.Early == 0 {
		return tables
	}
	progress := meaning{Window: meaningOf(spec).Window}
	return append(tables, StateTable{
		Name: name + progressTable, Schema: progressSchema, Keys: []int{0}, Version: 1, Meaning: progress.encode(),
	})
}

var progressSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: batch.BigInt}, {Name: "bound", Type: batch.Timestamp},
}, nil)

// StateTables returns the tables of the state.
func (a *aggregate) StateTables() []StateTable { return a.tables }

// saver has the batches that Snapshot fills, by table, and the numbers of the groups that are saved, by shard.
type saver struct {
	upserts, deleted []*batch.Frame
	ids              [NumShards][]int32
}

func (s *saver) frames(mem memory.Allocator, tables []StateTable, table int) (upserts, deleted *batch.Frame) {
	if s.upserts == nil {
		for i := range tables {
			s.upserts = append(s.upserts, batch.NewFrame(mem, tables[i].Schema))
			s.deleted = append(s.deleted, batch.NewFrame(mem, tables[i].KeySchema()))
		}
	}
	return s.upserts[table], s.deleted[table]
}

func (s *saver) close(mem memory.Allocator) {
	for i := range s.upserts {
		s.upserts[i].Release()
		s.deleted[i].Release()
	}
	for i := range s.ids {
		batch.FreeSlice(mem, s.ids[i])
		s.ids[i] = nil
	}
}

// Snapshot gives what changed since the last one to put, in one call per table and shard.
func (a *aggregate) Snapshot(ctx context.Context, full bool, put func(table string, shard int, upserts, deletedKeys arrow.RecordBatch) error) error {
	return a.saver.saveShards(ctx, a, a.env.Mem, full, put)
}

// saveShards is Snapshot, by the SnapshotShard of op.
func (s *saver) saveShards(ctx context.Context, op ShardedState, mem memory.Allocator, full bool,
	put func(table string, shard int, upserts, deletedKeys arrow.RecordBatch) error,
) error {
	tables := op.StateTables()
	into := func(table int) (upserts, deleted *batch.Frame) { return s.frames(mem, tables, table) }
	for shard := range NumShards {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range tables {
			upserts, deleted := into(i)
			upserts.Reset(0)
			deleted.Reset(0)
		}
		op.SnapshotShard(shard, full, into)
		for i := range tables {
			upserts, deleted := into(i)
			if upserts.Len() == 0 && deleted.Len() == 0 {
				continue
			}
			if err := put(tables[i].Name, shard, upserts.Rows(), deleted.Rows()); err != nil {
				return err
			}
		}
	}
	return nil
}

// SnapshotShard is Snapshot for one shard. How far windows are closed goes with the first one.
func (a *aggregate) SnapshotShard(shard int, full bool, into func(table int) (upserts, deletedKeys *batch.Frame)) {
	a.saveShard(shard, 0, full, into)
	last := len(a.tables) - 1
	if last > 1 {
		a.saveShard(shard, 1, full, into)
	}
	if shard > 0 || last == 0 {
		return
	}
	upserts, _ := into(last)
	save := func(id int64, is batch.Time, saved *batch.Time) {
		if is == batch.MinTime || !full && is == *saved {
			return
		}
		upserts.Columns[0].AppendInt64(id)
		upserts.Columns[1].AppendInt64(int64(is))
		upserts.SetRows(upserts.Len() + 1)
		*saved = is
	}
	save(progressBound, a.bound, &a.savedBound)
	if a.spec.Early != 0 {
		save(progressPassed, a.passed, &a.savedPassed)
		save(progressTick, a.lastTick, &a.savedTick)
	}
}

// saveShard appends one shard's part of table 0 or 1. It touches nothing that is not the shard's.
func (a *aggregate) saveShard(index, table int, full bool, into func(table int) (upserts, deletedKeys *batch.Frame)) {
	sh := &a.shards[index]
	isApart := table == 1
	set, gone := &sh.panes, &sh.gone
	if isApart {
		set, gone = &sh.windows, &sh.goneWindows
	}
	if len(set.panes) == 0 && len(*gone) == 0 {
		return
	}
	upserts, deleted := into(table)
	ids := a.saver.ids[index]
	for _, p := range *gone {
		if !full {
			ids = appendRange(a.env.Mem, ids[:0], 0, p.numSaved)
			a.saveKeys(deleted, p, ids)
		}
		set.recycle(p)
	}
	*gone = (*gone)[:0]
	rows := 0
	for _, p := range set.panes {
		rows += p.numUnsaved(full)
	}
	upserts.Reset(rows) // one allocation, not one for each doubling
	upserts.Reset(0)
	for _, p := range set.panes {
		if p.numUnsaved(full) == 0 {
			continue
		}
		if full {
			ids = appendRange(a.env.Mem, ids[:0], 0, p.table.len())
		} else {
			ids = batch.AppendSlice(a.env.Mem, ids[:0], p.unsaved...)
			ids = appendRange(a.env.Mem, ids, p.numSaved, p.table.len())
		}
		a.saveGroups(upserts, p, ids, isApart)
		p.markSaved()
	}
	a.saver.ids[index] = ids
}

// appendRange appends from to to-1.
func appendRange(mem memory.Allocator, ids []int32, from, to int) []int32 {
	n := len(ids)
	ids = batch.GrowSlice(mem, ids, n+to-from)
	for i := range ids[n:] {
		ids[n+i] = int32(from + i)
	}
	return ids
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
		cols[0].AppendInt64(p.rec.rows(id))
	}
	cols = cols[1:]
	if hasOwned {
		for _, id := range ids {
			cols[0].AppendInt64(p.owned[id])
		}
		cols = cols[1:]
	}
	if a.spec.Early != 0 {
		for _, id := range ids {
			cols[0].AppendInt64(p.changedAt[id])
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
	switch {
	case at == 0:
		a.restoreGroups(sh, &sh.panes, cols, n, false)
	case at < len(a.tables)-1:
		a.restoreGroups(sh, &sh.windows, cols, n, true)
	default:
		a.restoreProgress(batch.Int64s(cols[0])[:n], batch.Int64s(cols[1])[:n]) // columns may be longer
	}
	a.dirty.Store(false)
	return nil
}

// restoreProgress takes rows of progressTable back.
func (a *aggregate) restoreProgress(ids, times []int64) {
	for i, id := range ids {
		switch at := batch.Time(times[i]); id {
		case progressBound:
			a.bound, a.savedBound = at, at
		case progressPassed:
			a.passed, a.savedPassed = at, at
		case progressTick:
			a.lastTick, a.savedTick = at, at
		}
	}
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

// restoreGroups puts n rows into their panes, a run of rows with the same start at a time. It touches nothing that is not the
// shard's.
func (a *aggregate) restoreGroups(sh *shard, set *paneSet, cols []arrow.Array, n int, hasOwned bool) {
	starts := batch.Int64s(cols[0])
	keys, cols := cols[1:1+len(a.keyTypes)], cols[1+len(a.keyTypes):]
	found := batch.MakeSlice[int32](a.env.Mem, n)
	defer batch.FreeSlice(a.env.Mem, found)
	foundIn := batch.MakeSlice[int32](a.env.Mem, n)
	defer batch.FreeSlice(a.env.Mem, foundIn)
	for from := 0; from < n; {
		rows := found[:0]
		for to := from; to < n && starts[to] == starts[from]; to++ {
			rows = append(rows, int32(to))
		}
		groups := foundIn[:len(rows)]
		p := set.at(starts[from])
		p.table.lookup(keys, rows, groups)
		p.grow()
		held := p.total
		a.restoreRows(p, cols, rows, groups, hasOwned)
		sh.held += p.total - held
		p.markSaved()
		if !hasOwned {
			a.noteLoose(sh, p)
		}
		from += len(rows)
	}
}

func (a *aggregate) restoreRows(p *pane, cols []arrow.Array, rows, groups []int32, hasOwned bool) {
	counts := batch.Int64s(cols[0])
	for k, g := range groups {
		if !hasOwned {
			p.total += counts[rows[k]] - p.rec.rows(g)
		}
		p.rec.words[int(g)*p.rec.width] = counts[rows[k]]
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
	if a.spec.Early != 0 {
		p.changedAt = growZero(p.mem, p.changedAt, p.table.len())
		changed := batch.Int64s(cols[0])
		for k, g := range groups {
			p.changedAt[g] = changed[rows[k]]
		}
		a.isRestored.Store(true)
		cols = cols[1:]
	}
	for i, acc := range p.accs {
		if acc != nil {
			acc.load(cols[:a.stateSizes[i]], rows, groups)
			cols = cols[a.stateSizes[i]:]
		}
	}
}
