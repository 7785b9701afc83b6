package ingest_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/operators/expr"
)

// decodeWanted decodes in, cut into blocks, and returns the rows that have wanted in them, a line each with the row of the block and
// the text, then the bad rows, and how many rows were left out.
func decodeWanted(t *testing.T, in, wanted string, perBlock int64, sieve ingest.Sieve) (rows string, leftOut int64) {
	t.Helper()
	pool := batch.NewPool(0)
	f := mustNewFormat(t, "TEXT", nil)
	d := mustDecoder(t, f, ingest.DecodeSpec{Declared: parseColumns(t, "value TEXT"), Sieve: sieve, Mem: pool})
	var out strings.Builder
	for _, b := range cutBlocks(f, in, perBlock, max(len(in), 1)) {
		got, err := d.Decode(context.Background(), b, func(bad ingest.BadRow) { fmt.Fprintf(&out, "bad %d %d %s\n", b.Seq, bad.Offset, bad.Why) })
		if err != nil {
			t.Fatal(err)
		}
		leftOut += b.NumRows - int64(got.NumRows())
		for k := range got.NumLive() {
			i := k
			if got.Sel != nil {
				i = int(got.Sel[k])
			}
			if text := got.Rows.Column(0).(*array.String).Value(i); strings.Contains(text, wanted) {
				fmt.Fprintf(&out, "%d %d %s\n", b.Seq, got.Origin.BlockRow(i), text)
			}
		}
	}
	d.Close()
	if pool.Used() != 0 {
		t.Fatalf("%d bytes in use after Close", pool.Used())
	}
	return out.String(), leftOut
}

func needleOf(text string) ingest.Sieve {
	column := &expr.Spec{Kind: expr.ColumnKind, Type: batch.Text}
	return expr.NewNeedle(&expr.Spec{Kind: expr.CallKind, Func: "contains", Args: []*expr.Spec{column, expr.Literal(text)}}, 0)
}

func TestSieveLeavesOutLinesWithoutItsText(t *testing.T) {
	hay := strings.Repeat("hay\n", 20)
	for _, tt := range []struct {
		name, in string
		want     string
		leftOut  int64
	}{
		{name: "lines are numbered as in the block", in: hay + "a needle\r\n" + hay + "\nneedle needle\n" + hay, want: "0 20 a needle\n0 42 needle needle\n", leftOut: 61},
		{name: "the last line needs no line end", in: hay + "needle", want: "0 20 needle\n", leftOut: 20},
		{name: "the first line counts", in: "needle\n" + hay, want: "0 0 needle\n", leftOut: 20},
		{name: "nothing is found", in: hay, leftOut: 20},
		{name: "a text that is in many lines leaves out none", in: strings.Repeat("needle\nhay\n", 4), want: "0 0 needle\n0 2 needle\n0 4 needle\n0 6 needle\n"},
		{name: "invalid UTF-8 is told", in: hay + "\xff\nneedle\n", want: "bad 0 80 invalid UTF-8 at byte 0 of the record\n0 21 needle\n"},
		{name: "valid UTF-8 is no fault", in: hay + "é\nneedle é\n", want: "0 21 needle é\n", leftOut: 21},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows, leftOut := decodeWanted(t, tt.in, "needle", math.MaxInt64, needleOf("needle"))
			if rows != tt.want || leftOut != tt.leftOut {
				t.Errorf("got\n%s and %d left out, want\n%s and %d", rows, leftOut, tt.want, tt.leftOut)
			}
		})
	}
}

// FuzzSieve compares the rows that have a text in them with those of a decoder without a sieve.
func FuzzSieve(f *testing.F) {
	f.Add("b", "a\nb\nc\n"+strings.Repeat("d\n", 30)+"abc", uint16(10))
	f.Add("é\xff", strings.Repeat("e\n", 30)+"é\xff\n\xff\n", uint16(40))
	f.Add("\n", strings.Repeat("word\r\n", 200), uint16(500))
	f.Add("needle", strings.Repeat(strings.Repeat("hay hay hay\n", 40)+"a needle\n", 300), uint16(1000))
	f.Fuzz(func(t *testing.T, needle, in string, perBlock uint16) {
		if needle == "" {
			return
		}
		want, _ := decodeWanted(t, in, needle, int64(perBlock)+1, nil)
		if got, _ := decodeWanted(t, in, needle, int64(perBlock)+1, needleOf(needle)); got != want {
			t.Errorf("lines of %q with %q:\n%s\nwant\n%s", in, needle, got, want)
		}
	})
}
