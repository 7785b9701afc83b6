package tidemill_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
)

// visitRow is a row of the jobs of this file, and of typedEvent's.
type visitRow = typedEvent

// visitOut is what the processors of this file emit.
type visitOut struct {
	User string
	What string
	N    int64
}

// visits uses every kind of state: it counts the rows of a user, remembers the last two seconds of them, and how often each n came.
// Two seconds after the first row of a visit it tells of these, and forgets the visit.
type visits struct {
	rows   *tidemill.ValueState[int64]
	last   *tidemill.ListState[visitRow]
	often  *tidemill.MapState[int64, int64]
	unread *tidemill.ValueState[tidemill.Optional[string]]
}

func newVisits(ks *tidemill.KeyedState) tidemill.Processor[string, visitRow, visitOut] {
	return &visits{
		rows:   tidemill.NewValueState[int64](ks, "count", tidemill.TTL{}),
		last:   tidemill.NewListState[visitRow](ks, "last", tidemill.TTL{After: 2 * time.Second, Kind: tidemill.EventTime}),
		often:  tidemill.NewMapState[int64, int64](ks, "often", tidemill.TTL{}),
		unread: tidemill.NewValueState[tidemill.Optional[string]](ks, "unread", tidemill.TTL{After: time.Second, Kind: tidemill.EventTime, OnRead: true}),
	}
}

func (v *visits) Row(c *tidemill.Call[string, visitOut], row visitRow) {
	n, _ := v.rows.Get()
	v.rows.Set(n + 1)
	v.last.Append(row)
	often, _ := v.often.Get(row.N)
	v.often.Put(row.N, often+1)
	if _, ok := v.unread.Get(); !ok {
		c.Emit(visitOut{row.User, "after a pause", n})
	}
	v.unread.Set(tidemill.Some("x"))
	if n == 0 {
		c.SetTimer(tidemill.EventTime, row.At.Add(2*time.Second))
		c.SetTimer(tidemill.EventTime, row.At.Add(time.Second))
		c.SetTimer(tidemill.EventTime, row.At.Add(time.Second)) // the same
		c.SetTimer(tidemill.EventTime, row.At.Add(time.Minute))
	}
}

func (v *visits) Timer(c *tidemill.Call[string, visitOut], _ tidemill.TimeKind, at time.Time) {
	n, _ := v.rows.Get()
	var next []string
	for t := range c.Timers(tidemill.EventTime) {
		next = append(next, t.Sub(at).String())
	}
	if len(next) == 2 {
		c.Emit(visitOut{c.Key(), "in a second, next in " + strings.Join(next, "+"), n})
		return
	}
	if len(next) == 0 {
		return
	}
	times := ""
	for n, often := range v.often.All() {
		times += fmt.Sprintf(" %d:%d", n, often)
	}
	var last []int64
	for _, row := range v.last.All() {
		last = append(last, row.N)
	}
	c.Emit(visitOut{c.Key(), fmt.Sprintf("rows%s, last %v of %d", times, last, v.often.Len()), n})
	v.rows.Clear()
	v.often.Clear()
	for t := range c.Timers(tidemill.EventTime) {
		c.DeleteTimer(tidemill.EventTime, t)
		break
	}
}

// basket keeps numbers in every kind of state, and shows them with each row. 0 empties it, -n takes n out, 13 panics half way.
type basket struct {
	sum     *tidemill.ValueState[int64]
	numbers *tidemill.ListState[int64]
	often   *tidemill.MapState[int64, string]
}

func newBasket(ks *tidemill.KeyedState) tidemill.Processor[string, visitRow, visitOut] {
	return &basket{
		sum:     tidemill.NewValueState[int64](ks, "sum", tidemill.TTL{}),
		numbers: tidemill.NewListState[int64](ks, "numbers", tidemill.TTL{}),
		often:   tidemill.NewMapState[int64, string](ks, "often", tidemill.TTL{}),
	}
}

func (b *basket) Row(c *tidemill.Call[string, visitOut], row visitRow) {
	sum, _ := b.sum.Get()
	if row.N == 0 {
		b.clear(c)
		c.Emit(visitOut{User: row.User})
		return
	}
	sum += row.N
	b.sum.Set(sum)
	if row.N > 0 {
		b.numbers.Append(row.N)
		often, _ := b.often.Get(row.N)
		b.often.Put(row.N, often+"x")
	} else {
		b.numbers.Set(b.numbers.All()[1:])
		b.often.Delete(-row.N)
	}
	var what []string
	for n, often := range b.often.All() {
		what = append(what, fmt.Sprintf("%d:%d", n, len(often)))
	}
	var timers []string
	for at := range c.Timers(tidemill.ProcessingTime) {
		timers = append(timers, strings.TrimSuffix(at.Sub(visitTimer).String(), "0m0s"))
	}
	c.Emit(visitOut{row.User, fmt.Sprintf("%v %s %v", b.numbers.All(), strings.Join(what, " "), timers), sum})
	if row.N == 13 {
		for n := range int64(20) {
			b.often.Put(n, "y")
		}
		b.often.Delete(3)
		b.clear(c)
		b.numbers.Append(1, 2, 3)
		b.often.Put(1, "z")
		b.sum.Set(-1)
		c.SetTimer(tidemill.ProcessingTime, visitTimer)
		panic("unlucky")
	}
	if n := len(b.numbers.All()); n == 2 || n == 3 && sum < 9 {
		c.SetTimer(tidemill.ProcessingTime, visitTimer.Add(time.Duration(row.N)*time.Hour))
	}
}

// visitTimer is after the end of all tests.
var visitTimer = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func (b *basket) clear(c *tidemill.Call[string, visitOut]) {
	b.sum.Clear()
	b.numbers.Clear()
	b.often.Clear()
	for h := range 24 {
		c.DeleteTimer(tidemill.ProcessingTime, visitTimer.Add(time.Duration(h)*time.Hour))
	}
}

func (b *basket) Timer(*tidemill.Call[string, visitOut], tidemill.TimeKind, time.Time) {}

// processNode returns the node of steps over rows of schema.
func processNode(t *testing.T, steps func(tidemill.DStream)) *operators.Node {
	t.Helper()
	job := newJob(t, tidemill.Config{})
	path := writeFile(t, t.TempDir()+"/in.csv", "user,n,at\na,1,2026-01-01T00:00:00Z\n")
	steps(job.Source("e", "file:"+path, tidemill.SourceOptions{
		Columns: "user TEXT, n BIGINT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '1 second'",
	}))
	plan, err := job.Plan()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range plan.Nodes {
		if spec, ok := n.Spec.(*operators.CustomSpec); ok && spec.Tables != nil {
			return n
		}
	}
	t.Fatal("the plan has no step with state")
	return nil
}

var visitSchema = optest.MustSchema("user TEXT, n BIGINT, at TIMESTAMP event")

func TestProcess(t *testing.T) {
	byTime := func(s tidemill.DStream) {
		tidemill.Process(tidemill.As[visitRow](s), tidemill.ProcessSpec[string, visitRow, visitOut]{
			Key: func(r visitRow) string { return r.User }, EventTime: func(r visitRow) time.Time { return r.At }, New: newVisits,
		}).DStream().Print()
	}
	asTheyCome := func(s tidemill.DStream) {
		tidemill.Process(tidemill.As[visitRow](s), tidemill.ProcessSpec[string, visitRow, visitOut]{
			Key: func(r visitRow) string { return r.User }, New: newBasket,
		}).DStream().Print()
	}
	const basketPanics = "process tidemill_test.newBasket panics: unlucky"
	for _, tt := range []struct {
		name     string
		steps    func(tidemill.DStream)
		in, want string
		late     int
		bad      []string
		skip     map[optest.Axis]string
	}{
		{
			name: "rows of two splits are handled in order of time, late ones are not", steps: byTime, late: 2,
			in: `a 1 2026-01-01T00:00:00Z
a 2 2026-01-01T00:00:02.5Z
b 7 2026-01-01T00:00:02Z
a 1 2026-01-01T00:00:01.7Z
a 9 2026-01-01T00:00:01.2Z
# split 1
a 3 2026-01-01T00:00:01.5Z
b 7 2026-01-01T00:00:00.8Z
b 8 2026-01-01T00:00:09Z
# split 0
a 4 2026-01-01T00:00:04Z
b 5 2026-01-01T00:00:01Z
b 6 2026-01-01T00:00:03.1Z
`,
			want: `a "after a pause" 0
b "after a pause" 0
a "in a second, next in 1s+59s" 1
a "after a pause" 1
b "in a second, next in 1s+59s" 1
a "rows 1:2 3:1, last [3 1] of 2" 3
b "after a pause" 1
b "rows 7:2, last [7] of 1" 2
b "after a pause" 0
a "in a second, next in 1s+59s" 1
a "after a pause" 1
b "in a second, next in 1s+59s" 1
a "rows 2:1 4:1, last [4] of 2" 2
b "rows 6:1, last [] of 1" 1
b "after a pause" 0
b "in a second, next in 1s+59s" 1
b "rows 8:1, last [] of 1" 1
`,
		},
		{
			name: "a call that panics changes nothing, and its row is bad", steps: asTheyCome,
			in: `a 1 2026-01-01T00:00:00Z
a 2 2026-01-01T00:00:00Z
a 13 2026-01-01T00:00:00Z
a 1 2026-01-01T00:00:00Z
b 13 2026-01-01T00:00:00Z
b 5 2026-01-01T00:00:00Z
a 0 2026-01-01T00:00:00Z
a 0 2026-01-01T00:00:00Z
a 2 2026-01-01T00:00:00Z
b 13 2026-01-01T00:00:00Z
a 3 2026-01-01T00:00:00Z
a 3 2026-01-01T00:00:00Z
a 4 2026-01-01T00:00:00Z
a -3 2026-01-01T00:00:00Z
a 3 2026-01-01T00:00:00Z
b 5 2026-01-01T00:00:00Z
`,
			want: `a "[1] 1:1 []" 1
a "[1 2] 1:1 2:1 []" 3
a "[1 2 1] 1:2 2:1 [2h]" 4
b "[5] 5:1 []" 5
a "" 0
a "" 0
a "[2] 2:1 []" 2
a "[2 3] 2:1 3:1 []" 5
a "[2 3 3] 2:1 3:2 [3h]" 8
a "[2 3 3 4] 2:1 3:2 4:1 [3h]" 12
a "[3 3 4] 2:1 4:1 [3h]" 9
a "[3 3 4 3] 2:1 4:1 3:1 [3h]" 12
b "[5 5] 5:2 []" 10
`,
			bad: []string{basketPanics, basketPanics, basketPanics},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := processNode(t, tt.steps)
			optest.Run(t, optest.Case{
				New:     func(env operators.Env) (operators.Operator, error) { return operators.Build(n, env) },
				Schemas: []*arrow.Schema{visitSchema}, EventTime: []int{2}, Delay: time.Second,
				In: tt.in, Want: tt.want, WantLate: tt.late, WantBad: tt.bad, Skip: tt.skip,
			})
		})
	}
}
