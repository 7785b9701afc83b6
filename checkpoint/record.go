// Package checkpoint keeps what a job must not lose, in one locked directory: records of what was committed, images of state
// tables, and the journal of sources that cannot replay. FORMAT.md is its format.
package checkpoint

import (
	"github.com/apache/arrow-go/v18/arrow"
)

// SplitState is what a restart needs of a split.
type SplitState struct {
	Source      string
	Name        string
	Pos         int64
	Tag         string
	Rows, Lines int64
	LargestTime int64 // microseconds; math.MinInt64 if no row had a time
	Idle, Ended bool
}

// Interval is one tick: [Start, End) in microseconds since the epoch.
type Interval struct {
	ID         uint64
	Start, End int64
}

// Record is the decision: once it is synced, everything up to and with interval Last has happened, and sinks need only be committed.
type Record struct {
	Job        string // random id
	Commit     uint64 // from 1, increasing
	Last       Interval
	ZeroTime   int64 // start of the stream, microseconds
	Splits     []SplitState
	Watermarks map[string]int64  // source → event time before which windows were closed
	States     map[string]uint64 // state table → commit that last changed its image, filled in by Decide
	Tokens     map[string][]byte // sink → token
	BadRows    map[string]int64  // source → bad rows so far
	// JournalFile is the number of the first file of the journal that counts: all of the earlier ones is committed, also where
	// Splits does not have its split any more.
	JournalFile uint64
}

// Table describes a state table: rows with a key, last write wins. Columns have the types of package batch, or are lists or
// structs of these.
type Table struct {
	Name    string
	Schema  *arrow.Schema
	Keys    []int // column indices of the key
	Version int   // raised when the meaning of the columns changes
	// Meaning is what whoever keeps the table wants to know of it at the next start, in a form of its own. It is "" for tables of
	// versions that kept none.
	Meaning string
}

// TableInfo says what a checkpoint holds of a table.
type TableInfo struct {
	Table
	// Commit is the one that last changed the table.
	Commit uint64
	// Bytes are those of its frames, rows that were overwritten or deleted since included.
	Bytes int64
	// UpsertedRows and DeletedRows were saved since its last full image. The table has at most UpsertedRows rows.
	UpsertedRows, DeletedRows int64
}
