package operators_test

import (
	"context"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// resultOf returns what an aggregate of column 0 of rows gives, which are added by several partials.
func resultOf(t *testing.T, agg operators.AggSpec, values []float64, partials int) string {
	t.Helper()
	in, pool := optest.MustSchema("x DOUBLE, k BIGINT"), batch.NewPool(0)
	agg.Arg = expr.Column(in, 0)
	op, err := otherAggregates(t, in, nil, operators.Update, agg)(operators.Env{Mem: pool})
	if err != nil {
		t.Fatal(err)
	}
	if err := op.BeginInterval(batch.Interval{ID: 1, End: 1}); err != nil {
		t.Fatal(err)
	}
	part := (len(values) + partials - 1) / partials
	for len(values) > 0 {
		some := values[:min(part, len(values))]
		values = values[len(some):]
		f := batch.NewFrame(pool, in)
		for _, v := range some {
			f.Columns[0].AppendFloat64(v)
			f.Columns[1].AppendInt64(1)
		}
		f.SetRows(len(some))
		p := op.(operators.Keyed).NewPartial()
		if err := p.Add(context.Background(), batch.Batch{Rows: f.Rows()}); err != nil {
			t.Fatal(err)
		}
		p.Seal()
		for shard := range operators.NumShards {
			if err := op.(operators.Keyed).Absorb(context.Background(), shard, p); err != nil {
				t.Fatal(err)
			}
		}
		p.Close()
		f.Release()
	}
	var got string
	_, err = op.EndInterval(context.Background(), []batch.Time{0}, func(b batch.Batch) error {
		got = strings.TrimSpace(strings.TrimPrefix(batch.Format(b), "1 "))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	op.Close()
	if used := pool.Used(); used != 0 {
		t.Errorf("%d bytes are left", used)
	}
	return got
}

func numberIn(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDistinctValuesAreEstimatedWithinTheError(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, relative := range []float64{0.05, 0.01} {
		for _, n := range []int{1, 10, 100, 300, 1000, 5000, 40_000} {
			sum := 0.0
			const runs = 5
			for range runs {
				values := make([]float64, 2*n)
				for i := range n {
					values[i] = r.Float64()
					values[n+i] = values[i]
				}
				got := numberIn(t, resultOf(t, operators.AggSpec{Func: "approx_count_distinct", Error: relative}, values, 3))
				deviation := (got - float64(n)) / float64(n)
				sum += deviation * deviation
			}
			// Of few runs the root of the mean square is within twice the standard error but once in a thousand.
			if rms := math.Sqrt(sum / runs); rms > 2*relative {
				t.Errorf("error %v, %d values: got an error of %v", relative, n, rms)
			}
		}
	}
}

func TestApproximatePercentilesAreWithinTheError(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	values := make([]float64, 20_000)
	for i := range values {
		values[i] = math.Exp(10*r.NormFloat64()) * math.Copysign(1, r.Float64()-0.3)
	}
	for _, accuracy := range []int64{1, 2, 3, 10, 100, 10_000, 1 << 40} {
		for _, place := range []float64{0, 0.01, 0.3, 0.5, 0.99, 1} {
			exact := numberIn(t, resultOf(t, operators.AggSpec{Func: "percentile_disc", Places: []float64{place}}, values, 1))
			got := numberIn(t, resultOf(t, operators.AggSpec{Func: "approx_percentile", Places: []float64{place}, Accuracy: accuracy}, values, 3))
			if math.Abs(got-exact) > math.Abs(exact)/float64(accuracy) {
				t.Errorf("accuracy %d, place %v: got %v, want %v", accuracy, place, got, exact)
			}
		}
	}
}

func TestMomentsOfNumbersFarFromZeroAreRight(t *testing.T) {
	values := make([]float64, 1000)
	for i := range values {
		values[i] = 1e12 + float64(i%7)
	}
	for fn, want := range map[string]float64{
		// Computed of i%7 alone, which has the same moments.
		"var_pop": 3.994991, "skewness": 0.0011214741394, "kurtosis": -1.2489364741852,
	} {
		first := resultOf(t, operators.AggSpec{Func: fn}, values, 1)
		if got := numberIn(t, first); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: got %v, want %v", fn, got, want)
		}
		for _, partials := range []int{2, 3, 10, 100} {
			if got := resultOf(t, operators.AggSpec{Func: fn}, values, partials); got != first {
				t.Errorf("%s by %d partials: got %s, want %s", fn, partials, got, first)
			}
		}
	}
}

func TestResultsDoNotDependOnHowRowsAreDivided(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	values := make([]float64, 3000)
	for i := range values {
		values[i] = 1e6*r.NormFloat64() + 12345
	}
	for _, agg := range []operators.AggSpec{
		{Func: "var_samp"},
		{Func: "stddev_pop"},
		{Func: "kurtosis"},
		{Func: "histogram_numeric", Bins: 20},
		{Func: "approx_count_distinct"},
		{Func: "approx_percentile", Places: []float64{0.5}, Accuracy: 50},
		{Func: "sum", Distinct: true},
	} {
		want := resultOf(t, agg, values, 1)
		for _, partials := range []int{2, 7, 64} {
			if got := resultOf(t, agg, values, partials); got != want {
				t.Errorf("%s by %d partials: got %s, want %s", agg.Func, partials, got, want)
			}
		}
	}
}
