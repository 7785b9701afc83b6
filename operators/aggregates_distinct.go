package operators

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// bagged is embedded by aggregates that keep a bag of the values of a group, each once.
type bagged struct {
	always
	bag
	values []arrow.Array // scratch
}

func newBagged(mem memory.Allocator, types []arrow.DataType) (b bagged) {
	b.init(mem, types)
	return b
}

// bind does nothing: a bag has no words.
func (b *bagged) bind(*records, int) {}

// subtract is never called: entries of groups that are empty would be left.
func (b *bagged) subtract(accumulator, []int32, []int32) {}

func (b *bagged) canSubtract() bool { return false }

func (b *bagged) add(arg arrow.Array, rows, groups []int32) {
	b.values = b.values[:0]
	if t, ok := arg.(*tupleArray); ok {
		b.values = append(append(b.values, t.Array), t.more...)
	} else {
		b.values = append(b.values, arg)
	}
	b.put(b.values, rows, groups, nil)
}

// distinctCount is count(DISTINCT x, …).
type distinctCount struct{ bagged }

var _ accumulator = (*distinctCount)(nil)

func (d *distinctCount) merge(src accumulator, ids, groups []int32) {
	d.bag.merge(&src.(*distinctCount).bag, ids, groups)
}

func (d *distinctCount) state() []arrow.Field { return d.bag.state(false) }

func (d *distinctCount) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		col.AppendInt64(int64(d.sizes[id]))
	}
}

// distinctOf is another aggregate of the different values of a group, in ascending order: sum(DISTINCT x).
type distinctOf struct {
	bagged
	of  accumulator // has one group, which is made for each result
	rec *records
}

var _ accumulator = (*distinctOf)(nil)

func newDistinctOf(mem memory.Allocator, a *AggSpec, types []arrow.DataType) *distinctOf {
	plain := *a
	plain.Distinct = false
	accs, rec := newAccumulators(mem, []AggSpec{plain})
	return &distinctOf{bagged: newBagged(mem, types), of: accs[0], rec: rec}
}

func (d *distinctOf) merge(src accumulator, ids, groups []int32) {
	d.bag.merge(&src.(*distinctOf).bag, ids, groups)
}

func (d *distinctOf) state() []arrow.Field { return d.bag.state(false) }

// onlyGroup is the group of distinctOf.of.
var onlyGroup = []int32{0}

// fill makes the only group that of the values of id.
func (d *distinctOf) fill(id int32) {
	values, rows, _ := d.sorted(id)
	d.of.reset()
	d.rec.words = d.rec.words[:0]
	d.rec.grow(1)
	d.of.grow(1)
	groups := batch.MakeSlice[int32](d.mem, max(len(rows), 1))[:len(rows)]
	clear(groups)
	d.rec.count(groups)
	d.of.add(values.Array(), rows, groups)
	batch.FreeSlice(d.mem, groups)
}

func (d *distinctOf) canFail() bool { return d.of.canFail() }

func (d *distinctOf) fault(id int32) string {
	d.fill(id)
	return d.of.fault(0)
}

func (d *distinctOf) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		d.fill(id)
		d.of.result(col, onlyGroup)
	}
}

func (d *distinctOf) close() {
	d.bag.close()
	d.of.close()
	batch.FreeSlice(d.rec.mem, d.rec.words)
	d.rec.words = nil
}

// valueSet is collect_set: the different values of a group in ascending order.
type valueSet struct{ bagged }

var _ accumulator = (*valueSet)(nil)

func (s *valueSet) merge(src accumulator, ids, groups []int32) {
	s.bag.merge(&src.(*valueSet).bag, ids, groups)
}

func (s *valueSet) state() []arrow.Field { return s.bag.state(false) }

func (s *valueSet) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		values, rows, _ := s.sorted(id)
		col.Child().AppendFrom(values, rows)
		col.AppendList()
	}
}
