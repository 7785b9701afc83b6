package tidemill

import (
	"context"
	"errors"

	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/sql"
)

// StartPlan starts a job over a plan as it is, with a CSV file or directory for each source and table, and a sink for each output, in
// place of a script.
func (c *Context) StartPlan(ctx context.Context, plan *operators.Plan, paths map[string]string, sinks map[string]egress.Sink) error {
	tables := make(map[string]tableSpec)
	for _, n := range plan.Nodes {
		switch spec := n.Spec.(type) {
		case *operators.ScanSpec:
			format, err := ingest.NewFormat("CSV", nil)
			if err != nil {
				return err
			}
			source, err := ingest.Open("file:"+paths[spec.Source], nil, format, ingest.OpenSpec{Mem: c.pool, Now: c.now})
			if err != nil {
				return err
			}
			c.sources = append(c.sources, sourceSpec{name: spec.Source, source: source, format: format})
		case *operators.TableJoinSpec:
			table, err := c.newTable(&sql.TableDef{Name: spec.Table, URI: "file:" + paths[spec.Table], Format: "CSV", Columns: spec.Declared})
			if err != nil {
				return err
			}
			tables[spec.Table] = table
		case *operators.OutputSpec:
			c.sinks = append(c.sinks, sinkSpec{name: spec.Sink, sink: sinks[spec.Sink], mode: spec.Mode.String(), node: n.ID})
		}
	}
	e := newEngine(c.cfg, c.pool, plan, c.sinks)
	e.tables.specs = tables
	if err := e.open(ctx, c.sources); err != nil {
		return err
	}
	c.engine = e
	go func() {
		defer close(c.done)
		c.err = errors.Join(e.run(ctx), e.close())
	}()
	return nil
}

// ReplaceSource binds the script and reads a source of it from s.
func (c *Context) ReplaceSource(name string, s ingest.Source) error {
	if err := c.bind(); err != nil {
		return err
	}
	for i := range c.sources {
		if c.sources[i].name == name {
			c.sources[i].source = s
		}
	}
	return nil
}

// WorkQueue is the queue between readers and workers, of numbered blocks.
type WorkQueue struct{ q *workQueue }

// NewWorkQueue returns a queue for so many workers.
func NewWorkQueue(workers int) *WorkQueue { return &WorkQueue{newWorkQueue(workers)} }

// Put adds a block.
func (q *WorkQueue) Put(ctx context.Context, number int64) error {
	return q.q.put(ctx, work{block: &ingest.Block{NumRows: number}})
}

// Take returns the next block, for the worker that wake is of.
func (q *WorkQueue) Take(ctx context.Context, wake chan struct{}) (number int64, err error) {
	item, err := q.q.take(ctx, wake)
	if err != nil {
		return 0, err
	}
	return item.block.NumRows, nil
}

// Gate makes workers stand still behind the blocks in the queue.
func (q *WorkQueue) Gate() { q.q.gate() }

// Arrived tells when they do.
func (q *WorkQueue) Arrived() <-chan struct{} { return q.q.arrived }

// Open lets them go on.
func (q *WorkQueue) Open() { q.q.open() }
