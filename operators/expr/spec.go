package expr

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
	"github.com/tidemill/tidemill/internal/invariants"
)

// Column returns column i of schema. A dictionary of TEXT has the type TEXT.
func Column(schema *arrow.Schema, i int) *Spec {
	f := schema.Field(i)
	t := f.Type
	if d, isDictionary := t.(*arrow.DictionaryType); isDictionary && d.ValueType.ID() == arrow.STRING {
		t = batch.Text
	}
	return &Spec{Kind: ColumnKind, Type: t, Column: i, Name: f.Name}
}

// Decimal is the value of a DECIMAL constant.
type Decimal struct {
	Value            decimal.Num
	Precision, Scale int32
}

// Literal returns a constant: nil (NULL of the type arrow.Null), bool, int and int64 (a BIGINT), int32 (an INT), float64, string,
// batch.Time, time.Time, time.Duration (an INTERVAL DAY TO SECOND), or Decimal. Any other type is a bug of the caller and panics.
func Literal(v any) *Spec {
	s := &Spec{Kind: LiteralKind, Value: v}
	switch v := v.(type) {
	case nil:
		s.Type = arrow.Null
	case bool:
		s.Type = batch.Boolean
	case int:
		s.Type, s.Value = batch.BigInt, int64(v)
	case int64:
		s.Type = batch.BigInt
	case int32:
		s.Type, s.Value = batch.Int, int64(v)
	case Decimal:
		s.Type, s.Value = batch.Decimal(v.Precision, v.Scale), v.Value
	case float64:
		s.Type = batch.Double
	case string:
		s.Type = batch.Text
	case batch.Time:
		s.Type = batch.Timestamp
	case time.Time:
		s.Type, s.Value = batch.Timestamp, batch.TimeOf(v)
	case time.Duration:
		s.Type = batch.DayTime
	default:
		panic(invariants.Failf("literal of type %T", v))
	}
	return s
}

// TypedLiteral returns a constant of a type whose values have the Go type of another: int64 for what is stored as BIGINT, such as
// DATE and INTERVAL YEAR TO MONTH, float64 for FLOAT, string for BINARY.
func TypedLiteral(t arrow.DataType, v any) *Spec { return typedLiteral(t, v) }

// typedLiteral gives INTERVAL DAY TO SECOND the value that Literal has for it, where there is one.
func typedLiteral(t arrow.DataType, v any) *Spec {
	if us, ok := v.(int64); ok && t == batch.DayTime && us <= math.MaxInt64/1000 && us >= math.MinInt64/1000 {
		v = time.Duration(us) * time.Microsecond
	}
	return &Spec{Kind: LiteralKind, Type: t, Value: v}
}

// null returns NULL of a type.
func null(t arrow.DataType) *Spec { return &Spec{Kind: LiteralKind, Type: t} }

// call returns name(args…) of type t, for arguments that have the right types.
func call(name string, t arrow.DataType, args ...*Spec) *Spec {
	return &Spec{Kind: CallKind, Type: t, Func: name, Args: args}
}

// Cast returns CAST(e AS t), e itself where it has that type. A value that has no counterpart in t makes a bad row.
func Cast(e *Spec, t arrow.DataType) (*Spec, error) { return castSpec("cast", e, t) }

// TryCast is Cast with NULL for a value that has no counterpart in t.
func TryCast(e *Spec, t arrow.DataType) (*Spec, error) { return castSpec("try_cast", e, t) }

func castSpec(name string, e *Spec, t arrow.DataType) (*Spec, error) {
	switch {
	case isSame(e.Type, t):
		return e, nil
	case e.Type.ID() == arrow.NULL:
		return null(t), nil
	case !isCastable(classOf(e.Type), classOf(t)):
		return nil, fmt.Errorf("%s: %s has no conversion to %s: %s", name, typeName(e.Type), typeName(t), e)
	}
	return call(name, t, e), nil
}

// isCastable follows Spark's table of ANSI mode: TEXT becomes anything and anything becomes TEXT, numbers become each other, BOOLEAN,
// TIMESTAMP and back, and dates and times become each other.
func isCastable(from, to class) bool {
	switch {
	case from == otherClass || to == otherClass:
		return false
	case from == to, from == textClass, to == textClass:
		return true
	case from.isNumber() && to.isNumber():
		return true
	case from.isNumber():
		return to == boolClass || to == timeClass
	case to.isNumber():
		return from == boolClass || from == timeClass
	}
	return from == dateClass && to == timeClass || from == timeClass && to == dateClass
}

// typeName is batch.TypeName.
func typeName(t arrow.DataType) string { return batch.TypeName(t) }

// isNull says whether s is the constant NULL.
func (s *Spec) isNull() bool { return s.Kind == LiteralKind && s.Value == nil }

// Equal says whether a and b are the same expression: same tree, types and constants. Two NaN are the same.
func Equal(a, b *Spec) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || a.Kind != b.Kind || !arrow.TypeEqual(a.Type, b.Type) {
		return false
	}
	switch a.Kind {
	case ColumnKind:
		return a.Column == b.Column
	case LiteralKind:
		x, isDouble := a.Value.(float64)
		y, alsoDouble := b.Value.(float64)
		if isDouble && alsoDouble {
			return math.Float64bits(x) == math.Float64bits(y) || x != x && y != y
		}
		return a.Value == b.Value
	case ParamKind:
		return a.Column == b.Column
	case CallKind, LambdaKind:
	}
	return a.Func == b.Func && a.User == b.User && slices.EqualFunc(a.Args, b.Args, Equal)
}

// Walk calls visit for s and, where it returns true, for what is below, from left to right.
func Walk(s *Spec, visit func(*Spec) bool) {
	if !visit(s) {
		return
	}
	for _, a := range s.Args {
		Walk(a, visit)
	}
}

// Remap returns s with every column index replaced by remap of it. s is unchanged.
func Remap(s *Spec, remap func(column int) int) *Spec {
	r := *s
	if s.Kind == ColumnKind {
		r.Column = remap(s.Column)
		return &r
	}
	if s.Args != nil {
		r.Args = make([]*Spec, len(s.Args))
		for i, a := range s.Args {
			r.Args[i] = Remap(a, remap)
		}
	}
	return &r
}

// Columns returns the indices of the columns that s uses, increasing, each once.
func Columns(s *Spec) []int {
	var used []int
	Walk(s, func(s *Spec) bool {
		if s.Kind == ColumnKind {
			used = append(used, s.Column)
		}
		return true
	})
	slices.Sort(used)
	return slices.Compact(used)
}
