// Package sql compiles text to a Plan: a parser for Spark's dialect with DDL of our own, and a binder that resolves names and
// types against a catalog of schemas. It knows no source and no sink.
package sql

import (
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// SourceDef is a CREATE SOURCE.
type SourceDef struct {
	Name   string
	URI    string
	Format string // upper case; "" where FORMAT is left out
	// Columns are the declared columns that the format decodes, nil if there is no list: the catalog then says.
	Columns []arrow.Field
	// Watermark is the column of the watermark, "" if none, and Delay how far it is behind.
	Watermark string
	Delay     time.Duration
	Options   map[string]string // keys in lower case
	Pos       Pos
}

// SinkDef is a CREATE SINK or a bare SELECT.
type SinkDef struct {
	Name    string // select1, select2, … for a bare SELECT
	URI     string // "" for a bare SELECT
	Format  string
	Mode    operators.Mode
	Options map[string]string
	Node    int // ID of the plan's node of the sink
	Pos     Pos
}

// TableDef is a CREATE TABLE: rows that streams are joined with.
type TableDef struct {
	Name    string
	URI     string
	Format  string        // upper case; "" where FORMAT is left out
	Columns []arrow.Field // all, at least one
	Options map[string]string
	Pos     Pos
}

// Job is a script with all names and types resolved.
type Job struct {
	Sources []*SourceDef
	// Tables are those that joins of the plan read.
	Tables []*TableDef
	Sinks  []*SinkDef
	Plan   *operators.Plan
}

// Catalog tells the binder what it can't know.
type Catalog interface {
	// Columns returns the columns that a source without a column list has. Its error is reported at the source's name.
	Columns(def *SourceDef) ([]arrow.Field, error)
}

// BindOptions are settings of the whole script.
type BindOptions struct {
	// Mode is the output mode of sinks that do not say; nil: append where a window closes, update for other aggregates.
	Mode *operators.Mode
	// FromStart aligns windows of time to the start of the stream, instead of to the epoch.
	FromStart bool
	// Lateness is how long after the end of its windows a row still counts, in sinks that do not say. It must not be negative.
	Lateness time.Duration
	// Steps are tables that Go code makes, by name in lower case. A source or view of the same name goes before.
	Steps map[string]*Step
	// Functions are those of the program, by name in lower case.
	Functions map[string]*expr.UserFunc
	// Aggregates are those of the program, by name in lower case.
	Aggregates map[string]*operators.UserAggregate
}

// IsName says whether a text is a name that needs no quotes.
func IsName(text string) bool {
	for i, r := range text {
		if !isWordStart(r) && (i == 0 || !isDigit(r)) {
			return false
		}
	}
	return text != ""
}

// IsFunction says whether a name, in lower case, is a function of SQL, so that no other can have it.
func IsFunction(name string) bool {
	return expr.IsFunction(name) || isAggregateName(name) || slices.Contains(syntaxFunctions, name)
}

// Step is a table that Go code makes of other tables: FROM names it like a view. It is bound where it is first read, so what it
// reads must have been created before that; who reads it more than once shares its rows.
type Step struct {
	// Inputs are the names of sources, views and other steps, in order of the inputs of the node. There is at least one.
	Inputs []string
	// State is how its state is called, if the node keeps any: Node.Name. A restart finds the state by it.
	State string
	// Make returns the node's spec and the schema of its rows, given those of the inputs, without hidden columns. Columns whose
	// time has a watermark are marked by operators.TimeKey, and must not be in the result if the operator does not keep to
	// it. Its error is reported where the step is read. Rows of a FuncSpec are of the mode that its input has, those of any other
	// spec are final.
	Make func(in []*arrow.Schema) (operators.Spec, *arrow.Schema, error)
}

// Pos is a place in a script, from 1; columns count runes.
type Pos struct{ Line, Column int }
