package expr_test

import "testing"

func TestComparison(t *testing.T) {
	runCases(t, []exprCase{
		{"less compares numbers and NULL gives NULL", "a BIGINT, b BIGINT", "(< a b)", "1 2\n2 1\n2 2\nnull 1\n1 null", "true\nfalse\nfalse\nnull\nnull"},
		{"less or equal is the negation of greater", "a BIGINT, b BIGINT", "(<= a b)", "1 2\n2 1\n2 2\nnull 1", "true\nfalse\ntrue\nnull"},
		{"greater turns its operands", "a BIGINT", "(> a 1)", "1\n2\nnull\n-9223372036854775808", "false\ntrue\nnull\nfalse"},
		{"constant on the left", "a BIGINT", "(>= 1 a)", "1\n2\nnull", "true\nfalse\nnull"},
		{"BIGINT and DOUBLE compare as DOUBLE", "a BIGINT, b DOUBLE", "(= a b)", "1 1\n1 1.5\n2 NaN", "true\nfalse\nfalse"},
		{"NaN equals NaN and minus zero equals zero", "a DOUBLE, b DOUBLE", "(= a b)", "NaN NaN\n0 -0\nNaN 1", "true\ntrue\nfalse"},
		{"NaN is greater than infinity", "a DOUBLE, b DOUBLE", "(> a b)", "NaN Inf\nInf NaN\nNaN NaN\n1 0", "true\nfalse\nfalse\ntrue"},
		{"not equal to NaN", "a DOUBLE", "(<> a 1.5)", "NaN\n1.5\nnull", "true\nfalse\nnull"},
		{"text goes by bytes", "s TEXT", `(< s "b")`, "a\nb\nB\né\n\"\"\nnull", "true\nfalse\ntrue\nfalse\ntrue\nnull"},
		{"text equals a constant", "s TEXT", `(= "ä" s)`, "ä\na\nnull", "true\nfalse\nnull"},
		{"text equals text", "s TEXT, u TEXT", `(= s u)`, "ä ä\na b\n\"\" \"\"\nnull a\na null", "true\nfalse\ntrue\nnull\nnull"},
		{"false is less than true", "a BOOLEAN, b BOOLEAN", "(< a b)", "false true\ntrue false\ntrue true\nnull true", "true\nfalse\nfalse\nnull"},
		{"BOOLEAN equals", "a BOOLEAN, b BOOLEAN", "(= a b)", "false true\ntrue true\nnull true", "false\ntrue\nnull"},
		{"a text constant beside a time is a time", "at TIMESTAMP", `(>= at "2026-01-01")`, "2026-01-01T00:00:00Z\n2025-12-31T23:59:59Z\nnull", "true\nfalse\nnull"},
		{"null safe equality is never NULL", "a BIGINT, b BIGINT", "(<=> a b)", "1 1\n1 2\nnull 1\n1 null\nnull null", "true\nfalse\nfalse\nfalse\ntrue"},
		{"null safe equality with the constant NULL", "a BIGINT", "(<=> a null)", "1\nnull", "false\ntrue"},
		{"between has both ends", "a BIGINT", "(between a 1 3)", "0\n1\n3\n4\nnull", "false\ntrue\ntrue\nfalse\nnull"},
		{"comparison with NULL is NULL", "a BIGINT", "(= a null)", "1\nnull", "null\nnull"},
	})
}

func TestLogic(t *testing.T) {
	pairs := "true true\ntrue false\ntrue null\nfalse true\nfalse false\nfalse null\nnull true\nnull false\nnull null"
	runCases(t, []exprCase{
		{"and has three values", "a BOOLEAN, b BOOLEAN", "(and a b)", pairs, "true\nfalse\nnull\nfalse\nfalse\nfalse\nnull\nfalse\nnull"},
		{"or has three values", "a BOOLEAN, b BOOLEAN", "(or a b)", pairs, "true\ntrue\ntrue\ntrue\nfalse\nnull\ntrue\nnull\nnull"},
		{"and takes more than two", "a BOOLEAN, b BOOLEAN", "(and a b a)", pairs, "true\nfalse\nnull\nfalse\nfalse\nfalse\nnull\nfalse\nnull"},
		{"not turns an and around", "a BOOLEAN, b BOOLEAN", "(not (and a b))", pairs, "false\ntrue\nnull\ntrue\ntrue\ntrue\nnull\ntrue\nnull"},
		{"not turns a comparison around", "a BIGINT", "(not (< a 2))", "1\n2\nnull", "false\ntrue\nnull"},
		{"not not is nothing", "a BOOLEAN", "(not (not a))", "true\nfalse\nnull", "true\nfalse\nnull"},
		{"and computes the right operand only where the left leaves it open", "x BIGINT", "(and (<> x 0) (> (/ 10 x) 1))", "0\n5\n20\nnull", "false\ntrue\nfalse\nnull"},
		{"or computes the right operand only where the left leaves it open", "x BIGINT", "(or (= x 0) (> (div 10 x) 1))", "0\n5\n20\nnull", "true\ntrue\nfalse\nnull"},
		{"the left operand of and is computed", "x BIGINT", "(and (> (/ 10 x) 1) (<> x 0))", "0\n5", "bad: /: division by zero: 10 / 0\ntrue"},
		{"nothing is left for the right operand", "x BIGINT", "(and (> x 100) (> (/ 10 0) x))", "0\n5", "false\nfalse"},
		{"is null", "a BIGINT", "(is_null a)", "1\nnull", "false\ntrue"},
		{"is not null", "s TEXT", "(is_not_null s)", "\"\"\nnull", "true\nfalse"},
		{"is null of the constant NULL", "a BIGINT", "(is_null null)", "1\nnull", "true\ntrue"},
		{"is true", "a BOOLEAN", "(is_true a)", "true\nfalse\nnull", "true\nfalse\nfalse"},
		{"is false", "a BOOLEAN", "(is_false a)", "true\nfalse\nnull", "false\ntrue\nfalse"},
		{"in finds numbers", "a BIGINT", "(in a 1 3)", "1\n2\n3\nnull", "true\nfalse\ntrue\nnull"},
		{"in searches long lists", "a BIGINT", "(in a 1 3 5 7 9 11 13 15 17 19)", "1\n2\n19\n20\nnull", "true\nfalse\ntrue\nfalse\nnull"},
		{"in with NULL in the list is true or NULL", "a BIGINT", "(in a 1 null)", "1\n2\nnull", "true\nnull\nnull"},
		{"not in with NULL in the list is false or NULL", "a BIGINT", "(not (in a 1 null))", "1\n2\nnull", "false\nnull\nnull"},
		{"in finds texts", "s TEXT", `(in s "" "ä" "b")`, "\"\"\nä\na\nnull", "true\ntrue\nfalse\nnull"},
		{"in finds NaN and zero", "a DOUBLE", `(in a (cast DOUBLE "nan") 0.0)`, "NaN\n-0\n1", "true\ntrue\nfalse"},
		{"in mixes numbers", "a BIGINT", `(in a 1 2.5)`, "1\n2", "true\nfalse"},
		{"in finds times", "at TIMESTAMP", `(in at "2026-01-01")`, "2026-01-01T00:00:00Z\n2026-01-02T00:00:00Z", "true\nfalse"},
		{"in finds BOOLEAN", "a BOOLEAN", `(in a true)`, "true\nfalse\nnull", "true\nfalse\nnull"},
		{"in compares with columns", "a BIGINT, b BIGINT", `(in a b 7)`, "1 1\n7 1\n2 1\n2 null", "true\ntrue\nfalse\nnull"},
	})
}

func TestChoice(t *testing.T) {
	runCases(t, []exprCase{
		{"case takes the first that is true", "a BIGINT", `(case (< a 0) "minus" (= a 0) "zero" "plus")`, "5\n-1\n0\nnull\n-7", "plus\nminus\nzero\nplus\nminus"},
		{"case without else is NULL", "a BIGINT", `(case (< a 0) a)`, "-5\n1\nnull", "-5\nnull\nnull"},
		{"case computes a value only where it is the result", "x BIGINT", "(case (= x 0) 0 (/ 10 x))", "0\n5\nnull", "0.0\n2.0\nnull"},
		{"case computes a condition only where it is reached", "x BIGINT", "(case (= x 0) 0 (> (/ 10 x) 1) 1 2)", "0\n5\n10\n20\nnull", "0\n1\n2\n2\n2"},
		{"case of lists", "s TEXT", `(case (= s "a,b") (split s ",") (split "x" ","))`, "q\n\"a,b\"\nq", "[\"x\"]\n[\"a\",\"b\"]\n[\"x\"]"},
		{"case of BOOLEAN and TIMESTAMP", "a BOOLEAN, at TIMESTAMP", `(case a at)`, "true 2026-01-01T00:00:00Z\nfalse 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z\nnull"},
		{"if is a case", "a BOOLEAN", `(if a true (is_null a))`, "true\nfalse\nnull", "true\nfalse\ntrue"},
		{"coalesce takes what is not NULL", "a BIGINT, b BIGINT", "(coalesce a b 0)", "1 2\nnull 2\nnull null", "1\n2\n0"},
		{"coalesce computes only what it needs", "a BIGINT, b BIGINT", "(coalesce a (div 1 b))", "1 0\nnull 1\nnull 0", "1\n1\nbad: div: division by zero: 1 div 0"},
		{"coalesce of texts", "s TEXT, u TEXT", `(coalesce s u "?")`, "a b\nnull ä\nnull null\n\"\" x", "a\n\"ä\"\n\"?\"\n\"\""},
		{"nullif", "a BIGINT, b BIGINT", "(nullif a b)", "1 1\n1 2\nnull 1\n1 null", "null\n1\nnull\n1"},
		{"nullif of texts", "s TEXT", `(nullif s "")`, "a\n\"\"\nnull", "a\nnull\nnull"},
		{"greatest skips NULL", "a BIGINT, b BIGINT", "(greatest a b)", "1 2\n3 2\nnull 1\n1 null\nnull null", "2\n3\n1\n1\nnull"},
		{"least of texts", "s TEXT, u TEXT", "(least s u)", "b a\na b\na a\nnull z", "a\na\na\nz"},
		{"greatest has NaN as the greatest", "a DOUBLE, b DOUBLE", "(greatest a b)", "1 NaN\nNaN 1\n-0 -1", "NaN\nNaN\n-0.0"},
		{"least of BOOLEAN", "a BOOLEAN, b BOOLEAN", "(least a b)", "true false\ntrue true\nnull true", "false\ntrue\ntrue"},
		{"the constant NULL", "a BIGINT", "(coalesce null null)", "1\n2", "null\nnull"},
	})
}

func TestArithmetic(t *testing.T) {
	runCases(t, []exprCase{
		{
			"addition overflows", "a BIGINT, b BIGINT", "(+ a b)", "1 2\n9223372036854775807 1\n-9223372036854775808 -1\nnull 1",
			"3\nbad: +: BIGINT overflow: 9223372036854775807 + 1\nbad: +: BIGINT overflow: -9223372036854775808 + -1\nnull",
		},
		{
			"subtraction overflows", "a BIGINT, b BIGINT", "(- a b)", "1 2\n-9223372036854775808 1\n0 -9223372036854775808",
			"-1\nbad: -: BIGINT overflow: -9223372036854775808 - 1\nbad: -: BIGINT overflow: 0 - -9223372036854775808",
		},
		{
			"multiplication overflows", "a BIGINT, b BIGINT", "(* a b)", "-3 2\n4294967296 4294967296\n-9223372036854775808 -1\n-9223372036854775808 1\n3037000500 3037000500",
			"-6\nbad: *: BIGINT overflow: 4294967296 * 4294967296\nbad: *: BIGINT overflow: -9223372036854775808 * -1\n-9223372036854775808\nbad: *: BIGINT overflow: 3037000500 * 3037000500",
		},
		{"division gives DOUBLE", "a BIGINT, b BIGINT", "(/ a b)", "1 2\n1 0\nnull 0", "0.5\nbad: /: division by zero: 1 / 0\nnull"},
		{"division of DOUBLE by zero is bad too", "a DOUBLE", "(/ a 0.0)", "1\nNaN\nnull", "bad: /: division by zero: 1 / 0\nbad: /: division by zero: NaN / 0\nnull"},
		{
			"div truncates", "a BIGINT, b BIGINT", "(div a b)", "7 2\n-7 2\n1 0\n-9223372036854775808 -1",
			"3\n-3\nbad: div: division by zero: 1 div 0\nbad: div: BIGINT overflow: -9223372036854775808 div -1",
		},
		{
			"modulo has the sign of the dividend", "a BIGINT, b BIGINT", "(% a b)", "7 3\n-7 3\n7 -3\n-9223372036854775808 -1\n5 0",
			"1\n-1\n1\n0\nbad: %: division by zero: 5 % 0",
		},
		{"modulo of DOUBLE", "a DOUBLE, b DOUBLE", "(% a b)", "7.5 2\n-7.5 2\n1 0", "1.5\n-1.5\nbad: %: division by zero: 1 % 0"},
		{"minus", "a BIGINT", "(negative a)", "1\n-9223372036854775808\nnull", "-1\nbad: -: BIGINT overflow: -(-9223372036854775808)\nnull"},
		{"minus of DOUBLE", "a DOUBLE", "(- a)", "1\n0\nnull", "-1.0\n-0.0\nnull"},
		{"BIGINT becomes DOUBLE beside one", "a BIGINT, b DOUBLE", "(+ a b)", "1 0.5\nnull 1", "1.5\nnull"},
		{"DOUBLE minus and times", "a DOUBLE, b DOUBLE", "(- (* a b) b)", "2 3\nnull 1", "3.0\nnull"},
		{"NULL operand", "a BIGINT", "(+ a null)", "1\nnull", "null\nnull"},
		{"time and interval", "at TIMESTAMP", "(+ at ~90s)", "2026-01-01T00:00:00Z\nnull", "2026-01-01T00:01:30Z\nnull"},
		{"interval and time", "at TIMESTAMP", "(- (+ ~1s at) (- ~2s))", "2026-01-01T00:00:00Z\nnull", "2026-01-01T00:00:03Z\nnull"},
		{"NULL does not hide a bad row", "a BIGINT", "(+ (div 1 a) null)", "0\n1", "bad: div: division by zero: 1 div 0\nnull"},
		{"time and NULL", "a BIGINT", "(+ (timestamp_seconds a) null)", "0\nnull", "null\nnull"},
		{"a constant that can't be computed is bad in every row that comes to it", "a BIGINT", "(case (> a 1) (div 1 0) a)", "1\n2", "1\nbad: div: division by zero: 1 div 0"},
		{"a bad operand is told of once more by nobody", "a BIGINT", "(+ (div 1 a) 1)", "0\n1", "bad: div: division by zero: 1 div 0\n2"},
	})
}

func TestMath(t *testing.T) {
	runCases(t, []exprCase{
		{"abs", "a BIGINT", "(abs a)", "-1\n2\n-9223372036854775808\nnull", "1\n2\nbad: abs: BIGINT overflow: -9223372036854775808\nnull"},
		{"abs of DOUBLE", "a DOUBLE", "(abs a)", "-1.5\n-0\nnull", "1.5\n0.0\nnull"},
		{"sqrt", "a DOUBLE", "(sqrt a)", "4\n-1\nnull", "2.0\nNaN\nnull"},
		{"floor", "a DOUBLE", "(floor a)", "1.5\n-1.5\n1e300\nNaN\nnull", "1\n-2\n9223372036854775807\n0\nnull"},
		{"ceil", "a DOUBLE", "(ceil a)", "1.5\n-1.5\nnull", "2\n-1\nnull"},
		{"floor of BIGINT", "a BIGINT", "(floor a)", "7\nnull", "7\nnull"},
		{"round goes away from zero", "a DOUBLE", "(round a)", "0.5\n-0.5\n2.5\n0.49999999999999994\nnull", "1.0\n-1.0\n3.0\n0.0\nnull"},
		{"round to decimals goes by the decimal text", "a DOUBLE", "(round a 2)", "2.675\n-2.675\n1.005\n9.999\n0.004\n1e300\nNaN\nnull\n123.456", "2.68\n-2.68\n1.01\n10.0\n0.0\n1e+300\nNaN\nnull\n123.46"},
		{"round to tens", "a DOUBLE", "(round a -1)", "15\n14.9\n-25\n4\n5", "20.0\n10.0\n-30.0\n0.0\n10.0"},
		{"round of BIGINT", "a BIGINT", "(round a -1)", "15\n14\n-25\nnull\n9223372036854775807", "20\n10\n-30\nnull\nbad: round: BIGINT overflow: 9223372036854775807 to -1 decimals"},
	})
}
