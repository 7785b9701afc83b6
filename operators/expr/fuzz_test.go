package expr_test

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// textEvaluator computes an expression over one text at a time.
type textEvaluator struct {
	pool *batch.Pool
	f    *batch.Frame
	x    expr.Expr
}

func newTextEvaluator(spec, columns string) *textEvaluator {
	e := &textEvaluator{pool: batch.NewPool(0)}
	e.f = batch.NewFrame(e.pool, mustSchema(columns))
	var err error
	if e.x, err = expr.New(e.pool, mustSpec(e.f.Schema(), spec)); err != nil {
		panic(err)
	}
	return e
}

// eval returns the result, and whether the row is good.
func (e *textEvaluator) eval(t *testing.T, texts ...string) (arrow.Array, bool) {
	e.f.Reset(0)
	for i, s := range texts {
		e.f.Columns[i].AppendString(s)
	}
	e.f.SetRows(1)
	ok := true
	arr, err := e.x.Eval(context.Background(), batch.Batch{Rows: e.f.Rows()}, func(int32, string) { ok = false })
	if err != nil {
		t.Fatal(err)
	}
	return arr, ok
}

// trimmed is text without what casts cut off.
func trimmed(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7F })
}

func FuzzCastTextToBigInt(f *testing.F) {
	for _, s := range []string{"", "0", "-1", "+7", " 12 ", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "000000000000000000000001", "1.5", "1_0", "0x1", "--1", "99999999999999999999"} {
		f.Add(s)
	}
	e := newTextEvaluator("(cast BIGINT s)", "s TEXT")
	f.Fuzz(func(t *testing.T, text string) {
		arr, ok := e.eval(t, text)
		want, err := strconv.ParseInt(trimmed(text), 10, 64)
		if ok != (err == nil) || ok && arr.(*array.Int64).Value(0) != want {
			t.Errorf("%q: got %v (ok: %v), want %v, %v", text, arr.(*array.Int64).Value(0), ok, want, err)
		}
	})
}

func FuzzCastTextToDouble(f *testing.F) {
	for _, s := range []string{"", "0", "-0", "1.5e3", " .5 ", "5.", "inf", "-Infinity", "NaN", "+nan", "1e999", "-1e999", "1e-999", "0x1p3", "1_0", "1e", "infinit"} {
		f.Add(s)
	}
	e := newTextEvaluator("(cast DOUBLE s)", "s TEXT")
	f.Fuzz(func(t *testing.T, text string) {
		arr, ok := e.eval(t, text)
		s := trimmed(text)
		want, err := strconv.ParseFloat(s, 64)
		wantOK := err == nil || errors.Is(err, strconv.ErrRange)
		if n := len(s) - 1; n > 0 && strings.ContainsAny(s[n:], "dDfF") && strings.ContainsAny(s[n-1:n], "0123456789.") && !strings.ContainsAny(s, "xX") {
			want, err = strconv.ParseFloat(s[:n], 64) // a suffix of Java
			wantOK = err == nil || errors.Is(err, strconv.ErrRange)
		}
		if strings.Contains(s, "_") {
			wantOK = false // underscores are Go's, not SQL's
		}
		got := arr.(*array.Float64).Value(0)
		if ok != wantOK || ok && got != want && (got == got || want == want) {
			t.Errorf("%q: got %v (ok: %v), want %v, %v", text, got, ok, want, err)
		}
	})
}

// offset is one of 18 hours and some minutes, or more.
var offset = regexp.MustCompile(`[+-](18:(0[1-9]|[1-5])|19|2\d)[:\d]*$`)

func FuzzCastTextToTimestamp(f *testing.F) {
	for _, s := range []string{
		"2026-01-31", "2026-01-31T12:30:00Z", "2026-01-31 12:30:00.123456", "2024-02-29T23:59:59.999999999+05:30", "2026-02-30", "0000-01-01",
		"9999-12-31T23:59:59Z", "2026-01-31T12:30", "2026-01-31T12:30:60Z", "1582-10-10 00:00:00-23:59", "2026-13-01", "2026-01-31T12:30:00+24:00",
	} {
		f.Add(s)
	}
	e := newTextEvaluator("(cast TIMESTAMP s)", "s TEXT")
	forms := []string{
		time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999",
		"2006-01-02",
	}
	f.Fuzz(func(t *testing.T, text string) {
		arr, ok := e.eval(t, text)
		s := trimmed(text)
		var want time.Time
		err := errors.New("no form fits")
		for _, form := range forms {
			if want, err = time.Parse(form, s); err == nil {
				break
			}
		}
		if err != nil {
			return // there are more forms, which cases of internal/spark have
		}
		if strings.ContainsRune(s, ',') || strings.Contains(s, "+24:") || strings.Contains(s, "-24:") || len(s) > 22 && offset.MatchString(s) || strings.HasSuffix(s, ":60") {
			return // time.Parse takes decimals behind a comma and a zone of 24 hours
		}
		got := arr.(*array.Timestamp).Value(0)
		if ok != (err == nil) || ok && int64(got) != want.UnixMicro() {
			t.Errorf("%q: got %v (ok: %v), want %v, %v", text, got, ok, want, err)
		}
	})
}

func FuzzLikeAgainstRegexp(f *testing.F) {
	for _, s := range [][2]string{{"abc", "a%"}, {"abc", "%b_"}, {"aab", "%a_b%"}, {"a%b", `a\%b`}, {"äöü", "_ö%"}, {"", "%"}, {"abab", "ab%ab"}, {"xayaz", "%a%a%"}} {
		f.Add(s[0], s[1])
	}
	e := newTextEvaluator("(like s p)", "s TEXT, p TEXT")
	f.Fuzz(func(t *testing.T, text, pattern string) {
		if !utf8.ValidString(text) || !utf8.ValidString(pattern) {
			return
		}
		want := "(?s)^"
		isValid := true
		for rest := []rune(pattern); len(rest) > 0; rest = rest[1:] {
			switch r := rest[0]; r {
			case '%':
				want += ".*"
			case '_':
				want += "."
			case '\\':
				if rest = rest[1:]; len(rest) == 0 || !strings.ContainsRune(`%_\`, rest[0]) {
					isValid = false
					rest = []rune{0}
					break
				}
				want += regexp.QuoteMeta(string(rest[0]))
			default:
				want += regexp.QuoteMeta(string(r))
			}
		}
		arr, ok := e.eval(t, text, pattern)
		if ok != isValid {
			t.Fatalf("%q like %q: ok: %v", text, pattern, ok)
		}
		if isValid && arr.(*array.Boolean).Value(0) != regexp.MustCompile(want+"$").MatchString(text) {
			t.Errorf("%q like %q: got %v", text, pattern, arr.(*array.Boolean).Value(0))
		}
	})
}

func FuzzSplitAgainstRegexp(f *testing.F) {
	for _, s := range [][2]string{{"a b", " "}, {"a,;b", "[,;]"}, {"a  b ", `\s+`}, {"aäb", `\W`}, {"aab", "a+"}, {"a.b", `\.`}, {"xyz", "y|z"}, {"é-é", "[^é]+"}} {
		f.Add(s[0], s[1])
	}
	e := newTextEvaluator("(split s p)", "s TEXT, p TEXT")
	f.Fuzz(func(t *testing.T, text, pattern string) {
		if !utf8.ValidString(text) || !utf8.ValidString(pattern) || len(pattern) > 50 {
			return
		}
		re, err := regexp.Compile(pattern)
		arr, ok := e.eval(t, text, pattern)
		if ok != (err == nil) {
			t.Fatalf("%q: ok: %v, %v", pattern, ok, err)
		}
		if !ok || re.MatchString("") {
			return // places without width go by rules of their own
		}
		list := arr.(*array.List)
		from, to := list.ValueOffsets(0)
		var got []string
		for j := from; j < to; j++ {
			got = append(got, list.ListValues().(*array.String).Value(int(j)))
		}
		// A match without width may also come from \b and the like: these are left out above or agree.
		if want := re.Split(text, -1); strings.Join(got, "\x00") != strings.Join(want, "\x00") && !strings.ContainsAny(pattern, `^$\b`) {
			t.Errorf("split(%q, %q): got %q, want %q", text, pattern, got, want)
		}
	})
}
