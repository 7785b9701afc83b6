package operators_test

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

func TestLateRowsOfAWindow(t *testing.T) {
	in := optest.MustSchema("at TIMESTAMP event, k TEXT, n BIGINT")
	const s = time.Second
	for _, tt := range []struct {
		name        string
		size, slide time.Duration
		lateness    time.Duration
		delay       time.Duration
		exprs       []*expr.Spec
		in, want    string
	}{
		{
			name: "a row is late when its split has passed the end of its window", size: 10 * s, slide: 10 * s,
			in: "2026-01-01T00:00:01Z a 1\n2026-01-01T00:00:12Z b 2\n2026-01-01T00:00:02Z c 3\n2026-01-01T00:00:11Z d 4\n" +
				"2026-01-01T00:00:09.999999Z e 5\n",
			want: "2026-01-01T00:00:02Z c 3\n2026-01-01T00:00:09.999999Z e 5\n",
		},
		{
			name: "the watermark of another split makes no row late", size: 10 * s, slide: 10 * s,
			in:   "2026-01-01T00:00:12Z a 1\n# split 1\n2026-01-01T00:00:02Z b 2\n# split 0\n2026-01-01T00:00:02Z c 3\n",
			want: "2026-01-01T00:00:02Z c 3\n",
		},
		{
			name: "lateness and delay come after the end of the window", size: 10 * s, slide: 10 * s, lateness: 5 * s, delay: 2 * s,
			in:   "2026-01-01T00:00:16.999999Z a 1\n2026-01-01T00:00:02Z b 2\n2026-01-01T00:00:17Z c 3\n2026-01-01T00:00:02Z d 4\n",
			want: "2026-01-01T00:00:02Z d 4\n",
		},
		{
			name: "a row that is late for some of its sliding windows only counts for the others", size: 10 * s, slide: 5 * s,
			in: "2026-01-01T00:00:06Z a 1\n2026-01-01T00:00:12Z a 2\n2026-01-01T00:00:07Z some 3\n2026-01-01T00:00:04Z all 4\n",
			// The second row closes [-5,5) and [0,10): the third counts for [5,15), the fourth for none.
			want: "2026-01-01T00:00:04Z all 4\n",
		},
		{
			name: "a row in a gap between windows is not late", size: 4 * s, slide: 10 * s,
			in:   "2026-01-01T00:00:25Z a 1\n2026-01-01T00:00:03Z late 2\n2026-01-01T00:00:05Z gap 3\n",
			want: "2026-01-01T00:00:03Z late 2\n",
		},
		{
			name: "a row without a time, or that can't be computed, is bad and not late", size: 10 * s, slide: 10 * s,
			exprs: []*expr.Spec{expr.Column(in, 1), call(t, "+", expr.Column(in, 2), expr.Literal(int64(1)))},
			in: "2026-01-01T00:00:12Z a 1\nnull b 2\n2026-01-01T00:00:01Z bad 9223372036854775807\n2026-01-01T00:00:01Z c 3\n" +
				"2026-01-01T00:00:13Z d 9223372036854775807\n",
			want: "2026-01-01T00:00:01Z c 3\n",
		},
		{
			name: "rows before 1970", size: 10 * s, slide: 10 * s,
			in:   "1969-12-31T23:59:51Z a 1\n1970-01-01T00:00:00Z b 2\n1969-12-31T23:59:59Z c 3\n",
			want: "1969-12-31T23:59:59Z c 3\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &operators.WindowSpec{Time: expr.Column(in, 0), Size: tt.size, Slide: tt.slide, Lateness: tt.lateness}
			optest.Run(t, optest.Case{
				New:     build("", &operators.LateSpec{Window: w, Exprs: tt.exprs}, in),
				Schemas: []*arrow.Schema{in}, EventTime: []int{0}, Delay: tt.delay, In: tt.in, Want: tt.want,
			})
		})
	}
}
