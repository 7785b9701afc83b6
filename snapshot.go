package tidemill

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/operators"
)

const (
	// fullPart is the part of the groups from which on changed ones are saved as a full image: the rows that are written more
	// are fewer than those that the log would have to read and write again to get rid of the old ones.
	fullPart = 0.5
	// fullGroups is how many groups there must be for that: a full image is a new file, and the rewriting of few groups is cheap.
	fullGroups = 64 << 10
)

// snapshotNode copies what changed of an operator's state since the last commit.
func (e *engine) snapshotNode(ctx context.Context, n *nodeRun, work *commitWork) error {
	op := n.tail.(operators.Stateful)
	tables := op.StateTables()
	stats := op.Stats()
	full := n.savesAll || stats.Groups >= fullGroups && float64(stats.Unsaved) > fullPart*float64(stats.Groups)
	if full {
		for _, t := range tables { // the image begins, also of a table without rows
			work.saves = append(work.saves, savedRows{table: tableOf(t), isFull: true})
		}
	}
	if sharded, ok := op.(operators.ShardedState); ok {
		work.saves = append(work.saves, e.snapshotShards(sharded, full)...)
		return ctx.Err()
	}
	byName := make(map[string]*operators.StateTable)
	for i := range tables {
		byName[tables[i].Name] = &tables[i]
	}
	return op.Snapshot(ctx, full, func(table string, shard int, upserts, deleted arrow.RecordBatch) error {
		s := newSave(e.pool, byName[table], shard, full)
		appendRows(s.upserts, upserts)
		appendRows(s.deletes, deleted)
		work.saves = append(work.saves, s)
		return nil
	})
}

// snapshotShards copies the shards side by side, each into frames of its own.
func (e *engine) snapshotShards(op operators.ShardedState, full bool) []savedRows {
	var (
		tables = op.StateTables()
		saves  = make([]savedRows, operators.NumShards*len(tables))
		next   atomic.Int64
		wg     sync.WaitGroup
	)
	drain := func() {
		for {
			shard := int(next.Add(1)) - 1
			if shard >= operators.NumShards {
				return
			}
			op.SnapshotShard(shard, full, func(table int) (upserts, deletes *batch.Frame) {
				s := &saves[shard*len(tables)+table]
				if s.upserts == nil {
					*s = newSave(e.pool, &tables[table], shard, full)
				}
				return s.upserts, s.deletes
			})
		}
	}
	for range e.cfg.Workers - 1 {
		wg.Go(drain)
	}
	drain()
	wg.Wait()
	used := saves[:0]
	for _, s := range saves {
		switch {
		case s.upserts == nil:
		case s.upserts.Len() == 0 && s.deletes.Len() == 0:
			s.release()
		default:
			used = append(used, s)
		}
	}
	return used
}

// savedRows is a copy of changed state rows of one shard. A full one without frames begins an image.
type savedRows struct {
	table   checkpoint.Table
	shard   int
	isFull  bool
	upserts *batch.Frame
	deletes *batch.Frame
}

func newSave(pool *batch.Pool, t *operators.StateTable, shard int, full bool) savedRows {
	return savedRows{
		table: tableOf(*t), shard: shard, isFull: full, upserts: batch.NewFrame(pool, t.Schema), deletes: batch.NewFrame(pool, t.KeySchema()),
	}
}

func appendRows(f *batch.Frame, rows arrow.RecordBatch) {
	if rows != nil && rows.NumRows() > 0 {
		f.AppendBatch(batch.Batch{Rows: rows})
	}
}

func (s *savedRows) release() {
	if s.upserts != nil {
		s.upserts.Release()
		s.deletes.Release()
	}
}

func tableOf(t operators.StateTable) checkpoint.Table {
	return checkpoint.Table{Name: t.Name, Schema: t.Schema, Keys: t.Keys, Version: t.Version, Meaning: t.Meaning}
}

// save passes the rows to the log.
func (s *savedRows) save(ctx context.Context, log *checkpoint.Log) error {
	var upserts, deletes arrow.RecordBatch
	if s.upserts != nil && s.upserts.Len() > 0 {
		upserts = s.upserts.Rows().NewSlice(0, int64(s.upserts.Len()))
		defer upserts.Release()
	}
	if s.deletes != nil && s.deletes.Len() > 0 {
		deletes = s.deletes.Rows().NewSlice(0, int64(s.deletes.Len()))
		defer deletes.Release()
	}
	return log.Save(ctx, s.table, s.shard, s.isFull, upserts, deletes)
}
