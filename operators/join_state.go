package operators

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// The columns of a join's state: the number of a row, whether it has matched, where that matters, and its columns.
const (
	joinRowColumn     = "row"
	joinMatchedColumn = "matched"
	joinColumnPrefix  = "column."
)

// joinTables returns the tables that a join keeps its state in, one per side: a row per row, under its number. Version is 1.
func joinTables(name string, spec *JoinSpec) []StateTable {
	if spec.PerInterval {
		return nil
	}
	if spec.AsOf {
		spec = spec.withSplits()
	}
	tables := make([]StateTable, 2)
	for side, part := range [...]string{"/left", "/right"} {
		fields := []arrow.Field{{Name: joinRowColumn, Type: batch.BigInt}}
		if spec.keepsMatches(side) {
			fields = append(fields, arrow.Field{Name: joinMatchedColumn, Type: batch.Boolean})
		}
		var columns []arrow.Field
		for _, c := range spec.kept(side) {
			f := spec.Inputs[side].Field(c)
			columns = append(columns, arrow.Field{Name: joinColumnPrefix + f.Name, Type: f.Type, Nullable: true})
		}
		fields = append(fields, uniqueNames(columns)...)
		tables[side] = StateTable{
			Name: name + part, Schema: arrow.NewSchema(fields, nil), Keys: []int{0}, Version: 1, Meaning: spec.meaning(part[1:]),
		}
	}
	return tables
}

// keepsMatches says whether the state has which rows of a side have matched. Those of a semi or anti join, or one as of a time, are gone then.
func (s *JoinSpec) keepsMatches(side int) bool {
	return s.isOuter(side) && s.Kind != AntiJoin && !s.AsOf
}

// meaning says what the rows of a side are kept for. A residual may change: pairs that were made stay made.
func (s *JoinSpec) meaning(side string) string {
	keys := make([]string, len(s.LeftKeys))
	for i := range keys {
		keys[i] = s.LeftKeys[i].String() + " = " + s.RightKeys[i].String()
	}
	text := fmt.Sprintf("the %s side of a %s join on %s", side, s.Kind, strings.Join(keys, " AND "))
	if t := s.Time; t != nil && s.AsOf {
		text += fmt.Sprintf(" as of %s, the latest by %s", s.Inputs[0].Field(t.Left).Name, s.Inputs[1].Field(t.Right).Name)
	} else if t != nil {
		text += fmt.Sprintf(" within %s - %s", s.Inputs[0].Field(t.Left).Name, s.Inputs[1].Field(t.Right).Name)
		if t.HasLower {
			text += " >= " + durationText(t.Lower)
		}
		if t.HasUpper {
			text += " <= " + durationText(t.Upper)
		}
	}
	return text
}

// StateTables returns the tables of the state.
func (j *join) StateTables() []StateTable { return j.tables }

// joinSaver has what Snapshot fills, of one side.
type joinSaver struct {
	rowSaver
	gone *batch.Frame // keys of rows that are to be deleted
}

func (s *joinSaver) close(mem memory.Allocator) {
	if s.gone != nil {
		s.gone.Release()
	}
	s.rowSaver.close(mem)
}

// Snapshot gives what changed since the last one to put, in one call per table and shard.
func (j *join) Snapshot(ctx context.Context, full bool, put func(table string, shard int, upserts, deletedKeys arrow.RecordBatch) error) error {
	j.index()
	for side := range j.sides {
		if err := j.saveSide(ctx, side, full, put); err != nil {
			return err
		}
	}
	return nil
}

func (j *join) saveSide(ctx context.Context, side int, full bool, put func(string, int, arrow.RecordBatch, arrow.RecordBatch) error) error {
	s, saver := &j.sides[side], &j.savers[side]
	saver.begin(j.mem, &j.tables[side])
	if saver.gone == nil {
		saver.gone = batch.NewFrame(j.mem, j.tables[side].KeySchema())
	}
	saver.gone.Reset(0)
	saver.shards = batch.GrowSlice(j.mem, saver.shards, s.len())
	add := func(row int32) {
		if s.marks[row]&rowGone == 0 {
			saver.ids = batch.AppendSlice(j.mem, saver.ids, row)
			saver.shards[row] = uint8(shardOfRow(s.numbers[row]))
		}
	}
	from := s.numSaved
	if full {
		from = 0
	} else {
		for _, row := range s.changed {
			add(row)
		}
		for _, n := range s.deleted {
			saver.gone.Columns[0].AppendInt64(n)
		}
		saver.gone.SetRows(len(s.deleted))
	}
	for row := from; row < s.len(); row++ {
		add(int32(row))
	}
	if err := saver.save(ctx, saver.gone, put, func(f *batch.Frame, rows []int32) { j.saveRows(f, side, rows) }); err != nil {
		return err
	}
	s.numSaved, s.changed, s.deleted = s.len(), s.changed[:0], s.deleted[:0]
	return nil
}

func (j *join) saveRows(f *batch.Frame, side int, rows []int32) {
	s, cols := &j.sides[side], f.Columns
	for _, row := range rows {
		cols[0].AppendInt64(s.numbers[row])
	}
	cols = cols[1:]
	if j.spec.keepsMatches(side) {
		for _, row := range rows {
			cols[0].AppendBool(s.marks[row]&rowMatched != 0)
		}
		cols = cols[1:]
	}
	for i, c := range cols {
		c.AppendFrom(s.frame.Columns[i], rows)
	}
}

// Restore takes rows of a Snapshot back.
func (j *join) Restore(ctx context.Context, table string, shard int, rows arrow.RecordBatch) error {
	side := slices.IndexFunc(j.tables, func(t StateTable) bool { return t.Name == table })
	if side < 0 {
		return fmt.Errorf("restore %s: no table of that name: %q", j.name, table)
	}
	if shard < 0 || shard >= NumShards {
		return fmt.Errorf("restore %s: shard %d of %d", table, shard, NumShards)
	}
	cols, err := columnsByName(j.tables[side].Schema, rows)
	if err != nil {
		return fmt.Errorf("restore %s: %w", table, err)
	}
	n := int(rows.NumRows())
	if n == 0 {
		return nil
	}
	s := &j.sides[side]
	if err := s.check(n); err != nil {
		return fmt.Errorf("restore %s: %w", table, err)
	}
	old := s.len()
	numbers, cols := batch.Int64s(cols[0]), cols[1:]
	var matched *array.Boolean
	if j.spec.keepsMatches(side) {
		matched, cols = cols[0].(*array.Boolean), cols[1:]
	}
	for i, c := range cols {
		s.frame.Columns[i].AppendArray(c, n, nil)
	}
	s.extend(n)
	for i := range n {
		s.numbers[old+i], s.next[old+i], s.marks[old+i] = numbers[i], -1, 0
		if matched != nil && matched.Value(i) {
			s.marks[old+i] = rowMatched
		}
		s.nextNumber = max(s.nextNumber, numbers[i]+1)
	}
	s.live += n
	j.isRestored = true
	if err := j.restoreKeys(ctx, s, cols, n); err != nil {
		return fmt.Errorf("restore %s: %w", table, err)
	}
	return nil
}

// restoreKeys sets the numbers of the keys of n rows that were restored last, from their columns.
func (j *join) restoreKeys(ctx context.Context, s *joinSide, cols []arrow.Array, n int) error {
	view := batch.NewView(s.frame.Schema())
	for i, c := range cols {
		view.Set(i, c)
	}
	view.SetRows(n)
	var fault string
	for i, e := range s.storedKeys {
		arr, err := e.Eval(ctx, batch.Batch{Rows: view}, func(_ int32, why string) { fault = why })
		if err != nil {
			return err
		}
		if fault != "" {
			return fmt.Errorf("the key of a kept row can't be computed: %s", fault)
		}
		j.keyColumns[i] = arr
	}
	j.keys.lookup(j.keyColumns, nil, s.group[s.len()-n:])
	j.growEnds()
	return nil
}

// index puts restored rows in the order in which they came, and makes the chains of their keys.
func (j *join) index() {
	if !j.isRestored {
		return
	}
	j.isRestored = false
	for i := range j.sides {
		s := &j.sides[i]
		j.moved = batch.GrowSlice(j.mem, j.moved, s.len())
		order := j.moved[:s.len()]
		for i := range order {
			order[i] = int32(i)
		}
		// A row that was given twice is what it was the last time.
		slices.SortFunc(order, func(a, b int32) int {
			return cmp.Or(cmp.Compare(s.numbers[a], s.numbers[b]), cmp.Compare(b, a))
		})
		order = slices.CompactFunc(order, func(a, b int32) bool { return s.numbers[a] == s.numbers[b] })
		s.take(order)
		s.numSaved = s.len()
		j.chain(i)
	}
	j.countUnused()
}

// countUnused counts the keys without rows.
func (j *join) countUnused() {
	j.unused = 0
	for i := 0; i < len(j.ends); i += 4 {
		if j.ends[i] < 0 && j.ends[i+2] < 0 {
			j.unused++
		}
	}
}

// Stats counts rows as groups, too: they are what is saved one by one.
func (j *join) Stats() StateStats {
	j.index()
	stats := StateStats{Bytes: j.mem.used.Load()}
	for i := range j.sides {
		s := &j.sides[i]
		stats.Rows += int64(s.live)
		stats.Retired += s.retired
		stats.Unsaved += int64(s.len() - s.numSaved + len(s.changed))
	}
	stats.Groups = stats.Rows
	return stats
}
