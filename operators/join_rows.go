package operators

import (
	"errors"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// joinRows are the rows of one side of a join that are kept, in the order in which they came. A row that is gone stays where it
// is, marked, until half of the rows are: then those that are left move together, so that a row moves once on average. Blocks of
// rows know the oldest time in them, so that dropping what is old does not look at what is new.
//
// It is used by one goroutine at a time.
type joinRows struct {
	mem     memory.Allocator
	columns []int // of the input
	time    int   // the column of frame with the times, -1 if they do not matter
	// isOuter says that rows come out that match nothing, notesMatches that it is kept in marks which rows do.
	isOuter, notesMatches bool

	frame *batch.Frame
	// Per row: the next one with the same key, -1 at the end; the number of its key; its own number, which is its key in the
	// state, increasing; rowGone and rowMatched.
	next    []int32
	group   []int32
	numbers []int64
	marks   []uint8
	// Per block of blockRows rows: the oldest time, and how many rows are not gone.
	oldest []int64
	liveIn []int32

	live       int
	retired    int64
	nextNumber int64
	// The rows before numSaved were in a Snapshot. changed are those of them that have matched since, deleted the numbers of those
	// that are gone since.
	numSaved int
	changed  []int32
	deleted  []int64
}

const (
	rowGone uint8 = 1 << iota
	rowMatched
)

const (
	// blockRows is the number of rows per block: few enough that looking at those of a block that is partly old costs little.
	blockRows = 4096
	// minGone is how many rows are gone before others move together.
	minGone = 4096
)

func (r *joinRows) init(mem memory.Allocator, spec *JoinSpec, side int) {
	r.mem, r.columns, r.time = mem, spec.kept(side), -1
	r.isOuter = spec.isOuter(side)
	r.notesMatches = r.isOuter || spec.isLeftOnly() && side == 0
	var fields []arrow.Field
	for i, c := range r.columns {
		fields = append(fields, spec.Inputs[side].Field(c))
		if c == spec.time(side) {
			r.time = i
		}
	}
	r.frame = batch.NewFrame(mem, arrow.NewSchema(fields, nil))
}

func (r *joinRows) len() int { return len(r.next) }

// check says whether n more rows fit.
func (r *joinRows) check(n int) error {
	if r.len()+n > maxJoinRows {
		return errors.New("more than 2 billion rows are kept to be joined: bound the times in ON more closely")
	}
	for _, c := range r.frame.Columns {
		if c.Type().ID() == arrow.STRING && c.Bytes() > maxJoinText {
			return errors.New("more than 2 GiB of text of one column are kept to be joined: bound the times in ON more closely")
		}
	}
	return nil
}

// append keeps the live rows of b, whose keys have the numbers groups, and returns the first of them. They are in no chain yet.
func (r *joinRows) append(b *batch.Batch, groups []int32) (first int32) {
	n, old := b.NumLive(), r.len()
	for i, c := range r.columns {
		r.frame.Columns[i].AppendArray(b.Rows.Column(c), b.NumRows(), b.Sel)
	}
	r.extend(n)
	copy(r.group[old:], groups)
	for i := range n {
		r.next[old+i] = -1
		r.marks[old+i] = 0
		r.numbers[old+i] = r.nextNumber + int64(i)
	}
	r.nextNumber += int64(n)
	r.live += n
	r.count(old)
	return int32(old)
}

// extend makes room for n more rows.
func (r *joinRows) extend(n int) {
	n += r.len()
	r.next = batch.GrowSlice(r.mem, r.next, n)
	r.group = batch.GrowSlice(r.mem, r.group, n)
	r.numbers = batch.GrowSlice(r.mem, r.numbers, n)
	r.marks = batch.GrowSlice(r.mem, r.marks, n)
	r.frame.SetRows(n)
}

// count takes the rows from a row on into what their blocks know.
func (r *joinRows) count(from int) {
	blocks := (r.len() + blockRows - 1) / blockRows
	had := len(r.oldest)
	r.oldest = batch.GrowSlice(r.mem, r.oldest, blocks)
	r.liveIn = batch.GrowSlice(r.mem, r.liveIn, blocks)
	for i := had; i < blocks; i++ {
		r.oldest[i], r.liveIn[i] = math.MaxInt64, 0
	}
	for from < r.len() {
		block := from / blockRows
		to := min(r.len(), (block+1)*blockRows)
		r.liveIn[block] += int32(to - from)
		if r.time >= 0 {
			oldest := r.oldest[block]
			for _, t := range r.times()[from:to] {
				oldest = min(oldest, t)
			}
			r.oldest[block] = oldest
		}
		from = to
	}
}

// times returns the time of each row.
func (r *joinRows) times() []int64 { return r.frame.Columns[r.time].Int64s() }

// appendOlder appends to rows those before a time, all for MaxTime. They are in order.
func (r *joinRows) appendOlder(rows []int32, limit batch.Time) []int32 {
	isAll := limit == batch.MaxTime
	if limit == batch.MinTime {
		return rows
	}
	for block, oldest := range r.oldest {
		if r.liveIn[block] == 0 || !isAll && oldest >= int64(limit) {
			continue
		}
		from, to := block*blockRows, min(r.len(), (block+1)*blockRows)
		n := len(rows)
		rows = batch.GrowSlice(r.mem, rows, n+to-from)[:n]
		if isAll {
			for i := from; i < to; i++ {
				if r.marks[i]&rowGone == 0 {
					rows = append(rows, int32(i))
				}
			}
			continue
		}
		times := r.times()
		oldest = math.MaxInt64
		for i := from; i < to; i++ {
			switch {
			case r.marks[i]&rowGone != 0:
			case times[i] < int64(limit):
				rows = append(rows, int32(i))
			default:
				oldest = min(oldest, times[i])
			}
		}
		r.oldest[block] = oldest
	}
	return rows
}

// drop marks a row as gone.
func (r *joinRows) drop(row int32) {
	r.marks[row] |= rowGone
	r.liveIn[row/blockRows]--
	r.live--
	r.retired++
	if int(row) < r.numSaved {
		r.deleted = batch.AppendSlice(r.mem, r.deleted, r.numbers[row])
	}
}

// match notes that a row matches, and says whether it is the first time.
func (r *joinRows) match(row int32) bool {
	if r.marks[row]&rowMatched != 0 {
		return false
	}
	r.marks[row] |= rowMatched
	if int(row) < r.numSaved {
		r.changed = batch.AppendSlice(r.mem, r.changed, row)
	}
	return true
}

// isSparse says whether it is time to move the rows together.
func (r *joinRows) isSparse() bool {
	return r.len()-r.live > max(minGone, r.live) || r.live == 0 && r.len() > 0
}

// compact moves the rows that are not gone together. moved is scratch. Chains are to be made again.
func (r *joinRows) compact(moved []int32) []int32 {
	if r.live == 0 {
		r.clear()
		return moved
	}
	// moved has first where rows are to be found, then where they go.
	moved = batch.GrowSlice(r.mem, moved, max(r.live, r.len()))
	stay := moved[:0]
	for i, m := range r.marks {
		if m&rowGone == 0 {
			stay = append(stay, int32(i))
		}
	}
	r.take(stay)
	return moved
}

// take keeps the rows that stay names, in that order, which are not gone, and no others.
func (r *joinRows) take(stay []int32) {
	fresh := batch.NewFrame(r.mem, r.frame.Schema())
	for i, c := range fresh.Columns {
		c.Reset(len(stay)) // memory for all at once
		c.Reset(0)
		c.AppendFrom(r.frame.Columns[i], stay)
	}
	fresh.SetRows(len(stay))
	r.frame.Release()
	r.frame = fresh
	numSaved, numChanged := 0, len(r.changed)
	isChanged := r.changedBits()
	r.changed = r.changed[:0]
	group, numbers, marks := batch.MakeSlice[int32](r.mem, len(stay)), batch.MakeSlice[int64](r.mem, len(stay)), batch.MakeSlice[uint8](r.mem, len(stay))
	for k, i := range stay {
		group[k], numbers[k], marks[k] = r.group[i], r.numbers[i], r.marks[i]
		if int(i) < r.numSaved {
			numSaved = k + 1
		}
		if numChanged > 0 && isChanged[i>>6]&(1<<(i&63)) != 0 {
			r.changed = append(r.changed, int32(k))
		}
	}
	batch.FreeSlice(r.mem, isChanged)
	batch.FreeSlice(r.mem, r.group)
	batch.FreeSlice(r.mem, r.numbers)
	batch.FreeSlice(r.mem, r.marks)
	batch.FreeSlice(r.mem, r.next)
	r.group, r.numbers, r.marks, r.numSaved = group, numbers, marks, numSaved
	r.next = batch.MakeSlice[int32](r.mem, len(stay))
	for i := range r.next {
		r.next[i] = -1
	}
	r.oldest, r.liveIn = r.oldest[:0], r.liveIn[:0]
	r.live = len(stay)
	r.count(0)
}

// changedBits returns a bit per row that is among changed, nil if none is.
func (r *joinRows) changedBits() []uint64 {
	if len(r.changed) == 0 {
		return nil
	}
	bits := batch.MakeSlice[uint64](r.mem, (r.len()+63)/64)
	clear(bits)
	for _, i := range r.changed {
		bits[i>>6] |= 1 << (i & 63)
	}
	return bits
}

// clear forgets all rows, which are gone. What a Snapshot is to be told of them stays.
func (r *joinRows) clear() {
	r.frame.Reset(0)
	r.next, r.group, r.numbers, r.marks = r.next[:0], r.group[:0], r.numbers[:0], r.marks[:0]
	r.oldest, r.liveIn, r.changed = r.oldest[:0], r.liveIn[:0], r.changed[:0]
	r.numSaved, r.live = 0, 0
}

func (r *joinRows) close() {
	r.frame.Release()
	for _, s := range [...][]int32{r.next, r.group, r.liveIn, r.changed} {
		batch.FreeSlice(r.mem, s)
	}
	batch.FreeSlice(r.mem, r.numbers)
	batch.FreeSlice(r.mem, r.oldest)
	batch.FreeSlice(r.mem, r.deleted)
	batch.FreeSlice(r.mem, r.marks)
}
