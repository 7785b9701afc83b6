package operators

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// Table is a table in memory that joins read. Its rows are replaced as a whole, by Replace, while nobody reads.
type Table struct{ version *TableVersion }

// Replace makes v the rows of the table, and releases those that it had. v may be nil: the table then has no rows to read.
func (t *Table) Replace(v *TableVersion) {
	if t.version != nil {
		t.version.Close()
	}
	t.version = v
}

// NewReader returns a reader of what is the table at the time of each Find. Readers may be used concurrently.
func (t *Table) NewReader() TableReader { return &tableReader{table: t} }

// tableReader reads a Table.
type tableReader struct {
	table  *Table
	groups []int32 // scratch
}

var _ TableReader = (*tableReader)(nil)

// Find leads to the rows where they are.
func (r *tableReader) Find(_ context.Context, keys *TableKeys, from, to []int32) (*batch.Frame, error) {
	v := r.table.version
	if v == nil {
		return nil, errors.New("table join: the table was not read")
	}
	if v.keys.len() == 0 {
		clear(from)
		clear(to)
		return v.rows, nil
	}
	r.groups = extendTo(r.groups, keys.Len())
	v.keys.lookupFrom(keys.table, keys.all(), false, r.groups)
	for k, g := range r.groups {
		if g < 0 {
			from[k], to[k] = 0, 0
		} else {
			from[k], to[k] = v.starts[g], v.starts[g+1]
		}
	}
	return v.rows, nil
}

// Close does nothing: the rows are the table's.
func (r *tableReader) Close() {}

// TableVersion is the rows of a table as they are at one time, by key. After Seal it does not change, and may be read concurrently.
type TableVersion struct {
	mem  memory.Allocator
	spec *TableJoinSpec
	keys groupTable
	// rows are in order of their keys' numbers behind a row of NULLs. Those of key k are starts[k] to starts[k+1]-1.
	rows   *batch.Frame
	starts []int32
	groups []int32 // per row, until Seal
}

// NewTableVersion returns rows for a join to read, none as yet.
func NewTableVersion(mem memory.Allocator, spec *TableJoinSpec) *TableVersion {
	v := &TableVersion{mem: mem, spec: spec, rows: batch.NewFrame(mem, spec.Columns()), keys: newGroupTable(mem, keyTypes(spec.Keys), denseRoom)}
	v.begin(v.rows)
	return v
}

// begin appends the row of NULLs.
func (v *TableVersion) begin(f *batch.Frame) {
	for _, c := range f.Columns {
		c.AppendNull()
	}
	f.SetRows(1)
}

// Add adds the rows of b, which have the used columns of the table. Those of which part of the key is NULL match nothing, and are
// left out. It borrows b.
func (v *TableVersion) Add(b batch.Batch) error {
	cols := make([]arrow.Array, len(v.spec.TableKeys))
	hasNulls := b.Sel != nil
	for i, k := range v.spec.TableKeys {
		cols[i] = b.Rows.Column(k)
		hasNulls = hasNulls || cols[i].NullN() > 0
	}
	sel := b.Sel
	if hasNulls {
		sel = make([]int32, 0, b.NumLive())
		for k := range b.NumLive() {
			i := int32(k)
			if b.Sel != nil {
				i = b.Sel[k]
			}
			if !isAnyNull(cols, int(i)) {
				sel = append(sel, i)
			}
		}
	}
	b.Sel = sel
	n, old := b.NumLive(), v.rows.Len()
	if old+n > maxJoinRows {
		return errors.New("a table in memory has 2 billion rows at most: use a look-up")
	}
	for _, c := range v.rows.Columns {
		if c.Type().ID() == arrow.STRING && c.Bytes() > maxJoinText {
			return errors.New("a table in memory has 2 GiB of text per column at most: use a look-up")
		}
	}
	if n == 0 {
		return nil
	}
	v.groups = batch.GrowSlice(v.mem, v.groups, old-1+n)
	v.keys.lookup(cols, sel, v.groups[old-1:])
	v.rows.AppendBatch(b)
	return nil
}

func isAnyNull(cols []arrow.Array, row int) bool {
	for _, arr := range cols {
		if arr.IsNull(row) {
			return true
		}
	}
	return false
}

// Seal ends the rows, and puts those with equal keys side by side, in the order in which they were added.
func (v *TableVersion) Seal() {
	n := v.keys.len()
	v.starts = batch.MakeSlice[int32](v.mem, n+1)
	clear(v.starts)
	isInOrder := true
	for i, g := range v.groups {
		v.starts[g]++
		isInOrder = isInOrder && (i == 0 || v.groups[i-1] <= g)
	}
	next := int32(1)
	for g, count := range v.starts {
		v.starts[g] = next
		next += count
	}
	if !isInOrder {
		v.sort()
	}
	batch.FreeSlice(v.mem, v.groups)
	v.groups = nil
	v.rows.Rows() // so that nothing is written when it is read
}

// sort puts the rows in the order of their keys' numbers.
func (v *TableVersion) sort() {
	order := batch.MakeSlice[int32](v.mem, len(v.groups))
	next := batch.MakeSlice[int32](v.mem, len(v.starts))
	copy(next, v.starts)
	for i, g := range v.groups {
		order[next[g]-1] = int32(i + 1)
		next[g]++
	}
	fresh := batch.NewFrame(v.mem, v.rows.Schema())
	v.begin(fresh)
	for i, c := range fresh.Columns {
		c.AppendFrom(v.rows.Columns[i], order)
	}
	fresh.SetRows(v.rows.Len())
	v.rows.Release()
	v.rows = fresh
	batch.FreeSlice(v.mem, order)
	batch.FreeSlice(v.mem, next)
}

// Rows returns how many rows can be found.
func (v *TableVersion) Rows() int { return v.rows.Len() - 1 }

// Close releases all memory of a version that no table has.
func (v *TableVersion) Close() {
	v.keys.close()
	v.rows.Release()
	batch.FreeSlice(v.mem, v.starts)
	batch.FreeSlice(v.mem, v.groups)
}
