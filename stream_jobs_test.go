package tidemill_test

import (
	"time"

	"github.com/tidemill/tidemill"
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
