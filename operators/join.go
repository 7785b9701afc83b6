package operators

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// join is a symmetric hash join: a row that comes in is kept, and joined to the rows of the other side that are kept. So each
// pair is found once, by the later of its rows, and which pairs there are depends neither on the order in which rows come nor on
// intervals.
//
// Both sides share one table of keys, so that a row costs one lookup: of each key the table leads to the first and the last kept
// row of either side, of each row to the next one with that key. Memory grows with the rows that are kept.
//
// A row that comes out of an outer join without a partner does so at the end of the interval in which that became certain.
type join struct {
	schema *arrow.Schema
	name   string
	spec   *JoinSpec
	env    Env
	tables []StateTable
	// Left and right rows match if lower <= left time - right time <= upper.
	lower, upper int64
	residual     expr.Predicate
	pairColumns  []sideColumn // of the rows that residual is computed over
	outColumns   []sideColumn

	// State.
	mem   *meter
	sides [2]joinSide
	keys  groupTable
	// ends has four rows per key: the first and the last one of the left side, then of the right side, -1 where there is none.
	ends []int32
	// unused is the number of keys without rows.
	unused int
	// isRestored says that rows were restored that are in no order and in no chain yet.
	isRestored bool

	// Scratch.
	interval   batch.Interval
	sequence   uint64
	bad        badRows
	pairBad    badRows
	sel        []int32
	admitted   []int32
	lone       []int32 // rows with a NULL key or time
	keyColumns []arrow.Array
	groups     []int32
	pairs      [2][]int32 // rows of the left and of the right side, pairwise
	numPairs   int
	gone       []int32
	moved      []int32
	touched    int32
	pairFrame  *batch.Frame
	out        *batch.Frame
	savers     [2]joinSaver
}

// joinSide is one input of a join.
type joinSide struct {
	joinRows
	keys       []expr.Expr // over the columns of the input
	storedKeys []expr.Expr // over those that are kept
	// inputTime is the column of the input that has the times, -1 if they do not matter.
	inputTime int
	// closed is the watermark of the input at the end of the last interval.
	closed batch.Time
}

// sideColumn is a kept column of a side: the index is that in joinRows.frame; input is that in the input.
type sideColumn struct{ side, column, input int }

var _ Stateful = (*join)(nil)

// intervalJoin is a join without state from one interval to the next.
type intervalJoin struct{ Operator }

var _ Operator = intervalJoin{}

const (
	// maxPairs is how many pairs are gathered before they are looked at: some 100 KiB of them with a few columns stay in L2.
	maxPairs = 4096
	// touchRows is how many rows' keys are read ahead, as probeRows is for the table of keys.
	touchRows = 64
	// maxJoinText bounds the text of a kept column, whose offsets are 32 bits, with room for a batch.
	maxJoinText = math.MaxInt32 - 1<<28
	// maxJoinRows bounds the rows of a side, which are numbered by 32 bits.
	maxJoinRows = math.MaxInt32 - 1<<24
)

// NewJoin returns the operator for spec. Its state is kept under name; schema is what it emits. Input 0 is the left one.
//
// A pair of rows for which the residual can't be computed does not match, and is reported as bad.
func NewJoin(name string, spec *JoinSpec, schema *arrow.Schema, env Env) (Operator, error) {
	if err := spec.validate(name); err != nil {
		return nil, err
	}
	if schema.NumFields() != len(spec.Output) {
		return nil, fmt.Errorf("%s: %d columns, schema has %d", name, len(spec.Output), schema.NumFields())
	}
	j := &join{
		schema: schema, name: name, spec: spec, env: env, mem: &meter{Allocator: env.Mem}, tables: joinTables(name, spec),
		lower: math.MinInt64, upper: math.MaxInt64, keyColumns: make([]arrow.Array, len(spec.LeftKeys)),
	}
	if t := spec.Time; t != nil && t.HasLower {
		j.lower = t.Lower.Microseconds()
	}
	if t := spec.Time; t != nil && t.HasUpper {
		j.upper = t.Upper.Microseconds()
	}
	j.keys = newGroupTable(j.mem, keyTypes(spec.LeftKeys), denseRoom)
	j.bad.init(env)
	j.pairBad.init(env)
	j.out = batch.NewFrame(env.Mem, schema)
	for i := range j.pairs {
		j.pairs[i] = batch.MakeSlice[int32](env.Mem, maxPairs)
	}
	for i := range j.sides {
		s := &j.sides[i]
		s.inputTime, s.closed = spec.time(i), batch.MinTime
		s.init(j.mem, spec, i)
	}
	for _, c := range spec.Output {
		j.outColumns = append(j.outColumns, j.column(c))
	}
	if err := j.build(); err != nil {
		j.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if spec.PerInterval {
		return intervalJoin{j}, nil
	}
	return j, nil
}

// build makes the instances of the expressions.
func (j *join) build() (err error) {
	for i := range j.sides {
		s := &j.sides[i]
		if s.keys, err = newExprs(j.env.Mem, j.spec.keys(i)); err != nil {
			return err
		}
		stored := make([]*expr.Spec, len(s.keys))
		for k, e := range j.spec.keys(i) {
			stored[k] = expr.Remap(e, func(c int) int { return slices.Index(s.columns, c) })
		}
		if s.storedKeys, err = newExprs(j.env.Mem, stored); err != nil {
			return err
		}
	}
	if j.spec.Residual == nil {
		return nil
	}
	var fields []arrow.Field
	at := make(map[int]int)
	for _, c := range expr.Columns(j.spec.Residual) {
		side, input := j.spec.sideOf(c)
		at[c] = len(fields)
		fields = append(fields, j.spec.Inputs[side].Field(input))
		j.pairColumns = append(j.pairColumns, j.column(c))
	}
	j.pairFrame = batch.NewFrame(j.env.Mem, arrow.NewSchema(fields, nil))
	j.residual, err = expr.NewPredicate(j.env.Mem, expr.Remap(j.spec.Residual, func(c int) int { return at[c] }))
	return err
}

// column returns where a column of both inputs is kept.
func (j *join) column(c int) sideColumn {
	side, input := j.spec.sideOf(c)
	return sideColumn{side: side, column: slices.Index(j.sides[side].columns, input), input: input}
}

// Schema is the schema of every batch that it emits.
func (j *join) Schema() *arrow.Schema { return j.schema }

// BeginInterval notes the interval.
func (j *join) BeginInterval(iv batch.Interval) error {
	j.interval, j.sequence = iv, 0
	j.index()
	return nil
}

// Process keeps the rows of in, and emits what they make with rows of the other input that are kept.
func (j *join) Process(ctx context.Context, input int, in batch.Batch, emit batch.Emit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sel, err := j.admit(ctx, input, &in, emit)
	if err != nil {
		return err
	}
	first, err := j.keep(input, &batch.Batch{Rows: in.Rows, Sel: sel})
	if err != nil || int(first) == j.sides[input].len() {
		return err
	}
	return j.match(ctx, input, first, emit)
}

// keep keeps the live rows of b, of which admit has computed the keys, and returns the first of them. They are in no chain yet.
func (j *join) keep(input int, b *batch.Batch) (first int32, err error) {
	s, n := &j.sides[input], b.NumLive()
	if n == 0 {
		return int32(s.len()), nil
	}
	if err := s.check(n); err != nil {
		return 0, fmt.Errorf("%s: input %d: %w", j.name, input, err)
	}
	j.groups = batch.GrowSlice(j.mem, j.groups, n)[:n]
	j.keys.lookup(j.keyColumns, b.Sel, j.groups)
	j.growEnds()
	return s.append(b, j.groups), nil
}

// admit computes the keys of in and returns its rows that can match, nil if these are all. Late ones are dropped. A row with a
// NULL key or time matches nothing, so that it comes out at once if such rows do.
func (j *join) admit(ctx context.Context, input int, in *batch.Batch, emit batch.Emit) ([]int32, error) {
	s := &j.sides[input]
	j.bad.begin(in)
	hasNulls := false
	for i, e := range s.keys {
		arr, err := e.Eval(ctx, *in, j.bad.note)
		if err != nil {
			return nil, err
		}
		j.keyColumns[i] = arr
		hasNulls = hasNulls || arr.NullN() > 0
	}
	sel := j.bad.narrow(in, &j.sel)
	var times []int64
	if s.inputTime >= 0 {
		arr := in.Rows.Column(s.inputTime)
		hasNulls = hasNulls || arr.NullN() > 0
		if !j.spec.Time.Arrival {
			times = batch.Int64s(arr)
		}
	}
	if !hasNulls && times == nil {
		return sel, nil
	}
	j.admitted, j.lone = j.admitted[:0], j.lone[:0]
	late := 0
	origin := &in.Origin
	floor := max(s.closed, origin.Watermark)
	rows := batch.Batch{Rows: in.Rows, Sel: sel}
	for k := range rows.NumLive() {
		i := int32(k)
		if sel != nil {
			i = sel[k]
		}
		if times != nil {
			mark := floor
			if origin.Watermarks != nil {
				mark = max(mark, origin.RowWatermark(int(i)))
			}
			if batch.Time(times[i]) < mark && (!hasNulls || in.Rows.Column(s.inputTime).IsValid(int(i))) {
				late++
				continue
			}
		}
		if hasNulls && j.hasNull(s, in, int(i)) {
			j.lone = append(j.lone, i)
			continue
		}
		j.admitted = append(j.admitted, i)
	}
	if late > 0 && j.env.Late != nil {
		j.env.Late(late)
	}
	if len(j.lone) > 0 {
		if err := j.emitLone(input, in, emit); err != nil {
			return nil, err
		}
	}
	if j.admitted == nil {
		j.admitted = []int32{} // nil would mean all rows
	}
	return j.admitted, nil
}

func (j *join) hasNull(s *joinSide, in *batch.Batch, row int) bool {
	for _, arr := range j.keyColumns {
		if arr.IsNull(row) {
			return true
		}
	}
	return s.inputTime >= 0 && in.Rows.Column(s.inputTime).IsNull(row)
}

// growEnds gives new keys no rows.
func (j *join) growEnds() {
	had := len(j.ends) / 4
	if n := j.keys.len(); n > had {
		j.ends = batch.GrowSlice(j.mem, j.ends, 4*n)
		for i := range j.ends[4*had:] {
			j.ends[4*had+i] = -1
		}
		j.unused += n - had
	}
}

// EndInterval drops the rows that nothing can match any more, and emits those that come out without a partner.
func (j *join) EndInterval(ctx context.Context, in []batch.Time, emit batch.Emit) (batch.Time, error) {
	marks := [2]batch.Time{in[0], in[1]}
	if t := j.spec.Time; t != nil {
		for i := range marks {
			switch {
			case !t.Arrival:
				j.sides[i].closed = max(j.sides[i].closed, marks[i])
			case marks[i] != batch.MaxTime:
				marks[i] = j.interval.End
			}
		}
	}
	for i := range j.sides {
		if err := j.retire(ctx, i, j.limit(i, marks), emit); err != nil {
			return 0, err
		}
	}
	j.compact()
	return j.promise(marks, in), nil
}

// limit returns the time before which rows of a side can't be matched any more, MaxTime for all.
func (j *join) limit(side int, marks [2]batch.Time) batch.Time {
	other := marks[1-side]
	switch {
	case other == batch.MaxTime || j.spec.PerInterval:
		return batch.MaxTime
	case other == batch.MinTime || j.spec.Time == nil:
		return batch.MinTime
	case side == 0 && j.spec.Time.HasLower:
		return batch.Time(addSaturated(int64(other), j.lower))
	case side == 1 && j.spec.Time.HasUpper:
		return batch.Time(addSaturated(int64(other), -j.upper))
	}
	return batch.MinTime
}

// promise returns the watermark of what comes out: rows of a side that are still kept, or yet to come, are not older.
func (j *join) promise(marks [2]batch.Time, in []batch.Time) batch.Time {
	lowest := batch.MaxTime
	isMarked := false
	for _, c := range j.outColumns {
		if !j.spec.isMarked(c.side, c.input) {
			continue
		}
		isMarked = true
		lowest = min(lowest, marks[c.side], j.limit(c.side, marks))
	}
	if !isMarked {
		return minTime(in)
	}
	return lowest
}

// addSaturated returns a+b, or the nearest number that there is.
func addSaturated(a, b int64) int64 {
	sum := a + b
	switch {
	case b > 0 && sum < a:
		return math.MaxInt64
	case b < 0 && sum > a:
		return math.MinInt64
	}
	return sum
}

// Close releases all memory.
func (j *join) Close() {
	for i := range j.sides {
		s := &j.sides[i]
		closeExprs(s.keys)
		closeExprs(s.storedKeys)
		s.close()
		batch.FreeSlice(j.env.Mem, j.pairs[i])
	}
	if j.residual != nil {
		j.residual.Close()
	}
	if j.pairFrame != nil {
		j.pairFrame.Release()
	}
	j.keys.close()
	j.out.Release()
	for i := range j.savers {
		j.savers[i].close(j.mem)
	}
	batch.FreeSlice(j.mem, j.ends)
	for _, s := range [...][]int32{j.groups, j.gone, j.moved} {
		batch.FreeSlice(j.mem, s)
	}
}
