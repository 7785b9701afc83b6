package bench_test

import (
	"testing"

	"github.com/tidemill/tidemill/bench"
)

func TestSlidesAreMeasuredWhenTheWindowIsFull(t *testing.T) {
	for _, tt := range []struct {
		name  string
		scale float64
		want  int64 // slides; 0: nothing is told
	}{
		{name: "a run that never fills the window", scale: 0.05},
		{name: "four slides of a full window", scale: 0.108333333, want: 4}, // 65 of 600 slides: the first is not emitted, 60 fill it
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := bench.Execute(t.Context(), bench.Request{Workload: "sliding-60s", Program: bench.Engine, Scale: tt.scale})
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == 0 {
				if s.Slides != nil {
					t.Errorf("got %+v", s.Slides)
				}
				return
			}
			got := s.Slides
			if got == nil || got.Count != tt.want || got.Panes != 60 || got.Rows != 20_000 || got.Out != 100_000 {
				t.Fatalf("want %d slides of 20,000 rows in, 100,000 out, got %+v", tt.want, got)
			}
			if got.Window <= 0 || got.Emission <= 0 || got.WindowMax < got.Window {
				t.Errorf("want times, got %+v", got)
			}
		})
	}
}
