package tidemill

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

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

// stateCopy is what a commit saves of the operators' state. It is copied while the workers are on the next interval: they fill
// partials and gathers of their own, and nothing touches an operator of the tail from its EndInterval to the next BeginInterval.
// So the coordinator waits for done before it ends an interval, and the committer before it saves.
type stateCopy struct {
	done  chan struct{} // closed when saves is complete, or err is set
	saves []savedRows
	err   error
}

// startCopy begins to copy what changed since the last commit. Whoever gets the copy calls release, which waits for the end.
func (e *engine) startCopy(ctx context.Context) *stateCopy {
	c := &stateCopy{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		for _, n := range e.graph.stateful() {
			if err := e.copyNode(ctx, n, c); err != nil {
				c.err = fmt.Errorf("save state: operator %s: %w", n.Name, err)
				return
			}
			n.savesAll = false
		}
	}()
	return c
}

// awaitCopy waits until no operator's state is being copied. The wait since began is the beginning of the interval's stall.
func (e *engine) awaitCopy(began time.Time) {
	e.stall = 0
	if e.copying == nil {
		return
	}
	isWaiting := false
	select {
	case <-e.copying.done:
	default:
		isWaiting = true
		<-e.copying.done
	}
	// The clock is looked at in any case: one that moves on by being looked at must not depend on who was faster.
	if waited := e.cfg.Clock.Now().Sub(began); isWaiting {
		e.stall = waited
	}
	e.copying = nil
}

// copyNode copies what changed of an operator's state since the last commit.
func (e *engine) copyNode(ctx context.Context, n *nodeRun, c *stateCopy) (err error) {
	defer batch.RecoverTextLimit(&err)
	op := n.tail.(operators.Stateful)
	tables := op.StateTables()
	stats := op.Stats()
	full := n.savesAll || stats.Groups >= fullGroups && float64(stats.Unsaved) > fullPart*float64(stats.Groups)
	if full {
		for _, t := range tables { // the image begins, also of a table without rows
			c.saves = append(c.saves, savedRows{table: tableOf(t), isFull: true})
		}
	}
	if sharded, ok := op.(operators.ShardedState); ok {
		return e.copyShards(ctx, sharded, full, c)
	}
	byName := make(map[string]*operators.StateTable)
	for i := range tables {
		byName[tables[i].Name] = &tables[i]
	}
	return op.Snapshot(ctx, full, func(table string, shard int, upserts, deleted arrow.RecordBatch) error {
		c.saves = append(c.saves, newSave(e.pool, byName[table], shard, full))
		s := &c.saves[len(c.saves)-1]
		appendRows(s.upserts, upserts)
		appendRows(s.deletes, deleted)
		return nil
	})
}

// copyShards copies the shards side by side, each into frames of its own.
func (e *engine) copyShards(ctx context.Context, op operators.ShardedState, full bool, c *stateCopy) error {
	var (
		tables = op.StateTables()
		saves  = make([]savedRows, operators.NumShards*len(tables))
		errs   = make([]error, e.cfg.Workers)
		next   atomic.Int64
		wg     sync.WaitGroup
	)
	drain := func() (err error) {
		defer batch.RecoverTextLimit(&err)
		for ctx.Err() == nil {
			shard := int(next.Add(1)) - 1
			if shard >= operators.NumShards {
				return nil
			}
			op.SnapshotShard(shard, full, func(table int) (upserts, deletes *batch.Frame) {
				s := &saves[shard*len(tables)+table]
				if s.upserts == nil {
					*s = newSave(e.pool, &tables[table], shard, full)
				}
				return s.upserts, s.deletes
			})
		}
		return ctx.Err()
	}
	for w := 1; w < len(errs); w++ {
		wg.Go(func() { errs[w] = drain() })
	}
	errs[0] = drain()
	wg.Wait()
	for _, s := range saves {
		switch {
		case s.upserts == nil:
		case s.upserts.Len() == 0 && s.deletes.Len() == 0:
			s.release()
		default:
			c.saves = append(c.saves, s)
		}
	}
	return errors.Join(errs...)
}

// save waits for the copy and passes it to the log.
func (c *stateCopy) save(ctx context.Context, log *checkpoint.Log) error {
	<-c.done
	if c.err != nil {
		return c.err
	}
	for i := range c.saves {
		if err := c.saves[i].save(ctx, log); err != nil {
			return err
		}
	}
	return nil
}

// release waits for the copy and gives its memory back.
func (c *stateCopy) release() {
	<-c.done
	for i := range c.saves {
		c.saves[i].release()
	}
	c.saves = nil
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
