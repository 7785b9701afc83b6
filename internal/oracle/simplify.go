package oracle

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators/expr"
)

// simplify does what Spark's optimizer does to constants, because it shows: a function with a NULL constant is NULL without its
// other arguments being computed, which may be bad; nor is what stands behind a constant that decides an AND or OR.
func simplify(s *expr.Spec) *expr.Spec {
	if s.Kind != expr.CallKind {
		return s
	}
	f := *s
	f.Args = nil
	allConstant, hasNull := true, false
	for _, a := range s.Args {
		a = simplify(a)
		f.Args = append(f.Args, a)
		allConstant = allConstant && a.Kind == expr.LiteralKind
		hasNull = hasNull || a.Kind == expr.LiteralKind && a.Value == nil
	}
	if hasNull && isNullForNull(s.Func) {
		return &expr.Spec{Kind: expr.LiteralKind, Type: s.Type}
	}
	if s.Func == "and" || s.Func == "or" {
		decisive := s.Func == "or"
		f.Args = slices.DeleteFunc(f.Args, func(a *expr.Spec) bool { return a.Kind == expr.LiteralKind && a.Value == !decisive })
		for i, a := range f.Args {
			if a.Kind == expr.LiteralKind && a.Value == decisive {
				f.Args = f.Args[:i+1]
				break
			}
		}
		if len(f.Args) == 1 {
			return f.Args[0]
		}
	}
	if allConstant && s.Type.ID() != arrow.LIST {
		if v, err := eval(&f, nil); err == nil {
			return &expr.Spec{Kind: expr.LiteralKind, Type: s.Type, Value: v}
		}
	}
	return &f
}

// isNullForNull says whether a function is NULL wherever an argument is, and known for it to the optimizer.
func isNullForNull(name string) bool {
	switch name {
	case "+", "-", "*", "/", "%", "div":
		return true
	case "like":
		return false
	}
	return functions[name] != nil
}

func simplifyAll(list []*expr.Spec) []*expr.Spec {
	out := make([]*expr.Spec, len(list))
	for i, s := range list {
		out[i] = simplify(s)
	}
	return out
}
