package batch_test

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

func TestAppendDouble(t *testing.T) {
	for _, tt := range []struct {
		name string
		v    float64
		want string
	}{
		{name: "whole numbers have a decimal", v: 3, want: "3.0"},
		{name: "zero", v: 0, want: "0.0"},
		{name: "zero keeps its sign", v: math.Copysign(0, -1), want: "-0.0"},
		{name: "a tenth is short", v: 0.1, want: "0.1"},
		{name: "a sum that is not a tenth shows it", v: 0.1 + float64(0.2000000000000001), want: "0.3000000000000001"},
		{name: "a million is written out", v: 1e6, want: "1000000.0"},
		{name: "just below the exponent form", v: 123456789012345680000, want: "123456789012345680000.0"},
		{name: "1e21 has an exponent", v: 1e21, want: "1e+21"},
		{name: "small numbers are written out", v: 0.0001, want: "0.0001"},
		{name: "smaller numbers have an exponent", v: -0.00001, want: "-1e-05"},
		{name: "the largest", v: math.MaxFloat64, want: "1.7976931348623157e+308"},
		{name: "the smallest", v: math.SmallestNonzeroFloat64, want: "5e-324"},
		{name: "infinity", v: math.Inf(1), want: "Infinity"},
		{name: "minus infinity", v: math.Inf(-1), want: "-Infinity"},
		{name: "not a number", v: math.NaN(), want: "NaN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(batch.AppendDouble([]byte("1.e"), tt.v)); got != "1.e"+tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			buf := make([]byte, 0, 64)
			if allocs := testing.AllocsPerRun(10, func() { buf = batch.AppendDouble(buf[:0], tt.v) }); allocs != 0 {
				t.Errorf("%v allocations", allocs)
			}
		})
	}
}

func FuzzAppendDouble(f *testing.F) {
	for _, v := range []float64{0, 1, -1.5, 1e20, 1e21, 1e22, 1e-3, 9.99e-4, 1e-5, 123456.789, math.MaxFloat64, math.Pi * 1e10} {
		f.Add(math.Float64bits(v))
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		v := math.Float64frombits(bits)
		got := string(batch.AppendDouble(nil, v))
		back, err := strconv.ParseFloat(got, 64)
		if err != nil || math.Float64bits(back) != bits && v == v {
			t.Fatalf("%x is %q, which reads back as %x, %v", bits, got, math.Float64bits(back), err)
		}
		if v-v != 0 {
			return
		}
		// No text with fewer digits reads back equal.
		shortest, _, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
		digits, _, _ := strings.Cut(strings.TrimSuffix(got, ".0"), "e")
		onlyDigits := func(s string) string {
			s = strings.NewReplacer("-", "", ".", "").Replace(s)
			return strings.TrimRight(strings.TrimLeft(s, "0"), "0")
		}
		if onlyDigits(digits) != onlyDigits(shortest) {
			t.Fatalf("%x is %q, the shortest is %q", bits, digits, shortest)
		}
		if !json.Valid([]byte(got)) || !strings.ContainsAny(got, ".e") {
			t.Fatalf("%x is %q, which is not a JSON number that reads as a DOUBLE", bits, got)
		}
	})
}

func TestTimeText(t *testing.T) {
	for _, tt := range []struct {
		name string
		t    batch.Time
		want string
	}{
		{name: "the epoch", t: 0, want: "1970-01-01T00:00:00Z"},
		{name: "a microsecond before the epoch", t: -1, want: "1969-12-31T23:59:59.999999Z"},
		{name: "zeros at the end are dropped", t: 1_500_000, want: "1970-01-01T00:00:01.5Z"},
		{name: "the end of the year 9999", t: batch.TimeOf(time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)), want: "9999-12-31T23:59:59.999999Z"},
		{name: "the year 1", t: batch.TimeOf(time.Time{}), want: "0001-01-01T00:00:00Z"},
		{name: "before every row", t: batch.MinTime, want: "-inf"},
		{name: "after every row", t: batch.MaxTime, want: "+inf"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.t.String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if batch.TimeOf(tt.t.Go()) != tt.t {
				t.Errorf("reads back as %d, want %d", batch.TimeOf(tt.t.Go()), tt.t)
			}
		})
	}
	if got := batch.TimeOf(time.Unix(0, -1)); got != -1 {
		t.Errorf("a nanosecond before the epoch is %d, want -1: rounded down", got)
	}
	for _, v := range []batch.Time{batch.MinTime, batch.MinTime + 1, batch.MaxTime} {
		if got := string(batch.AppendTime(nil, v)); !strings.HasSuffix(got, "Z") {
			t.Errorf("%d is %s", int64(v), got)
		}
	}
}

func TestTimeSubStopsAtTheEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		t    batch.Time
		d    time.Duration
		want batch.Time
	}{
		{name: "a second earlier", t: 5_000_000, d: time.Second, want: 4_000_000},
		{name: "a second later", t: 5_000_000, d: -time.Second, want: 6_000_000},
		{name: "parts of a microsecond do not count", t: 5, d: 999 * time.Nanosecond, want: 5},
		{name: "nothing is before MinTime", t: batch.MinTime + 5, d: time.Second, want: batch.MinTime},
		{name: "nothing is after MaxTime", t: batch.MaxTime - 5, d: -time.Second, want: batch.MaxTime},
		{name: "MinTime stays", t: batch.MinTime, d: -time.Hour, want: batch.MinTime},
		{name: "MaxTime stays", t: batch.MaxTime, d: time.Hour, want: batch.MaxTime},
		{name: "the longest duration fits into time before the epoch", t: -1, d: math.MaxInt64, want: -1 - math.MaxInt64/1000},
		{name: "the longest negative duration", t: 0, d: math.MinInt64, want: -(math.MinInt64 / 1000)},
		{name: "just not below the end", t: batch.MinTime + 1_000_001, d: time.Second, want: batch.MinTime + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.t.Sub(tt.d); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestAppendJSONString(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{name: "plain text", in: "Grüße, 世界 🌊", want: `"Grüße, 世界 🌊"`},
		{name: "quotes and backslashes", in: `a"b\c`, want: `"a\"b\\c"`},
		{name: "control characters", in: "\n\r\t\x00\x1f\x7f", want: `"\n\r\t\u0000\u001f` + "\x7f\""},
		{name: "every byte that is not UTF-8 becomes U+FFFD", in: "a\xff\xc3b\xe4\xb8", want: "\"a\uFFFD\uFFFDb\uFFFD\uFFFD\""},
		{name: "U+FFFD itself stays", in: "\uFFFD", want: "\"\uFFFD\""},
		{name: "a surrogate is not UTF-8", in: "\xed\xa0\x80", want: "\"\uFFFD\uFFFD\uFFFD\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(batch.AppendJSONString(nil, tt.in)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzAppendJSONString(f *testing.F) {
	for _, s := range []string{"", "a\"b", "\x00\u2028", "\xff\xfe", "\xed\xa0\x80", "\\u0041", "🌊"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := batch.AppendJSONString(nil, s)
		var got string
		if err := json.Unmarshal(text, &got); err != nil || !utf8.Valid(text) {
			t.Fatalf("%q is %q: %v", s, text, err)
		}
		if want := string([]rune(s)); got != want { // a conversion to runes replaces each invalid byte, too
			t.Fatalf("%q reads back as %q, want %q", s, got, want)
		}
	})
}

func TestAppendJSON(t *testing.T) {
	pool := newPool(t)
	doubles := batch.NewColumn(pool, batch.Double)
	for _, v := range []float64{1, math.NaN(), math.Inf(-1)} {
		doubles.AppendFloat64(v)
	}
	for i, want := range []string{`1.0`, `"NaN"`, `"-Infinity"`} {
		if got := string(batch.AppendJSON(nil, doubles.Array(), i)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	doubles.Release()
	s := batch.NewColumn(pool, arrow.StructOf(arrow.Field{Name: `a "b"`, Type: batch.Timestamp}, arrow.Field{Name: "l", Type: batch.TextList}))
	s.Field(0).AppendInt64(-1)
	s.Field(1).Child().AppendString("x\xff")
	s.Field(1).Child().AppendNull()
	s.Field(1).AppendList()
	s.AppendStruct()
	s.AppendNull()
	const want = `{"a \"b\"":"1969-12-31T23:59:59.999999Z","l":["x` + "\uFFFD" + `",null]}`
	if got := string(batch.AppendJSON(nil, s.Array(), 0)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(batch.AppendValue(nil, s.Array(), 0)); got != want {
		t.Errorf("as a value: got %s, want %s", got, want)
	}
	if got := string(batch.AppendJSON(nil, s.Array(), 1)) + string(batch.AppendValue(nil, s.Array(), 1)); got != "null" {
		t.Errorf("NULL is %q as JSON and as a value together, want null and nothing", got)
	}
	s.Release()
}
