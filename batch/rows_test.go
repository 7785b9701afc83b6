package batch_test

import (
	"math"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// scalars is a schema with a column of every type that Parse reads.
var scalars = arrow.NewSchema([]arrow.Field{
	{Name: "ok", Type: batch.Boolean, Nullable: true},
	{Name: "n", Type: batch.BigInt, Nullable: true},
	{Name: "x", Type: batch.Double, Nullable: true},
	{Name: "word", Type: batch.Text, Nullable: true},
	{Name: "at", Type: batch.Timestamp, Nullable: true},
}, nil)

func TestParseReadsWhatFormatWrites(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     string // "" for in
	}{
		{name: "a row of every type", in: "true -5 2.5 word 2024-05-01T10:00:00Z\n"},
		{name: "NULLs", in: "null null null null null\n"},
		{name: "no rows", in: ""},
		{name: "empty lines and spaces do not count", in: "\n  \n  true  1 1.0  a 1970-01-01T00:00:00Z  \n\n", want: "true 1 1.0 a 1970-01-01T00:00:00Z\n"},
		{name: "quotes where they are needed", in: `false 0 0.0 "a b" 1969-12-31T23:59:59.999999Z` + "\n" +
			`false 0 -0.0 "null" 9999-12-31T00:00:00Z` + "\n" + `false 0 NaN "" 0000-01-01T00:00:00Z` + "\n" +
			`false 9223372036854775807 -Infinity "\n\"\xff\x00" 1970-01-01T00:00:00.1Z` + "\n"},
		{name: "quotes where they are not needed are dropped", in: `true 1 1 "a.b" 2024-05-01T12:00:00+02:00` + "\n", want: "true 1 1.0 a.b 2024-05-01T10:00:00Z\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := batch.Parse(newPool(t), scalars, tt.in)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Release()
			want := tt.want
			if want == "" {
				want = tt.in
			}
			if got := batch.Format(batch.Batch{Rows: f.Rows()}); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestParseNamesTheFault(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{name: "a value is missing", in: "true 1\n", want: "parse rows: line 1: column x: value missing"},
		{name: "a value too many", in: "\ntrue 1 1 a 2024-05-01T10:00:00Z more\n", want: `parse rows: line 2: more values than columns: "more"`},
		{name: "not a number", in: "true one", want: `parse rows: line 1: column n: strconv.ParseInt: parsing "one": invalid syntax`},
		{name: "not a double", in: "true 1 one", want: `parse rows: line 1: column x: strconv.ParseFloat: parsing "one": invalid syntax`},
		{name: "not a boolean", in: "yes", want: `parse rows: line 1: column ok: strconv.ParseBool: parsing "yes": invalid syntax`},
		{name: "quotes that do not end", in: `true 1 1 "a`, want: `parse rows: line 1: column word: bad quotes: "a`},
		{name: "a time out of range", in: `true 1 1 a 9999-12-31T23:00:00-05:00`, want: `parse rows: line 1: column at: time is outside the years 0 to 9999 in UTC: 9999-12-31T23:00:00-05:00`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := batch.Parse(newPool(t), scalars, tt.in)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	_, err := batch.Parse(newPool(t), arrow.NewSchema([]arrow.Field{{Name: "l", Type: batch.TextList}}, nil), `["a",{"b":1}] [`)
	if want := `parse rows: line 1: more values than columns: " ["`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("true 1 2.5 word 2024-05-01T10:00:00Z\nnull null null null null")
	f.Add(`false -1 NaN "a\tb" 0000-01-01T00:00:00Z`)
	f.Add(`0 +1 0x1p-2 'x' 2024-05-01T10:00:00.1234567+14:00`)
	f.Fuzz(func(t *testing.T, text string) {
		pool := newPool(t)
		frame, err := batch.Parse(pool, scalars, text)
		if err != nil {
			return
		}
		defer frame.Release()
		want := batch.Format(batch.Batch{Rows: frame.Rows()})
		again, err := batch.Parse(pool, scalars, want)
		if err != nil {
			t.Fatalf("%q does not read back: %v", want, err)
		}
		defer again.Release()
		if got := batch.Format(batch.Batch{Rows: again.Rows()}); got != want {
			t.Fatalf("%q reads back as %q", want, got)
		}
	})
}

func FuzzFormat(f *testing.F) {
	f.Add(true, int64(1), 2.5, "word", int64(0), uint8(0))
	f.Add(false, int64(math.MinInt64), math.Inf(1), "a b\n\"\xff", int64(-1), uint8(0b10101))
	f.Fuzz(func(t *testing.T, ok bool, n int64, x float64, word string, at int64, nulls uint8) {
		pool := newPool(t)
		frame := batch.NewFrame(pool, scalars)
		defer frame.Release()
		year10000 := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
		at %= year10000
		year0 := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
		at = max(at, year0)
		frame.Reset(2) // row 0 is not live
		for i := range 2 {
			frame.Columns[0].SetBool(i, ok)
			frame.Columns[1].Int64s()[i] = n
			frame.Columns[2].Float64s()[i] = x
			frame.Columns[3].SetString(i, word)
			frame.Columns[4].Int64s()[i] = at
			for k, c := range frame.Columns {
				if nulls>>k&1 != 0 {
					c.SetNull(i)
				}
			}
		}
		text := batch.Format(batch.Batch{Rows: frame.Rows(), Sel: []int32{1}})
		got, err := batch.Parse(pool, scalars, text)
		if err != nil || got.Len() != 1 {
			t.Fatalf("%q does not read back: %v", text, err)
		}
		defer got.Release()
		for k, c := range got.Columns {
			if c.IsNull(0) != (nulls>>k&1 != 0) {
				t.Fatalf("%q: column %d: IsNull is %v", text, k, c.IsNull(0))
			}
			want := string(batch.AppendJSON(nil, frame.Columns[k].Array(), 1))
			if text := string(batch.AppendJSON(nil, c.Array(), 0)); text != want {
				t.Fatalf("column %d: got %s, want %s", k, text, want)
			}
			if k == 3 && !c.IsNull(0) && string(batch.AppendValue(nil, c.Array(), 0)) != word {
				t.Fatalf("text %q reads back as %q", word, batch.AppendValue(nil, c.Array(), 0))
			}
		}
	})
}

func TestTypeName(t *testing.T) {
	for want, dtype := range map[string]arrow.DataType{
		"BOOLEAN": batch.Boolean, "BIGINT": batch.BigInt, "DOUBLE": batch.Double, "TEXT": batch.Text, "TIMESTAMP": batch.Timestamp,
		"NULL": arrow.Null, "ARRAY<TEXT>": batch.TextList, "int8": arrow.PrimitiveTypes.Int8,
		"ARRAY<STRUCT<a BIGINT, b TEXT>>": arrow.ListOf(arrow.StructOf(
			arrow.Field{Name: "a", Type: batch.BigInt},
			arrow.Field{Name: "b", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: batch.Text}})),
	} {
		if got := batch.TypeName(dtype); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestOriginFindsTheRowOfTheBlock(t *testing.T) {
	o := batch.Origin{Watermark: 5}
	if o.BlockRow(3) != 3 || o.RowWatermark(3) != 5 {
		t.Errorf("row %d, watermark %d without a map", o.BlockRow(3), o.RowWatermark(3))
	}
	o.Source, o.Watermarks = []int32{0, 0, 2}, []batch.Time{7, 8, 9}
	if o.BlockRow(2) != 2 || o.BlockRow(1) != 0 || o.RowWatermark(1) != 7 || o.RowWatermark(2) != 9 {
		t.Errorf("rows %d, %d, watermarks %d, %d", o.BlockRow(1), o.BlockRow(2), o.RowWatermark(1), o.RowWatermark(2))
	}
}

func TestBatchCountsLiveRows(t *testing.T) {
	f, err := batch.Parse(newPool(t), scalars, "null 1 null null null\nnull 2 null null null\n")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	for _, tt := range []struct {
		name string
		sel  []int32
		want int
	}{
		{name: "no selection is all rows", sel: nil, want: 2},
		{name: "an empty selection is none", sel: []int32{}, want: 0},
		{name: "one row", sel: []int32{1}, want: 1},
	} {
		b := batch.Batch{Rows: f.Rows(), Sel: tt.sel}
		if b.NumRows() != 2 || b.NumLive() != tt.want {
			t.Errorf("%s: %d rows, %d live, want %d", tt.name, b.NumRows(), b.NumLive(), tt.want)
		}
	}
}
