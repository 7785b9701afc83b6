package expr

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// opposites has the comparisons that are true where NOT of the other is.
var opposites = map[string]string{
	"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "is null": "is not null", "is not null": "is null",
}

// Fold returns s with what is constant computed and NOT of comparisons taken in. A constant that can't be computed, such as 1 / 0,
// stays as it is: the rows that come to it are bad.
func Fold(s *Spec) *Spec {
	if s.Kind == LambdaKind {
		return Lambda(Fold(s.Args[0]), s.Args[1:]...)
	}
	if s.Kind != CallKind {
		return s
	}
	args := make([]*Spec, len(s.Args))
	isConstant, hasNull, hasCall := true, false, false
	for i, a := range s.Args {
		args[i] = Fold(a)
		isConstant = isConstant && args[i].Kind == LiteralKind
		hasNull = hasNull || args[i].isNull()
		hasCall = hasCall || args[i].Kind == CallKind
	}
	f := call(s.Func, s.Type, args...)
	if s.User != nil {
		f.User = s.User
		return f
	}
	switch {
	case s.Func == "and" || s.Func == "or":
		f = foldLogic(f)
	case s.Func == "not" && args[0].Kind == CallKind:
		inner := args[0]
		if inner.Func == "not" {
			return inner.Args[0]
		}
		if opposite, has := opposites[inner.Func]; has {
			return call(opposite, batch.Boolean, inner.Args...)
		}
	case hasNull && !hasCall && isStrict(s.Func): // a call may have bad rows, which must not be hidden
		return null(s.Type)
	}
	if f.Kind == CallKind && isConstant && batch.IsScalar(s.Type) {
		if v := evalConstant(f); v != nil {
			return v
		}
	}
	return f
}

// isStrict says whether a function is NULL wherever an argument is.
func isStrict(name string) bool {
	f := functions[name]
	return f != nil && (f.overloads != nil && !f.lenient || f.isStrict)
}

// foldLogic makes one node of a chain, and drops constants that decide nothing, and what is behind one that decides.
func foldLogic(s *Spec) *Spec {
	dominant := s.Func == "or"
	var args []*Spec
	for _, a := range s.Args {
		switch {
		case a.Kind == CallKind && a.Func == s.Func:
			args = append(args, a.Args...)
		case a.Kind != LiteralKind || a.Value != !dominant:
			args = append(args, a)
		}
	}
	for k, a := range args {
		if a.Kind == LiteralKind && a.Value == dominant {
			args = args[:k+1]
			break
		}
	}
	switch len(args) {
	case 0:
		return Literal(!dominant)
	case 1:
		return args[0]
	}
	return call(s.Func, s.Type, args...)
}

// evalConstant returns the value of s, whose arguments are constants, and nil if it can't be computed.
func evalConstant(s *Spec) *Spec {
	x, err := (&env{mem: batch.NewPool(0)}).build(s)
	if err != nil {
		return nil
	}
	return evalOnce(x, s)
}

// castConstant is evalConstant for a cast. The functions that bind calls use it, which can't refer to the registry that they are in.
func castConstant(s *Spec) *Spec {
	e := &env{mem: batch.NewPool(0)}
	x, err := newCast(e, s, []Expr{newLiteral(e, s.Args[0])})
	if err != nil {
		return nil
	}
	return evalOnce(x, s)
}

// evalOnce returns the value of x, an instance of the constant s, and closes it.
func evalOnce(x Expr, s *Spec) *Spec {
	defer x.Close()
	view := batch.NewView(arrow.NewSchema(nil, nil))
	view.SetRows(1)
	isBad := false
	arr, err := x.Eval(context.Background(), batch.Batch{Rows: view}, func(int32, string) { isBad = true })
	if err != nil || isBad {
		return nil
	}
	if arr.IsNull(0) {
		return null(s.Type)
	}
	switch a := arr.(type) {
	case *array.Boolean:
		return Literal(a.Value(0))
	case *array.Int64:
		return typedLiteral(s.Type, a.Value(0))
	case *array.Float64:
		return typedLiteral(s.Type, a.Value(0))
	case *array.Decimal128:
		return typedLiteral(s.Type, a.Value(0))
	case *array.Timestamp:
		return Literal(batch.Time(a.Value(0)))
	case *array.String:
		return typedLiteral(s.Type, string([]byte(a.Value(0)))) // a copy: the pool takes the array's memory back
	}
	return nil
}
