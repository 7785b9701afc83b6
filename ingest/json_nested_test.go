package ingest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNestedJSON(t *testing.T) {
	const point = `{"p":{"x":1,"y":2.5},"tags":["a","b"]}` + "\n"
	runDecodeCases(t, "JSON", []decodeCase{
		{
			name: "objects and arrays, many of the same shape", columns: "p STRUCT<x:BIGINT,y:DOUBLE>, tags ARRAY<TEXT>", in: strings.Repeat(point, 3),
			want: strings.Repeat(`{"x":1,"y":2.5} ["a","b"]`+"\n", 3),
		},
		{
			name: "NULL at every level", columns: "p STRUCT<x:BIGINT,y:ARRAY<STRUCT<z:TEXT>>>, n BIGINT",
			in:   `{"p":null,"n":1}` + "\n" + `{"n":2}` + "\n" + `{"p":{},"n":3}` + "\n" + `{"p":{"y":null},"n":4}` + "\n" + `{"p":{"y":[null,{},{"z":null},{"z":"t"}]},"n":5}` + "\n" + `{"p":{"y":[]},"n":6}` + "\n",
			want: "null 1\nnull 2\n{\"x\":null,\"y\":null} 3\n{\"x\":null,\"y\":null} 4\n{\"x\":null,\"y\":[null,{\"z\":null},{\"z\":null},{\"z\":\"t\"}]} 5\n{\"x\":null,\"y\":[]} 6\n",
		},
		{
			name: "of a key that repeats the last one counts, others are skipped", columns: "p STRUCT<a:BIGINT>, m MAP<TEXT,BIGINT>",
			in: `{"p":{"a":1,"b":[{}],"a":2},"m":{"k":1,"l":2,"k":3}}` + "\n", want: "{\"a\":2} {\"k\":3,\"l\":2}\n",
		},
		{
			name: "keys and texts with escapes and white space", columns: "m MAP<TEXT,ARRAY<TEXT>>", in: `{"m" : { "\u0061\n" : [ "\"", "\ud83d\ude00" , 1.50, {"x": 1} ] } }` + "\n",
			want: `{"a\n":["\"","😀","1.50","{\"x\": 1}"]}` + "\n",
		},
		{name: "a map with many keys", columns: "m MAP<TEXT,BIGINT>", in: `{"m":{` + manyKeys(40) + `,"k7":-1,"k39":-2}}` + "\n", want: "{" + strings.NewReplacer(`"k7":7`, `"k7":-1`, `"k39":39`, `"k39":-2`).Replace(manyKeys(40)) + "}\n"},
		{
			name: "numbers within their types", columns: "p STRUCT<t:TINYINT,f:FLOAT,d:DATE,at:TIMESTAMP,m:DECIMAL(5,2)>",
			in: `{"p":{"t":-128,"f":"NaN","d":"2026-02-01","at":"2026-02-01T00:00:00Z","m":1.25}}` + "\n", want: `{"t":-128,"f":"NaN","d":"2026-02-01","at":"2026-02-01T00:00:00Z","m":1.25}` + "\n",
		},
		{
			name: "what does not fit names the place", columns: "p STRUCT<x:BIGINT,y:ARRAY<DOUBLE>>, m MAP<TEXT,TINYINT>, n BIGINT",
			in:   `{"n":1,"p":{"x":"1"}}` + "\n" + `{"n":2}` + "\n" + `{"n":3,"p":{"y":[1,[]]}}` + "\n" + `{"n":4,"p":[1]}` + "\n" + `{"n":5,"p":"{}"}` + "\n" + `{"n":6,"m":{"k":1,"l":128}}` + "\n" + `{"n":7,"p":5}` + "\n" + `{"n":8}` + "\n",
			want: "null null 2\nnull null 8\n",
			bad: "1 0 p: column p.x: want BIGINT, got string \"1\"\n3 30 p: column p.y[1]: want DOUBLE, got an array\n4 55 p: column p: want STRUCT<x BIGINT, y ARRAY<DOUBLE>>, got an array\n" +
				"5 71 p: column p: want STRUCT<x BIGINT, y ARRAY<DOUBLE>>, got string \"{}\"\n6 88 m: column m[\"l\"]: 128 is out of range for TINYINT\n7 116 p: column p: want STRUCT<x BIGINT, y ARRAY<DOUBLE>>, got number 5\n",
		},
		{name: "what is not well formed within", columns: "p STRUCT<x:BIGINT>", in: `{"p":{"x":1]}` + "\n" + `{"p":{"x":2}}` + "\n", want: "{\"x\":2}\n", bad: "1 0 : invalid JSON at byte 11 of the record: want ',' or '}', got ']'\n"},
	})
}

func manyKeys(n int) string {
	var keys []string
	for i := range n {
		k, _ := json.Marshal(i)
		keys = append(keys, `"k`+string(k)+`":`+string(k))
	}
	return strings.Join(keys, ",")
}

// FuzzNestedJSON compares what is decoded with what encoding/json reads into Go's types, where the last of equal keys counts too.
func FuzzNestedJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,null],"b":"x","c":[{"d":[true]}]}`, `{"a":null}`, `{"c":[{},{"d":null},{"d":[]}]}`, `{"b":"\u00e9\"","a":[ ]}`, `{"c":{}}`, `{"a":[1e2]}`} {
		f.Add(s)
	}
	format := mustNewFormat(f, "JSON", nil)
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsAny(value, "\n\r") || !utf8.ValidString(value) || strings.Contains(value, `\u`) {
			t.Skip() // lone surrogates are U+FFFD there, and faults here
		}
		type inner struct {
			D *[]*bool `json:"d"`
		}
		var want struct {
			P *struct {
				A *[]*int64 `json:"a"`
				B *string   `json:"b"`
				C *[]*inner `json:"c"`
			} `json:"p"`
		}
		line := `{"p":` + value + `}`
		isFine := json.Valid([]byte(value)) && json.Unmarshal([]byte(line), &want) == nil && hasExactKeys(value)
		rows, bad := decodeOnce(t, format, "p STRUCT<a:ARRAY<BIGINT>,b:TEXT,c:ARRAY<STRUCT<d:ARRAY<BOOLEAN>>>>", line+"\n")
		if !isFine {
			return // whether a text is well formed is FuzzJSON's; TEXT takes any value here
		}
		var buf bytes.Buffer
		e := json.NewEncoder(&buf)
		e.SetEscapeHTML(false)
		if err := e.Encode(want.P); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(rows, "\n"); bad != "" || got != strings.TrimSuffix(buf.String(), "\n") {
			t.Errorf("%s: got %s (bad: %s), want %s", line, got, bad, buf.String())
		}
	})
}

// hasExactKeys says whether keys are those of the struct in the same case, each once: encoding/json takes others in any case, and
// merges objects of a key that repeats.
func hasExactKeys(value string) bool {
	decoder := json.NewDecoder(strings.NewReader(value))
	seen := map[string]int{}
	for {
		token, err := decoder.Token()
		if err != nil {
			return true
		}
		if s, isText := token.(string); isText {
			if seen[s]++; seen[s] > 1 || strings.ToLower(s) != s || strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || r < ' ' }) {
				return false
			}
		}
	}
}
