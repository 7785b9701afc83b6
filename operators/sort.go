package operators

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

const (
	// maxEmitRows bounds the rows of a batch that an operator emits from state.
	maxEmitRows = 1 << 16
	// minPruneRows is how many rows a Sort with a small limit gathers before it drops those that can't be among the first: enough
	// to make that rare. The value is a choice, not a measurement.
	minPruneRows = 4096
	// placeBytes is how many bytes of a key are the row's place in the input: split, block, number.
	placeBytes = 4 + 8 + 8
	// maxSortLimit bounds LIMIT so that twice of it is an int. Nobody can hold as many rows.
	maxSortLimit = 1 << 48
)

// sorter orders the rows of an interval or of a window. It keeps a copy of the rows and a key of bytes per row, which ends in the
// row's place in the input, so that rows that are equal otherwise keep their order. With a limit k it never holds
// more than max(2k, minPruneRows) rows and a batch: beyond that it keeps the first k, and from then on takes rows only that
// come before the last of these.
type sorter struct {
	stateless
	mem       memory.Allocator
	by        []expr.Expr
	terms     []SortKey
	limit     int // -1: all
	windowEnd int
	ranks     *ranker // nil: rows are not numbered

	// Rows since the last flush.
	rows      *batch.Frame
	keys      []byte
	ends      []int64 // of each row's key in keys
	next      uint64
	bound     []byte // the limit-th key, empty until there were too many rows
	pruneAt   int    // rows from which on some are dropped; 0: never
	window    int64
	hasWindow bool

	// Scratch.
	terminal []arrow.Array
	spare    *batch.Frame // takes the rows that stay, and those that are emitted
	sel      []int32
	kept     []int32
	order    []sortRef
	indices  []int32
	spareKey []byte
	spareEnd []int64
	key      []byte
	bad      badRows
	sequence uint64
	interval batch.Interval
}

// sortRef is a row to be ordered: the first 8 bytes of its key decide most comparisons.
type sortRef struct {
	prefix uint64
	row    int32
}

var _ Operator = (*sorter)(nil)

// NewSort returns an operator that emits the rows of each interval, or of each window, in order at its end. A row for which a
// term can't be computed is bad.
func NewSort(spec *SortSpec, schema *arrow.Schema, env Env) (Operator, error) {
	specs := make([]*expr.Spec, len(spec.By))
	for i, k := range spec.By {
		if !isSortable(k.Expr.Type) {
			return nil, fmt.Errorf("sort: %s has no order: %s", batch.TypeName(k.Expr.Type), k.Expr)
		}
		specs[i] = k.Expr
	}
	if spec.WindowEnd >= schema.NumFields() {
		return nil, fmt.Errorf("sort: window.end is column %d of %d", spec.WindowEnd, schema.NumFields())
	}
	by, err := newExprs(env.Mem, specs)
	if err != nil {
		return nil, fmt.Errorf("sort: %w", err)
	}
	s := &sorter{
		stateless: stateless{schema}, mem: env.Mem, by: by, terms: spec.By, limit: int(min(max(spec.Limit, -1), maxSortLimit)), windowEnd: spec.WindowEnd,
		rows: batch.NewFrame(env.Mem, schema), spare: batch.NewFrame(env.Mem, schema), terminal: make([]arrow.Array, len(by)),
	}
	s.bad.init(env)
	if s.limit > 0 {
		s.pruneAt = max(2*s.limit, minPruneRows)
	}
	return s, nil
}

// BeginInterval notes the interval.
func (s *sorter) BeginInterval(iv batch.Interval) error {
	s.interval, s.sequence = iv, 0
	return nil
}

// Process keeps a copy of the rows that may come out. Where a new window begins, the one before is emitted.
func (s *sorter) Process(ctx context.Context, _ int, in batch.Batch, emit batch.Emit) error {
	if s.limit == 0 {
		return nil
	}
	s.bad.begin(&in)
	for i, e := range s.by {
		arr, err := e.Eval(ctx, in, s.bad.note)
		if err != nil {
			return err
		}
		s.terminal[i] = arr
	}
	sel := s.bad.narrow(&in, &s.sel)
	if sel == nil {
		s.sel = s.sel[:0]
		for i := range int32(in.NumRows()) {
			s.sel = append(s.sel, i)
		}
		sel = s.sel
	}
	if s.windowEnd < 0 {
		s.add(&in, sel)
		return nil
	}
	ends := in.Rows.Column(s.windowEnd)
	values := batch.Int64s(ends)
	for from := 0; from < len(sel); {
		window := values[sel[from]]
		if s.hasWindow && window != s.window {
			if err := s.flush(emit); err != nil {
				return err
			}
		}
		s.window, s.hasWindow = window, true
		to := from
		for to < len(sel) && values[sel[to]] == window {
			to++
		}
		s.add(&in, sel[from:to])
		from = to
	}
	return nil
}

// add takes the rows that sel names.
func (s *sorter) add(in *batch.Batch, sel []int32) {
	s.kept = s.kept[:0]
	for _, i := range sel {
		s.key = s.key[:0]
		part := 0
		for t, arr := range s.terminal {
			s.key = appendSortKey(s.key, arr, int(i), s.terms[t])
			if s.ranks != nil && t+1 == len(s.ranks.spec.Partition) {
				part = len(s.key)
			}
		}
		// The order of rows in a split is that of its blocks, within a block that of their coming.
		s.key = binary.BigEndian.AppendUint32(s.key, uint32(in.Origin.Split)^1<<31)
		s.key = binary.BigEndian.AppendUint64(s.key, in.Origin.Block)
		s.key = binary.BigEndian.AppendUint64(s.key, s.next)
		if len(s.bound) > 0 && bytes.Compare(s.key, s.bound) > 0 {
			continue
		}
		s.next++
		if s.ranks != nil {
			s.ranks.parts = append(s.ranks.parts, int32(part))
		}
		s.keys = batch.AppendSlice(s.mem, s.keys, s.key...)
		s.ends = batch.AppendSlice(s.mem, s.ends, int64(len(s.keys)))
		s.kept = append(s.kept, i)
	}
	if len(s.kept) == 0 {
		return
	}
	s.rows.AppendBatch(batch.Batch{Rows: in.Rows, Sel: s.kept})
	if s.pruneAt > 0 && len(s.ends) > s.pruneAt {
		s.prune()
	}
}

func (s *sorter) keyOf(row int32) []byte {
	start := int64(0)
	if row > 0 {
		start = s.ends[row-1]
	}
	return s.keys[start:s.ends[row]]
}

// sorted returns the rows in order, up to the limit.
func (s *sorter) sorted() []int32 {
	s.order = s.order[:0]
	for row := range int32(len(s.ends)) {
		var prefix [8]byte
		copy(prefix[:], s.keyOf(row))
		s.order = append(s.order, sortRef{binary.BigEndian.Uint64(prefix[:]), row})
	}
	slices.SortFunc(s.order, func(a, b sortRef) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return bytes.Compare(s.keyOf(a.row), s.keyOf(b.row))
	})
	s.indices = s.indices[:0]
	if s.ranks != nil {
		s.ranks.number(s)
		return s.indices
	}
	for _, r := range s.order {
		if s.limit >= 0 && len(s.indices) == s.limit {
			break
		}
		s.indices = append(s.indices, r.row)
	}
	return s.indices
}

// prune drops all rows but those that the limit lets through.
func (s *sorter) prune() {
	indices := s.sorted()
	if s.ranks == nil {
		s.bound = append(s.bound[:0], s.keyOf(indices[len(indices)-1])...)
	} else {
		s.ranks.prune(indices)
		s.pruneAt = max(2*len(indices), minPruneRows)
	}
	s.spareKey, s.spareEnd = s.spareKey[:0], s.spareEnd[:0]
	for _, row := range indices {
		s.spareKey = batch.AppendSlice(s.mem, s.spareKey, s.keyOf(row)...)
		s.spareEnd = batch.AppendSlice(s.mem, s.spareEnd, int64(len(s.spareKey)))
	}
	s.spare.Reset(0)
	s.spare.AppendBatch(batch.Batch{Rows: s.rows.Rows(), Sel: indices})
	s.rows, s.spare = s.spare, s.rows
	s.keys, s.spareKey = s.spareKey, s.keys
	s.ends, s.spareEnd = s.spareEnd, s.ends
}

// flush emits the rows in order and forgets them.
func (s *sorter) flush(emit batch.Emit) error {
	indices := s.sorted()
	rows := s.rows.Rows()
	for from := 0; from < len(indices); {
		n := min(len(indices)-from, maxEmitRows)
		s.spare.Reset(0)
		s.spare.AppendBatch(batch.Batch{Rows: rows, Sel: indices[from : from+n]})
		out := arrow.RecordBatch(s.spare.Rows())
		if s.ranks != nil {
			out = s.ranks.rows(s.spare, from, n)
		}
		from += n
		origin := batch.Origin{Split: -1, Block: s.sequence, Arrival: s.interval.End, Watermark: batch.MinTime}
		s.sequence++
		if err := emit(batch.Batch{Rows: out, Origin: origin}); err != nil {
			return err
		}
	}
	s.rows.Reset(0)
	s.keys, s.ends, s.bound, s.next, s.hasWindow = s.keys[:0], s.ends[:0], s.bound[:0], 0, false
	if s.ranks != nil {
		s.ranks.parts = s.ranks.parts[:0]
		s.pruneAt = min(s.pruneAt, minPruneRows)
	}
	return nil
}

// EndInterval emits what is left of the interval.
func (s *sorter) EndInterval(_ context.Context, in []batch.Time, emit batch.Emit) (batch.Time, error) {
	if len(s.ends) > 0 {
		if err := s.flush(emit); err != nil {
			return 0, err
		}
	}
	s.hasWindow = false
	return minTime(in), nil
}

// Close releases all memory.
func (s *sorter) Close() {
	closeExprs(s.by)
	if s.ranks != nil {
		s.ranks.close()
	}
	s.rows.Release()
	s.spare.Release()
	batch.FreeSlice(s.mem, s.keys)
	batch.FreeSlice(s.mem, s.ends)
	batch.FreeSlice(s.mem, s.spareKey)
	batch.FreeSlice(s.mem, s.spareEnd)
}
