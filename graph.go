package tidemill

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// graph is a plan turned into operators: for each worker a copy of the stateless chain below the sources, and one tail of
// operators that run at the end of an interval. An edge from a chain to the tail ends in a partial per worker (Keyed operators)
// or in a gather per worker, whose rows are put in order of (split, row) at the end of the interval.
type graph struct {
	plan   *operators.Plan
	pool   *batch.Pool
	nodes  []*nodeRun
	chains []*chain
}

// nodeRun is a node of the plan while the engine runs.
type nodeRun struct {
	*operators.Node
	consumers []edge
	inChain   bool // has an instance per worker
	account   *batch.Account

	tail operators.Operator // the only instance, of a node in the tail
	out  *output            // of an Output node

	rowsIn, rowsOut, bad, late atomic.Int64
	watermark                  batch.Time // promised at the end of the running interval
	restoredRows               int64      // that the state held when this run began
}

// edge leads to an input of a node.
type edge struct {
	node  *nodeRun
	input int
}

// chain is one worker's copy of the stateless operators, its partials and its gathers.
type chain struct {
	ops      []operators.Operator // by node ID, nil for nodes in the tail
	emits    []batch.Emit         // by node ID: passes what the node emits to its consumers
	partials []operators.Partial  // by node ID of Keyed nodes that are fed by chains
	gathers  map[edge]*gather     // edges from a chain into the tail that need order
}

// gather keeps the rows of an interval that reach the tail from one worker, until they can be put in order.
type gather struct {
	frame  *batch.Frame
	pieces []piece
}

// piece is a run of rows of a gather's frame that came in one batch.
type piece struct {
	split    int32
	block    uint64
	from, to int
}

// onBad and onLate tell who runs the graph about rows that were dropped.
type graphEvents struct {
	onBad func(n *nodeRun, origin *batch.Origin, row int32, why string)
}

func newGraph(plan *operators.Plan, pool *batch.Pool, workers int, events graphEvents) (*graph, error) {
	g := &graph{plan: plan, pool: pool}
	for _, n := range plan.Nodes {
		run := &nodeRun{Node: n, watermark: batch.MinTime, account: pool.Account(n.Name)}
		run.inChain = isStateless(n.Spec)
		for input, id := range n.Inputs {
			from := g.nodes[id]
			from.consumers = append(from.consumers, edge{run, input})
			run.inChain = run.inChain && from.inChain
		}
		if spec, ok := n.Spec.(*operators.OutputSpec); ok {
			run.out = &output{sink: spec.Sink, schema: n.Schema, mem: run.account}
		}
		g.nodes = append(g.nodes, run)
	}
	if err := g.buildTail(events); err != nil {
		g.close()
		return nil, err
	}
	for range workers {
		if err := g.addChain(events); err != nil {
			g.close()
			return nil, err
		}
	}
	return g, nil
}

func isStateless(s operators.Spec) bool {
	switch s.(type) {
	case *operators.ScanSpec, *operators.FilterSpec, *operators.ProjectSpec, *operators.ExplodeSpec, *operators.UnionSpec:
		return true
	}
	return false
}

func (g *graph) env(n *nodeRun, events graphEvents) operators.Env {
	return operators.Env{
		Mem: n.account,
		Bad: func(origin *batch.Origin, row int32, why string) {
			n.bad.Add(1)
			events.onBad(n, origin, row, why)
		},
		Late: func(rows int) { n.late.Add(int64(rows)) },
	}
}

func (g *graph) build(n *nodeRun, events graphEvents) (operators.Operator, error) {
	op, err := operators.Build(n.Node, g.env(n, events))
	if err != nil {
		return nil, fmt.Errorf("build operator %s: %w", n.Name, err)
	}
	return op, nil
}

func (g *graph) buildTail(events graphEvents) error {
	for _, n := range g.nodes {
		if n.inChain || n.out != nil {
			continue
		}
		op, err := g.build(n, events)
		if err != nil {
			return err
		}
		n.tail = op
	}
	return nil
}

func (g *graph) addChain(events graphEvents) error {
	c := &chain{
		ops:      make([]operators.Operator, len(g.nodes)),
		emits:    make([]batch.Emit, len(g.nodes)),
		partials: make([]operators.Partial, len(g.nodes)),
		gathers:  make(map[edge]*gather),
	}
	g.chains = append(g.chains, c)
	for _, n := range g.nodes {
		if !n.inChain {
			continue
		}
		op, err := g.build(n, events)
		if err != nil {
			return err
		}
		c.ops[n.ID] = op
		for _, e := range n.consumers {
			if e.node.inChain {
				continue
			}
			if keyed, ok := e.node.tail.(operators.Keyed); ok {
				if c.partials[e.node.ID] == nil {
					c.partials[e.node.ID] = keyed.NewPartial()
				}
				continue
			}
			c.gathers[e] = &gather{frame: batch.NewFrame(e.node.account, n.Schema)}
		}
	}
	return nil
}

// bind makes the emit functions of a chain, for the life of ctx.
func (c *chain) bind(ctx context.Context, g *graph) {
	for _, n := range slices.Backward(g.nodes) {
		if n.inChain {
			c.emits[n.ID] = c.emitOf(ctx, n)
		}
	}
}

func (c *chain) emitOf(ctx context.Context, n *nodeRun) batch.Emit {
	targets := make([]batch.Emit, len(n.consumers))
	for i, e := range n.consumers {
		switch {
		case e.node.inChain:
			op, emit, input := c.ops[e.node.ID], c.emits[e.node.ID], e.input
			targets[i] = func(b batch.Batch) error { return op.Process(ctx, input, b, emit) }
		case c.partials[e.node.ID] != nil:
			p := c.partials[e.node.ID]
			targets[i] = func(b batch.Batch) error { return p.Add(ctx, b) }
		default:
			targets[i] = c.gathers[e].add
		}
	}
	return func(b batch.Batch) error {
		live := int64(b.NumLive())
		if live == 0 {
			return nil
		}
		n.rowsOut.Add(live)
		for i, e := range n.consumers {
			e.node.rowsIn.Add(live)
			if err := targets[i](b); err != nil {
				return err
			}
		}
		return nil
	}
}

func (ga *gather) add(b batch.Batch) error {
	from := ga.frame.Len()
	ga.frame.AppendBatch(b)
	ga.pieces = append(ga.pieces, piece{b.Origin.Split, b.Origin.Block, from, ga.frame.Len()})
	return nil
}

func (ga *gather) reset() {
	ga.frame.Reset(0)
	ga.pieces = ga.pieces[:0]
}

// beginChains begins an interval for the workers' operators. The interval's end is not known for sure yet.
func (g *graph) beginChains(iv batch.Interval) error {
	for _, n := range g.nodes {
		for _, c := range g.chains {
			if n.inChain {
				if err := c.ops[n.ID].BeginInterval(iv); err != nil {
					return fmt.Errorf("operator %s: begin interval %d: %w", n.Name, iv.ID, err)
				}
			}
		}
	}
	return nil
}

// beginTail begins an interval for the operators of the tail, which see nothing of it before its end is known.
func (g *graph) beginTail(iv batch.Interval) error {
	for _, n := range g.nodes {
		if n.tail != nil {
			if err := n.tail.BeginInterval(iv); err != nil {
				return fmt.Errorf("operator %s: begin interval %d: %w", n.Name, iv.ID, err)
			}
		}
	}
	return nil
}

// endInterval runs when the workers are done with the interval and stand still. sources has a watermark per Scan node.
func (g *graph) endInterval(ctx context.Context, iv batch.Interval, sources map[string]batch.Time) error {
	for _, n := range g.nodes {
		if err := g.endNode(ctx, n, sources); err != nil {
			return fmt.Errorf("operator %s: interval %d: %w", n.Name, iv.ID, err)
		}
	}
	return nil
}

func (g *graph) endNode(ctx context.Context, n *nodeRun, sources map[string]batch.Time) error {
	in := make([]batch.Time, len(n.Inputs))
	for i, id := range n.Inputs {
		in[i] = g.nodes[id].watermark
	}
	if scan, ok := n.Spec.(*operators.ScanSpec); ok {
		in = append(in, sources[scan.Source])
	}
	if n.inChain {
		n.watermark = batch.MaxTime
		for _, c := range g.chains {
			out, err := c.ops[n.ID].EndInterval(ctx, in, c.emits[n.ID])
			if err != nil {
				return err
			}
			n.watermark = min(n.watermark, out)
		}
		return nil
	}
	if err := g.absorb(ctx, n); err != nil {
		return err
	}
	if err := g.feedGathered(ctx, n); err != nil {
		return err
	}
	if n.out != nil {
		return nil
	}
	out, err := n.tail.EndInterval(ctx, in, g.tailEmit(ctx, n))
	n.watermark = out
	return err
}

// absorb adds the workers' partials to the state of a Keyed node, in parallel over shards.
func (g *graph) absorb(ctx context.Context, n *nodeRun) error {
	keyed, ok := n.tail.(operators.Keyed)
	if !ok || g.chains[0].partials[n.ID] == nil {
		return nil
	}
	for _, c := range g.chains {
		c.partials[n.ID].Seal()
	}
	var (
		next  atomic.Int64
		wg    sync.WaitGroup
		errs  = make([]error, len(g.chains))
		drain = func(w int) {
			for {
				shard := int(next.Add(1)) - 1
				if shard >= operators.NumShards || errs[w] != nil {
					return
				}
				for _, c := range g.chains {
					if err := keyed.Absorb(ctx, shard, c.partials[n.ID]); err != nil {
						errs[w] = err
						return
					}
				}
			}
		}
	)
	for w := 1; w < len(g.chains); w++ {
		wg.Go(func() { drain(w) })
	}
	drain(0)
	wg.Wait()
	for _, c := range g.chains {
		c.partials[n.ID].Reset()
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// feedGathered passes rows that workers gathered for a node to it, in order of (split, row).
func (g *graph) feedGathered(ctx context.Context, n *nodeRun) error {
	for input := range n.Inputs {
		e := edge{n, input}
		type located struct {
			piece
			gather *gather
		}
		var all []located
		for _, c := range g.chains {
			if ga := c.gathers[e]; ga != nil {
				for _, p := range ga.pieces {
					all = append(all, located{p, ga})
				}
			}
		}
		if len(all) == 0 {
			continue
		}
		slices.SortStableFunc(all, func(a, b located) int {
			return cmp.Or(cmp.Compare(a.split, b.split), cmp.Compare(a.block, b.block))
		})
		for _, l := range all {
			b := batch.Batch{Rows: l.gather.slice(l.piece)}
			b.Origin = batch.Origin{Split: l.split, Block: l.block, Watermark: batch.MinTime}
			if err := g.feed(ctx, e, b); err != nil {
				return err
			}
		}
		for _, c := range g.chains {
			if ga := c.gathers[e]; ga != nil {
				ga.reset()
			}
		}
	}
	return nil
}

// slice returns the rows of a piece, valid until the next call.
func (ga *gather) slice(p piece) *batch.View {
	return ga.frame.Slice(p.from, p.to)
}

func (g *graph) feed(ctx context.Context, e edge, b batch.Batch) error {
	if e.node.out != nil {
		return e.node.out.add(b)
	}
	return e.node.tail.Process(ctx, e.input, b, g.tailEmit(ctx, e.node))
}

func (g *graph) tailEmit(ctx context.Context, n *nodeRun) batch.Emit {
	return func(b batch.Batch) error {
		live := int64(b.NumLive())
		if live == 0 {
			return nil
		}
		n.rowsOut.Add(live)
		for _, e := range n.consumers {
			e.node.rowsIn.Add(live)
			if err := g.feed(ctx, e, b); err != nil {
				return err
			}
		}
		return nil
	}
}

// close releases the memory of all operators.
func (g *graph) close() {
	for _, c := range g.chains {
		for _, op := range c.ops {
			if op != nil {
				op.Close()
			}
		}
		for _, p := range c.partials {
			if p != nil {
				p.Close()
			}
		}
		for _, ga := range c.gathers {
			ga.frame.Release()
		}
	}
	for _, n := range g.nodes {
		if n.tail != nil {
			n.tail.Close()
		}
		if n.out != nil {
			n.out.close()
		}
	}
}

// stateful returns the operators with state, in order of the plan.
func (g *graph) stateful() []*nodeRun {
	var all []*nodeRun
	for _, n := range g.nodes {
		if _, ok := n.tail.(operators.Stateful); ok {
			all = append(all, n)
		}
	}
	return all
}

// scans returns the Scan nodes of a source.
func (g *graph) scan(source string) *nodeRun {
	for _, n := range g.nodes {
		if s, ok := n.Spec.(*operators.ScanSpec); ok && s.Source == source {
			return n
		}
	}
	return nil
}
