package operators

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// matchStore has the rows of all partitions, in order of their coming. Rows that are gone stay until compact.
type matchStore struct {
	mem     memory.Allocator
	values  *batch.Frame // MatchSpec.Values
	times   []int64
	numbers []int64  // of rows since the job began, by which state knows them; -1 when the row is gone
	can     []uint64 // per row: the variables whose conditions look at the row alone and hold
	groups  []int32
	splits  []int64 // Origin.SplitKey
	next    int64   // number of the next row
	live    int

	unsaved int          // rows before it are in the last snapshot
	gone    *batch.Frame // numbers of rows of the last snapshot that are gone since

	spare *batch.Frame // of compact
}

func (s *matchStore) init(mem memory.Allocator, spec *MatchSpec) {
	s.mem = mem
	fields := matchValueFields(spec)
	s.values = batch.NewFrame(mem, arrow.NewSchema(fields, nil))
	s.spare = batch.NewFrame(mem, arrow.NewSchema(fields, nil))
	s.gone = batch.NewFrame(mem, arrow.NewSchema([]arrow.Field{{Name: "row", Type: batch.BigInt}}, nil))
}

// append stores the rows that sel names, of partitions groups and of one split, and returns the first of them.
func (s *matchStore) append(times arrow.Array, values []arrow.Array, sel, groups []int32, split int64) int32 {
	first := len(s.times)
	at := batch.Int64s(times)
	for k, i := range sel {
		s.times = batch.AppendSlice(s.mem, s.times, at[i])
		s.numbers = batch.AppendSlice(s.mem, s.numbers, s.next)
		s.groups = batch.AppendSlice(s.mem, s.groups, groups[k])
		s.splits = batch.AppendSlice(s.mem, s.splits, split)
		s.next++
	}
	s.can = growZero(s.mem, s.can, len(s.times))
	for i, c := range s.values.Columns {
		c.AppendArray(values[i], 0, sel)
	}
	s.values.SetRows(len(s.times))
	s.live += len(sel)
	return int32(first)
}

// drop forgets a row.
func (s *matchStore) drop(row int32) {
	if int(row) < s.unsaved {
		s.gone.Columns[0].AppendInt64(s.numbers[row])
		s.gone.SetRows(s.gone.Len() + 1)
	}
	s.numbers[row] = -1
	s.live--
}

func (s *matchStore) shouldCompact() bool {
	return len(s.times) > 0 && (s.live == 0 || len(s.times) > minPruneRows && s.live < len(s.times)/2)
}

// compact gives back the memory of rows that are gone, and renumbers those of parts.
func (s *matchStore) compact(parts []partition) {
	sel := batch.MakeSlice[int32](s.mem, len(s.times))[:0]
	renumbered := batch.MakeSlice[int32](s.mem, len(s.times))
	unsaved := 0
	for row, number := range s.numbers {
		if row == s.unsaved {
			unsaved = len(sel)
		}
		if number < 0 {
			continue
		}
		to := len(sel)
		renumbered[row] = int32(to)
		s.times[to], s.numbers[to], s.can[to], s.groups[to] = s.times[row], number, s.can[row], s.groups[row]
		s.splits[to] = s.splits[row]
		sel = append(sel, int32(row))
	}
	if s.unsaved >= len(s.times) {
		unsaved = len(sel)
	}
	n := len(sel)
	s.spare.Reset(0)
	s.spare.AppendBatch(batch.Batch{Rows: s.values.Rows(), Sel: sel})
	s.values.Release()
	s.values, s.spare = s.spare, s.values
	s.times, s.numbers, s.can, s.groups, s.splits = s.times[:n], s.numbers[:n], s.can[:n], s.groups[:n], s.splits[:n]
	s.unsaved = unsaved
	for g := range parts {
		for i, row := range parts[g].rows {
			parts[g].rows[i] = renumbered[row]
		}
	}
	batch.FreeSlice(s.mem, sel)
	batch.FreeSlice(s.mem, renumbered)
}

func (s *matchStore) bytes() int64 {
	n := int64(len(s.times)) * (4*8 + 2*4)
	for _, c := range s.values.Columns {
		n += int64(c.Bytes()) + 8*int64(c.Len())
	}
	return n
}

func (s *matchStore) close() {
	s.values.Release()
	s.spare.Release()
	s.gone.Release()
	batch.FreeSlice(s.mem, s.times)
	batch.FreeSlice(s.mem, s.numbers)
	batch.FreeSlice(s.mem, s.can)
	batch.FreeSlice(s.mem, s.groups)
	batch.FreeSlice(s.mem, s.splits)
}
