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

// Transform returns what fn emits for the rows of each interval, all of them together, in order of (split, row). It is called once
// per interval, also when there are no rows, by one goroutine; rows and emit are valid until it returns. It may read what changes
// outside, such as a table to join with. An error ends the job.
func Transform[T, U any](s Stream[T], fn func(iv batch.Interval, rows []T, emit func(U)) error) Stream[U] {
	out := codecOf[U](s.rows.c)
	return intervalStep(s.rows.c, nameOf("transform", fn), s.slide, out, []DStream{s.rows}, []checker{s.codec}, func(env operators.Env) intervalFunc {
		return &transformFunc[T, T, U]{
			left: s.codec.NewRows(), emitter: newEmitter(env, out),
			fn: func(iv batch.Interval, rows, _ []T, emit func(U)) error { return fn(iv, rows, emit) },
		}
	})
}

// TransformWith is Transform of two streams with the same slide: fn gets the rows that both have in the same interval.
func TransformWith[T, U, V any](s Stream[T], other Stream[U], fn func(iv batch.Interval, rows []T, others []U, emit func(V)) error) Stream[V] {
	c := s.rows.c
	c.sameSlide("transformWith", s.slide, other.slide)
	out := codecOf[V](c)
	return intervalStep(c, nameOf("transformWith", fn), s.slide, out, []DStream{s.rows, other.rows}, []checker{s.codec, other.codec},
		func(env operators.Env) intervalFunc {
			return &transformFunc[T, U, V]{left: s.codec.NewRows(), right: other.codec.NewRows(), emitter: newEmitter(env, out), fn: fn}
		})
}

// transformFunc gathers the rows of an interval and runs a function over them.
type transformFunc[T, U, V any] struct {
	emitter[V]
	left  *record.Rows[T]
	right *record.Rows[U] // nil: there is one input
	fn    func(iv batch.Interval, left []T, right []U, emit func(V)) error
}

func (f *transformFunc[T, U, V]) add(input int, in batch.Batch, bad expr.BadRow) {
	if input == 0 {
		f.left.Add(in, bad)
	} else {
		f.right.Add(in, bad)
	}
}

func (f *transformFunc[T, U, V]) end(iv batch.Interval) error {
	var right []U
	if f.right != nil {
		right = f.right.Values
		defer f.right.Reset()
	}
	defer f.left.Reset()
	return f.fn(iv, f.left.Values, right, f.emit)
}

// Count returns how many rows each interval has: one row, 0 for none.
func (s Stream[T]) Count() Stream[int64] {
	c := s.rows.c
	codec := codecOf[int64](c)
	counts, _ := c.addStep("", []DStream{s.rows}, func([]*arrow.Schema) (operators.Spec, *arrow.Schema, error) {
		return &operators.FuncSpec{Func: "count per batch", New: func(out *arrow.Schema, env operators.Env) (operators.BatchFunc, error) {
			return &countFunc{batch.NewFrame(env.Mem, out)}, nil
		}}, codec.Schema(), nil
	})
	return intervalStep(c, "count", s.slide, codec, []DStream{counts}, []checker{codec}, func(env operators.Env) intervalFunc {
		return &transformFunc[int64, int64, int64]{
			left: codec.NewRows(), emitter: newEmitter(env, codec),
			fn: func(_ batch.Interval, counts, _ []int64, emit func(int64)) error {
				total := int64(0)
				for _, n := range counts {
					total += n
				}
				emit(total)
				return nil
			},
		}
	})
}

// countFunc makes one row of a batch: the number of its rows.
type countFunc struct{ out *batch.Frame }

// Apply counts the live rows.
func (f *countFunc) Apply(_ context.Context, in batch.Batch, _ expr.BadRow) (batch.Batch, error) {
	f.out.Reset(0)
	f.out.Columns[0].AppendInt64(int64(in.NumLive()))
	f.out.SetRows(1)
	out := batch.Batch{Rows: f.out.Rows(), Origin: in.Origin}
	out.Origin.Source, out.Origin.Watermarks = nil, nil
	return out, nil
}

// Close releases all memory.
func (f *countFunc) Close() { f.out.Release() }

// intervalFunc makes rows of the rows of an interval. One goroutine at a time uses it.
type intervalFunc interface {
	// add takes rows of an input in; it borrows them.
	add(input int, in batch.Batch, bad expr.BadRow)
	// end puts out what becomes of the rows, and forgets these.
	end(iv batch.Interval) error
	// rows returns what was put out, and forgets it at the next call of end.
	rows() *batch.Frame
	close()
}

// emitter collects what an intervalFunc puts out.
type emitter[U any] struct {
	codec *record.Codec[U]
	emit  func(U)

	values *[]U
	frame  *batch.Frame
}

func newEmitter[U any](env operators.Env, codec *record.Codec[U]) emitter[U] {
	values := new([]U)
	return emitter[U]{
		codec: codec, frame: batch.NewFrame(env.Mem, codec.Schema()), values: values,
		emit: func(v U) { *values = append(*values, v) },
	}
}

func (e *emitter[U]) rows() *batch.Frame {
	e.codec.Write(e.frame, *e.values)
	clear(*e.values)
	*e.values = (*e.values)[:0]
	return e.frame
}

func (e *emitter[U]) close() { e.frame.Release() }

// checker is a codec of any type.
type checker interface{ Check(in *arrow.Schema) error }

// intervalStep adds a step that runs a function once per interval, in the tail.
func intervalStep[U any](
	c *Context, name string, slide time.Duration, out *record.Codec[U], inputs []DStream, codecs []checker, newFunc func(operators.Env) intervalFunc,
) Stream[U] {
	tick := c.cfg.Interval
	rows, _ := c.addStep("", inputs, func(in []*arrow.Schema) (operators.Spec, *arrow.Schema, error) {
		for i := range in {
			if err := codecs[i].Check(in[i]); err != nil {
				return nil, nil, err
			}
		}
		return &operators.CustomSpec{Text: name, New: func(n *operators.Node, env operators.Env) (operators.Operator, error) {
			p := &perInterval{name: name, schema: n.Schema, env: env, fn: newFunc(env)}
			if slide > tick {
				p.slide = batch.Time(slide.Microseconds())
			}
			p.bad = func(row int32, why string) { env.Bad(&p.origin, row, why) }
			return p, nil
		}}, out.Schema(), nil
	})
	return Stream[U]{rows: rows, codec: out, slide: slide}
}

// perInterval runs an intervalFunc. Where its input has rows every slide only, the function is called that often.
type perInterval struct {
	name   string
	schema *arrow.Schema
	env    operators.Env
	slide  batch.Time // 0: every interval
	fn     intervalFunc
	bad    expr.BadRow

	interval batch.Interval
	origin   batch.Origin // of the batch that is being added
	hasRows  bool
}

var _ operators.Operator = (*perInterval)(nil)

// Schema returns the schema of what the function puts out.
func (p *perInterval) Schema() *arrow.Schema { return p.schema }

// BeginInterval notes the interval.
func (p *perInterval) BeginInterval(iv batch.Interval) error {
	p.interval, p.hasRows = iv, false
	return nil
}

// Process gives rows to the function.
func (p *perInterval) Process(_ context.Context, input int, in batch.Batch, _ batch.Emit) (err error) {
	defer p.recover(&err)
	p.hasRows, p.origin = true, in.Origin
	p.fn.add(input, in, p.bad)
	return nil
}

// EndInterval emits what the function puts out.
func (p *perInterval) EndInterval(_ context.Context, in []batch.Time, emit batch.Emit) (batch.Time, error) {
	out := batch.MaxTime
	for _, t := range in {
		out = min(out, t)
	}
	if p.slide > 0 && !p.hasRows {
		if _, isDue := p.interval.Due(p.slide); !isDue {
			return out, nil
		}
	}
	if err := p.end(); err != nil {
		return out, err
	}
	rows := p.fn.rows()
	if rows.Len() == 0 {
		return out, nil
	}
	return out, emit(batch.Batch{Rows: rows.Rows(), Origin: batch.Origin{Split: -1, Watermark: batch.MinTime}})
}

func (p *perInterval) end() (err error) {
	defer p.recover(&err)
	if err := p.fn.end(p.interval); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// recover makes an error of a panic in the function.
func (p *perInterval) recover(err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("%s panics: %v", p.name, cause)
	}
}

// Close releases all memory.
func (p *perInterval) Close() { p.fn.close() }
