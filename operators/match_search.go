package operators

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// matchSearch looks for matches in one partition after the other. It tries what the pattern prefers first, and goes back to the
// last choice where that leads nowhere, so that the match it finds is the preferred one. Where the next row is not there yet, it
// stops, and goes on from there once it is: with a pattern A B* C and rows a b b it waits behind the second b.
type matchSearch struct {
	m        *match
	defines  []matchDefine
	measures []expr.Expr
	bad      func(origin *batch.Origin, row int32, why string)

	// Of the interval.
	store    *matchStore
	values   *batch.View
	mark     batch.Time
	interval batch.Interval
	sequence uint64
	dropped  int64

	// found has the references of matches that are not emitted yet, foundIn their partitions.
	found   *batch.Frame
	foundIn []int32

	// Scratch.
	row      *batch.Frame // one row of references, for a condition
	results  *batch.Frame
	rowSel   []int32
	selected []int32
	badRows  badRows
	unknown  badRows // rows for which a condition can't be computed
	folds    []*matchFold
}

// matchDefine is the condition of a variable.
type matchDefine struct {
	predicate expr.Predicate // nil: every row
	navs      []int          // that it refers to
	// isOfRow says that it looks at the row alone, and was computed when that came.
	isOfRow bool
	view    *batch.View // of references, for conditions that look at the row alone
}

// stepsPerCheck is how many steps the search makes before it looks whether it is to stop.
const stepsPerCheck = 1 << 14

func (s *matchSearch) init(m *match, env Env) error {
	s.m, s.bad = m, env.Bad
	schema := m.spec.NavSchema()
	s.found, s.row = batch.NewFrame(env.Mem, schema), batch.NewFrame(env.Mem, schema)
	s.results = batch.NewFrame(env.Mem, m.schema)
	s.rowSel = []int32{0}
	s.badRows.init(env)
	s.unknown.init(Env{})
	for _, n := range m.spec.Navs {
		s.folds = append(s.folds, newMatchFold(env.Mem, m.spec, n))
	}
	var err error
	if s.measures, err = newExprs(env.Mem, m.spec.Measures); err != nil {
		return err
	}
	s.defines = make([]matchDefine, len(m.spec.Vars))
	for v, spec := range m.spec.Define {
		if spec == nil {
			continue
		}
		d := &s.defines[v]
		if d.predicate, err = expr.NewPredicate(env.Mem, spec); err != nil {
			return err
		}
		d.navs, d.isOfRow = expr.Columns(spec), true
		for _, n := range d.navs {
			d.isOfRow = d.isOfRow && m.spec.Navs[n].isOfCurrentRow(v)
		}
		d.view = batch.NewView(schema)
	}
	return nil
}

// classify computes which of the rows that sel names, which are stored from first on, the conditions that look at the row alone
// allow to be what. values are those of MatchSpec.Values for a batch of rows.
func (s *matchSearch) classify(ctx context.Context, store *matchStore, values []arrow.Array, rows int, sel []int32, first int32) error {
	can := store.can[first:]
	for v := range s.defines {
		d, bit := &s.defines[v], uint64(1)<<v
		if d.predicate == nil {
			for k := range sel {
				can[k] |= bit
			}
			continue
		}
		if !d.isOfRow {
			continue
		}
		for _, n := range d.navs {
			d.view.Set(n, values[s.m.spec.Navs[n].Value])
		}
		d.view.SetRows(rows)
		if err := s.check(ctx, d, batch.Batch{Rows: d.view, Sel: sel}); err != nil {
			return err
		}
		k := 0
		for _, row := range s.selected {
			for sel[k] != row {
				k++
			}
			can[k] |= bit
		}
	}
	return nil
}

// check sets selected to the rows of in for which a condition holds. One that can't be computed does not.
func (s *matchSearch) check(ctx context.Context, d *matchDefine, in batch.Batch) error {
	s.unknown.begin(&in)
	var err error
	s.selected, err = d.predicate.Select(ctx, in, s.selected[:0], s.unknown.note)
	if s.unknown.n > 0 {
		s.selected = slices.DeleteFunc(s.selected, s.unknown.isBad)
	}
	return err
}

// begin notes the watermark of an interval.
func (s *matchSearch) begin(store *matchStore, mark batch.Time, iv batch.Interval) {
	s.store, s.mark, s.interval, s.sequence = store, mark, iv, 0
	s.values = store.values.Rows()
}

// run searches p as far as its rows go.
func (s *matchSearch) run(ctx context.Context, p *partition, group int32, emit batch.Emit) error {
	program, steps := s.m.program, 0
	p.wake = batch.MaxTime
	for p.ready > 0 {
		if steps++; steps%stepsPerCheck == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		in := program[p.pc]
		isDeadEnd := false
		switch in.op {
		case matchJump:
			p.pc = in.x
		case matchSplit:
			p.stack = append(p.stack, matchChoice{in.y, int32(len(p.path))})
			p.pc = in.x
		case matchRow:
			if len(p.path) == p.ready && !s.isOver(p) {
				p.wake = s.wakeOf(p)
				return nil
			}
			holds := len(p.path) < p.ready && s.isWithin(p)
			if holds {
				var err error
				if holds, err = s.holds(ctx, p, int(in.x)); err != nil {
					return err
				}
			}
			if holds {
				p.path = append(p.path, uint8(in.x))
				p.pc++
			}
			isDeadEnd = !holds
		case matchEnd:
			if err := s.find(ctx, p, group, emit); err != nil {
				return err
			}
		}
		if isDeadEnd {
			s.goBack(p)
		}
	}
	if len(p.rows) > 0 {
		p.wake = s.wakeOf(p)
	}
	return nil
}

// goBack goes on at the last choice; where there is none, no match begins with the first row.
func (s *matchSearch) goBack(p *partition) {
	if n := len(p.stack); n > 0 {
		c := p.stack[n-1]
		p.stack, p.path, p.pc = p.stack[:n-1], p.path[:c.depth], c.pc
		return
	}
	s.drop(p, 1)
}

// isOver says that no row can follow those that are there, in time for the match.
func (s *matchSearch) isOver(p *partition) bool {
	if s.mark == batch.MaxTime {
		return true
	}
	within := s.m.spec.Within
	return within > 0 && len(p.rows) > 0 && s.mark >= s.timeOf(p, 0).Sub(-within)
}

// wakeOf returns the time that the watermark must pass for p to go on: that of its next row, or the end of the match that is
// being searched for.
func (s *matchSearch) wakeOf(p *partition) batch.Time {
	wake := batch.MaxTime
	if p.ready < len(p.rows) {
		wake = s.timeOf(p, p.ready)
	}
	if within := s.m.spec.Within; within > 0 && p.ready > 0 {
		wake = min(wake, s.timeOf(p, 0).Sub(-within)-1)
	}
	if wake == batch.MaxTime {
		wake-- // the end passes it
	}
	return wake
}

func (s *matchSearch) timeOf(p *partition, i int) batch.Time {
	return batch.Time(s.store.times[p.rows[i]])
}

// isWithin says whether the next row is near enough to the first one.
func (s *matchSearch) isWithin(p *partition) bool {
	within := s.m.spec.Within
	return within == 0 || s.timeOf(p, len(p.path)) < s.timeOf(p, 0).Sub(-within)
}

// holds says whether the next row can be variable v.
func (s *matchSearch) holds(ctx context.Context, p *partition, v int) (bool, error) {
	d := &s.defines[v]
	if d.isOfRow || d.predicate == nil {
		return s.store.can[p.rows[len(p.path)]]&(1<<v) != 0, nil
	}
	p.path = append(p.path, uint8(v)) // the row is one of v while it is looked at
	s.row.Reset(0)
	for _, n := range d.navs {
		s.fold(n, p, s.row.Columns[n])
	}
	s.row.SetRows(1)
	p.path = p.path[:len(p.path)-1]
	err := s.check(ctx, d, batch.Batch{Rows: s.row.Rows(), Sel: s.rowSel})
	return len(s.selected) > 0, err
}

// find takes note of a match, and goes on behind it.
func (s *matchSearch) find(ctx context.Context, p *partition, group int32, emit batch.Emit) error {
	for n, c := range s.found.Columns {
		s.fold(n, p, c)
	}
	s.foundIn = append(s.foundIn, group)
	s.found.SetRows(len(s.foundIn))
	s.drop(p, s.passed(p))
	if len(s.foundIn) >= maxEmitRows {
		return s.flush(ctx, emit)
	}
	return nil
}

// passed returns how many rows a match is passed by.
func (s *matchSearch) passed(p *partition) int {
	v := uint8(s.m.spec.AfterVar)
	switch s.m.spec.After {
	case SkipPastLastRow:
		return len(p.path)
	case SkipToFirst:
		for i, w := range p.path {
			if w == v {
				return max(1, i)
			}
		}
	case SkipToLast:
		for i := len(p.path) - 1; i > 0; i-- {
			if p.path[i] == v {
				return i
			}
		}
	case SkipToNextRow:
	}
	return 1
}

// drop forgets the first n rows of p, and begins a search with the next one.
func (s *matchSearch) drop(p *partition, n int) {
	for _, row := range p.rows[:n] {
		s.store.drop(row)
	}
	s.dropped += int64(n)
	p.rows = append(p.rows[:0], p.rows[n:]...)
	p.ready -= n
	p.path, p.stack, p.pc = p.path[:0], p.stack[:0], 0
}

// flush emits a row for each match found.
func (s *matchSearch) flush(ctx context.Context, emit batch.Emit) error {
	if len(s.foundIn) == 0 {
		return nil
	}
	in := batch.Batch{Rows: s.found.Rows()}
	in.Origin = batch.Origin{Split: -1, Block: s.interval.ID<<32 | s.sequence, Arrival: s.interval.End, Watermark: batch.MinTime}
	s.sequence++
	s.badRows.begin(&in)
	keys := len(s.m.keys)
	s.results.Reset(0)
	s.m.table.appendKeys(s.results.Columns[:keys], s.foundIn)
	rows := s.results.Rows()
	var arr arrow.Array
	var err error
	for i, e := range s.measures {
		if arr, err = e.Eval(ctx, in, s.badRows.note); err != nil {
			return err
		}
		rows.Set(keys+i, arr)
	}
	rows.SetRows(len(s.foundIn))
	out := batch.Batch{Rows: rows, Sel: s.badRows.narrow(&in, &s.selected), Origin: in.Origin}
	if out.NumLive() > 0 {
		err = emit(out)
	}
	s.found.Reset(0)
	s.foundIn = s.foundIn[:0]
	return err
}

func (s *matchSearch) close() {
	closeExprs(s.measures)
	for i := range s.defines {
		if s.defines[i].predicate != nil {
			s.defines[i].predicate.Close()
		}
	}
	for _, f := range s.folds {
		f.close()
	}
	for _, f := range []*batch.Frame{s.found, s.row, s.results} {
		if f != nil {
			f.Release()
		}
	}
}
