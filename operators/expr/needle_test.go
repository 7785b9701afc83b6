package expr_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/operators/expr"
)

func TestNeedleIsATextThatAllRowsHave(t *testing.T) {
	schema := mustSchema("s TEXT, t TEXT")
	for _, tt := range []struct {
		name, spec string
		want       string // "": there is none
	}{
		{name: "a text that the column contains", spec: `(contains s "abc")`, want: "abc"},
		{name: "a text at the start", spec: `(startswith s "abc")`, want: "abc"},
		{name: "a text at the end", spec: `(endswith s "abc")`, want: "abc"},
		{name: "the whole text", spec: `(= s "abc")`, want: "abc"},
		{name: "the longest piece of a pattern", spec: `(like s "a%bcd%e_fgh")`, want: "bcd"},
		{name: "a pattern without a piece has none", spec: `(like s "%_%")`},
		{name: "the first of two conditions counts", spec: `(and (contains s "abc") (contains s "longer"))`, want: "abc"},
		{name: "the second one is not computed for all rows", spec: `(and (contains t "abc") (contains s "longer"))`},
		{name: "either of two is none", spec: `(or (contains s "abc") (contains s "abcd"))`},
		{name: "a row without it is none", spec: `(not (contains s "abc"))`},
		{name: "another column is none", spec: `(contains t "abc")`},
		{name: "a text that is not constant is none", spec: `(contains s t)`},
		{name: "the empty text is none", spec: `(contains s "")`},
		{name: "a changed column is none", spec: `(contains (lower s) "abc")`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := expr.NewNeedle(mustSpec(schema, tt.spec), 0)
			if tt.want == "" {
				if n != nil {
					t.Fatal("there is a needle")
				}
				return
			}
			if n == nil {
				t.Fatal("there is no needle")
			}
			// It is found in itself, but not where its last byte is missing.
			text := tt.want + "\n" + tt.want[:len(tt.want)-1]
			if places, _ := n.AppendPlaces(make([]int32, 0, 8), []byte(text)); !slices.Equal(places, []int32{0}) {
				t.Errorf("%q is found at %v", tt.want, places)
			}
		})
	}
}

// FuzzNeedle compares places with those of strings.Index, with vectors and without, for all and for little room.
func FuzzNeedle(f *testing.F) {
	f.Add("a", "banana", uint8(3))
	f.Add("ana", strings.Repeat("banana ", 50), uint8(200))
	f.Add("needle", strings.Repeat("hay ", 3000)+"needle"+strings.Repeat(" hay", 40)+"needle", uint8(9))
	f.Add("é", strings.Repeat("e", 70)+"é"+strings.Repeat("e", 300)+"é", uint8(1))
	f.Add(strings.Repeat("x", 80)+"q", strings.Repeat("x", 500)+"q"+strings.Repeat("x", 100)+"q", uint8(1))
	f.Fuzz(func(t *testing.T, needle, text string, room uint8) {
		if needle == "" {
			return
		}
		schema := mustSchema("s TEXT")
		n := expr.NewNeedle(&expr.Spec{
			Kind: expr.CallKind, Func: "contains", Args: []*expr.Spec{expr.Column(schema, 0), expr.Literal(needle)},
		}, 0)
		var want []int32
		for from := 0; ; {
			at := strings.Index(text[from:], needle)
			if at < 0 {
				break
			}
			want = append(want, int32(from+at))
			from += at + 1
		}
		wantASCII := strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }) < 0
		check := func(kind string) {
			got, isASCII := n.AppendPlaces(make([]int32, 0, len(want)+1), []byte(text))
			if !slices.Equal(got, want) || isASCII != wantASCII {
				t.Errorf("%s: places of %q in %q: got %v, ASCII %v, want %v, %v", kind, needle, text, got, isASCII, want, wantASCII)
			}
			some := min(int(room), len(want))
			if got, _ := n.AppendPlaces(make([]int32, 0, some), []byte(text)); !slices.Equal(got, want[:some]) {
				t.Errorf("%s: first %d places of %q in %q: got %v, want %v", kind, some, needle, text, got, want[:some])
			}
		}
		check("vectors")
		defer expr.WithoutVectors()()
		check("plain")
	})
}
