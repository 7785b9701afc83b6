package operators

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// rowSaver gives rows of one state table to a Snapshot's put, shard by shard, for operators whose state is not divided into
// shards otherwise. Its memory is used again by the next Snapshot.
type rowSaver struct {
	mem   memory.Allocator
	table *StateTable
	// ids are the rows to save, and shards has the shard of each id, whichever are saved.
	ids    []int32
	shards []uint8

	upserts, deletes *batch.Frame
	order            []int32 // ids in order of shards: those of shard s are order[ends[s]:ends[s+1]]
	goneOrder        []int32
	key              []byte
}

// shardOfRow returns the shard of a row with a number.
func shardOfRow(number int64) int { return int(hashWord(intTag, uint64(number)) >> shardShift) }

// begin starts with no rows.
func (s *rowSaver) begin(mem memory.Allocator, table *StateTable) {
	if s.upserts == nil {
		s.mem, s.table = mem, table
		s.upserts, s.deletes = batch.NewFrame(mem, table.Schema), batch.NewFrame(mem, table.KeySchema())
	}
	s.ids = s.ids[:0]
}

// save calls put for each shard that has rows of ids, which fill appends to a frame, or rows of gone, which are deleted keys.
func (s *rowSaver) save(ctx context.Context, gone *batch.Frame, put func(table string, shard int, upserts, deletedKeys arrow.RecordBatch) error,
	fill func(f *batch.Frame, ids []int32),
) error {
	var ends, goneEnds [NumShards + 1]int32
	s.order = orderByShard(s.mem, s.order, s.ids, s.shards, &ends)
	s.orderGone(gone, &goneEnds)
	for shard := range NumShards {
		if err := ctx.Err(); err != nil {
			return err
		}
		ids, dead := s.order[ends[shard]:ends[shard+1]], s.goneOrder[goneEnds[shard]:goneEnds[shard+1]]
		if len(ids) == 0 && len(dead) == 0 {
			continue
		}
		s.upserts.Reset(0)
		s.deletes.Reset(0)
		if len(ids) > 0 {
			fill(s.upserts, ids)
			s.upserts.SetRows(len(ids))
		}
		if len(dead) > 0 {
			s.deletes.AppendBatch(batch.Batch{Rows: gone.Rows(), Sel: dead})
		}
		if err := put(s.table.Name, shard, s.upserts.Rows(), s.deletes.Rows()); err != nil {
			return err
		}
	}
	return nil
}

// orderGone puts the rows of gone, which are keys, in order of their shards.
func (s *rowSaver) orderGone(gone *batch.Frame, ends *[NumShards + 1]int32) {
	n := gone.Len()
	s.goneOrder = s.goneOrder[:0]
	if n == 0 {
		return
	}
	shards, ids := batch.MakeSlice[uint8](s.mem, n), appendRange(s.mem, nil, 0, n)
	rows := gone.Rows()
	for i := range n {
		s.key = s.key[:0]
		for _, col := range rows.Columns() {
			s.key = AppendKey(s.key, col, i)
		}
		shards[i] = uint8(ShardOf(s.key))
	}
	s.goneOrder = orderByShard(s.mem, s.goneOrder, ids, shards, ends)
	batch.FreeSlice(s.mem, shards)
	batch.FreeSlice(s.mem, ids)
}

// orderByShard sets order to ids in order of their shards, and ends to where the shards end: those of shard s are
// order[ends[s]:ends[s+1]].
func orderByShard(mem memory.Allocator, order, ids []int32, shards []uint8, ends *[NumShards + 1]int32) []int32 {
	clear(ends[:])
	for _, id := range ids {
		ends[shards[id]+1]++
	}
	for shard := range NumShards {
		ends[shard+1] += ends[shard]
	}
	next := *ends
	order = batch.GrowSlice(mem, order, len(ids))
	for _, id := range ids {
		order[next[shards[id]]] = id
		next[shards[id]]++
	}
	return order
}

func (s *rowSaver) close(mem memory.Allocator) {
	if s.upserts != nil {
		s.upserts.Release()
		s.deletes.Release()
	}
	batch.FreeSlice(mem, s.ids)
	batch.FreeSlice(mem, s.shards)
	batch.FreeSlice(mem, s.order)
	batch.FreeSlice(mem, s.goneOrder)
	s.ids, s.shards, s.order, s.goneOrder = nil, nil, nil, nil
}
