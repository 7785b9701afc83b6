package expr_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

var seedFlag = flag.Uint64("seed", 0, "seed of random tests; 0 takes the clock")

// oracle computes an expression for one row, given as nil, bool, int64, float64 or string per column. isBad says that something on
// the way could not be computed; where an operand of AND or OR is NULL, the others count too.
func oracle(s *expr.Spec, row []any) (v any, isBad bool) {
	switch s.Kind {
	case expr.ColumnKind:
		return row[s.Column], false
	case expr.LiteralKind:
		return s.Value, false
	case expr.CallKind, expr.ParamKind, expr.LambdaKind:
	}
	arg := func(k int) any {
		v, bad := oracle(s.Args[k], row)
		isBad = isBad || bad
		return v
	}
	switch s.Func {
	case "and", "or":
		dominant := s.Func == "or"
		var result any = !dominant
		for k := range s.Args {
			switch arg(k) {
			case dominant:
				return dominant, isBad
			case nil:
				result = nil
			}
		}
		return result, isBad
	case "case":
		for k := 0; k+1 < len(s.Args); k += 2 {
			if arg(k) == true {
				return arg(k + 1), isBad
			}
		}
		return arg(len(s.Args) - 1), isBad
	case "coalesce":
		for k := range s.Args {
			if v := arg(k); v != nil {
				return v, isBad
			}
		}
		return nil, isBad
	case "is null":
		return arg(0) == nil, isBad
	case "in":
		x := arg(0)
		if x == nil {
			return nil, isBad
		}
		var result any = false
		for k := 1; k < len(s.Args); k++ {
			switch v := arg(k); {
			case v == nil:
				result = nil
			case compareValues(x, v) == 0:
				return true, isBad
			}
		}
		return result, isBad
	case "<=>":
		a, b := arg(0), arg(1)
		if a == nil || b == nil {
			return a == nil && b == nil, isBad
		}
		return compareValues(a, b) == 0, isBad
	}
	values := make([]any, len(s.Args))
	isNull := false
	for k := range s.Args {
		values[k] = arg(k)
		isNull = isNull || values[k] == nil
	}
	if isNull {
		return nil, isBad
	}
	v, ok := oracleStrict(s, values)
	if !ok {
		return nil, true
	}
	return v, isBad
}

// oracleStrict computes a function none of whose arguments is NULL.
func oracleStrict(s *expr.Spec, v []any) (any, bool) {
	switch s.Func {
	case "not":
		return !v[0].(bool), true
	case "=":
		return compareValues(v[0], v[1]) == 0, true
	case "<>":
		return compareValues(v[0], v[1]) != 0, true
	case "<":
		return compareValues(v[0], v[1]) < 0, true
	case "<=":
		return compareValues(v[0], v[1]) <= 0, true
	case ">":
		return compareValues(v[0], v[1]) > 0, true
	case ">=":
		return compareValues(v[0], v[1]) >= 0, true
	case "cast":
		return float64(v[0].(int64)), true
	}
	if a, isBigInt := v[0].(int64); isBigInt {
		x, y := big.NewInt(a), new(big.Int)
		if len(v) > 1 {
			y.SetInt64(v[1].(int64))
		}
		switch {
		case s.Func == "+":
			x.Add(x, y)
		case s.Func == "-" && len(v) == 1:
			x.Neg(x)
		case s.Func == "-":
			x.Sub(x, y)
		case s.Func == "*":
			x.Mul(x, y)
		case y.Sign() == 0:
			return nil, false
		case s.Func == "div":
			x.Quo(x, y)
		case s.Func == "%":
			x.Rem(x, y)
		}
		return x.Int64(), x.IsInt64()
	}
	x, y := v[0].(float64), 0.0
	if len(v) > 1 {
		y = v[1].(float64)
	}
	switch {
	case s.Func == "+":
		return x + y, true
	case s.Func == "-" && len(v) == 1:
		return -x, true
	case s.Func == "-":
		return x - y, true
	case s.Func == "*":
		return x * y, true
	case y == 0:
		return nil, false
	case s.Func == "/":
		return x / y, true
	}
	return math.Mod(x, y), true
}

func compareValues(a, b any) int {
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64))
	case string:
		return cmp.Compare(a, b.(string))
	case bool:
		toInt := map[bool]int{true: 1}
		return toInt[a] - toInt[b.(bool)]
	}
	x, y := a.(float64), b.(float64)
	switch {
	case x != x && y != y:
		return 0
	case x != x:
		return 1
	case y != y:
		return -1
	}
	return cmp.Compare(x, y)
}

var propertySchema = mustSchema("a BIGINT, b BIGINT, x DOUBLE, y DOUBLE, p BOOLEAN, q BOOLEAN, s TEXT, u TEXT")

// generator makes random expressions and rows.
type generator struct{ *rand.Rand }

func (g generator) pick(list ...string) string { return list[g.IntN(len(list))] }

// spec returns an expression of the type that a column of that name has.
func (g generator) spec(of string, depth int) string {
	if depth == 0 || g.IntN(5) == 0 {
		switch of {
		case "a":
			return g.pick("a", "b", "0", "1", "-3", "9223372036854775807")
		case "x":
			return g.pick("x", "y", "0.0", "1.5", "-2.25")
		case "p":
			return g.pick("p", "q", "p", "q", "true", "false")
		}
		return g.pick("s", "u", `""`, `"b"`)
	}
	sub := func(of string) string { return g.spec(of, depth-1) }
	if g.IntN(6) == 0 {
		return fmt.Sprintf(g.pick("(case %[1]s %[2]s %[1]s %[3]s %[2]s)", "(coalesce %[2]s %[3]s)", "(case %[1]s %[2]s)"), sub("p"), sub(of), sub(of))
	}
	switch of {
	case "a":
		return fmt.Sprintf(g.pick("(+ %s %s)", "(- %s %s)", "(* %s %s)", "(div %s %s)", "(%% %s %s)", "(- %[1]s)"), sub("a"), sub("a"))
	case "x":
		return fmt.Sprintf(g.pick("(+ %s %s)", "(- %s %s)", "(* %s %s)", "(/ %s %s)", "(%% %s %s)", "(- %[1]s)"), sub("x"), sub(g.pick("x", "a")))
	case "s":
		return g.pick("s", "u")
	}
	if g.IntN(2) == 0 {
		return fmt.Sprintf(g.pick("(and %s %s)", "(or %s %s)", "(and %[1]s %[2]s %[1]s)", "(or %[1]s %[2]s %[1]s)", "(not %[1]s)", "(is_null %[1]s)"), sub("p"), sub("p"))
	}
	other := g.pick("a", "x", "p", "s")
	if g.IntN(6) == 0 {
		list := map[string]string{"a": "1 null -3 2 4 5 6 7 8 9", "x": "1.5 0.0", "p": "true", "s": `"b" "" null`}[other]
		return fmt.Sprintf("(in %s %s)", sub(other), list)
	}
	return fmt.Sprintf("(%s %s %s)", g.pick("=", "<>", "<", "<=", ">", ">=", "<=>"), sub(other), sub(other))
}

// fill appends a row and returns it. A short list of values makes collisions, zeros and overflows common.
func (g generator) fill(f *batch.Frame) []any {
	ints := []int64{0, 1, -1, 2, -3, 7, math.MaxInt64, math.MinInt64}
	floats := []float64{0, math.Copysign(0, -1), 1.5, -2.25, math.NaN(), math.Inf(1), math.Inf(-1), 1e300}
	row := make([]any, len(f.Columns))
	for c, col := range f.Columns {
		if g.IntN(4) == 0 {
			col.AppendNull()
			continue
		}
		switch col.Type().ID() {
		case arrow.INT64:
			v := ints[g.IntN(len(ints))]
			col.AppendInt64(v)
			row[c] = v
		case arrow.FLOAT64:
			v := floats[g.IntN(len(floats))]
			col.AppendFloat64(v)
			row[c] = v
		case arrow.BOOL:
			v := g.IntN(2) == 0
			col.AppendBool(v)
			row[c] = v
		default:
			v := g.pick("", "a", "b", "bb", "ä")
			col.AppendString(v)
			row[c] = v
		}
	}
	return row
}

func valueAt(arr arrow.Array, i int) any {
	if arr.IsNull(i) {
		return nil
	}
	switch a := arr.(type) {
	case *array.Int64:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.Boolean:
		return a.Value(i)
	case *array.String:
		return a.Value(i)
	}
	panic(arr.DataType())
}

func TestRandomExpressionsAgreeWithTheOracle(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", seed)
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	pool := batch.NewPool(0)
	f := batch.NewFrame(pool, propertySchema)
	for range 1500 {
		text := g.spec(g.pick("a", "x", "p", "p"), 1+g.IntN(4))
		spec := mustSpec(propertySchema, text)
		x, err := expr.New(pool, spec)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var p expr.Predicate
		if spec.Type.ID() == arrow.BOOL {
			if p, err = expr.NewPredicate(pool, spec); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		for range 3 {
			f.Reset(0)
			n := g.IntN(90)
			rows := make([][]any, n)
			for i := range rows {
				rows[i] = g.fill(f)
			}
			f.SetRows(n)
			in := batch.Batch{Rows: f.Rows()}
			if g.IntN(3) > 0 {
				in.Sel = []int32{}
				for i := range n {
					if g.IntN(3) > 0 {
						in.Sel = append(in.Sel, int32(i))
					}
				}
			}
			checkAgainstOracle(t, spec, x, p, in, rows)
		}
		x.Close()
		if p != nil {
			p.Close()
		}
		if t.Failed() {
			t.Fatalf("expression: %s", text)
		}
	}
	f.Release()
	if used := pool.Used(); used != 0 {
		t.Errorf("%d bytes in use after Close", used)
	}
}

func checkAgainstOracle(t *testing.T, spec *expr.Spec, x expr.Expr, p expr.Predicate, in batch.Batch, rows [][]any) {
	t.Helper()
	isBad := make(map[int32]bool)
	arr, err := x.Eval(context.Background(), in, func(row int32, _ string) { isBad[row] = true })
	if err != nil {
		t.Fatal(err)
	}
	isPicked := make(map[int32]bool)
	if p != nil {
		picked, err := p.Select(context.Background(), in, nil, func(int32, string) {})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range picked {
			isPicked[i] = true
		}
	}
	hasLogic := false
	expr.Walk(spec, func(s *expr.Spec) bool {
		hasLogic = hasLogic || s.Func == "and" || s.Func == "or"
		return true
	})
	isLive := make(map[int32]bool)
	for k := range in.NumLive() {
		i := int32(k)
		if in.Sel != nil {
			i = in.Sel[k]
		}
		isLive[i] = true
		want, wantBad := oracle(spec, rows[i])
		if wantBad {
			// Behind a NULL operand of AND and OR it is the expression's choice how much it computes.
			if !hasLogic && !isBad[i] {
				t.Errorf("row %v: not bad, got %v", rows[i], valueAt(arr, int(i)))
			}
			continue
		}
		got := valueAt(arr, int(i))
		if isBad[i] || (got == nil) != (want == nil) || got != nil && compareValues(got, want) != 0 {
			t.Errorf("row %v: got %v (bad: %v), want %v", rows[i], got, isBad[i], want)
		}
		if p != nil && isPicked[i] != (want == true) {
			t.Errorf("row %v: selected: %v, want %v", rows[i], isPicked[i], want)
		}
	}
	for i := range isBad {
		if _, wantBad := oracle(spec, rows[i]); !isLive[i] || !wantBad {
			t.Errorf("row %v: bad, live: %v", rows[i], isLive[i])
		}
	}
}
