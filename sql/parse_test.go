package sql_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill/sql"
)

func TestPrecedence(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"product binds tighter than sum", "1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"},
		{"chains bind to the left", "a - b - c", "((a - b) - c)"},
		{"AND binds tighter than OR", "a OR b AND c", "(a OR (b AND c))"},
		{"NOT binds weaker than comparison", "NOT a = b AND c", "((NOT (a = b)) AND c)"},
		{"an exclamation mark is NOT", "! a", "(NOT a)"},
		{"BETWEEN takes its own AND", "a BETWEEN 1 AND 2 AND b", "((a BETWEEN 1 AND 2) AND b)"},
		{"IS binds weaker than comparison", "a = b IS NULL", "((a = b) IS NULL)"},
		{
			"NOT stands before IN, LIKE and BETWEEN", "a NOT IN (1) OR b NOT LIKE 'x' OR c NOT BETWEEN 1 AND 2",
			"(((a NOT IN (1)) OR (b NOT LIKE 'x')) OR (c NOT BETWEEN 1 AND 2))",
		},
		{"IS NOT is NOT of IS", "a IS NOT NULL", "(a IS NOT NULL)"},
		{"a minus before a number is part of it", "-1::TEXT", "CAST(-1 AS TEXT)"},
		{"a minus before a name binds weaker than a cast", "-a::TEXT", "(- CAST(a AS TEXT))"},
		{"the smallest BIGINT can be written", "-9223372036854775808", "-9223372036854775808"},
		{"two minus signs make a plus", "1 - - 2", "(1 - -2)"},
		{"two dashes begin a comment", "1 --2", "1"},
		{"concatenation binds as a sum", "a || b + c", "((a || b) + c)"},
		{"other spellings of operators", "a == b != c", "((a = b) <> c)"},
		{"the null-safe comparison", "a <=> b", "(a <=> b)"},
		{"whole division", "a div b % c", "((a DIV b) % c)"},
		{"numbers with suffixes", "1L + 1.5D + 2e3 + .5", "(((1L + 1.5D) + 2000D) + 0.5)"},
		{"quotes are doubled or escaped", `'it''s' || "a\"b" || 'c\nd\u00e4\\'`, "(('it\\'s' || 'a\"b') || 'c\ndä\\\\')"},
		{"a raw string keeps backslashes", `r'\d+'`, `'\\d+'`},
		{"LIKE escapes stay", `a LIKE '5\%'`, `(a LIKE '5\\%')`},
		{"intervals in words", "INTERVAL 1 MINUTE 30 SECONDS", "INTERVAL '90 seconds'"},
		{"intervals in text", "INTERVAL '1 day 1.5 hours'", "INTERVAL '1530 minutes'"},
		{"intervals with a quoted number", "INTERVAL '5' SECOND", "INTERVAL '5 seconds'"},
		{"negative intervals", "INTERVAL -2 WEEKS", "INTERVAL '-2 weeks'"},
		{"timestamps have a zone", "TIMESTAMP '2026-01-31 12:00:00.5+02:00'", "TIMESTAMP '2026-01-31T10:00:00.5Z'"},
		{"a date is its midnight", "TIMESTAMP '2026-01-31'", "TIMESTAMP '2026-01-31T00:00:00Z'"},
		{"both forms of CASE", "CASE a WHEN 1 THEN CASE WHEN b THEN 2 END ELSE 3 END", "CASE a WHEN 1 THEN CASE WHEN b THEN 2 END ELSE 3 END"},
		{
			"names that are keywords elsewhere", "window + end + user + timestamp + interval + date + first + `select`",
			"(((((((`window` + `end`) + user) + `timestamp`) + `interval`) + `date`) + `first`) + `select`)",
		},
		{"functions are in lower case", "UPPER(a) || Count(*)", "(upper(a) || count(*))"},
		{"comments are blank", "a /* b */ + -- c\n d", "(a + d)"},
		{"fields of a window", "window(t, '1 s').start", "window(t, '1 s').start"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			script, err := sql.Parse("SELECT " + tt.in + "\nAS x FROM t")
			if err != nil {
				t.Fatal(err)
			}
			printed := script.String()
			if !strings.Contains(printed, tt.want+" AS x") {
				t.Errorf("%s\nwant %s\ngot  %s", tt.in, tt.want, printed)
			}
			again, err := sql.Parse(printed)
			if err != nil || again.String() != printed {
				t.Errorf("%s, printed and parsed again: %v %v", tt.in, again, err)
			}
		})
	}
}

func TestHostileScriptsEndInAnError(t *testing.T) {
	const n = 100_000
	doubled := func(open, inner, end string, times int) string {
		return strings.Repeat(open, times) + inner + strings.Repeat(end, times)
	}
	for _, tt := range []struct{ name, in, want string }{
		{"brackets", "SELECT " + doubled("(", "k", ")", n) + " FROM plain", "nested too deep"},
		{"open brackets alone", "SELECT " + strings.Repeat("(", n), "nested too deep"},
		{"signs", "SELECT " + strings.Repeat("- ", n) + "k FROM plain", "nested too deep"},
		{"NOT", "SELECT " + strings.Repeat("NOT ", n) + "ok FROM plain", "nested too deep"},
		{"functions", "SELECT " + doubled("abs(", "k", ")", n) + " FROM plain", "nested too deep"},
		{"CASE", "SELECT " + strings.Repeat("CASE WHEN ", n) + " FROM plain", "nested too deep"},
		{"a chain", "SELECT k" + strings.Repeat(" + k", n) + " FROM plain", "nested too deep"},
		{"casts", "SELECT k" + strings.Repeat("::TEXT", n) + " FROM plain", "nested too deep"},
		{"queries", doubled("SELECT * FROM (", "SELECT * FROM plain", ")", n/2), "nested too deep"},
		{"queries in brackets", strings.Repeat("(", n) + "SELECT * FROM plain", "nested too deep"},
		{"BETWEEN that doubles", "SELECT " + doubled("(", "ok", " BETWEEN FALSE AND TRUE)", 150) + " AS x FROM plain", "too large"},
		{"CASE that doubles", "SELECT " + doubled("CASE ", "k", " WHEN 1 THEN 1 WHEN 2 THEN 2 END", 150) + " AS x FROM plain", "too large"},
		{"computed columns that double", "CREATE SOURCE s (a0 BIGINT" + func() string {
			var b strings.Builder
			for i := range 100 {
				b.WriteString(strings.NewReplacer("$1", strings.Repeat("x", i+1), "$0", strings.Repeat("x", i)).Replace(", a$1 AS a$0 + a$0"))
			}
			return strings.Replace(b.String(), "a + a", "a0 + a0", 1)
		}() + ") FROM 'x'; SELECT * FROM s", "too large"},
		{"too long", strings.Repeat(" ", 1<<20+1), "longer than"},
		{"not UTF-8", "SELECT '\xff' FROM plain", "line 2, column 9: the script is not UTF-8"},
		{"many faults", strings.Repeat("x;", n), "expected CREATE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bindScript(tt.in, false, nil)
			var list sql.Errors
			if !errors.As(err, &list) || !strings.Contains(list.Error(), tt.want) {
				t.Fatalf("want an error with %q, got %.300v", tt.want, err)
			}
		})
	}
}

func TestLongScriptsAreBoundInTime(t *testing.T) {
	for _, tt := range []struct{ name, in string }{
		{"IN with many constants", "SELECT k FROM plain WHERE k IN (0" + strings.Repeat(", 17", 50_000) + ")"},
		{"many keys and items", "SELECT count(*) AS n" + strings.Repeat(", upper(s || 'a') || s", 1) + " AS u FROM plain GROUP BY upper(s || 'a'), s"},
		{"many parts of a union", "SELECT k FROM plain" + strings.Repeat(" UNION ALL SELECT k FROM plain", 2000)},
		{"many statements", strings.Repeat("SELECT k FROM plain;", 2000)},
		{"the deepest chain", "SELECT k" + strings.Repeat(" + k", 900) + " AS x, sum(x) AS y FROM plain GROUP BY k"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			if _, err := bindScript(tt.in, false, nil); err != nil {
				t.Fatalf("%.300v", err)
			}
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

func TestAllStatementsAreChecked(t *testing.T) {
	_, err := sql.Parse("SELECT FROM a;\nSELECT x FROM b;\nSELECT y FROM;\n'")
	want := "line 1, column 8: expected an expression, found \"FROM\"\n" +
		"line 3, column 14: expected a source, a view or a query in brackets, found the end of the statement\n" +
		"line 4, column 1: the string has no end: ' is missing"
	if err == nil || err.Error() != want {
		t.Errorf("want\n%s\ngot\n%v", want, err)
	}
	var first *sql.Error
	if !errors.As(err, &first) || first.Pos != (sql.Pos{Line: 1, Column: 8}) || first.Line != "SELECT FROM a;" {
		t.Errorf("errors.As gives %+v", first)
	}
}
