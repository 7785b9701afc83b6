package batch_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

func TestParseType(t *testing.T) {
	for _, tt := range []struct {
		name string
		text string
		want string // as TypeName has it, or the fault
		at   int    // of the fault
	}{
		{name: "aliases of integers", text: "STRUCT<a BYTE, b short, c Integer, d LONG>", want: "STRUCT<a TINYINT, b SMALLINT, c INT, d BIGINT>"},
		{
			name: "aliases of others", text: "struct<a: real, b: string, c: varchar(10), d: char(3), e: timestamp_ltz>",
			want: "STRUCT<a FLOAT, b TEXT, c TEXT, d TEXT, e TIMESTAMP>",
		},
		{name: "decimal without arguments", text: "dec", want: "DECIMAL(10, 0)"},
		{name: "decimal with a precision", text: "NUMERIC ( 5 )", want: "DECIMAL(5, 0)"},
		{name: "decimal with a scale", text: "decimal(38,38)", want: "DECIMAL(38, 38)"},
		{name: "array in an array", text: "ARRAY<ARRAY<INT>>", want: "ARRAY<ARRAY<INT>>"},
		{name: "map of structs", text: "MAP<STRING, STRUCT<x DATE>>", want: "MAP<TEXT, STRUCT<x DATE>>"},
		{
			name: "intervals of one kind are one type", text: "STRUCT<a INTERVAL HOUR, b INTERVAL MINUTE TO SECOND, c INTERVAL YEAR>",
			want: "STRUCT<a INTERVAL DAY TO SECOND, b INTERVAL DAY TO SECOND, c INTERVAL YEAR TO MONTH>",
		},
		{name: "quoted names of fields", text: "STRUCT<`a b`: INT, `c``d` BINARY>", want: "STRUCT<`a b` INT, `c``d` BINARY>"},
		{name: "unknown name", text: "ARRAY<INTT>", want: `unknown type "INTT"`, at: 6},
		{name: "no element", text: "ARRAY", want: `type ARRAY: want <, got ""`, at: 5},
		{name: "no end", text: "MAP<INT, INT", want: `type MAP: want >, got ""`, at: 12},
		{name: "precision too large", text: "DECIMAL(39)", want: "type DECIMAL: precision must be 1 to 38: got 39"},
		{name: "no precision", text: "DECIMAL(0)", want: "type DECIMAL: precision must be 1 to 38: got 0"},
		{name: "scale too large", text: "DECIMAL(3, 4)", want: "type DECIMAL: scale must not be larger than the precision 3: got 4"},
		{name: "units of both kinds", text: "INTERVAL MONTH TO DAY", want: "type INTERVAL: want DAY TO SECOND or YEAR TO MONTH, got MONTH TO DAY", at: 9},
		{name: "no unit", text: "INTERVAL", want: `type INTERVAL: want DAY TO SECOND or YEAR TO MONTH, got ""`, at: 8},
		{name: "more behind", text: "INT INT", want: `want a type, got "INT" behind it`, at: 3},
		{name: "field without a name", text: "STRUCT<1 INT>", want: `type STRUCT: want a field's name, got "1 INT>"`, at: 7},
		{name: "name without an end", text: "STRUCT<`a INT>", want: "type STRUCT: a field's name has no ` at its end", at: 7},
		{name: "too deep", text: strings.Repeat("ARRAY<", 40), want: "types are nested too deep: more than 32 levels", at: 198},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := batch.ParseType(tt.text)
			if fault, ok := errors.AsType[*batch.TypeError](err); ok {
				if fault.Why != tt.want || fault.Offset != tt.at {
					t.Fatalf("want fault %q at %d, got %q at %d", tt.want, tt.at, fault.Why, fault.Offset)
				}
				return
			}
			if batch.TypeName(got) != tt.want {
				t.Fatalf("want %s, got %s", tt.want, batch.TypeName(got))
			}
			again, err := batch.ParseType(batch.TypeName(got))
			if err != nil || !arrow.TypeEqual(got, again) {
				t.Errorf("its own name reads as %v, %v", again, err)
			}
		})
	}
}

// edges has a row of values per type, which are edges of it, as Format shows them.
var edges = []struct {
	dtype  arrow.DataType
	values string
}{
	{batch.Boolean, "true false"},
	{batch.TinyInt, "-128 127 0"},
	{batch.SmallInt, "-32768 32767"},
	{batch.Int, "-2147483648 2147483647"},
	{batch.BigInt, "-9223372036854775808 9223372036854775807"},
	{batch.Float, "3.4028235e+38 1e-45 -0.0 NaN Infinity 0.1 1.6777216e+07"},
	{batch.Double, "1.7976931348623157e+308 5e-324 NaN -Infinity 0.1"},
	{batch.Decimal(38, 0), "99999999999999999999999999999999999999 -99999999999999999999999999999999999999 0"},
	{batch.Decimal(38, 38), "0.00000000000000000000000000000000000001 -0.99999999999999999999999999999999999999"},
	{batch.Decimal(5, 2), "999.99 -0.01 1.50"},
	{batch.Date, `-5877641-06-23 "+5881580-07-11" 0000-01-01 9999-12-31 2024-02-29 1970-01-01 -0001-12-31`},
	{batch.Timestamp, "0000-01-01T00:00:00Z 9999-12-31T23:59:59.999999Z"},
	{batch.DayTime, `"INTERVAL '-106751991 04:00:54.775808' DAY TO SECOND" "INTERVAL '106751991 04:00:54.775807' DAY TO SECOND" ` +
		`"INTERVAL '0 00:00:00' DAY TO SECOND" "INTERVAL '-0 00:00:00.05' DAY TO SECOND"`},
	{batch.YearMonth, `"INTERVAL '-178956970-8' YEAR TO MONTH" "INTERVAL '178956970-7' YEAR TO MONTH" "INTERVAL '-0-1' YEAR TO MONTH"`},
	{batch.Text, `"" "null" plain "\x00 ü"`},
	{batch.Binary, `"" "AP8=" "null"`},
}

func TestTextFormsReadBackEqual(t *testing.T) {
	for _, tt := range edges {
		t.Run(batch.TypeName(tt.dtype), func(t *testing.T) {
			pool := batch.NewPool(0)
			schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: tt.dtype, Nullable: true}}, nil)
			f, err := batch.Parse(pool, schema, rowsOf(tt.values)+"null\n")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Release()
			text := batch.Format(batch.Batch{Rows: f.Rows()})
			if tt.dtype == batch.Float {
				if want := strings.Replace(rowsOf(tt.values), "1.6777216e+07", "16777216.0", 1) + "null\n"; text != want {
					t.Errorf("want\n%sgot\n%s", want, text)
				}
			} else if want := rowsOf(tt.values) + "null\n"; text != want {
				t.Errorf("want\n%sgot\n%s", want, text)
			}
		})
	}
}

// rowsOf makes lines of values that blanks separate, outside of quotes.
func rowsOf(values string) string {
	var b strings.Builder
	isQuoted := false
	for _, r := range values {
		if r == '"' {
			isQuoted = !isQuoted
		}
		if r == ' ' && !isQuoted {
			r = '\n'
		}
		b.WriteRune(r)
	}
	return b.String() + "\n"
}

func TestColumnsMoveValuesOfEveryType(t *testing.T) {
	for _, tt := range edges {
		t.Run(batch.TypeName(tt.dtype), func(t *testing.T) {
			pool := batch.NewPool(0)
			schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: tt.dtype, Nullable: true}}, nil)
			f, err := batch.Parse(pool, schema, rowsOf(tt.values)+"null\n")
			if err != nil {
				t.Fatal(err)
			}
			all := batch.Format(batch.Batch{Rows: f.Rows()})
			n := f.Len()
			lines := strings.SplitAfter(all, "\n")

			moved := batch.NewFrame(pool, schema)
			moved.AppendBatch(batch.Batch{Rows: f.Rows(), Sel: []int32{int32(n - 1), 0}})
			moved.AppendBatch(batch.Batch{Rows: f.Rows()})
			moved.Columns[0].AppendFrom(f.Columns[0], []int32{0, int32(n - 1)})
			moved.Columns[0].AppendRow(f.Columns[0].Array(), 0)
			moved.SetRows(moved.Columns[0].Len())
			want := lines[n-1] + lines[0] + all + lines[0] + lines[n-1] + lines[0]
			if got := batch.Format(batch.Batch{Rows: moved.Rows()}); got != want {
				t.Errorf("want\n%sgot\n%s", want, got)
			}
			if got := moved.Columns[0].Array().DataType(); !arrow.TypeEqual(got, tt.dtype) {
				t.Errorf("type became %s", got)
			}

			rows := batch.Copy(pool, batch.Batch{Rows: f.Rows()})
			if got := batch.Format(batch.Batch{Rows: rows}); got != all || !rows.Schema().Equal(schema) {
				t.Errorf("copy has %s, want\n%sgot\n%s", rows.Schema(), all, got)
			}
			native := batch.Export(pool, batch.Batch{Rows: f.Rows()})
			if _, isOurs := native.Column(0).DataType().(*batch.Logical); isOurs || native.NumRows() != int64(n) || native.Column(0).NullN() != 1 {
				t.Errorf("exported rows are wrong: %v", native)
			}
			native.Release()
			rows.Release()
			moved.Release()
			f.Release()
			if pool.Used() != 0 {
				t.Errorf("%d bytes leaked", pool.Used())
			}
		})
	}
}

func TestStoredSchemaNamesTypes(t *testing.T) {
	deep, err := batch.ParseType("STRUCT<a DATE, b ARRAY<MAP<TINYINT, BINARY>>>")
	if err != nil {
		t.Fatal(err)
	}
	meta := arrow.NewMetadata([]string{"k"}, []string{"v"})
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "n", Type: batch.BigInt},
		{Name: "i", Type: batch.Int, Nullable: true, Metadata: meta},
		{Name: "d", Type: deep},
	}, &meta)
	stored := batch.StoredSchema(schema)
	if got := stored.Field(1).Type; got != batch.BigInt {
		t.Errorf("INT is stored as %s", got)
	}
	back, err := batch.LogicalSchema(stored)
	if err != nil || !back.Equal(schema) || !back.Metadata().Equal(meta) {
		t.Errorf("want %s\ngot %s, %v", schema, back, err)
	}
	bad := arrow.NewSchema([]arrow.Field{{Name: "x", Type: batch.Double, Metadata: stored.Field(1).Metadata}}, nil)
	if _, err := batch.LogicalSchema(bad); err == nil || err.Error() != "column x: INT is no type that is stored as float64" {
		t.Errorf("a column of another layout: %v", err)
	}
	plain := arrow.NewSchema([]arrow.Field{{Name: "n", Type: batch.BigInt}}, nil)
	if back, err := batch.LogicalSchema(plain); batch.StoredSchema(plain) != plain || back != plain || err != nil {
		t.Error("a schema of Arrow's types is copied")
	}
}

func TestDates(t *testing.T) {
	for day := int64(-800_000); day < 3_000_000; day += 97 {
		year, month, d := batch.CalendarOf(day)
		if back := batch.DayOf(year, month, d); back != day {
			t.Fatalf("day %d is %d-%d-%d, which is day %d", day, year, month, d, back)
		}
		if got := batch.Time(day * 86_400_000_000).Go(); int64(got.Year()) != year || int64(got.Month()) != month || int64(got.Day()) != d {
			t.Fatalf("day %d is %v, got %d-%d-%d", day, got, year, month, d)
		}
	}
	for _, tt := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"2026", 20454, true},
		{"2026-1", 20454, true},
		{"2026-01-02", 20455, true},
		{"2026-1-2 noon", 20455, true},
		{"2026-01-02T", 20455, true},
		{"+2026-01-01", 20454, true},
		{"2026-02-30", 0, false},
		{"2026-13-01", 0, false},
		{"2026-00-01", 0, false},
		{"26-01-01", 0, false},
		{"2026-01-02x", 0, false},
		{"2026/01/02", 0, false},
		{"", 0, false},
		{"9999999-01-01", 0, false},
		{"2026-", 0, false},
		{"2026-001-01", 0, false},
	} {
		got, ok := batch.ParseDate([]byte(tt.text))
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: want %d, %v, got %d, %v", tt.text, tt.want, tt.ok, got, ok)
		}
	}
}

func TestIntervalTexts(t *testing.T) {
	for _, tt := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"1 02:03:04.5", 93_784_500_000, true},
		{"-1 02:03:04.5", -93_784_500_000, true},
		{"interval -'1 0:0:0' day to second", -86_400_000_000, true},
		{"INTERVAL '-1 00:00:00' DAY TO SECOND", -86_400_000_000, true},
		{"1 24:00:00", 0, false},
		{"1 00:60:00", 0, false},
		{"1 00:00", 0, false},
		{"1", 0, false},
		{"", 0, false},
		{"INTERVAL '1 00:00:00'", 0, false},
		{"106751991 04:00:54.775808", 0, false},
		{"-106751991 04:00:54.775808", math.MinInt64, true},
		{"1 00:00:00.", 0, false},
		{"1 00:00:00.1234567891", 0, false},
		{"99999999999999999999 00:00:00", 0, false},
	} {
		got, ok := batch.ParseDayTime([]byte(tt.text))
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: want %d, %v, got %d, %v", tt.text, tt.want, tt.ok, got, ok)
		}
	}
	for _, tt := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"1-2", 14, true}, {"-1-2", -14, true}, {"INTERVAL '1-2' YEAR TO MONTH", 14, true}, {"1-12", 0, false}, {"1", 0, false}, {"178956970-8", 0, false},
	} {
		got, ok := batch.ParseYearMonth([]byte(tt.text))
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: want %d, %v, got %d, %v", tt.text, tt.want, tt.ok, got, ok)
		}
	}
}
