package tidemill

import "cmp"

// due is something that is to happen at a time.
type due struct {
	at     int64  // a batch.Time
	order  uint64 // of rows: Origin.SplitKey
	number int64  // tells those of equal time apart
	slot   int32  // whose it is
	of     int32  // of what expires: the index of the variable
}

// compare orders by time, then by order and number.
func (d *due) compare(e *due) int {
	return cmp.Or(cmp.Compare(d.at, e.at), cmp.Compare(d.order, e.order), cmp.Compare(d.number, e.number))
}

// dueHeap is a binary heap: the first element is what comes next. Push and pop are O(log n).
type dueHeap []due

func (h *dueHeap) push(d due) {
	*h = append(*h, d)
	s := *h
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / 2
		if s[up].compare(&d) <= 0 {
			break
		}
		s[i] = s[up]
		i = up
	}
	s[i] = d
}

func (h *dueHeap) pop() due {
	s := *h
	first := s[0]
	last := s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	if len(s) > 0 {
		s.sink(0, last)
	}
	return first
}

// sink puts d where element i was, or below.
func (h dueHeap) sink(i int, d due) {
	for {
		down := 2*i + 1
		if down >= len(h) {
			break
		}
		if down+1 < len(h) && h[down+1].compare(&h[down]) < 0 {
			down++
		}
		if d.compare(&h[down]) <= 0 {
			break
		}
		h[i] = h[down]
		i = down
	}
	h[i] = d
}

// keep leaves only the elements for which fn is true. It is O(n).
func (h *dueHeap) keep(fn func(*due) bool) {
	kept := (*h)[:0]
	for i := range *h {
		if fn(&(*h)[i]) {
			kept = append(kept, (*h)[i])
		}
	}
	*h = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		kept.sink(i, kept[i])
	}
}
