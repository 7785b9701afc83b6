package oracle_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/internal/oracle"
	"github.com/tidemill/tidemill/operators"
)

// driver runs a plan through its operators as the engine does, but serially.
type driver struct {
	c    *oracle.Case
	cut  cut
	pool *batch.Pool

	ops       []operators.Operator // nil for outputs
	partials  map[int][]operators.Partial
	turn      int // of partials
	consumers [][]consumer
	largest   map[string][]batch.Time // per source and split

	states map[int]*optest.State
	tables map[*operators.TableJoinSpec]*operators.Table

	out     [][]any
	lastOut [][]any // of the last interval that gave rows
	first   int     // of the interval, in out

	mu   sync.Mutex
	bad  int
	whys []string
	late int
}

// consumer is an input of a node.
type consumer struct{ node, input int }

func (d *driver) env() operators.Env {
	return operators.Env{
		Mem: d.pool,
		Bad: func(_ *batch.Origin, _ int32, why string) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.bad++
			if len(d.whys) < 5 {
				d.whys = append(d.whys, why)
			}
		},
		Late: func(rows int) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.late += rows
		},
		Table: d.table,
	}
}

// table opens the table of a join, which is made when it is first opened.
func (d *driver) table(spec *operators.TableJoinSpec) (operators.TableReader, error) {
	if d.tables[spec] == nil {
		declared := batch.NewFrame(d.pool, arrow.NewSchema(spec.Declared, nil))
		defer declared.Release()
		for _, row := range d.c.Inputs[spec.Table][0].Rows {
			oracle.AppendRow(declared, row)
		}
		view := batch.NewView(spec.Columns())
		for i, c := range spec.Used {
			view.Set(i, declared.Columns[c].Array())
		}
		view.SetRows(declared.Len())
		version := operators.NewTableVersion(d.pool, spec)
		d.tables[spec] = &operators.Table{}
		d.tables[spec].Replace(version)
		if err := version.Add(batch.Batch{Rows: view}); err != nil {
			return nil, err
		}
		version.Seal()
	}
	return d.tables[spec].NewReader(), nil
}

func (d *driver) open() error {
	nodes := d.c.Plan.Nodes
	d.ops = make([]operators.Operator, len(nodes))
	d.consumers = make([][]consumer, len(nodes))
	for i, n := range nodes {
		for k, in := range n.Inputs {
			d.consumers[in] = append(d.consumers[in], consumer{i, k})
		}
		if _, isOutput := n.Spec.(*operators.OutputSpec); isOutput {
			continue
		}
		op, err := operators.Build(n, d.env())
		if err != nil {
			return fmt.Errorf("build node %d: %w", i, err)
		}
		d.ops[i] = op
		if keyed, ok := op.(operators.Keyed); ok {
			for range d.cut.partials {
				d.partials[i] = append(d.partials[i], keyed.NewPartial())
			}
		}
	}
	return nil
}

func (d *driver) close() {
	for _, list := range d.partials {
		for _, p := range list {
			p.Close()
		}
	}
	for _, op := range d.ops {
		if op != nil {
			op.Close()
		}
	}
	for _, t := range d.tables {
		t.Replace(nil)
	}
}

func (d *driver) run() error {
	if err := d.open(); err != nil {
		return err
	}
	d.largest = map[string][]batch.Time{}
	for source, splits := range d.c.Inputs {
		for range splits {
			d.largest[source] = append(d.largest[source], batch.MinTime)
		}
	}
	n := max(1, d.cut.intervals)
	begin := batch.TimeOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	for i := range n {
		iv := batch.Interval{ID: uint64(i + 1), Start: begin, End: begin + 1_000_000}
		begin = iv.End
		if err := d.interval(iv, i, n); err != nil {
			return err
		}
		if d.cut.restores {
			if err := d.restore(i%2 == 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// restore moves the state of all operators to new ones.
func (d *driver) restore(rowByRow bool) error {
	ctx := context.Background()
	for id, op := range d.ops {
		old, isStateful := op.(operators.Stateful)
		if !isStateful {
			continue
		}
		if d.states[id] == nil {
			d.states[id] = &optest.State{}
		}
		if err := d.states[id].Save(ctx, old, false); err != nil {
			return err
		}
		next, err := operators.Build(d.c.Plan.Nodes[id], d.env())
		if err != nil {
			return err
		}
		old.Close()
		d.ops[id] = next
		if err := d.states[id].Load(ctx, next.(operators.Stateful), rowByRow); err != nil {
			return err
		}
	}
	return nil
}

// interval runs the i-th of n intervals.
func (d *driver) interval(iv batch.Interval, i, n int) error {
	d.first = len(d.out)
	for _, op := range d.ops {
		if op != nil {
			if err := op.BeginInterval(iv); err != nil {
				return err
			}
		}
	}
	marks := make([]batch.Time, len(d.ops))
	first := int32(0) // split of the source
	for id, node := range d.c.Plan.Nodes {
		spec, isScan := node.Spec.(*operators.ScanSpec)
		if !isScan {
			continue
		}
		marks[id] = batch.MaxTime
		for k, split := range d.c.Inputs[spec.Source] {
			from, to := len(split.Rows)*i/n, len(split.Rows)*(i+1)/n
			if err := d.read(id, spec, k, first+int32(k), from, to); err != nil {
				return err
			}
			if i < n-1 {
				marks[id] = min(marks[id], d.largest[spec.Source][k].Sub(spec.Delay))
			}
		}
		first += int32(len(d.c.Inputs[spec.Source]))
	}
	for id, node := range d.c.Plan.Nodes {
		if d.ops[id] == nil {
			continue
		}
		in := []batch.Time{marks[id]}
		if len(node.Inputs) > 0 {
			in = in[:0]
			for _, k := range node.Inputs {
				in = append(in, marks[k])
			}
		}
		if err := d.absorb(id); err != nil {
			return err
		}
		var err error
		marks[id], err = d.ops[id].EndInterval(context.Background(), in, func(b batch.Batch) error { return d.push(id, b) })
		if err != nil {
			return err
		}
	}
	if len(d.out) > d.first {
		d.lastOut = d.out[d.first:]
	}
	return nil
}

func (d *driver) absorb(id int) error {
	partials := d.partials[id]
	for _, p := range partials {
		p.Seal()
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for w := range errs {
		wg.Go(func() {
			for shard := w; shard < operators.NumShards; shard += len(errs) {
				for _, p := range partials {
					errs[w] = errors.Join(errs[w], d.ops[id].(operators.Keyed).Absorb(context.Background(), shard, p))
				}
			}
		})
	}
	wg.Wait()
	for _, p := range partials {
		p.Reset()
	}
	return errors.Join(errs...)
}

// read gives rows of a split to the scan, batch by batch, and passes on what comes out with its watermarks.
func (d *driver) read(id int, spec *operators.ScanSpec, split int, number int32, from, to int) error {
	rows := d.c.Inputs[spec.Source][split].Rows
	size := d.cut.size
	if size == 0 {
		size = len(rows)
	}
	frame := batch.NewFrame(d.pool, oracle.ScanSchema(spec))
	defer frame.Release()
	for ; from < to; from += size {
		end := min(from+size, to)
		frame.Reset(0)
		for _, row := range rows[from:end] {
			oracle.AppendRow(frame, row)
		}
		in := batch.Batch{Rows: frame.Rows(), Origin: batch.Origin{Split: number, Block: uint64(from), FirstRow: int64(from)}}
		err := d.ops[id].Process(context.Background(), 0, in, func(b batch.Batch) error {
			d.setWatermarks(&b, spec, split)
			return d.push(id, b)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// setWatermarks does what the engine does behind a scan.
func (d *driver) setWatermarks(b *batch.Batch, spec *operators.ScanSpec, split int) {
	b.Origin.Watermark = batch.MinTime
	if spec.EventTime < 0 {
		return
	}
	largest := &d.largest[spec.Source][split]
	b.Origin.Watermark = largest.Sub(spec.Delay)
	marks := make([]batch.Time, b.NumRows())
	times := b.Rows.Column(spec.EventTime).(*array.Timestamp)
	isNeeded := false
	for k := range b.NumLive() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		marks[i] = largest.Sub(spec.Delay)
		if times.IsValid(i) {
			at := batch.Time(times.Value(i))
			isNeeded = isNeeded || at < marks[i]
			*largest = max(*largest, at)
		}
	}
	if isNeeded {
		b.Origin.Watermarks = marks
	}
}

// push gives a batch to everything that consumes a node.
func (d *driver) push(id int, b batch.Batch) error {
	for _, to := range d.consumers[id] {
		op := d.ops[to.node]
		if op == nil {
			d.out = oracle.AppendRows(d.out, b)
			continue
		}
		var err error
		if list := d.partials[to.node]; len(list) > 0 {
			d.turn++
			err = list[d.turn%len(list)].Add(context.Background(), b)
		} else {
			err = op.Process(context.Background(), to.input, b, func(out batch.Batch) error { return d.push(to.node, out) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}
