package operators

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// sessions groups rows by keys and by sessions: a row takes the time from its own to a gap later, and rows of a group whose times
// overlap or touch are one session, which begins with the first and ends a gap after the last. A session is final when the
// watermark is after its end: every row that counts is at or after the watermark, so that none can reach it any more.
//
// Sessions that are final come out in order of their ends. Finding them costs a look at the end of every open session of a shard
// in which any may be final.
type sessions struct {
	schema   *arrow.Schema
	name     string
	spec     *AggregateSpec
	env      Env
	keyTypes []arrow.DataType
	tables   []StateTable
	closes   bool // as in aggregate

	// State.
	mem    *meter
	shards [NumShards]sessionShard
	dirty  atomic.Bool // something changed in this interval

	// Scratch.
	interval batch.Interval
	own      *sessionPartial
	out      spanEmitter
	ids      []int32
	saver    saver
}

// sessionShard is the state of the keys of one shard. Shards are absorbed concurrently.
type sessionShard struct {
	*spans
	retired int64
	// earliest is at or before the end of every open session.
	earliest int64

	keys, from, to []int32 // scratch
}

var (
	_ Keyed        = (*sessions)(nil)
	_ ShardedState = (*sessions)(nil)
)

// NewSessions returns the operator for a spec whose window is of the kind Session. Its state is kept under name; schema is what
// it emits.
func NewSessions(name string, spec *AggregateSpec, schema *arrow.Schema, env Env) (Operator, error) {
	if err := validateAggregate(name, spec); err != nil {
		return nil, err
	}
	a := &sessions{
		schema: schema, name: name, spec: spec, env: env, mem: &meter{Allocator: env.Mem}, keyTypes: keyTypes(spec.Keys),
		tables: aggregateTables(name, spec),
	}
	if n := 2 + len(spec.Keys) + len(spec.Aggs); schema.NumFields() != n {
		return nil, fmt.Errorf("%s: %d columns, schema has %d", name, n, schema.NumFields())
	}
	a.closes = spec.Window.Arrival || schema.Field(1).HasMetadata() && schema.Field(1).Metadata.FindKey(TimeKey) >= 0
	a.own = newSessionPartial(spec, a.keyTypes, a.hasLate(), env)
	if a.own.err != nil {
		a.own.Close()
		return nil, fmt.Errorf("%s: %w", name, a.own.err)
	}
	for i := range a.shards {
		a.shards[i].spans = newSpans(a.mem, a.keyTypes, spec.Aggs, denseRoom)
		a.shards[i].earliest = int64(batch.MaxTime)
	}
	a.out.init(schema, env)
	return a, nil
}

func (a *sessions) hasLate() bool { return a.closes && !a.spec.Window.Arrival }

// Schema is the schema of every batch that it emits.
func (a *sessions) Schema() *arrow.Schema { return a.schema }

// BeginInterval notes the interval.
func (a *sessions) BeginInterval(iv batch.Interval) error {
	a.interval = iv
	a.out.begin(iv)
	return nil
}

// Process adds the rows of in to a partial of its own.
func (a *sessions) Process(ctx context.Context, _ int, in batch.Batch, _ batch.Emit) error {
	return a.own.Add(ctx, in)
}

// NewPartial returns one worker's accumulator, in which rows of the interval are made sessions already.
func (a *sessions) NewPartial() Partial {
	return newSessionPartial(a.spec, a.keyTypes, a.hasLate(), a.env)
}

// Absorb puts the sessions of one shard of p among those that are open.
func (a *sessions) Absorb(_ context.Context, index int, p Partial) error {
	part, sh := p.(*sessionPartial).spans, &a.shards[index]
	ids := part.pane.sealed.ofShard(index)
	if len(ids) == 0 {
		return nil
	}
	sh.keys = batch.GrowSlice(a.mem, sh.keys, len(ids))
	sh.pane.table.lookupFrom(part.pane.table, ids, true, sh.keys)
	sh.growKeys()
	sh.from, sh.to = sh.from[:0], sh.to[:0]
	for k, id := range ids {
		for at := part.first(id); at >= 0; at = part.after[at] {
			sh.from = batch.AppendSlice(a.mem, sh.from, at)
			sh.to = batch.AppendSlice(a.mem, sh.to, sh.place(sh.keys[k], part.starts[at], part.ends[at]))
			sh.earliest = min(sh.earliest, part.ends[at])
			sh.total += part.pane.rec.rows(at)
		}
	}
	sh.settle(sh.to)
	sh.pane.merge(part.pane, sh.from, sh.to)
	sh.mergeAccumulators()
	a.dirty.Store(true)
	return nil
}

// EndInterval emits sessions that are final, or all of them. No session that comes later ends before the watermark that it returns.
func (a *sessions) EndInterval(ctx context.Context, in []batch.Time, emit batch.Emit) (batch.Time, error) {
	if a.own.used {
		a.own.Seal()
		for s := range NumShards {
			if err := a.Absorb(ctx, s, a.own); err != nil {
				return 0, err
			}
		}
		a.own.Reset()
	}
	watermark := minTime(in)
	switch {
	case watermark == batch.MaxTime:
	case a.spec.Window.Arrival:
		watermark = a.interval.End
	case a.closes:
		watermark = watermark.Sub(a.spec.Window.Lateness)
	default:
		watermark = batch.MinTime
	}
	if a.spec.Mode == Complete {
		if !a.dirty.Swap(false) {
			return watermark, nil
		}
		for i := range a.shards {
			sh := &a.shards[i]
			a.ids = sh.appendLive(a.ids[:0])
			a.out.add(sh.spans, a.ids)
			sh.compact(compactPart(i))
		}
		return watermark, a.out.emit(ctx, emit)
	}
	for i := range a.shards {
		a.endSessions(&a.shards[i], int64(watermark))
		a.shards[i].compact(compactPart(i))
	}
	a.dirty.Store(false)
	return watermark, a.out.emit(ctx, emit)
}

// endSessions takes out the sessions of a shard that end before the watermark.
func (a *sessions) endSessions(sh *sessionShard, watermark int64) {
	if sh.earliest >= watermark {
		return
	}
	sh.earliest = int64(batch.MaxTime)
	a.ids = a.ids[:0]
	for at, end := range sh.ends {
		switch {
		case sh.marks[at]&isDead != 0:
		case end < watermark:
			a.ids = append(a.ids, int32(at))
		default:
			sh.earliest = min(sh.earliest, end)
		}
	}
	a.out.add(sh.spans, a.ids)
	for _, at := range a.ids {
		sh.retired += sh.end(at)
	}
}

// Stats says how much state there is.
func (a *sessions) Stats() StateStats {
	s := StateStats{Bytes: a.mem.used.Load()}
	for i := range a.shards {
		sh := &a.shards[i]
		s.Rows += sh.total
		s.Retired += sh.retired
		s.Groups += int64(sh.live)
		s.Unsaved += int64(sh.numUnsaved())
	}
	return s
}

// StateTables returns the table of open sessions.
func (a *sessions) StateTables() []StateTable { return a.tables }

// Snapshot gives what changed since the last one to put, in one call per shard.
func (a *sessions) Snapshot(ctx context.Context, full bool, put func(table string, shard int, upserts, deletedKeys arrow.RecordBatch) error) error {
	return a.saver.saveShards(ctx, a, a.env.Mem, full, put)
}

// SnapshotShard is Snapshot for one shard.
func (a *sessions) SnapshotShard(shard int, full bool, into func(table int) (upserts, deletedKeys *batch.Frame)) {
	sh := &a.shards[shard]
	if sh.live == 0 && len(sh.goneKeys) == 0 && len(sh.touched) == 0 {
		return
	}
	upserts, deleted := into(0)
	sh.save(full, true, upserts, deleted)
}

// Restore takes rows of a Snapshot back.
func (a *sessions) Restore(_ context.Context, table string, index int, rows arrow.RecordBatch) error {
	if table != a.tables[0].Name || index < 0 || index >= NumShards {
		return fmt.Errorf("restore %s: no table and shard like that: %q, shard %d of %d", a.name, table, index, NumShards)
	}
	cols, err := columnsByName(a.tables[0].Schema, rows)
	if err != nil {
		return fmt.Errorf("restore %s: %w", table, err)
	}
	sh := &a.shards[index]
	sh.restore(cols, int(rows.NumRows()), nil)
	for _, end := range sh.ends {
		sh.earliest = min(sh.earliest, end)
	}
	return nil
}

// Close releases all memory.
func (a *sessions) Close() {
	a.own.Close()
	a.out.close()
	a.saver.close(a.env.Mem)
	for i := range a.shards {
		sh := &a.shards[i]
		sh.close()
		for _, s := range [...]*[]int32{&sh.keys, &sh.from, &sh.to} {
			batch.FreeSlice(a.mem, *s)
			*s = nil
		}
	}
}
