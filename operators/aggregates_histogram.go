package operators

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// histogram is histogram_numeric: at most bins pairs of a value and how many values are near it. It keeps each different value, and
// makes pairs only for a result, of the two nearest ones again and again (Ben-Haim and Tom-Tov 2010), so that the result does not depend
// on the order of rows, as it does where pairs are made as rows come.
type histogram struct {
	bagged
	bins int

	// Scratch of a result: bins in their order, chained, and a heap of those that have one after them, the nearest pair first.
	means, weights []float64
	next, before   []int32
	heap, place    []int32 // place has, per bin, where it is in the heap
}

var _ accumulator = (*histogram)(nil)

func (h *histogram) merge(src accumulator, ids, groups []int32) {
	h.bag.merge(&src.(*histogram).bag, ids, groups)
}

func (h *histogram) state() []arrow.Field { return h.bag.state(true) }

func (h *histogram) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		if h.sizes[id] == 0 {
			col.AppendNull()
			continue
		}
		values, rows, counts := h.sorted(id)
		h.means, h.weights = batch.GrowSlice(h.mem, h.means, len(rows)), batch.GrowSlice(h.mem, h.weights, len(rows))
		for k, i := range rows {
			h.means[k], h.weights[k] = doubleAt(values, i), float64(counts[i])
		}
		h.join()
		pair := col.Child()
		for bin := int32(0); bin >= 0; bin = h.next[bin] {
			if x := pair.Field(0); x.Type().ID() == arrow.FLOAT64 {
				x.AppendFloat64(h.means[bin])
			} else {
				x.AppendInt64(int64(h.means[bin]))
			}
			pair.Field(1).AppendFloat64(h.weights[bin])
			pair.AppendStruct()
		}
		col.AppendList()
	}
}

// join makes one bin of the two nearest ones, of equal distances the first, until there are no more than there may be.
func (h *histogram) join() {
	n := len(h.means)
	for _, p := range [...]*[]int32{&h.next, &h.before, &h.place, &h.heap} {
		*p = batch.GrowSlice(h.mem, *p, n)
	}
	for i := range int32(n) {
		h.next[i], h.before[i], h.place[i], h.heap[i] = i+1, i-1, i, i
	}
	h.next[n-1] = -1
	if n <= h.bins {
		return
	}
	h.heap = h.heap[:n-1]
	for at := n / 2; at >= 0; at-- {
		h.sink(at)
	}
	for left := n; left > h.bins; left-- {
		i := h.heap[0]
		j := h.next[i]
		total := h.weights[i] + h.weights[j]
		h.means[i] += (h.means[j] - h.means[i]) * (h.weights[j] / total)
		h.weights[i] = total
		k := h.next[j]
		h.next[i] = k
		if k >= 0 {
			h.before[k] = i
			h.remove(j)
		} else {
			h.remove(i) // it is the last one now
		}
		h.settle(i)
		if k = h.before[i]; k >= 0 {
			h.settle(k)
		}
	}
}

// distance returns that from a bin to the one after it.
func (h *histogram) distance(bin int32) float64 { return h.means[h.next[bin]] - h.means[bin] }

// isBefore says whether one bin is nearer to the one after it than another. One of NaN is nearest to none.
func (h *histogram) isBefore(bin, other int32) bool {
	d, e := h.distance(bin), h.distance(other)
	return d < e || d == e && bin < other || d == d && e != e
}

func (h *histogram) swap(a, b int) {
	h.heap[a], h.heap[b] = h.heap[b], h.heap[a]
	h.place[h.heap[a]], h.place[h.heap[b]] = int32(a), int32(b)
}

func (h *histogram) sink(at int) {
	for {
		least := at
		for child := 2*at + 1; child <= 2*at+2 && child < len(h.heap); child++ {
			if h.isBefore(h.heap[child], h.heap[least]) {
				least = child
			}
		}
		if least == at {
			return
		}
		h.swap(at, least)
		at = least
	}
}

// settle moves a bin of the heap to where its distance belongs.
func (h *histogram) settle(bin int32) {
	if h.next[bin] < 0 {
		return
	}
	at := int(h.place[bin])
	for at > 0 && h.isBefore(h.heap[at], h.heap[(at-1)/2]) {
		h.swap(at, (at-1)/2)
		at = (at - 1) / 2
	}
	h.sink(at)
}

// remove takes a bin out of the heap.
func (h *histogram) remove(bin int32) {
	at, last := int(h.place[bin]), len(h.heap)-1
	h.swap(at, last)
	h.heap = h.heap[:last]
	if at < last {
		h.settle(h.heap[at])
	}
}

func (h *histogram) close() {
	h.bag.close()
	batch.FreeSlice(h.mem, h.means)
	batch.FreeSlice(h.mem, h.weights)
	h.means, h.weights = nil, nil
	for _, p := range [...]*[]int32{&h.next, &h.before, &h.place, &h.heap} {
		batch.FreeSlice(h.mem, *p)
		*p = nil
	}
}
