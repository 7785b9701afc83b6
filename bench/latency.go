package bench

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/egress"
)

// Latency is how long after the time at which a row was due it was visible in the sink.
type Latency struct {
	PerSecond int64         `json:"rows_per_second"`
	Interval  time.Duration `json:"interval_ns"`
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	P999      time.Duration `json:"p999_ns"`
	Max       time.Duration `json:"max_ns"`
	// Timer is by how much a sleep of 1 ms was too long, RTT how long 256 B took over loopback and back, both at the 99th
	// percentile and measured just before.
	Timer time.Duration `json:"timer_p99_ns"`
	RTT   time.Duration `json:"rtt_p99_ns"`
	// BareP50 and BareP99 are what P50 and P99 were just before of a program that reads the same rows from the same sender, and at
	// the end of every interval looks at the clock: what no program can be below that gives rows out once per interval.
	BareP50 time.Duration `json:"bare_p50_ns"`
	BareP99 time.Duration `json:"bare_p99_ns"`
}

// Floor returns what the machine's timer and loopback cost at the 99th percentile.
func (l *Latency) Floor() time.Duration { return l.Timer + l.RTT }

type latencySpec struct {
	interval  time.Duration
	perSecond int64
}

const latencyScript = `
CREATE SOURCE rows (due BIGINT, text TEXT, more TEXT) FROM 'INPUT' FORMAT CSV;
CREATE VIEW result AS SELECT due FROM rows WHERE text <> 'none'`

var latencyWorkloads = []*Workload{
	latencyWorkload("latency-1ms", time.Millisecond),
	latencyWorkload("latency-10ms", 10*time.Millisecond),
}

func latencyWorkload(name string, interval time.Duration) *Workload {
	spec := &latencySpec{interval: interval, perSecond: 100_000}
	return &Workload{
		Name: name, About: fmt.Sprintf("100 K rows/s over TCP, filtered, intervals and commits of %s, no checkpoint", interval),
		TCP: true, Rows: 10 * spec.perSecond, Script: latencyScript, latency: spec,
	}
}

// latencySink notes, when rows become visible, how late that is.
type latencySink struct {
	plainSink

	pending []int64 // due times that were written and are not committed
	late    []int64 // microseconds
}

var _ egress.Sink = (*latencySink)(nil)

// Write notes when the rows were due.
func (s *latencySink) Write(_ context.Context, _ batch.Interval, in batch.Batch) error {
	due := in.Rows.Column(0).(*array.Int64).Int64Values()
	if in.Sel == nil {
		s.pending = append(s.pending, due[:in.NumRows()]...)
		return nil
	}
	for _, i := range in.Sel {
		s.pending = append(s.pending, due[i])
	}
	return nil
}

// Commit makes the rows visible.
func (s *latencySink) Commit(context.Context, uint64, egress.Token) error {
	now := time.Now().UnixMicro()
	for _, due := range s.pending {
		s.late = append(s.late, now-due)
	}
	s.pending = s.pending[:0]
	return nil
}

// runLatency measures a workload at its rate. The first tenth of the rows is for warming up.
func runLatency(ctx context.Context, w *Workload, req Request, rows int64) (Sample, error) {
	result := Latency{PerSecond: w.latency.perSecond, Interval: w.latency.interval}
	if err := result.measureFloor(ctx); err != nil {
		return Sample{}, err
	}
	if err := result.measureBare(ctx, req.Address); err != nil {
		return Sample{}, err
	}
	sink := &latencySink{late: make([]int64, 0, rows)}
	m, err := beginProfiled(req.CPUProfile)
	if err != nil {
		return Sample{}, err
	}
	job, err := tidemill.New(tidemill.Config{
		Interval: w.latency.interval, CommitEvery: w.latency.interval, Workers: req.Workers, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return Sample{}, err
	}
	if err := job.SQL(w.script("tcp://"+req.Address, rows)); err != nil {
		return Sample{}, err
	}
	job.Table("result").ToSink("out", sink)
	if err := job.Start(ctx); err != nil {
		return Sample{}, err
	}
	err = job.Wait()
	s := m.end()
	if n := int64(len(sink.late)); err == nil && n != rows {
		err = fmt.Errorf("%d rows became visible, want %d", n, rows)
	}
	if err != nil {
		return s, err
	}
	late := sink.late[rows/10:]
	slices.Sort(late)
	result.P50, result.P99 = percentile(late, 0.5), percentile(late, 0.99)
	result.P999, result.Max = percentile(late, 0.999), percentile(late, 1)
	s.Latency = &result
	s.Answer = answerOf(whole(rows))
	return s, nil
}

// percentile returns the smallest value of sorted microseconds that the part p of them is not above.
func percentile(sorted []int64, p float64) time.Duration {
	i := min(int(float64(len(sorted))*p), len(sorted)-1)
	return time.Duration(sorted[i]) * time.Microsecond
}
