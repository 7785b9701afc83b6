package expr_test

import "testing"

func TestJSONFunctions(t *testing.T) {
	runCases(t, []exprCase{
		{
			"get_json_object walks a path", "s TEXT", `(get_json_object s "$.a[1].b")`,
			"\"{\\\"a\\\":[1,{\\\"b\\\":\\\"x\\\\u0041\\\"}]}\"\n\"{\\\"a\\\":[1,{\\\"b\\\":{\\\"c\\\": 1}}]}\"\n\"{\\\"a\\\":[1]}\"\n\"{\\\"a\\\":{}}\"\n\"{\\\"a\\\":[1,{\\\"b\\\":null}]}\"\n\"{\\\"a\\\"\"\nnull\n\"\"",
			"xA\n\"{\\\"c\\\": 1}\"\nnull\nnull\nnull\nnull\nnull\nnull",
		},
		{"the whole of a text", "s TEXT", `(get_json_object s "$")`, "\" [1, 2] \"\n\"\\\"t\\\"\"\n5", "\"[1, 2]\"\nt\n5"},
		{"a path from a column", "s TEXT, p TEXT", `(get_json_object s p)`, "\"{\\\"a b\\\":1}\" \"$['a b']\"\n\"{\\\"x\\\":2}\" $.x\n\"{}\" x", "1\n2\nbad: get_json_object: want a path such as $.a.b[0], got \"x\""},
		{"json_array_length", "s TEXT", `(json_array_length s)`, "\"[1, [2], {}]\"\n\"[]\"\n\"{}\"\nx\nnull", "3\n0\nnull\nnull\nnull"},
		{"json_object_keys", "s TEXT", `(json_object_keys s)`, "\"{\\\"a\\\":1, \\\"b\\\\\\\"\\\":{\\\"c\\\":2}}\"\n\"{}\"\n\"[]\"\nnull", "[\"a\",\"b\\\"\"]\n[]\nnull\nnull"},
		{
			"from_json of fields", "s TEXT", `(from_json s "a BIGINT, b ARRAY<TEXT>, c TIMESTAMP")`,
			"\"{\\\"a\\\":1,\\\"b\\\":[\\\"x\\\",null]}\"\n\"{\\\"a\\\":\\\"1\\\",\\\"c\\\":\\\"2026-01-01 10:00:00\\\"}\"\n\"{\"\n\"[]\"\nnull\n\"\"",
			"{\"a\":1,\"b\":[\"x\",null],\"c\":null}\n{\"a\":null,\"b\":null,\"c\":\"2026-01-01T10:00:00Z\"}\n{\"a\":null,\"b\":null,\"c\":null}\nnull\nnull\nnull",
		},
		{"from_json of a map", "s TEXT", `(from_json s "MAP<TEXT,BIGINT>")`, "\"{\\\"a\\\":1,\\\"b\\\":1.5}\"\n\"{\"\nnull", "{\"a\":1,\"b\":null}\nnull\nnull"},
		{
			"to_json leaves NULL fields out", "s STRUCT<a:BIGINT,b:ARRAY<STRUCT<c:TEXT>>,m:MAP<TEXT,BIGINT>>", `(to_json s)`,
			"{\"a\":1,\"b\":[{\"c\":null},null],\"m\":{\"k\":null}}\n{\"a\":null,\"b\":null,\"m\":null}\nnull", "\"{\\\"a\\\":1,\\\"b\\\":[{},null],\\\"m\\\":{\\\"k\\\":null}}\"\n\"{}\"\nnull",
		},
	})
}
