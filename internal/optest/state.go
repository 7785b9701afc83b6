package optest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// snapshotMode says when the state is taken, and given to a new operator.
type snapshotMode uint8

const (
	neverRestored  snapshotMode = iota
	fullEach                    // a full Snapshot after every interval, restored in one call per shard
	changesEach                 // changes after every interval, restored in calls of one row
	changesTwo                  // changes after every interval, restored after every second
	changesSkipped              // changes and restore after every second interval only
)

var allSnapshotModes = []snapshotMode{neverRestored, fullEach, changesEach, changesTwo, changesSkipped}

func (m snapshotMode) String() string {
	return [...]string{
		"never restored", "full, restored after every interval", "changes, restored after every interval",
		"changes of every interval, restored after every second", "changes of two intervals, restored after them",
	}[m]
}

// State keeps the state of an operator as the checkpoint does: rows by table, shard and key, the last one wins. The zero value is
// empty. It is used by one goroutine at a time.
type State struct {
	tables []operators.StateTable
	rows   map[place]map[string]arrow.RecordBatch // by the key's text, of one row each
}

type place struct {
	table string
	shard int
}

// Save calls Snapshot and applies it. A full one replaces everything.
func (s *State) Save(ctx context.Context, op operators.Stateful, full bool) error {
	tables := op.StateTables()
	if s.tables != nil && !sameTables(s.tables, tables) {
		return errors.New("StateTables changed")
	}
	s.tables = tables
	if full || s.rows == nil {
		s.rows = map[place]map[string]arrow.RecordBatch{}
	}
	return op.Snapshot(ctx, full, func(table string, shard int, upserts, deletedKeys arrow.RecordBatch) error {
		i := slices.IndexFunc(tables, func(t operators.StateTable) bool { return t.Name == table })
		if i < 0 || shard < 0 || shard >= operators.NumShards {
			return fmt.Errorf("snapshot of unknown table or shard: table %q, shard %d", table, shard)
		}
		at := place{table, shard}
		if s.rows[at] == nil {
			s.rows[at] = map[string]arrow.RecordBatch{}
		}
		if deletedKeys != nil {
			if full && deletedKeys.NumRows() > 0 {
				return errors.New("full snapshot with deleted keys")
			}
			all := make([]int, deletedKeys.NumCols())
			for k := range all {
				all[k] = k
			}
			for r := range deletedKeys.NumRows() {
				delete(s.rows[at], keyText(deletedKeys, all, int(r)))
			}
		}
		if upserts == nil || upserts.NumRows() == 0 {
			return nil
		}
		if !upserts.Schema().Equal(tables[i].Schema) {
			return fmt.Errorf("snapshot of table %q: schema is not that of StateTables: %s", table, upserts.Schema())
		}
		return s.upsert(at, tables[i].Keys, upserts)
	})
}

func (s *State) upsert(at place, keys []int, rows arrow.RecordBatch) error {
	seen := map[string]bool{}
	for r := range rows.NumRows() {
		one, err := copyRows(rows, r, r+1)
		if err != nil {
			return err
		}
		key := keyText(one, keys, 0)
		if seen[key] {
			return fmt.Errorf("snapshot of table %q: two rows with key %s", at.table, key)
		}
		seen[key] = true
		s.rows[at][key] = one
	}
	return nil
}

// Load gives the state to a new operator, in one call per table and shard or in one per row, and checks that a full Snapshot
// of it is the same state.
func (s *State) Load(ctx context.Context, op operators.Stateful, rowByRow bool) error {
	for at, rows := range s.rows {
		var keys []string
		for key := range rows {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for len(keys) > 0 {
			n := len(keys)
			if rowByRow {
				n = 1
			}
			records := make([]arrow.RecordBatch, 0, n)
			for _, key := range keys[:n] {
				records = append(records, rows[key])
			}
			keys = keys[n:]
			stale := zeroRow(records[0].Schema()) // stands behind the rows: columns may be longer than the batch
			all, err := concat(append(records, stale))
			stale.Release()
			if err != nil {
				return err
			}
			view := batch.NewView(all.Schema())
			for i, c := range all.Columns() {
				view.Set(i, c)
			}
			view.SetRows(n)
			err = op.Restore(ctx, at.table, at.shard, view)
			all.Release()
			if err != nil {
				return fmt.Errorf("restore: %w", err)
			}
		}
	}
	again := &State{tables: s.tables}
	if err := again.Save(ctx, op, true); err != nil {
		return err
	}
	if got, want := again.text(), s.text(); got != want {
		return fmt.Errorf("full snapshot after restore is another state (-want +got)\n%s", diff(want, got))
	}
	return nil
}

// zeroRow returns a row of zeros and empty texts.
func zeroRow(schema *arrow.Schema) arrow.RecordBatch {
	pool := batch.NewPool(0)
	f := batch.NewFrame(pool, schema)
	defer f.Release()
	for _, c := range f.Columns {
		switch c.Type().ID() {
		case arrow.INT64, arrow.TIMESTAMP:
			c.AppendInt64(0)
		case arrow.FLOAT64:
			c.AppendFloat64(0)
		case arrow.BOOL:
			c.AppendBool(false)
		case arrow.STRING:
			c.AppendString("")
		default:
			c.AppendNull()
		}
	}
	f.SetRows(1)
	return batch.Copy(pool, batch.Batch{Rows: f.Rows()})
}

// text returns the rows of the state in a fixed order.
func (s *State) text() string {
	var lines []string
	for at, rows := range s.rows {
		for _, row := range rows {
			var line strings.Builder
			fmt.Fprintf(&line, "%s %2d:", at.table, at.shard)
			for _, col := range row.Columns() {
				line.WriteString(" " + valueText(col, 0))
			}
			lines = append(lines, line.String()+"\n")
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func keyText(rows arrow.RecordBatch, keys []int, r int) string {
	var text strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&text, "%s ", valueText(rows.Column(k), r))
	}
	return text.String()
}

func valueText(col arrow.Array, r int) string {
	if col.IsNull(r) {
		return "null"
	}
	return fmt.Sprintf("%q", col.ValueStr(r))
}

// copyRows returns rows from to to-1 in memory of their own.
func copyRows(rows arrow.RecordBatch, from, to int64) (arrow.RecordBatch, error) {
	slice := rows.NewSlice(from, to)
	defer slice.Release()
	return concat([]arrow.RecordBatch{slice})
}

// concat returns all rows, copied: array.Concatenate copies even a single array.
func concat(records []arrow.RecordBatch) (arrow.RecordBatch, error) {
	cols := make([]arrow.Array, records[0].NumCols())
	n := int64(0)
	for _, r := range records {
		n += r.NumRows()
	}
	for c := range cols {
		parts := make([]arrow.Array, len(records))
		for k, r := range records {
			parts[k] = r.Column(c)
		}
		var err error
		if cols[c], err = array.Concatenate(parts, memory.NewGoAllocator()); err != nil {
			return nil, err
		}
	}
	return array.NewRecordBatch(records[0].Schema(), cols, n), nil
}

func sameTables(a, b []operators.StateTable) bool {
	return slices.EqualFunc(a, b, func(x, y operators.StateTable) bool {
		return x.Name == y.Name && x.Version == y.Version && slices.Equal(x.Keys, y.Keys) && x.Schema.Equal(y.Schema)
	})
}

// diff shows both texts line by line: lines of want alone with -, of got alone with +.
func diff(want, got string) string {
	w, g := strings.Split(strings.TrimSuffix(want, "\n"), "\n"), strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	// length[i][j] is that of the longest common subsequence of w[i:] and g[j:].
	length := make([][]int, len(w)+1)
	for i := range length {
		length[i] = make([]int, len(g)+1)
	}
	for i, v := range slices.Backward(w) {
		for j := len(g) - 1; j >= 0; j-- {
			length[i][j] = max(length[i+1][j], length[i][j+1])
			if v == g[j] {
				length[i][j] = length[i+1][j+1] + 1
			}
		}
	}
	var text strings.Builder
	i, j := 0, 0
	for i < len(w) || j < len(g) {
		switch {
		case i < len(w) && j < len(g) && w[i] == g[j]:
			fmt.Fprintf(&text, "  %s\n", w[i])
			i, j = i+1, j+1
		case j == len(g) || i < len(w) && length[i+1][j] >= length[i][j+1]:
			fmt.Fprintf(&text, "- %s\n", w[i])
			i++
		default:
			fmt.Fprintf(&text, "+ %s\n", g[j])
			j++
		}
	}
	return text.String()
}
