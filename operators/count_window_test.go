package operators_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

func TestCountWindows(t *testing.T) {
	in := optest.MustSchema("k TEXT, n BIGINT")
	for _, tt := range []struct {
		name        string
		rows, slide int64
		keyless     bool
		in          string
		want        string
	}{
		{
			name: "a window of each group comes out when it is full, and at the end what there is", rows: 3, slide: 3,
			in:   "a 1\nb 2\na 4\na 8\nnull 16\nb 32\na 64\nnull 128\nb 256\na 512\na 1024\n",
			want: "0 3 a 3 13 8\n0 3 b 3 290 256\n3 6 a 3 1600 1024\n0 2 null 2 144 128\n",
		},
		{
			name: "windows that overlap", rows: 4, slide: 2,
			in:   "a 1\na 2\nb 4\na 8\na 16\na 32\na 64\na 128\n",
			want: "0 4 a 4 27 16\n2 6 a 4 120 64\n4 7 a 3 224 128\n6 7 a 1 128 128\n0 1 b 1 4 4\n",
		},
		{
			name: "the slide need not divide the size", rows: 3, slide: 2,
			in:   "a 1\na 2\na 4\na 8\na 16\na 32\n",
			want: "0 3 a 3 7 4\n2 5 a 3 28 16\n4 6 a 2 48 32\n",
		},
		{
			name: "rows between windows are in none", rows: 1, slide: 3,
			in:   "a 1\na 2\na 4\na 8\na 16\n",
			want: "0 1 a 1 1 1\n3 4 a 1 8 8\n",
		},
		{
			name: "many windows of one batch", rows: 2, slide: 1,
			in:   "a 1\na null\na 4\na 8\n",
			want: "0 2 a 2 1 1\n1 3 a 2 4 4\n2 4 a 2 12 8\n3 4 a 1 8 8\n",
		},
		{
			name: "without keys all rows are one group", rows: 2, slide: 2, keyless: true,
			in:   "a 1\nb 2\na 4\n",
			want: "0 2 2 3 2\n2 3 1 4 4\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := &operators.AggregateSpec{Window: &operators.WindowSpec{Kind: operators.CountWindow, Rows: tt.rows, RowSlide: tt.slide}}
			fields := []arrow.Field{{Name: "start", Type: batch.BigInt}, {Name: "end", Type: batch.BigInt}}
			if !tt.keyless {
				spec.Keys, spec.KeyNames = []*expr.Spec{expr.Column(in, 0)}, []string{"k"}
				fields = append(fields, arrow.Field{Name: "k", Type: batch.Text, Nullable: true})
			}
			for _, fn := range []string{"count", "sum", "max"} {
				a := operators.AggSpec{Func: fn, Name: fn, Type: batch.BigInt}
				if fn != "count" {
					a.Arg = expr.Column(in, 1)
				}
				spec.Aggs = append(spec.Aggs, a)
				fields = append(fields, arrow.Field{Name: fn, Type: batch.BigInt, Nullable: true})
			}
			optest.Run(t, optest.Case{
				New: build("test.aggregate", spec, arrow.NewSchema(fields, nil)), Schemas: []*arrow.Schema{in}, In: tt.in, Want: tt.want, Unordered: true,
			})
		})
	}
}
