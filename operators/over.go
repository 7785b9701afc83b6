package operators

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// over keeps rows until the watermark has passed them, then puts them behind those before in their partition, and computes the
// functions of each over the rows that lead back from it. Where a frame goes on behind a row, the row waits for that: for rows as with
// lead, for a time until the watermark has passed that, too. Rows that no later one depends on go when half of all are such.
//
// Memory grows with the rows that wait for the watermark, and with those that frames reach. A row costs what its frame has.
type over struct {
	stateless // of the rows that come out
	name      string
	spec      *OverSpec
	env       Env
	inSchema  *arrow.Schema
	types     []arrow.DataType // of the partition
	time      expr.Expr
	partition []expr.Expr
	lead      int64
	after     time.Duration // not with lead
	back      int64
	isByTime  bool // frames are by time
	numbers   bool
	tables    []StateTable

	// State. A row is an index of rows, and of the lists of kept.
	mem     *meter
	rows    *batch.Frame
	kept    overRows
	keys    groupTable
	last    []int32 // by partition, its last row that the watermark has passed, noRow if there is none
	waiting []int32 // rows that it has not passed
	pending []int32 // rows that it has passed, but not by after, in order
	nextID  int64
	bound   batch.Time // how far the watermark was
	tidyAt  int
	retired int64
	changes overChanges

	// Scratch.
	interval   batch.Interval
	sequence   uint64
	bad        badRows
	sel        []int32
	onTime     []int32
	keyArrs    []arrow.Array
	groups     []int32
	isRestored bool // rows are not in order yet
	eval       overEval
}

// noRow is the index of no row.
const noRow = -1

// overRows has what is known of rows besides their columns.
type overRows struct {
	times, ids, splits  []int64 // splits has Origin.SplitKey
	number, rank, rise  []int64 // the row's number in its partition, rank and dense rank; 0 as long as it waits
	group, before, next []int32 // its partition; the row before it in that, and behind it
	peer                []int32 // the last row with its time in its partition
	marks               []uint8
}

var _ Stateful = (*over)(nil)

// NewOver returns the operator for spec. Its state is kept under name; schema is what it emits.
func NewOver(name string, spec *OverSpec, schema *arrow.Schema, env Env) (Operator, error) {
	if err := spec.validate(name); err != nil {
		return nil, err
	}
	inputs := schema.NumFields() - len(spec.Funcs)
	if inputs <= 0 {
		return nil, fmt.Errorf("%s: %d functions, schema has %d columns", name, len(spec.Funcs), schema.NumFields())
	}
	o := &over{
		stateless: stateless{schema}, name: name, spec: spec, env: env, inSchema: overInput(spec, schema), types: keyTypes(spec.Partition),
		lead: spec.lead(), after: spec.after(), back: spec.back(), numbers: spec.hasNumbers(), tables: overTables(name, spec, schema),
		mem: &meter{Allocator: env.Mem}, bound: batch.MinTime, tidyAt: minTidy, keyArrs: make([]arrow.Array, len(spec.Partition)),
	}
	o.isByTime = !spec.Frame.IsRows && spec.hasFrame()
	o.bad.init(env)
	var err error
	if o.time, err = expr.New(env.Mem, spec.Time); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if o.partition, err = newExprs(env.Mem, spec.Partition); err != nil {
		o.time.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	o.rows = batch.NewFrame(o.mem, o.inSchema)
	o.keys = newGroupTable(o.mem, o.types, denseRoom)
	o.changes.gone = batch.NewFrame(o.mem, o.tables[0].KeySchema())
	o.eval.init(o)
	return o, nil
}

// overInput returns the schema of the rows that come in.
func overInput(spec *OverSpec, schema *arrow.Schema) *arrow.Schema {
	metadata := schema.Metadata()
	return arrow.NewSchema(schema.Fields()[:schema.NumFields()-len(spec.Funcs)], &metadata)
}

// BeginInterval notes the interval.
func (o *over) BeginInterval(iv batch.Interval) error {
	o.interval, o.sequence = iv, 0
	return nil
}

// Process keeps the rows that are not late.
func (o *over) Process(ctx context.Context, _ int, in batch.Batch, _ batch.Emit) error {
	o.settle()
	o.bad.begin(&in)
	times, err := o.time.Eval(ctx, in, o.bad.note)
	if err != nil {
		return err
	}
	if times.NullN() > 0 {
		for k := range in.NumLive() {
			if i := rowOf(in.Sel, k); times.IsNull(i) {
				o.bad.add(int32(i), "over: time is NULL")
			}
		}
	}
	for i, e := range o.partition {
		if o.keyArrs[i], err = e.Eval(ctx, in, o.bad.note); err != nil {
			return err
		}
	}
	sel := o.withoutLate(&in, o.bad.narrow(&in, &o.sel), batch.Int64s(times))
	if len(sel) == 0 {
		return nil
	}
	o.groups = batch.GrowSlice(o.mem, o.groups, len(sel))
	o.lookup(o.keyArrs, sel)
	from := o.rows.Len()
	o.rows.AppendBatch(batch.Batch{Rows: in.Rows, Sel: sel})
	values := batch.Int64s(times)
	o.kept.grow(o.mem, o.rows.Len())
	for k, i := range sel {
		row := from + k
		o.kept.begin(row, values[i], o.nextID, int64(in.Origin.SplitKey), o.groups[k])
		o.nextID++
		o.waiting = batch.AppendSlice(o.mem, o.waiting, int32(row))
		o.changes.note(o, int32(row))
	}
	return nil
}

// lookup sets o.groups to the partitions of rows, and makes room for those that are new.
func (o *over) lookup(keys []arrow.Array, sel []int32) {
	o.keys.lookup(keys, sel, o.groups)
	n := len(o.last)
	o.last = batch.GrowSlice(o.mem, o.last, max(n, o.keys.len()))
	for i := range o.last[n:] {
		o.last[n+i] = noRow
	}
}

// withoutLate returns the rows of sel that are not before their watermark.
func (o *over) withoutLate(in *batch.Batch, sel []int32, times []int64) []int32 {
	n := in.NumRows()
	if sel != nil {
		n = len(sel)
	}
	kept := o.onTime[:0]
	for k := range n {
		i := rowOf(sel, k)
		if o.spec.Arrival || batch.Time(times[i]) >= max(o.bound, in.Origin.RowWatermark(i)) {
			kept = append(kept, int32(i))
		}
	}
	o.onTime = kept
	if late := n - len(kept); late > 0 && o.env.Late != nil {
		o.env.Late(late)
	}
	return kept
}

// EndInterval emits the rows that the watermark has passed. The watermark that it returns is the time of the oldest row that is
// still to come out, where rows wait for those after them.
func (o *over) EndInterval(ctx context.Context, in []batch.Time, emit batch.Emit) (batch.Time, error) {
	o.settle()
	watermark := minTime(in)
	bound := watermark
	if o.spec.Arrival && watermark != batch.MaxTime {
		bound = o.interval.End
	}
	if bound > o.bound || o.spec.Arrival && len(o.waiting) > 0 {
		o.bound = max(o.bound, bound)
		o.changes.hasBound = true
		o.pass()
		if err := o.emit(ctx, emit); err != nil {
			return 0, err
		}
		switch {
		case bound == batch.MaxTime:
			o.forget()
		case o.rows.Len() >= o.tidyAt:
			o.tidy()
		}
	}
	if o.lead > 0 && o.bound != batch.MaxTime {
		for g := range o.last {
			watermark = min(watermark, o.oldestPending(int32(g), watermark))
		}
	}
	if o.bound == batch.MaxTime {
		return watermark, nil
	}
	return watermark.Sub(o.after), nil
}

// pass puts the rows that the watermark has passed behind those before in their partitions, and sets eval.rows to them, in order.
func (o *over) pass() {
	ready, left := o.eval.ready[:0], o.waiting[:0]
	for _, row := range o.waiting {
		if o.spec.Arrival || batch.Time(o.kept.times[row]) < o.bound || o.bound == batch.MaxTime {
			ready = append(ready, row)
		} else {
			left = append(left, row)
		}
	}
	o.waiting, o.eval.ready = left, ready
	o.sort(ready)
	for _, row := range ready {
		o.link(row)
		if o.numbers {
			o.changes.note(o, row)
		}
	}
	o.kept.findPeers(ready)
	if o.after > 0 {
		o.pending = batch.AppendSlice(o.mem, o.pending, ready...)
		o.takeDue()
	}
}

// takeDue sets eval.ready to the rows that the watermark has passed by after.
func (o *over) takeDue() {
	n := len(o.pending)
	if o.bound != batch.MaxTime {
		n, _ = slices.BinarySearchFunc(o.pending, o.bound, func(row int32, bound batch.Time) int {
			return cmp.Compare(batch.Time(o.kept.times[row]), bound.Sub(o.after))
		})
	}
	o.eval.ready = append(o.eval.ready[:0], o.pending[:n]...)
	o.pending = o.pending[:copy(o.pending, o.pending[n:])]
}

// link makes a row the last of its partition.
func (o *over) link(row int32) {
	k := &o.kept
	before := o.last[k.group[row]]
	o.last[k.group[row]], k.before[row], k.next[row] = row, before, noRow
	if before != noRow {
		k.next[before] = row
	}
	switch {
	case before == noRow:
		k.number[row], k.rank[row], k.rise[row] = 1, 1, 1
	case k.times[before] == k.times[row]:
		k.number[row], k.rank[row], k.rise[row] = k.number[before]+1, k.rank[before], k.rise[before]
	default:
		n := k.number[before] + 1
		k.number[row], k.rank[row], k.rise[row] = n, n, k.rise[before]+1
	}
}

// sort puts rows in order of time, and rows of equal time in order of their splits, in these as they came; by arrival, all of them
// as they came.
func (o *over) sort(rows []int32) {
	k := &o.kept
	slices.SortFunc(rows, func(a, b int32) int {
		if c := cmp.Compare(k.times[a], k.times[b]); c != 0 && !o.spec.Arrival {
			return c
		}
		if c := cmp.Compare(k.splits[a], k.splits[b]); c != 0 && !o.spec.Arrival {
			return c
		}
		return cmp.Compare(k.ids[a], k.ids[b])
	})
}

// findPeers sets the last row of equal time for rows that are linked, all of their time.
func (k *overRows) findPeers(rows []int32) {
	for _, row := range rows {
		k.peer[row] = row
	}
	for _, row := range slices.Backward(rows) {
		if before := k.before[row]; before != noRow && k.times[before] == k.times[row] {
			k.peer[before] = k.peer[row]
		}
	}
}

// walk returns the row that is steps before row in its partition, noRow if there is none.
func (k *overRows) walk(row int32, steps int64) int32 {
	for ; steps > 0 && row != noRow; steps-- {
		row = k.before[row]
	}
	return row
}

// oldestPending returns the time of the oldest row of a partition that waits for rows after it, or other if there is none.
func (o *over) oldestPending(group int32, other batch.Time) batch.Time {
	row := o.last[group]
	for steps := o.lead; steps > 0 && row != noRow; steps-- {
		other = batch.Time(o.kept.times[row])
		row = o.kept.before[row]
	}
	return other
}

// grow makes room for n rows.
func (k *overRows) grow(mem *meter, n int) {
	for _, s := range [...]*[]int64{&k.times, &k.ids, &k.splits, &k.number, &k.rank, &k.rise} {
		*s = batch.GrowSlice(mem, *s, n)
	}
	for _, s := range [...]*[]int32{&k.group, &k.before, &k.next, &k.peer} {
		*s = batch.GrowSlice(mem, *s, n)
	}
	k.marks = growZero(mem, k.marks, n)
}

// begin sets what is known of a row that waits.
func (k *overRows) begin(row int, time, id, split int64, group int32) {
	k.times[row], k.ids[row], k.splits[row], k.group[row] = time, id, split, group
	k.number[row], k.rank[row], k.rise[row] = 0, 0, 0
	k.before[row], k.next[row], k.peer[row], k.marks[row] = noRow, noRow, int32(row), 0
}

func (k *overRows) free(mem *meter) {
	for _, s := range [...]*[]int64{&k.times, &k.ids, &k.splits, &k.number, &k.rank, &k.rise} {
		batch.FreeSlice(mem, *s)
	}
	for _, s := range [...]*[]int32{&k.group, &k.before, &k.next, &k.peer} {
		batch.FreeSlice(mem, *s)
	}
	batch.FreeSlice(mem, k.marks)
	*k = overRows{}
}

// Stats says how much state there is.
func (o *over) Stats() StateStats {
	return StateStats{
		Rows: int64(o.rows.Len()), Retired: o.retired, Groups: int64(o.rows.Len()), Unsaved: int64(len(o.changes.rows)), Bytes: o.mem.used.Load(),
	}
}

// Close releases all memory.
func (o *over) Close() {
	o.time.Close()
	closeExprs(o.partition)
	o.eval.close()
	o.rows.Release()
	o.kept.free(o.mem)
	o.keys.close()
	o.changes.close(o.mem)
	for _, s := range [...]*[]int32{&o.last, &o.waiting, &o.pending, &o.groups} {
		batch.FreeSlice(o.mem, *s)
		*s = nil
	}
}
