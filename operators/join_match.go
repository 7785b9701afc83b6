package operators

import (
	"context"
	"math"

	"github.com/tidemill/tidemill/batch"
)

// match puts the rows of a side from first on, whose keys are in groups, into the chains of their keys, and finds the rows of the
// other side that match them.
func (j *join) match(ctx context.Context, side int, first int32, emit batch.Emit) error {
	mine, theirs := &j.sides[side], &j.sides[1-side]
	myEnds, theirEnds := 2*side, 2-2*side
	myPairs, theirPairs := j.pairs[side], j.pairs[1-side]
	var times, theirTimes []int64
	if mine.time >= 0 {
		times, theirTimes = mine.times(), theirs.times()
	}
	skipped := j.skipped(theirs)
	takesOne := j.spec.isLeftOnly() && side == 0 && j.residual == nil
	for k, g := range j.groups {
		if k%touchRows == 0 {
			j.touch(j.groups[k:min(k+touchRows, len(j.groups))], theirEnds, theirs)
		}
		ends := (*[4]int32)(j.ends[4*int(g):])
		row := first + int32(k)
		if ends[myEnds] < 0 {
			if ends[theirEnds] < 0 {
				j.unused--
			}
			ends[myEnds] = row
		} else {
			mine.next[ends[myEnds+1]] = row
		}
		ends[myEnds+1] = row
		from, to := int64(math.MinInt64), int64(math.MaxInt64)
		if times != nil {
			from, to = j.partners(side, times[row])
		}
		for other := ends[theirEnds]; other >= 0; other = theirs.next[other] {
			if skipped != 0 && theirs.marks[other]&skipped != 0 {
				continue
			}
			if times != nil {
				if t := theirTimes[other]; t < from || t > to {
					continue
				}
			}
			myPairs[j.numPairs], theirPairs[j.numPairs] = row, other
			j.numPairs++
			if j.numPairs == maxPairs {
				if err := j.flush(ctx, emit); err != nil {
					return err
				}
			}
			if takesOne {
				break
			}
		}
	}
	return j.flush(ctx, emit)
}

// skipped returns the marks of rows of the other side that match nothing: those that are gone, and where each left row comes out
// once, those that did.
func (j *join) skipped(theirs *joinSide) uint8 {
	skipped := uint8(0)
	if theirs.live < theirs.len() {
		skipped = rowGone
	}
	if j.spec.isLeftOnly() {
		skipped |= rowMatched
	}
	return skipped
}

// partners returns the first and the last time that rows of the other side can have which match a row at t.
func (j *join) partners(side int, t int64) (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if side == 0 {
		if j.upper != math.MaxInt64 {
			from = addSaturated(t, -j.upper)
		}
		if j.lower != math.MinInt64 {
			to = addSaturated(t, -j.lower)
		}
		return from, to
	}
	if j.lower != math.MinInt64 {
		from = addSaturated(t, j.lower)
	}
	if j.upper != math.MaxInt64 {
		to = addSaturated(t, j.upper)
	}
	return from, to
}

// touch reads what the next rows' keys lead to. The loads do not depend on each other, as those of chains do, so that the
// processor has many on their way at a time.
func (j *join) touch(groups []int32, theirEnds int, theirs *joinSide) {
	var heads [touchRows]int32
	ends := j.ends
	for k, g := range groups {
		heads[k%touchRows] = ends[4*int(g)+theirEnds]
	}
	sum := int32(0)
	for k := range groups {
		if h := heads[k%touchRows]; h >= 0 {
			sum += theirs.next[h]
		}
	}
	j.touched = sum
}

// flush emits what the pairs make.
func (j *join) flush(ctx context.Context, emit batch.Emit) error {
	if j.numPairs == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	left, right := j.pairs[0][:j.numPairs], j.pairs[1][:j.numPairs]
	j.numPairs = 0
	if j.residual != nil {
		n, err := j.narrow(ctx, left, right)
		if err != nil {
			return err
		}
		left, right = left[:n], right[:n]
	}
	if len(left) == 0 {
		return nil
	}
	if j.spec.isLeftOnly() {
		return j.flushLeft(left, emit)
	}
	for i, rows := range [...][]int32{left, right} {
		if s := &j.sides[i]; s.notesMatches {
			for _, row := range rows {
				s.match(row)
			}
		}
	}
	return j.emitRows(left, right, emit)
}

// narrow keeps the pairs for which the residual is true, and returns how many they are.
func (j *join) narrow(ctx context.Context, left, right []int32) (int, error) {
	f := j.pairFrame
	rows := [...][]int32{left, right}
	f.Reset(0)
	for i, c := range j.pairColumns {
		f.Columns[i].AppendFrom(j.sides[c.side].frame.Columns[c.column], rows[c.side])
	}
	f.SetRows(len(left))
	b := batch.Batch{Rows: f.Rows(), Origin: j.origin()}
	j.pairBad.begin(&b)
	sel, err := j.residual.Select(ctx, b, j.sel[:0], j.pairBad.note)
	j.sel = sel
	if err != nil {
		return 0, err
	}
	n := 0
	for _, i := range sel {
		if j.pairBad.n > 0 && j.pairBad.isBad(i) {
			continue
		}
		left[n], right[n] = left[i], right[i]
		n++
	}
	return n, nil
}

// flushLeft takes left rows that match: each comes out once, of a semi join, or never, of an anti join, and is not needed
// any more.
func (j *join) flushLeft(left []int32, emit batch.Emit) error {
	s := &j.sides[0]
	n := 0
	for _, row := range left {
		if s.match(row) {
			left[n] = row
			n++
		}
	}
	left = left[:n]
	for _, row := range left {
		j.drop(0, row)
	}
	if j.spec.Kind == AntiJoin || n == 0 {
		return nil
	}
	return j.emitRows(left, nil, emit)
}

// drop marks a row as gone, and lets the chain of its key begin behind those that are.
func (j *join) drop(side int, row int32) {
	s := &j.sides[side]
	s.drop(row)
	ends := (*[4]int32)(j.ends[4*int(s.group[row]):])
	head := ends[2*side]
	if head < 0 {
		return
	}
	for head >= 0 && s.marks[head]&rowGone != 0 {
		head = s.next[head]
	}
	ends[2*side] = head
	if head < 0 && ends[2-2*side] < 0 {
		j.unused++
	}
}

// retire drops the rows of a side before a time, and emits those that come out without a partner.
func (j *join) retire(ctx context.Context, side int, limit batch.Time, emit batch.Emit) error {
	s := &j.sides[side]
	j.gone = s.appendOlder(j.gone[:0], limit)
	alone := j.gone[:0]
	for _, row := range j.gone {
		j.drop(side, row)
		if s.isOuter && s.marks[row]&rowMatched == 0 {
			alone = append(alone, row)
		}
	}
	for len(alone) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(alone), maxPairs)
		var rows [2][]int32
		rows[side] = alone[:n]
		if err := j.emitRows(rows[0], rows[1], emit); err != nil {
			return err
		}
		alone = alone[n:]
	}
	return nil
}

// emitRows emits kept rows, pairwise. One side may be nil: its columns are then NULL.
func (j *join) emitRows(left, right []int32, emit batch.Emit) error {
	rows := [...][]int32{left, right}
	n := max(len(left), len(right))
	j.out.Reset(0)
	for i, c := range j.outColumns {
		if rows[c.side] == nil {
			j.out.Columns[i].AppendNulls(n)
			continue
		}
		j.out.Columns[i].AppendFrom(j.sides[c.side].frame.Columns[c.column], rows[c.side])
	}
	return j.emitOut(n, emit)
}

// emitLone emits rows of in that match nothing, if such rows come out. They are never kept.
func (j *join) emitLone(side int, in *batch.Batch, emit batch.Emit) error {
	s := &j.sides[side]
	s.retired += int64(len(j.lone))
	if !s.isOuter {
		return nil
	}
	j.out.Reset(0)
	for i, c := range j.outColumns {
		if c.side != side {
			j.out.Columns[i].AppendNulls(len(j.lone))
			continue
		}
		j.out.Columns[i].AppendArray(in.Rows.Column(c.input), in.NumRows(), j.lone)
	}
	return j.emitOut(len(j.lone), emit)
}

func (j *join) emitOut(n int, emit batch.Emit) error {
	j.out.SetRows(n)
	err := emit(batch.Batch{Rows: j.out.Rows(), Origin: j.origin()})
	j.sequence++
	return err
}

func (j *join) origin() batch.Origin {
	return batch.Origin{Split: -1, Block: j.interval.ID<<32 | j.sequence, Arrival: j.interval.End, Watermark: batch.MinTime}
}

// compact moves rows together where most are gone, and forgets keys where most have no rows.
func (j *join) compact() {
	for i := range j.sides {
		if s := &j.sides[i]; s.isSparse() {
			j.moved = s.compact(j.moved)
			j.chain(i)
		}
	}
	if n := j.keys.len(); j.unused > max(minGone, n-j.unused) || j.unused == n && n > 0 {
		j.compactKeys()
	}
}

// chain makes the chains of a side anew, in the order of its rows, of which none is gone.
func (j *join) chain(side int) {
	s := &j.sides[side]
	for i := 2 * side; i < len(j.ends); i += 4 {
		j.ends[i], j.ends[i+1] = -1, -1
	}
	for row, g := range s.group {
		ends := (*[4]int32)(j.ends[4*int(g):])
		if ends[2*side] < 0 {
			ends[2*side] = int32(row)
		} else {
			s.next[ends[2*side+1]] = int32(row)
		}
		ends[2*side+1] = int32(row)
	}
}

// compactKeys makes the table of keys anew, of those that have rows.
func (j *join) compactKeys() {
	if j.unused == j.keys.len() {
		j.keys.reset()
		j.ends, j.unused = j.ends[:0], 0
		return
	}
	used := batch.GrowSlice(j.mem, j.moved, 2*j.keys.len())
	j.moved = used
	used, newIDs := used[:0:j.keys.len()], used[j.keys.len():2*j.keys.len()]
	for g := range j.keys.len() {
		if j.ends[4*g] >= 0 || j.ends[4*g+2] >= 0 {
			used = append(used, int32(g))
		}
	}
	old := j.keys
	j.keys = newGroupTable(j.mem, keyTypes(j.spec.LeftKeys), denseRoom)
	groups := batch.MakeSlice[int32](j.mem, len(used))
	j.keys.lookupFrom(old, used, true, groups)
	old.close()
	ends := batch.MakeSlice[int32](j.mem, 4*len(used))
	for k, g := range used {
		newIDs[g] = groups[k]
		*(*[4]int32)(ends[4*int(groups[k]):]) = *(*[4]int32)(j.ends[4*int(g):])
	}
	batch.FreeSlice(j.mem, groups)
	batch.FreeSlice(j.mem, j.ends)
	j.ends, j.unused = ends, 0
	for i := range j.sides {
		s := &j.sides[i]
		for row, g := range s.group {
			if s.marks[row]&rowGone == 0 {
				s.group[row] = newIDs[g]
			}
		}
	}
}
