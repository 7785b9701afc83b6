package operators_test

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
)

// FuzzSpreadEqualsItsParts computes the number, minimum, sum, average and maximum of doubles together and one at a time. Nine bytes
// of data are a row: its key, and its value.
func FuzzSpreadEqualsItsParts(f *testing.F) {
	var edges []byte
	for i, v := range []float64{
		0, math.Copysign(0, -1), 1, -1, 1e100, -1e100, 0.1, math.MaxFloat64, -0.6 * math.MaxFloat64, math.MaxFloat64, math.Inf(1),
		math.NaN(), math.Inf(-1), math.SmallestNonzeroFloat64, -math.MaxFloat64, math.Copysign(math.NaN(), -1), 21.5, -3.1,
	} {
		for key := range 3 {
			if i%(key+1) == 0 {
				edges = binary.LittleEndian.AppendUint64(append(edges, byte(key)), math.Float64bits(v))
			}
		}
	}
	f.Add(edges, false)
	f.Add(edges, true)
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x80"), false)
	in := optest.MustSchema("k BIGINT, d DOUBLE")
	f.Fuzz(func(t *testing.T, data []byte, isSelected bool) {
		frame := batch.NewFrame(batch.NewPool(0), in)
		defer frame.Release()
		var sel []int32
		for row := range slices.Chunk(data, 9) {
			if len(row) == 9 {
				frame.Columns[0].AppendInt64(int64(row[0] % 4))
				frame.Columns[1].AppendFloat64(math.Float64frombits(binary.LittleEndian.Uint64(row[1:])))
				if row[0]%3 > 0 {
					sel = append(sel, int32(frame.Columns[0].Len()-1))
				}
			}
		}
		frame.SetRows(frame.Columns[0].Len())
		b := batch.Batch{Rows: frame.Rows()}
		if isSelected {
			b.Sel = sel
		}
		if b.NumRows() == 0 || b.NumLive() == 0 {
			return
		}
		together := columnsOf(t, aggregateOf{keys: []int{0}, funcs: []string{"count", "min", "sum", "avg", "max"}, args: []int{-1, 1, 1, 1, 1}}, b)
		for i, fn := range []string{"count", "min", "sum", "avg", "max"} {
			arg := 1
			if fn == "count" {
				arg = -1
			}
			alone := columnsOf(t, aggregateOf{keys: []int{0}, funcs: []string{fn}, args: []int{arg}}, b)
			if !slices.Equal(together[0], alone[0]) || !slices.Equal(together[i+1], alone[1]) {
				t.Errorf("%s: want %v of keys %v, got %v of %v", fn, alone[1], alone[0], together[i+1], together[0])
			}
		}
	})
}

// columnsOf returns the columns of an aggregate of the rows of one batch, as text.
func columnsOf(t *testing.T, agg aggregateOf, b batch.Batch) (columns [][]string) {
	pool := batch.NewPool(0)
	agg.mode = operators.Complete
	op, err := agg.new(t, b.Rows.Schema())(operators.Env{Mem: pool})
	if err != nil {
		t.Fatal(err)
	}
	if err := op.Process(context.Background(), 0, b, nil); err != nil {
		t.Fatal(err)
	}
	_, err = op.EndInterval(context.Background(), []batch.Time{batch.MaxTime}, func(b batch.Batch) error {
		columns = make([][]string, b.Rows.NumCols())
		for c, col := range b.Rows.Columns() {
			for i := range b.NumRows() {
				columns[c] = append(columns[c], string(batch.AppendValue(nil, col, i)))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	op.Close()
	if pool.Used() != 0 {
		t.Errorf("%v: %d bytes leaked", agg.funcs, pool.Used())
	}
	return columns
}

// BenchmarkSpread adds temperatures of 413 stations: their minimum, average and maximum, and for comparison two of the three,
// which are added one after the other. It reports millions of rows per second of processor time.
func BenchmarkSpread(b *testing.B) {
	in := optest.MustSchema("s TEXT, d DOUBLE")
	for _, c := range []struct {
		name  string
		funcs []string
	}{
		{name: "min avg max", funcs: []string{"min", "avg", "max"}},
		{name: "avg max", funcs: []string{"avg", "max"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			r := rand.New(rand.NewPCG(1, 2))
			pool := batch.NewPool(0)
			frame := batch.NewFrame(pool, in)
			for range benchRows {
				frame.Columns[0].AppendString("station " + strconv.Itoa(r.IntN(413)))
				frame.Columns[1].AppendFloat64(math.Round(r.NormFloat64()*100+150) / 10)
			}
			frame.SetRows(benchRows)
			op, err := aggregateOf{keys: []int{0}, funcs: c.funcs, args: []int{1, 1, 1}[:len(c.funcs)], mode: operators.Update}.new(b, in)(operators.Env{Mem: pool})
			if err != nil {
				b.Fatal(err)
			}
			defer op.Close()
			start := cpuTime()
			for b.Loop() {
				if err := op.Process(b.Context(), 0, batch.Batch{Rows: frame.Rows()}, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(benchRows)*float64(b.N)/(cpuTime()-start).Seconds()/1e6, "Mrows/s")
		})
	}
}
