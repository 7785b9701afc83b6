package operators_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

func TestExplode(t *testing.T) {
	in := optest.MustSchema("s TEXT, a BIGINT, d DOUBLE, b BOOLEAN, u TEXT, at TIMESTAMP event")
	s, a := expr.Column(in, 0), expr.Column(in, 1)
	words := call(t, "split", s, expr.Literal(" "))
	keepAll := optest.MustSchema("a BIGINT, d DOUBLE, b BOOLEAN, u TEXT, at TIMESTAMP event, word TEXT")
	for _, tt := range []struct {
		name string
		spec operators.ExplodeSpec
		out  *arrow.Schema
		in   string
		want string
		bad  []string
	}{
		{
			name: "kept columns of all types follow their rows, NULLs too",
			spec: operators.ExplodeSpec{List: words, Name: "word", Keep: []int{1, 2, 3, 4, 5}}, out: keepAll,
			in: "\"x y\" 1 1.5 true p 2026-01-01T00:00:01Z\nz null null null null 2026-01-01T00:00:02Z\n" +
				"null 2 2.5 false q 2026-01-01T00:00:03Z\n\"v  w\" 3 3.5 false r 2026-01-01T00:00:04Z\n",
			want: "1 1.5 true p 2026-01-01T00:00:01Z x\n1 1.5 true p 2026-01-01T00:00:01Z y\nnull null null null 2026-01-01T00:00:02Z z\n" +
				"3 3.5 false r 2026-01-01T00:00:04Z v\n3 3.5 false r 2026-01-01T00:00:04Z \"\"\n3 3.5 false r 2026-01-01T00:00:04Z w\n",
		},
		{
			name: "a kept column is the same in all rows, then another, then NULL",
			spec: operators.ExplodeSpec{List: words, Name: "word", Keep: []int{1}}, out: optest.MustSchema("a BIGINT, word TEXT"),
			in: "\"x y\" 7 0 true p 2026-01-01T00:00:01Z\n\"x y\" 7 0 true p 2026-01-01T00:00:01Z\n\"x y\" 8 0 true p 2026-01-01T00:00:01Z\n" +
				"x 8 0 true p 2026-01-01T00:00:01Z\nx null 0 true p 2026-01-01T00:00:01Z\n",
			want: "7 x\n7 y\n7 x\n7 y\n8 x\n8 y\n8 x\nnull x\n",
		},
		{
			name: "a row whose list can't be computed is bad and has no elements",
			spec: operators.ExplodeSpec{
				List: call(t, "split", call(t, "concat", s, call(t, "+", a, expr.Literal(int64(1)))), expr.Literal(" ")),
				Name: "word", Keep: []int{1},
			},
			out:  optest.MustSchema("a BIGINT, word TEXT"),
			in:   "\"x y\" 1 0 true p 2026-01-01T00:00:01Z\n\"x y\" 9223372036854775807 0 true p 2026-01-01T00:00:01Z\nz 3 0 true p 2026-01-01T00:00:01Z\n",
			want: "1 x\n1 y2\n3 z4\n",
			bad:  []string{"+: BIGINT overflow: 9223372036854775807 + 1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			optest.Run(t, optest.Case{
				New: build("", &tt.spec, tt.out), Schemas: []*arrow.Schema{in}, In: tt.in, Want: tt.want, WantBad: tt.bad,
			})
		})
	}
}

// lists returns rows with numbers and lists of the same numbers, as text: row 3 has 3, 3 and 3.
func lists(pool *batch.Pool, schema *arrow.Schema, n int) *batch.Frame {
	f := batch.NewFrame(pool, schema)
	for i := range n {
		f.Columns[0].AppendInt64(int64(i))
		for range i {
			f.Columns[1].Child().AppendString(fmt.Sprint(i))
		}
		f.Columns[1].AppendList()
	}
	f.SetRows(n)
	return f
}

func TestExplodeNumbersRowsByTheirListsElements(t *testing.T) {
	in := arrow.NewSchema([]arrow.Field{
		{Name: "n", Type: batch.BigInt, Nullable: true}, {Name: "l", Type: batch.TextList, Nullable: true},
	}, nil)
	for _, tt := range []struct {
		name     string
		from, to int64
		sel      []int32
		source   []int32
		want     string
		wantLive []int32
		wantFrom []int32
	}{
		{name: "all rows are live", to: 4, want: "1 1\n2 2\n2 2\n3 3\n3 3\n3 3\n", wantFrom: []int32{1, 2, 2, 3, 3, 3}},
		{
			name: "a row between is dead", to: 4, sel: []int32{1, 3}, want: "1 1\n3 3\n3 3\n3 3\n",
			wantLive: []int32{0, 3, 4, 5}, wantFrom: []int32{1, -1, -1, 3, 3, 3},
		},
		{name: "rows at both ends are dead", to: 4, sel: []int32{2}, want: "2 2\n2 2\n", wantFrom: []int32{2, 2}},
		{name: "the lists are a part of longer ones", from: 2, to: 4, want: "2 2\n2 2\n3 3\n3 3\n3 3\n", wantFrom: []int32{0, 0, 1, 1, 1}},
		{
			name: "rows were numbered anew before", to: 3, source: []int32{7, 8, 9}, want: "1 1\n2 2\n2 2\n",
			wantFrom: []int32{8, 9, 9},
		},
		{name: "no list has elements", to: 1, want: ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := batch.NewPool(0)
			f := lists(pool, in, 5)
			view := batch.NewView(in)
			for i, col := range f.Rows().Columns() {
				part := array.NewSlice(col, tt.from, tt.to)
				defer part.Release()
				view.Set(i, part)
			}
			view.SetRows(int(tt.to - tt.from))
			spec := &operators.ExplodeSpec{List: expr.Column(in, 1), Name: "word", Keep: []int{0}}
			op, err := build("", spec, optest.MustSchema("n BIGINT, word TEXT"))(operators.Env{Mem: pool})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			b := batch.Batch{Rows: view, Sel: tt.sel, Origin: batch.Origin{Source: tt.source}}
			err = op.Process(context.Background(), 0, b, func(out batch.Batch) error {
				got += batch.Format(out)
				if fmt.Sprint(out.Sel) != fmt.Sprint(tt.wantLive) {
					t.Errorf("live rows are %v, want %v", out.Sel, tt.wantLive)
				}
				for k := range out.NumLive() {
					i := k
					if out.Sel != nil {
						i = int(out.Sel[k])
					}
					if from := out.Origin.BlockRow(i); from != int(tt.wantFrom[i]) {
						t.Errorf("row %d is from row %d, want %d", i, from, tt.wantFrom[i])
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
			op.Close()
			f.Release()
			if used := pool.Used(); used != 0 {
				t.Errorf("%d bytes in use after Close", used)
			}
		})
	}
}
