package tidemill

import (
	"context"
	"fmt"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// work is a block on its way to a worker. A nil block tells one worker to stop at the end of the interval.
type work struct {
	block *ingest.Block
	split *splitRun
}

// worker decodes blocks and pushes them through its chain.
type worker struct {
	engine   *engine
	chain    *chain
	decoders map[*sourceRun]ingest.Decoder

	// Of the block in work.
	split     *splitRun
	seq       uint64
	published bool
	marks     []batch.Time
	onBad     func(ingest.BadRow)
}

func newWorker(e *engine, c *chain) (*worker, error) {
	w := &worker{
		engine: e, chain: c,
		decoders: make(map[*sourceRun]ingest.Decoder),
	}
	w.onBad = func(b ingest.BadRow) { w.split.source.onBadRecord(w.split, b) }
	for _, s := range e.sources {
		if s.scan == nil {
			continue
		}
		spec := ingest.DecodeSpec{Declared: s.scan.Declared, Used: s.scan.Used, Mem: s.node.account}
		if s.format == nil {
			w.decoders[s] = ingest.NewColumnDecoder(spec)
			continue
		}
		d, err := s.format.NewDecoder(spec)
		if err != nil {
			w.close()
			return nil, fmt.Errorf("source %s: %w", s.name, err)
		}
		w.decoders[s] = d
	}
	return w, nil
}

func (w *worker) close() {
	for _, d := range w.decoders {
		d.Close()
	}
}

// bind wraps the emit functions of the scans: each batch gets its watermarks first.
func (w *worker) bind(ctx context.Context) {
	w.chain.bind(ctx, w.engine.graph)
	for _, s := range w.engine.sources {
		if s.scan == nil || s.scan.EventTime < 0 {
			continue
		}
		next := w.chain.emits[s.node.ID]
		w.chain.emits[s.node.ID] = func(b batch.Batch) error {
			if err := w.mark(s, &b); err != nil {
				return err
			}
			return next(b)
		}
	}
}

// run takes work until the queue is closed or ctx ends.
func (w *worker) run(ctx context.Context) error {
	e := w.engine
	for {
		select {
		case item := <-e.queue:
			if item.block == nil {
				select {
				case e.arrived <- struct{}{}:
				case <-ctx.Done(): // the coordinator does not wait for workers any more
					return nil
				}
				select {
				case <-e.resume:
					continue
				case <-ctx.Done():
					return nil
				}
			}
			if err := w.process(ctx, item); err != nil {
				return err
			}
			if err := e.checkMemory(); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *worker) process(ctx context.Context, item work) error {
	b, s := item.block, item.split.source
	defer b.Free()
	if s.scan == nil { // nothing of the source is used
		return nil
	}
	w.split, w.seq, w.published = item.split, b.Seq, false
	rows, err := w.decoders[s].Decode(ctx, b, w.onBad)
	if err != nil {
		return fmt.Errorf("decode source %s: split %s: offset %d: %w", s.name, item.split.name, b.From.Pos, err)
	}
	rows.Origin = batch.Origin{
		Split: item.split.id, Block: b.Seq, FirstRow: b.FirstRow, Arrival: b.Arrival, Watermark: batch.MinTime,
	}
	if live := rows.NumLive(); live > 0 {
		s.node.rowsIn.Add(int64(live))
		if err := w.chain.ops[s.node.ID].Process(ctx, 0, rows, w.chain.emits[s.node.ID]); err != nil {
			return err
		}
	}
	if s.scan.EventTime >= 0 && !w.published {
		w.split.times.publish(w.seq, batch.MinTime)
	}
	return nil
}

// mark gives a batch that left the scan its watermarks. It looks at rows one by one only if one of them may be before its own
// watermark: the smallest time of the block is before the largest so far, minus the delay.
func (w *worker) mark(s *sourceRun, b *batch.Batch) error {
	times := b.Rows.Column(s.scan.EventTime)
	values := batch.Int64s(times)
	n := b.NumRows()
	smallest, largest := batch.MaxTime, batch.MinTime
	if b.Sel == nil && times.NullN() == 0 {
		for _, v := range values[:n] {
			smallest, largest = min(smallest, batch.Time(v)), max(largest, batch.Time(v))
		}
	} else {
		for k := range b.NumLive() {
			i := k
			if b.Sel != nil {
				i = int(b.Sel[k])
			}
			if times.IsValid(i) {
				v := batch.Time(values[i])
				smallest, largest = min(smallest, v), max(largest, v)
			}
		}
	}
	w.published = true
	before, ok := w.split.times.publish(w.seq, largest)
	if !ok {
		return errStopped
	}
	delay := s.scan.Delay
	b.Origin.Watermark = before.Sub(delay)
	if smallest >= max(before, largest).Sub(delay) {
		return nil
	}
	if cap(w.marks) < n {
		w.marks = make([]batch.Time, n+n/2)
	}
	w.marks = w.marks[:n]
	next := 0
	running := before
	setUpto := func(i int) {
		mark := running.Sub(delay)
		for ; next <= i; next++ {
			w.marks[next] = mark
		}
	}
	for k := range b.NumLive() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		setUpto(i)
		if times.IsValid(i) {
			running = max(running, batch.Time(values[i]))
		}
	}
	setUpto(n - 1)
	b.Origin.Watermarks = w.marks
	return nil
}
