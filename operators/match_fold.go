package operators

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// matchFold computes an aggregate over rows of a match. It is nil for references to one row.
type matchFold struct {
	acc     accumulator // nil: count(*)
	rec     *records
	groups  []int32 // 0 for each row
	rows    []int32
	current []int32
}

func newMatchFold(mem memory.Allocator, spec *MatchSpec, n NavSpec) *matchFold {
	if n.Func == "first" || n.Func == "last" {
		return nil
	}
	agg := AggSpec{Func: n.Func, Type: n.Type}
	if n.Value >= 0 {
		agg.Arg = spec.Values[n.Value]
	}
	accs, rec := newAccumulators(mem, []AggSpec{agg})
	return &matchFold{acc: accs[0], rec: rec, current: []int32{0}}
}

func (f *matchFold) close() {
	if f == nil {
		return
	}
	if f.acc != nil {
		f.acc.close()
	}
	batch.FreeSlice(f.rec.mem, f.rec.words)
}

// fold appends what reference n is, for the path of p, to c.
func (s *matchSearch) fold(n int, p *partition, c *batch.Column) {
	nav := &s.m.spec.Navs[n]
	if f := s.folds[n]; f != nil {
		s.foldRows(f, nav, p, c)
		return
	}
	if i := nav.rowIn(p.path); i >= 0 {
		c.AppendRow(s.values.Column(nav.Value), int(p.rows[i]))
		return
	}
	c.AppendNull()
}

// rowIn returns the index in path that a reference to one row means, -1 if there is none.
func (n *NavSpec) rowIn(path []uint8) int {
	left := n.Offset
	if n.Func == "first" {
		for i, v := range path {
			if n.Var < 0 || int(v) == n.Var {
				if left == 0 {
					return i
				}
				left--
			}
		}
		return -1
	}
	for i, p := range slices.Backward(path) {
		if n.Var < 0 || int(p) == n.Var {
			if left == 0 {
				return i
			}
			left--
		}
	}
	return -1
}

// foldRows aggregates the rows of nav's variable. A result that can't be given is NULL.
func (s *matchSearch) foldRows(f *matchFold, nav *NavSpec, p *partition, c *batch.Column) {
	f.rows, f.groups = f.rows[:0], f.groups[:0]
	for i, v := range p.path {
		if nav.Var < 0 || int(v) == nav.Var {
			f.rows, f.groups = append(f.rows, p.rows[i]), append(f.groups, 0)
		}
	}
	if f.acc == nil {
		c.AppendInt64(int64(len(f.rows)))
		return
	}
	f.rec.words = f.rec.words[:0]
	f.acc.reset()
	f.rec.grow(1)
	f.acc.grow(1)
	f.rec.count(f.groups)
	if len(f.rows) > 0 {
		f.acc.add(s.values.Column(nav.Value), f.rows, f.groups)
	}
	if f.acc.fault(0) != "" {
		c.AppendNull()
		return
	}
	f.acc.result(c, f.current)
}
