package operators_test

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// overOf completes a spec over a schema whose first column is the time.
func overOf(t testing.TB, in *arrow.Schema, frame operators.OverFrame, partition []int, funcs ...operators.OverFunc) (*operators.OverSpec, *arrow.Schema) {
	t.Helper()
	s := &operators.OverSpec{Time: expr.Column(in, 0), Frame: frame}
	kind, _ := in.Field(0).Metadata.GetValue(operators.TimeKey)
	s.Arrival = kind == operators.TimeArrival
	for _, k := range partition {
		s.Partition = append(s.Partition, expr.Column(in, k))
	}
	fields := in.Fields()
	for _, f := range funcs {
		f.Type = batch.BigInt
		if f.Arg != nil {
			f.Type = f.Arg.Type
		}
		if f.Func == "count" || f.Func == "avg" {
			var err error
			if f.Type, err = operators.ResultType(f.Func, f.Type); err != nil {
				t.Fatal(err)
			}
		}
		f.Name = f.Func
		s.Funcs = append(s.Funcs, f)
		fields = append(fields, arrow.Field{Name: f.Func, Type: f.Type, Nullable: true})
	}
	return s, arrow.NewSchema(fields, nil)
}

func TestOver(t *testing.T) {
	in := optest.MustSchema("at TIMESTAMP event, k BIGINT, n BIGINT, s TEXT")
	k, n, s := []int{1}, expr.Column(in, 2), expr.Column(in, 3)
	const at = "2026-01-01T00:00:"
	for _, tt := range []struct {
		name      string
		frame     operators.OverFrame
		partition []int
		funcs     []operators.OverFunc
		in        string
		want      string
		bad       []string
		late      int
	}{
		{
			name: "rows are numbered by time, and wait for the watermark", partition: k,
			funcs: []operators.OverFunc{{Func: "row_number"}, {Func: "rank"}, {Func: "dense_rank"}},
			in: at + "05Z 1 1 a\n" + at + "03Z 1 2 b\n" + at + "05Z 1 3 c\n---\n" + at + "04Z null 4 d\n" + at + "08Z 1 5 e\n---\n" +
				at + "08Z null 6 f\n" + at + "09Z 1 7 g\n" + at + "12Z null 8 h\n",
			want: at + "03Z 1 2 b 1 1 1\n" + at + "04Z null 4 d 1 1 1\n" + at + "05Z 1 1 a 2 2 2\n" + at + "05Z 1 3 c 3 2 2\n" +
				at + "08Z 1 5 e 4 4 3\n" + at + "08Z null 6 f 2 2 2\n" + at + "09Z 1 7 g 5 5 4\n" + at + "12Z null 8 h 3 3 3\n",
		},
		{
			name: "a row before the watermark is late, one without a time is bad", partition: k,
			funcs: []operators.OverFunc{{Func: "row_number"}},
			in:    at + "10Z 1 1 a\n" + at + "08Z 1 2 b\n" + at + "07Z 1 3 c\nnull 1 4 d\n",
			want:  at + "08Z 1 2 b 1\n" + at + "10Z 1 1 a 2\n",
			bad:   []string{"over: time is NULL"}, late: 1,
		},
		{
			name: "lag and lead of several distances, with a default, and a NULL that is a value", partition: k,
			funcs: []operators.OverFunc{
				{Func: "lag", Arg: s, Offset: 2, Default: expr.Literal("none")},
				{Func: "lead", Arg: n, Offset: 1},
				{Func: "lead", Arg: n, Offset: 2, Default: expr.Literal(int64(-1))},
				{Func: "lag", Arg: n, Offset: 0},
			},
			in: at + "01Z 1 1 a\n" + at + "02Z 2 20 b\n" + at + "03Z 1 null c\n---\n" + at + "05Z 1 3 d\n" + at + "06Z 1 4 null\n" + at + "09Z 2 21 f\n---\n" +
				at + "20Z 1 5 g\n",
			want: at + "01Z 1 1 a none null 3 1\n" + at + "03Z 1 null c none 3 4 null\n" + at + "05Z 1 3 d a 4 5 3\n" +
				at + "02Z 2 20 b none 21 -1 20\n" + at + "06Z 1 4 null c 5 -1 4\n" + at + "09Z 2 21 f none null -1 21\n" + at + "20Z 1 5 g d null -1 5\n",
		},
		{
			name: "aggregates of the row and two before", partition: k, frame: operators.OverFrame{IsRows: true, Rows: 2},
			funcs: []operators.OverFunc{
				{Func: "sum", Arg: n},
				{Func: "count"},
				{Func: "avg", Arg: n},
				{Func: "min", Arg: s},
				{Func: "max", Arg: n},
				{Func: "first_value", Arg: s},
				{Func: "last_value", Arg: n},
			},
			in: at + "01Z 1 1 d\n" + at + "02Z 1 10 c\n" + at + "02Z 2 7 x\n" + at + "03Z 1 null b\n---\n" + at + "07Z 1 1000 e\n" + at + "08Z 1 2 null\n",
			want: at + "01Z 1 1 d 1 1 1.0 d 1 d 1\n" + at + "02Z 1 10 c 11 2 5.5 c 10 d 10\n" + at + "02Z 2 7 x 7 1 7.0 x 7 x 7\n" +
				at + "03Z 1 null b 11 3 5.5 b 10 d null\n" + at + "07Z 1 1000 e 1010 3 505.0 b 1000 c 1000\n" + at + "08Z 1 2 null 1002 3 501.0 b 1000 b 2\n",
		},
		{
			name: "aggregates of a time, which rows that are equal in time share", partition: k, frame: operators.OverFrame{Range: 3 * time.Second},
			funcs: []operators.OverFunc{{Func: "sum", Arg: n}, {Func: "first_value", Arg: n}, {Func: "last_value", Arg: n}, {Func: "count", Arg: s}},
			in: at + "01Z 1 1 a\n" + at + "04Z 1 2 b\n" + at + "04Z 1 4 null\n" + at + "04.000001Z 1 8 d\n---\n" + at + "07Z 1 16 e\n" +
				at + "20Z 2 32 f\n---\n" + at + "20Z 1 64 g\n",
			want: at + "01Z 1 1 a 1 1 1 1\n" + at + "04Z 1 2 b 7 1 4 2\n" + at + "04Z 1 4 null 7 1 4 2\n" + at + "04.000001Z 1 8 d 14 2 8 2\n" +
				at + "07Z 1 16 e 30 2 16 3\n" + at + "20Z 2 32 f 32 32 32 1\n" + at + "20Z 1 64 g 64 64 64 1\n",
		},
		{
			name: "a frame of rows goes on behind the row, which waits for them", partition: k, frame: operators.OverFrame{IsRows: true, Rows: 1, RowsAfter: 2},
			funcs: []operators.OverFunc{{Func: "lag", Arg: n, Offset: 1}, {Func: "sum", Arg: n}, {Func: "first_value", Arg: s}, {Func: "last_value", Arg: s}},
			in: at + "01Z 1 1 a\n" + at + "02Z 1 10 b\n" + at + "03Z 2 7 x\n---\n" + at + "05Z 1 100 c\n" + at + "05Z 1 1000 d\n---\n" +
				at + "09Z 1 10000 e\n" + at + "12Z 2 70 y\n",
			want: at + "01Z 1 1 a null 111 a c\n" + at + "02Z 1 10 b 1 1111 a d\n" + at + "05Z 1 100 c 10 11110 b e\n" +
				at + "05Z 1 1000 d 100 11100 c e\n" + at + "09Z 1 10000 e 1000 11000 d e\n" + at + "03Z 2 7 x null 77 x y\n" + at + "12Z 2 70 y 7 77 x y\n",
		},
		{
			name: "a frame of time goes on behind the row, which waits until the watermark has passed that", partition: k,
			frame: operators.OverFrame{Range: time.Second, RangeAfter: 3 * time.Second},
			funcs: []operators.OverFunc{{Func: "sum", Arg: n}, {Func: "row_number"}, {Func: "first_value", Arg: s}, {Func: "last_value", Arg: s}},
			in: at + "01Z 1 1 a\n" + at + "02Z 1 10 b\n" + at + "02Z 2 7 x\n---\n" + at + "05Z 1 100 c\n" + at + "05Z 1 1000 d\n---\n" +
				at + "05.000001Z 1 20000 e\n" + at + "08Z 1 30000 f\n---\n" + at + "30Z 2 70 y\n",
			want: at + "01Z 1 1 a 11 1 a b\n" + at + "02Z 1 10 b 1111 2 a d\n" + at + "02Z 2 7 x 7 1 x x\n" + at + "05Z 1 100 c 51100 3 c f\n" +
				at + "05Z 1 1000 d 51100 4 c f\n" + at + "05.000001Z 1 20000 e 51100 5 c f\n" + at + "08Z 1 30000 f 30000 6 f f\n" + at + "30Z 2 70 y 70 2 y y\n",
		},
		{
			name: "without a partition all rows are one", frame: operators.OverFrame{IsRows: true, Rows: 1},
			funcs: []operators.OverFunc{{Func: "sum", Arg: n}, {Func: "row_number"}},
			in:    at + "02Z 1 1 a\n" + at + "01Z 2 10 b\n" + at + "09Z 3 100 c\n",
			want:  at + "01Z 2 10 b 10 1\n" + at + "02Z 1 1 a 11 2\n" + at + "09Z 3 100 c 101 3\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec, out := overOf(t, in, tt.frame, tt.partition, tt.funcs...)
			optest.Run(t, optest.Case{
				New: build("test.over", spec, out), Schemas: []*arrow.Schema{in}, EventTime: []int{0}, Delay: 2 * time.Second,
				In: tt.in, Want: tt.want, WantBad: tt.bad, WantLate: tt.late,
				Unordered: spec.Funcs[0].Func == "lag",
			})
		})
	}
}

// TestRowsThatAreNotNeededAnyMoreGo forgets them whenever it can.
func TestRowsThatAreNotNeededAnyMoreGo(t *testing.T) {
	defer operators.TidyEarly(1)()
	t.Run("over", TestOver)
	t.Run("over arrival", TestOverArrivalNumbersAtTheEndOfTheInterval)
}

func TestOverArrivalNumbersAtTheEndOfTheInterval(t *testing.T) {
	in := optest.MustSchema("at TIMESTAMP arrival, k BIGINT")
	spec, out := overOf(t, in, operators.OverFrame{}, []int{1}, operators.OverFunc{Func: "row_number"})
	optest.Run(t, optest.Case{
		New: build("test.over", spec, out), Schemas: []*arrow.Schema{in},
		In:   "2026-01-01T00:00:00Z 1\n2026-01-01T00:00:00Z 2\n---\n2026-01-01T00:00:01Z 1\n---\n2026-01-01T00:00:02.1Z 1\n",
		Want: "2026-01-01T00:00:00Z 1 1\n2026-01-01T00:00:00Z 2 1\n---\n2026-01-01T00:00:01Z 1 2\n---\n2026-01-01T00:00:02.1Z 1 3\n",
	})
}
