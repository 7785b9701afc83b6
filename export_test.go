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
