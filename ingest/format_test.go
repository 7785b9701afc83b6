package ingest_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

var oneTextColumn = arrow.NewSchema([]arrow.Field{{Name: "text", Type: batch.Text, Nullable: true}}, nil)

func TestNewFormat(t *testing.T) {
	for _, tt := range []struct {
		name    string
		format  string
		options map[string]string
		want    string // the format's name, or the error
	}{
		{name: "a format in capitals", format: "CSV", want: "CSV"},
		{name: "a format in other letters", format: "json", want: "JSON"},
		{name: "all options of CSV", format: "CSV", options: map[string]string{"header": "TRUE", "delimiter": "|", "null": "NULL"}, want: "CSV"},
		{name: "a slip in the name", format: "JSN", want: `format "JSN" is unknown: did you mean JSON? possible are TEXT, CSV, JSON, ARROW, AVRO, MSGPACK, REGEX`},
		{name: "an unknown name", format: "PARQUET", want: `format "PARQUET" is unknown: possible are TEXT, CSV, JSON, ARROW, AVRO, MSGPACK, REGEX`},
		{
			name: "a slip in an option", format: "CSV", options: map[string]string{"heade": "true"},
			want: `format CSV: option "heade" is unknown: did you mean header? possible are header, delimiter, null`,
		},
		{
			name: "an option where there are none", format: "TEXT", options: map[string]string{"header": "true"},
			want: `format TEXT: option "header" is unknown: it has no options`,
		},
		{
			name: "all faults at once", format: "CSV", options: map[string]string{"header": "maybe", "delimiter": "ab", "null": "a\"", "quote": "'"},
			want: "format CSV: option \"quote\" is unknown: possible are header, delimiter, null\n" +
				"format CSV: option header: want true or false, got \"maybe\"\n" +
				"format CSV: option delimiter: want one of the ASCII signs or \\t, but none of a quote, + - and ., got \"ab\"\n" +
				"format CSV: option null: want text without quote, delimiter and line end, got \"a\\\"\"",
		},
		{
			name: "a delimiter that may be part of a number", format: "CSV", options: map[string]string{"delimiter": "-"},
			want: "format CSV: option delimiter: want one of the ASCII signs or \\t, but none of a quote, + - and ., got \"-\"",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := ingest.NewFormat(tt.format, tt.options)
			var got string
			if err != nil {
				got = err.Error()
			} else {
				got = f.Name()
			}
			if got != tt.want {
				t.Fatalf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestFormatOptions(t *testing.T) {
	if got := ingest.FormatOptions("csv"); !slices.Equal(got, []string{"header", "delimiter", "null"}) {
		t.Fatal(got)
	}
	if got := ingest.FormatOptions("TEXT"); len(got) != 0 {
		t.Fatal(got)
	}
}

func TestDecoderRefusesColumns(t *testing.T) {
	for _, tt := range []struct {
		format string
		column arrow.DataType
		want   string
	}{
		{"CSV", batch.TextList, "format CSV: column tags: a field can't be ARRAY<TEXT>: declare it as TEXT, and take it apart with split or from_json"},
		{"JSON", arrow.MapOf(batch.BigInt, batch.Text), "format JSON: column tags: keys of a MAP in JSON are TEXT, got MAP<BIGINT, TEXT>"},
	} {
		_, err := mustNewFormat(t, tt.format, nil).NewDecoder(ingest.DecodeSpec{
			Declared: []arrow.Field{{Name: "tags", Type: tt.column}}, Mem: batch.NewPool(0),
		})
		want := tt.want
		if err == nil || err.Error() != want {
			t.Fatalf("got  %v\nwant %s", err, want)
		}
	}
}

func TestBadRowHasTheStartOfTheRecord(t *testing.T) {
	f := mustNewFormat(t, "JSON", nil)
	d := mustDecoder(t, f, ingest.DecodeSpec{Declared: parseColumns(t, "a BIGINT"), Mem: batch.NewPool(0)})
	defer d.Close()
	in := strings.Repeat("x", 1000) + "\r\n[]\r\n"
	block := &ingest.Block{From: ingest.Offset{Pos: 5000}, FirstLine: 40, NumRows: 2, Bytes: withSlack(in)}
	var raws []string
	_, err := d.Decode(t.Context(), block, func(r ingest.BadRow) {
		raws = append(raws, string(r.Raw))
		if i := int64(len(raws)) - 1; r.Line != 41+i || r.Offset != 5000+1002*i {
			t.Errorf("line %d, offset %d", r.Line, r.Offset)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{strings.Repeat("x", 256), "[]"}; !slices.Equal(raws, want) {
		t.Fatalf("got %q, want %q", raws, want)
	}
}

func TestDecodeAllocatesNothingPerRow(t *testing.T) {
	for _, tt := range []struct{ name, format, columns, record string }{
		{name: "lines", format: "TEXT", columns: "value TEXT", record: "some words in a line\n"},
		{name: "CSV", format: "CSV", columns: "a BIGINT, b TEXT, c DOUBLE, d TIMESTAMP", record: "1,\"x\"\"y\",2.5e3,2026-03-01\n\n,,,\n"},
		{name: "JSON", format: "JSON", columns: "a BIGINT, b TEXT, c DOUBLE", record: `{"a":1,"b":"x\ny","c":1e5}` + "\n\n" + `{"c":1,"d":[]}` + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := mustNewFormat(t, tt.format, nil)
			d := mustDecoder(t, f, ingest.DecodeSpec{Declared: parseColumns(t, tt.columns), Mem: batch.NewPool(0)})
			defer d.Close()
			block := cutBlocks(f, strings.Repeat(tt.record, 500), 1<<30, 1<<30)[0]
			ctx := t.Context()
			if n := testing.AllocsPerRun(10, func() {
				if _, err := d.Decode(ctx, block, nil); err != nil {
					t.Error(err)
				}
			}); n > 2 {
				t.Fatalf("%v allocations per block", n)
			}
		})
	}
}

// TestShapesDoNotMatterToRows decodes records of a few shapes, in random order, in one block and one by one.
func TestShapesDoNotMatterToRows(t *testing.T) {
	const seed = 20261122
	r := rand.New(rand.NewPCG(seed, 0))
	shapes := []string{
		`{"a":%a,"b":%b,"c":%c}`, `{"c":%c,"a":%a,"b":%b}`, `{"a":%a}`, `{}`, ` {"x":[%c],"b":%b , "c": %c}`, `{"b":%b,"b":%b}`, `{"a":%a,"b":%b,"c":%c`, ``, `{"aa":%a,"a":%a}`,
	}
	values := map[string][]string{
		"%a": {"1", "-20", "null", "123456789012", "1.5", `"x"`, "99999999999999999999"},
		"%b": {"1.5", "0", "null", "1e3", "123.4567890123456789", "tru", "-"},
		"%c": {`"text"`, `"longer text than a word"`, `""`, "null", `"esc\"ape"`, `"é"`, `5`, `"open`},
	}
	f := mustNewFormat(t, "JSON", nil)
	for range 200 {
		var in strings.Builder
		for range 1 + r.IntN(1+r.IntN(600)) { // some are longer than a run
			record := shapes[r.IntN(1+r.IntN(len(shapes)))]
			for key, forms := range values {
				for strings.Contains(record, key) {
					record = strings.Replace(record, key, forms[r.IntN(1+r.IntN(len(forms)))], 1)
				}
			}
			in.WriteString(record + "\n")
		}
		rows, bad := decodeOnce(t, f, "a BIGINT, b DOUBLE, c TEXT", in.String())
		var wantRows, wantBad string
		for _, b := range cutBlocks(f, in.String(), 1, 1) {
			d := mustDecoder(t, f, ingest.DecodeSpec{Declared: parseColumns(t, "a BIGINT, b DOUBLE, c TEXT"), Mem: batch.NewPool(0)})
			row, fault := decodeBlocks(t, d, []*ingest.Block{b})
			d.Close()
			wantRows, wantBad = wantRows+row, wantBad+fault
		}
		if rows != wantRows || bad != wantBad {
			t.Fatalf("seed %d: input:\n%srows:\n%s%swant:\n%s%s", seed, in.String(), rows, bad, wantRows, wantBad)
		}
	}
}
