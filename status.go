package tidemill

import (
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// Status is what a running job tells of itself, at the end of an interval.
type Status struct {
	Job      string
	Interval batch.Interval
	// Commit is the last commit that is durable and visible, 0 if there is none.
	Commit uint64
	// RowsIn and RowsOut count since the start of this run: records read, and rows handed to sinks.
	RowsIn, RowsOut int64
	BytesIn         int64
	// FileBytesRead of FileBytes were read, where all sources are files that are not followed; else both are 0. They count bytes as
	// they lie in the files, also those that a restart left out.
	FileBytesRead, FileBytes int64
	Bad, Late                int64
	// Ahead counts rows whose time is further ahead of their arrival than the source's max_ahead: they do not move the watermark.
	Ahead int64
	// Behind counts rows that are older than what their source had closed without their split, since that had been idle, or
	// appeared late. Late has those of them whose windows have all closed.
	Behind int64
	// Lag is how long after its tick the last interval was done.
	Lag time.Duration
	// Took is how long the end of the last interval took, in which workers stood still.
	Took time.Duration
	// Stall is the part of Took that commits added: the wait until what the last one saves is copied, which goes on beside the
	// interval, and for earlier commits.
	Stall time.Duration
	// Watermark is the smallest of all sources with event time, MinTime if there is none.
	Watermark batch.Time
	// MemoryBytes is what tables, panes and pools hold; StateBytes is the part of operators with state.
	MemoryBytes, StateBytes int64
	Operators               []OperatorStatus
	// Ended says that the job is done.
	Ended bool
}

// OperatorStatus is the row ledger of one operator since the start of this run. In is the sum of Out (for operators that pass
// rows on), Filtered, Late, Bad and Absorbed. Over the life of a job Absorbed is the sum of what State holds and retired.
type OperatorStatus struct {
	Name     string
	Spec     string
	In, Out  int64
	Filtered int64
	Late     int64
	Bad      int64
	Absorbed int64
	State    *operators.StateStats // nil for an operator without state
}

// operatorStatus returns the ledger of a node between intervals, while its state is not being copied.
func (n *nodeRun) operatorStatus() OperatorStatus {
	s := OperatorStatus{
		Name: n.Name, Spec: n.text,
		In: n.rowsIn.Load(), Out: n.rowsOut.Load(), Late: n.late.Load(), Bad: n.bad.Load(),
	}
	if st, ok := n.tail.(operators.Stateful); ok {
		stats := st.Stats()
		s.State = &stats
		s.Absorbed = stats.Rows + stats.Retired - n.restoredRows
		s.Filtered = s.In - s.Absorbed - s.Late - s.Bad
		return s
	}
	switch n.Spec.(type) {
	case *operators.FilterSpec, *operators.LateSpec, *operators.RankSpec, *operators.SortSpec:
		s.Filtered = s.In - s.Out - s.Bad
	case *operators.ExplodeSpec, *operators.FuncSpec, *operators.CustomSpec: // makes rows of rows: what it took in is gone
		s.Absorbed = s.In - s.Bad
	case *operators.OutputSpec:
		s.Out = s.In
	}
	return s
}
