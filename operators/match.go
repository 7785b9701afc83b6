package operators

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// match is MATCH_RECOGNIZE. Rows wait in a store, by partition, until the watermark has passed them; from then on their order is
// known, and the search of their partition (match_search.go) takes them one after the other. A row leaves the store when no
// match can begin with it any more and none that is being searched for began before it.
//
// Only the values that conditions and measures look at are kept. What a row can be, as far as it alone decides that, is computed
// when it comes, column by column; conditions that look at other rows are computed row by row.
type match struct {
	spec    *MatchSpec
	name    string
	schema  *arrow.Schema
	mem     memory.Allocator
	late    func(rows int)
	program []matchInst
	tables  []StateTable

	keys   []expr.Expr
	time   expr.Expr
	values []expr.Expr

	table    groupTable
	parts    []partition
	store    matchStore
	closed   batch.Time // watermark of the last interval
	retired  int64
	search   matchSearch
	saver    rowSaver
	interval batch.Interval

	// Scratch.
	keyCols   []arrow.Array
	valueCols []arrow.Array
	groups    []int32
	sel       []int32
	bad       badRows
}

// partition is the rows with equal keys.
type partition struct {
	rows  []int32 // in the store; the first ready of them in order of time
	ready int
	wake  batch.Time    // nothing happens before the watermark has passed it
	path  []uint8       // variables of the first rows, as far as the search has come
	stack []matchChoice // what is left to try, the next one last
	pc    int32         // where the search stands
}

// matchChoice is where the search goes on when what it tries leads nowhere.
type matchChoice struct{ pc, depth int32 }

var _ Stateful = (*match)(nil)

// NewMatch returns an operator that searches for a pattern.
func NewMatch(name string, spec *MatchSpec, schema *arrow.Schema, env Env) (Operator, error) {
	program, err := compilePattern(spec.Pattern)
	if err != nil {
		return nil, fmt.Errorf("match: %w", err)
	}
	m := &match{
		spec: spec, name: name, schema: schema, mem: env.Mem, late: env.Late, program: program, tables: matchTables(name, spec),
		table: newGroupTable(env.Mem, keyTypes(spec.PartitionBy), denseRoom), closed: batch.MinTime,
		keyCols: make([]arrow.Array, len(spec.PartitionBy)), valueCols: make([]arrow.Array, len(spec.Values)),
	}
	m.bad.init(env)
	m.store.init(env.Mem, spec)
	fail := func(err error) (Operator, error) {
		m.Close()
		return nil, fmt.Errorf("match: %w", err)
	}
	if m.keys, err = newExprs(env.Mem, spec.PartitionBy); err != nil {
		return fail(err)
	}
	if m.time, err = expr.New(env.Mem, spec.Time); err != nil {
		return fail(err)
	}
	if m.values, err = newExprs(env.Mem, spec.Values); err != nil {
		return fail(err)
	}
	if err := m.search.init(m, env); err != nil {
		return fail(err)
	}
	return m, nil
}

// Schema returns the schema of the rows for matches.
func (m *match) Schema() *arrow.Schema { return m.schema }

// BeginInterval notes the interval.
func (m *match) BeginInterval(iv batch.Interval) error {
	m.interval = iv
	return nil
}

// Process stores the rows that are not late. A row without a time has no place in the order: it is bad.
func (m *match) Process(ctx context.Context, _ int, in batch.Batch, _ batch.Emit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.bad.begin(&in)
	for i, e := range m.keys {
		arr, err := e.Eval(ctx, in, m.bad.note)
		if err != nil {
			return err
		}
		m.keyCols[i] = arr
	}
	for i, e := range m.values {
		arr, err := e.Eval(ctx, in, m.bad.note)
		if err != nil {
			return err
		}
		m.valueCols[i] = arr
	}
	times, err := m.time.Eval(ctx, in, m.bad.note)
	if err != nil {
		return err
	}
	m.inTime(&in, times)
	if len(m.sel) == 0 {
		return nil
	}
	m.groups = slices.Grow(m.groups[:0], len(m.sel))[:len(m.sel)]
	m.table.lookup(m.keyCols, m.sel, m.groups)
	m.addParts()
	first := m.store.append(times, m.valueCols, m.sel, m.groups, int64(in.Origin.SplitKey))
	if err := m.search.classify(ctx, &m.store, m.valueCols, in.NumRows(), m.sel, first); err != nil {
		return err
	}
	for k, g := range m.groups {
		m.parts[g].add(first+int32(k), m.store.times[first+int32(k)])
	}
	return nil
}

func (p *partition) add(row int32, at int64) {
	p.rows = append(p.rows, row)
	p.wake = min(p.wake, batch.Time(at))
}

// inTime sets sel to the live rows that are neither bad nor late.
func (m *match) inTime(in *batch.Batch, times arrow.Array) {
	values, late := batch.Int64s(times), 0
	m.sel = m.sel[:0]
	for k := range in.NumLive() {
		i := k
		if in.Sel != nil {
			i = int(in.Sel[k])
		}
		switch {
		case m.bad.n > 0 && m.bad.isBad(int32(i)):
		case times.IsNull(i):
			m.bad.note(int32(i), "match: the time is NULL")
		case batch.Time(values[i]) < max(in.Origin.RowWatermark(i), m.closed):
			late++
		default:
			m.sel = append(m.sel, int32(i))
		}
	}
	if late > 0 {
		m.late(late)
	}
}

// addParts makes partitions for groups that are new.
func (m *match) addParts() {
	for len(m.parts) < m.table.len() {
		m.parts = append(m.parts, partition{wake: batch.MaxTime})
	}
}

// EndInterval searches the partitions in which rows have become final, and emits a row for each match.
func (m *match) EndInterval(ctx context.Context, in []batch.Time, emit batch.Emit) (batch.Time, error) {
	mark := in[0]
	out := mark
	m.closed = max(m.closed, mark)
	m.search.begin(&m.store, mark, m.interval)
	for g := range m.parts {
		p := &m.parts[g]
		if len(p.rows) == 0 {
			continue
		}
		if p.wake < mark {
			m.order(p, mark)
			if err := m.search.run(ctx, p, int32(g), emit); err != nil {
				return 0, err
			}
		}
		if len(p.rows) > 0 {
			out = min(out, batch.Time(m.store.times[p.rows[0]]))
		}
	}
	if err := m.search.flush(ctx, emit); err != nil {
		return 0, err
	}
	m.retired += m.search.dropped
	m.search.dropped = 0
	m.compact()
	return out, nil
}

// order puts the rows of p that the watermark has passed in order of time, those of the same time by split, and in a split
// in order of their coming: so the order does not depend on what came in one interval.
func (m *match) order(p *partition, mark batch.Time) {
	waiting := p.rows[p.ready:]
	times, splits, numbers := m.store.times, m.store.splits, m.store.numbers
	slices.SortFunc(waiting, func(a, b int32) int {
		return cmp.Or(cmp.Compare(times[a], times[b]), cmp.Compare(splits[a], splits[b]), cmp.Compare(numbers[a], numbers[b]))
	})
	for p.ready < len(p.rows) && (mark == batch.MaxTime || batch.Time(times[p.rows[p.ready]]) < mark) {
		p.ready++
	}
}

// compact gives back the memory of rows that are gone, and forgets partitions without rows, once most of them are.
func (m *match) compact() {
	if m.store.shouldCompact() {
		m.store.compact(m.parts)
	}
	live := 0
	for g := range m.parts {
		if len(m.parts[g].rows) > 0 {
			live++
		}
	}
	if len(m.parts) < minPruneRows || live > len(m.parts)/2 {
		return
	}
	var ids []int32
	var parts []partition
	for g := range m.parts {
		if len(m.parts[g].rows) > 0 {
			ids, parts = append(ids, int32(g)), append(parts, m.parts[g])
		}
	}
	table := newGroupTable(m.mem, keyTypes(m.spec.PartitionBy), denseRoom)
	groups := make([]int32, len(ids))
	table.lookupFrom(m.table, ids, true, groups)
	m.parts = make([]partition, len(parts))
	for k, g := range groups {
		m.parts[g] = parts[k]
		for _, row := range parts[k].rows {
			m.store.groups[row] = g
		}
	}
	m.table.close()
	m.table = table
}

// Close releases all memory.
func (m *match) Close() {
	closeExprs(m.keys)
	closeExprs(m.values)
	if m.time != nil {
		m.time.Close()
	}
	m.search.close()
	m.store.close()
	m.saver.close(m.mem)
	m.table.close()
}
