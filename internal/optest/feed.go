package optest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// feed drives the operator through all intervals. Its error is the operator's.
func (r *run) feed() error {
	id := uint64(0)
	begun := false
	for _, s := range r.script.steps {
		interval := s.interval
		if s.kind == splitEndStep {
			r.ended[s.split] = true
			continue
		}
		if s.kind == intervalEndStep {
			if !begun {
				id++
				interval.ID = id
				if err := r.begin(interval); err != nil {
					return err
				}
			}
			begun = false
			if s.hasWatermark {
				for i := range r.lower {
					r.lower[i] = s.watermark
				}
			}
			if err := r.end(s.hasWatermark); err != nil {
				return err
			}
			continue
		}
		size := r.setup.size
		if size == 0 {
			size = s.to - s.from
		}
		for from := s.from; from < s.to; from += size {
			if !begun {
				id++
				if err := r.begin(r.intervalOf(s, id)); err != nil {
					return err
				}
				begun = true
			}
			if err := r.batch(s, from, min(from+size, s.to)); err != nil {
				return err
			}
			// The interval that ends with the text's stays open for it: it may have a watermark of its own.
			if r.setup.perBatch && r.hasMoreRows(s, min(from+size, s.to)) {
				if err := r.end(false); err != nil {
					return err
				}
				begun = false
			}
		}
	}
	return nil
}

// intervalOf returns the interval of the text that s is in, with another ID.
func (r *run) intervalOf(s step, id uint64) batch.Interval {
	found := false
	for _, x := range r.script.steps {
		found = found || x == s
		if found && x.kind == intervalEndStep {
			iv := x.interval
			iv.ID = id
			return iv
		}
	}
	return batch.Interval{ID: id}
}

// hasMoreRows says whether rows follow row next of s in the same interval of the text.
func (r *run) hasMoreRows(s step, next int) bool {
	if next < s.to {
		return true
	}
	found := false
	for _, x := range r.script.steps {
		if found && x.kind == intervalEndStep {
			return false
		}
		if found && x.kind == rowsStep {
			return true
		}
		found = found || x == s
	}
	return false
}

func (r *run) begin(iv batch.Interval) error {
	r.outs = append(r.outs, "")
	r.interval = len(r.outs) - 1
	return r.op.BeginInterval(iv)
}

// batch makes a batch of rows of a step and gives it to the operator.
func (r *run) batch(s step, from, to int) error {
	r.batches++
	if r.setup.cancelAt == r.batches {
		r.cancel()
	}
	var rows []int
	for row := from; row < to; row++ {
		if r.setup.garbage {
			rows = append(rows, -1)
			if row%3 == 0 {
				rows = append(rows, -1)
			}
		}
		rows = append(rows, row)
	}
	if r.setup.garbage {
		rows = append(rows, -1)
	}
	in := newInput(r.script.frames[s.input], rows, r.setup.layout)
	in.batch.Origin = batch.Origin{Split: int32(s.split), Block: r.blocks[s.split], Arrival: Start}
	in.batch.Origin.FirstRow = int64(r.blocks[s.split]) << 20 // behind all of the block before, dead rows too
	r.setWatermarks(in, s, rows)

	r.mu.Lock()
	r.input, r.inRow = in, int(r.rows[s.split])
	r.mu.Unlock()
	before := in.hash()
	var err error
	if len(r.partials) > 0 {
		err = r.partials[r.partial].Add(r.ctx, in.batch)
		r.partial = (r.partial + 1) % len(r.partials)
	} else {
		err = r.op.Process(r.ctx, s.input, in.batch, r.emit)
	}
	if in.hash() != before {
		r.faultf("the input batch was changed")
	}
	r.mu.Lock()
	r.input = nil
	r.mu.Unlock()
	in.overwrite()
	r.blocks[s.split]++
	r.rows[s.split] += int64(to - from)
	r.live += to - from
	return err
}

// setWatermarks fills the origin's watermarks, and takes the rows' times in.
func (r *run) setWatermarks(in *input, s step, rows []int) {
	origin := &in.batch.Origin
	column := r.timeColumn(s.input)
	if column < 0 {
		origin.Watermark = batch.MinTime
		return
	}
	times := r.script.frames[s.input].Rows().Column(column).(*array.Timestamp)
	origin.Watermark = r.largest[s.split].Sub(r.c.Delay)
	// Block rows are numbered otherwise than those of the batch where there is garbage, as behind an explode.
	shift := 0
	needed := false
	if r.setup.garbage {
		shift, needed = 3, true
		for i := range rows {
			origin.Source = append(origin.Source, int32(i+shift))
		}
	}
	marks := make([]batch.Time, len(rows)+shift)
	for i := range shift {
		marks[i] = batch.MaxTime
	}
	for i, row := range rows {
		if row < 0 {
			marks[i+shift] = max(origin.Watermark, batch.Time(i)) // of a dead row: anything
			continue
		}
		marks[i+shift] = r.largest[s.split].Sub(r.c.Delay)
		if times.IsValid(row) {
			at := batch.Time(times.Value(row))
			needed = needed || at < marks[i+shift]
			r.largest[s.split] = max(r.largest[s.split], at)
		}
	}
	if needed {
		origin.Watermarks = marks
	}
}

func (r *run) timeColumn(input int) int {
	if r.c.EventTime == nil {
		return -1
	}
	return r.c.EventTime[input]
}

// watermarks returns those of the inputs now.
func (r *run) watermarks(explicit bool) []batch.Time {
	marks := make([]batch.Time, len(r.c.Schemas))
	for i := range marks {
		marks[i] = r.lower[i]
		if explicit || r.timeColumn(i) < 0 {
			continue
		}
		smallest := batch.MaxTime
		for split, input := range r.script.splits {
			if input == i && !r.ended[split] {
				smallest = min(smallest, r.largest[split].Sub(r.c.Delay))
			}
		}
		marks[i] = max(marks[i], smallest)
		r.lower[i] = marks[i]
	}
	return marks
}

// end ends the interval, and restores if it is time.
func (r *run) end(explicit bool) error {
	if keyed, ok := r.op.(operators.Keyed); ok && len(r.partials) > 0 {
		if err := r.absorb(keyed); err != nil {
			return err
		}
	}
	out, err := r.op.EndInterval(r.ctx, r.watermarks(explicit), r.emit)
	if err != nil {
		return err
	}
	if out < r.out {
		r.faultf("the watermark of EndInterval went back: %s after %s", out, r.out)
	}
	r.out = out
	stateful, ok := r.op.(operators.Stateful)
	if !ok {
		return nil
	}
	_, skipped := r.c.Skip[AxisLedger]
	stats := stateful.Stats()
	if held := stats.Rows + stats.Retired + r.retired; !skipped && held != int64(r.live-r.late-len(r.bad)) {
		r.faultf("rows held and retired: want %d (in %d, late %d, bad %d), got %d", r.live-r.late-len(r.bad), r.live, r.late, len(r.bad), held)
	}
	if r.setup.snapshot == neverRestored {
		return nil
	}
	return r.restore(stateful, stats)
}

// absorb merges the partials, two shards at a time.
func (r *run) absorb(op operators.Keyed) error {
	for _, p := range r.partials {
		p.Seal()
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for worker := range errs {
		wg.Go(func() {
			for shard := worker; shard < operators.NumShards && errs[worker] == nil; shard += len(errs) {
				for _, p := range r.partials {
					errs[worker] = errors.Join(errs[worker], op.Absorb(r.ctx, shard, p))
				}
			}
		})
	}
	wg.Wait()
	for _, p := range r.partials {
		p.Reset()
	}
	r.partial = 0
	return errors.Join(errs...)
}

// restore takes the state, and moves it to a new operator if it is time.
func (r *run) restore(op operators.Stateful, stats operators.StateStats) error {
	ctx := context.Background()
	mode := r.setup.snapshot
	isSecond := r.interval%2 == 1
	if mode == changesSkipped && !isSecond {
		return nil
	}
	if err := r.state.Save(ctx, op, mode == fullEach); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if mode == changesTwo && !isSecond {
		return nil
	}
	full := &State{}
	if err := full.Save(ctx, op, true); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if got, want := r.state.text(), full.text(); got != want {
		r.faultf("changes do not add up to the full snapshot (-full +changes)\n%s", diff(want, got))
	}
	r.retired += stats.Retired
	r.closeOperator()
	if err := r.open(); err != nil {
		return err
	}
	next := r.op.(operators.Stateful)
	if err := r.state.Load(ctx, next, mode == changesEach); err != nil {
		return err
	}
	if _, skipped := r.c.Skip[AxisLedger]; skipped {
		return nil
	}
	if got := next.Stats(); got.Rows != stats.Rows {
		r.faultf("rows held after restore: want %d, got %d", stats.Rows, got.Rows)
	}
	r.retired -= next.Stats().Retired
	return nil
}
