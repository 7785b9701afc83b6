package oracle

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// group is one group of one window, with the argument values of its rows.
type group struct {
	window [2]batch.Time // start, end
	keys   []any
	args   [][]any // per row, per aggregate
}

// aggregate groups all rows, each in every window that it counts for, and computes each group at the end.
func aggregate(spec *operators.AggregateSpec, in []row, counts *Counts) ([]row, error) {
	if spec.Window != nil && spec.Window.Kind == operators.SessionWindow {
		return aggregateSessions(spec, in, counts)
	}
	if spec.Window != nil && spec.Window.Kind == operators.CountWindow {
		return aggregateCounts(spec, in, counts)
	}
	groups := map[string]*group{}
	var order []*group
	find := func(window [2]batch.Time, keys []any) *group {
		id := fmt.Sprint(window) + keyText(keys)
		g := groups[id]
		if g == nil {
			g = &group{window: window, keys: keys}
			groups[id] = g
			order = append(order, g)
		}
		return g
	}
	if spec.Window == nil && len(spec.Keys) == 0 {
		find([2]batch.Time{}, nil)
	}
	for _, r := range in {
		keys, args, err := keysAndArgs(spec, r)
		if errors.Is(err, errBad) {
			counts.Bad++
			continue
		}
		if err != nil {
			return nil, err
		}
		if spec.Window == nil {
			g := find([2]batch.Time{}, keys)
			g.args = append(g.args, args)
			continue
		}
		at, err := eval(spec.Window.Time, r.values)
		if errors.Is(err, errBad) || err == nil && at == nil {
			counts.Bad++
			continue
		}
		if err != nil {
			return nil, err
		}
		in := windowsOf(spec.Window, at.(batch.Time))
		counting := slices.DeleteFunc(slices.Clone(in), func(w [2]batch.Time) bool {
			return !spec.Window.Arrival && w[1].Sub(-spec.Window.Lateness) <= r.watermark
		})
		switch {
		case len(in) == 0:
			counts.Filtered++
		case len(counting) == 0:
			counts.Late++
		}
		for _, w := range counting {
			g := find(w, keys)
			g.args = append(g.args, args)
		}
	}
	return results(spec, order, counts)
}

// results returns the rows of groups, in order of the ends of their windows.
func results(spec *operators.AggregateSpec, order []*group, counts *Counts) ([]row, error) {
	slices.SortStableFunc(order, func(a, b *group) int { return compare(a.window[1], b.window[1]) })
	var out []row
	for _, g := range order {
		values, err := g.result(spec, counts)
		if errors.Is(err, errBad) {
			counts.Bad++
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, row{values, batch.MinTime})
	}
	return out, nil
}

// late returns the rows that count for none of the windows that they are in.
func late(spec *operators.LateSpec, in []row) ([]row, error) {
	var out []row
	for _, r := range in {
		values, err := evalAll(append(slices.Clone(spec.Exprs), spec.Window.Time), r.values)
		if errors.Is(err, errBad) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if spec.Window.Kind == operators.SessionWindow {
			at, _, isIn, err := sessionSpan(spec.Window, r)
			if err == nil && isIn && at < r.watermark.Sub(spec.Window.Lateness) {
				out = append(out, r)
			}
			continue
		}
		at, ok := values[len(values)-1].(batch.Time)
		if !ok {
			continue
		}
		isLate := false
		for _, w := range windowsOf(spec.Window, at) {
			if isLate = w[1].Sub(-spec.Window.Lateness) <= r.watermark; !isLate {
				break
			}
		}
		if isLate {
			out = append(out, r)
		}
	}
	return out, nil
}

func keysAndArgs(spec *operators.AggregateSpec, r row) (keys, args []any, err error) {
	if keys, err = evalAll(spec.Keys, r.values); err != nil {
		return nil, nil, err
	}
	for _, a := range spec.Aggs {
		var v any = true // count(*) counts it
		if a.Arg != nil {
			if v, err = eval(a.Arg, r.values); err != nil {
				return nil, nil, err
			}
		}
		if a.By != nil {
			by, err := eval(a.By, r.values)
			if err != nil {
				return nil, nil, err
			}
			v = [2]any{by, v}
			if by == nil {
				v = nil // such a row is not looked at
			}
		}
		args = append(args, v)
	}
	return keys, args, nil
}

// windowsOf returns the windows that a time is in, the earliest first.
func windowsOf(spec *operators.WindowSpec, at batch.Time) [][2]batch.Time {
	size, slide, offset := spec.Size.Microseconds(), spec.Slide.Microseconds(), spec.Offset.Microseconds()
	n := (int64(at) - offset) / slide
	if n*slide > int64(at)-offset {
		n-- // division rounds towards 0, windows are counted downwards
	}
	var all [][2]batch.Time
	if spec.Kind == operators.CumulatingWindow {
		start := int64(at) - offset - ((int64(at)-offset)%size+size)%size + offset
		for end := start + slide; end <= start+size; end += slide {
			if end > int64(at) {
				all = append(all, [2]batch.Time{batch.Time(start), batch.Time(end)})
			}
		}
		return all
	}
	for start := n*slide + offset; start+size > int64(at); start -= slide {
		all = append(all, [2]batch.Time{batch.Time(start), batch.Time(start + size)})
	}
	slices.Reverse(all)
	return all
}

// keyText returns a text that is equal for equal keys only. -0 is 0, and NaN is NaN.
func keyText(keys []any) string {
	var text strings.Builder
	for _, k := range keys {
		if v, ok := k.(float64); ok && v == 0 {
			k = 0.0
		}
		fmt.Fprintf(&text, " %T %q", k, fmt.Sprint(k))
	}
	return text.String()
}

func (g *group) result(spec *operators.AggregateSpec, counts *Counts) ([]any, error) {
	var values []any
	if spec.Window != nil {
		values = append(values, g.window[0], g.window[1])
	}
	values = append(values, g.keys...)
	for i, a := range spec.Aggs {
		var present []any
		for _, args := range g.args {
			if args[i] != nil {
				present = append(present, args[i])
			}
		}
		v, err := aggregateOf(a, present, counts)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// aggregateOf computes one aggregate of values that are not NULL.
func aggregateOf(spec operators.AggSpec, values []any, counts *Counts) (any, error) {
	if spec.Distinct {
		values = differentOf(values)
	}
	if spec.Func == "count" {
		return int64(len(values)), nil
	}
	if len(values) == 0 {
		return nil, nil
	}
	switch spec.Func {
	case "max_by", "min_by":
		inOrder := func(a, b any) int {
			x, y := a.([2]any), b.([2]any)
			return cmp.Or(compare(x[0], y[0]), compareBy(operators.SortKey{NullsFirst: true}, x[1], y[1]))
		}
		if spec.Func == "max_by" {
			return slices.MaxFunc(values, inOrder).([2]any)[1], nil
		}
		return slices.MinFunc(values, inOrder).([2]any)[1], nil
	case "min":
		return slices.MinFunc(values, compare), nil
	case "max":
		return slices.MaxFunc(values, compare), nil
	case "sum", "avg":
		if spec.Arg.Type.ID() == arrow.FLOAT64 {
			total := sumDoubles(values, counts)
			if spec.Func == "avg" {
				return total / float64(len(values)), nil
			}
			return total, nil
		}
		total, magnitude := new(big.Int), new(big.Int)
		for _, v := range values {
			x := big.NewInt(v.(int64))
			total.Add(total, x)
			magnitude.Add(magnitude, x.Abs(x))
		}
		counts.Overflows = counts.Overflows || spec.Func == "sum" && !magnitude.IsInt64()
		if spec.Func == "avg" {
			mean, _ := new(big.Rat).SetFrac(total, big.NewInt(int64(len(values)))).Float64()
			return mean, nil
		}
		if !total.IsInt64() {
			return nil, badf("sum: BIGINT overflow: %s", total)
		}
		return total.Int64(), nil
	}
	return otherAggregate(spec, values, counts)
}

// sumDoubles returns the exact sum, rounded once. Infinities of one sign win over numbers; NaN, or both signs, give NaN.
func sumDoubles(values []any, counts *Counts) float64 {
	special := 0.0
	// 2200 bits hold the sum of any doubles exactly: exponents span 2098, and there are few addends.
	total, magnitude := new(big.Float).SetPrec(2200), new(big.Float).SetPrec(2200)
	for _, v := range values {
		x := v.(float64)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			special += x
			continue
		}
		total.Add(total, big.NewFloat(x))
		magnitude.Add(magnitude, big.NewFloat(math.Abs(x)))
	}
	if special != 0 {
		return special
	}
	sum, _ := total.Float64()
	size, _ := magnitude.Float64()
	// 1e-4 leaves the 1e-12 that results are compared at far above the rounding of a compensated sum.
	if math.IsInf(size, 0) || math.Abs(sum) < 1e-4*size {
		counts.Fragile = true
	}
	return sum
}
