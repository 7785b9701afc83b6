package expr

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
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

// Literal returns a constant: nil (NULL of the type arrow.Null), bool, int, int64, float64, string, batch.Time, time.Time or
// time.Duration (an INTERVAL). Any other type is a bug of the caller and panics.
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
	case float64:
		s.Type = batch.Double
	case string:
		s.Type = batch.Text
	case batch.Time:
		s.Type = batch.Timestamp
	case time.Time:
		s.Type, s.Value = batch.Timestamp, batch.TimeOf(v)
	case time.Duration:
		s.Type = Interval
	default:
		panic(invariants.Failf("literal of type %T", v))
	}
	return s
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
	case !isCastable(e.Type.ID(), t.ID()) || isLogical(e.Type) || isLogical(t):
		return nil, fmt.Errorf("%s: %s has no conversion to %s: %s", name, typeName(e.Type), typeName(t), e)
	}
	return call(name, t, e), nil
}

// isLogical says whether t has rules of its own, which expressions do not know.
func isLogical(t arrow.DataType) bool {
	_, is := t.(*batch.Logical)
	return is
}

// isCastable follows Spark's ANSI table: BOOLEAN and TIMESTAMP do not become each other.
func isCastable(from, to arrow.Type) bool {
	if from == arrow.STRING || to == arrow.STRING {
		return isScalar(from) && isScalar(to)
	}
	isTime, isBool := from == arrow.TIMESTAMP || to == arrow.TIMESTAMP, from == arrow.BOOL || to == arrow.BOOL
	return isScalar(from) && isScalar(to) && (!isTime || !isBool)
}

// isScalar says whether values of a type compare, cast and are constants.
func isScalar(t arrow.Type) bool {
	switch t {
	case arrow.BOOL, arrow.INT64, arrow.FLOAT64, arrow.STRING, arrow.TIMESTAMP:
		return true
	}
	return false
}

// typeName is batch.TypeName with INTERVAL.
func typeName(t arrow.DataType) string {
	if t.ID() == arrow.DURATION {
		return "INTERVAL"
	}
	return batch.TypeName(t)
}

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
