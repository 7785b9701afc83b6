package sql

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators"
)

// Script is the text of a job, parsed: statements in order.
type Script struct {
	text       string
	end        Pos
	statements []statement
}

// statement is a *createSource, *createTable, *createView, *createSink, *bareQuery or *setParameter.
type statement interface {
	print(b *printer)
}

// ident is a name as written, without quotes.
type ident struct {
	at   Pos
	text string
}

type createSource struct {
	name      ident
	columns   []columnDef
	watermark *watermarkDef
	ends
}

// ends is what sources and sinks have in common.
type ends struct {
	uri     string
	format  ident // "" if left out
	options []option
}

// columnDef is a column of a source: one that is read, with a type, or one that is computed.
type columnDef struct {
	name     ident
	typ      arrow.DataType
	computed node
}

type watermarkDef struct {
	column ident
	value  node
}

type option struct {
	key   ident // in lower case
	value string
}

type createView struct {
	name  ident
	query *query
}

type createSink struct {
	name ident
	ends
	query *query
}

type bareQuery struct{ query *query }

// query is one or more terms, which UNION ALL joins, in an order.
type query struct {
	op      string // what joins the terms, for messages; "": UNION ALL
	at      Pos
	with    []commonTable
	terms   []term
	orderBy []orderTerm
	limit   int64 // -1: none
}

// commonTable is a name of WITH.
type commonTable struct {
	name  ident
	query *query
}

// term is a *selectClause, a *query in brackets or a *setOperation, which is the only term of its query.
type term interface {
	place() Pos
	print(b *printer)
}

type selectClause struct {
	at       Pos
	distinct *distinct // nil: all rows
	items    []item
	from     tableRef
	joins    []joinClause
	laterals []lateralView
	where    node
	groupBy  []node
	sets     [][]int // of GROUPING SETS, ROLLUP and CUBE: which of groupBy each has; nil: one set of all
	having   node
	windows  []namedWindow
}

// item is an entry of a SELECT list: an expression, or a star with an optional qualifier.
type item struct {
	at        Pos
	expr      node // nil: star
	alias     string
	aliases   []string // of AS (a, b), those behind the first
	qualifier string
}

// tableRef is a name or a query in brackets. asOf is the time of FOR SYSTEM_TIME AS OF, nil if there is none.
type tableRef struct {
	name  ident
	query *query
	asOf  node
	match *matchClause // nil: none
	alias string
}

// joinClause is what FROM joins to that which stands before it. Without on and using every pair of rows matches.
type joinClause struct {
	at    Pos
	kind  operators.JoinKind
	right tableRef
	on    node
	using []ident
}

type orderTerm struct {
	expr       node
	descending bool
	nullsFirst bool // the effective rule
}

// node is an expression.
type node interface {
	place() Pos
	// height is the number of levels of the expression.
	height() int
	print(b *printer)
}

// base is what all nodes have.
type base struct {
	at     Pos
	levels int
}

func (n base) place() Pos  { return n.at }
func (n base) height() int { return n.levels }

// name is a column, with an optional qualifier before it.
type name struct {
	base
	parts []string
}

// literal has a value as in expr.Spec.
type literal struct {
	base
	value any
}

// call is a function, or an operator under the sign or word that binaryOperators has.
type call struct {
	base
	fn   string // in lower case
	args []node
	star bool // count(*)
	over *overClause
	aggregateParts
}

// aggregateParts is what an aggregate may have besides its arguments.
type aggregateParts struct {
	distinct    bool
	within      []orderTerm // WITHIN GROUP (ORDER BY …)
	filter      node        // FILTER (WHERE …), nil if there is none
	ignoreNulls bool
}

// caseOf is a CASE; operand is nil in the searched form, otherwise may be nil.
type caseOf struct {
	base
	operand   node
	whens     []when
	otherwise node
}

type when struct{ condition, result node }

type cast struct {
	base
	arg node
	typ arrow.DataType
	try bool
}

// field is a part of what is before the dot: window(ts, '1 minute').start.
type field struct {
	base
	of   node
	name string
}

func (q *query) place() Pos        { return q.at }
func (s *selectClause) place() Pos { return s.at }

// isInterval returns the value of an INTERVAL literal.
func isInterval(n node) (time.Duration, bool) {
	if l, ok := n.(*literal); ok {
		d, ok := l.value.(time.Duration)
		return d, ok
	}
	return 0, false
}

// lambda is x -> body or (x, y) -> body.
type lambda struct {
	base
	params []ident
	body   node
}
