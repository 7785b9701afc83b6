package tidemill

import (
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
	nodes  []*nodeRun
	chains []*chain
	env    graphEnv
	zero   batch.Time // start of the stream, known from the first interval on

	// Scratch, written again in every interval.
	numbers []int32 // 0, 1, 2, …: selections of runs of rows
	located []located
	errs    []error // by worker
}

// badRowFunc is told that a row of the batch with the origin given can't be computed by n.
type badRowFunc func(n *nodeRun, origin *batch.Origin, row int32, why string)

// graphEnv is what operators get of the engine.
type graphEnv struct {
	onBad badRowFunc
	// table opens the table that a node joins with.
	table func(n *nodeRun, join *operators.TableJoinSpec) (operators.TableReader, error)
}

// nodeRun is a node of the plan while the engine runs.
type nodeRun struct {
	*operators.Node
	consumers []edge
	inChain   bool // has an instance per worker
	account   *batch.Account

	tail     operators.Operator // the only instance, of a node in the tail
	tailEmit batch.Emit         // passes what it emits to its consumers
	out      *output            // of an Output node
	inMarks  []batch.Time       // scratch: watermarks of the inputs; of a Scan that of its source
	text     string             // of the spec

	rowsIn, rowsOut, bad, late atomic.Int64
	watermark                  batch.Time // promised at the end of the running interval
	restoredRows               int64      // that the state held when this run began
	savesAll                   bool       // the next commit saves the state in full: it was kept in another form
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

// newGraph builds the operators of a plan for a number of workers.
func newGraph(plan *operators.Plan, pool *batch.Pool, workers int, env graphEnv) (*graph, error) {
	g := &graph{env: env}
	for _, n := range plan.Nodes {
		run := &nodeRun{Node: n, watermark: batch.MinTime, account: pool.Account(n.Name), text: n.Spec.String()}
		run.inMarks = make([]batch.Time, max(1, len(n.Inputs)))
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
	if err := g.buildTail(); err != nil {
		g.close()
		return nil, err
	}
	g.errs = make([]error, workers)
	for range workers {
		if err := g.addChain(); err != nil {
			g.close()
			return nil, err
		}
	}
	return g, nil
}

func isStateless(s operators.Spec) bool {
	switch s.(type) {
	case *operators.ScanSpec, *operators.FilterSpec, *operators.ProjectSpec, *operators.ExplodeSpec, *operators.UnionSpec,
		*operators.FuncSpec, *operators.LateSpec, *operators.TableJoinSpec:
		return true
	}
	return false
}

func (g *graph) envOf(n *nodeRun) operators.Env {
	return operators.Env{
		Mem: n.account,
		Bad: func(origin *batch.Origin, row int32, why string) {
			n.bad.Add(1)
			g.env.onBad(n, origin, row, why)
		},
		Table: func(join *operators.TableJoinSpec) (operators.TableReader, error) { return g.env.table(n, join) },
		Zero:  func() batch.Time { return g.zero },
		Late:  func(rows int) { n.late.Add(int64(rows)) },
	}
}

func (g *graph) build(n *nodeRun) (operators.Operator, error) {
	op, err := operators.Build(n.Node, g.envOf(n))
	if err != nil {
		return nil, fmt.Errorf("build operator %s: %w", n.Name, err)
	}
	return op, nil
}

func (g *graph) buildTail() error {
	for _, n := range g.nodes {
		if n.inChain || n.out != nil {
			continue
		}
		op, err := g.build(n)
		if err != nil {
			return err
		}
		n.tail = op
	}
	return nil
}

func (g *graph) addChain() error {
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
		op, err := g.build(n)
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

// beginChains begins an interval for the workers' operators. The interval's end is not known for sure yet.
func (g *graph) beginChains(iv batch.Interval) error {
	g.zero = iv.Zero
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

// bind makes the emit functions of the tail, for the life of ctx.
func (g *graph) bind(ctx context.Context) {
	for _, n := range g.nodes {
		if n.tail != nil {
			n.tailEmit = func(b batch.Batch) error { return g.passOn(ctx, n, b) }
		}
	}
}

// endInterval runs when the workers are done with the interval and stand still. Scan nodes have the watermarks of their sources in
// inMarks.
func (g *graph) endInterval(ctx context.Context, iv batch.Interval, rows int64) error {
	for _, n := range g.nodes {
		if err := g.endNode(ctx, n, rows); err != nil {
			return fmt.Errorf("operator %s: interval %d: %w", n.Name, iv.ID, err)
		}
	}
	return nil
}

func (g *graph) endNode(ctx context.Context, n *nodeRun, rows int64) (err error) {
	defer batch.RecoverTextLimit(&err)
	for i, id := range n.Inputs {
		n.inMarks[i] = g.nodes[id].watermark
	}
	if n.inChain {
		n.watermark = batch.MaxTime
		for _, c := range g.chains {
			out, err := c.ops[n.ID].EndInterval(ctx, n.inMarks, c.emits[n.ID])
			if err != nil {
				return err
			}
			n.watermark = min(n.watermark, out)
		}
		return nil
	}
	if err := g.absorb(ctx, n, rows); err != nil {
		return err
	}
	if err := g.feedGathered(ctx, n); err != nil {
		return err
	}
	if n.out != nil {
		return nil
	}
	out, err := n.tail.EndInterval(ctx, n.inMarks, n.tailEmit)
	n.watermark = out
	return err
}

// absorb adds the workers' partials to the state of a Keyed node: in parallel over shards, unless the interval had few rows.
func (g *graph) absorb(ctx context.Context, n *nodeRun, rows int64) error {
	keyed, ok := n.tail.(operators.Keyed)
	if !ok || g.chains[0].partials[n.ID] == nil {
		return nil
	}
	for _, c := range g.chains {
		c.partials[n.ID].Seal()
	}
	var err error
	if len(g.chains) == 1 || rows < parallelRows {
		for shard := range operators.NumShards {
			if err = g.absorbShard(ctx, keyed, n.ID, shard); err != nil {
				break
			}
		}
	} else {
		err = g.absorbParallel(ctx, keyed, n.ID)
	}
	for _, c := range g.chains {
		c.partials[n.ID].Reset()
	}
	return err
}

// parallelRows is the number of rows of an interval from which absorbing is worth goroutines: at some 10 ns a row, 0.2 ms.
const parallelRows = 20_000

func (g *graph) absorbShard(ctx context.Context, keyed operators.Keyed, id, shard int) error {
	for _, c := range g.chains {
		if err := keyed.Absorb(ctx, shard, c.partials[id]); err != nil {
			return err
		}
	}
	return nil
}

func (g *graph) absorbParallel(ctx context.Context, keyed operators.Keyed, id int) error {
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	clear(g.errs)
	for w := range g.chains {
		wg.Go(func() {
			for g.errs[w] == nil {
				shard := int(next.Add(1)) - 1
				if shard >= operators.NumShards {
					return
				}
				g.errs[w] = g.absorbShard(ctx, keyed, id, shard)
			}
		})
	}
	wg.Wait()
	for _, err := range g.errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *graph) feed(ctx context.Context, e edge, b batch.Batch) error {
	if e.node.out != nil {
		return e.node.out.add(b)
	}
	return e.node.tail.Process(ctx, e.input, b, e.node.tailEmit)
}

// passOn passes what a node of the tail emits to its consumers.
func (g *graph) passOn(ctx context.Context, n *nodeRun, b batch.Batch) error {
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

// scan returns the Scan node of a source, nil if nothing of it is used.
func (g *graph) scan(source string) *nodeRun {
	for _, n := range g.nodes {
		if s, ok := n.Spec.(*operators.ScanSpec); ok && s.Source == source {
			return n
		}
	}
	return nil
}
