// Package oracle computes what a plan must give, one row at a time, in the plainest way: values are Go's, groups are maps, sums
// are exact. It shares no code with the operators that it judges. It also makes random plans and data to judge them by.
package oracle

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// Split is the input of one split: rows of the columns that the scan's decoder makes, ScanSpec.Columns. Values are nil, bool,
// int64, float64, string, batch.Time, or []any for lists.
type Split struct {
	Name string
	Rows [][]any
	// Arrivals has the arrival time per row, for plans that use it; nil: the epoch.
	Arrivals []batch.Time
}

// Counts says what became of rows that do not come out.
type Counts struct {
	// Bad rows could not be computed. A row counts once for every operator that it is bad for.
	Bad int
	// Late rows counted for none of their windows.
	Late int
	// Filtered rows did not pass a filter, or are in no window since windows have gaps.
	Filtered int
	// Overflows says that a sum of BIGINTs does not fit, which makes a bad row, or that it may not fit with a part of the rows.
	Overflows bool
	// Fragile says that a sum of DOUBLEs cancels so far, or passes so large values, that rounding shows in its first digits.
	Fragile bool
}

// errBad is the cause of every error of a row, as opposed to those of the plan.
var errBad = errors.New("bad row")

func badf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errBad, fmt.Sprintf(format, args...))
}

// row is a row between two nodes.
type row struct {
	values []any
	// watermark is that of the row's split at the row: the largest time of the rows before it minus the delay.
	watermark batch.Time
}

// Run computes the plan over all of the input, by source or table, and returns the rows of each sink: in append mode all of them, in the
// other modes the last row of each group. An error means that the plan is wrong or has something that the oracle does not know.
func Run(plan *operators.Plan, inputs map[string][]Split) (outputs map[string][][]any, counts Counts, err error) {
	outputs = map[string][][]any{}
	results := make([][]row, len(plan.Nodes))
	for i, node := range plan.Nodes {
		ins := make([][]row, len(node.Inputs))
		for k, id := range node.Inputs {
			ins[k] = results[id]
		}
		var out []row
		switch spec := node.Spec.(type) {
		case *operators.ScanSpec:
			out, err = scan(spec, inputs[spec.Source], &counts)
		case *operators.FilterSpec:
			out, err = filter(spec, ins[0], &counts)
		case *operators.ProjectSpec:
			out, err = project(spec.Exprs, ins[0], &counts)
		case *operators.ExplodeSpec:
			out, err = explode(spec, ins[0], &counts)
		case *operators.UnionSpec:
			out = slices.Concat(ins...)
		case *operators.SortSpec:
			out, err = sortRows(spec, ins[0], &counts)
		case *operators.AggregateSpec:
			out, err = aggregate(spec, ins[0], &counts)
		case *operators.LateSpec:
			out, err = late(spec, ins[0])
		case *operators.OverSpec:
			out, err = over(spec, ins[0], &counts)
		case *operators.RankSpec:
			out, err = rank(spec, ins[0], &counts)
		case *operators.DedupSpec:
			out, err = dedup(spec, ins[0], &counts)
		case *operators.JoinSpec:
			out, err = join(spec, ins[0], ins[1], &counts)
		case *operators.TableJoinSpec:
			out, err = joinTable(spec, ins[0], inputs[spec.Table], &counts)
		case *operators.MatchSpec:
			out, err = matchRows(spec, ins[0], &counts)
		case *operators.OutputSpec:
			outputs[spec.Sink] = [][]any{}
			for _, r := range ins[0] {
				outputs[spec.Sink] = append(outputs[spec.Sink], r.values)
			}
		default:
			err = fmt.Errorf("oracle knows no %T", spec)
		}
		if err != nil {
			return nil, counts, fmt.Errorf("node %d: %w", i, err)
		}
		results[i] = out
	}
	return outputs, counts, nil
}

func scan(spec *operators.ScanSpec, splits []Split, counts *Counts) ([]row, error) {
	var out []row
	for _, split := range splits {
		largest := batch.MinTime
		for i, values := range split.Rows {
			values = slices.Clone(values)
			computed, err := evalAll(spec.Computed, values)
			if errors.Is(err, errBad) {
				counts.Bad++
				continue
			}
			if err != nil {
				return nil, err
			}
			values = append(values, computed...)
			if spec.Arrival {
				arrival := batch.Time(0)
				if split.Arrivals != nil {
					arrival = split.Arrivals[i]
				}
				values = append(values, arrival)
			}
			out = append(out, row{values: values, watermark: largest.Sub(spec.Delay)})
			if spec.EventTime >= 0 {
				if at, ok := values[spec.EventTime].(batch.Time); ok {
					largest = max(largest, at)
				}
			}
		}
	}
	return out, nil
}

func filter(spec *operators.FilterSpec, in []row, counts *Counts) ([]row, error) {
	var out []row
	for _, r := range in {
		passes, err := isTrue(spec.Predicate, r.values)
		switch {
		case errors.Is(err, errBad):
			counts.Bad++
		case err != nil:
			return nil, err
		case passes:
			out = append(out, r)
		default:
			counts.Filtered++
		}
	}
	return out, nil
}

func project(exprs []*expr.Spec, in []row, counts *Counts) ([]row, error) {
	var out []row
	for _, r := range in {
		values, err := evalAll(exprs, r.values)
		switch {
		case errors.Is(err, errBad):
			counts.Bad++
		case err != nil:
			return nil, err
		default:
			out = append(out, row{values, r.watermark})
		}
	}
	return out, nil
}

func explode(spec *operators.ExplodeSpec, in []row, counts *Counts) ([]row, error) {
	var out []row
	for _, r := range in {
		list, err := eval(spec.List, r.values)
		if errors.Is(err, errBad) {
			counts.Bad++
			continue
		}
		if err != nil {
			return nil, err
		}
		elements, _ := list.([]any)
		if len(elements) == 0 && spec.Outer {
			elements = []any{nil}
		}
		for _, element := range elements {
			var values []any
			for _, k := range spec.Keep {
				values = append(values, r.values[k])
			}
			out = append(out, row{append(values, element), r.watermark})
		}
	}
	return out, nil
}

// sortRows sorts all rows as one interval, or each window.
func sortRows(spec *operators.SortSpec, in []row, counts *Counts) ([]row, error) {
	type keyed struct {
		row
		keys []any
	}
	if spec.Limit == 0 {
		return nil, nil // nothing is computed
	}
	var by []*expr.Spec
	for _, k := range spec.By {
		by = append(by, k.Expr)
	}
	var rows []keyed
	for _, r := range in {
		keys, err := evalAll(by, r.values)
		if errors.Is(err, errBad) {
			counts.Bad++
			continue
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, keyed{r, keys})
	}
	slices.SortStableFunc(rows, func(a, b keyed) int {
		if spec.WindowEnd >= 0 {
			if c := compare(a.values[spec.WindowEnd], b.values[spec.WindowEnd]); c != 0 {
				return c
			}
		}
		for i, by := range spec.By {
			if c := compareBy(by, a.keys[i], b.keys[i]); c != 0 {
				return c
			}
		}
		return 0
	})
	var out []row
	inWindow := int64(0)
	for i, r := range rows {
		if spec.WindowEnd >= 0 && i > 0 && compare(r.values[spec.WindowEnd], rows[i-1].values[spec.WindowEnd]) != 0 {
			inWindow = 0
		}
		inWindow++
		if spec.Limit < 0 || inWindow <= spec.Limit {
			out = append(out, r.row)
		}
	}
	return out, nil
}

func compareBy(by operators.SortKey, a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil || b == nil:
		if (a == nil) == by.NullsFirst {
			return -1
		}
		return 1
	case by.Descending:
		return compare(b, a)
	}
	return compare(a, b)
}

func evalAll(exprs []*expr.Spec, values []any) ([]any, error) {
	out := make([]any, 0, len(exprs))
	for _, e := range exprs {
		v, err := eval(e, values)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
