package operators

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// sessionPartial is one worker's part of sessions: those that its rows of the interval make.
type sessionPartial struct {
	*spans
	rowInput
	lateness time.Duration
	gap      int64 // microseconds, where it is the same for all rows
	late     func(rows int)
	hasLate  bool // rows have watermarks of the time
	used     bool

	groups []int32 // scratch
}

var _ Partial = (*sessionPartial)(nil)

func newSessionPartial(spec *AggregateSpec, keyTypes []arrow.DataType, hasLate bool, env Env) *sessionPartial {
	p := &sessionPartial{
		spans: newSpans(env.Mem, keyTypes, spec.Aggs, wideRoom), lateness: spec.Window.Lateness,
		gap: spec.Window.Size.Microseconds(), late: env.Late, hasLate: hasLate,
	}
	p.init(spec, env)
	return p
}

// Add makes sessions of the live rows of in. A row whose gap is NULL or not positive is in no session.
func (p *sessionPartial) Add(ctx context.Context, in batch.Batch) error {
	p.used = true
	if err := p.eval(ctx, &in); err != nil {
		return err
	}
	p.dropLate(&in)
	n := len(p.rows)
	if n == 0 {
		return nil
	}
	p.groups = batch.GrowSlice(p.mem, p.groups, n)
	p.lookup(p.keyArrs, p.rows, p.groups)
	times := batch.Int64s(p.timeArr)
	if p.gapArr == nil {
		for k, i := range p.rows {
			p.groups[k] = p.place(p.groups[k], times[i], times[i]+p.gap)
		}
	} else {
		gaps := batch.Int64s(p.gapArr)
		for k, i := range p.rows {
			p.groups[k] = p.place(p.groups[k], times[i], times[i]+gaps[i])
		}
	}
	p.settle(p.groups)
	p.pane.add(p.argArrs, p.rows, p.groups)
	p.mergeAccumulators()
	return nil
}

// dropLate leaves rows out whose time is before their watermark.
func (p *sessionPartial) dropLate(in *batch.Batch) {
	if in.Origin.Watermarks == nil || !p.hasLate {
		return
	}
	times, late := batch.Int64s(p.timeArr), 0
	kept := p.rows[:0]
	for _, i := range p.rows {
		if batch.Time(times[i]) < in.Origin.RowWatermark(int(i)).Sub(p.lateness) {
			late++
			continue
		}
		kept = append(kept, i)
	}
	p.rows = kept
	if late > 0 && p.late != nil {
		p.late(late)
	}
}

// Seal puts the keys in order of shards.
func (p *sessionPartial) Seal() { p.pane.seal() }

// Reset forgets the rows.
func (p *sessionPartial) Reset() {
	p.reset()
	p.used = false
}

// Close releases all memory.
func (p *sessionPartial) Close() {
	p.spans.close()
	p.rowInput.close()
	batch.FreeSlice(p.mem, p.groups)
	p.groups = nil
}
