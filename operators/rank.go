package operators

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// RankFunc numbers the rows of a partition.
type RankFunc uint8

// The functions that number rows.
const (
	// RowNumber counts rows from 1.
	RowNumber RankFunc = iota
	// Rank is one more than the number of rows before that are not equal: 1, 1, 3.
	Rank
	// DenseRank is one more than the number of different rows before: 1, 1, 2.
	DenseRank
)

// String returns the name of f in SQL.
func (f RankFunc) String() string { return [...]string{"row_number", "rank", "dense_rank"}[f] }

// RankSpec numbers the rows of an interval, or, where WindowEnd is not negative, of each window, within each Partition, in order
// of By. Rows come out in order of Partition and By; rows that are equal under both keep their order. The columns are those of
// the input, then one per function.
type RankSpec struct {
	Partition []*expr.Spec
	By        []SortKey
	Funcs     []RankFunc
	Names     []string // of the columns of Funcs
	// Limit drops rows for which function LimitOn is larger; -1: none.
	Limit     int64
	LimitOn   int
	WindowEnd int // column that tells windows apart, which come in its order; -1: per interval
}

// String returns the line of EXPLAIN.
func (s *RankSpec) String() string {
	var funcs, by []string
	for i, f := range s.Funcs {
		funcs = append(funcs, f.String()+" AS "+s.Names[i])
	}
	for _, k := range s.By {
		by = append(by, k.String())
	}
	text := strings.Join(funcs, ", ")
	if len(s.Partition) > 0 {
		text += " partition by [" + namedText(s.Partition, nil) + "]"
	}
	text += " order by [" + strings.Join(by, ", ") + "]"
	if s.Limit >= 0 {
		text += fmt.Sprintf(" keep %s <= %d", s.Names[s.LimitOn], s.Limit)
	}
	if s.WindowEnd >= 0 {
		return text + " per window"
	}
	return text + " per interval"
}

// exprs returns the expressions over the input.
func (s *RankSpec) exprs() []*expr.Spec {
	exprs := slices.Clone(s.Partition)
	for _, k := range s.By {
		exprs = append(exprs, k.Expr)
	}
	return exprs
}

// remapped returns the spec over an input whose columns moved.
func (s *RankSpec) remapped(remap func(*expr.Spec) *expr.Spec, moved []int) *RankSpec {
	kept := *s
	kept.Partition = make([]*expr.Spec, len(s.Partition))
	for i, e := range s.Partition {
		kept.Partition[i] = remap(e)
	}
	kept.By = slices.Clone(s.By)
	for i := range kept.By {
		kept.By[i].Expr = remap(kept.By[i].Expr)
	}
	if s.WindowEnd >= 0 {
		kept.WindowEnd = moved[s.WindowEnd]
	}
	return &kept
}

// NewRank returns an operator that emits the rows of each interval, or of each window, numbered and in order at its end: a Sort by
// partition and order that numbers what it gives.
func NewRank(spec *RankSpec, schema *arrow.Schema, env Env) (Operator, error) {
	inputs := schema.NumFields() - len(spec.Funcs)
	if inputs < 0 || len(spec.Names) != len(spec.Funcs) || len(spec.Funcs) == 0 {
		return nil, fmt.Errorf("rank: %d functions, %d names, schema has %d columns", len(spec.Funcs), len(spec.Names), schema.NumFields())
	}
	if spec.Limit >= 0 && (spec.LimitOn < 0 || spec.LimitOn >= len(spec.Funcs)) {
		return nil, errors.New("rank: the limit is on no function")
	}
	metadata := schema.Metadata()
	in := arrow.NewSchema(schema.Fields()[:inputs], &metadata)
	sort := &SortSpec{Limit: -1, WindowEnd: spec.WindowEnd}
	for _, e := range spec.Partition {
		sort.By = append(sort.By, SortKey{Expr: e, NullsFirst: true})
	}
	sort.By = append(sort.By, spec.By...)
	op, err := NewSort(sort, in, env)
	if err != nil {
		return nil, fmt.Errorf("rank: %w", err)
	}
	s := op.(*sorter)
	s.schema = schema
	r := &ranker{spec: spec, view: batch.NewView(schema)}
	for i := range spec.Funcs {
		r.columns = append(r.columns, batch.NewColumn(env.Mem, schema.Field(inputs+i).Type))
	}
	r.values = make([][]int64, len(spec.Funcs))
	s.ranks = r
	if spec.Limit >= 0 {
		s.pruneAt = minPruneRows
	}
	return s, nil
}

// ranker numbers the rows of a sorter.
type ranker struct {
	spec *RankSpec
	// parts has, by row of the sorter, how many bytes of its key are the partition.
	parts, spareParts []int32

	// Of the rows that are in order, one entry per row that stays and function.
	values  [][]int64
	columns []*batch.Column
	view    *batch.View
}

// number sets s.indices to the rows of s.order that the limit lets through, and values to their numbers.
func (r *ranker) number(s *sorter) {
	for f := range r.values {
		r.values[f] = r.values[f][:0]
	}
	var last []byte
	var lastPart int32
	var numbers [3]int64 // by RankFunc
	for _, o := range s.order {
		key, part := s.keyOf(o.row), r.parts[o.row]
		key = key[:len(key)-placeBytes]
		switch {
		case last == nil || part != lastPart || !bytes.Equal(key[:part], last[:part]):
			numbers = [3]int64{1, 1, 1}
		case bytes.Equal(key, last):
			numbers[RowNumber]++
		default:
			numbers[RowNumber]++
			numbers[Rank] = numbers[RowNumber]
			numbers[DenseRank]++
		}
		last, lastPart = key, part
		if r.spec.Limit >= 0 && numbers[r.spec.Funcs[r.spec.LimitOn]] > r.spec.Limit {
			continue
		}
		s.indices = append(s.indices, o.row)
		for f, fn := range r.spec.Funcs {
			r.values[f] = append(r.values[f], numbers[fn])
		}
	}
}

// prune keeps what the sorter keeps.
func (r *ranker) prune(indices []int32) {
	r.spareParts = r.spareParts[:0]
	for _, row := range indices {
		r.spareParts = append(r.spareParts, r.parts[row])
	}
	r.parts, r.spareParts = r.spareParts, r.parts
}

// rows returns rows of the input with their numbers, those from row from of what number gave.
func (r *ranker) rows(in *batch.Frame, from, n int) arrow.RecordBatch {
	for i, col := range in.Columns {
		r.view.Set(i, col.Array())
	}
	for f, col := range r.columns {
		col.Reset(n)
		copy(col.Int64s(), r.values[f][from:from+n])
		r.view.Set(len(in.Columns)+f, col.Array())
	}
	r.view.SetRows(n)
	return r.view
}

func (r *ranker) close() {
	for _, col := range r.columns {
		col.Release()
	}
}
