package optest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// errInjected is what emit returns at the call that is to fail.
var errInjected = errors.New("injected by optest")

// run is one run of a case in one configuration.
type run struct {
	c      *Case
	script *script
	setup  setup

	pool     *batch.Pool
	op       operators.Operator
	partials []operators.Partial
	ctx      context.Context
	cancel   context.CancelFunc

	outs     []string // per interval, the rows that came out
	emits    int
	batches  int
	partial  int // that gets the next batch
	out      batch.Time
	faults   []error // of callbacks, the first is reported
	state    State
	interval int

	// Watermarks as the engine computes them.
	largest []batch.Time // per split
	ended   []bool
	rows    []int64 // per split, rows so far
	blocks  []uint64
	lower   []batch.Time // per input, of the last explicit watermark

	mu      sync.Mutex
	bad     map[[2]int]string // by split and row within the split
	late    int
	live    int // rows that went in
	retired int64
	input   *input // that is being processed
	inRow   int    // first row of the split in it
}

// do runs the case and returns what is wrong.
func (r *run) do() (err error) {
	r.pool = batch.NewPool(0)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	defer r.cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	r.bad = map[[2]int]string{}
	r.largest = slices.Repeat([]batch.Time{batch.MinTime}, len(r.script.splits))
	r.ended = make([]bool, len(r.script.splits))
	r.rows = make([]int64, len(r.script.splits))
	r.blocks = make([]uint64, len(r.script.splits))
	r.lower = slices.Repeat([]batch.Time{batch.MinTime}, len(r.c.Schemas))
	r.out = batch.MinTime

	runErr := r.open()
	if runErr == nil {
		runErr = r.feed()
	}
	r.closeOperator()
	if used := r.pool.Used(); used != 0 {
		return fmt.Errorf("%d bytes of memory are still in use after Close", used)
	}
	if len(r.faults) > 0 {
		return r.faults[0]
	}
	return r.judge(runErr)
}

// judge compares what came of the run with what the case wants.
func (r *run) judge(err error) error {
	switch {
	case r.c.WantErr != "":
		if err == nil || !strings.Contains(err.Error(), r.c.WantErr) {
			return fmt.Errorf("error: want one with %q, got %w", r.c.WantErr, err)
		}
		return nil
	case r.setup.failAt > 0:
		if err != errInjected { //nolint:errorlint // it must come back unchanged
			return fmt.Errorf("error of emit: want it back unchanged, got %w", err)
		}
		return nil
	case r.setup.cancelAt > 0 && err != nil:
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("cancelled: want context.Canceled, got %w", err)
		}
		return nil
	case err != nil:
		return err
	}
	if err := r.compareRows(); err != nil {
		return err
	}
	var bad []string
	for _, why := range r.bad {
		bad = append(bad, why)
	}
	slices.Sort(bad)
	if want := slices.Sorted(slices.Values(r.c.WantBad)); !slices.Equal(want, bad) {
		return fmt.Errorf("bad rows (-want +got)\n%s", diff(strings.Join(want, "\n"), strings.Join(bad, "\n")))
	}
	if r.late != r.c.WantLate {
		return fmt.Errorf("late rows: want %d, got %d", r.c.WantLate, r.late)
	}
	return nil
}

func (r *run) compareRows() error {
	outs, wants := r.outs, splitIntervals(r.c.Want)
	if len(wants) == 1 || r.setup.perBatch {
		outs, wants = []string{strings.Join(outs, "")}, []string{strings.Join(wants, "")}
	}
	for len(wants) < len(outs) {
		wants = append(wants, "")
	}
	if len(wants) > len(outs) {
		return fmt.Errorf("intervals: Want has %d, In has %d", len(wants), len(outs))
	}
	for i, want := range wants {
		got := outs[i]
		if r.c.Unordered {
			want, got = sortLines(want), sortLines(got)
		}
		if want != got {
			return fmt.Errorf("rows of interval %d of %d (-want +got)\n%s", i+1, len(wants), diff(want, got))
		}
	}
	return nil
}

func splitIntervals(text string) []string {
	parts := []string{""}
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "---"):
			parts = append(parts, "")
		case line != "":
			parts[len(parts)-1] += line + "\n"
		}
	}
	return parts
}

func sortLines(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// open makes the operator and its partials.
func (r *run) open() error {
	op, err := r.c.New(operators.Env{Mem: r.pool, Bad: r.onBad, Late: r.onLate})
	if err != nil {
		return fmt.Errorf("build the operator: %w", err)
	}
	r.op = op
	for range r.setup.partials {
		r.partials = append(r.partials, op.(operators.Keyed).NewPartial())
	}
	return nil
}

func (r *run) closeOperator() {
	for _, p := range r.partials {
		p.Close()
	}
	r.partials = nil
	if r.op != nil {
		r.op.Close()
	}
	r.op = nil
}

func (r *run) onBad(origin *batch.Origin, row int32, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.input == nil || origin == nil {
		r.faultf("bad row outside of Process and Add, or without an origin: %s", why)
		return
	}
	if row < 0 || int(row) >= r.input.batch.NumRows() {
		r.faultf("bad row that the batch has not: row %d of %d: %s", row, r.input.batch.NumRows(), why)
		return
	}
	position := int(row)
	if sel := r.input.batch.Sel; sel != nil {
		live, ok := slices.BinarySearch(sel, row)
		if !ok {
			r.faultf("bad row that is not live: row %d: %s", row, why)
			return
		}
		position = live
	}
	if origin.Split != r.input.batch.Origin.Split || origin.Block != r.input.batch.Origin.Block {
		r.faultf("bad row of another origin: split %d, block %d: %s", origin.Split, origin.Block, why)
		return
	}
	key := [2]int{int(origin.Split), r.inRow + position}
	if _, ok := r.bad[key]; !ok {
		r.bad[key] = why
	}
}

func (r *run) onLate(rows int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late += rows
}

// faultf notes that the operator broke a promise. r.mu may be held.
func (r *run) faultf(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf(format, args...))
}

// emit takes a batch, checks it, and keeps its rows as text.
func (r *run) emit(b batch.Batch) error {
	r.emits++
	if r.setup.failAt > 0 && r.emits > r.setup.failAt {
		r.faultf("emit was called again after it had failed")
		return errInjected
	}
	if r.setup.failAt == r.emits {
		return errInjected
	}
	if err := checkBatch(r.op, b); err != nil {
		r.faultf("emitted batch: %w", err)
		return nil
	}
	r.outs[r.interval] += batch.Format(b)
	return nil
}

func checkBatch(op operators.Operator, b batch.Batch) error {
	if !b.Rows.Schema().Equal(op.Schema()) {
		return fmt.Errorf("schema is not Schema(): want %s, got %s", op.Schema(), b.Rows.Schema())
	}
	if b.NumLive() == 0 {
		return errors.New("no live row")
	}
	last := int32(-1)
	for _, i := range b.Sel {
		if i <= last || int(i) >= b.NumRows() {
			return fmt.Errorf("the selection is not increasing or out of range: row %d after %d of %d", i, last, b.NumRows())
		}
		last = i
	}
	if int(b.Rows.NumCols()) != op.Schema().NumFields() {
		return fmt.Errorf("columns: want %d, got %d", op.Schema().NumFields(), b.Rows.NumCols())
	}
	for c, col := range b.Rows.Columns() {
		f := op.Schema().Field(c)
		if col.Len() < b.NumRows() {
			return fmt.Errorf("column %s is shorter than the batch: %d of %d", f.Name, col.Len(), b.NumRows())
		}
		if got, want := batch.TypeName(col.DataType()), batch.TypeName(f.Type); got != want {
			return fmt.Errorf("column %s: want type %s, got %s", f.Name, want, got)
		}
		text, ok := col.(*array.String)
		for k := 0; ok && k < b.NumLive(); k++ {
			i := k
			if b.Sel != nil {
				i = int(b.Sel[k])
			}
			if text.IsValid(i) && !utf8.ValidString(text.Value(i)) {
				return fmt.Errorf("column %s: row %d is not UTF-8: %q", f.Name, i, text.Value(i))
			}
		}
	}
	return nil
}
