package operators_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// FuzzTextGroupsEqualPlainMap numbers the pieces of data between bytes 0xFF as a map does, in order of appearance: all of them, which
// looks at first slots only and then at the rest, and selected ones, which are looked up one by one.
func FuzzTextGroupsEqualPlainMap(f *testing.F) {
	f.Add([]byte("a\xffb\xffa\xff\xffa\x00\xffa\x00\x00\xffthis has more than sixteen bytes\xffthis has more than 16 bytes\xffa"), false)
	f.Add([]byte("0123456789abcdef\xff0123456789abcde\xff0123456789abcdefg\xff0123456789abcdeg\xff01234567\xff012345678"), true)
	f.Add([]byte("seventeen bytes 1\xffseventeen bytes 2\xffseventeen bytes 1"), true)
	f.Add([]byte(strings.Repeat("x\xffyy\xffzzz\xff\xff", 100)), false)
	var many []byte
	for i := range 2000 {
		many = append(many, byte(i), byte(i>>8), 'x', 0xFF)
	}
	f.Add(many, false)
	f.Fuzz(func(t *testing.T, data []byte, collide bool) {
		if collide {
			data = data[:min(len(data), 2000)]
			defer operators.CollideAll()()
		}
		c := batch.NewColumn(batch.NewPool(0), batch.Text)
		defer c.Release()
		numbers := make(map[string]int32)
		var want, sel, wantSelected []int32
		for i, piece := range bytes.Split(data, []byte{0xFF}) {
			c.AppendText(piece)
			g, ok := numbers[string(piece)]
			if !ok {
				g = int32(len(numbers))
				numbers[string(piece)] = g
			}
			want = append(want, g)
			if i%3 != 1 {
				sel, wantSelected = append(sel, int32(i)), append(wantSelected, g)
			}
		}
		texts := array.NewSlice(c.Array(), 0, int64(len(want))).(*array.String)
		defer texts.Release()
		all, selected, again := operators.TextGroups(texts, sel)
		if !slices.Equal(all, want) {
			t.Errorf("groups of %q: want %v, got %v", data, want, all)
		}
		if !slices.Equal(selected, wantSelected) {
			t.Errorf("groups of %q selected by %v: want %v, got %v", data, sel, wantSelected, selected)
		}
		if !slices.Equal(again, want) {
			t.Errorf("groups of %q, once more: want %v, got %v", data, want, again)
		}
	})
}
