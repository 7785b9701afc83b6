package expr_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// bench has expressions over all types, without bad rows.
var bench = []struct {
	spec   string
	allocs float64 // per batch
}{
	{"(> b 10.0)", 0},
	{"(and (> a 10) (< b 900.0))", 0},
	{`(or (= s "w7") (is_null n))`, 0},
	{"(not (and (> a 10) ok))", 0},
	{"(in a 1 2 3 4 5 6 7 8 9 10 11 12)", 0},
	{`(in s "w1" "w2" "w3")`, 0},
	{`(like s "w%7_%")`, 0},
	{"(+ (* a 2) n)", 0},
	{"(/ a 7)", 0},
	{"(% a 7)", 0},
	{"(case (> a 500) s (> a 100) \"b\" \"c\")", 0},
	{"(coalesce n a)", 0},
	{"(greatest a n)", 0},
	{"(upper s)", 0},
	{`(concat s "-" (cast TEXT a))`, 0},
	{"(substring s 2 3)", 0},
	{`(replace s "w" "word")`, 0},
	{`(split s " ")`, 0},
	{`(split s "\\s+")`, 0},
	{`(split s "[^a-z]+")`, 0},
	{"(length s)", 0},
	{`(contains s "1")`, 0},
	{`(contains s " 81")`, 0},
	{`(like s "%w7%")`, 0},
	{`(startswith s "w7")`, 0},
	{`(= s "w7 é 7")`, 0},
	{"(lower s)", 0},
	{"(cast BIGINT (cast TEXT a))", 0},
	{"(cast DOUBLE (cast TEXT b))", 0},
	{"(cast TIMESTAMP (cast TEXT at))", 0},
	{"(try_cast BIGINT s)", 0},
	{`(date_trunc "month" at)`, 0},
	{"(+ at ~5s)", 0},
	{"(year at)", 0},
	{"(round b 2)", 0},
}

// benchBatch returns n rows, every third of them live if selected.
func benchBatch(pool *batch.Pool, n int, selected bool) (*batch.Frame, batch.Batch) {
	f := batch.NewFrame(pool, mustSchema("a BIGINT, n BIGINT, b DOUBLE, s TEXT, at TIMESTAMP, ok BOOLEAN"))
	for i := range n {
		f.Columns[0].AppendInt64(int64(i * 7 % 1000))
		if i%5 == 0 {
			f.Columns[1].AppendNull()
		} else {
			f.Columns[1].AppendInt64(int64(i))
		}
		f.Columns[2].AppendFloat64(float64(i%1000) + 0.125)
		f.Columns[3].AppendString(fmt.Sprintf("w%d é %d", i%100, i))
		f.Columns[4].AppendInt64(1_700_000_000_000_000 + int64(i)*1_000_003)
		f.Columns[5].AppendBool(i%3 == 0)
	}
	f.SetRows(n)
	in := batch.Batch{Rows: f.Rows()}
	if selected {
		for i := 0; i < n; i += 3 {
			in.Sel = append(in.Sel, int32(i))
		}
	}
	return f, in
}

func TestNothingIsAllocatedPerBatch(t *testing.T) {
	for _, selected := range []bool{false, true} {
		pool := batch.NewPool(0)
		f, in := benchBatch(pool, 500, selected)
		bad := func(row int32, why string) { t.Errorf("row %d is bad: %s", row, why) }
		for _, tt := range bench {
			x, err := expr.New(pool, mustSpec(f.Schema(), tt.spec))
			if err != nil {
				t.Fatal(err)
			}
			allocs := testing.AllocsPerRun(20, func() {
				if _, err := x.Eval(context.Background(), in, bad); err != nil {
					t.Error(err)
				}
			})
			if allocs > tt.allocs {
				t.Errorf("%s: Eval allocates %v times", tt.spec, allocs)
			}
			if p, isPredicate := x.(expr.Predicate); isPredicate {
				var sel []int32
				allocs = testing.AllocsPerRun(20, func() {
					if sel, err = p.Select(context.Background(), in, sel[:0], bad); err != nil {
						t.Error(err)
					}
				})
				if allocs > tt.allocs {
					t.Errorf("%s: Select allocates %v times", tt.spec, allocs)
				}
			}
			x.Close()
		}
		f.Release()
		if used := pool.Used(); used != 0 {
			t.Errorf("%d bytes in use after Close", used)
		}
	}
}

func BenchmarkEval(b *testing.B) {
	const rows = 8192
	for _, tt := range bench {
		b.Run(tt.spec, func(b *testing.B) {
			pool := batch.NewPool(0)
			f, in := benchBatch(pool, rows, false)
			defer f.Release()
			x, err := expr.New(pool, mustSpec(f.Schema(), tt.spec))
			if err != nil {
				b.Fatal(err)
			}
			defer x.Close()
			var sel []int32
			p, isPredicate := x.(expr.Predicate)
			bad := func(int32, string) {}
			for b.Loop() {
				if isPredicate {
					sel, err = p.Select(context.Background(), in, sel[:0], bad)
				} else {
					_, err = x.Eval(context.Background(), in, bad)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
