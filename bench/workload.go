package bench

import (
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators"
)

// Workload is a query over generated rows, with other programs that answer it.
type Workload struct {
	Name string
	// About says in a line what is computed over what.
	About string
	// Input is what is read; nil where rows are made in memory.
	Input *Input
	// TCP says that the input comes over a loopback connection from another process, instead of from its file.
	TCP bool
	// Rows is the number of rows at scale 1 where there is no Input.
	Rows int64
	// Script is SQL: sources that read 'INPUT' or make ROWS rows, and a view named result.
	Script string

	// tallies says that the result is not kept, only its number of rows and sums.
	tallies bool
	fold    fold

	// records are given to the engine as Arrow record batches in memory, through its public interface: a source named rows, with the
	// columns of recordColumns. It is nil where there are none.
	records       func(rows int64) []arrow.RecordBatch
	recordColumns string

	// operators is set where batches are given to the operators of the plan directly, without source and sink.
	operators *operatorInput

	// latency is set where the time until a row is visible is measured, at a fixed rate.
	latency *latencySpec

	// loop is written by hand for this query alone: what one goroutine can do. It may be nil.
	loop program
	// idiomatic is the program that one writes first in Go. Its answer is what others are checked against.
	idiomatic program
}

// program reads a stream and computes the answer of a workload. finish puts it in order, which is not measured.
type program func(in stream) (finish func() Answer, err error)

// stream is what a program reads: bytes, or a number of rows to make, or keys that are there already, again and again.
type stream struct {
	io.Reader

	rows  int64
	keys  []int64
	texts [][]byte
	// records are what the engine is given, of workloads over record batches.
	records []arrow.RecordBatch
}

// rows returns the number of rows at a scale.
func (w *Workload) rows(scale float64) int64 {
	if w.Input != nil {
		return w.Input.rows(scale)
	}
	return max(int64(float64(w.Rows)*scale), 1000)
}

// script returns the SQL for an input.
func (w *Workload) script(uri string, rows int64) string {
	return strings.NewReplacer("INPUT", uri, "ROWS", whole(rows)).Replace(w.Script)
}

// mode returns the output mode of the result, "" for its default.
func (w *Workload) mode() string {
	if w.fold == foldLast {
		return operators.Complete.String()
	}
	return ""
}

// Workloads returns all workloads.
func Workloads() []*Workload {
	return slices.Concat(textWorkloads, eventWorkloads, recordWorkloads, groupWorkloads, operatorWorkloads, decodeWorkloads, nexmarkWorkloads, latencyWorkloads)
}
