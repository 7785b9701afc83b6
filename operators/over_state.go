package operators

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// rowsTable has the rows that an over keeps, under numbers in the order in which they came. How far the watermark was is in a
// progressTable: rows before it have come out, but for those that wait for rows behind them. Version is 1 for both.
const rowsTable = "/rows"

// overTables returns the tables of the state: the id, the split, the numbers where there are functions for them, the columns of the input.
func overTables(name string, spec *OverSpec, schema *arrow.Schema) []StateTable {
	fields := []arrow.Field{{Name: "id", Type: batch.BigInt}, {Name: "split", Type: batch.BigInt}}
	if spec.hasNumbers() {
		for _, n := range []string{"number", "rank", "dense_rank"} {
			fields = append(fields, arrow.Field{Name: n, Type: batch.BigInt})
		}
	}
	taken := make(map[string]int)
	for _, f := range overInput(spec, schema).Fields() {
		column := "row." + f.Name
		if taken[f.Name]++; taken[f.Name] > 1 {
			column = fmt.Sprintf("row.%s#%d", f.Name, taken[f.Name])
		}
		fields = append(fields, arrow.Field{Name: column, Type: f.Type, Nullable: true})
	}
	text := spec.meaning()
	return []StateTable{
		{Name: name + rowsTable, Schema: arrow.NewSchema(fields, nil), Keys: []int{0}, Version: 1, Meaning: text},
		{Name: name + progressTable, Schema: progressSchema, Keys: []int{0}, Version: 1, Meaning: text},
	}
}

// StateTables returns the tables of the state.
func (o *over) StateTables() []StateTable { return o.tables }

// overChanges is what the next Snapshot has.
type overChanges struct {
	rows     []int32 // rows that came or were numbered since the last one, each once
	gone     *batch.Frame
	hasBound bool
	saver    rowSaver
	bound    *batch.Frame
}

// The marks of rows.
const (
	rowSaved uint8 = 1 << iota // a Snapshot has had it
	rowNoted                   // the next one has it
	rowLive                    // scratch of tidy
)

func (c *overChanges) note(o *over, row int32) {
	if o.kept.marks[row]&rowNoted == 0 {
		o.kept.marks[row] |= rowNoted
		c.rows = batch.AppendSlice(o.mem, c.rows, row)
	}
}

// drop notes the end of a row.
func (c *overChanges) drop(o *over, row int32) {
	if o.kept.marks[row]&rowSaved != 0 {
		c.gone.Columns[0].AppendInt64(o.kept.ids[row])
		c.gone.SetRows(c.gone.Len() + 1)
	}
}

func (c *overChanges) close(mem *meter) {
	c.gone.Release()
	c.saver.close(mem)
	if c.bound != nil {
		c.bound.Release()
	}
	batch.FreeSlice(mem, c.rows)
	c.rows = nil
}

// Snapshot gives the rows that came, went or were numbered since the last one to put.
func (o *over) Snapshot(ctx context.Context, full bool, put func(table string, shard int, upserts, deletedKeys arrow.RecordBatch) error) error {
	o.settle()
	c, s := &o.changes, &o.changes.saver
	s.begin(o.mem, &o.tables[0])
	if full {
		c.gone.Reset(0)
		s.ids = appendRange(o.mem, s.ids, 0, o.rows.Len())
	} else {
		s.ids = batch.AppendSlice(o.mem, s.ids, c.rows...)
	}
	s.shards = batch.GrowSlice(o.mem, s.shards, o.rows.Len())
	for _, row := range s.ids {
		s.shards[row] = uint8(shardOfRow(o.kept.ids[row]))
	}
	if err := s.save(ctx, c.gone, put, o.fill); err != nil {
		return err
	}
	for _, row := range s.ids {
		o.kept.marks[row] = rowSaved
	}
	c.rows = c.rows[:0]
	c.gone.Reset(0)
	if o.bound == batch.MinTime || !full && !c.hasBound {
		return nil
	}
	if c.bound == nil {
		c.bound = batch.NewFrame(o.mem, progressSchema)
	}
	c.bound.Reset(0)
	c.bound.Columns[0].AppendInt64(0)
	c.bound.Columns[1].AppendInt64(int64(o.bound))
	c.bound.SetRows(1)
	c.hasBound = false
	return put(o.tables[1].Name, 0, c.bound.Rows(), nil)
}

// fill appends rows to a frame of the table.
func (o *over) fill(f *batch.Frame, rows []int32) {
	cols := f.Columns
	lists := [][]int64{o.kept.ids, o.kept.splits}
	if o.numbers {
		lists = append(lists, o.kept.number, o.kept.rank, o.kept.rise)
	}
	for i, list := range lists {
		for _, row := range rows {
			cols[i].AppendInt64(list[row])
		}
	}
	for i, col := range o.rows.Rows().Columns() {
		cols[len(lists)+i].AppendArray(col, len(rows), rows)
	}
}

// Restore takes rows of a Snapshot back. They are put in order when the first of anything else is asked for.
func (o *over) Restore(ctx context.Context, table string, _ int, rows arrow.RecordBatch) error {
	at := slices.IndexFunc(o.tables, func(t StateTable) bool { return t.Name == table })
	if at < 0 {
		return fmt.Errorf("restore %s: no table of that name: %q", o.name, table)
	}
	cols, err := columnsByName(o.tables[at].Schema, rows)
	if err != nil {
		return fmt.Errorf("restore %s: %w", table, err)
	}
	n := int(rows.NumRows())
	switch {
	case n == 0:
		return nil
	case at == 1:
		o.bound, o.isRestored = batch.Time(batch.Int64s(cols[1])[n-1]), true
		return nil
	}
	ids, splits := batch.Int64s(cols[0]), batch.Int64s(cols[1])
	cols = cols[2:]
	var numbers [3][]int64
	if o.numbers {
		for i := range numbers {
			numbers[i] = batch.Int64s(cols[i])
		}
		cols = cols[len(numbers):]
	}
	view := batch.NewView(o.inSchema)
	for i, col := range cols {
		view.Set(i, col)
	}
	view.SetRows(n)
	in := batch.Batch{Rows: view}
	note := func(int32, string) {} // what could be computed once can be again
	for i, e := range o.partition {
		if o.keyArrs[i], err = e.Eval(ctx, in, note); err != nil {
			return fmt.Errorf("restore %s: %w", table, err)
		}
	}
	o.groups = batch.GrowSlice(o.mem, o.groups, n)
	o.lookup(o.keyArrs, nil)
	times, err := o.time.Eval(ctx, in, note)
	if err != nil {
		return fmt.Errorf("restore %s: %w", table, err)
	}
	from := o.rows.Len()
	o.rows.AppendBatch(in)
	o.kept.grow(o.mem, o.rows.Len())
	for k := range n {
		row := from + k
		o.kept.begin(row, batch.Int64s(times)[k], ids[k], splits[k], o.groups[k])
		o.kept.marks[row] = rowSaved
		o.nextID = max(o.nextID, ids[k]+1)
		if o.numbers {
			o.kept.number[row], o.kept.rank[row], o.kept.rise[row] = numbers[0][k], numbers[1][k], numbers[2][k]
		}
	}
	o.isRestored = true
	return nil
}

// settle puts restored rows in order.
func (o *over) settle() {
	if !o.isRestored {
		return
	}
	o.isRestored = false
	k := &o.kept
	all := appendRange(o.mem, nil, 0, o.rows.Len())
	o.sort(all)
	passed := 0
	for ; passed < len(all) && (o.spec.Arrival || batch.Time(k.times[all[passed]]) < o.bound); passed++ {
		row := all[passed]
		number, rank, rise := k.number[row], k.rank[row], k.rise[row]
		o.link(row)
		if k.before[row] == noRow && number > 0 {
			k.number[row], k.rank[row], k.rise[row] = number, rank, rise
		}
	}
	k.findPeers(all[:passed])
	if o.after > 0 {
		o.pending = batch.AppendSlice(o.mem, o.pending[:0], all[:passed]...)
		o.takeDue() // they have come out before
	}
	o.waiting = batch.AppendSlice(o.mem, o.waiting[:0], all[passed:]...)
	o.tidyAt = max(minTidy, len(all)+len(all)/4)
	batch.FreeSlice(o.mem, all)
}

// forget drops all rows: their input has ended.
func (o *over) forget() {
	for row := range int32(o.rows.Len()) {
		o.changes.drop(o, row)
	}
	o.retired += int64(o.rows.Len())
	o.rows.Reset(0)
	o.kept.grow(o.mem, 0)
	o.kept.marks = o.kept.marks[:0]
	o.keys.reset()
	o.last, o.waiting, o.pending, o.changes.rows = o.last[:0], o.waiting[:0], o.pending[:0], o.changes.rows[:0]
}

// tidy drops the rows that no later one depends on, if these are half of all. It costs O(rows), at most once for a quarter of
// them that is new.
func (o *over) tidy() {
	k, n := &o.kept, o.rows.Len()
	for _, row := range o.waiting {
		k.marks[row] |= rowLive
	}
	for g := range int32(len(o.last)) {
		o.cut(g)
	}
	live := batch.MakeSlice[int32](o.mem, n)[:0]
	for row := range int32(n) {
		if k.marks[row]&rowLive != 0 {
			live = append(live, row)
			k.marks[row] &^= rowLive
		}
	}
	if len(live) <= n/2 {
		o.keep(live)
		n = len(live)
	}
	o.tidyAt = max(minTidy, n+n/4)
	batch.FreeSlice(o.mem, live)
}

// cut marks the rows of a partition that later ones depend on, and lets go of those before.
func (o *over) cut(group int32) {
	k := &o.kept
	oldest := o.oldestPending(group, o.bound).Sub(o.after)
	since := int64(oldest.Sub(o.spec.Frame.Range))
	row, later, depth := o.last[group], int32(noRow), int64(0)
	for row != noRow {
		if isPending := o.after > 0 && batch.Time(k.times[row]) >= oldest; !isPending {
			if depth >= o.lead+o.back && (!o.isByTime || k.times[row] < since) {
				break
			}
			depth++
		}
		k.marks[row] |= rowLive
		later, row = row, k.before[row]
	}
	switch {
	case row == noRow:
	case later == noRow:
		o.last[group] = noRow
	default:
		k.before[later] = noRow
	}
}

// keep leaves only the rows live, which are in order of their places.
func (o *over) keep(live []int32) {
	k, n := &o.kept, o.rows.Len()
	moved := batch.MakeSlice[int32](o.mem, n)
	for row := range moved {
		moved[row] = noRow
	}
	for to, row := range live {
		moved[row] = int32(to)
	}
	for row, to := range moved {
		if to == noRow {
			o.changes.drop(o, int32(row))
		}
	}
	o.retired += int64(n - len(live))
	o.changes.rows = remapRows(o.changes.rows, moved)
	o.waiting = remapRows(o.waiting, moved)
	o.pending = remapRows(o.pending, moved)
	rows := batch.NewFrame(o.mem, o.inSchema)
	rows.AppendBatch(batch.Batch{Rows: o.rows.Rows(), Sel: live})
	o.rows.Release()
	o.rows = rows
	for to, row := range live {
		k.times[to], k.ids[to], k.splits[to] = k.times[row], k.ids[row], k.splits[row]
		k.group[to], k.marks[to] = k.group[row], k.marks[row]
		k.number[to], k.rank[to], k.rise[to] = k.number[row], k.rank[row], k.rise[row]
		k.peer[to], k.before[to] = moved[k.peer[row]], noRow
		if before := k.before[row]; before != noRow {
			k.before[to] = moved[before]
		}
		next := k.next[row]
		if next != noRow {
			next = moved[next]
		}
		k.next[to] = next
	}
	k.grow(o.mem, len(live))
	k.marks = k.marks[:len(live)]
	o.keepPartitions(moved)
	batch.FreeSlice(o.mem, moved)
}

// keepPartitions leaves only the partitions that have rows. The last rows of partitions are still where they were before moved.
func (o *over) keepPartitions(moved []int32) {
	k := &o.kept
	places := batch.MakeSlice[int32](o.mem, len(o.last))
	for g := range places {
		places[g] = noRow
	}
	ids := batch.MakeSlice[int32](o.mem, len(o.last))[:0]
	for _, g := range k.group[:o.rows.Len()] {
		if places[g] == noRow {
			places[g] = int32(len(ids))
			ids = append(ids, g)
		}
	}
	keys := newGroupTable(o.mem, o.types, denseRoom)
	groups := batch.MakeSlice[int32](o.mem, len(ids))
	last := batch.MakeSlice[int32](o.mem, len(ids))
	keys.lookupFrom(o.keys, ids, true, groups)
	for i, g := range ids {
		at := o.last[g]
		if at != noRow {
			at = moved[at]
		}
		last[groups[i]] = at
	}
	for row, g := range k.group[:o.rows.Len()] {
		k.group[row] = groups[places[g]]
	}
	o.keys.close()
	batch.FreeSlice(o.mem, o.last)
	batch.FreeSlice(o.mem, places)
	batch.FreeSlice(o.mem, ids)
	batch.FreeSlice(o.mem, groups)
	o.keys, o.last = keys, last
}

// remapRows returns rows where they moved, without those that are gone.
func remapRows(rows, moved []int32) []int32 {
	left := rows[:0]
	for _, row := range rows {
		if moved[row] != noRow {
			left = append(left, moved[row])
		}
	}
	return left
}
