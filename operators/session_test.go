package operators_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

func TestSessions(t *testing.T) {
	in := optest.MustSchema("at TIMESTAMP event, k TEXT, n BIGINT, gap BIGINT")
	session := operators.WindowSpec{Kind: operators.SessionWindow, Time: expr.Column(in, 0), Size: 5 * time.Second}
	with := func(change func(*operators.WindowSpec)) operators.WindowSpec {
		w := session
		change(&w)
		return w
	}
	ownGap := with(func(w *operators.WindowSpec) { w.Gap, w.Size = expr.Column(in, 3), 0 })
	count := aggregateOf{keys: []int{1}, funcs: []string{"count", "sum", "min", "max"}, args: []int{-1, 2, 2, 1}}
	perInterval := map[optest.Axis]string{optest.AxisIntervals: notPerInterval}
	filtered := map[optest.Axis]string{optest.AxisLedger: "a row in no session is filtered, which only the engine counts"}
	for _, tt := range []struct {
		name   string
		window operators.WindowSpec
		agg    aggregateOf
		delay  time.Duration
		in     string
		want   string
		late   int
		bad    []string
		skip   map[optest.Axis]string
	}{
		{
			name: "a row exactly one gap away belongs, one a microsecond later does not", window: session, agg: count,
			in: "2026-01-01T00:00:01Z a 1 0\n2026-01-01T00:00:06Z a 2 0\n2026-01-01T00:00:11.000001Z a 4 0\n2026-01-01T00:00:02Z b 8 0\n",
			want: "2026-01-01T00:00:02Z 2026-01-01T00:00:07Z b 1 8 8 b\n2026-01-01T00:00:01Z 2026-01-01T00:00:11Z a 2 3 1 a\n" +
				"2026-01-01T00:00:11.000001Z 2026-01-01T00:00:16.000001Z a 1 4 4 a\n",
			delay: time.Minute,
		},
		{
			name: "a row between two sessions makes them one", window: session, agg: count, delay: time.Minute,
			in: "2026-01-01T00:00:01Z a 1 0\n2026-01-01T00:00:10Z a 2 0\n2026-01-01T00:00:30Z a 4 0\n2026-01-01T00:00:20Z a 8 0\n" +
				"2026-01-01T00:00:05.5Z a 16 0\n2026-01-01T00:00:25Z a 32 0\n2026-01-01T00:00:15Z a 64 0\n",
			want: "2026-01-01T00:00:01Z 2026-01-01T00:00:35Z a 7 127 1 a\n",
		},
		{
			name: "a row with a long gap takes in several sessions and begins before all of them", window: ownGap, agg: count, delay: time.Minute,
			in: "2026-01-01T00:00:11Z a 1 1000000\n2026-01-01T00:00:14Z a 2 1000000\n2026-01-01T00:00:17Z a 4 1000000\n" +
				"2026-01-01T00:00:10Z a 8 7000000\n2026-01-01T00:00:19Z a 16 1000000\n",
			want: "2026-01-01T00:00:10Z 2026-01-01T00:00:18Z a 4 15 1 a\n2026-01-01T00:00:19Z 2026-01-01T00:00:20Z a 1 16 16 a\n",
		},
		{
			name: "a row may begin a session earlier than it began", window: session, agg: count, delay: time.Minute,
			in: "2026-01-01T00:00:20Z a 1 0\n2026-01-01T00:00:16Z a 2 0\n2026-01-01T00:00:12Z a 4 0\n2026-01-01T00:00:01Z a 8 0\n" +
				"2026-01-01T00:00:09Z a 16 0\n",
			want: "2026-01-01T00:00:01Z 2026-01-01T00:00:06Z a 1 8 8 a\n2026-01-01T00:00:09Z 2026-01-01T00:00:25Z a 4 23 1 a\n",
		},
		{
			name: "a row is late when it is before the watermark of its split", window: session, agg: count, delay: 2 * time.Second, late: 1,
			in:   "2026-01-01T00:00:10Z a 1 0\n2026-01-01T00:00:08Z a 2 0\n2026-01-01T00:00:07.999999Z a 4 0\n",
			want: "2026-01-01T00:00:08Z 2026-01-01T00:00:15Z a 2 3 1 a\n",
		},
		{
			name: "a row counts for a while after the watermark with lateness", agg: count, delay: 2 * time.Second, late: 1,
			window: with(func(w *operators.WindowSpec) { w.Lateness = 3 * time.Second }),
			in:     "2026-01-01T00:00:10Z a 1 0\n2026-01-01T00:00:05Z a 2 0\n2026-01-01T00:00:04.999999Z a 4 0\n",
			want:   "2026-01-01T00:00:05Z 2026-01-01T00:00:15Z a 2 3 1 a\n",
		},
		{
			name: "each row has a gap of its own, and one without is in no session", window: ownGap, agg: count, delay: time.Minute, skip: filtered,
			in: "2026-01-01T00:00:01Z a 1 20000000\n2026-01-01T00:00:05Z a 2 1000000\n2026-01-01T00:00:21Z a 4 1000000\n" +
				"2026-01-01T00:00:22.5Z a 8 0\n2026-01-01T00:00:22.7Z a 16 -1\n2026-01-01T00:00:22.8Z a 32 null\n2026-01-01T00:00:23Z a 64 1\n",
			want: "2026-01-01T00:00:01Z 2026-01-01T00:00:22Z a 3 7 1 a\n2026-01-01T00:00:23Z 2026-01-01T00:00:23.000001Z a 1 64 64 a\n",
		},
		{
			name: "a gap of centuries and a time that is NULL are bad", window: ownGap, agg: count,
			bad:  []string{"window: time is NULL", "window: gap is out of range"},
			in:   "null a 1 1000000\n2026-01-01T00:00:05Z a 2 9223372036854775807\n2026-01-01T00:00:21Z a 4 1000000\n",
			want: "2026-01-01T00:00:21Z 2026-01-01T00:00:22Z a 1 4 4 a\n",
		},
		{
			name: "without keys all rows are one group", window: session, delay: time.Minute,
			agg:  aggregateOf{funcs: []string{"count", "avg"}, args: []int{-1, 2}},
			in:   "2026-01-01T00:00:01Z a 1 0\n2026-01-01T00:00:05Z b 2 0\n2026-01-01T00:00:20Z null null 0\n",
			want: "2026-01-01T00:00:01Z 2026-01-01T00:00:10Z 2 1.5\n2026-01-01T00:00:20Z 2026-01-01T00:00:25Z 1 null\n",
		},
		{
			name: "a session closes when the watermark is after its end", window: session, agg: count, skip: perInterval,
			in: "2026-01-01T00:00:01Z a 1 0\n--- watermark=2026-01-01T00:00:06Z\n2026-01-01T00:00:06Z a 2 0\n--- watermark=2026-01-01T00:00:11Z\n" +
				"2026-01-01T00:00:30Z b 2 0\n--- watermark=2026-01-01T00:00:11.000001Z\n",
			want: "---\n---\n2026-01-01T00:00:01Z 2026-01-01T00:00:11Z a 2 3 1 a\n",
		},
		{
			name: "complete keeps all sessions", window: session, agg: aggregateOf{
				keys: []int{1}, funcs: []string{"count"}, args: []int{-1}, mode: operators.Complete,
			}, skip: perInterval,
			in: "2026-01-01T00:00:01Z a 1 0\n2026-01-01T00:00:07Z a 1 0\n---\n--- watermark=2026-01-01T00:01:00Z\n2026-01-01T00:02:00Z b 2 0\n" +
				"2026-01-01T00:02:05Z b 2 0\n---\n",
			want: "2026-01-01T00:00:01Z 2026-01-01T00:00:06Z a 1\n2026-01-01T00:00:07Z 2026-01-01T00:00:12Z a 1\n---\n---\n" +
				"2026-01-01T00:00:01Z 2026-01-01T00:00:06Z a 1\n2026-01-01T00:00:07Z 2026-01-01T00:00:12Z a 1\n" +
				"2026-01-01T00:02:00Z 2026-01-01T00:02:10Z b 2\n",
		},
		{
			name: "sessions of arrival close with the interval", agg: aggregateOf{keys: []int{1}, funcs: []string{"count"}, args: []int{-1}}, skip: perInterval,
			window: with(func(w *operators.WindowSpec) { w.Arrival, w.Size = true, 2*time.Second }),
			in: "2026-01-01T00:00:00.5Z a 1 0\n--- end=2026-01-01T00:00:01Z\n2026-01-01T00:00:01.5Z a 1 0\n--- end=2026-01-01T00:00:03.5Z\n" +
				"--- end=2026-01-01T00:00:03.6Z\n",
			want: "---\n---\n2026-01-01T00:00:00.5Z 2026-01-01T00:00:03.5Z a 2\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.agg.window = &tt.window
			eventTime := []int{0}
			if tt.window.Arrival {
				eventTime = nil
			}
			optest.Run(t, optest.Case{
				New: tt.agg.new(t, in), Schemas: []*arrow.Schema{in}, EventTime: eventTime, Delay: tt.delay, In: tt.in, Want: tt.want,
				WantLate: tt.late, WantBad: tt.bad, Unordered: true, Skip: tt.skip,
			})
		})
	}
}

// TestSessionsOfManyKeys compares sessions with those found by looking at each key's rows in order, while keys come and go, the
// state is saved and restored, and dead sessions are left out.
func TestSessionsOfManyKeys(t *testing.T) {
	const (
		ticks   = 150
		perTick = 600
		gap     = 3_000_000
	)
	for _, restarts := range []bool{false, true} {
		t.Run(fmt.Sprint("restarts ", restarts), func(t *testing.T) {
			in := optest.MustSchema("at TIMESTAMP event, k BIGINT, n BIGINT, d DOUBLE, s TEXT")
			agg := aggregateOf{
				window: &operators.WindowSpec{Kind: operators.SessionWindow, Time: expr.Column(in, 0), Size: gap * time.Microsecond},
				keys:   []int{1}, funcs: []string{"count", "sum", "sum", "max"}, args: []int{-1, 2, 3, 4},
			}
			pool := batch.NewPool(0)
			open := func() operators.Operator {
				op, err := agg.new(t, in)(operators.Env{Mem: pool})
				if err != nil {
					t.Fatal(err)
				}
				return op
			}
			op := open()
			image := newImage(pool)
			rng := rand.New(rand.NewPCG(3, 4))
			times := map[int64]map[int64]int64{} // by key and time, the sum of n
			var got, want []string
			emit := func(b batch.Batch) error {
				for i := range b.NumRows() {
					col := func(c int) int64 { return batch.Int64s(b.Rows.Column(c))[i] }
					got = append(got, fmt.Sprintf("%d %d-%d sum %d, %s, %s", col(2), col(0), col(1), col(4), b.Rows.Column(5).ValueStr(i), b.Rows.Column(6).ValueStr(i)))
				}
				return nil
			}
			f := batch.NewFrame(pool, in)
			var halfway int64
			for tick := range int64(ticks) {
				f.Reset(0)
				for range perTick {
					k, n, at := tick*20+rng.Int64N(200), rng.Int64N(1000), tick*1e6+rng.Int64N(2e6)
					if times[k] == nil {
						times[k] = map[int64]int64{}
					}
					times[k][at] += n
					f.Columns[0].AppendInt64(at)
					f.Columns[1].AppendInt64(k)
					f.Columns[2].AppendInt64(n)
					f.Columns[3].AppendFloat64(float64(n))
					f.Columns[4].AppendText([]byte(fmt.Sprintf("%012d", n*1e6+at%1e6)))
				}
				f.SetRows(perTick)
				if err := op.Process(context.Background(), 0, batch.Batch{Rows: f.Rows()}, emit); err != nil {
					t.Fatal(err)
				}
				mark := batch.Time((tick - 1) * 1e6)
				if tick == ticks-1 {
					mark = batch.MaxTime
				}
				if _, err := op.EndInterval(context.Background(), []batch.Time{mark}, emit); err != nil {
					t.Fatal(err)
				}
				if tick == ticks/2 {
					halfway = pool.Used()
				}
				if restarts {
					image.take(t, op.(operators.Stateful))
					if tick%7 == 0 {
						op.Close()
						op = open()
						image.give(t, op.(operators.Stateful))
					}
				}
			}
			for k, of := range times {
				want = append(want, sessionsOf(k, of, gap)...)
			}
			for i := range got { // the texts were compared by optest
				got[i] = got[i][:len(got[i])-len(", 000000000000")]
			}
			compareSorted(t, want, got)
			stats := op.(operators.Stateful).Stats()
			if stats.Rows != 0 || stats.Groups != 0 || !restarts && stats.Retired != ticks*perTick {
				t.Errorf("state at the end: %+v", stats)
			}
			if used := pool.Used(); !restarts && used > 2*halfway {
				t.Errorf("state grows: %d bytes after half of the time, %d at the end", halfway, used)
			}
			if rows := len(image.rows); restarts && rows > 0 {
				t.Errorf("the last Snapshot leaves %d rows", rows)
			}
			f.Release()
			op.Close()
			if pool.Used() != 0 {
				t.Errorf("%d bytes leaked", pool.Used())
			}
		})
	}
}
