package ingest_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

func TestCSV(t *testing.T) {
	const all = "i BIGINT, d DOUBLE, b BOOLEAN, s TEXT, t TIMESTAMP"
	header := map[string]string{"header": "true"}
	runDecodeCases(t, "CSV", []decodeCase{
		{name: "a value of every type", columns: all, in: "1,2.5,true,abc,2026-03-01T10:00:00Z\n", want: "1 2.5 true abc 2026-03-01T10:00:00Z\n"},
		{
			name: "quoted values of every type", columns: all, in: `"1","2.5","FALSE","abc","2026-03-01 10:00:00.5"` + "\n",
			want: "1 2.5 false abc 2026-03-01T10:00:00.5Z\n",
		},
		{name: "empty fields are NULL", columns: all, in: ",,,,\n", want: "null null null null null\n"},
		{name: "an empty field in quotes is the empty text", columns: "a TEXT, b TEXT", in: "\"\",\n,\"\"\n", want: "\"\" null\nnull \"\"\n"},
		{name: "empty quotes are no number", columns: "a BIGINT", in: "\"\"\n", bad: "1 0 a: column a: \"\" is not a BIGINT\n"},
		{
			name: "the option null replaces the empty field", options: map[string]string{"null": `\N`}, columns: "a TEXT, b BIGINT",
			in: "\\N,\\N\n,1\n\"\\N\",2\n", want: "null null\n\"\" 1\n\"\\\\N\" 2\n",
		},
		{
			name: "an empty field is no number when null has a text", options: map[string]string{"null": `\N`}, columns: "a TEXT, b BIGINT",
			in: "x,\n", bad: "1 0 b: column b: \"\" is not a BIGINT\n",
		},
		{name: "null may be a number", options: map[string]string{"null": "-1"}, columns: "a BIGINT, b DOUBLE", in: "-1,-1\n1,\"-1\"\n", want: "null null\n1 -1.0\n"},
		{
			name: "quotes hold delimiters, line ends and doubled quotes", columns: "a TEXT, b BIGINT", in: "\"x,\"\"y\"\"\nz\",1\n\"\"\"\",2\n",
			want: "\"x,\\\"y\\\"\\nz\" 1\n\"\\\"\" 2\n",
		},
		{name: "lines end in carriage return and newline", columns: "a BIGINT, b TEXT", in: "1,x\r\n2,\"y\"\r\n3,\r\n", want: "1 x\n2 y\n3 null\n"},
		{name: "a carriage return elsewhere is text", columns: "a TEXT, b TEXT", in: "a\rb,c\rd\n", want: "\"a\\rb\" \"c\\rd\"\n"},
		{name: "blank lines are no rows", columns: "a TEXT", in: "\na\n\r\n\nb\n\n", want: "a\nb\n"},
		{name: "the last record needs no line end", columns: "a BIGINT, b TEXT", in: "1,x\n2,y", want: "1 x\n2 y\n"},
		{name: "an empty last field without line end", columns: "a BIGINT, b TEXT", in: "1,x\n2,", want: "1 x\n2 null\n"},
		{name: "control characters and others are text", columns: "a TEXT, b TEXT", in: "a\tb\x00c,é\\ñ\n", want: "\"a\\tb\\x00c\" \"é\\\\ñ\"\n"},
		{name: "another delimiter", options: map[string]string{"delimiter": ";"}, columns: "a TEXT, b BIGINT", in: "x,y;1\n\"a;b\";2\n", want: "\"x,y\" 1\n\"a;b\" 2\n"},
		{name: "a tab as delimiter", options: map[string]string{"delimiter": `\t`}, columns: "a TEXT, b BIGINT", in: "x\t1\n", want: "x 1\n"},
		{name: "only used columns are converted", columns: "a BIGINT, b BIGINT, c TEXT", used: []int{2}, in: "x,y,z\n", want: "z\n"},
		{name: "used columns in another order", columns: "a BIGINT, b BIGINT, c TEXT", used: []int{2, 0}, in: "1,2,z\n", want: "z 1\n"},
		{
			name: "no used column", columns: "a BIGINT, b BIGINT", used: []int{}, in: "1,2\n3\n\n5,6\n", want: "\n\n",
			bad: "2 4 b: column b missing: 1 of 2 columns\n",
		},
		{
			name: "too few columns", columns: "a BIGINT, b TEXT, price DOUBLE", in: "1,x,2\n1,x\n1\n", want: "1 x 2.0\n",
			bad: "2 6 price: column price missing: 2 of 3 columns\n3 10 b: column b missing: 1 of 3 columns\n",
		},
		{
			name: "too many columns", columns: "a BIGINT, b TEXT", in: "1,x,2\n2,y,\n3,z\n", want: "3 z\n",
			bad: "1 0 : too many columns: 3 of 2\n2 6 : too many columns: 3 of 2\n",
		},
		{
			name: "values that do not fit their type", columns: all,
			in: "1.0,,,,\n,12a,,,\n,,yes,,\n,,,,2026-02-30\n99999999999999999999,,,,\n,1e999,,,\n 1,,,,\n",
			bad: "1 0 i: column i: \"1.0\" is not a BIGINT\n2 8 d: column d: \"12a\" is not a DOUBLE\n3 16 b: column b: \"yes\" is not a BOOLEAN\n" +
				"4 24 t: column t: \"2026-02-30\" is not a TIMESTAMP\n5 39 i: column i: \"99999999999999999999\" is out of range for BIGINT\n" +
				"6 64 d: column d: \"1e999\" is out of range for DOUBLE\n7 74 i: column i: \" 1\" is not a BIGINT\n",
		},
		{
			name: "numbers at their bounds", columns: "i BIGINT, d DOUBLE",
			in:   "9223372036854775807,NaN\n-9223372036854775808,-Infinity\n+007,1.7976931348623157e308\n0,5e-324\n-0,.5\n",
			want: "9223372036854775807 NaN\n-9223372036854775808 -Infinity\n7 1.7976931348623157e+308\n0 5e-324\n0 0.5\n",
		},
		{
			name: "a quote in the midst of a field spoils one record only", columns: "a TEXT, b TEXT", in: "5\" pipe,x\ny,z\n", want: "y z\n",
			bad: "1 0 a: column a: a quote in a field that does not begin with one\n",
		},
		{
			name: "text behind the closing quote", columns: "a TEXT, b TEXT", in: "\"a\"b,x\nx,\"a\" \ny,z\n", want: "y z\n",
			bad: "1 0 a: column a: text behind the closing quote\n2 7 b: column b: text behind the closing quote\n",
		},
		{
			name: "quotes that do not close take in all that follows", columns: "a TEXT, b TEXT", in: "y,z\n\"a,b\nc,d\n", want: "y z\n",
			bad: "2 4 : a quoted field does not end\n",
		},
		{
			name: "line ends in quotes count as lines", columns: "a TEXT, b BIGINT", in: "\"1\n2\n3\",1\nx,y\n\"\n\n\",2\nx,z\n", want: "\"1\\n2\\n3\" 1\n\"\\n\\n\" 2\n",
			bad: "4 10 b: column b: \"y\" is not a BIGINT\n8 21 b: column b: \"z\" is not a BIGINT\n",
		},
		{
			name: "invalid UTF-8 in a column that is not used", columns: "a TEXT, b TEXT", used: []int{0}, in: "a,b\nc,\xff\n\"\"\"é\",f\n", want: "a\n\"\\\"é\"\n",
			bad: "2 4 : invalid UTF-8 at byte 2 of the record\n",
		},
		{name: "columns are found by the header", options: header, columns: "b BIGINT, a TEXT", in: "a,x,b\none,?,1\ntwo,?,2\n", want: "1 one\n2 two\n"},
		{name: "the header may write names in another case", options: header, columns: "id BIGINT, Name TEXT", in: "NAME,name,Id\na,b,1\n", want: "1 a\n"},
		{name: "an exact name goes before one in another case", options: header, columns: "name TEXT", in: "NAME,name\na,b\n", want: "b\n"},
		{
			name: "a column that the header lacks is NULL", options: header, columns: "a TEXT, b TEXT", in: "a,c\nx,y\n\"z\",w\n", want: "x null\nz null\n",
			bad: "1 0 b: the header lacks column b, which is NULL in all rows: it has a, c\n",
		},
		{name: "an unused column that the header lacks is nobody's business", options: header, columns: "a TEXT, b TEXT", used: []int{0}, in: "a\nx\n", want: "x\n"},
		{
			name: "records have as many fields as the header", options: header, columns: "a TEXT", in: "a,b\nx\ny,z\n", want: "y\n",
			bad: "2 4 b: column b missing: 1 of 2 columns\n",
		},
		{name: "a header in quotes, with line ends of two bytes", options: header, columns: "a TEXT, b TEXT", in: "\"b\",\"a\"\r\nx,y\r\n", want: "y x\n"},
		{name: "a header alone is no row", options: header, columns: "a TEXT", in: "a\n", want: ""},
	})
}

func TestCSVInfersColumns(t *testing.T) {
	header := map[string]string{"header": "true"}
	for _, tt := range []struct {
		name    string
		options map[string]string
		in      string
		want    string
	}{
		{name: "types from narrow to wide", in: "1,1,2026-01-01,true,a\n2,1.5,2026-01-01 10:00:00,FALSE,\n", want: "c0 BIGINT, c1 DOUBLE, c2 TIMESTAMP, c3 BOOLEAN, c4 TEXT"},
		{name: "mixed types are TEXT", in: "1,true,2026-01-01\nx,1,1\n", want: "c0 TEXT, c1 TEXT, c2 TEXT"},
		{name: "an integer too large is a DOUBLE", in: "1\n99999999999999999999\n", want: "c0 DOUBLE"},
		{name: "names come from the header", options: header, in: "id,\"the name\",\n1,x,y\n", want: "id BIGINT, the name TEXT, c2 TEXT"},
		{name: "a column without values is TEXT", options: header, in: "a,b\n1,\n2,\n", want: "a BIGINT, b TEXT"},
		{name: "NULLs do not widen", in: ",1\n1,\n\n", want: "c0 BIGINT, c1 BIGINT"},
		{name: "bad records do not count", in: "1,2\n1\nx,\"\n", want: "c0 BIGINT, c1 BIGINT"},
		{name: "a header only", options: header, in: "a,b\n", want: "format CSV: no rows to infer columns from: give a column list"},
		{name: "nothing", in: "", want: "format CSV: no rows to infer columns from: give a column list"},
		{name: "a name twice", options: header, in: "a,a\n1,2\n", want: "format CSV: the header has column a twice: give a column list"},
		{name: "a thousand records are enough", in: strings.Repeat("1\n", 1000) + "x\n", want: "c0 BIGINT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := inferred(mustNewFormat(t, "CSV", tt.options), tt.in); got != tt.want {
				t.Fatalf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// inferred returns the columns as in DDL, or the error.
func inferred(f ingest.Format, in string) string {
	fields, err := f.Infer([]byte(in))
	if err != nil {
		return err.Error()
	}
	var columns []string
	for _, c := range fields {
		columns = append(columns, c.Name+" "+batch.TypeName(c.Type))
	}
	return strings.Join(columns, ", ")
}

// TestRunsDoNotMatterToRows decodes records, some of them bad, in one block and one by one.
func TestRunsDoNotMatterToRows(t *testing.T) {
	const seed = 20261122
	r := rand.New(rand.NewPCG(seed, 0))
	forms := [][]string{
		{"1", "-20", "1234567890123", "", `"7"`, "-9223372036854775808", "+5", "12345678901234567", "1.5", `"1""2"`},
		{"2026-03-01T10:11:12.123Z", "2026-03-02T23:59:59Z", "2026-03-01 10:11:12", "", `"2026-03-01"`, "2026-03-01T10:11:12.123456789+01:00", "2026-02-30T10:11:12Z"},
		{"key-1", "", `""`, `"a,b"`, `"a""b"`, "a key of more than thirty-two bytes, which is cut in two", strings.Repeat("long", 40), "é", `a"b`},
		{"12.5", "-0.25", "1234567.5", "100", "", "1e3", "-", ".5", "123.4567890123456789"},
	}
	for _, options := range []map[string]string{nil, {"null": "-20"}, {"delimiter": ";"}} {
		f := mustNewFormat(t, "CSV", options)
		const columns = "a BIGINT, b TIMESTAMP, c TEXT, d DOUBLE"
		for range 50 {
			var in strings.Builder
			for range 1 + r.IntN(1+r.IntN(600)) {
				fields := make([]string, len(forms))
				for i, of := range forms {
					fields[i] = of[r.IntN(1+r.IntN(1+r.IntN(len(of))))]
				}
				delimiter := ","
				if options["delimiter"] != "" {
					delimiter = options["delimiter"]
				}
				in.WriteString(strings.Join(fields[r.IntN(1+r.IntN(40)/39):], delimiter) + []string{"\n", "\r\n"}[r.IntN(2)])
			}
			rows, bad := decodeOnce(t, f, columns, in.String())
			var wantRows, wantBad string
			for _, b := range cutBlocks(f, in.String(), 1, 1) {
				d := mustDecoder(t, f, ingest.DecodeSpec{Declared: parseColumns(t, columns), Mem: batch.NewPool(0)})
				row, fault := decodeBlocks(t, d, []*ingest.Block{b})
				d.Close()
				wantRows, wantBad = wantRows+row, wantBad+fault
			}
			if rows != wantRows || bad != wantBad {
				t.Fatalf("seed %d: input:\n%srows:\n%s%swant:\n%s%s", seed, in.String(), rows, bad, wantRows, wantBad)
			}
		}
	}
}

// TestFramerTakesQuotesInWords compares what is framed 64 bytes at a time with what is framed byte by byte.
func TestFramerTakesQuotesInWords(t *testing.T) {
	const seed = 20261122
	r := rand.New(rand.NewPCG(seed, 0))
	f := mustNewFormat(t, "CSV", nil)
	pieces := []string{"a", `"b"`, ",", "\n", `"x,y"`, "\"1\n2\"", `""`, `"a""b"`, "0123456789", "\r\n", `5"`, `"`, `"a"b`}
	for range 300 {
		var in strings.Builder
		kinds := 10 + r.IntN(1+r.IntN(4)) // the last ones leave fields open
		joined := r.IntN(2) * r.IntN(100) // of a hundred fields, how many go on behind their quotes
		for range r.IntN(3000) {
			in.WriteString(pieces[r.IntN(kinds)])
			if r.IntN(100) >= joined {
				in.WriteString(",")
			}
		}
		rest := in.String()
		words, single := f.NewFramer(), f.NewFramer()
		for len(rest) > 0 {
			n := min(1+r.IntN(6000), len(rest))
			end, records, lines := words.Frame([]byte(rest[:n]))
			var wantEnd int
			var wantRecords, wantLines int64
			for i := range n {
				if e, more, moreLines := single.Frame([]byte(rest[i : i+1])); e > 0 {
					wantEnd, wantRecords, wantLines = i+1, wantRecords+more, wantLines+moreLines
				}
			}
			if end != wantEnd || records != wantRecords || lines != wantLines {
				t.Fatalf("seed %d: %q: got %d %d %d, want %d %d %d", seed, rest[:n], end, records, lines, wantEnd, wantRecords, wantLines)
			}
			rest = rest[n:]
		}
	}
}
