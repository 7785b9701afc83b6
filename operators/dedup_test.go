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

// distinctOn returns the spec over a schema: keys and the time by column, -1 for no time.
func distinctOn(in *arrow.Schema, time int, within time.Duration, keys ...int) *operators.DedupSpec {
	s := &operators.DedupSpec{Within: within}
	for _, k := range keys {
		s.Keys = append(s.Keys, expr.Column(in, k))
		s.KeyNames = append(s.KeyNames, in.Field(k).Name)
	}
	if time >= 0 {
		s.Time = expr.Column(in, time)
	}
	return s
}

func TestDistinctPassesTheFirstOfEqualRows(t *testing.T) {
	in := optest.MustSchema("at TIMESTAMP event, k BIGINT, s TEXT, d DOUBLE")
	for _, tt := range []struct {
		name string
		spec *operators.DedupSpec
		in   string
		want string
		bad  []string
		late int
	}{
		{
			name: "NULL, 0 and an empty text are keys of their own, NULL equals NULL",
			spec: distinctOn(in, -1, -1, 1, 2),
			in: "2026-01-01T00:00:01Z 0 \"\" 1\n2026-01-01T00:00:02Z null \"\" 2\n2026-01-01T00:00:03Z 0 null 3\n" +
				"2026-01-01T00:00:04Z 0 \"\" 4\n2026-01-01T00:00:05Z null \"\" 5\n2026-01-01T00:00:06Z null null 6\n2026-01-01T00:00:00Z null null 7\n",
			want: "2026-01-01T00:00:01Z 0 \"\" 1.0\n2026-01-01T00:00:02Z null \"\" 2.0\n2026-01-01T00:00:03Z 0 null 3.0\n2026-01-01T00:00:06Z null null 6.0\n",
		},
		{
			name: "-0 equals 0 and NaN equals NaN",
			spec: distinctOn(in, -1, -1, 3),
			in: "2026-01-01T00:00:01Z 1 a -0\n2026-01-01T00:00:01Z 2 a 0\n2026-01-01T00:00:01Z 3 a NaN\n2026-01-01T00:00:01Z 4 a NaN\n" +
				"2026-01-01T00:00:01Z 5 a null\n",
			want: "2026-01-01T00:00:01Z 1 a -0.0\n2026-01-01T00:00:01Z 3 a NaN\n2026-01-01T00:00:01Z 5 a null\n",
		},
		{
			name: "without a time among the keys no row is late, and a key is known for ever",
			spec: distinctOn(in, -1, -1, 1),
			in: "2026-01-01T00:00:01Z 1 a 1\n2026-01-01T01:00:00Z 2 a 1\n---\n2026-01-01T02:00:00Z 1 a 2\n2026-01-01T00:00:00Z 3 a 1\n" +
				"---\n2026-01-01T00:00:00Z 3 a 2\n",
			want: "2026-01-01T00:00:01Z 1 a 1.0\n2026-01-01T01:00:00Z 2 a 1.0\n2026-01-01T00:00:00Z 3 a 1.0\n",
		},
		{
			name: "with the time among the keys a row before its watermark is late",
			spec: distinctOn(in, 0, -1, 0, 1),
			in: "2026-01-01T00:00:10Z 1 a 1\n2026-01-01T00:00:10Z 1 a 2\n2026-01-01T00:00:08Z 1 a 3\n2026-01-01T00:00:07Z 1 a 4\n---\n" +
				"2026-01-01T00:00:08Z 1 a 5\n2026-01-01T00:00:20Z 1 a 6\n---\n2026-01-01T00:00:08Z 1 a 7\n2026-01-01T00:00:20Z 1 a 8\n",
			want: "2026-01-01T00:00:10Z 1 a 1.0\n2026-01-01T00:00:08Z 1 a 3.0\n2026-01-01T00:00:20Z 1 a 6.0\n",
			late: 2,
		},
		{
			name: "a NULL time among the keys is a key as any other",
			spec: distinctOn(in, 0, -1, 0, 1),
			in:   "null 1 a 1\nnull 2 a 2\n---\nnull 1 a 3\n2026-01-01T00:00:20Z 1 a 4\n---\nnull 2 a 5\n",
			want: "null 1 a 1.0\nnull 2 a 2.0\n2026-01-01T00:00:20Z 1 a 4.0\n",
		},
		{
			name: "within a time of the first row, and not of the one before, a row is dropped",
			spec: distinctOn(in, 0, 5*time.Second, 1),
			in: "2026-01-01T00:00:10Z 1 a 1\n2026-01-01T00:00:15Z 1 a 2\n---\n2026-01-01T00:00:15.000001Z 1 a 3\n2026-01-01T00:00:14Z 1 a 4\n---\n" +
				"2026-01-01T00:00:20Z 1 a 5\n2026-01-01T00:00:21Z 1 a 6\n2026-01-01T00:00:30Z 2 a 7\n2026-01-01T00:00:27Z 1 a 8\n---\n" +
				"2026-01-01T00:00:29Z 1 a 9\n",
			want: "2026-01-01T00:00:10Z 1 a 1.0\n2026-01-01T00:00:15.000001Z 1 a 3.0\n2026-01-01T00:00:21Z 1 a 6.0\n" +
				"2026-01-01T00:00:30Z 2 a 7.0\n2026-01-01T00:00:29Z 1 a 9.0\n",
			late: 1,
		},
		{
			name: "a row without a time is bad where keys are known for a time",
			spec: distinctOn(in, 0, time.Second, 1),
			in:   "2026-01-01T00:00:10Z 1 a 1\nnull 2 a 1\nnull 1 a 1\n",
			want: "2026-01-01T00:00:10Z 1 a 1.0\n",
			bad:  []string{"distinct: time is NULL", "distinct: time is NULL"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			optest.Run(t, optest.Case{
				New: build("test.distinct", tt.spec, in), Schemas: []*arrow.Schema{in}, EventTime: []int{0}, Delay: 2 * time.Second,
				In: tt.in, Want: tt.want, WantBad: tt.bad, WantLate: tt.late,
			})
		})
	}
}

func TestDistinctOnArrivalForgetsByTheClock(t *testing.T) {
	in := optest.MustSchema("at TIMESTAMP arrival, k BIGINT")
	spec := distinctOn(in, 0, 2*time.Second, 1)
	spec.Arrival = true
	optest.Run(t, optest.Case{
		New: build("test.distinct", spec, in), Schemas: []*arrow.Schema{in},
		In: "2026-01-01T00:00:00Z 1\n2026-01-01T00:00:00.5Z 1\n---\n2026-01-01T00:00:01Z 1\n2026-01-01T00:00:01Z 2\n---\n" +
			"2026-01-01T00:00:02.1Z 1\n---\n2026-01-01T00:00:03.5Z 2\n",
		Want: "2026-01-01T00:00:00Z 1\n2026-01-01T00:00:01Z 2\n2026-01-01T00:00:02.1Z 1\n2026-01-01T00:00:03.5Z 2\n",
	})
}

// TestDistinctForgetsKeys sends ever new keys through several restarts, some of them twice, and compares what is known with what
// can still come.
func TestDistinctForgetsKeys(t *testing.T) {
	const perTick, ticks, keep = 3000, 60, 4
	in := optest.MustSchema("at TIMESTAMP event, k BIGINT")
	for _, keys := range [][]int{{0, 1}, {1}} {
		pool := batch.NewPool(0)
		within := time.Duration(-1)
		if len(keys) == 1 {
			within = keep * time.Second
		}
		open := func() operators.Operator {
			op, err := build("test.distinct", distinctOn(in, 0, within, keys...), in)(operators.Env{Mem: pool})
			if err != nil {
				t.Fatal(err)
			}
			return op
		}
		op := open()
		saved := newImage(pool)
		f := batch.NewFrame(pool, in)
		var rows, peak int64
		for tick := range int64(ticks) {
			f.Reset(0)
			for _, again := range []int64{0, 0, 1} { // each key now, now again, and a second later
				if again > tick {
					continue
				}
				for k := range int64(perTick) {
					f.Columns[0].AppendInt64((tick - again) * 1e6)
					f.Columns[1].AppendInt64((tick-again)*perTick + k)
				}
			}
			f.SetRows(f.Columns[0].Len())
			emit := func(b batch.Batch) error {
				rows += int64(b.NumLive())
				return nil
			}
			if err := op.Process(t.Context(), 0, batch.Batch{Rows: f.Rows()}, emit); err != nil {
				t.Fatal(err)
			}
			mark := batch.Time((tick - 1) * 1e6)
			if tick == ticks-1 {
				mark = batch.MaxTime
			}
			if _, err := op.EndInterval(t.Context(), []batch.Time{mark}, emit); err != nil {
				t.Fatal(err)
			}
			peak = max(peak, op.(operators.Stateful).Stats().Groups)
			saved.take(t, op.(operators.Stateful))
			if tick%7 == 3 {
				op.Close()
				op = open()
				saved.give(t, op.(operators.Stateful))
			}
		}
		if rows != perTick*ticks {
			t.Errorf("keys %v: want %d rows, got %d", keys, perTick*ticks, rows)
		}
		if most := int64(2*(keep+4)*perTick + 4096); peak > most {
			t.Errorf("keys %v: %d keys are known, want %d at most", keys, peak, most)
		}
		if left := op.(operators.Stateful).Stats(); left.Groups != 0 || len(saved.rows) != 0 {
			t.Errorf("keys %v: at the end %d keys are known, %d are saved", keys, left.Groups, len(saved.rows))
		}
		f.Release()
		op.Close()
		if pool.Used() != 0 {
			t.Errorf("keys %v: %d bytes leaked", keys, pool.Used())
		}
	}
}
