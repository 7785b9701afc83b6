package operators_test

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
)

func TestIntervalWindow(t *testing.T) {
	schema := optest.MustSchema("n BIGINT, k TEXT")
	// Intervals begin at 2026-01-01T00:00:00Z, which is an even number of seconds since the epoch, and a multiple of 3 and 4.
	const in = "0 a\n---\n1 b\nnull null\n---\n2 a\n---\n3 c\n---\n4 a\n---\n5 b\n---\n"
	for _, tt := range []struct {
		name        string
		size, slide time.Duration
		in, want    string
	}{
		{
			name: "each window has the rows of two intervals", size: 2 * time.Second, slide: time.Second, in: in,
			want: "0 a\n---\n0 a\n1 b\nnull null\n---\n1 b\nnull null\n2 a\n---\n2 a\n3 c\n---\n3 c\n4 a\n---\n4 a\n5 b\n",
		},
		{
			name: "a window of four every two", size: 4 * time.Second, slide: 2 * time.Second, in: in,
			want: "---\n0 a\n1 b\nnull null\n---\n---\n0 a\n1 b\nnull null\n2 a\n3 c\n---\n---\n2 a\n3 c\n4 a\n5 b\n",
		},
		{
			name: "a slide that is longer than the window loses rows between", size: 2 * time.Second, slide: 3 * time.Second, in: in,
			want: "---\n---\n1 b\nnull null\n2 a\n---\n---\n---\n4 a\n5 b\n",
		},
		{
			name: "quiet intervals still emit what is in the window", size: 3 * time.Second, slide: time.Second, in: "1 a\n---\n---\n---\n---\n",
			want: "1 a\n---\n1 a\n---\n1 a\n---\n",
		},
		{
			name: "an interval that covers several ticks is at the last one", size: 2 * time.Second, slide: time.Second,
			in:   "1 a\n--- end=2026-01-01T00:00:05Z\n2 b\n---\n---\n",
			want: "1 a\n---\n1 a\n2 b\n---\n2 b\n",
		},
		{
			name: "intervals that end early belong to the tick that they are in", size: time.Second, slide: time.Second,
			in:   "1 a\n--- end=2026-01-01T00:00:00.5Z\n2 b\n--- end=2026-01-01T00:00:00.75Z\n3 c\n--- end=2026-01-01T00:00:01Z\n",
			want: "---\n---\n1 a\n2 b\n3 c\n",
		},
		{
			name: "the end of the input ends the window", size: 4 * time.Second, slide: 2 * time.Second, in: "1 a\n---\n---\n2 b\n",
			want: "---\n1 a\n---\n1 a\n2 b\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := operators.IntervalWindow{Size: tt.size, Slide: tt.slide, Tick: time.Second}
			optest.Run(t, optest.Case{
				New: build("w", w.Spec(schema), schema), Schemas: []*arrow.Schema{schema}, In: tt.in, Want: tt.want,
				Skip: map[optest.Axis]string{optest.AxisIntervals: notPerInterval},
			})
		})
	}
}

func TestIntervalWindowRefusesSizesThatAreNoMultiples(t *testing.T) {
	schema := optest.MustSchema("n BIGINT")
	w := operators.IntervalWindow{Size: 1500 * time.Millisecond, Slide: time.Second, Tick: time.Second}
	_, err := build("w", w.Spec(schema), schema)(operators.Env{})
	const want = "window of intervals 1500 ms every 1 s: size and slide must be multiples of the interval: size 1.5s, slide 1s, interval 1s"
	if err == nil || err.Error() != want {
		t.Errorf("error: want %q, got %v", want, err)
	}
}
