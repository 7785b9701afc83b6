package expr_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

const allColumns = "a BIGINT, b DOUBLE, s TEXT, at TIMESTAMP, ok BOOLEAN, list LIST"

func TestCallRefuses(t *testing.T) {
	for _, tt := range []struct{ name, spec, want string }{
		{"a function of TEXT a list", "(upper list)", `function upper takes (TEXT), got (ARRAY<TEXT>)`},
		{"a wrong number of arguments", "(upper s s)", `function upper takes (TEXT), got (TEXT, TEXT)`},
		{"types that no overload has", "(round at)", `function round takes a number, got (TIMESTAMP)`},
		{"a name with a typing error", "(uper s)", `unknown function "uper": did you mean "upper"?`},
		{"a name near none", "(frobnicate s)", `unknown function "frobnicate"`},
		{"a name of one letter", "(x s)", `unknown function "x"`},
		{"two texts where a number belongs", `(+ s "1")`, `+: operands are no numbers, times or intervals that go together: got (TEXT, TEXT)`},
		{"the sum of times", "(+ at at)", `+: operands are no numbers, times or intervals that go together: got (TIMESTAMP, TIMESTAMP)`},
		{"a comparison of a text that is none and a number", `(= "x" a)`, `=: 'x' is no BIGINT`},
		{"a comparison of a number and a time", "(= a at)", `=: operands can't be compared: got (BIGINT, TIMESTAMP)`},
		{"a comparison of maps", "(= (map s a) (map s a))", `=: operands can't be compared: got (MAP<TEXT, BIGINT>, MAP<TEXT, BIGINT>)`},
		{"a bad time constant", `(< at "soon")`, `<: no TIMESTAMP such as 2026-01-31 12:30:00: "soon"`},
		{"and of numbers", "(and a ok)", `and takes (BOOLEAN, BOOLEAN), got (BIGINT, BOOLEAN)`},
		{"not of a number", "(not a)", `not takes (BOOLEAN), got (BIGINT)`},
		{"case values without a common type", `(case ok 1 at)`, `case: arguments have no common type: got (BIGINT, TIMESTAMP)`},
		{"a case condition that is none", `(case a 1 2)`, `case: condition must be BOOLEAN: got (BIGINT)`},
		{"a bad regular expression", `(split s "(")`, "function split: pattern error parsing regexp: missing closing ): `(`"},
		{"a bad pattern", `(like s "a\\")`, `like: pattern ends in its escape character: "a\\"`},
		{"a bad escape", `(like s "\\a")`, `like: backslash must be before %, _ or a backslash: "\\a"`},
		{"an unknown unit", `(date_trunc "eon" at)`, `function date_trunc: unit must be year, quarter, month, week, day, hour, minute, second, millisecond or microsecond: "eon"`},
		{"a unit that is not constant", `(date_trunc s at)`, `function date_trunc: unit must be a constant: s`},
		{"a cast that has no meaning", `(cast BOOLEAN at)`, `cast: TIMESTAMP has no conversion to BOOLEAN: at`},
		{"a cast of a list", `(cast TEXT list)`, `cast: ARRAY<TEXT> has no conversion to TEXT: list`},
		{"an interval alone", `(coalesce ~5s a)`, `function coalesce: arguments have no common type: got (INTERVAL DAY TO SECOND, BIGINT)`},
		{"concat of a list", `(concat s list)`, `function concat takes texts or (ARRAY<T>, …), got (TEXT, ARRAY<TEXT>)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseSpec(mustSchema(allColumns), tt.spec)
			if got := fmt.Sprint(err); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestErrorsHaveTypes(t *testing.T) {
	var unknown *expr.UnknownFunctionError
	if _, err := expr.Call("lenght"); !errors.As(err, &unknown) || unknown.Name != "lenght" || unknown.Nearest != "length" {
		t.Errorf("got %v", err)
	}
	var types *expr.TypeError
	if _, err := expr.Call("upper", expr.Literal(1), expr.Literal(2)); !errors.As(err, &types) || types.Got != "(BIGINT, BIGINT)" || !slices.Equal(types.Takes, []string{"(TEXT)"}) {
		t.Errorf("got %v", err)
	}
}

func TestString(t *testing.T) {
	for _, tt := range []struct{ name, spec, want string }{
		{"operators have the parentheses that they need", "(* (+ a 1) (- 2 (- a 3)))", "(a + 1) * (2 - (a - 3))"},
		{"operators have no others", "(or (and ok (> a 1)) (not ok))", "ok AND a > 1 OR NOT ok"},
		{"not of an or", "(not (or ok ok))", "NOT (ok OR ok)"},
		{"functions and constants", `(concat (upper s) "it's")`, `concat(upper(s), 'it\'s')`},
		{"case", `(case ok 1 2.0)`, "CASE WHEN ok THEN 1.0 ELSE 2.0 END"},
		{"case without else", `(if ok s null)`, "CASE WHEN ok THEN s END"},
		{"cast", `(try_cast BIGINT s)`, "TRY_CAST(s AS BIGINT)"},
		{"an implicit cast", `(+ a b)`, "CAST(a AS DOUBLE) + b"},
		{"in, like, is", `(and (in a 1 2) (not (like s "a%")) (is_not_null s))`, "a IN (1, 2) AND NOT s LIKE 'a%' AND s IS NOT NULL"},
		{"between", `(between a 1 2)`, "a >= 1 AND a <= 2"},
		{"times and intervals", `(> (- at ~90s) "2026-01-01")`, "at - INTERVAL '90 seconds' > TIMESTAMP '2026-01-01T00:00:00Z'"},
		{"minus", `(- (- (- a)))`, "-(-(-a))"},
		{"a comparison of comparisons", `(= (= a 1) ok)`, "(a = 1) = ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := mustSpec(mustSchema(allColumns), tt.spec).String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	odd := arrow.NewSchema([]arrow.Field{{Name: "user id", Type: batch.Text}}, nil)
	if got := expr.Column(odd, 0).String(); got != "`user id`" {
		t.Errorf("got %s", got)
	}
	if got := expr.Literal(math.NaN()).String() + " " + expr.Literal(24*time.Hour).String(); got != "CAST('NaN' AS DOUBLE) INTERVAL '1 day'" {
		t.Errorf("got %s", got)
	}
}

func TestFold(t *testing.T) {
	for _, tt := range []struct{ name, spec, want string }{
		{"a constant is computed", `(+ a (* 2 3))`, "a + 6"},
		{"text is computed", `(= s (upper "ab"))`, "s = 'AB'"},
		{"a cast of a constant is computed", `(> b (cast DOUBLE 1))`, "b > 1.0"},
		{"NULL makes a strict function NULL", `(is_null (+ a null))`, "true"},
		{"what can't be computed stays", `(+ a (div 1 0))`, "a + 1 DIV 0"},
		{"true is nothing in an and", `(and (= 1 1) ok)`, "ok"},
		{"false ends an and", `(and ok (= 1 2) (> (div 1 a) 0))`, "ok AND false"},
		{"false alone decides an and", `(and (= 1 2) ok)`, "false"},
		{"true ends an or", `(or (= 1 1) ok)`, "true"},
		{"a chain becomes one node", `(is_null (or (or ok (> a 1)) (or ok (= 1 2))))`, "(ok OR a > 1 OR ok) IS NULL"},
		{"not goes into a comparison", `(not (< a 1))`, "a >= 1"},
		{"not of is null", `(not (is_null a))`, "a IS NOT NULL"},
		{"not of null safe equality stays", `(not (<=> a 1))`, "NOT a <=> 1"},
		{"an interval is turned", `(+ at (- ~5s))`, "at + INTERVAL '-5 seconds'"},
		{"a constant case is computed", `(case true 1 2)`, "1"},
		{"a list stays", `(size (split "a,b" ","))`, "size(split('a,b', ','))"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := expr.Fold(mustSpec(mustSchema(allColumns), tt.spec)).String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSpecTools(t *testing.T) {
	schema := mustSchema(allColumns)
	s := mustSpec(schema, `(case (> at "2026-01-01") (+ b 1) (cast DOUBLE a))`)
	if got := expr.Columns(s); !slices.Equal(got, []int{0, 1, 3}) {
		t.Errorf("columns: got %v", got)
	}
	moved := expr.Remap(s, func(c int) int { return c + 10 })
	if got := expr.Columns(moved); !slices.Equal(got, []int{10, 11, 13}) {
		t.Errorf("columns after Remap: got %v", got)
	}
	if got := expr.Columns(s); !slices.Equal(got, []int{0, 1, 3}) {
		t.Errorf("Remap changed its argument: %v", got)
	}
	if expr.Equal(s, moved) || !expr.Equal(s, expr.Remap(moved, func(c int) int { return c - 10 })) {
		t.Error("Equal does not tell moved columns")
	}
	if !expr.Equal(expr.Literal(math.NaN()), expr.Literal(math.NaN())) || expr.Equal(expr.Literal(1), expr.Literal(1.0)) {
		t.Error("Equal of constants")
	}
	n := 0
	expr.Walk(s, func(s *expr.Spec) bool { n++; return s.Func != "cast" })
	if n != 8 {
		t.Errorf("walk visited %d", n)
	}
	if _, err := expr.NewPredicate(batch.NewPool(0), expr.Literal(1)); fmt.Sprint(err) != "predicate must be BOOLEAN, is BIGINT: 1" {
		t.Errorf("got %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		spec       *expr.Spec
	}{
		{
			"a function that there is not", `unknown function "uper": did you mean "upper"?`,
			&expr.Spec{Kind: expr.CallKind, Type: batch.Text, Func: "uper", Args: []*expr.Spec{expr.Literal("x")}},
		},
		{
			"an overload that there is not", "function upper: no such arguments: got (BIGINT)",
			&expr.Spec{Kind: expr.CallKind, Type: batch.Text, Func: "upper", Args: []*expr.Spec{expr.Column(mustSchema("a BIGINT"), 0)}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := batch.NewPool(0)
			if _, err := expr.New(pool, tt.spec); fmt.Sprint(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if used := pool.Used(); used != 0 {
				t.Errorf("%d bytes in use after an error", used)
			}
		})
	}
}

func TestConstantsGrowWithTheBatch(t *testing.T) {
	pool := batch.NewPool(0)
	schema := mustSchema("a BIGINT")
	f := batch.NewFrame(pool, schema)
	for _, text := range []string{`(concat "x" (cast TEXT a))`, "null", "7", `(case (> a 3) "big" "small")`, `(coalesce null null)`, `(split "a" null)`} {
		x, err := expr.New(pool, mustSpec(schema, text))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 0, 100, 3, 1000, 65, 5000} {
			f.Reset(0)
			for i := range n {
				f.Columns[0].AppendInt64(int64(i))
			}
			f.SetRows(n)
			rows := evalRows(t, x, batch.Batch{Rows: f.Rows()})
			want := map[string]string{"7": "7", `(concat "x" (cast TEXT a))`: fmt.Sprintf("x%d", n-1), `(case (> a 3) "big" "small")`: "big"}[text]
			switch {
			case n < 5 && want == "big":
				want = "small"
			case want == "":
				want = "null"
			}
			if lines := strings.Split(rows, "\n"); len(lines) != n+1 || n > 0 && lines[n-1] != want {
				t.Errorf("%s: %d rows end in %q, want %q", text, len(lines)-1, lines[max(n-1, 0)], want)
			}
		}
		x.Close()
	}
	f.Release()
	if used := pool.Used(); used != 0 {
		t.Errorf("%d bytes in use after Close", used)
	}
}

func TestReference(t *testing.T) {
	for _, name := range expr.Names() {
		doc := expr.Doc(name)
		if doc == "" || doc[len(doc)-1] != '.' || len(expr.Signatures(name)) == 0 {
			t.Errorf("%s: doc %q, signatures %q", name, doc, expr.Signatures(name))
		}
	}
	if got := fmt.Sprint(expr.Signatures("substring"), expr.Doc("substr"), expr.IsFunction("nope")); got !=
		"[substring(TEXT, BIGINT, BIGINT) → TEXT substring(TEXT, BIGINT) → TEXT]Another name of substring.false" {
		t.Errorf("got %s", got)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"value", "valid", "arrival_time"}
	for _, tt := range []struct{ name, want string }{
		{"vlaue", "value"}, {"VALUE", "value"}, {"arival_time", "arrival_time"}, {"x", ""}, {"", ""}, {"valie", "value"}, {"v", ""},
	} {
		if got := expr.Nearest(tt.name, names); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
