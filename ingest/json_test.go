package ingest_test

import (
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	const all = "i BIGINT, d DOUBLE, b BOOLEAN, s TEXT, t TIMESTAMP"
	const whole = `{"i":1,"d":2.5,"b":true,"s":"abc","t":"2026-03-01T10:00:00Z"}` + "\n"
	const wholeRow = "1 2.5 true abc 2026-03-01T10:00:00Z\n"
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	runDecodeCases(t, "JSON", []decodeCase{
		{name: "a value of every type, twice the same shape", columns: all, in: whole + whole, want: wholeRow + wholeRow},
		{
			name: "keys in another order", columns: all, in: whole + `{"t":"2026-03-01","s":"x","b":false,"d":3,"i":-4}` + "\n" + whole,
			want: wholeRow + "-4 3.0 false x 2026-03-01T00:00:00Z\n" + wholeRow,
		},
		{name: "white space is free", columns: "i BIGINT, s TEXT", in: " { \"i\" : 1 ,\t\"s\" : \"x\" } \r\n{}\r\n", want: "1 x\nnull null\n"},
		{
			name: "null and missing keys are NULL", columns: "i BIGINT, d DOUBLE, s TEXT", in: `{"i":null,"d":null,"s":null}` + "\n" + `{"i":1,"d":2,"s":"x"}` + "\n" +
				`{"i":null,"d":null,"s":null}` + "\n{}\n{}\n" + `{"s":"y"}` + "\n" + `{"s":"z"}` + "\n",
			want: "null null null\n1 2.0 x\nnull null null\nnull null null\nnull null null\nnull null y\nnull null z\n",
		},
		{
			name: "other keys are skipped whatever they hold", columns: "s TEXT",
			in: strings.Repeat(`{"a":[1,{"b":[]},"\"",null],"c":{"s":"no","x":{}},"e":-1.5e+3,"s":"yes","f":true,"g":false}`+"\n", 3), want: "yes\nyes\nyes\n",
		},
		{name: "of a key that repeats the last one counts", columns: "i BIGINT, s TEXT", in: strings.Repeat(`{"i":1,"s":"x","i":2,"s":null}`+"\n", 3), want: "2 null\n2 null\n2 null\n"},
		{name: "keys with escapes", columns: "aé TEXT", in: strings.Repeat(`{"\u0061\u00e9":"x"}`+"\n", 2), want: "x\nx\n"},
		{name: "keys are matched exactly", columns: "a TEXT", in: `{"A":"x"}` + "\n", want: "null\n"},
		{
			name: "escapes in text", columns: "s TEXT", in: `{"s":"a\"b\\c\/d\b\f\n\r\t\u0000\u00e9\ud83d\ude00"}` + "\n" + `{"s":"plain"}` + "\n" + `{"s":"\u20ac"}` + "\n",
			want: "\"a\\\"b\\\\c/d\\b\\f\\n\\r\\t\\x00é😀\"\nplain\n\"€\"\n",
		},
		{
			name: "long text", columns: "s TEXT, u TEXT", in: `{"s":"0123456789","u":"01234567"}` + "\n" + `{"s":"01234567","u":""}` + "\n" + `{"s":"","u":"0123456789abcdef0123456789"}` + "\n",
			want: "0123456789 01234567\n01234567 \"\"\n\"\" 0123456789abcdef0123456789\n",
		},
		{
			name: "TEXT takes the JSON text of other values", columns: "s TEXT", in: `{"s":[1, "a"]}` + "\n" + `{"s":{"b":null}}` + "\n" + `{"s":1.50}` + "\n" + `{"s":true}` + "\n",
			want: "\"[1, \\\"a\\\"]\"\n\"{\\\"b\\\":null}\"\n1.50\ntrue\n",
		},
		{
			name: "numbers at their bounds", columns: "i BIGINT, d DOUBLE", in: `{"i":9223372036854775807,"d":1.7976931348623157e308}` + "\n" +
				`{"i":-9223372036854775808,"d":5E-324}` + "\n" + `{"i":-0,"d":-0.0}` + "\n" + `{"i":0,"d":0.1234567890123456789}` + "\n" + `{"i":0,"d":9007199254740993}` + "\n",
			want: "9223372036854775807 1.7976931348623157e+308\n-9223372036854775808 5e-324\n0 -0.0\n0 0.12345678901234568\n0 9007199254740992.0\n",
		},
		{name: "doubles that are not finite are strings", columns: "d DOUBLE", in: `{"d":"NaN"}` + "\n" + `{"d":"-Infinity"}` + "\n" + `{"d":"Infinity"}` + "\n", want: "NaN\n-Infinity\nInfinity\n"},
		{name: "blank lines are no rows", columns: "s TEXT", in: "\n{\"s\":\"a\"}\n \t\r\n{\"s\":\"b\"}\n", want: "a\nb\n"},
		{name: "the last record needs no line end", columns: "s TEXT", in: "{\"s\":\"a\"}\n{\"s\":\"b\"}", want: "a\nb\n"},
		{name: "used columns in another order", columns: "a BIGINT, b TEXT, c BIGINT", used: []int{2, 1}, in: strings.Repeat(`{"a":"?","b":"x","c":3}`+"\n", 2), want: "3 x\n3 x\n"},
		{name: "no used column", columns: "a BIGINT", used: []int{}, in: "{\"a\":1}\n{\"a\":}\n{}\n", want: "\n\n", bad: "2 8 : invalid JSON at byte 5 of the record: want a value, got '}'\n"},
		{
			name: "values of another type", columns: all,
			in: `{"i":"5"}` + "\n" + `{"i":1.0}` + "\n" + `{"i":1e3}` + "\n" + `{"d":"abc"}` + "\n" + `{"b":"true"}` + "\n" + `{"b":1}` + "\n" + `{"b":""}` + "\n" + `{"t":{}}` + "\n" + `{"d":[1]}` + "\n" + `{"i":true}` + "\n",
			bad: "1 0 i: column i: want BIGINT, got string \"5\"\n2 10 i: column i: want BIGINT, got number 1.0\n3 20 i: column i: want BIGINT, got number 1e3\n" +
				"4 30 d: column d: want DOUBLE, got string \"abc\"\n5 42 b: column b: want BOOLEAN, got string \"true\"\n6 55 b: column b: want BOOLEAN, got number 1\n" +
				"7 63 b: column b: want BOOLEAN, got string \"\"\n8 72 t: column t: want TIMESTAMP, got an object\n9 81 d: column d: want DOUBLE, got an array\n" +
				"10 91 i: column i: want BIGINT, got true\n",
		},
		{
			name: "a number is no time", columns: "t TIMESTAMP", in: `{"t":1700000000}` + "\n",
			bad: "1 0 t: column t: want TIMESTAMP, got number 1700000000: declare the column as BIGINT and convert it with timestamp_seconds, timestamp_millis or timestamp_micros\n",
		},
		{
			name: "values out of range", columns: all, in: `{"i":9223372036854775808}` + "\n" + `{"d":-1e999}` + "\n" + `{"t":"2026-13-01"}` + "\n",
			bad: "1 0 i: column i: \"9223372036854775808\" is out of range for BIGINT\n2 26 d: column d: \"-1e999\" is out of range for DOUBLE\n" +
				"3 39 t: column t: \"2026-13-01\" is not a TIMESTAMP\n",
		},
		{
			name: "a bad record among good ones of its shape", columns: "i BIGINT, s TEXT", in: `{"i":1,"s":"a"}` + "\n" + `{"i":2,"s":"b"]` + "\n" + `{"i":3,"s":"c"}` + "\n" +
				`{"i":4,"s":"d"}}` + "\n" + `{"i":5,"s":"e"}` + "\n", want: "1 a\n3 c\n5 e\n",
			bad: "2 16 : invalid JSON at byte 14 of the record: want ',' or '}', got ']'\n4 48 : invalid JSON at byte 15 of the record: want one object per line, got '}'\n",
		},
		{
			name: "what is not well formed", columns: "i BIGINT", in: "[1]\n{\"i\":01}\n{\"i\":1.}\n{\"i\":-}\n{\"i\":+1}\n{\"i\":1e}\n{\"i\":1,}\n{i:1}\n{\"i\" 1}\n{\"i\":nul}\n{\"i\":truee}\n{\"i\":1\n",
			bad: "1 0 : invalid JSON at byte 0 of the record: want an object, got '['\n2 4 : invalid JSON at byte 5 of the record: malformed number\n" +
				"3 13 : invalid JSON at byte 5 of the record: malformed number\n4 22 : invalid JSON at byte 5 of the record: malformed number\n" +
				"5 30 : invalid JSON at byte 5 of the record: want a value, got '+'\n6 39 : invalid JSON at byte 5 of the record: malformed number\n" +
				"7 48 : invalid JSON at byte 7 of the record: want a key, got '}'\n8 57 : invalid JSON at byte 1 of the record: want a key, got 'i'\n" +
				"9 63 : invalid JSON at byte 5 of the record: want ':', got '1'\n10 71 : invalid JSON at byte 5 of the record: want a value, got 'n'\n" +
				"11 81 : invalid JSON at byte 9 of the record: want ',' or '}', got 'e'\n12 93 : invalid JSON at byte 6 of the record: want ',' or '}', got the end of the record\n",
		},
		{
			name: "what is not well formed in text", columns: "i BIGINT", in: `{"s":"\x"}` + "\n" + `{"s":"\u12g4"}` + "\n" + `{"s":"\ud800"}` + "\n" + `{"s":"\ud800\u0041"}` + "\n" + `{"s":"\udc00"}` + "\n" +
				"{\"s\":\"a\tb\"}\n{\"s\":\"a\n\"}\n",
			bad: "1 0 : invalid JSON at byte 6 of the record: unknown escape in a string\n2 11 : invalid JSON at byte 6 of the record: want four hexadecimal digits behind \\u\n" +
				"3 26 : invalid JSON at byte 6 of the record: lone surrogate\n4 41 : invalid JSON at byte 6 of the record: lone surrogate\n" +
				"5 62 : invalid JSON at byte 6 of the record: lone surrogate\n6 77 : invalid JSON at byte 7 of the record: control character '\\t' in a string\n" +
				"7 89 : invalid JSON at byte 7 of the record: a string does not end\n8 97 : invalid JSON at byte 0 of the record: want an object, got '\"'\n",
		},
		{
			name: "nesting is bounded", columns: "s BIGINT", in: `{"x":` + deep(63) + "}\n" + `{"x":` + deep(64) + "}\n", want: "null\n",
			bad: "2 133 : invalid JSON at byte 68 of the record: nested deeper than 64\n",
		},
		{
			name: "invalid UTF-8 anywhere is a bad row", columns: "s TEXT", in: "{\"s\":\"é\"}\n{\"s\":\"\xff\"}\n{\"s\":\"a\",\"\xc0\":1}\n{\"s\":\"b\"}\n", want: "\"é\"\nb\n",
			bad: "2 11 : invalid UTF-8 at byte 6 of the record\n3 21 : invalid UTF-8 at byte 10 of the record\n",
		},
	})
}

func TestJSONInfersColumns(t *testing.T) {
	f := mustNewFormat(t, "JSON", nil)
	for _, tt := range []struct{ name, in, want string }{
		{name: "keys in order of first appearance", in: `{"b":1,"a":"x"}` + "\n" + `{"c":true,"a":"y","b":2}` + "\n", want: "b BIGINT, a TEXT, c BOOLEAN"},
		{name: "numbers widen", in: `{"a":1,"b":1}` + "\n" + `{"a":1.0,"b":99999999999999999999}` + "\n", want: "a DOUBLE, b DOUBLE"},
		{name: "strings are times or text, never numbers", in: `{"a":"2026-01-01","b":"1","c":"true"}` + "\n", want: "a TIMESTAMP, b TEXT, c TEXT"},
		{name: "mixed types are TEXT", in: `{"a":1,"b":"2026-01-01"}` + "\n" + `{"a":"x","b":1}` + "\n", want: "a TEXT, b TEXT"},
		{name: "NULLs are TEXT", in: `{"c":null}` + "\n", want: "c TEXT"},
		{
			name: "objects are STRUCT, arrays are ARRAY, of what all of them have", in: `{"a":[1],"b":{"x":1,"y":[]},"c":[{"k":null}]}` + "\n" + `{"a":[2.5,null],"b":{"z":{"t":"2026-01-01"}},"c":[]}` + "\n",
			want: "a ARRAY<DOUBLE>, b STRUCT<x BIGINT, y ARRAY<TEXT>, z STRUCT<t TIMESTAMP>>, c ARRAY<STRUCT<k TEXT>>",
		},
		{name: "a mixture of nested values is TEXT", in: `{"a":[1],"b":{"x":1},"c":{},"d":[1,"x",[]]}` + "\n" + `{"a":{},"b":1}` + "\n", want: "a TEXT, b TEXT, c TEXT, d ARRAY<TEXT>"},
		{name: "what is nested too deep is TEXT", in: `{"a":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "}\n", want: "a " + strings.Repeat("ARRAY<", 16) + "TEXT" + strings.Repeat(">", 16)},
		{name: "keys with escapes", in: `{"\u0061":1}` + "\n" + `{"a":2.5}`, want: "a DOUBLE"},
		{name: "bad records do not count", in: "{\"a\":1\n{\"a\":\"\xff\"}\n{\"b\":1}\n", want: "b BIGINT"},
		{name: "nothing", in: "", want: "format JSON: no rows to infer columns from: give a column list"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := inferred(f, tt.in); got != tt.want {
				t.Fatalf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
