package expr_test

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	runCases(t, []exprCase{
		{"upper", "s TEXT", "(upper s)", "abZ9\nstraße\nñé\n\"\"\nnull", "ABZ9\nSTRASSE\n\"ÑÉ\"\n\"\"\nnull"},
		{"lower", "s TEXT", "(lower s)", "ABz9\nÄÖ\n\"\"\nnull", "abz9\n\"äö\"\n\"\"\nnull"},
		{"length counts characters", "s TEXT", "(length s)", "abc\näö€😀\n\"\"\nnull", "3\n4\n0\nnull"},
		{"trim cuts spaces only", "s TEXT", "(trim s)", "\"  a b \"\n\"\\ta \"\n\"  \"\nä\nnull", "\"a b\"\n\"\\ta\"\n\"\"\n\"ä\"\nnull"},
		{"ltrim", "s TEXT", "(ltrim s)", "\"  a \"\n\"\"\nnull", "\"a \"\n\"\"\nnull"},
		{"rtrim", "s TEXT", "(rtrim s)", "\"  ä \"\n\"\"\nnull", "\"  ä\"\n\"\"\nnull"},
		{"reverse", "s TEXT", "(reverse s)", "abc\nä€x\n\"\"\nnull", "cba\n\"x€ä\"\n\"\"\nnull"},
		{"substring counts from one", "s TEXT", "(substring s 2 2)", "abcd\näöü\na\n\"\"\nnull", "bc\n\"öü\"\n\"\"\n\"\"\nnull"},
		{"substring to the end", "s TEXT", "(substr s 3)", "abcd\nä€ü\na", "cd\n\"ü\"\n\"\""},
		{"substring of long text", "s TEXT", "(substring s 2 4)", "abcdefghij\nabcdéfghij\nabcdefgé\nabcdefgh\nabcdefg", "bcde\n\"bcdé\"\nbcde\nbcde\nbcde"},
		{"substring from the end", "s TEXT", "(substring s -2 1)", "abcd\nä€ü\na", "c\n\"€\"\n\"\""},
		{"substring that begins before the text", "s TEXT", "(substring s -5 3)", "abc\nabcdef", "a\nbcd"},
		{
			"substring at any position", "s TEXT, p BIGINT, n BIGINT", "(substring s p n)",
			"abc 0 2\nabc 1 -1\nabc 9223372036854775807 9223372036854775807\nabc -9223372036854775808 9223372036854775807\nabc 2 9223372036854775807\nabc null 1\nabc 1 null",
			"ab\n\"\"\n\"\"\nab\nbc\nnull\nnull",
		},
		{"concat is NULL where one is", "s TEXT, u TEXT", `(concat s "-" u)`, "a b\nä null\n\"\" \"\"", "a-b\nnull\n-"},
		{"concat takes other types", "a BIGINT, b DOUBLE", `(|| a b)`, "1 2\nnull 1", "12.0\nnull"},
		{"contains", "s TEXT, u TEXT", "(contains s u)", "abc b\nabc x\na \"\"\nnull a\na null", "true\nfalse\ntrue\nnull\nnull"},
		{"startswith", "s TEXT", `(startswith s "ä")`, "äb\nb\n\"\"\nnull", "true\nfalse\nfalse\nnull"},
		{"endswith", "s TEXT", `(endswith s "b")`, "äb\nba\n\"\"\nnull", "true\nfalse\nfalse\nnull"},
		{"replace", "s TEXT", `(replace s "a" "ää")`, "banana\nx\n\"\"\nnull", "\"bäänäänää\"\nx\n\"\"\nnull"},
		{"replace of nothing", "s TEXT", `(replace s "" "x")`, "ab\n\"\"", "ab\n\"\""},
		{"replace that removes", "s TEXT", `(replace s "é")`, "café\nnull", "caf\nnull"},
		{"split keeps empty parts", "s TEXT", `(split s " ")`, "\"a b\"\n\" a  \"\n\"\"\nä\nnull", "[\"a\",\"b\"]\n[\"\",\"a\",\"\",\"\"]\n[\"\"]\n[\"ä\"]\nnull"},
		{"split at an escaped dot", "s TEXT", `(split s "\\.")`, "a.b\nab", "[\"a\",\"b\"]\n[\"ab\"]"},
		{"split at a long text", "s TEXT", `(split s ", ")`, "\"a, b\"\n\"a,b\"", "[\"a\",\"b\"]\n[\"a,b\"]"},
		{"split at a class", "s TEXT", `(split s "[,;]")`, "\"a,;b\"\n\";\"", "[\"a\",\"\",\"b\"]\n[\"\",\"\"]"},
		{"split at runs of a class", "s TEXT", `(split s "\\s+")`, "\"a \\t b\"\n\" a\"\nab\nnull", "[\"a\",\"b\"]\n[\"\",\"a\"]\n[\"ab\"]\nnull"},
		{"split at runs of one character", "s TEXT", `(split s "-+")`, "a--b-c", `["a","b","c"]`},
		{"split at what is not a word", "s TEXT", `(split s "\\W")`, "aäb€c", `["a","b","c"]`},
		{"split at a regular expression", "s TEXT", `(split s "a(b|c)")`, "xabyacz\nx\n\"\"\nnull", "[\"x\",\"y\",\"z\"]\n[\"x\"]\n[\"\"]\nnull"},
		{"split at characters beyond ASCII", "s TEXT", `(split s "[ä-ü]")`, "aäböc", `["a","b","c"]`},
		{"split into characters", "s TEXT", `(split s "")`, "aäb\na\n\"\"", "[\"a\",\"ä\",\"b\"]\n[\"a\"]\n[\"\"]"},
		{"split skips a place without width at the start", "s TEXT", `(split s "x*")`, "abc", `["a","b","c",""]`},
		{"split with a limit", "s TEXT", `(split s "," 2)`, "\"a,b,c\"\na", "[\"a\",\"b,c\"]\n[\"a\"]"},
		{"split at a regular expression with a limit", "s TEXT", `(split s "(,)" 2)`, "\"a,b,c\"\na", "[\"a\",\"b,c\"]\n[\"a\"]"},
		{
			"split with a pattern from a column", "s TEXT, u TEXT", `(split s u)`, "a1b \"[0-9]\"\na2b \"[0-9]\"\naxb x\na (\na null",
			"[\"a\",\"b\"]\n[\"a\",\"b\"]\n[\"a\",\"b\"]\nbad: split: pattern error parsing regexp: missing closing ): `(`\nnull",
		},
		{"size of a list", "s TEXT", `(size (split s ","))`, "\"a,b\"\n\"\"\nnull", "2\n1\nnull"},
	})
}

func TestLike(t *testing.T) {
	like := func(name, pattern, rows, want string) exprCase {
		return exprCase{name, "s TEXT", "(like s " + pattern + ")", rows, want}
	}
	runCases(t, []exprCase{
		like("like an exact text", `"ab"`, "ab\nabc\n\"\"\nnull", "true\nfalse\nfalse\nnull"),
		like("like a prefix", `"ab%"`, "ab\nabc\nxab", "true\ntrue\nfalse"),
		like("like a suffix", `"%ab"`, "ab\nabc\nxab\nabab", "true\nfalse\ntrue\ntrue"),
		like("like a part", `"%ab%"`, "ab\nxabc\na", "true\ntrue\nfalse"),
		like("like prefix and suffix, which do not overlap", `"ab%ba"`, "abba\naba\nabxba", "true\nfalse\ntrue"),
		like("like one character", `"a_c"`, "abc\naäc\nac\nabbc", "true\ntrue\nfalse\nfalse"),
		like("like everything", `"%"`, "\"\"\na\nnull", "true\ntrue\nnull"),
		like("like nothing", `""`, "\"\"\na", "true\nfalse"),
		like("like at least two characters", `"%__"`, "ä\näö\nabc", "false\ntrue\ntrue"),
		like("like pieces with characters between", `"a%b_d%e"`, "abcde\naxbäde\nabde\nabcdbcdee", "true\ntrue\nfalse\ntrue"),
		like("like goes on where a first try fails", `"%a_b%"`, "aaxb\naab\naxxb", "true\ntrue\nfalse"),
		like("like with escapes", `"10\\%\\_\\\\"`, "\"10%_\\\\\"\n10x", "true\nfalse"),
		like("like with an escaped end", `"a\\%"`, "a%\nab", "true\nfalse"),
		{"not like", "s TEXT", `(not (like s "a%"))`, "ab\nb\nnull", "false\ntrue\nnull"},
		{"like a pattern from a column", "s TEXT, p TEXT", "(like s p)", "ab a%\nab b%\na null\nx \"\\\\\"\nabc a_c", "true\nfalse\nnull\nbad: like: pattern ends in its escape character: \"\\\\\"\ntrue"},
	})
}

func TestCast(t *testing.T) {
	runCases(t, []exprCase{
		{
			"text to BIGINT", "s TEXT", "(cast BIGINT s)", "\" 12 \"\n-9223372036854775808\n9223372036854775808\n+5\n\"12,5\"\n1.0\n\"\"\n-\nnull\n\"00000000000000000000000000000000000000007\"",
			"12\n-9223372036854775808\nbad: cast: \"9223372036854775808\" is no BIGINT\n5\nbad: cast: \"12,5\" is no BIGINT\nbad: cast: \"1.0\" is no BIGINT\nbad: cast: \"\" is no BIGINT\nbad: cast: \"-\" is no BIGINT\nnull\n7",
		},
		{
			"text to DOUBLE", "s TEXT", "(cast DOUBLE s)", "1.5\n\" -1e3\\t\"\nInfinity\n-inf\nNaN\n-nan\n0x10\n1_0\n1e999\nnull\n.",
			"1.5\n-1000.0\nInfinity\n-Infinity\nNaN\nbad: cast: \"-nan\" is no DOUBLE\nbad: cast: \"0x10\" is no DOUBLE\nbad: cast: \"1_0\" is no DOUBLE\nInfinity\nnull\nbad: cast: \".\" is no DOUBLE",
		},
		{"text to BOOLEAN", "s TEXT", "(cast BOOLEAN s)", "\"true \"\nY\n0\nNo\nja\nnull", "true\ntrue\nfalse\nfalse\nbad: cast: \"ja\" is no BOOLEAN\nnull"},
		{
			"text to TIMESTAMP", "s TEXT", "(cast TIMESTAMP s)",
			"2026-01-31\n\"2026-01-31 12:30:00\"\n2026-01-31T12:30:00.123456789Z\n\"2026-01-31 12:30:00.5+02:00\"\n\"2026-01-31 12:30\"\n2026-02-29\n2024-02-29\n\"2026-01-31 24:00:00\"\nsoon\n1969-12-31T23:59:59.999999-00:30\nnull",
			"2026-01-31T00:00:00Z\n2026-01-31T12:30:00Z\n2026-01-31T12:30:00.123456Z\n2026-01-31T10:30:00.5Z\n2026-01-31T12:30:00Z\nbad: cast: \"2026-02-29\" is no TIMESTAMP\n2024-02-29T00:00:00Z\nbad: cast: \"2026-01-31 24:00:00\" is no TIMESTAMP\nbad: cast: \"soon\" is no TIMESTAMP\n1970-01-01T00:29:59.999999Z\nnull",
		},
		{"try_cast gives NULL", "s TEXT", "(try_cast BIGINT s)", "1\nx\nnull", "1\nnull\nnull"},
		{"try_cast of a number out of range", "a DOUBLE", "(try_cast BIGINT a)", "1.9\n1e30", "1\nnull"},
		{
			"DOUBLE to BIGINT cuts decimals off", "a DOUBLE", "(cast BIGINT a)", "1.9\n-1.9\nNaN\n9223372036854775808\n-9223372036854775808\nnull",
			"1\n-1\nbad: cast: NaN is no BIGINT\nbad: cast: 9223372036854776000.0 is no BIGINT\n-9223372036854775808\nnull",
		},
		{"BIGINT to DOUBLE", "a BIGINT", "(cast DOUBLE a)", "1\nnull", "1.0\nnull"},
		{"numbers to BOOLEAN", "a BIGINT, b DOUBLE", "(and (cast BOOLEAN a) (cast BOOLEAN b))", "1 0.5\n0 1\n1 0\nnull 1", "true\nfalse\nfalse\nnull"},
		{"BOOLEAN to BIGINT", "a BOOLEAN", "(cast BIGINT a)", "true\nfalse\nnull", "1\n0\nnull"},
		{"BOOLEAN to DOUBLE", "a BOOLEAN", "(cast DOUBLE a)", "true\nfalse\nnull", "1.0\n0.0\nnull"},
		{"BOOLEAN to TEXT", "a BOOLEAN", "(cast TEXT a)", "true\nfalse\nnull", "true\nfalse\nnull"},
		{"BIGINT to TEXT", "a BIGINT", "(cast TEXT a)", "-12\nnull", "-12\nnull"},
		{"DOUBLE to TEXT", "a DOUBLE", "(cast TEXT a)", "1\nInf\nnull", "1.0\nInfinity\nnull"},
		{"TIMESTAMP to TEXT", "at TIMESTAMP", "(cast TEXT at)", "2026-01-31T12:00:00.5Z\nnull", "\"2026-01-31 12:00:00.5\"\nnull"},
		{"TIMESTAMP to BIGINT is seconds, rounded down", "at TIMESTAMP", "(cast BIGINT at)", "1970-01-01T00:00:01.9Z\n1969-12-31T23:59:59.5Z\nnull", "1\n-1\nnull"},
		{"TIMESTAMP to DOUBLE is seconds", "at TIMESTAMP", "(cast DOUBLE at)", "1970-01-01T00:00:01.5Z\nnull", "1.5\nnull"},
		{"BIGINT to TIMESTAMP is seconds", "a BIGINT", "(cast TIMESTAMP a)", "1\nnull\n9223372036854775807", "1970-01-01T00:00:01Z\nnull\nbad: cast: 9223372036854775807 s is no TIMESTAMP"},
		{"DOUBLE to TIMESTAMP is seconds", "a DOUBLE", "(cast TIMESTAMP a)", "1.5\nNaN", "1970-01-01T00:00:01.5Z\nbad: cast: NaN s is no TIMESTAMP"},
		{
			"long text is cut off in messages", "s TEXT", "(cast BIGINT s)", "ä" + strings.Repeat("a", 97) + "äää",
			"bad: cast: \"ä" + strings.Repeat("a", 97) + "\"… is no BIGINT",
		},
	})
}

func TestTime(t *testing.T) {
	const rows = "2026-03-05T07:08:09.123456Z\n1969-12-31T23:59:59.999999Z\n1600-02-29T00:00:00Z\nnull"
	part := func(name, want string) exprCase {
		return exprCase{name, "at TIMESTAMP", "(" + name + " at)", rows, want}
	}
	trunc := func(unit, want string) exprCase {
		return exprCase{"date_trunc " + unit, "at TIMESTAMP", `(date_trunc "` + unit + `" at)`, rows, want}
	}
	runCases(t, []exprCase{
		part("year", "2026\n1969\n1600\nnull"),
		part("month", "3\n12\n2\nnull"),
		part("day", "5\n31\n29\nnull"),
		part("hour", "7\n23\n0\nnull"),
		part("minute", "8\n59\n0\nnull"),
		part("second", "9\n59\n0\nnull"),
		part("unix_seconds", "1772694489\n-1\n-11670998400\nnull"),
		part("unix_millis", "1772694489123\n-1\n-11670998400000\nnull"),
		part("unix_micros", "1772694489123456\n-1\n-11670998400000000\nnull"),
		trunc("YEAR", "2026-01-01T00:00:00Z\n1969-01-01T00:00:00Z\n1600-01-01T00:00:00Z\nnull"),
		trunc("quarter", "2026-01-01T00:00:00Z\n1969-10-01T00:00:00Z\n1600-01-01T00:00:00Z\nnull"),
		trunc("month", "2026-03-01T00:00:00Z\n1969-12-01T00:00:00Z\n1600-02-01T00:00:00Z\nnull"),
		trunc("week", "2026-03-02T00:00:00Z\n1969-12-29T00:00:00Z\n1600-02-28T00:00:00Z\nnull"),
		trunc("day", "2026-03-05T00:00:00Z\n1969-12-31T00:00:00Z\n1600-02-29T00:00:00Z\nnull"),
		trunc("hour", "2026-03-05T07:00:00Z\n1969-12-31T23:00:00Z\n1600-02-29T00:00:00Z\nnull"),
		trunc("minute", "2026-03-05T07:08:00Z\n1969-12-31T23:59:00Z\n1600-02-29T00:00:00Z\nnull"),
		trunc("second", "2026-03-05T07:08:09Z\n1969-12-31T23:59:59Z\n1600-02-29T00:00:00Z\nnull"),
		trunc("millisecond", "2026-03-05T07:08:09.123Z\n1969-12-31T23:59:59.999Z\n1600-02-29T00:00:00Z\nnull"),
		{"timestamp_millis", "a BIGINT", "(timestamp_millis a)", "1500\n-1\nnull\n9223372036854775807", "1970-01-01T00:00:01.5Z\n1969-12-31T23:59:59.999Z\nnull\nbad: timestamp_millis: 9223372036854775807 ms is no TIMESTAMP"},
		{"timestamp_seconds", "a BIGINT", "(timestamp_seconds a)", "1\nnull", "1970-01-01T00:00:01Z\nnull"},
		{"timestamp_seconds of DOUBLE", "a DOUBLE", "(timestamp_seconds a)", "1.5\nnull", "1970-01-01T00:00:01.5Z\nnull"},
		{"timestamp_micros", "a BIGINT", "(timestamp_micros a)", "1\nnull", "1970-01-01T00:00:00.000001Z\nnull"},
		{"to_timestamp", "s TEXT", "(to_timestamp s)", "2026-01-31\nx\n\"\"\nnull", "2026-01-31T00:00:00Z\nbad: to_timestamp: \"x\" is no TIMESTAMP\nbad: to_timestamp: \"\" is no TIMESTAMP\nnull"},
	})
}
