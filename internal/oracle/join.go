package oracle

import (
	"errors"
	"slices"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// joinRow is a row of one side of a join that is neither bad nor late.
type joinRow struct {
	row
	key       string
	isLone    bool // part of its key, or its time, is NULL
	isMatched bool
}

// joinSide returns the rows of one side that may come out, in their order. time is the column of their times, -1 if there is none.
func joinSide(keys []*expr.Spec, time int, dropsLate bool, in []row, counts *Counts) ([]*joinRow, error) {
	var rows []*joinRow
	for _, r := range in {
		values, err := evalAll(keys, r.values)
		if errors.Is(err, errBad) {
			counts.Bad++
			continue
		}
		if err != nil {
			return nil, err
		}
		j := &joinRow{row: r, key: keyText(values), isLone: slices.Contains(values, nil)}
		if time >= 0 {
			at, hasTime := r.values[time].(batch.Time)
			if hasTime && dropsLate && at < r.watermark {
				counts.Late++
				continue
			}
			j.isLone = j.isLone || !hasTime
		}
		rows = append(rows, j)
	}
	return rows, nil
}

// join looks at every pair of rows.
func join(spec *operators.JoinSpec, left, right []row, counts *Counts) ([]row, error) {
	leftTime, rightTime, dropsLate := -1, -1, false
	if t := spec.Time; t != nil {
		leftTime, rightTime, dropsLate = t.Left, t.Right, !t.Arrival
	}
	lefts, err := joinSide(spec.LeftKeys, leftTime, dropsLate, left, counts)
	if err != nil {
		return nil, err
	}
	rights, err := joinSide(spec.RightKeys, rightTime, dropsLate, right, counts)
	if err != nil {
		return nil, err
	}
	p := &pairs{kind: spec.Kind, residual: spec.Residual, output: spec.Output, numLeft: spec.Inputs[0].NumFields(), numRight: spec.Inputs[1].NumFields()}
	for _, l := range lefts {
		candidates := slices.DeleteFunc(slices.Clone(rights), func(r *joinRow) bool { return l.isLone || r.isLone || l.key != r.key || !isNear(spec.Time, l, r) })
		if spec.AsOf {
			candidates = latest(spec.Time, l, candidates)
		}
		if err := p.add(l, candidates, counts); err != nil {
			return nil, err
		}
	}
	for _, r := range rights {
		if !r.isMatched && (spec.Kind == operators.RightJoin || spec.Kind == operators.FullJoin) {
			p.emit(nil, r)
		}
	}
	return p.out, nil
}

// isNear says whether the times of two rows are within the bounds.
func isNear(t *operators.JoinTime, l, r *joinRow) bool {
	if t == nil {
		return true
	}
	apart := int64(l.values[t.Left].(batch.Time) - r.values[t.Right].(batch.Time))
	return (!t.HasLower || apart >= t.Lower.Microseconds()) && (!t.HasUpper || apart <= t.Upper.Microseconds())
}

// latest returns the last of the rows that have the largest time up to that of l, none if all are after it.
func latest(t *operators.JoinTime, l *joinRow, candidates []*joinRow) []*joinRow {
	var found []*joinRow
	for _, r := range candidates {
		at := r.values[t.Right].(batch.Time)
		if at <= l.values[t.Left].(batch.Time) && (found == nil || at >= found[0].values[t.Right].(batch.Time)) {
			found = []*joinRow{r}
		}
	}
	return found
}

// joinTable looks at every row of the table for each row of the stream.
func joinTable(spec *operators.TableJoinSpec, in []row, table []Split, counts *Counts) ([]row, error) {
	var tableKeys []*expr.Spec
	columns := spec.Columns()
	for _, k := range spec.TableKeys {
		tableKeys = append(tableKeys, expr.Column(columns, k))
	}
	var stored []row
	for _, split := range table {
		for _, values := range split.Rows {
			var used []any
			for _, c := range spec.Used {
				used = append(used, values[c])
			}
			stored = append(stored, row{values: used})
		}
	}
	rights, err := joinSide(tableKeys, -1, false, stored, counts)
	if err != nil {
		return nil, err
	}
	lefts, err := joinSide(spec.Keys, -1, false, in, counts)
	if err != nil {
		return nil, err
	}
	p := &pairs{kind: spec.Kind, residual: spec.Residual, output: spec.Output, numLeft: spec.Input.NumFields(), numRight: columns.NumFields(), keepsWatermark: true}
	for _, l := range lefts {
		candidates := slices.DeleteFunc(slices.Clone(rights), func(r *joinRow) bool { return l.isLone || r.isLone || l.key != r.key })
		if err := p.add(l, candidates, counts); err != nil {
			return nil, err
		}
	}
	return p.out, nil
}

// pairs makes the rows of a join from its pairs.
type pairs struct {
	kind              operators.JoinKind
	residual          *expr.Spec
	output            []int
	numLeft, numRight int
	// keepsWatermark says that rows have the watermark of their left row. Otherwise none of them is late any more.
	keepsWatermark bool

	out []row
}

// add takes a left row with the right rows that it may match. A pair for which the residual can't be computed does not match.
func (p *pairs) add(l *joinRow, candidates []*joinRow, counts *Counts) error {
	for _, r := range candidates {
		if p.residual != nil {
			isMatch, err := isTrue(p.residual, slices.Concat(l.values, r.values))
			if errors.Is(err, errBad) {
				counts.Bad++
				continue
			}
			if err != nil {
				return err
			}
			if !isMatch {
				continue
			}
		}
		l.isMatched, r.isMatched = true, true
		if p.kind != operators.SemiJoin && p.kind != operators.AntiJoin {
			p.emit(l, r)
		}
	}
	switch p.kind {
	case operators.SemiJoin:
		if l.isMatched {
			p.emit(l, nil)
		}
	case operators.AntiJoin, operators.LeftJoin, operators.FullJoin:
		if !l.isMatched {
			p.emit(l, nil)
		}
	case operators.InnerJoin, operators.RightJoin:
	}
	return nil
}

// emit makes a row of two, either of which may be nil.
func (p *pairs) emit(l, r *joinRow) {
	both := make([]any, p.numLeft+p.numRight)
	watermark := batch.MinTime
	if l != nil {
		copy(both, l.values)
		if p.keepsWatermark {
			watermark = l.watermark
		}
	}
	if r != nil {
		copy(both[p.numLeft:], r.values)
	}
	values := make([]any, len(p.output))
	for i, c := range p.output {
		values[i] = both[c]
	}
	p.out = append(p.out, row{values, watermark})
}
