package operators_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// cpuTime returns the processor time that the process has used: on a shared machine it says more than a clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkKeyed feeds intervals of rows to a partial and absorbs them, count(*) and sum(BIGINT) per key. It reports millions of
// rows per second of processor time, of all steps and of Add alone, and the nanoseconds per group of Seal, Absorb and Reset.
func BenchmarkKeyed(b *testing.B) {
	in := optest.MustSchema("k BIGINT, s TEXT, at TIMESTAMP event, n BIGINT")
	const s = time.Second
	window := &operators.WindowSpec{Time: expr.Column(in, 2), Size: 10 * s, Slide: 10 * s}
	uniform := func(keys int) func(*rand.Rand) int { return func(r *rand.Rand) int { return r.IntN(keys) } }
	zipf := func(r *rand.Rand) func(*rand.Rand) int {
		z := rand.NewZipf(r, 1.1, 1, 9_999)
		return func(*rand.Rand) int { return int(z.Uint64()) }
	}
	for _, c := range []struct {
		name   string
		rows   int // per interval
		key    int
		next   func(*rand.Rand) int
		window *operators.WindowSpec
		late   bool
	}{
		{name: "int64/groups=1000", rows: 1 << 20, next: uniform(1000)},
		{name: "int64/groups=1000000", rows: 1 << 23, next: uniform(1_000_000)},
		{name: "text/groups=1000", rows: 1 << 20, key: 1, next: uniform(1000)},
		{name: "text/groups=1000000", rows: 1 << 23, key: 1, next: uniform(1_000_000)},
		{name: "int64/window=10s/groups=1000", rows: 1 << 20, next: uniform(1000), window: window},
		{name: "int64/window=10s/unordered/groups=1000", rows: 1 << 20, next: uniform(1000), window: window, late: true},
		{name: "words/zipf=10000", rows: 1 << 20, key: 1, next: zipf(rand.New(rand.NewPCG(1, 2)))},
	} {
		b.Run(c.name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			r := rand.New(rand.NewPCG(1, 2))
			pool := batch.NewPool(0)
			var frames []*batch.Frame
			for from := 0; from < c.rows; from += benchRows {
				f := batch.NewFrame(pool, in)
				for row := range benchRows {
					k := int64(c.next(r))
					f.Columns[0].AppendInt64(k * 7919)
					f.Columns[1].AppendString("k" + strconv.FormatInt(k, 10))
					f.Columns[2].AppendInt64(int64(from + row)) // a second has a million rows
					f.Columns[3].AppendInt64(int64(row) - benchRows/4)
				}
				f.SetRows(benchRows)
				frames = append(frames, f)
			}
			mode := operators.Update
			if c.window != nil {
				mode = operators.Append
			}
			op, err := aggregateOf{window: c.window, keys: []int{c.key}, funcs: []string{"count", "sum"}, args: []int{-1, 3}, mode: mode}.new(b, in)(
				operators.Env{Mem: pool})
			if err != nil {
				b.Fatal(err)
			}
			defer op.Close()
			keyed := op.(operators.Keyed)
			p := keyed.NewPartial()
			defer p.Close()
			var origin batch.Origin
			if c.late {
				origin.Watermarks = make([]batch.Time, benchRows)
			}
			var add, seal, absorb, reset time.Duration
			interval := func() {
				t0 := cpuTime()
				for _, f := range frames {
					if err := p.Add(context.Background(), batch.Batch{Rows: f.Rows(), Origin: origin}); err != nil {
						b.Fatal(err)
					}
				}
				t1 := cpuTime()
				p.Seal()
				t2 := cpuTime()
				for shard := range operators.NumShards {
					if err := keyed.Absorb(context.Background(), shard, p); err != nil {
						b.Fatal(err)
					}
				}
				t3 := cpuTime()
				p.Reset()
				t4 := cpuTime()
				add, seal, absorb, reset = add+t1-t0, seal+t2-t1, absorb+t3-t2, reset+t4-t3
			}
			interval()
			add, seal, absorb, reset = 0, 0, 0, 0
			n := 0
			for b.Loop() {
				interval()
				n++
			}
			groups := float64(op.(operators.Stateful).Stats().Groups) * float64(n)
			all := add + seal + absorb + reset
			b.ReportMetric(float64(n*c.rows)/all.Seconds()/1e6, "Mrows/s")
			b.ReportMetric(float64(n*c.rows)/add.Seconds()/1e6, "Mrows/s-add")
			b.ReportMetric(float64(seal)/groups, "ns/group-seal")
			b.ReportMetric(float64(absorb)/groups, "ns/group-absorb")
			b.ReportMetric(float64(reset)/groups, "ns/group-reset")
		})
	}
}

// BenchmarkSliding slides a window of n seconds by one second: 20,000 rows of 100,000 keys a slide, whose window is full. It
// reports milliseconds of processor time per slide, and bytes of state per group of a pane, of which 24 are key, count and sum.
func BenchmarkSliding(b *testing.B) {
	in := optest.MustSchema("at TIMESTAMP event, k BIGINT, n BIGINT, d DOUBLE")
	const rows, keys = 20_000, 100_000
	for _, c := range []struct {
		name  string
		funcs []string
		args  []int
		panes []int
	}{
		{name: "sum", funcs: []string{"count", "sum"}, args: []int{-1, 2}, panes: []int{60, 600, 3600}},
		{name: "max", funcs: []string{"count", "max"}, args: []int{-1, 2}, panes: []int{60, 600, 3600}},
		{name: "double", funcs: []string{"count", "sum"}, args: []int{-1, 3}, panes: []int{60, 600, 3600}},
	} {
		for _, panes := range c.panes {
			b.Run(c.name+"/panes="+strconv.Itoa(panes), func(b *testing.B) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
				pool, state := batch.NewPool(0), batch.NewPool(0)
				window := &operators.WindowSpec{Time: expr.Column(in, 0), Size: time.Duration(panes) * time.Second, Slide: time.Second}
				op, err := aggregateOf{window: window, keys: []int{1}, funcs: c.funcs, args: c.args}.new(b, in)(operators.Env{Mem: state})
				if err != nil {
					b.Fatal(err)
				}
				defer op.Close()
				keyed := op.(operators.Keyed)
				p := keyed.NewPartial()
				defer p.Close()
				f := batch.NewFrame(pool, in)
				r := rand.New(rand.NewPCG(1, 2))
				emitted := 0
				emit := func(b batch.Batch) error { emitted += b.NumLive(); return nil }
				var add, absorb, end, longest time.Duration
				slide := func(second int) {
					f.Reset(0)
					for range rows {
						f.Columns[0].AppendInt64(int64(second) * 1_000_000)
						f.Columns[1].AppendInt64(int64(r.IntN(keys)))
						f.Columns[2].AppendInt64(int64(r.IntN(1000)))
						f.Columns[3].AppendFloat64(r.Float64())
					}
					f.SetRows(rows)
					t0 := cpuTime()
					if err := p.Add(context.Background(), batch.Batch{Rows: f.Rows()}); err != nil {
						b.Fatal(err)
					}
					t1 := cpuTime()
					p.Seal()
					for shard := range operators.NumShards {
						if err := keyed.Absorb(context.Background(), shard, p); err != nil {
							b.Fatal(err)
						}
					}
					p.Reset()
					t2 := cpuTime()
					if _, err := op.EndInterval(context.Background(), []batch.Time{batch.Time(second+1) * 1_000_000}, emit); err != nil {
						b.Fatal(err)
					}
					t3 := cpuTime()
					add, absorb, end = add+t1-t0, absorb+t2-t1, end+t3-t2
					longest = max(longest, t3-t1)
				}
				second := 0
				for ; second < panes+2; second++ {
					slide(second)
				}
				add, absorb, end, longest, emitted = 0, 0, 0, 0, 0
				n := 0
				for b.Loop() {
					slide(second)
					second++
					n++
				}
				ms := func(d time.Duration) float64 { return d.Seconds() * 1e3 / float64(n) }
				stats := op.(operators.Stateful).Stats()
				b.ReportMetric(ms(add), "ms/slide-add")
				b.ReportMetric(ms(absorb), "ms/slide-absorb")
				b.ReportMetric(ms(end), "ms/slide-end")
				b.ReportMetric(longest.Seconds()*1e3, "ms-longest")
				b.ReportMetric(float64(emitted)/float64(n), "rows-out/slide")
				b.ReportMetric(float64(stats.Bytes)/float64(stats.Groups), "B/group")
			})
		}
	}
}
