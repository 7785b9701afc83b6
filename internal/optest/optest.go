// Package optest runs a test case of an operator under every configuration that must not change its rows: batch sizes,
// selections, column layouts, cuts of intervals, restores in between, numbers of partials, errors and cancellation.
package optest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// Axis is a dimension along which a Case is varied, or a check that is made on top.
type Axis string

// The axes. A Case that must leave one out names it in Skip and says why.
const (
	// AxisBatchSize cuts the input into batches of 1, 2, 3 and 1024 rows, and not at all.
	AxisBatchSize Axis = "batch size"
	// AxisSelection puts dead rows of garbage between the live ones.
	AxisSelection Axis = "selection"
	// AxisColumns varies layouts: offsets, dictionaries, bitmaps, columns longer than the batch.
	AxisColumns Axis = "columns"
	// AxisIntervals makes an interval of each batch. A Case whose rows depend on where intervals are cut skips it.
	AxisIntervals Axis = "intervals"
	// AxisSnapshot restores the state into a new operator after intervals. It exists for operators that are Stateful.
	AxisSnapshot Axis = "snapshot"
	// AxisPartials feeds 1, 2 and 5 partials instead of Process. It exists for operators that are Keyed.
	AxisPartials Axis = "partials"
	// AxisEmitError fails emit at the k-th call.
	AxisEmitError Axis = "emit error"
	// AxisCancel cancels the context before the k-th batch.
	AxisCancel Axis = "cancel"
	// AxisLedger compares the rows that went in with those that are held, retired, bad or late, for operators that are Stateful.
	AxisLedger Axis = "ledger"
)

// Case is an operator, its input and the rows that must come out.
//
// In holds rows in the form of batch.Parse, one per line, and lines between them that set the scene:
//
//	# split 1                 the rows that follow are of split 1 (the first rows are of split 0)
//	# input 1 split 3         … of input 1, split 3; split numbers are those of all inputs together
//	# split 3 ends            split 3 has ended: it holds no window open any more
//	---                       ends an interval, of one second if nothing else is said
//	--- end=2026-01-01T00:10:00Z watermark=2026-01-01T00:09:00Z
//	                          ends an interval at that time, with that watermark for all inputs instead of the computed one
//
// The first interval begins at Start. All splits end with the text, so that the last interval's watermark is batch.MaxTime,
// unless the text's last line ends an interval.
type Case struct {
	// New makes the operator, with env's allocator and callbacks. It may be called many times.
	New func(env operators.Env) (operators.Operator, error)
	// Schemas are those of the inputs.
	Schemas []*arrow.Schema
	// EventTime has, per input, the column that the harness takes watermarks from as the engine does: per row and split, the
	// largest time of the rows before it in the split, minus Delay; per input and interval, the smallest of the splits' that
	// have not ended. Nil or -1 means none: the watermark is batch.MinTime until a `---` line says otherwise.
	EventTime []int
	// Delay is how far watermarks are behind the largest event time.
	Delay time.Duration
	// In is the input, in the form above.
	In string
	// Want is the output in the form of batch.Format. Lines `---` in it end the output of an interval; without one, only the
	// rows of all intervals together are compared.
	Want string
	// Unordered says that rows may come in any order within an interval.
	Unordered bool
	// WantBad has, per bad row, why it is bad, in any order.
	WantBad []string
	// WantLate is how many rows are late.
	WantLate int
	// WantErr is a part of the error that stops the run, if one must. Nothing else is then compared, but for leaks.
	WantErr string
	// Skip names axes to leave out, each with the reason.
	Skip map[Axis]string
}

// Start is when the first interval of a Case begins.
var Start = batch.TimeOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))

// maxRuns bounds the configurations of one Case: with some 30 rows this is about a second on one core under -race. All that
// differ from the first configuration on one axis are among them, the others are drawn with a fixed seed.
const maxRuns = 700

// setup is one configuration.
type setup struct {
	size     int // rows per batch, 0: all
	garbage  bool
	layout   layout
	perBatch bool // an interval of each batch
	snapshot snapshotMode
	partials int // 0: Process
	failAt   int // emit call that fails, from 1; 0: none
	cancelAt int // batch before which the context is cancelled, from 1; 0: none
}

func (s setup) String() string {
	size := "all"
	if s.size > 0 {
		size = strconv.Itoa(s.size)
	}
	str := fmt.Sprintf("batch size %s, garbage rows %t, columns %s, interval per batch %t, snapshot %s, partials %d", size, s.garbage,
		s.layout, s.perBatch, s.snapshot, s.partials)
	if s.failAt > 0 {
		str += fmt.Sprintf(", emit fails at call %d", s.failAt)
	}
	if s.cancelAt > 0 {
		str += fmt.Sprintf(", cancelled before batch %d", s.cancelAt)
	}
	return str
}

// Run runs the case in all configurations and reports the first one that fails.
func Run(t testing.TB, c Case) {
	t.Helper()
	for axis, why := range c.Skip {
		if why == "" {
			t.Errorf("optest: axis %s is skipped without a reason", axis)
			return
		}
	}
	script, err := parseScript(&c)
	if err != nil {
		t.Errorf("optest: %v", err)
		return
	}
	defer script.close()
	op, err := c.New(operators.Env{
		Mem: batch.NewPool(0), Bad: func(*batch.Origin, int32, string) {}, Late: func(int) {},
	})
	if err != nil {
		t.Errorf("optest: New: %v", err)
		return
	}
	_, isStateful := op.(operators.Stateful)
	_, isKeyed := op.(operators.Keyed)
	op.Close()

	emits, batches := 0, 0
	for i, s := range setups(&c, isStateful, isKeyed) {
		r := &run{c: &c, script: script, setup: s}
		if !r.report(t) {
			return
		}
		if i == 0 {
			emits, batches = r.emits, r.batches
		}
	}
	if c.WantErr != "" {
		return
	}
	for _, s := range faults(&c, isKeyed, emits, batches) {
		r := &run{c: &c, script: script, setup: s}
		if !r.report(t) {
			return
		}
	}
}

// report runs the configuration and says whether all was well.
func (r *run) report(t testing.TB) bool {
	t.Helper()
	err := r.do()
	if err != nil {
		t.Errorf("optest: %v\nconfiguration: %s", err, r.setup)
	}
	return err == nil
}

// setups returns the configurations to run, the simplest first.
func setups(c *Case, isStateful, isKeyed bool) []setup {
	// Small batches come first: an operator under test has at least two batches then.
	sizes, garbage, layouts := []int{2, 1, 3, 1024, 0}, []bool{false, true}, allLayouts
	perBatch, snapshots, partials := []bool{false, true}, allSnapshotModes, []int{0, 1, 2, 5}
	skips := func(a Axis) bool { _, ok := c.Skip[a]; return ok }
	if skips(AxisBatchSize) {
		sizes = []int{0}
	}
	if skips(AxisSelection) {
		garbage = garbage[:1]
	}
	if skips(AxisColumns) {
		layouts = layouts[:1]
	}
	if skips(AxisIntervals) {
		perBatch = perBatch[:1]
	}
	if skips(AxisSnapshot) || !isStateful {
		snapshots = snapshots[:1]
	}
	if skips(AxisPartials) || !isKeyed {
		partials = partials[:1]
	}
	var few, many []setup
	for i1, size := range sizes {
		for i2, g := range garbage {
			for i3, l := range layouts {
				for i4, p := range perBatch {
					for i5, s := range snapshots {
						for i6, n := range partials {
							x := setup{size: size, garbage: g, layout: l, perBatch: p, snapshot: s, partials: n}
							distance := min(i1, 1) + min(i2, 1) + min(i3, 1) + min(i4, 1) + min(i5, 1) + min(i6, 1)
							if distance <= 1 {
								few = append(few, x)
							} else {
								many = append(many, x)
							}
						}
					}
				}
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(many), func(i, j int) { many[i], many[j] = many[j], many[i] })
	return append(few, many[:min(len(many), maxRuns-len(few))]...)
}

// faults returns configurations with an error in emit, and with a cancelled context.
func faults(c *Case, isKeyed bool, emits, batches int) []setup {
	base := setup{size: 2}
	if _, ok := c.Skip[AxisBatchSize]; ok {
		base.size = 0
	}
	var all []setup
	if _, ok := c.Skip[AxisEmitError]; !ok {
		for k := 1; k <= min(emits, 8); k++ {
			s := base
			s.failAt = k
			all = append(all, s)
			s.garbage = true
			all = append(all, s)
		}
	}
	if _, ok := c.Skip[AxisCancel]; !ok {
		for k := 1; k <= min(batches, 4); k++ {
			s := base
			s.cancelAt = k
			all = append(all, s)
		}
	}
	if _, ok := c.Skip[AxisPartials]; isKeyed && !ok {
		for _, s := range all {
			s.partials = 2
			all = append(all, s)
		}
	}
	return all
}

// MustSchema returns a schema from text such as `at TIMESTAMP event, user TEXT, n BIGINT`: columns with SQL type names, where
// event and arrival mark times that have a watermark.
func MustSchema(columns string) *arrow.Schema {
	var fields []arrow.Field
	for rest := columns; ; {
		name, typ, _ := strings.Cut(strings.TrimSpace(rest), " ")
		t, n, err := batch.ParseTypePrefix(typ)
		if err != nil {
			panic(fmt.Sprintf("schema: column %q: %v", name, err))
		}
		f := arrow.Field{Name: name, Type: t, Nullable: true}
		mark, behind, hasMore := strings.Cut(typ[n:], ",")
		if mark = strings.TrimSpace(mark); mark != "" {
			f.Metadata = arrow.NewMetadata([]string{operators.TimeKey}, []string{mark})
		}
		fields = append(fields, f)
		if rest = behind; !hasMore {
			return arrow.NewSchema(fields, nil)
		}
	}
}
