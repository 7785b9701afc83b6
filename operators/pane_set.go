package operators

import "slices"

// paneSet is panes in order of start, and some empty ones to be used again.
type paneSet struct {
	fresh func() *pane
	panes []*pane
	free  []*pane
	last  int // index of the pane that was found last
}

// maxFreePanes bounds the empty panes that are kept.
const maxFreePanes = 8

// at returns the pane that starts at start, a new one if need be.
func (s *paneSet) at(start int64) *pane {
	if s.last < len(s.panes) && s.panes[s.last].start == start {
		return s.panes[s.last]
	}
	i := s.from(start)
	s.last = i
	if i < len(s.panes) && s.panes[i].start == start {
		return s.panes[i]
	}
	p := s.take()
	p.start = start
	s.panes = slices.Insert(s.panes, i, p)
	return p
}

// take returns an empty pane that is not in the set.
func (s *paneSet) take() *pane {
	n := len(s.free)
	if n == 0 {
		return s.fresh()
	}
	p := s.free[n-1]
	s.free = s.free[:n-1]
	return p
}

// from returns the index of the first pane that does not start before start.
func (s *paneSet) from(start int64) int {
	i, _ := slices.BinarySearchFunc(s.panes, start, func(p *pane, start int64) int {
		switch {
		case p.start < start:
			return -1
		case p.start > start:
			return 1
		}
		return 0
	})
	return i
}

// between returns the panes that start in [from, to).
func (s *paneSet) between(from, to int64) []*pane { return s.panes[s.from(from):s.from(to)] }

// drop takes the first n panes out.
func (s *paneSet) drop(n int) {
	s.panes = slices.Delete(s.panes, 0, n)
	s.last = 0
}

// recycle keeps p to be used again, or releases it.
func (s *paneSet) recycle(p *pane) {
	if len(s.free) >= maxFreePanes {
		p.close()
		return
	}
	p.reset()
	s.free = append(s.free, p)
}

func (s *paneSet) reset() {
	for _, p := range s.panes {
		s.recycle(p)
	}
	s.panes, s.last = s.panes[:0], 0
}

func (s *paneSet) close() {
	for _, p := range s.panes {
		p.close()
	}
	for _, p := range s.free {
		p.close()
	}
	s.panes, s.free = nil, nil
}
