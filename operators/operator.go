// Package operators turns batches into batches: expressions, filter, project, explode, union, sort, and the keyed aggregate
// with its windows. A Plan says what is computed; Build turns one node of it into an Operator.
package operators

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// NumShards is the number of shards that keyed state is divided into. It is part of the checkpoint format.
const NumShards = 64

// Operator turns batches into batches. One goroutine at a time uses an instance; stateless chains have an instance per worker.
// It sees no wall clock, file, metric or goroutine: time reaches it through intervals, rows and watermarks only.
type Operator interface {
	// Schema is the schema of every batch that it emits.
	Schema() *arrow.Schema
	// BeginInterval precedes the first Process of an interval.
	BeginInterval(iv batch.Interval) error
	// Process consumes a batch of the given input (0, but for joins), which has at least one live row. It borrows in; what it
	// emits is borrowed from it until emit returns. An error from emit is returned unchanged.
	Process(ctx context.Context, input int, in batch.Batch, emit batch.Emit) error
	// EndInterval follows the last Process of the interval and the EndInterval of what is upstream. in has a watermark per
	// input; windows that are final come out. It promises downstream, by out, that no row older than out will follow.
	EndInterval(ctx context.Context, in []batch.Time, emit batch.Emit) (out batch.Time, err error)
	// Close releases all memory; called once, also after an error.
	Close()
}

// Keyed is an operator whose state is divided by key into NumShards shards, so that it merges in parallel and restores at any
// worker count. The hash that chooses the shard is frozen in checkpoint/FORMAT.md: xxh3 over canonical bytes (Hash of keys.go).
// The engine calls NewPartial once per worker, lets workers Add, then calls Absorb for every shard and EndInterval. Where a
// Keyed operator is not fed by workers, Process adds to a partial of its own, which its EndInterval absorbs first.
type Keyed interface {
	Operator
	// NewPartial returns one worker's accumulator of the running interval.
	NewPartial() Partial
	// Absorb adds one shard's part of p to the state. Shards run concurrently; for one shard, partials come in worker order.
	// p is sealed, and is reset by the engine after the last shard.
	Absorb(ctx context.Context, shard int, p Partial) error
}

// Partial accumulates rows of one interval on one worker, reusing its memory after Reset.
type Partial interface {
	// Add borrows in, which has at least one live row.
	Add(ctx context.Context, in batch.Batch) error
	// Seal is called once per interval after the last Add and before the first Absorb, by one goroutine.
	Seal()
	// Reset empties it for the next interval.
	Reset()
	// Close releases all memory.
	Close()
}

// StateTable describes one table of an operator's state: rows with a key, last write wins.
type StateTable struct {
	Name    string // operator name and part, e.g. hot.aggregate/panes: how a restart finds it
	Schema  *arrow.Schema
	Keys    []int // column indices of the key
	Version int   // raised when the meaning of the columns changes
	// Meaning says what the rows were computed as. CompareState reads it.
	Meaning string
}

// KeySchema returns the schema of the key columns alone.
func (t *StateTable) KeySchema() *arrow.Schema {
	fields := make([]arrow.Field, len(t.Keys))
	for i, k := range t.Keys {
		fields[i] = t.Schema.Field(k)
	}
	return arrow.NewSchema(fields, nil)
}

// StateStats says how much state an operator holds.
type StateStats struct {
	Rows    int64 // rows absorbed and not retired yet: a row once, however many windows it is in
	Retired int64 // rows that left the state for good
	Groups  int64
	Unsaved int64 // of Groups, those that changed since the last Snapshot
	Bytes   int64
}

// Stateful is an operator with state that outlives an interval.
type Stateful interface {
	Operator
	// StateTables never changes during the life of the operator.
	StateTables() []StateTable
	// Snapshot runs between EndInterval and the next BeginInterval, on any goroutine, while partials are already filled with rows
	// of the next interval. It calls put with what changed since the last Snapshot
	// (everything if full): rows to upsert and keys to delete, either of them without rows or nil. Both are borrowed by put.
	// Schemas are those of the table, for deletedKeys its key columns only.
	Snapshot(ctx context.Context, full bool, put func(table string, shard int, upserts, deletedKeys arrow.RecordBatch) error) error
	// Restore gives rows of Snapshot back before the first interval, in any number of calls. It borrows rows, whose columns may
	// be compared by name with those of StateTables.
	Restore(ctx context.Context, table string, shard int, rows arrow.RecordBatch) error
	// Stats is cheap; called between intervals.
	Stats() StateStats
}

// ShardedState is a Stateful operator whose shards are saved concurrently, into memory of the caller.
type ShardedState interface {
	Stateful
	// SnapshotShard is Snapshot for one of NumShards shards. It appends rows to upsert and keys to delete to the frames that into
	// returns, for the table with that index in StateTables; these are empty, and the caller's. It is called once for each
	// shard, from any goroutine. Restore, too, may be called for several shards at once.
	SnapshotShard(shard int, full bool, into func(table int) (upserts, deletedKeys *batch.Frame))
}

// Env is what an operator gets from whoever builds it.
type Env struct {
	// Mem is the allocator for all memory of the operator.
	Mem memory.Allocator
	// Bad is told of a row that can't be computed: row counts in the batch whose origin is given. Such a row is dropped.
	// It may be called from several workers at once, for different operators.
	Bad func(origin *batch.Origin, row int32, why string)
	// Zero returns the start of the stream. It is called while rows are processed, and nil where no window begins there.
	Zero func() batch.Time
	// Late is told how many rows counted for none of their windows. It may be called from several goroutines at once.
	Late func(rows int)
	// Table opens the table of a join for one of its instances. It is nil where there are no tables.
	Table func(spec *TableJoinSpec) (TableReader, error)
	// Emitting is told, with true, that an aggregate begins to make rows of its results and to emit them, and with false that it goes on
	// with its windows, so that a benchmark can time one apart from the other. It may be nil.
	Emitting func(begins bool)
}
