package egress_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/egress"
)

func TestTextForms(t *testing.T) {
	all := schemaOf("i BIGINT", "d DOUBLE", "s TEXT", "b BOOLEAN", "ts TIMESTAMP")
	tests := []struct {
		name    string
		format  string
		options map[string]string
		schema  *arrow.Schema
		in      string
		want    string
	}{
		{
			name: "csv has no header unless asked", format: "csv", schema: all,
			in:   "-1 0.5 a true 2026-01-02T03:04:05.25Z\n",
			want: "-1,0.5,a,true,2026-01-02T03:04:05.25Z\n",
		},
		{
			name: "csv header with a name that needs quotes", format: "CSV", options: map[string]string{"header": "true"},
			schema: schemaOf("a,b TEXT", "c TEXT"), in: "x y\n", want: "\"a,b\",c\nx,y\n",
		},
		{
			name: "null is empty and empty is quoted in csv", format: "CSV", schema: all,
			in:   "null null null null null\n0 0 \"\" false 1970-01-01T00:00:00Z\n",
			want: ",,,,\n0,0.0,\"\",false,1970-01-01T00:00:00Z\n",
		},
		{
			name: "text that reads as the null text is quoted", format: "CSV", options: map[string]string{"null": `\N`},
			schema: schemaOf("a TEXT", "b TEXT"), in: `null "\\N"` + "\n", want: "\\N,\"\\N\"\n",
		},
		{
			name: "delimiters, quotes, line ends and outer spaces are quoted", format: "CSV", schema: schemaOf("a TEXT"),
			in:   `"a,b"` + "\n" + `"say \"hi\""` + "\n" + `"x\ny"` + "\n" + `"x\ry"` + "\n" + `" x"` + "\n" + `"x "` + "\n" + `"x y"` + "\n" + `"\""` + "\n",
			want: "\"a,b\"\n\"say \"\"hi\"\"\"\n\"x\ny\"\n\"x\ry\"\n\" x\"\n\"x \"\nx y\n\"\"\"\"\n",
		},
		{
			name: "a tab as delimiter", format: "CSV", options: map[string]string{"delimiter": `\t`},
			schema: schemaOf("a TEXT", "b TEXT"), in: `"a,b" "c\td"` + "\n", want: "a,b\t\"c\td\"\n",
		},
		{
			name: "a delimiter that stands in numbers quotes them", format: "CSV", options: map[string]string{"delimiter": "-"},
			schema: schemaOf("a BIGINT", "b TIMESTAMP"), in: "-5 2026-01-02T00:00:00Z\n", want: "\"-5\"-\"2026-01-02T00:00:00Z\"\n",
		},
		{
			name: "doubles are shortest and times have up to six decimals", format: "CSV", schema: schemaOf("d DOUBLE", "ts TIMESTAMP"),
			in:   "0.1 1969-12-31T23:59:59.999999Z\n1e300 0000-01-01T00:00:00Z\nNaN 9999-12-31T23:59:59.5Z\n-Inf 2000-02-29T12:00:00.000001Z\n",
			want: "0.1,1969-12-31T23:59:59.999999Z\n1e+300,0000-01-01T00:00:00Z\nNaN,9999-12-31T23:59:59.5Z\n-Infinity,2000-02-29T12:00:00.000001Z\n",
		},
		{
			name: "json omits nothing and writes null", format: "json", schema: all,
			in: "-1 0.5 a true 2026-01-02T03:04:05.25Z\nnull null null null null\n9 NaN \"q\\\"\\n\\x01é\" false 2026-01-02T03:04:05Z\n",
			want: `{"i":-1,"d":0.5,"s":"a","b":true,"ts":"2026-01-02T03:04:05.25Z"}` + "\n" +
				`{"i":null,"d":null,"s":null,"b":null,"ts":null}` + "\n" +
				`{"i":9,"d":"NaN","s":"q\"\n` + `\u0001é","b":false,"ts":"2026-01-02T03:04:05Z"}` + "\n",
		},
		{
			name: "text is lines as they are", format: "TEXT", schema: schemaOf("value TEXT"),
			in: "\"a,b\"\nnull\n\"\"\nc\n", want: "a,b\n\n\nc\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pool := newPool(t)
			var out bytes.Buffer
			s := mustOpen(t, "stdout:", tt.format, tt.options, egress.OpenSpec{Stdout: &out, Mem: pool, Schema: tt.schema})
			defer s.Close()
			must(t, s.Open(context.Background(), egress.Spec{Name: "out", Schema: tt.schema}, 0, nil))
			commitRows(t, s, pool, tt.schema, 1, tt.in)
			if got := out.String(); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// TestNestedAndDictionary covers the columns that batch.Parse does not make, and a selection over an offset.
func TestNestedAndDictionary(t *testing.T) {
	window := arrow.StructOf(arrow.Field{Name: "start", Type: batch.Timestamp}, arrow.Field{Name: "end", Type: batch.Timestamp})
	words := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: batch.Text}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "window", Type: window, Nullable: true}, {Name: "word", Type: words, Nullable: true}, {Name: "tags", Type: batch.TextList, Nullable: true},
	}, nil)
	const rows = `[
		{"window": {"start": "1970-01-01T00:00:00Z", "end": "1970-01-01T00:00:00Z"}, "word": "no", "tags": []},
		{"window": {"start": "2026-01-02T03:04:05Z", "end": "2026-01-02T03:04:10Z"}, "word": "a,b", "tags": ["x", "y"]},
		{"window": {"start": "1970-01-01T00:00:00Z", "end": "1970-01-01T00:00:00Z"}, "word": "no", "tags": []},
		{"window": null, "word": null, "tags": null}]`
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(rows))
	must(t, err)
	defer rec.Release()
	sliced := rec.NewSlice(1, 4)
	defer sliced.Release()
	tests := []struct{ name, format, want string }{
		{
			name: "csv has lists and structs as quoted json", format: "CSV",
			want: `"{""start"":""2026-01-02T03:04:05Z"",""end"":""2026-01-02T03:04:10Z""}","a,b","[""x"",""y""]"` + "\n,,\n",
		},
		{
			name: "json nests", format: "JSON",
			want: `{"window":{"start":"2026-01-02T03:04:05Z","end":"2026-01-02T03:04:10Z"},"word":"a,b","tags":["x","y"]}` + "\n" +
				`{"window":null,"word":null,"tags":null}` + "\n",
		},
		{
			name: "a table has a column per field", format: "TABLE",
			want: "window.start          window.end            word  tags\n" +
				"--------------------  --------------------  ----  ---------\n" +
				"2026-01-02T03:04:05Z  2026-01-02T03:04:10Z  a,b   [\"x\",\"y\"]\n" +
				"NULL                  NULL                  NULL  NULL\n\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := context.Background()
			var out bytes.Buffer
			s := mustOpen(t, "stdout:", tt.format, nil, egress.OpenSpec{Stdout: &out, Mem: newPool(t)})
			defer s.Close()
			must(t, s.Open(ctx, egress.Spec{Schema: schema}, 0, nil))
			must(t, s.Write(ctx, iv(1), batch.Batch{Rows: sliced, Sel: []int32{0, 2}}))
			_, err := s.Prepare(ctx, 1)
			must(t, err)
			must(t, s.Commit(ctx, 1, nil))
			if got := out.String(); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// encodeText prints one row of two TEXT columns.
func encodeText(t testing.TB, format, a, b string) string {
	pool := newPool(t)
	schema := schemaOf("a TEXT", "b TEXT")
	f := batch.NewFrame(pool, schema)
	defer f.Release()
	f.Columns[0].AppendString(a)
	f.Columns[1].AppendString(b)
	f.SetRows(1)
	var out bytes.Buffer
	s := mustOpen(t, "stdout:", format, nil, egress.OpenSpec{Stdout: &out, Mem: pool})
	defer s.Close()
	ctx := context.Background()
	must(t, s.Open(ctx, egress.Spec{Schema: schema}, 0, nil))
	must(t, s.Write(ctx, iv(1), rowsOf(f)))
	_, err := s.Prepare(ctx, 1)
	must(t, err)
	must(t, s.Commit(ctx, 1, nil))
	return out.String()
}

func FuzzCSVReadsBackEqual(f *testing.F) {
	for _, seed := range [][2]string{{"", ""}, {"a,b", `"`}, {"\n", "\r"}, {" x ", "é\x00"}, {`""`, ",,"}, {"\xff", "#"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		text := encodeText(t, "CSV", a, b)
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		must(t, err)
		// encoding/csv reads \r\n in quotes as \n.
		want := [2]string{strings.ReplaceAll(a, "\r\n", "\n"), strings.ReplaceAll(b, "\r\n", "\n")}
		if len(rows) != 1 || [2]string(rows[0]) != want {
			t.Errorf("%q, %q became %q, which reads as %q", a, b, text, rows)
		}
	})
}

func FuzzJSONReadsBackEqual(f *testing.F) {
	for _, seed := range [][2]string{{"", `"\`}, {"\n\r\t\x00", "\u2028é"}, {"\xff", "\xed\xa0\x80"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		text := encodeText(t, "JSON", a, b)
		var got struct{ A, B string }
		must(t, json.Unmarshal([]byte(text), &got))
		// Every byte that is not UTF-8 becomes U+FFFD, as in a conversion to runes.
		if got.A != string([]rune(a)) || got.B != string([]rune(b)) {
			t.Errorf("%q, %q became %q", a, b, text)
		}
	})
}

func TestWriteAllocatesNothingPerRow(t *testing.T) {
	for _, format := range []string{"CSV", "JSON", "TABLE"} {
		t.Run(format, func(t *testing.T) {
			pool := newPool(t)
			schema := schemaOf("i BIGINT", "d DOUBLE", "s TEXT", "b BOOLEAN", "ts TIMESTAMP")
			f := mustRows(t, pool, schema, strings.Repeat("-1 0.5 \"a,b\" true 2026-01-02T03:04:05.25Z\n", 1000))
			defer f.Release()
			var out bytes.Buffer
			s := mustOpen(t, "stdout:", format, nil, egress.OpenSpec{Stdout: &out, Mem: pool})
			defer s.Close()
			ctx := context.Background()
			must(t, s.Open(ctx, egress.Spec{Schema: schema}, 0, nil))
			commit := uint64(0)
			allocs := testing.AllocsPerRun(10, func() {
				commit++
				out.Reset()
				must(t, s.Write(ctx, iv(commit), rowsOf(f)))
				_, err := s.Prepare(ctx, commit)
				must(t, err)
				must(t, s.Commit(ctx, commit, nil))
			})
			if allocs > 20 {
				t.Errorf("%v allocations for a batch of 1000 rows, want at most 20", allocs)
			}
		})
	}
}
