package tidemill

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// maxEndTimers is how many timers may fire in event time after the end of the input, besides those that are set then: more are a timer
// that sets the next one for ever. One a minute comes to two years.
const maxEndTimers = 1 << 20

// maxEmitted is the number of rows after which a Process passes on what was emitted: some 1 MiB of structs.
const maxEmitted = 8192

// processState is what an intervalProcessor works on.
type processState[K comparable, Out any] struct {
	store    *keyedStore[K]
	emitter  emitter[Out]
	call     Call[K, Out]
	interval batch.Interval
}

// process runs a Processor: rows as they come, or, in event time, once the watermark has passed them.
type process[K comparable, In, Out any] struct {
	processState[K, Out]
	name      string
	schema    *arrow.Schema
	env       operators.Env
	spec      ProcessSpec[K, In, Out]
	proc      Processor[K, In, Out]
	intervals intervalProcessor[K, Out] // nil: it is told of rows and timers only
	tables    []operators.StateTable
	slide     batch.Time          // how often rows come
	tick      batch.Time          // the clock's
	waiting   *waitingRows[K, In] // nil: there is no event time

	retired int64
	hasRows bool

	// Scratch of a batch.
	in     *record.Rows[In]
	row    int // of in.Values
	origin batch.Origin
}

var _ operators.Stateful = (*process[int64, int64, int64])(nil)

// Schema returns the schema of what the processor emits.
func (p *process[K, In, Out]) Schema() *arrow.Schema { return p.schema }

// BeginInterval sets processing time.
func (p *process[K, In, Out]) BeginInterval(iv batch.Interval) (err error) {
	p.store.settle()
	p.interval, p.hasRows = iv, false
	p.store.now[ProcessingTime] = iv.Floor(p.tick)
	p.call.isEnd = false
	if p.intervals != nil {
		defer p.recover(&err)
		return p.intervals.begin(&p.processState)
	}
	return nil
}

// Process handles rows, or lets them wait.
func (p *process[K, In, Out]) Process(_ context.Context, _ int, in batch.Batch, emit batch.Emit) error {
	p.hasRows, p.origin = true, in.Origin
	bad := p.badRow
	p.in.Read(in, bad)
	for next := 0; next < len(p.in.Values); {
		next = p.run(next, bad)
	}
	if len(*p.emitter.values) < maxEmitted {
		return nil
	}
	return p.flush(emit)
}

func (p *process[K, In, Out]) badRow(row int32, why string) { p.env.Bad(&p.origin, row, why) }

// run handles rows of the batch, and returns where to go on: behind the row that a function panicked at.
func (p *process[K, In, Out]) run(from int, bad expr.BadRow) (next int) {
	emitted := 0
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if p.store.slot >= 0 {
			p.undo(emitted)
		}
		bad(p.in.At[p.row], fmt.Sprintf("%s panics: %v", p.name, cause))
		next = p.row + 1
	}()
	for p.row = from; p.row < len(p.in.Values); p.row++ {
		v := &p.in.Values[p.row]
		if p.waiting != nil {
			p.wait(v)
			continue
		}
		key := p.spec.Key(*v)
		emitted = len(*p.emitter.values)
		p.store.slot = p.store.at(key)
		p.proc.Row(&p.call, *v)
		p.store.commit()
		p.retired++
	}
	return len(p.in.Values)
}

// wait keeps a row until the watermark has passed it, unless it is late.
func (p *process[K, In, Out]) wait(v *In) {
	at := batch.TimeOf(p.spec.EventTime(*v))
	key := p.spec.Key(*v)
	if at < p.origin.RowWatermark(int(p.in.At[p.row])) {
		p.env.Late(1)
		return
	}
	p.waiting.add(at, p.origin.SplitKey, key, *v)
}

// undo takes back what a call did that panicked.
func (p *process[K, In, Out]) undo(emitted int) {
	p.store.rollback()
	values := *p.emitter.values
	clear(values[emitted:])
	*p.emitter.values = values[:emitted]
}

// EndInterval handles what is due. No times are promised: rows that are emitted have none.
func (p *process[K, In, Out]) EndInterval(ctx context.Context, in []batch.Time, emit batch.Emit) (batch.Time, error) {
	out := batch.MinTime
	if in[0] == batch.MaxTime {
		out, p.call.isEnd = batch.MaxTime, true
	}
	if err := p.end(ctx, in[0], emit); err != nil {
		return out, err
	}
	return out, p.flush(emit)
}

func (p *process[K, In, Out]) end(ctx context.Context, mark batch.Time, emit batch.Emit) error {
	if p.waiting != nil {
		if err := p.advance(ctx, mark, emit); err != nil {
			return err
		}
	}
	if p.intervals != nil {
		_, isDue := p.interval.Due(p.slide)
		isDue = isDue || p.hasRows
		if err := p.guard(func() error {
			p.intervals.end(&p.processState, isDue)
			return nil
		}); err != nil {
			return err
		}
	}
	limit := p.store.nextTimer
	for n := 0; ; n++ {
		t, ok := p.store.nextTimerOf(ProcessingTime)
		if !ok || batch.Time(t.at) > p.store.now[ProcessingTime] || t.number >= limit {
			break
		}
		if err := p.fire(ctx, ProcessingTime, t, n); err != nil {
			return err
		}
	}
	if err := p.guard(p.store.expire); err != nil {
		return err
	}
	if p.intervals != nil {
		p.intervals.after(&p.processState)
	}
	return nil
}

// advance handles rows before the watermark, and timers up to it, in order of time.
func (p *process[K, In, Out]) advance(ctx context.Context, mark batch.Time, emit batch.Emit) error {
	limit := maxEndTimers + p.store.numTimers[EventTime]
	for n := 0; ; n++ {
		t, hasTimer := p.store.nextTimerOf(EventTime)
		at, hasRow := p.waiting.next()
		switch {
		case hasTimer && batch.Time(t.at) <= mark && (!hasRow || batch.Time(t.at) <= at):
			if !hasRow && p.call.isEnd {
				limit--
			}
			if limit < 0 {
				return fmt.Errorf("%s: timers set one another without end after the end of the input: look at AtEnd: key %v", p.name, p.store.of[t.slot])
			}
			if err := p.fire(ctx, EventTime, t, n); err != nil {
				return err
			}
		case hasRow && (at < mark || mark == batch.MaxTime):
			if err := ctx.Err(); err != nil && n%1024 == 0 {
				return err
			}
			p.runWaiting()
		default:
			return nil
		}
		if len(*p.emitter.values) >= maxEmitted {
			if err := p.flush(emit); err != nil {
				return err
			}
		}
	}
}

// runWaiting handles the row that has waited longest.
func (p *process[K, In, Out]) runWaiting() {
	at, key, row := p.waiting.pop()
	p.store.now[EventTime] = max(p.store.now[EventTime], at)
	emitted := len(*p.emitter.values)
	defer func() {
		if cause := recover(); cause != nil {
			p.undo(emitted)
			p.env.Bad(&batch.Origin{Split: -1, Watermark: batch.MinTime}, 0, fmt.Sprintf("%s panics: %v: key %v, time %s", p.name, cause, key, at))
			return
		}
		p.retired++
	}()
	p.store.slot = p.store.at(key)
	p.proc.Row(&p.call, row)
	p.store.commit()
}

// fire calls the processor with a timer, which is gone then.
func (p *process[K, In, Out]) fire(ctx context.Context, kind TimeKind, t due, n int) (err error) {
	if n%1024 == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	at := batch.Time(t.at)
	if kind == EventTime {
		p.store.now[EventTime] = max(p.store.now[EventTime], at)
	}
	p.store.slot = t.slot
	key := p.store.of[t.slot]
	p.store.deleteTimer(kind, at)
	p.call.isTimer, p.call.firing = kind == EventTime, at
	defer func() {
		p.call.isTimer = false
		if cause := recover(); cause != nil {
			p.store.rollback()
			err = fmt.Errorf("%s panics: %v: timer of %s %s, key %v", p.name, cause, kind, at, key)
		}
	}()
	p.proc.Timer(&p.call, kind, time.UnixMicro(t.at).UTC())
	p.store.commit()
	return nil
}

// flush passes on what was emitted.
func (p *process[K, In, Out]) flush(emit batch.Emit) error {
	rows := p.emitter.rows()
	if rows.Len() == 0 {
		return nil
	}
	return emit(batch.Batch{Rows: rows.Rows(), Origin: batch.Origin{Split: -1, Watermark: batch.MinTime}})
}

// guard makes an error of a panic in fn.
func (p *process[K, In, Out]) guard(fn func() error) (err error) {
	defer p.recover(&err)
	return fn()
}

func (p *process[K, In, Out]) recover(err *error) {
	cause := recover()
	if cause == nil {
		return
	}
	*err = fmt.Errorf("%s panics: %v", p.name, cause)
	if slot := p.store.slot; slot >= 0 {
		*err = fmt.Errorf("%w: key %v", *err, p.store.of[slot])
		p.store.rollback()
	}
}

// StateTables returns the tables of the variables, of timers, and of waiting rows.
func (p *process[K, In, Out]) StateTables() []operators.StateTable { return p.tables }

// Snapshot saves what changed.
func (p *process[K, In, Out]) Snapshot(ctx context.Context, full bool, put func(string, int, arrow.RecordBatch, arrow.RecordBatch) error) error {
	if err := p.store.save(ctx, p.env.Mem, full, put); err != nil {
		return err
	}
	if p.waiting == nil {
		return nil
	}
	return p.waiting.save(p.env.Mem, full, put)
}

// Restore takes rows of a Snapshot back.
func (p *process[K, In, Out]) Restore(_ context.Context, table string, _ int, rows arrow.RecordBatch) error {
	if p.waiting != nil && table == p.waiting.table.Name {
		return p.waiting.restore(rows, p.spec.Key)
	}
	known, err := p.store.restore(table, rows)
	if !known {
		return fmt.Errorf("restore %s: no table of that name: %q", p.name, table)
	}
	return err
}

// Stats counts rows that wait, and keys with state. Bytes are those of values, without what they refer to.
func (p *process[K, In, Out]) Stats() operators.StateStats {
	p.store.settle()
	s := p.store.stats()
	s.Retired = p.retired
	if p.waiting != nil {
		s.Rows = p.waiting.len()
		s.Bytes += s.Rows * p.waiting.codec.ValueBytes()
	}
	return s
}

// Close releases all memory.
func (p *process[K, In, Out]) Close() { p.emitter.close() }
