package expr_test

import (
	"context"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// sixteen and seventeen are constants at the limit up to which a text is compared as two words; long reaches farther
// than the bytes that can be read behind a run.
const (
	sixteen   = "abcabcabcabcabca"
	seventeen = sixteen + "b"
)

var long = strings.Repeat("ab c", 40)

// textKernels are the expressions over a column s that look at the rows of a run together, and what they give for one row.
var textKernels = []struct {
	spec string
	want func(s string) string
}{
	{`(split s " ")`, splitAt(" ")},
	{`(split s ", ")`, splitAt(", ")},
	{`(split s "aa")`, splitAt("aa")},
	{`(split s "aba")`, splitAt("aba")},
	{`(split s ` + strconv.Quote(long) + `)`, splitAt(long)},
	{`(split s "ä")`, splitAt("ä")},
	{`(split s "[ ,]")`, splitAt("[ ,]")},
	{`(split s "[^a-z]")`, splitAt("[^a-z]")},
	{`(split s "[^a-z]+")`, splitAt("[^a-z]+")},
	{`(split s "[a ]+")`, splitAt("[a ]+")},
	{`(contains s "b")`, has("b")},
	{`(contains s "ab")`, has("ab")},
	{`(contains s "a, b")`, has("a, b")},
	{`(contains s "")`, has("")},
	{`(contains s ` + strconv.Quote(long) + `)`, has(long)},
	{`(like s "%ab%")`, fits("ab")},
	{`(like s "%ab")`, fits("ab$")},
	{`(like s "%ab%ca%")`, fits("ab.*ca")},
	{`(like s "%bc_a%b")`, fits("bc.a.*b$")},
	{`(like s "%_")`, fits(".$")},
	{`(like s "ab%c%")`, fits("^ab.*c")},
	{`(startswith s "ab")`, fits("^ab")},
	{`(startswith s "")`, fits("")},
	{`(startswith s "` + sixteen + `")`, fits("^" + sixteen)},
	{`(startswith s "` + seventeen + `")`, fits("^" + seventeen)},
	{`(endswith s "ab")`, fits("ab$")},
	{`(= s "")`, fits("^$")},
	{`(= s "ab")`, fits("^ab$")},
	{`(= s "` + sixteen + `")`, fits("^" + sixteen + "$")},
	{`(= s "` + seventeen + `")`, fits("^" + seventeen + "$")},
	{`(<> s "ab")`, func(s string) string { return strconv.FormatBool(s != "ab") }},
	{"(lower s)", func(s string) string { return strings.Map(unicode.ToLower, s) }},
	{"(upper s)", func(s string) string { return strings.Map(unicode.ToUpper, strings.ReplaceAll(s, "ß", "SS")) }},
}

func splitAt(pattern string) func(string) string {
	re := regexp.MustCompile(pattern)
	return func(s string) string {
		out, from := []byte("["), 0
		for _, at := range re.FindAllStringIndex(s, -1) {
			out = append(batch.AppendJSONString(out, s[from:at[0]]), ',')
			from = at[1]
		}
		return string(append(batch.AppendJSONString(out, s[from:]), ']'))
	}
}

func has(part string) func(string) string {
	return func(s string) string { return strconv.FormatBool(strings.Contains(s, part)) }
}

func fits(pattern string) func(string) string {
	re := regexp.MustCompile("(?s)" + pattern)
	return func(s string) string { return strconv.FormatBool(re.MatchString(s)) }
}

// isNull is the row of test texts that stands for NULL.
const isNull = "NULL"

// checkTextKernels compares what all textKernels give for rows, in all layouts, with vectors and without.
func checkTextKernels(t *testing.T, rows []string) {
	t.Helper()
	pool := batch.NewPool(0)
	f := batch.NewFrame(pool, mustSchema("s TEXT"))
	for _, s := range rows {
		if s == isNull {
			f.Columns[0].AppendNull()
		} else {
			f.Columns[0].AppendString(s)
		}
	}
	f.SetRows(len(rows))
	for _, k := range textKernels {
		x, err := expr.New(pool, mustSpec(f.Schema(), k.spec))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range layouts {
			in, release := l.make(pool, f)
			compareRows(t, k.spec+", "+l.name, x, in, rows, k.want)
			compareSelection(t, k.spec+", "+l.name, x, in, rows, k.want)
			restore := expr.WithoutVectors()
			compareRows(t, k.spec+", "+l.name+", without vectors", x, in, rows, k.want)
			restore()
			release()
		}
		x.Close()
	}
	f.Release()
	if used := pool.Used(); used != 0 {
		t.Errorf("%d bytes in use after Close", used)
	}
}

func compareRows(t *testing.T, name string, x expr.Expr, in batch.Batch, rows []string, want func(string) string) {
	t.Helper()
	arr, err := x.Eval(context.Background(), in, func(row int32, why string) { t.Errorf("%s: row %d is bad: %s", name, row, why) })
	if err != nil {
		t.Fatal(err)
	}
	for k, s := range rows {
		i := k
		if in.Sel != nil {
			i = int(in.Sel[k])
		}
		if arr.IsNull(i) != (s == isNull) {
			t.Fatalf("%s: row %d, %q: NULL is %v", name, k, s, arr.IsNull(i))
		}
		if s == isNull {
			continue
		}
		if got := string(batch.AppendValue(nil, arr, i)); got != want(s) {
			t.Fatalf("%s: row %d, %q: got %s, want %s", name, k, s, got, want(s))
		}
	}
}

// compareSelection compares what x selects with what it must, if it is a Predicate.
func compareSelection(t *testing.T, name string, x expr.Expr, in batch.Batch, rows []string, want func(string) string) {
	t.Helper()
	p, isPredicate := x.(expr.Predicate)
	if !isPredicate {
		return
	}
	got, err := p.Select(context.Background(), in, nil, func(row int32, why string) { t.Errorf("%s: row %d is bad: %s", name, row, why) })
	if err != nil {
		t.Fatal(err)
	}
	var all []int32
	for k, s := range rows {
		if s == isNull || want(s) != "true" {
			continue
		}
		if in.Sel != nil {
			k = int(in.Sel[k])
		}
		all = append(all, int32(k))
	}
	if !slices.Equal(got, all) {
		t.Fatalf("%s: selected %v, want %v", name, got, all)
	}
}

func TestTextKernels(t *testing.T) {
	block := strings.Repeat("abc ", 7) // 28 bytes
	for _, tt := range []struct {
		name string
		rows []string
	}{
		{"empty rows share a run", []string{"", "", ""}},
		{"places are at both ends of rows that touch", []string{" a ", " b", "c ", " "}},
		{"a text begins in one row and ends in the next", []string{"a", "ba", ", ", "ab", "a", "a"}},
		{"places overlap", []string{"aaa", "aaaa", "ababa", "abababa"}},
		{"NULLs have no places", []string{"a b", isNull, "c, d", isNull, isNull, "aba"}},
		{"parts are of the size that is copied at once, and around it", []string{block + "abc", block + "abca", block + "abcab " + block}},
		{"parts without a place are long", []string{strings.Repeat("x", 31), strings.Repeat("x", 32), strings.Repeat("x", 33), strings.Repeat("xy", 500)}},
		{"a row is longer than a run", []string{"a b", strings.Repeat(block, 400), "ab", strings.Repeat("x", 9000), "c, a"}},
		{"rows fill several runs", strings.Split(strings.Repeat(block+"\n"+long+"\nab\n", 33), "\n")},
		{"gaps of NULLs' neighbours are longer than a run bridges", []string{"ab", strings.Repeat("x", 300), "aba", strings.Repeat(" ", 300), ""}},
		{"characters have several bytes", []string{"aäb", "ä", "äö ü", "€,€", "ßa", "Ä B"}},
		{"constants are as long as two words, and longer", []string{sixteen, seventeen, sixteen[1:], seventeen + "c", "ab"}},
		{"letters are next to those that change", []string{"@AZ[`az{", "@AZ[`az{@AZ[`az{x", "\x00\x7F"}},
	} {
		t.Run(tt.name, func(t *testing.T) { checkTextKernels(t, tt.rows) })
	}
}

func TestTextKernelsOnRandomRows(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	pieces := []string{"a", "b", "c", "ab", "aba", " ", ",", ", ", "ä", "ß", "X", long, sixteen, strings.Repeat("x", 40)}
	for range 30 {
		var rows []string
		common := 1 + rng.IntN(len(pieces))
		for range rng.IntN(100) {
			var s strings.Builder
			for range rng.IntN(12) {
				s.WriteString(pieces[rng.IntN(common)])
			}
			rows = append(rows, s.String())
			if rng.IntN(10) == 0 {
				rows = append(rows, isNull)
			}
		}
		checkTextKernels(t, rows)
	}
}

func FuzzTextKernels(f *testing.F) {
	for _, s := range []string{"", "a b\n\n c ", "ab, ba\naba", "ä ö\n" + long + long, "NULL\naa\naaa", strings.Repeat("abc ", 3000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows := strings.Split(text, "\n")
		if !utf8.ValidString(text) || len(rows) > 100 { // dictionaries of the harness have bytes as indices
			return
		}
		checkTextKernels(t, rows)
	})
}
