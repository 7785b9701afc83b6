package operators_test

import (
	"context"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

func TestAggregateWindows(t *testing.T) {
	in := optest.MustSchema("at TIMESTAMP event, k TEXT, n BIGINT, d DOUBLE")
	window := func(size, slide time.Duration) operators.WindowSpec {
		return operators.WindowSpec{Time: expr.Column(in, 0), Size: size, Slide: slide}
	}
	with := func(w operators.WindowSpec, change func(*operators.WindowSpec)) operators.WindowSpec {
		change(&w)
		return w
	}
	count := aggregateOf{keys: []int{1}, funcs: []string{"count"}, args: []int{-1}}
	perInterval := map[optest.Axis]string{optest.AxisIntervals: notPerInterval}
	const s = time.Second
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
			name: "tumbling windows come out in order", window: window(10*s, 10*s), agg: count,
			in: "2026-01-01T00:00:01Z a 1 1\n2026-01-01T00:00:09.999999Z a 1 1\n2026-01-01T00:00:10Z a 1 1\n2026-01-01T00:00:11Z b 1 1\n" +
				"2026-01-01T00:00:35Z null 1 1\n",
			want: "2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 2\n2026-01-01T00:00:10Z 2026-01-01T00:00:20Z a 1\n" +
				"2026-01-01T00:00:10Z 2026-01-01T00:00:20Z b 1\n2026-01-01T00:00:30Z 2026-01-01T00:00:40Z null 1\n",
		},
		{
			name: "a row is late when its split has passed the end of its window", window: window(10*s, 10*s), agg: count, late: 1,
			in: "2026-01-01T00:00:01Z a 1 1\n2026-01-01T00:00:12Z a 1 1\n2026-01-01T00:00:02Z late 1 1\n2026-01-01T00:00:11Z b 1 1\n",
			want: "2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 1\n2026-01-01T00:00:10Z 2026-01-01T00:00:20Z a 1\n" +
				"2026-01-01T00:00:10Z 2026-01-01T00:00:20Z b 1\n",
		},
		{
			name: "the watermark of another split makes no row late", window: window(10*s, 10*s), agg: count,
			in: "2026-01-01T00:00:01Z a 1 1\n2026-01-01T00:00:12Z a 1 1\n# split 1\n2026-01-01T00:00:02Z b 1 1\n",
			want: "2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 1\n2026-01-01T00:00:00Z 2026-01-01T00:00:10Z b 1\n" +
				"2026-01-01T00:00:10Z 2026-01-01T00:00:20Z a 1\n",
			skip: map[optest.Axis]string{optest.AxisIntervals: "a split that is not known yet holds no window open"},
		},
		{
			name: "a row counts for a while after the end with lateness", agg: count, late: 1,
			window: with(window(10*s, 10*s), func(w *operators.WindowSpec) { w.Lateness = 5 * s }),
			in: "2026-01-01T00:00:01Z a 1 1\n2026-01-01T00:00:14.999999Z a 1 1\n2026-01-01T00:00:02Z in 1 1\n" +
				"2026-01-01T00:00:15Z b 1 1\n2026-01-01T00:00:03Z out 1 1\n",
			want: "2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 1\n2026-01-01T00:00:00Z 2026-01-01T00:00:10Z in 1\n" +
				"2026-01-01T00:00:10Z 2026-01-01T00:00:20Z a 1\n2026-01-01T00:00:10Z 2026-01-01T00:00:20Z b 1\n",
		},
		{
			name: "a row is late for some of its sliding windows only", window: window(10*s, 5*s),
			agg: aggregateOf{keys: []int{1}, funcs: []string{"count", "max"}, args: []int{-1, 2}}, late: 1,
			// The second row closes [-5,5) and [0,10): the third counts for [5,15) alone, the fourth for none.
			in: "2026-01-01T00:00:06Z a 1 1\n2026-01-01T00:00:12Z a 2 1\n2026-01-01T00:00:07Z a 3 1\n2026-01-01T00:00:04Z a 4 1\n",
			want: "2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 1 1\n2026-01-01T00:00:05Z 2026-01-01T00:00:15Z a 3 3\n" +
				"2026-01-01T00:00:10Z 2026-01-01T00:00:20Z a 1 2\n",
		},
		{
			name: "slide need not divide size", window: window(10*s, 4*s), agg: count,
			in: "2026-01-01T00:00:05Z a 1 1\n2026-01-01T00:00:11Z a 1 1\n",
			want: "2025-12-31T23:59:56Z 2026-01-01T00:00:06Z a 1\n2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 1\n" +
				"2026-01-01T00:00:04Z 2026-01-01T00:00:14Z a 2\n2026-01-01T00:00:08Z 2026-01-01T00:00:18Z a 1\n",
		},
		{
			name: "a row in a gap between windows counts for none and is not late", window: window(4*s, 10*s), agg: count,
			in:   "2026-01-01T00:00:03.9Z a 1 1\n2026-01-01T00:00:04Z gap 1 1\n2026-01-01T00:00:10Z a 1 1\n",
			want: "2026-01-01T00:00:00Z 2026-01-01T00:00:04Z a 1\n2026-01-01T00:00:10Z 2026-01-01T00:00:14Z a 1\n",
			skip: map[optest.Axis]string{optest.AxisLedger: "a row in no window is filtered, which only the engine counts"},
		},
		{
			name: "windows with an offset, before 1970", agg: count,
			window: with(window(10*s, 10*s), func(w *operators.WindowSpec) { w.Offset = -13 * s }),
			in:     "1969-12-31T23:59:46Z a 1 1\n1969-12-31T23:59:47Z a 1 1\n1969-12-31T23:59:56.9Z a 1 1\n1969-12-31T23:59:57Z a 1 1\n",
			want: "1969-12-31T23:59:37Z 1969-12-31T23:59:47Z a 1\n1969-12-31T23:59:47Z 1969-12-31T23:59:57Z a 2\n" +
				"1969-12-31T23:59:57Z 1970-01-01T00:00:07Z a 1\n",
		},
		{
			name: "cumulating windows grow by a step up to their largest size", agg: aggregateOf{keys: []int{1}, funcs: []string{"count", "max"}, args: []int{-1, 2}},
			window: with(window(6*s, 2*s), func(w *operators.WindowSpec) { w.Kind, w.Offset = operators.CumulatingWindow, -5*s }), late: 1,
			// The series begins at 00:00:01. The fifth row is late for [1,3) and [1,5), and counts for [1,7); the sixth is late for all.
			in: "2026-01-01T00:00:01Z a 1 1\n2026-01-01T00:00:03.5Z b 2 1\n2026-01-01T00:00:04Z a 3 1\n2026-01-01T00:00:05Z a 4 1\n" +
				"2026-01-01T00:00:02Z c 5 1\n2026-01-01T00:00:07Z b 6 1\n2026-01-01T00:00:06.9Z late 7 1\n2026-01-01T00:00:20Z a 8 1\n",
			want: "2026-01-01T00:00:01Z 2026-01-01T00:00:03Z a 1 1\n2026-01-01T00:00:01Z 2026-01-01T00:00:05Z a 2 3\n" +
				"2026-01-01T00:00:01Z 2026-01-01T00:00:05Z b 1 2\n2026-01-01T00:00:01Z 2026-01-01T00:00:07Z a 3 4\n" +
				"2026-01-01T00:00:01Z 2026-01-01T00:00:07Z b 1 2\n2026-01-01T00:00:01Z 2026-01-01T00:00:07Z c 1 5\n" +
				"2026-01-01T00:00:07Z 2026-01-01T00:00:09Z b 1 6\n2026-01-01T00:00:07Z 2026-01-01T00:00:11Z b 1 6\n" +
				"2026-01-01T00:00:07Z 2026-01-01T00:00:13Z b 1 6\n2026-01-01T00:00:19Z 2026-01-01T00:00:21Z a 1 8\n" +
				"2026-01-01T00:00:19Z 2026-01-01T00:00:23Z a 1 8\n2026-01-01T00:00:19Z 2026-01-01T00:00:25Z a 1 8\n",
		},
		{
			name: "a cumulating window in mode update gives each window that a row is in",
			agg:  aggregateOf{keys: []int{1}, funcs: []string{"count"}, args: []int{-1}, mode: operators.Update}, skip: perInterval,
			window: with(window(6*s, 2*s), func(w *operators.WindowSpec) { w.Kind = operators.CumulatingWindow }),
			in:     "2026-01-01T00:00:01Z a 1 1\n2026-01-01T00:00:03Z b 1 1\n--- end=2026-01-01T00:00:01Z\n2026-01-01T00:00:03.5Z a 1 1\n--- end=2026-01-01T00:00:02Z\n",
			want: "2026-01-01T00:00:00Z 2026-01-01T00:00:02Z a 1\n2026-01-01T00:00:00Z 2026-01-01T00:00:04Z a 1\n" +
				"2026-01-01T00:00:00Z 2026-01-01T00:00:04Z b 1\n2026-01-01T00:00:00Z 2026-01-01T00:00:06Z a 1\n" +
				"2026-01-01T00:00:00Z 2026-01-01T00:00:06Z b 1\n---\n" +
				"2026-01-01T00:00:00Z 2026-01-01T00:00:04Z a 2\n2026-01-01T00:00:00Z 2026-01-01T00:00:06Z a 2\n",
		},
		{
			name: "year 9999, and a time that is NULL", window: window(10*s, 5*s), agg: count, bad: []string{"window: time is NULL"},
			in:   "null a 1 1\n9999-12-31T23:59:59Z a 1 1\n",
			want: "9999-12-31T23:59:50Z 10000-01-01T00:00:00Z a 1\n9999-12-31T23:59:55Z 10000-01-01T00:00:05Z a 1\n",
		},
		{
			name: "sums of sliding windows", window: window(6*s, 2*s),
			agg: aggregateOf{keys: []int{1}, funcs: []string{"sum", "avg", "count"}, args: []int{2, 2, 2}},
			in: "2026-01-01T00:00:00Z a 1 1\n2026-01-01T00:00:02Z a 2 1\n2026-01-01T00:00:03Z b null 1\n2026-01-01T00:00:04Z a 4 1\n" +
				"2026-01-01T00:00:08Z a 8 1\n2026-01-01T00:00:20Z a 16 1\n",
			want: "2025-12-31T23:59:56Z 2026-01-01T00:00:02Z a 1 1.0 1\n2025-12-31T23:59:58Z 2026-01-01T00:00:04Z a 3 1.5 2\n" +
				"2025-12-31T23:59:58Z 2026-01-01T00:00:04Z b null null 0\n2026-01-01T00:00:00Z 2026-01-01T00:00:06Z a 7 2.3333333333333335 3\n" +
				"2026-01-01T00:00:00Z 2026-01-01T00:00:06Z b null null 0\n2026-01-01T00:00:02Z 2026-01-01T00:00:08Z a 6 3.0 2\n" +
				"2026-01-01T00:00:02Z 2026-01-01T00:00:08Z b null null 0\n2026-01-01T00:00:04Z 2026-01-01T00:00:10Z a 12 6.0 2\n" +
				"2026-01-01T00:00:06Z 2026-01-01T00:00:12Z a 8 8.0 1\n2026-01-01T00:00:08Z 2026-01-01T00:00:14Z a 8 8.0 1\n" +
				"2026-01-01T00:00:16Z 2026-01-01T00:00:22Z a 16 16.0 1\n2026-01-01T00:00:18Z 2026-01-01T00:00:24Z a 16 16.0 1\n" +
				"2026-01-01T00:00:20Z 2026-01-01T00:00:26Z a 16 16.0 1\n",
		},
		{
			name: "update gives windows and groups that changed", window: window(10*s, 5*s),
			agg: aggregateOf{keys: []int{1}, funcs: []string{"count"}, args: []int{-1}, mode: operators.Update}, skip: perInterval,
			in: "2026-01-01T00:00:06Z a 1 1\n2026-01-01T00:00:06Z b 1 1\n--- end=2026-01-01T00:00:01Z\n2026-01-01T00:00:11Z a 1 1\n" +
				"--- end=2026-01-01T00:00:02Z\n--- end=2026-01-01T00:00:03Z\n",
			want: "2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 1\n2026-01-01T00:00:00Z 2026-01-01T00:00:10Z b 1\n" +
				"2026-01-01T00:00:05Z 2026-01-01T00:00:15Z a 1\n2026-01-01T00:00:05Z 2026-01-01T00:00:15Z b 1\n---\n" +
				"2026-01-01T00:00:05Z 2026-01-01T00:00:15Z a 2\n2026-01-01T00:00:10Z 2026-01-01T00:00:20Z a 1\n---\n",
		},
		{
			name: "early results of running windows come at ticks, later ones at once", skip: perInterval,
			window: with(window(10*s, 10*s), func(w *operators.WindowSpec) { w.Lateness = 20 * s }),
			agg:    aggregateOf{keys: []int{1}, funcs: []string{"count"}, args: []int{-1}, mode: operators.Update, early: 2 * s},
			in: "2026-01-01T00:00:01Z a 1 1\n--- end=2026-01-01T00:00:01Z watermark=2026-01-01T00:00:01Z\n" +
				"2026-01-01T00:00:03Z b 1 1\n--- end=2026-01-01T00:00:02Z watermark=2026-01-01T00:00:03Z\n" +
				"2026-01-01T00:00:09Z b 1 1\n--- end=2026-01-01T00:00:03Z watermark=2026-01-01T00:00:09Z\n" +
				"2026-01-01T00:00:12Z a 1 1\n--- end=2026-01-01T00:00:03.5Z watermark=2026-01-01T00:00:12Z\n" +
				"2026-01-01T00:00:02Z a 1 1\n--- end=2026-01-01T00:00:03.6Z watermark=2026-01-01T00:00:12Z\n" +
				"--- end=2026-01-01T00:00:07Z watermark=2026-01-01T00:00:12Z\n",
			want: "---\n2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 1\n2026-01-01T00:00:00Z 2026-01-01T00:00:10Z b 1\n---\n---\n" +
				"2026-01-01T00:00:00Z 2026-01-01T00:00:10Z b 2\n---\n2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 2\n---\n" +
				"2026-01-01T00:00:10Z 2026-01-01T00:00:20Z a 1\n",
		},
		{
			name: "windows that come out when they end, and with each late row", skip: perInterval,
			window: with(window(10*s, 10*s), func(w *operators.WindowSpec) { w.Lateness = 5 * s }), late: 1,
			agg: aggregateOf{keys: []int{1}, funcs: []string{"count"}, args: []int{-1}, mode: operators.Update, early: operators.NeverEarly},
			in: "2026-01-01T00:00:01Z a 1 1\n--- end=2026-01-01T00:00:01Z watermark=2026-01-01T00:00:01Z\n" +
				"2026-01-01T00:00:03Z b 1 1\n--- end=2026-01-01T00:00:02Z watermark=2026-01-01T00:00:03Z\n" +
				"2026-01-01T00:00:12Z a 1 1\n--- end=2026-01-01T00:00:03Z watermark=2026-01-01T00:00:12Z\n" +
				"2026-01-01T00:00:02Z a 1 1\n2026-01-01T00:00:16Z a 1 1\n--- end=2026-01-01T00:00:04Z watermark=2026-01-01T00:00:16Z\n" +
				"2026-01-01T00:00:02Z late 1 1\n--- end=2026-01-01T00:00:05Z watermark=2026-01-01T00:00:16Z\n",
			want: "---\n---\n2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 1\n2026-01-01T00:00:00Z 2026-01-01T00:00:10Z b 1\n---\n" +
				"2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 2\n---\n",
		},
		{
			name: "sliding windows that come out when they end, with rows kept apart", window: window(10*s, 5*s), skip: perInterval,
			agg: aggregateOf{keys: []int{1}, funcs: []string{"count"}, args: []int{-1}, mode: operators.Update, early: operators.NeverEarly},
			// The third row is late for [0,10), and counts for [5,15).
			in: "2026-01-01T00:00:06Z a 1 1\n--- end=2026-01-01T00:00:01Z watermark=2026-01-01T00:00:06Z\n" +
				"2026-01-01T00:00:11Z b 1 1\n--- end=2026-01-01T00:00:02Z watermark=2026-01-01T00:00:11Z\n" +
				"2026-01-01T00:00:07Z a 1 1\n--- end=2026-01-01T00:00:03Z watermark=2026-01-01T00:00:11Z\n" +
				"2026-01-01T00:00:15Z b 1 1\n--- end=2026-01-01T00:00:04Z watermark=2026-01-01T00:00:15Z\n",
			want: "---\n2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 1\n---\n---\n" +
				"2026-01-01T00:00:05Z 2026-01-01T00:00:15Z a 2\n2026-01-01T00:00:05Z 2026-01-01T00:00:15Z b 1\n",
		},
		{
			name: "early results of arrival windows", skip: perInterval,
			window: with(window(4*s, 4*s), func(w *operators.WindowSpec) { w.Arrival = true }),
			agg:    aggregateOf{keys: []int{1}, funcs: []string{"count"}, args: []int{-1}, mode: operators.Update, early: 3 * s},
			in: "2026-01-01T00:00:00.5Z a 1 1\n--- end=2026-01-01T00:00:01Z\n2026-01-01T00:00:01.5Z a 1 1\n--- end=2026-01-01T00:00:02Z\n" +
				"--- end=2026-01-01T00:00:03Z\n2026-01-01T00:00:03.5Z b 1 1\n--- end=2026-01-01T00:00:04Z\n--- end=2026-01-01T00:00:09Z\n",
			want: "---\n---\n2026-01-01T00:00:00Z 2026-01-01T00:00:04Z a 2\n---\n2026-01-01T00:00:00Z 2026-01-01T00:00:04Z b 1\n---\n",
		},
		{
			name: "complete keeps all windows", window: window(10*s, 10*s),
			agg: aggregateOf{keys: []int{1}, funcs: []string{"count"}, args: []int{-1}, mode: operators.Complete}, skip: perInterval,
			in: "2026-01-01T00:00:06Z a 1 1\n--- end=2026-01-01T00:00:01Z\n2026-01-01T00:00:21Z a 1 1\n--- end=2026-01-01T00:00:02Z\n",
			want: "2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 1\n---\n2026-01-01T00:00:00Z 2026-01-01T00:00:10Z a 1\n" +
				"2026-01-01T00:00:20Z 2026-01-01T00:00:30Z a 1\n",
		},
		{
			name: "an arrival window closes with the interval", agg: count, skip: perInterval,
			window: with(window(2*s, 1*s), func(w *operators.WindowSpec) { w.Arrival = true }),
			in: "2026-01-01T00:00:00.5Z a 1 1\n--- end=2026-01-01T00:00:01Z\n2026-01-01T00:00:01.5Z a 1 1\n--- end=2026-01-01T00:00:02Z\n" +
				"--- end=2026-01-01T00:00:05Z\n",
			want: "2025-12-31T23:59:59Z 2026-01-01T00:00:01Z a 1\n---\n2026-01-01T00:00:00Z 2026-01-01T00:00:02Z a 2\n---\n" +
				"2026-01-01T00:00:01Z 2026-01-01T00:00:03Z a 1\n",
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

// feed gives rows to an operator in one interval that ends with a watermark, and returns what comes out.
func feed(t *testing.T, op operators.Operator, in *arrow.Schema, rows string, watermark batch.Time) (text string, out batch.Time) {
	t.Helper()
	pool := batch.NewPool(0)
	f, err := batch.Parse(pool, in, rows)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	emit := func(b batch.Batch) error {
		text += batch.Format(b)
		return nil
	}
	if err := op.BeginInterval(batch.Interval{ID: 1, Start: optest.Start, End: optest.Start + 1_000_000}); err != nil {
		t.Fatal(err)
	}
	if f.Len() > 0 {
		if err := op.Process(context.Background(), 0, batch.Batch{Rows: f.Rows()}, emit); err != nil {
			t.Fatal(err)
		}
	}
	if out, err = op.EndInterval(context.Background(), []batch.Time{watermark}, emit); err != nil {
		t.Fatal(err)
	}
	return text, out
}

func TestAggregateTellsOfSumsThatOverflow(t *testing.T) {
	in := optest.MustSchema("k BIGINT, n BIGINT")
	var bad []string
	pool := batch.NewPool(0)
	op, err := aggregateOf{keys: []int{0}, funcs: []string{"sum"}, args: []int{1}, mode: operators.Update}.new(t, in)(operators.Env{
		Mem: pool,
		Bad: func(origin *batch.Origin, _ int32, why string) {
			if origin.Split != -1 {
				t.Errorf("split of a row that the operator made: want -1, got %d", origin.Split)
			}
			bad = append(bad, why)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := feed(t, op, in, "1 9223372036854775807\n1 1\n2 3\n3 -9223372036854775808\n3 -1\n3 1\n", batch.MinTime)
	if want := "2 3\n3 -9223372036854775808\n"; got != want && got != "3 -9223372036854775808\n2 3\n" {
		t.Errorf("rows: want %q, got %q", want, got)
	}
	if len(bad) != 1 || bad[0] != "sum: BIGINT overflow: 9223372036854775808" {
		t.Errorf("bad rows: %q", bad)
	}
	op.Close()
	if pool.Used() != 0 {
		t.Errorf("%d bytes leaked", pool.Used())
	}
}

func TestAggregateBeyondTime(t *testing.T) {
	in := optest.MustSchema("at TIMESTAMP event")
	for _, tt := range []struct {
		name string
		time batch.Time
		bad  int
	}{
		{name: "the smallest time is bad", time: batch.MinTime, bad: 1},
		{name: "the largest time is bad", time: batch.MaxTime, bad: 1},
		{name: "year 9999 is good", time: batch.TimeOf(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))},
		{name: "year 1 is good", time: batch.TimeOf(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := 0
			pool := batch.NewPool(0)
			window := &operators.WindowSpec{Time: expr.Column(in, 0), Size: 1 << 62 / 1000 * 1000, Slide: 1 << 60 / 1000 * 1000, Offset: -1 << 62 / 1000 * 1000}
			window.Slide = window.Size
			op, err := aggregateOf{window: window, funcs: []string{"count"}, args: []int{-1}}.new(t, in)(operators.Env{
				Mem: pool, Bad: func(*batch.Origin, int32, string) { bad++ },
			})
			if err != nil {
				t.Fatal(err)
			}
			c := batch.NewColumn(pool, batch.Timestamp)
			c.AppendInt64(int64(tt.time))
			view := batch.NewView(in)
			view.Set(0, c.Array())
			view.SetRows(1)
			rows := 0
			emit := func(b batch.Batch) error { rows += b.NumLive(); return nil }
			for _, w := range []batch.Time{batch.MinTime, batch.MinTime + 1, 0, batch.MaxTime - 1, batch.MaxTime} {
				if w == 0 {
					if err := op.Process(context.Background(), 0, batch.Batch{Rows: view, Origin: batch.Origin{Watermarks: []batch.Time{batch.MinTime}}}, emit); err != nil {
						t.Fatal(err)
					}
					w = batch.MinTime + 2
				}
				if _, err := op.EndInterval(context.Background(), []batch.Time{w}, emit); err != nil {
					t.Fatal(err)
				}
			}
			if bad != tt.bad || rows != 1-tt.bad {
				t.Errorf("%d bad rows, %d rows", bad, rows)
			}
			c.Release()
			op.Close()
			if pool.Used() != 0 {
				t.Errorf("%d bytes leaked", pool.Used())
			}
		})
	}
}

func TestWatermarkAfterWindows(t *testing.T) {
	in := optest.MustSchema("at TIMESTAMP event")
	window := &operators.WindowSpec{Time: expr.Column(in, 0), Size: 10 * time.Second, Slide: 5 * time.Second, Lateness: 2 * time.Second}
	op, err := aggregateOf{window: window, funcs: []string{"count"}, args: []int{-1}}.new(t, in)(operators.Env{Mem: batch.NewPool(0)})
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	for _, tt := range []struct {
		name     string
		in, want batch.Time
	}{
		{name: "nothing is known before the first row", in: batch.MinTime, want: batch.MinTime},
		{name: "the next window ends on the grid", in: at(11 * time.Second), want: at(10 * time.Second)},
		{name: "a window that is final by now does not come", in: at(12 * time.Second), want: at(15 * time.Second)},
		{name: "nothing comes after the end", in: batch.MaxTime, want: batch.MaxTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, got := feed(t, op, in, "", tt.in); got != tt.want {
				t.Errorf("want %s, got %s", tt.want, got)
			}
		})
	}
}
