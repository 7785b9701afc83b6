package tidemill

import (
	"context"
	"fmt"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

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
		spec := ingest.DecodeSpec{Declared: s.scan.Declared, Used: s.scan.Used, Sieve: sieveOf(s.node), Mem: s.node.account}
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

// run takes work until ctx ends.
func (w *worker) run(ctx context.Context) error {
	e, wake := w.engine, make(chan struct{}, 1)
	for {
		item, err := e.queue.take(ctx, wake)
		if err != nil {
			return nil //nolint:nilerr // the job is done, or failed elsewhere
		}
		if err := w.process(ctx, item); err != nil {
			return err
		}
		if err := e.checkMemory(); err != nil {
			return err
		}
	}
}

func (w *worker) process(ctx context.Context, item work) (err error) {
	defer batch.RecoverTextLimit(&err)
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
		Split: item.split.id, SplitKey: item.split.key, Block: b.Seq, FirstRow: b.FirstRow, Arrival: b.Arrival, Watermark: batch.MinTime, Source: rows.Origin.Source,
	}
	if sifted := b.NumRows - int64(rows.NumRows()); sifted > 0 {
		s.node.countSifted(sifted)
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
