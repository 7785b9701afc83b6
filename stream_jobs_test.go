package tidemill_test

import (
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
)

// typedEvent is a row of the source e of matrixJobs and crashJobs.
type typedEvent struct {
	User string
	N    int64
	At   time.Time
}

// userTens are groups of events.
type userTens struct {
	User string
	Tens int64
}

// typedWindows writes windows over intervals into the sinks running and rows. The clock of these jobs does not tick, so that there
// is one window, which the end of the input ends; its state goes through all commits before.
func typedWindows(job *tidemill.Context) {
	events := tidemill.As[typedEvent](job.Table("e"))
	csv := tidemill.SinkOptions{Format: "CSV"}
	sums := tidemill.Map(events, func(e typedEvent) tidemill.Pair[userTens, int64] {
		return tidemill.Pair[userTens, int64]{Key: userTens{e.User, e.N % 10}, Value: e.N}
	})
	tidemill.ReduceByKeyAndWindow(sums, tidemill.WindowReduce[userTens, int64]{
		Size: 2 * time.Second, Slide: 2 * time.Second, Reduce: sum, Inverse: minus,
	}).Named("sums").DStream().To("running", "file:"+crashOut+"/running", csv)
	events.Filter(func(e typedEvent) bool { return e.N%3 != 0 }).Window(4*time.Second, 2*time.Second).
		DStream().To("rows", "file:"+crashOut+"/rows", csv)
}

// processed writes what a processor makes of events, in event time, with timers and every kind of state, into the sink visits.
func processed(job *tidemill.Context) {
	events := tidemill.As[typedEvent](job.Table("e"))
	tidemill.Process(events, tidemill.ProcessSpec[string, typedEvent, visitOut]{
		Key: func(e typedEvent) string { return e.User }, EventTime: func(e typedEvent) time.Time { return e.At }, New: newVisits,
	}).Named("visits").DStream().To("visits", "file:"+crashOut+"/visits", tidemill.SinkOptions{Format: "CSV"})
}

// mapped writes running counts of keys into the sink mapped.
func mapped(job *tidemill.Context) {
	pairs := tidemill.Map(tidemill.As[typedEvent](job.Table("e")), func(e typedEvent) tidemill.Pair[userTens, int64] {
		return tidemill.Pair[userTens, int64]{Key: userTens{e.User, e.N % 10}, Value: e.N}
	})
	tidemill.MapWithState(pairs, tidemill.StateSpec[userTens, int64, mean, mean]{
		Map: func(_ batch.Interval, _ userTens, n tidemill.Optional[int64], state *tidemill.State[mean], emit func(mean)) {
			m := state.Option().Value
			m = mean{Sum: m.Sum + n.Value, N: m.N + 1}
			emit(m)
			if m.N == 5 {
				state.Remove()
				return
			}
			state.Update(m)
		},
	}).Named("means").DStream().To("mapped", "file:"+crashOut+"/mapped", tidemill.SinkOptions{Format: "CSV"})
}

type mean struct{ Sum, N int64 }
