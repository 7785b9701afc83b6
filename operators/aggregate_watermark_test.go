package operators_test

import (
	"context"
	"testing"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

func TestWindowsOverATimeWithoutWatermark(t *testing.T) {
	in := optest.MustSchema("event TIMESTAMP event, at TIMESTAMP, k BIGINT")
	for _, tt := range []struct {
		name  string
		mode  operators.Mode
		slide time.Duration
		first string // of the interval that ends with a watermark
		last  string // of the one that ends with the stream
	}{
		{
			name: "append gives windows at the end only", mode: operators.Append, slide: 10 * time.Second,
			last: "2026-01-01T00:00:00Z 2026-01-01T00:00:10Z 1 3\n2026-01-01T00:00:10Z 2026-01-01T00:00:20Z 1 2\n",
		},
		{
			name: "append gives sliding windows at the end only", mode: operators.Append, slide: 5 * time.Second,
			last: "2025-12-31T23:59:55Z 2026-01-01T00:00:05Z 1 3\n2026-01-01T00:00:00Z 2026-01-01T00:00:10Z 1 3\n" +
				"2026-01-01T00:00:05Z 2026-01-01T00:00:15Z 1 2\n2026-01-01T00:00:10Z 2026-01-01T00:00:20Z 1 2\n",
		},
		{
			name: "update goes on with a window after any watermark", mode: operators.Update, slide: 10 * time.Second,
			first: "2026-01-01T00:00:00Z 2026-01-01T00:00:10Z 1 2\n2026-01-01T00:00:10Z 2026-01-01T00:00:20Z 1 1\n",
			last:  "2026-01-01T00:00:00Z 2026-01-01T00:00:10Z 1 3\n2026-01-01T00:00:10Z 2026-01-01T00:00:20Z 1 2\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool, late := batch.NewPool(0), 0
			window := &operators.WindowSpec{Time: expr.Column(in, 1), Size: 10 * time.Second, Slide: tt.slide}
			op, err := aggregateOf{window: window, keys: []int{2}, funcs: []string{"count"}, args: []int{-1}, mode: tt.mode}.new(t, in)(
				operators.Env{Mem: pool, Late: func(n int) { late += n }})
			if err != nil {
				t.Fatal(err)
			}
			const event = "2026-01-01T01:00:00Z "
			got, out := feed(t, op, in, event+"2026-01-01T00:00:01Z 1\n"+event+"2026-01-01T00:00:12Z 1\n"+event+"2026-01-01T00:00:02Z 1\n", at(time.Hour))
			if got != tt.first || out != batch.MinTime {
				t.Errorf("first interval: want %q and no promise, got %q and %s", tt.first, got, out)
			}
			// The event times of both rows are before their watermark, which says nothing of at.
			f, err := batch.Parse(pool, in, "2026-01-01T00:30:00Z 2026-01-01T00:00:03Z 1\n2026-01-01T00:30:00Z 2026-01-01T00:00:13Z 1\n")
			if err != nil {
				t.Fatal(err)
			}
			rows := batch.Batch{Rows: f.Rows(), Origin: batch.Origin{Watermarks: []batch.Time{at(time.Hour), at(time.Hour)}}}
			if err := op.Process(context.Background(), 0, rows, nil); err != nil {
				t.Fatal(err)
			}
			got, out = feed(t, op, in, "", batch.MaxTime)
			if got != tt.last || out != batch.MaxTime {
				t.Errorf("last interval: want %q and +inf, got %q and %s", tt.last, got, out)
			}
			if late != 0 {
				t.Errorf("%d late rows", late)
			}
			f.Release()
			op.Close()
			if pool.Used() != 0 {
				t.Errorf("%d bytes leaked", pool.Used())
			}
		})
	}
}

func TestWindowOverTheEndOfAWindow(t *testing.T) {
	in := optest.MustSchema("at TIMESTAMP event, k BIGINT")
	const s = time.Second
	pool := batch.NewPool(0)
	env := operators.Env{Mem: pool, Late: func(n int) { t.Errorf("%d late rows", n) }}
	inner := aggregateOf{
		window: &operators.WindowSpec{Time: expr.Column(in, 0), Size: 10 * s, Slide: 5 * s}, keys: []int{1}, funcs: []string{"count"}, args: []int{-1},
	}
	_, between := inner.spec(t, in)
	first, err := inner.new(t, in)(env)
	if err != nil {
		t.Fatal(err)
	}
	outer := aggregateOf{
		window: &operators.WindowSpec{Time: expr.Column(between, 1), Size: 10 * s, Slide: 10 * s}, funcs: []string{"count", "sum"}, args: []int{-1, 3},
	}
	second, err := outer.new(t, between)(env)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		rows      string
		watermark batch.Time
		want      string
	}{
		{
			name:      "the window of ends 00 and 05 is final when the next end is 10, before any watermark is there",
			rows:      "2026-01-01T00:00:01Z 1\n2026-01-01T00:00:02Z 2\n2026-01-01T00:00:08Z 1\n",
			watermark: at(7 * s), want: "2026-01-01T00:00:00Z 2026-01-01T00:00:10Z 2 2\n",
		},
		{name: "a row that counts for its window counts for the window of it", rows: "2026-01-01T00:00:07Z 2\n", watermark: at(12 * s)},
		{
			name: "ends 10 and 15 come in different intervals", rows: "2026-01-01T00:00:21Z 1\n", watermark: at(15 * s),
			want: "2026-01-01T00:00:10Z 2026-01-01T00:00:20Z 4 6\n",
		},
		{name: "what is left comes at the end", watermark: batch.MaxTime, want: "2026-01-01T00:00:20Z 2026-01-01T00:00:30Z 1 1\n2026-01-01T00:00:30Z 2026-01-01T00:00:40Z 1 1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows, watermark := feed(t, first, in, tt.rows, tt.watermark)
			if got, _ := feed(t, second, between, rows, watermark); got != tt.want {
				t.Errorf("want %q, got %q, of %q with watermark %s", tt.want, got, rows, watermark)
			}
		})
	}
	first.Close()
	second.Close()
	if pool.Used() != 0 {
		t.Errorf("%d bytes leaked", pool.Used())
	}
}
