package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// operatorInput says which batches the operators of a plan are given. The source of such a workload has the columns k BIGINT,
// s TEXT, at TIMESTAMP and v BIGINT, of which the plan uses some.
type operatorInput struct {
	groups int64
	// perInterval is the number of rows of an interval. Rows of interval i have the time i seconds after the start.
	perInterval int64
	// ring is the number of rows that are made beforehand, and given again and again with another time.
	ring int64
	// perBatch is the number of rows of a batch: perInterval and ring are multiples of it.
	perBatch int64
	// staysOpen says that windows which are open when the rows end are not emitted: they slide. panes is their length in slides.
	staysOpen bool
	panes     int64
}

// limited returns in with a ring that is no longer than rows are.
func (in operatorInput) limited(rows int64) *operatorInput {
	in.ring = min(in.ring, in.wholeBatches(rows))
	return &in
}

// wholeBatches returns rows, rounded up to what the operators are really given.
func (in *operatorInput) wholeBatches(rows int64) int64 {
	return (rows + in.perBatch - 1) / in.perBatch * in.perBatch
}

// stream returns the keys of the ring, as numbers and texts, for programs that work on them.
func (in operatorInput) stream(rows int64) stream {
	s := stream{rows: in.wholeBatches(rows)}
	ring := in.limited(rows)
	for i := range ring.ring {
		s.keys = append(s.keys, ring.key(i)*keyStep)
		s.texts = append(s.texts, []byte(operatorText(ring.key(i))))
	}
	return s
}

// key returns the number of the group of row v.
func (in *operatorInput) key(v int64) int64 { return v % in.ring * keyStep % in.groups }

// operatorRun is the operators of a plan in a line, from behind the scan to before the output.
type operatorRun struct {
	pool   *batch.Pool
	ops    []operators.Operator
	emits  []batch.Emit // emits[i] feeds ops[i], the last one the sink
	frames []*batch.Frame
	at     int // of the column at, -1 if it is not used
	input  *operatorInput

	interval batch.Interval
	slides   *slideClock // nil where the windows do not slide
}

func newOperatorRun(ctx context.Context, w *Workload, rows int64, sink resultSink) (r *operatorRun, err error) {
	job, err := tidemill.NewCheck(tidemill.Config{Mode: w.mode()})
	if err != nil {
		return nil, err
	}
	if err := job.SQL(w.Script); err != nil {
		return nil, err
	}
	job.Table("result").ToSink("out", sink)
	plan, err := job.Plan()
	if err != nil {
		return nil, err
	}
	r = &operatorRun{pool: batch.NewPool(0), input: w.operators.limited(rows)}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	env := operators.Env{Mem: r.pool}
	if w.operators.staysOpen {
		r.slides = &slideClock{}
		env.Emitting = r.slides.emitting
	}
	for i, n := range plan.Nodes {
		if i > 0 && (len(n.Inputs) != 1 || n.Inputs[0] != i-1) {
			return nil, fmt.Errorf("workload %s: its plan is not a line: node %d has inputs %v", w.Name, i, n.Inputs)
		}
		switch n.Spec.(type) {
		case *operators.ScanSpec:
			r.fill(n.Schema)
			continue
		case *operators.OutputSpec:
			continue
		}
		op, err := operators.Build(n, env) //nolint:contextcheck // it folds constants, and waits for nothing
		if err != nil {
			return nil, err
		}
		r.ops = append(r.ops, op)
	}
	r.emits = make([]batch.Emit, len(r.ops)+1)
	for i, op := range r.ops {
		r.emits[i] = func(b batch.Batch) error { return op.Process(ctx, 0, b, r.emits[i+1]) }
	}
	r.emits[len(r.ops)] = func(b batch.Batch) error {
		if r.slides != nil {
			r.slides.out += int64(b.NumRows())
		}
		return sink.Write(ctx, r.interval, b)
	}
	return r, nil
}

// fill makes the rows of the ring.
func (r *operatorRun) fill(schema *arrow.Schema) {
	r.at = -1
	var text []byte
	for from := int64(0); from < r.input.ring; from += r.input.perBatch {
		f := batch.NewFrame(r.pool, schema)
		f.Reset(int(r.input.perBatch))
		for c, field := range schema.Fields() {
			if field.Name == "at" {
				r.at = c
				continue
			}
			for i := range r.input.perBatch {
				switch key := r.input.key(from + i); field.Name {
				case "k":
					f.Columns[c].Int64s()[i] = key * keyStep
				case "s":
					text = append(text[:0], operatorText(key)...)
					f.Columns[c].SetText(int(i), text)
				case "v":
					f.Columns[c].Int64s()[i] = from + i
				}
			}
		}
		r.frames = append(r.frames, f)
	}
}

// operatorText is the key of a group as TEXT: eight bytes.
func operatorText(key int64) string { return fmt.Sprintf("k%07d", key) }

// run gives rows to the operators in whole batches, and ends the stream.
func (r *operatorRun) run(ctx context.Context, rows int64) error {
	watermark := batch.MinTime
	next := 0
	for done, interval := int64(0), int64(0); done < rows; interval++ {
		at := batch.TimeOf(genStart) + batch.Time(interval)*1_000_000
		if r.slides != nil {
			r.slides.begin()
		}
		r.interval = batch.Interval{ID: uint64(interval + 1), Start: at, End: at + 1_000_000}
		for _, op := range r.ops {
			if err := op.BeginInterval(r.interval); err != nil {
				return err
			}
		}
		for filled := int64(0); filled < r.input.perInterval && done < rows; {
			f := r.frames[next%len(r.frames)]
			next++
			if r.at >= 0 {
				times := f.Columns[r.at].Int64s()
				for i := range times {
					times[i] = int64(at)
				}
			}
			b := batch.Batch{Rows: f.Rows(), Origin: batch.Origin{FirstRow: done, Arrival: at, Watermark: watermark}}
			if err := r.emits[0](b); err != nil {
				return err
			}
			filled += int64(b.NumRows())
			if r.slides != nil {
				r.slides.rows += int64(b.NumRows())
			}
			done += int64(b.NumRows())
		}
		watermark = at
		if done >= rows && !r.input.staysOpen {
			watermark = batch.MaxTime
		}
		if err := r.endInterval(ctx, watermark); err != nil {
			return err
		}
		if r.slides != nil {
			r.slides.end()
		}
	}
	return nil
}

func (r *operatorRun) endInterval(ctx context.Context, watermark batch.Time) error {
	for i, op := range r.ops {
		out, err := op.EndInterval(ctx, []batch.Time{watermark}, r.emits[i+1])
		if err != nil {
			return err
		}
		watermark = out
	}
	return nil
}

// close releases what the run holds.
func (r *operatorRun) close() {
	for _, op := range r.ops {
		op.Close()
	}
	for _, f := range r.frames {
		f.Release()
	}
}

// runOperators measures a workload at the level of operators.
func runOperators(ctx context.Context, w *Workload, req Request, rows int64) (s Sample, err error) {
	sink := w.newSink()
	r, err := newOperatorRun(ctx, w, rows, sink)
	if err != nil {
		return Sample{}, err
	}
	m, err := beginProfiled(req.CPUProfile)
	if err != nil {
		r.close()
		return Sample{}, err
	}
	err = r.run(ctx, rows)
	s = m.end()
	if r.slides != nil {
		s.Slides = r.slides.summary(w.operators.panes)
	}
	r.close()
	if held := r.pool.Used(); held != 0 {
		err = errors.Join(err, fmt.Errorf("operators hold %d bytes after their end", held))
	}
	s.Answer = sink.answer(w.fold)
	return s, err
}
