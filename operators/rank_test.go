package operators_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

func TestRank(t *testing.T) {
	in := optest.MustSchema("end TIMESTAMP event, k TEXT, n BIGINT")
	out := func(names ...string) *arrow.Schema {
		fields := in.Fields()
		for _, n := range names {
			fields = append(fields, arrow.Field{Name: n, Type: batch.BigInt, Nullable: true})
		}
		return arrow.NewSchema(fields, nil)
	}
	byN := []operators.SortKey{{Expr: expr.Column(in, 2), Descending: true}}
	k := []*expr.Spec{expr.Column(in, 1)}
	for _, tt := range []struct {
		name string
		spec operators.RankSpec
		in   string
		want string
		skip map[optest.Axis]string
	}{
		{
			name: "all numbers per window and text",
			spec: operators.RankSpec{
				Partition: k, By: byN, Limit: -1, WindowEnd: 0,
				Funcs: []operators.RankFunc{operators.RowNumber, operators.Rank, operators.DenseRank}, Names: []string{"rn", "r", "d"},
			},
			in: "2026-01-01T00:00:01Z a 1\n2026-01-01T00:00:01Z a 3\n2026-01-01T00:00:01Z a 3\n2026-01-01T00:00:01Z null 9\n2026-01-01T00:00:01Z null 9\n" +
				"2026-01-01T00:00:01Z ab 5\n2026-01-01T00:00:02Z a 7\n2026-01-01T00:00:02Z a null\n",
			want: "2026-01-01T00:00:01Z null 9 1 1 1\n2026-01-01T00:00:01Z null 9 2 1 1\n2026-01-01T00:00:01Z a 3 1 1 1\n2026-01-01T00:00:01Z a 3 2 1 1\n" +
				"2026-01-01T00:00:01Z a 1 3 3 2\n2026-01-01T00:00:01Z ab 5 1 1 1\n2026-01-01T00:00:02Z a 7 1 1 1\n2026-01-01T00:00:02Z a null 2 2 2\n",
			skip: map[optest.Axis]string{optest.AxisIntervals: "rows of a window come in one interval"},
		},
		{
			name: "the first two by rank, which may be more",
			spec: operators.RankSpec{
				By: byN, Limit: 2, WindowEnd: 0, LimitOn: 0, Funcs: []operators.RankFunc{operators.Rank}, Names: []string{"r"},
			},
			in:   "2026-01-01T00:00:01Z a 1\n2026-01-01T00:00:01Z b 3\n2026-01-01T00:00:01Z c 2\n2026-01-01T00:00:01Z d 2\n",
			want: "2026-01-01T00:00:01Z b 3 1\n2026-01-01T00:00:01Z c 2 2\n2026-01-01T00:00:01Z d 2 2\n",
			skip: map[optest.Axis]string{optest.AxisIntervals: "rows of a window come in one interval"},
		},
		{
			name: "per interval",
			spec: operators.RankSpec{
				Partition: k, By: byN, Limit: 1, WindowEnd: -1, Funcs: []operators.RankFunc{operators.RowNumber}, Names: []string{"rn"},
			},
			in:   "2026-01-01T00:00:01Z b 1\n2026-01-01T00:00:01Z a 3\n2026-01-01T00:00:02Z b 2\n---\n2026-01-01T00:00:01Z b 1\n",
			want: "2026-01-01T00:00:01Z a 3 1\n2026-01-01T00:00:02Z b 2 1\n---\n2026-01-01T00:00:01Z b 1 1\n",
			skip: map[optest.Axis]string{optest.AxisIntervals: notPerInterval},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			optest.Run(t, optest.Case{
				New: build("test.rank", &tt.spec, out(tt.spec.Names...)), Schemas: []*arrow.Schema{in}, EventTime: []int{0},
				In: tt.in, Want: tt.want, Skip: tt.skip,
			})
		})
	}
}

// TestRankKeepsFewRowsOfMany compares the first rows of each key, of more rows than are kept at a time, with a plain sort.
func TestRankKeepsFewRowsOfMany(t *testing.T) {
	const rows, first = 60_000, 3
	in := optest.MustSchema("k BIGINT, n BIGINT")
	spec := &operators.RankSpec{
		Partition: []*expr.Spec{expr.Column(in, 0)}, By: []operators.SortKey{{Expr: expr.Column(in, 1), NullsFirst: true}}, Limit: first, WindowEnd: -1,
		Funcs: []operators.RankFunc{operators.RowNumber}, Names: []string{"rn"},
	}
	schema := arrow.NewSchema(append(in.Fields(), arrow.Field{Name: "rn", Type: batch.BigInt, Nullable: true}), nil)
	pool := batch.NewPool(0)
	op, err := build("test.rank", spec, schema)(operators.Env{Mem: pool})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	byKey := make(map[int64][]int64)
	f := batch.NewFrame(pool, in)
	var got strings.Builder
	emit := func(b batch.Batch) error {
		got.WriteString(batch.Format(b))
		return nil
	}
	for from := 0; from < rows; from += 1000 {
		f.Reset(0)
		for range 1000 {
			k, n := rng.Int64N(40), rng.Int64N(1_000_000)
			f.Columns[0].AppendInt64(k)
			f.Columns[1].AppendInt64(n)
			byKey[k] = append(byKey[k], n)
		}
		f.SetRows(1000)
		if err := op.Process(t.Context(), 0, batch.Batch{Rows: f.Rows()}, emit); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := op.EndInterval(t.Context(), []batch.Time{0}, emit); err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for k := range int64(40) {
		slices.Sort(byKey[k])
		for i, n := range byKey[k][:first] {
			fmt.Fprintf(&want, "%d %d %d\n", k, n, i+1)
		}
	}
	if want.String() != got.String() {
		t.Errorf("want\n%s\ngot\n%s", want.String(), got.String())
	}
	f.Release()
	op.Close()
	if pool.Used() != 0 {
		t.Errorf("%d bytes leaked", pool.Used())
	}
}
