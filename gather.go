package tidemill

import (
	"cmp"
	"context"
	"slices"

	"github.com/tidemill/tidemill/batch"
)

// gather keeps the rows of an interval that reach the tail from one worker, until they can be put in order.
type gather struct {
	frame  *batch.Frame
	pieces []piece
	marks  []batch.Time // by row of frame: its watermark; only rows of pieces that are marked have one
}

// located is a piece with the gather that it is in.
type located struct {
	piece
	gather *gather
}

// piece is a run of rows of a gather's frame that came in one batch.
type piece struct {
	split     int32
	splitKey  uint64
	block     uint64
	from, to  int
	watermark batch.Time
	arrival   batch.Time
	firstRow  int64 // in the split, of its first row, or before it in the same block
	isMarked  bool  // some row is before its watermark
}

func (ga *gather) add(b batch.Batch) error {
	from := ga.frame.Len()
	ga.frame.AppendBatch(b)
	p := piece{
		split: b.Origin.Split, splitKey: b.Origin.SplitKey, block: b.Origin.Block, from: from, to: ga.frame.Len(), watermark: b.Origin.Watermark,
		arrival: b.Origin.Arrival, firstRow: b.Origin.FirstRow,
	}
	if b.Origin.Watermarks != nil {
		p.isMarked = true
		ga.mark(from, b)
	}
	ga.pieces = append(ga.pieces, p)
	return nil
}

// mark keeps the watermarks of the live rows of b, which are in the frame from row from on.
func (ga *gather) mark(from int, b batch.Batch) {
	ga.marks = slices.Grow(ga.marks[:min(len(ga.marks), from)], ga.frame.Len())
	ga.marks = ga.marks[:from] // rows between belong to pieces without marks
	for k := range b.NumLive() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		ga.marks = append(ga.marks, b.Origin.RowWatermark(i))
	}
}

// batch returns the rows of a piece, with their watermarks.
func (ga *gather) batch(p piece, numbers []int32) batch.Batch {
	b := batch.Batch{Rows: ga.frame.Rows(), Sel: numbers[p.from:p.to]}
	b.Origin = batch.Origin{Split: p.split, SplitKey: p.splitKey, Block: p.block, Arrival: p.arrival, Watermark: p.watermark}
	b.Origin.FirstRow = p.firstRow - int64(p.from) // rows are those of the frame
	if p.isMarked {
		b.Origin.Watermarks = ga.marks
	}
	return b
}

func (ga *gather) reset() {
	ga.frame.Reset(0)
	ga.pieces = ga.pieces[:0]
	ga.marks = ga.marks[:0]
}

// feedGathered passes rows that workers gathered for a node to it, in order of (split, row).
func (g *graph) feedGathered(ctx context.Context, n *nodeRun) error {
	for input := range n.Inputs {
		e := edge{n, input}
		g.located = g.located[:0]
		for _, c := range g.chains {
			if ga := c.gathers[e]; ga != nil {
				for _, p := range ga.pieces {
					g.located = append(g.located, located{p, ga})
				}
			}
		}
		if len(g.located) == 0 {
			continue
		}
		slices.SortStableFunc(g.located, func(a, b located) int {
			return cmp.Or(cmp.Compare(a.split, b.split), cmp.Compare(a.block, b.block))
		})
		for _, l := range g.located {
			if err := g.feed(ctx, e, l.gather.batch(l.piece, g.rowNumbers(l.to))); err != nil {
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

// rowNumbers returns 0 to n-1.
func (g *graph) rowNumbers(n int) []int32 {
	for len(g.numbers) < n {
		g.numbers = append(g.numbers, int32(len(g.numbers)))
	}
	return g.numbers[:n]
}
