package operators

import (
	"cmp"
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// asOf joins each left row with the version of its key that holds at its time: of the right rows with that key that are not after
// it, the latest one; of equal times that of the last split in order of SplitKey, and there the one that came last.
//
// A left row waits until the watermark of the right input has passed its time, so that all versions up to it are there. A version
// is kept until there is a later one of its key that is not after any row that may still ask: one per key stays.
//
// It is a join but for the chains of the right side, which lead from the latest version of a key to older ones.
type asOf struct {
	*join

	// many has the keys with two versions or more. Versions before linked are in chains, unless isLinked says that none is.
	many     []int32
	linked   int
	isLinked bool

	// Scratch.
	views [2]*batch.View
	split *batch.Column
	order []int32
	found []int32 // by left row: its version, -1 if there is none
}

var _ Stateful = (*asOf)(nil)

// NewAsOf returns the operator for spec, whose AsOf is set. Its state is kept under name; schema is what it emits.
func NewAsOf(name string, spec *JoinSpec, schema *arrow.Schema, env Env) (Operator, error) {
	if err := spec.validate(name); err != nil {
		return nil, err
	}
	op, err := NewJoin(name, spec.withSplits(), schema, env)
	if err != nil {
		return nil, err
	}
	a := &asOf{join: op.(*join), isLinked: true}
	a.split = batch.NewColumn(a.mem, batch.BigInt)
	for i := range a.views {
		a.views[i] = batch.NewView(a.spec.Inputs[i])
	}
	return a, nil
}

// withSplits returns s with a column behind those of each input, which is kept: the SplitKey of the row.
func (s *JoinSpec) withSplits() *JoinSpec {
	if s.hasSplits {
		return s
	}
	r := *s
	r.hasSplits = true
	for i, in := range s.Inputs {
		r.Inputs[i] = arrow.NewSchema(append(in.Fields(), arrow.Field{Name: "split", Type: batch.BigInt}), nil)
	}
	numLeft := s.Inputs[0].NumFields()
	moved := func(c int) int {
		if c < numLeft {
			return c
		}
		return c + 1
	}
	r.Output = make([]int, len(s.Output))
	for i, c := range s.Output {
		r.Output[i] = moved(c)
	}
	if s.Residual != nil {
		r.Residual = expr.Remap(s.Residual, moved)
	}
	return &r
}

// Process keeps the rows of in. All that comes out does so at the end of an interval, but for rows that can't match.
func (a *asOf) Process(ctx context.Context, input int, in batch.Batch, emit batch.Emit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in.Rows = a.withSplit(input, &in)
	sel, err := a.admit(ctx, input, &in, emit)
	if err != nil {
		return err
	}
	b := batch.Batch{Rows: in.Rows, Sel: sel}
	first, err := a.keep(input, &b)
	if err != nil || input == 1 {
		return err
	}
	s := &a.sides[0]
	for row := first; int(row) < s.len(); row++ {
		ends := (*[4]int32)(a.ends[4*int(s.group[row]):])
		if ends[0] < 0 {
			if ends[2] < 0 {
				a.unused--
			}
			ends[0] = row
		} else {
			s.next[ends[1]] = row
		}
		ends[1] = row
	}
	return nil
}

// withSplit returns the rows of in with the column that withSplits adds.
func (a *asOf) withSplit(input int, in *batch.Batch) *batch.View {
	n := in.NumRows()
	a.split.Reset(n)
	fillLong(a.split.Int64s(), int64(in.Origin.SplitKey))
	view := a.views[input]
	last := view.Schema().NumFields() - 1
	for i := range last {
		view.Set(i, in.Rows.Column(i))
	}
	view.Set(last, a.split.Array())
	view.SetRows(n)
	return view
}

// Restore takes rows of a Snapshot back.
func (a *asOf) Restore(ctx context.Context, table string, shard int, rows arrow.RecordBatch) error {
	a.isLinked = false
	return a.join.Restore(ctx, table, shard, rows)
}

// EndInterval emits the left rows whose versions are all there, and forgets versions that no row can ask for.
func (a *asOf) EndInterval(ctx context.Context, in []batch.Time, emit batch.Emit) (batch.Time, error) {
	for i := range a.sides {
		a.sides[i].closed = max(a.sides[i].closed, in[i])
	}
	if !a.isLinked {
		a.linkAll()
	}
	a.link()
	if err := a.emitDue(ctx, in[1], emit); err != nil {
		return 0, err
	}
	a.forget(in)
	a.compact()
	return minTime(in), nil
}

// before says whether version x is before y, which has the same key.
func (a *asOf) before(s *joinSide, x, y int32) int {
	times, splits := s.times(), s.splits()
	return cmp.Or(cmp.Compare(times[x], times[y]), cmp.Compare(uint64(splits[x]), uint64(splits[y])), cmp.Compare(s.numbers[x], s.numbers[y]))
}

// splits returns the SplitKey of each row.
func (r *joinRows) splits() []int64 { return r.frame.Columns[len(r.columns)-1].Int64s() }

// link puts new versions into the chains of their keys. Those of a key are merged with its chain, which is walked as far as the
// oldest of them.
func (a *asOf) link() {
	s := &a.sides[1]
	a.order = batch.GrowSlice(a.mem, a.order, s.len()-a.linked)[:0]
	for row := a.linked; row < s.len(); row++ {
		if s.marks[row]&rowGone == 0 {
			a.order = append(a.order, int32(row))
		}
	}
	a.linked = s.len()
	slices.SortFunc(a.order, func(x, y int32) int { return cmp.Or(cmp.Compare(s.group[x], s.group[y]), a.before(s, y, x)) })
	for k := 0; k < len(a.order); {
		g := s.group[a.order[k]]
		ends := (*[4]int32)(a.ends[4*int(g):])
		hadMany := ends[2] >= 0 && s.next[ends[2]] >= 0
		if ends[0] < 0 && ends[2] < 0 {
			a.unused--
		}
		last, next := int32(-1), ends[2]
		for ; k < len(a.order) && s.group[a.order[k]] == g; k++ {
			row := a.order[k]
			for next >= 0 && a.before(s, next, row) > 0 {
				last, next = next, s.next[next]
			}
			s.next[row] = next
			if last < 0 {
				ends[2] = row
			} else {
				s.next[last] = row
			}
			last = row
		}
		if !hadMany && s.next[ends[2]] >= 0 {
			a.many = batch.AppendSlice(a.mem, a.many, g)
		}
	}
}

// linkAll makes the chains of all versions anew.
func (a *asOf) linkAll() {
	a.index()
	for i := 2; i < len(a.ends); i += 4 {
		a.ends[i], a.ends[i+1] = -1, -1
	}
	a.linked, a.many, a.isLinked = 0, a.many[:0], true
	a.link()
	a.countUnused()
}

// emitDue emits the left rows before a time, in order of their times.
func (a *asOf) emitDue(ctx context.Context, limit batch.Time, emit batch.Emit) error {
	s := &a.sides[0]
	a.gone = s.appendOlder(a.gone[:0], limit)
	due := a.gone
	if len(due) == 0 {
		return nil
	}
	a.findVersions(due)
	slices.SortFunc(due, func(x, y int32) int { return a.before(s, x, y) })
	for len(due) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(due), maxPairs)
		if err := a.emitVersions(ctx, due[:n], emit); err != nil {
			return err
		}
		due = due[n:]
	}
	return nil
}

// findVersions sets found for left rows. Those of a key are looked for from the latest on, so that its chain is walked once.
func (a *asOf) findVersions(due []int32) {
	s, versions := &a.sides[0], &a.sides[1]
	times := s.times()
	var versionTimes []int64
	if versions.len() > 0 {
		versionTimes = versions.times()
	}
	slices.SortFunc(due, func(x, y int32) int {
		return cmp.Or(cmp.Compare(s.group[x], s.group[y]), cmp.Compare(times[y], times[x]))
	})
	a.found = batch.GrowSlice(a.mem, a.found, s.len())
	version := int32(-1)
	for k, row := range due {
		if g := s.group[row]; k == 0 || s.group[due[k-1]] != g {
			version = a.ends[4*int(g)+2]
		}
		for version >= 0 && versionTimes[version] > times[row] {
			version = versions.next[version]
		}
		a.found[row] = version
	}
}

// emitVersions emits left rows with their versions, and, of a left join, those without one. None of them is needed any more.
func (a *asOf) emitVersions(ctx context.Context, due []int32, emit batch.Emit) error {
	s := &a.sides[0]
	left, right := a.pairs[0][:0], a.pairs[1][:0]
	for _, row := range due {
		if v := a.found[row]; v >= 0 {
			left, right = append(left, row), append(right, v)
		}
	}
	if a.residual != nil && len(left) > 0 {
		n, err := a.narrow(ctx, left, right)
		if err != nil {
			return err
		}
		left, right = left[:n], right[:n]
	}
	for _, row := range left {
		s.match(row)
	}
	if len(left) > 0 {
		if err := a.emitRows(left, right, emit); err != nil {
			return err
		}
	}
	alone := a.pairs[0][:0]
	for _, row := range due {
		if s.isOuter && s.marks[row]&rowMatched == 0 {
			alone = append(alone, row)
		}
		a.drop(0, row)
	}
	if len(alone) == 0 {
		return nil
	}
	return a.emitRows(alone, nil, emit)
}

// forget drops versions that no row can ask for: those before another one that is not after any row that waits or may come.
func (a *asOf) forget(in []batch.Time) {
	s := &a.sides[1]
	if in[0] == batch.MaxTime && a.sides[0].live == 0 {
		a.gone = s.appendOlder(a.gone[:0], batch.MaxTime)
		for _, row := range a.gone {
			a.drop(1, row)
		}
		a.many = a.many[:0]
		return
	}
	limit := int64(minTime(in))
	if len(a.many) == 0 {
		return
	}
	times, many := s.times(), a.many[:0]
	for _, g := range a.many {
		head := a.ends[4*int(g)+2]
		row := head
		for row >= 0 && times[row] > limit {
			row = s.next[row]
		}
		if row >= 0 {
			next := s.next[row]
			s.next[row] = -1
			for ; next >= 0; next = s.next[next] {
				s.drop(next)
			}
		}
		if s.next[head] >= 0 {
			many = append(many, g)
		}
	}
	a.many = many
}

// compact is that of a join, and makes the chains of versions anew where rows or keys have moved.
func (a *asOf) compact() {
	versions, keys := a.sides[1].len(), a.keys.len()
	a.join.compact()
	if a.sides[1].len() != versions || a.keys.len() != keys {
		a.linkAll()
	}
}

// Close releases all memory.
func (a *asOf) Close() {
	a.split.Release()
	for _, s := range [...][]int32{a.many, a.order, a.found} {
		batch.FreeSlice(a.mem, s)
	}
	a.join.Close()
}
