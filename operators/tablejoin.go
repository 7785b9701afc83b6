package operators

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// TableReader finds rows of a table by key. It is used by one goroutine at a time.
type TableReader interface {
	// Find returns rows with the used columns of the table, of which row 0 is NULL in every column, and sets from and to, which
	// have an entry per key, to where in them the rows with that key begin and end: both are equal where there are none. It borrows
	// keys. What it returns is borrowed until the next call. It may wait, but not when ctx has ended. An error ends the job.
	Find(ctx context.Context, keys *TableKeys, from, to []int32) (*batch.Frame, error)
	// Close releases all memory.
	Close()
}

// TableKeys are keys that are looked for, all different, no part of which is NULL.
type TableKeys struct {
	table groupTable
	ids   []int32 // 0, 1, 2, …
}

// Len returns the number of keys.
func (k *TableKeys) Len() int { return k.table.len() }

// AppendTo appends the keys to cols, a column per key column of the table.
func (k *TableKeys) AppendTo(cols []*batch.Column) { k.table.appendKeys(cols, k.all()) }

// all returns the numbers of the keys.
func (k *TableKeys) all() []int32 {
	for i := int32(len(k.ids)); int(i) < k.Len(); i++ {
		k.ids = append(k.ids, i)
	}
	return k.ids[:k.Len()]
}

// tableJoin joins rows of a stream with rows of a table. The keys of a batch are looked for together, each of them once.
type tableJoin struct {
	stateless
	spec     *TableJoinSpec
	keyExprs []expr.Expr
	residual expr.Predicate
	reader   TableReader
	// pairColumns are those of stream and table that residual is computed over; an index from numLeft on is of the table.
	pairColumns []int
	numLeft     int

	// Scratch.
	keys       TableKeys
	keyColumns []arrow.Array
	bad        badRows
	pairBad    badRows
	sel        []int32
	all        []int32 // 0, 1, 2, …
	valid      []int32
	groups     []int32 // per live row: the number of its key, -1 if part of it is NULL
	from, to   []int32 // per key
	// Rows of the batch, and behind each of them where its pairs end in left and right.
	rows, ends  []int32
	left, right []int32
	passed      []int32
	outLeft     []int32
	outRight    []int32
	pairSource  []int32
	outSource   []int32
	pairFrame   *batch.Frame
	out         *batch.Frame
	view        *batch.View
}

var _ Operator = (*tableJoin)(nil)

// NewTableJoin returns the operator for spec, which reads the table through env.Table. schema is what it emits. A pair of rows for
// which the residual can't be computed does not match, and is reported as bad.
func NewTableJoin(spec *TableJoinSpec, schema *arrow.Schema, env Env) (Operator, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	if schema.NumFields() != len(spec.Output) {
		return nil, fmt.Errorf("table join: %d columns, schema has %d", len(spec.Output), schema.NumFields())
	}
	if env.Table == nil {
		return nil, fmt.Errorf("table join: there are no tables here: %s", spec.Table)
	}
	j := &tableJoin{
		stateless: stateless{schema}, spec: spec, numLeft: spec.Input.NumFields(), keyColumns: make([]arrow.Array, len(spec.Keys)),
		keys: TableKeys{table: newGroupTable(env.Mem, keyTypes(spec.Keys), denseRoom)}, view: batch.NewView(schema),
		out: batch.NewFrame(env.Mem, schema),
	}
	j.bad.init(env)
	j.pairBad.init(env)
	if err := j.build(env); err != nil {
		j.Close()
		return nil, fmt.Errorf("table join: %s: %w", spec.Table, err)
	}
	return j, nil
}

func (j *tableJoin) build(env Env) (err error) {
	if j.keyExprs, err = newExprs(env.Mem, j.spec.Keys); err != nil {
		return err
	}
	if j.spec.Residual != nil {
		table := j.spec.Columns()
		var fields []arrow.Field
		at := make(map[int]int)
		for _, c := range expr.Columns(j.spec.Residual) {
			at[c] = len(fields)
			j.pairColumns = append(j.pairColumns, c)
			if c >= j.numLeft {
				fields = append(fields, table.Field(c-j.numLeft))
			} else {
				fields = append(fields, j.spec.Input.Field(c))
			}
		}
		j.pairFrame = batch.NewFrame(env.Mem, arrow.NewSchema(fields, nil))
		if j.residual, err = expr.NewPredicate(env.Mem, expr.Remap(j.spec.Residual, func(c int) int { return at[c] })); err != nil {
			return err
		}
	}
	j.reader, err = env.Table(j.spec)
	return err
}

// Process emits the rows of in with the rows of the table that have their keys.
func (j *tableJoin) Process(ctx context.Context, _ int, in batch.Batch, emit batch.Emit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	live, err := j.findKeys(ctx, &in)
	if err != nil || len(live) == 0 {
		return err
	}
	n := j.keys.Len()
	j.from, j.to = extendTo(j.from, n), extendTo(j.to, n)
	table, err := j.reader.Find(ctx, &j.keys, j.from, j.to)
	if err != nil {
		return err
	}
	j.rows, j.ends, j.left, j.right = j.rows[:0], j.ends[:0], j.left[:0], j.right[:0]
	isCounted := j.spec.isLeftOnly() && j.residual == nil // it only matters whether there is a match
	for k, i := range live {
		if g := j.groups[k]; g >= 0 {
			first, end := j.from[g], j.to[g]
			if isCounted {
				end = min(end, first+1)
			}
			for r := first; r < end; r++ {
				j.left, j.right = append(j.left, i), append(j.right, r)
			}
		}
		j.rows, j.ends = append(j.rows, i), append(j.ends, int32(len(j.left)))
		if len(j.left) >= maxPairs {
			if err := j.flush(ctx, &in, table, emit); err != nil {
				return err
			}
		}
	}
	return j.flush(ctx, &in, table, emit)
}

// findKeys sets groups to the numbers of the keys of the rows that it returns, which are those that are live and not bad.
func (j *tableJoin) findKeys(ctx context.Context, in *batch.Batch) ([]int32, error) {
	j.bad.begin(in)
	hasNulls := false
	for i, e := range j.keyExprs {
		arr, err := e.Eval(ctx, *in, j.bad.note)
		if err != nil {
			return nil, err
		}
		j.keyColumns[i] = arr
		hasNulls = hasNulls || arr.NullN() > 0
	}
	live := j.bad.narrow(in, &j.sel)
	if live == nil {
		j.fillAll(in.NumRows())
		live = j.all[:in.NumRows()]
	}
	j.keys.table.reset()
	j.groups = extendTo(j.groups, len(live))
	if !hasNulls {
		j.keys.table.lookup(j.keyColumns, live, j.groups)
		return live, nil
	}
	j.valid = j.valid[:0]
	for _, i := range live {
		if !isAnyNull(j.keyColumns, int(i)) {
			j.valid = append(j.valid, i)
		}
	}
	j.keys.table.lookup(j.keyColumns, j.valid, j.groups[:len(j.valid)])
	// The numbers move to the places of their rows, from the last on.
	next := len(j.valid) - 1
	for k := len(live) - 1; k >= 0; k-- {
		if next >= 0 && j.valid[next] == live[k] {
			j.groups[k] = j.groups[next]
			next--
		} else {
			j.groups[k] = -1
		}
	}
	return live, nil
}

// fillAll makes all n long, at least.
func (j *tableJoin) fillAll(n int) {
	for i := len(j.all); i < n; i++ {
		j.all = append(j.all, int32(i))
	}
}

// flush emits what the rows so far make with their pairs.
func (j *tableJoin) flush(ctx context.Context, in *batch.Batch, table *batch.Frame, emit batch.Emit) error {
	passed, err := j.passing(ctx, in, table)
	if err != nil {
		return err
	}
	j.outLeft, j.outRight = j.outLeft[:0], j.outRight[:0]
	next := 0
	for k, i := range j.rows {
		end, from := j.ends[k], next
		for next < len(passed) && passed[next] < end {
			next++
		}
		matches := passed[from:next]
		switch j.spec.Kind {
		case SemiJoin:
			if len(matches) > 0 {
				j.outLeft = append(j.outLeft, i)
			}
		case AntiJoin:
			if len(matches) == 0 {
				j.outLeft = append(j.outLeft, i)
			}
		default:
			for _, p := range matches {
				j.outLeft, j.outRight = append(j.outLeft, i), append(j.outRight, j.right[p])
			}
			if len(matches) == 0 && j.spec.Kind == LeftJoin {
				j.outLeft, j.outRight = append(j.outLeft, i), append(j.outRight, 0) // the NULLs
			}
		}
	}
	j.rows, j.ends, j.left, j.right = j.rows[:0], j.ends[:0], j.left[:0], j.right[:0]
	if len(j.outLeft) == 0 {
		return nil
	}
	if j.spec.isLeftOnly() {
		return j.emitLeft(in, emit)
	}
	return j.emitPairs(in, table, emit)
}

// passing returns the numbers of the pairs for which the residual is true, all if there is none.
func (j *tableJoin) passing(ctx context.Context, in *batch.Batch, table *batch.Frame) ([]int32, error) {
	if j.residual == nil || len(j.left) == 0 {
		j.fillAll(len(j.left))
		return j.all[:len(j.left)], nil
	}
	j.pairFrame.Reset(0)
	j.gather(j.pairFrame, j.pairColumns, in, table, j.left, j.right)
	j.pairSource = appendSource(j.pairSource[:0], in, j.left)
	b := batch.Batch{Rows: j.pairFrame.Rows(), Origin: in.Origin}
	b.Origin.Source = j.pairSource
	j.pairBad.begin(&b)
	sel, err := j.residual.Select(ctx, b, j.passed[:0], j.pairBad.note)
	j.passed = sel
	if err != nil || j.pairBad.n == 0 {
		return sel, err
	}
	good := sel[:0]
	for _, p := range sel {
		if !j.pairBad.isBad(p) {
			good = append(good, p)
		}
	}
	return good, nil
}

// gather sets f to columns of rows of in and of table, pairwise.
func (j *tableJoin) gather(f *batch.Frame, columns []int, in *batch.Batch, table *batch.Frame, left, right []int32) {
	for i, c := range columns {
		if c >= j.numLeft {
			f.Columns[i].AppendFrom(table.Columns[c-j.numLeft], right)
		} else {
			f.Columns[i].AppendArray(in.Rows.Column(c), in.NumRows(), left)
		}
	}
	f.SetRows(len(left))
}

// appendSource appends the rows of the decoded block that rows of a batch were made from.
func appendSource(source []int32, in *batch.Batch, rows []int32) []int32 {
	for _, i := range rows {
		source = append(source, int32(in.Origin.BlockRow(int(i))))
	}
	return source
}

// emitLeft emits rows of in, whose columns stay where they are.
func (j *tableJoin) emitLeft(in *batch.Batch, emit batch.Emit) error {
	for i, c := range j.spec.Output {
		j.view.Set(i, in.Rows.Column(c))
	}
	j.view.SetRows(in.NumRows())
	return emit(batch.Batch{Rows: j.view, Sel: j.outLeft, Origin: in.Origin})
}

func (j *tableJoin) emitPairs(in *batch.Batch, table *batch.Frame, emit batch.Emit) error {
	j.out.Reset(0)
	j.gather(j.out, j.spec.Output, in, table, j.outLeft, j.outRight)
	j.outSource = appendSource(j.outSource[:0], in, j.outLeft)
	out := batch.Batch{Rows: j.out.Rows(), Origin: in.Origin}
	out.Origin.Source = j.outSource
	return emit(out)
}

// Close releases all memory.
func (j *tableJoin) Close() {
	closeExprs(j.keyExprs)
	if j.residual != nil {
		j.residual.Close()
	}
	if j.pairFrame != nil {
		j.pairFrame.Release()
	}
	if j.reader != nil {
		j.reader.Close()
	}
	j.keys.table.close()
	j.out.Release()
}
