package operators

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// sketch is approx_count_distinct: a HyperLogLog (Flajolet et al. 2007) of 2^precision registers. A value's hash chooses a register by
// its upper bits, and the register has the largest rank, the place of the first 1 in what follows, of all. It is sparse, a list of
// registers with their ranks, as long as that is smaller. The estimate is that of Ertl (2017), which needs no tables of corrections
// for small numbers. Sketches merge in any order to the same.
type sketch struct {
	always
	mem       memory.Allocator
	precision int

	// Per group, where in the arena it is, how many of its bytes are used, and for how many there is room. size is 0 for an
	// empty group and that of all registers, one byte each, for a dense one. A sparse one has four bytes per register, the register's
	// number times 64 and its rank, in the order of registers.
	start []int64
	size  []int32
	room  []int32
	arena []byte
	live  int // bytes of the arena that belong to a group

	// Scratch.
	cursors []int32
	buf     []byte // canonical bytes of values
	sparse  []byte // of a group that becomes dense
}

var _ accumulator = (*sketch)(nil)

// newSketch returns a sketch whose standard error is at most relative: that of a HyperLogLog is 1.04/sqrt(2^precision), and Spark
// takes 1.106 for it to choose the precision.
func newSketch(mem memory.Allocator, relative float64) *sketch {
	return &sketch{mem: mem, precision: sketchPrecision(relative)}
}

func sketchPrecision(relative float64) int {
	return max(4, int(math.Ceil(2*math.Log2(1.106/relative))))
}

func (s *sketch) registers() int { return 1 << s.precision }

func (s *sketch) words() int { return 0 }

func (s *sketch) bind(*records, int) {}

func (s *sketch) grow(n int) {
	s.start, s.size, s.room = growZero(s.mem, s.start, n), growZero(s.mem, s.size, n), growZero(s.mem, s.room, n)
}

func (s *sketch) add(arg arrow.Array, rows, groups []int32) {
	if arg.DataType().ID() == arrow.NULL || len(groups) == 0 {
		return
	}
	n := len(groups)
	s.cursors = batch.GrowSlice(s.mem, s.cursors, n+1)
	clear(s.cursors)
	cursors := s.cursors[1:]
	addLengths(cursors, arg, rows)
	total := int32(0)
	for k, size := range cursors {
		cursors[k] = total
		total += size
	}
	s.buf = batch.GrowSlice(s.mem, s.buf, int(total))
	encodeKeys(s.buf, cursors, arg, rows)
	_, isDictionary := arg.(*array.Dictionary)
	mayBeNull := isDictionary || arg.NullN() > 0
	for k, g := range groups {
		if !mayBeNull || !isNull(arg, rowOf(rows, k)) {
			s.offerHash(g, Hash(s.buf[s.cursors[k]:s.cursors[k+1]]))
		}
	}
}

func (s *sketch) offerHash(g int32, hash uint64) {
	register := uint32(hash >> (64 - s.precision))
	rank := bits.LeadingZeros64(hash<<s.precision|1<<(s.precision-1)) + 1
	s.offer(g, register, uint8(rank))
}

// isDense says whether a group has all registers.
func (s *sketch) isDense(g int32) bool { return int(s.size[g]) == s.registers() }

// bytes returns what is used of a group.
func (s *sketch) bytes(g int32) []byte { return s.arena[s.start[g] : s.start[g]+int64(s.size[g])] }

// offer raises a register to a rank.
func (s *sketch) offer(g int32, register uint32, rank uint8) {
	if s.isDense(g) {
		at := &s.arena[s.start[g]+int64(register)]
		*at = max(*at, rank)
		return
	}
	list, entry := s.bytes(g), register<<6|uint32(rank)
	low, high := 0, len(list)/4
	for low < high {
		if mid := (low + high) / 2; binary.LittleEndian.Uint32(list[4*mid:])>>6 < register {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if 4*low < len(list) {
		if known := binary.LittleEndian.Uint32(list[4*low:]); known>>6 == register {
			binary.LittleEndian.PutUint32(list[4*low:], max(known, entry))
			return
		}
	}
	n := len(list)
	if n+4 >= s.registers() {
		s.makeDense(g)
		s.offer(g, register, rank)
		return
	}
	if n+4 > int(s.room[g]) {
		s.move(g, min(max(16, 2*n), s.registers()))
	}
	s.size[g] += 4
	list = s.bytes(g)
	copy(list[4*low+4:], list[4*low:n])
	binary.LittleEndian.PutUint32(list[4*low:], entry)
}

// move gives a group a new place with more room.
func (s *sketch) move(g int32, room int) {
	if len(s.arena)+room > 2*(s.live+room)+minGarbage {
		s.compact()
	}
	at := len(s.arena)
	s.arena = batch.GrowSlice(s.mem, s.arena, at+room)
	copy(s.arena[at:], s.bytes(g))
	s.live += room - int(s.room[g])
	s.start[g], s.room[g] = int64(at), int32(room)
}

// compact leaves out what belongs to no group.
func (s *sketch) compact() {
	fresh := batch.MakeSlice[byte](s.mem, max(2*s.live, 64))[:0]
	for g := range s.room {
		if room := int64(s.room[g]); room > 0 {
			at := int64(len(fresh))
			fresh = append(fresh, s.arena[s.start[g]:s.start[g]+room]...)
			s.start[g] = at
		}
	}
	batch.FreeSlice(s.mem, s.arena)
	s.arena = fresh
}

func (s *sketch) makeDense(g int32) {
	n := s.registers()
	s.sparse = batch.AppendSlice(s.mem, s.sparse[:0], s.bytes(g)...)
	s.size[g] = 0
	s.move(g, n)
	s.size[g] = int32(n)
	dense := s.bytes(g)
	clear(dense)
	for list := s.sparse; len(list) > 0; list = list[4:] {
		entry := binary.LittleEndian.Uint32(list)
		dense[entry>>6] = uint8(entry & 63)
	}
}

func (s *sketch) merge(src accumulator, ids, groups []int32) {
	from := src.(*sketch)
	for k, id := range ids {
		g := groups[k]
		if from.isDense(id) {
			if !s.isDense(g) {
				s.makeDense(g)
			}
			to := s.bytes(g)
			for i, rank := range from.bytes(id) {
				to[i] = max(to[i], rank)
			}
			continue
		}
		for list := from.bytes(id); len(list) > 0; list = list[4:] {
			entry := binary.LittleEndian.Uint32(list)
			s.offer(g, entry>>6, uint8(entry&63))
		}
	}
}

// subtract is never called: what a register had before is not known.
func (s *sketch) subtract(accumulator, []int32, []int32) {}

func (s *sketch) canSubtract() bool { return false }

func (s *sketch) result(col *batch.Column, ids []int32) {
	var ranks [65]int
	for _, id := range ids {
		clear(ranks[:])
		if s.isDense(id) {
			for _, rank := range s.bytes(id) {
				ranks[rank]++
			}
		} else {
			list := s.bytes(id)
			ranks[0] = s.registers() - len(list)/4
			for ; len(list) > 0; list = list[4:] {
				ranks[list[0]&63]++
			}
		}
		col.AppendInt64(estimate(ranks[:64-s.precision+2]))
	}
}

// estimate returns how many different values make so many registers of each rank (Ertl 2017, algorithm 6).
func estimate(ranks []int) int64 {
	last := len(ranks) - 1
	m := 0.0
	for _, n := range ranks {
		m += float64(n)
	}
	z := m * tauOf((m-float64(ranks[last]))/m)
	for rank := last - 1; rank >= 1; rank-- {
		z = (z + float64(ranks[rank])) / 2
	}
	z += m * sigmaOf(float64(ranks[0])/m)
	return int64(math.Round(m * m / (2 * math.Ln2 * z)))
}

func sigmaOf(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for before := -1.0; z != before; y += y {
		x *= x
		before = z
		z += x * y
	}
	return z
}

func tauOf(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for before := -1.0; z != before; {
		x = math.Sqrt(x)
		before = z
		y /= 2
		z -= (1 - x) * (1 - x) * y
	}
	return z / 3
}

// state returns the list of a sparse group and the registers of a dense one, eight to a number.
func (s *sketch) state() []arrow.Field {
	return []arrow.Field{
		{Name: "sparse", Type: arrow.ListOf(batch.BigInt)}, {Name: "registers", Type: arrow.ListOf(batch.BigInt)},
	}
}

func (s *sketch) save(cols []*batch.Column, ids []int32) {
	for _, id := range ids {
		list := s.bytes(id)
		if s.isDense(id) {
			for ; len(list) > 0; list = list[8:] {
				cols[1].Child().AppendInt64(int64(binary.LittleEndian.Uint64(list)))
			}
		}
		for ; len(list) > 0; list = list[4:] {
			cols[0].Child().AppendInt64(int64(binary.LittleEndian.Uint32(list)))
		}
		cols[0].AppendList()
		cols[1].AppendList()
	}
}

func (s *sketch) load(cols []arrow.Array, rows, groups []int32) {
	sparse, dense := cols[0].(*array.List), cols[1].(*array.List)
	entries, words := batch.Int64s(sparse.ListValues()), batch.Int64s(dense.ListValues())
	for k, g := range groups {
		s.size[g] = 0
		i := rowOf(rows, k)
		if dense.IsValid(i) {
			if start, end := dense.ValueOffsets(i); end-start == int64(s.registers()/8) {
				s.makeDense(g)
				to := s.bytes(g)
				for at, word := range words[start:end] {
					binary.LittleEndian.PutUint64(to[8*at:], uint64(word))
				}
			}
		}
		if sparse.IsValid(i) {
			start, end := sparse.ValueOffsets(i)
			for _, e := range entries[start:end] {
				s.offer(g, uint32(e)>>6, uint8(e&63))
			}
		}
	}
}

func (s *sketch) reset() {
	s.start, s.size, s.room = shrink(s.mem, s.start), shrink(s.mem, s.size), shrink(s.mem, s.room)
	s.arena, s.live = shrink(s.mem, s.arena), 0
}

func (s *sketch) close() {
	batch.FreeSlice(s.mem, s.start)
	for _, p := range [...]*[]int32{&s.size, &s.room, &s.cursors} {
		batch.FreeSlice(s.mem, *p)
		*p = nil
	}
	batch.FreeSlice(s.mem, s.arena)
	batch.FreeSlice(s.mem, s.buf)
	batch.FreeSlice(s.mem, s.sparse)
	s.start, s.arena, s.buf, s.sparse, s.live = nil, nil, nil, nil, 0
}
