package tidemill_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
)

// processFuncs is a Processor of functions.
type processFuncs struct {
	row   func(c *tidemill.Call[string, int64], r visitRow)
	timer func(c *tidemill.Call[string, int64], kind tidemill.TimeKind, at time.Time)
}

func (p processFuncs) Row(c *tidemill.Call[string, int64], r visitRow) { p.row(c, r) }

func (p processFuncs) Timer(c *tidemill.Call[string, int64], kind tidemill.TimeKind, at time.Time) {
	p.timer(c, kind, at)
}

type visitProcessor = tidemill.Processor[string, visitRow, int64]

func visitSpec(isEvent bool, newProc func(ks *tidemill.KeyedState) visitProcessor) tidemill.ProcessSpec[string, visitRow, int64] {
	spec := tidemill.ProcessSpec[string, visitRow, int64]{Key: func(r visitRow) string { return r.User }, New: newProc}
	if isEvent {
		spec.EventTime = func(r visitRow) time.Time { return r.At }
	}
	return spec
}

func TestFaultsOfDeclaredState(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(ks *tidemill.KeyedState)
		want string
	}{
		{name: "a slice", want: `state "x": type []int64 []int64 can't be a column`, make: func(ks *tidemill.KeyedState) { tidemill.NewValueState[[]int64](ks, "x", tidemill.TTL{}) }},
		{name: "a nested list", want: "field A: []string can't be a column", make: func(ks *tidemill.KeyedState) {
			tidemill.NewListState[struct{ A []string }](ks, "x", tidemill.TTL{})
		}},
		{name: "two of one name", want: `state "x": there are two of this name`, make: func(ks *tidemill.KeyedState) {
			tidemill.NewValueState[int64](ks, "x", tidemill.TTL{})
			tidemill.NewMapState[string, int64](ks, "x", tidemill.TTL{})
		}},
		{name: "no name", want: "its name must be a word", make: func(ks *tidemill.KeyedState) { tidemill.NewValueState[int64](ks, "", tidemill.TTL{}) }},
		{name: "a TTL that goes back", want: "After must be whole microseconds and not negative: -1s", make: func(ks *tidemill.KeyedState) {
			tidemill.NewValueState[int64](ks, "x", tidemill.TTL{After: -time.Second})
		}},
		{name: "a TTL in a time that rows do not have", want: "TTL in event time: the rows have none", make: func(ks *tidemill.KeyedState) {
			tidemill.NewValueState[int64](ks, "x", tidemill.TTL{After: time.Second, Kind: tidemill.EventTime})
		}},
		{name: "a panic", want: "New panics: no luck", make: func(*tidemill.KeyedState) { panic("no luck") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			job := newJob(t, tidemill.Config{})
			tidemill.Process(tidemill.As[visitRow](clicksOf(t, job)), visitSpec(false, func(ks *tidemill.KeyedState) visitProcessor {
				tt.make(ks)
				return processFuncs{}
			})).DStream().Print()
			if err := job.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error: want %q in it, got %v", tt.want, err)
			}
		})
	}
}

func TestTimersThatGoWrongStopTheJob(t *testing.T) {
	type call = tidemill.Call[string, int64]
	setNext := func(c *call, at time.Time) { c.SetTimer(tidemill.EventTime, at.Add(time.Minute)) }
	for _, tt := range []struct {
		name  string
		timer func(c *call, at time.Time)
		want  string
	}{
		{name: "a panic names the function, the key and the time", timer: func(*call, time.Time) { panic("no luck") }, want: "panics: no luck: timer of event time "},
		{name: "a timer without end", timer: setNext, want: "timers set one another without end after the end of the input: look at AtEnd: key ada"},
		{name: "a timer that does not move", timer: func(c *call, at time.Time) { c.SetTimer(tidemill.EventTime, at) }, want: "it must be after that"},
		{name: "a timer without end that looks at the end", timer: func(c *call, at time.Time) {
			if !c.AtEnd() {
				setNext(c, at)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			job := newJob(t, tidemill.Config{})
			tidemill.Process(tidemill.As[visitRow](clicksOf(t, job)), visitSpec(true, func(*tidemill.KeyedState) visitProcessor {
				return processFuncs{
					row: func(c *call, r visitRow) {
						if c.Key() == "ada" {
							setNext(c, r.At)
						}
					},
					timer: func(c *call, _ tidemill.TimeKind, at time.Time) { tt.timer(c, at) },
				}
			})).DStream().Print()
			err := ends(t, job)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error: want %q in it, got %v", tt.want, err)
			}
		})
	}
}

func TestPanicsOfRowsThatWaitedAreBadRows(t *testing.T) {
	job := newJob(t, tidemill.Config{})
	tidemill.Process(tidemill.As[visitRow](clicksOf(t, job)), visitSpec(true, func(*tidemill.KeyedState) visitProcessor {
		return processFuncs{row: func(c *tidemill.Call[string, int64], r visitRow) {
			c.Emit(r.N)
			c.SetTimer(tidemill.ProcessingTime, r.At)
			panic("no luck")
		}}
	})).DStream().Print()
	must(t, ends(t, job))
	var bad, out int64
	for _, n := range job.Status().Operators {
		bad += n.Bad
		if n.Name == "process1" {
			out += n.Out
		}
	}
	if bad == 0 || out != 0 {
		t.Errorf("%d bad rows, %d rows out", bad, out)
	}
}

// TestStateOfOtherTypesIsJudgedBeforeAStart keeps state in one type, and starts again with another.
func TestStateOfOtherTypesIsJudgedBeforeAStart(t *testing.T) {
	type was struct {
		N    int64
		Name string
	}
	dir := t.TempDir()
	keep := func(t *testing.T, dir string) {
		t.Helper()
		job := newJob(t, tidemill.Config{Checkpoint: dir, CommitEvery: 1})
		keepState[was](t, job)
		must(t, ends(t, job))
	}
	keep(t, filepath.Join(dir, "judged"))
	type same struct {
		Name string
		N    int64
	}
	type wider struct {
		N    float64
		More tidemill.Optional[string]
	}
	type refused struct {
		N    string
		Name string
		More int64
	}
	for _, tt := range []struct {
		name string
		keep func(t *testing.T, job *tidemill.Context)
		want string
	}{
		{name: "other order", keep: keepState[same], want: "kept"},
		{name: "wider", keep: keepState[wider], want: "migrated: column value_n is widened from BIGINT to DOUBLE; column value_more is new: it is NULL in what is stored; " +
			"column value_name is dropped"},
		{name: "refused", keep: keepState[refused], want: "refused: column value_n was BIGINT, is TEXT; column value_more is new, and can't be NULL: make its field an Optional"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			job := newJob(t, tidemill.Config{})
			tt.keep(t, job)
			m, err := job.Against(filepath.Join(dir, "judged"))
			must(t, err)
			got := ""
			for _, c := range m.Changes {
				if c.Name == "kept/state" {
					got = strings.TrimSuffix(c.Fate+": "+strings.Join(c.Why, "; "), ": ")
				}
			}
			if diff := cmp.Diff(tt.want, got[:min(len(got), len(tt.want))]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", got, diff)
			}
		})
	}
}

// keepState adds a step that keeps state of type S.
func keepState[S any](t *testing.T, job *tidemill.Context) {
	t.Helper()
	pairs := tidemill.KeyBy(tidemill.As[visitRow](job.Source("clicks", "file:testdata/dstreams/clicks.csv", tidemill.SourceOptions{
		Columns: "user TEXT, n BIGINT, at TIMESTAMP",
	})), func(r visitRow) string { return r.User })
	tidemill.MapWithState(pairs, tidemill.StateSpec[string, visitRow, S, int64]{
		Map: func(_ batch.Interval, _ string, _ tidemill.Optional[visitRow], state *tidemill.State[S], emit func(int64)) {
			state.Update(state.Option().Value)
			emit(1)
		},
	}).Named("kept").DStream().Print()
}
