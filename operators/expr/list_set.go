package expr

import "math/bits"

// indexSet is a set of elements, which are given by a number and a hash: open addressing, emptied in proportion to what it has.
type indexSet struct {
	slots []int32 // number+1; 0: free
	used  []int32 // slots that are taken
	shift uint
}

// reset makes the set empty, with room for n elements.
func (s *indexSet) reset(n int) {
	for _, at := range s.used {
		s.slots[at] = 0
	}
	s.used = s.used[:0]
	if need := 1 << bits.Len(uint(max(8, 2*n)-1)); need > len(s.slots) {
		s.slots = make([]int32, need)
		s.shift = uint(64 - bits.Len(uint(need-1)))
	}
}

// probe returns the slot at which the search for a hash begins.
func (s *indexSet) probe(hash uint64) int { return int(hash * 0x9E3779B97F4A7C15 >> s.shift) }

// add adds element j of list, unless an equal one is there, and says whether it did.
func (s *indexSet) add(list *operand, j int32, hashes []uint64, first int32) bool {
	hash := hashes[j-first]
	for at := s.probe(hash); ; at = (at + 1) & (len(s.slots) - 1) {
		have := s.slots[at] - 1
		if have < 0 {
			s.slots[at] = j + 1
			s.used = append(s.used, int32(at))
			return true
		}
		if hashes[have-first] == hash && list.compareAt(have, list, j) == 0 {
			return false
		}
	}
}

// has says whether an element that equals row j of other, which has a hash, is there.
func (s *indexSet) has(list *operand, hashes []uint64, first int32, other *operand, j int32, hash uint64) bool {
	for at := s.probe(hash); ; at = (at + 1) & (len(s.slots) - 1) {
		have := s.slots[at] - 1
		if have < 0 {
			return false
		}
		if hashes[have-first] == hash && list.compareAt(have, other, j) == 0 {
			return true
		}
	}
}

// fewElements is up to how many elements of a list are compared with each other, in the place of a set: making the set costs as much.
const fewElements = 8

// addRow adds the elements from to to-1 of list.
func (s *indexSet) addRow(list *operand, from, to int32, hashes []uint64, first int32) {
	s.reset(int(to - from))
	for j := from; j < to; j++ {
		s.add(list, j, hashes, first)
	}
}

func runArrayContains(c *listCall) {
	found := c.findElement()
	bits := c.out.Bits()
	clear(bits)
	for k, i := range c.rows {
		if c.order[k] >= 0 {
			bits[i>>3] |= 1 << (i & 7)
		} else if found[k] {
			c.out.SetNull(int(i)) // what is not there may be the NULL that is
		}
	}
}

func runArrayPosition(c *listCall) {
	c.findElement()
	out := c.out.Int64s()
	for k, i := range c.rows {
		out[i] = int64(c.order[k] + 1)
	}
}

// findElement sets order, by row, to the place in the first argument, from 0, of the first element that equals the second argument, -1
// if there is none, and says which rows have NULL among their elements.
func (c *listCall) findElement() (hasNull []bool) {
	list, x := &c.args[0], &c.args[1]
	hashes, first := hashElements(c.hashes, list, c.rows)
	c.hashes = hashes
	c.others = hashAll(c.others, x, c.n)
	c.order, c.mark = c.order[:0], c.mark[:0]
	elements := list.child
	for _, i := range c.rows {
		from, to := list.span(i)
		at, null := int32(-1), false
		want := c.others[i]
		for j := from; j < to; j++ {
			if hashes[j-first] == want && !elements.isNull(j) && elements.compareAt(j, x, i) == 0 {
				at = j - from
				break
			}
			null = null || elements.isNull(j)
		}
		c.order, c.mark = append(c.order, at), append(c.mark, null)
	}
	return c.mark
}

func runArrayRemove(c *listCall) {
	list, x := &c.args[0], &c.args[1]
	hashes, first := hashElements(c.hashes, list, c.rows)
	c.hashes = hashes
	c.others = hashAll(c.others, x, c.n)
	elements := list.child
	for _, i := range c.rows {
		from, to := list.span(i)
		for j := from; j < to; j++ {
			if hashes[j-first] != c.others[i] || elements.compareAt(j, x, i) != 0 {
				c.pick(j)
			}
		}
		c.endPicked(i)
	}
	c.takePicked(elements)
}

func runArrayDistinct(c *listCall) {
	list := &c.args[0]
	hashes, first := hashElements(c.hashes, list, c.rows)
	c.hashes = hashes
	for _, i := range c.rows {
		from, to := list.span(i)
		c.pickDistinct(list.child, from, to, hashes, first)
		c.endPicked(i)
	}
	c.takePicked(list.child)
}

func (c *listCall) pickDistinct(elements *operand, from, to int32, hashes []uint64, first int32) {
	if to-from > fewElements {
		c.set.reset(int(to - from))
		for j := from; j < to; j++ {
			if c.set.add(elements, j, hashes, first) {
				c.pick(j)
			}
		}
		return
	}
	row := len(c.picks)
next:
	for j := from; j < to; j++ {
		for _, had := range c.picks[row:] {
			if hashes[had-first] == hashes[j-first] && elements.compareAt(had, elements, j) == 0 {
				continue next
			}
		}
		c.pick(j)
	}
}

// runArrayIntersect and runArrayExcept give the distinct elements of the first list that are in the second, or are not.
func runArrayIntersect(c *listCall) { c.pickByOther(true) }

func runArrayExcept(c *listCall) { c.pickByOther(false) }

func (c *listCall) pickByOther(want bool) {
	a, b := &c.args[0], &c.args[1]
	hashes, first := hashElements(c.hashes, a, c.rows)
	others, otherFirst := hashElements(c.others, b, c.rows)
	c.hashes, c.others = hashes, others
	for _, i := range c.rows {
		from, to := b.span(i)
		c.set.addRow(b.child, from, to, others, otherFirst)
		row := len(c.picks)
		from, to = a.span(i)
		for j := from; j < to; j++ {
			if c.set.has(b.child, others, otherFirst, a.child, j, hashes[j-first]) == want {
				c.pick(j)
			}
		}
		c.distinctPicks(row, a.child, hashes, first)
		c.endPicked(i)
	}
	c.takePicked(a.child)
}

// distinctPicks leaves the first of equal elements among those that were picked from the index row on.
func (c *listCall) distinctPicks(row int, elements *operand, hashes []uint64, first int32) {
	c.set.reset(len(c.picks) - row)
	n := row
	for _, j := range c.picks[row:] {
		if c.set.add(elements, j, hashes, first) {
			c.picks[n] = j
			n++
		}
	}
	c.picks = c.picks[:n]
}

// runArrayUnion gives the distinct elements of both lists, those of the first first.
func runArrayUnion(c *listCall) {
	a, b := &c.args[0], &c.args[1]
	hashes, first := hashElements(c.hashes, a, c.rows)
	others, otherFirst := hashElements(c.others, b, c.rows)
	c.hashes, c.others = hashes, others
	out := c.out.Child()
	for _, i := range c.rows {
		from, to := a.span(i)
		c.pickDistinct(a.child, from, to, hashes, first)
		c.takePicked(a.child)
		c.set.addRow(a.child, from, to, hashes, first)
		from, to = b.span(i)
		for j := from; j < to; j++ {
			if !c.set.has(a.child, hashes, first, b.child, j, others[j-otherFirst]) {
				c.pick(j)
			}
		}
		c.distinctPicks(0, b.child, others, otherFirst)
		c.takePicked(b.child)
		c.out.EndListAt(int(i), out.Len())
	}
}

// runArraysOverlap says whether the lists share an element that is not NULL; if not, it is NULL where both have elements and one of
// them is NULL.
func runArraysOverlap(c *listCall) {
	a, b := &c.args[0], &c.args[1]
	hashes, first := hashElements(c.hashes, a, c.rows)
	others, otherFirst := hashElements(c.others, b, c.rows)
	c.hashes, c.others = hashes, others
	for _, i := range c.rows {
		from, to := b.span(i)
		c.set.addRow(b.child, from, to, others, otherFirst)
		isShared, hasNull := false, false
		for j := from; j < to; j++ {
			hasNull = hasNull || b.child.isNull(j)
		}
		aFrom, aTo := a.span(i)
		for j := aFrom; j < aTo && !isShared; j++ {
			if a.child.isNull(j) {
				hasNull = true
			} else {
				isShared = c.set.has(b.child, others, otherFirst, a.child, j, hashes[j-first])
			}
		}
		c.out.SetBool(int(i), isShared)
		if !isShared && hasNull && from < to && aFrom < aTo {
			c.out.SetNull(int(i))
		}
	}
}
