package operators

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// extent is the smallest and the largest of some times.
type extent struct{ smallest, largest int64 }

// extentOf returns the extent of n times, at least one: those of sel, or the first ones. Where these are all the same, as times of
// arrival are, the result may be that of all times up to the last one.
func extentOf(times []int64, sel []int32, n int) extent {
	upto := n
	if sel != nil {
		upto = int(sel[n-1]) + 1
	}
	if areSame(times[:upto]) {
		return extent{times[0], times[0]}
	}
	if sel == nil {
		e := extent{times[0], times[0]}
		for _, t := range times[:n] {
			e.smallest, e.largest = min(e.smallest, t), max(e.largest, t)
		}
		return e
	}
	e := extent{times[sel[0]], times[sel[0]]}
	for _, i := range sel[:n] {
		e.smallest, e.largest = min(e.smallest, times[i]), max(e.largest, times[i])
	}
	return e
}

// areSame says whether all of times, at least one, are the same. It compares them with themselves, one place further on, at the
// speed of memory, and ends where they begin to differ.
func areSame(times []int64) bool {
	if times[0] != times[len(times)-1] {
		return false
	}
	all := arrow.Int64Traits.CastToBytes(times)
	return bytes.Equal(all[:len(all)-arrow.Int64SizeBytes], all[arrow.Int64SizeBytes:])
}

// checkTimes tells of rows without a time, or with one that no window can have, and returns the extent of the others, if there are
// any.
func (p *aggPartial) checkTimes(in *batch.Batch, times arrow.Array) {
	values, n := batch.Int64s(times), in.NumLive()
	p.isExtentKnown = false
	if times.NullN() == 0 && n > 0 {
		p.extent = extentOf(values, in.Sel, n)
		if p.extent.smallest >= firstWindowTime && p.extent.largest <= lastWindowTime {
			p.isExtentKnown = true
			return
		}
	}
	for k := range n {
		i := rowOf(in.Sel, k)
		switch {
		case times.IsNull(i):
			p.bad.add(int32(i), "window: time is NULL") // after the expression's own word on it, if it had one
		case values[i] < firstWindowTime || values[i] > lastWindowTime:
			p.bad.add(int32(i), "window: time is out of range")
		}
	}
}
