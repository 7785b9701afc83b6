package batch_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// texts returns the rows of a TEXT array.
func texts(arr arrow.Array, n int) string {
	s := make([]string, n)
	for i := range s {
		s[i] = string(batch.AppendValue(nil, arr, i))
		if arr.IsNull(i) {
			s[i] = "NULL"
		}
	}
	return strings.Join(s, ",")
}

func TestTextIsWrittenToReservedMemory(t *testing.T) {
	pool := batch.NewPool(0)
	c := batch.NewColumn(pool, batch.Text)
	c.Reset(0)
	for round := range 3 {
		c.AppendString(fmt.Sprint("row", round))
		offsets, text := c.ReserveText(5, 1000)
		at := int(offsets[0])
		for k, s := range []string{"ab", "", "c"} {
			at += copy(text[at:], s)
			offsets[k+1] = int32(at)
		}
		c.AddTexts(3)
	}
	if got, want := texts(c.Array(), c.Len()), "row0,ab,,c,row1,ab,,c,row2,ab,,c"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c.Release()
	if pool.Used() != 0 {
		t.Errorf("%d bytes in use", pool.Used())
	}
}

func TestSelectedTextsAreAppended(t *testing.T) {
	pool := batch.NewPool(0)
	long := strings.Repeat("x", 33)
	builder := array.NewStringBuilder(pool)
	builder.AppendValues([]string{"before", "a", long, "", "hidden", "bcd"}, []bool{true, true, true, true, false, true})
	whole := builder.NewArray()
	arr := array.NewSlice(whole, 1, 6)
	c := batch.NewColumn(pool, batch.Text)
	c.Reset(1)
	c.AppendArray(arr, arr.Len(), []int32{0, 1, 3})
	c.AppendArray(arr, arr.Len(), []int32{})
	c.AppendArray(arr, arr.Len(), []int32{2, 4})
	if got, want := texts(c.Array(), c.Len()), ",a,"+long+",NULL,,bcd"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if c.Nulls() != 1 || c.Bytes() != len("a"+long+"bcd") {
		t.Errorf("%d NULLs and %d bytes", c.Nulls(), c.Bytes())
	}
	builder.Release()
	whole.Release()
	arr.Release()
	c.Release()
	if pool.Used() != 0 {
		t.Errorf("%d bytes in use", pool.Used())
	}
}

func TestArrayIsWholeAfterRowsWereDropped(t *testing.T) {
	pool := batch.NewPool(0)
	c := batch.NewColumn(pool, batch.Text)
	c.Reset(0)
	c.AppendString("ab")
	c.Array()
	for _, drop := range []struct {
		name string
		do   func()
	}{
		{"TruncateTo", func() { c.TruncateTo(1) }},
		{"Reset", func() { c.Reset(0); c.AppendString("xy") }},
	} {
		c.AppendString("cde")
		c.AppendString("fghi")
		drop.do()
		if err := c.Array().(*array.String).ValidateFull(); err != nil {
			t.Errorf("%s: %v", drop.name, err)
		}
	}
	c.Release()
}

// SetTexts gives what SetText does, row by row: with rows left out, pieces of every length around a block's, also at the end of the
// text, and in several calls.
func TestPiecesOfTextAreSetAsOneByOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 300 {
		pool := batch.NewPool(0)
		text := make([]byte, rng.IntN(120))
		for i := range text {
			text[i] = byte('a' + rng.IntN(26))
		}
		const rows = 40
		got, want := batch.NewColumn(pool, batch.Text), batch.NewColumn(pool, batch.Text)
		got.Reset(rows)
		want.Reset(rows)
		var set, from, to []int32
		for i := range int32(rows) {
			if rng.IntN(3) == 0 {
				continue
			}
			end := int32(rng.IntN(len(text) + 1))
			start := max(0, end-int32(rng.IntN(50)))
			set, from, to = append(set, i), append(from, start), append(to, end)
			want.SetText(int(i), text[start:end])
		}
		cut := rng.IntN(len(set) + 1)
		got.SetTexts(set[:cut], text, from[:cut], to[:cut])
		got.SetTexts(set[cut:], text, from[cut:], to[cut:])
		if got, want := texts(got.Array(), rows), texts(want.Array(), rows); got != want {
			t.Fatalf("text %s, rows %v from %v to %v:\ngot  %s\nwant %s", text, set, from, to, got, want)
		}
		got.Release()
		want.Release()
		if pool.Used() != 0 {
			t.Fatalf("%d bytes in use", pool.Used())
		}
	}
}
