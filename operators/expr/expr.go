// Package expr is the engine's expressions: typed trees that front ends build with Column, Literal and Call, and instances
// that compute them over the live rows of a batch.
package expr

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// Expr computes a column. It is an instance with scratch memory of its own, made by New for one worker and used by one
// goroutine at a time. Only live rows are computed, so AND, OR, CASE and COALESCE narrow the selection before they evaluate an
// operand; a kernel that can fail never sees dead rows.
type Expr interface {
	// Type is the type of the column.
	Type() arrow.DataType
	// Eval returns an array with at least one entry per row of in.Rows; entries of dead rows are undefined. The array is
	// borrowed: valid until the next Eval of this Expr, and as long as in. A row that can't be computed (overflow, bad cast)
	// is reported to bad, is NULL in the result, and is not an error of the job.
	Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error)
	// Close releases all memory.
	Close()
}

// Predicate is an Expr of type BOOLEAN that can narrow a selection without making a column.
type Predicate interface {
	Expr
	// Select appends to dst the live rows of in for which the expression is true, in order, and returns it.
	Select(ctx context.Context, in batch.Batch, dst []int32, bad BadRow) ([]int32, error)
}

// BadRow is told of a row that can't be computed, and why: `cast: "12,5" is no BIGINT`. It may be told of a row twice.
type BadRow func(row int32, why string)

// Kind says what an Spec is.
type Kind uint8

// The kinds of expressions.
const (
	// ColumnKind is a column of the input.
	ColumnKind Kind = iota
	// LiteralKind is a constant.
	LiteralKind
	// CallKind is a function, an operator sign, a CASE or a CAST over Args.
	CallKind
	// ParamKind is a parameter of a lambda function.
	ParamKind
	// LambdaKind is a lambda function: Args has its body, then its parameters. It stands only in the arguments of a call.
	LambdaKind
)

// Spec is a typed expression over the columns of one schema. It is immutable and may be shared.
type Spec struct {
	Kind Kind
	Type arrow.DataType

	Column int    // ColumnKind: index in the input's schema; ParamKind: how many parameters are declared around it
	Name   string // ColumnKind, ParamKind: name of the column or parameter

	// Value is the constant of a LiteralKind: nil (NULL), bool, int64 (of every type that is stored as BIGINT), float64, string,
	// decimal.Num, batch.Time, or, for INTERVAL DAY TO SECOND, time.Duration as far as that reaches, and int64 beyond.
	Value any

	// Func is the name in lower case: upper, +, =, and, or, not, case (WHEN, THEN, WHEN, THEN, …, ELSE), coalesce,
	// cast (to Type), is null, in, like, …
	Func string
	Args []*Spec
	// User is the function, where it is not one of this package, and Func its name.
	User *UserFunc
}
