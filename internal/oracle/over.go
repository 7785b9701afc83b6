package oracle

import (
	"errors"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// over computes functions of each row and those near it, a partition at a time, looking at all of it for each row.
func over(spec *operators.OverSpec, in []row, counts *Counts) ([]row, error) {
	partitions := map[string][]row{}
	at := func(r row) batch.Time { return r.values[spec.Time.Column].(batch.Time) }
	for _, r := range in {
		keys, err := evalAll(spec.Partition, r.values)
		if errors.Is(err, errBad) || err == nil && r.values[spec.Time.Column] == nil {
			counts.Bad++
			continue
		}
		if err != nil {
			return nil, err
		}
		if !spec.Arrival && at(r) < r.watermark {
			counts.Late++
			continue
		}
		partitions[keyText(keys)] = append(partitions[keyText(keys)], r)
	}
	var out []row
	for _, rows := range partitions {
		slices.SortStableFunc(rows, func(a, b row) int { return compare(at(a), at(b)) })
		for i, r := range rows {
			values := slices.Clone(r.values)
			var err error
			for _, f := range spec.Funcs {
				var v any
				if v, err = overValue(spec, f, rows, i, at, counts); err != nil {
					break
				}
				values = append(values, v)
			}
			switch {
			case errors.Is(err, errBad):
				counts.Bad++
			case err != nil:
				return nil, err
			default:
				out = append(out, row{values, batch.MinTime})
			}
		}
	}
	return out, nil
}

// overValue computes one function for row i of a partition.
func overValue(spec *operators.OverSpec, f operators.OverFunc, rows []row, i int, at func(row) batch.Time, counts *Counts) (any, error) {
	arg := func(r row) any {
		if f.Arg == nil {
			return true
		}
		return r.values[f.Arg.Column]
	}
	switch f.Func {
	case "row_number":
		return int64(i + 1), nil
	case "rank", "dense_rank":
		rank := int64(1)
		for k := range i {
			if at(rows[k]) < at(rows[i]) && (f.Func == "rank" || at(rows[k]) != at(rows[k+1])) {
				rank++
			}
		}
		return rank, nil
	case "lag", "lead":
		k := i - int(f.Offset)
		if f.Func == "lead" {
			k = i + int(f.Offset)
		}
		switch {
		case k >= 0 && k < len(rows):
			return arg(rows[k]), nil
		case f.Default != nil:
			return f.Default.Value, nil
		}
		return nil, nil
	}
	var frame []any
	for k, r := range rows {
		isIn := at(r) >= at(rows[i]).Sub(spec.Frame.Range) && at(r) <= at(rows[i]).Sub(-spec.Frame.RangeAfter)
		if spec.Frame.IsRows {
			isIn = k <= i+int(spec.Frame.RowsAfter) && k >= i-int(spec.Frame.Rows)
		}
		if isIn {
			frame = append(frame, arg(r))
		}
	}
	switch f.Func {
	case "first_value":
		return frame[0], nil
	case "last_value":
		return frame[len(frame)-1], nil
	}
	frame = slices.DeleteFunc(frame, func(v any) bool { return v == nil })
	return aggregateOf(operators.AggSpec{Func: f.Func, Arg: f.Arg}, frame, counts)
}

// rank numbers all rows as one interval, or each window.
func rank(spec *operators.RankSpec, in []row, counts *Counts) ([]row, error) {
	sort := &operators.SortSpec{Limit: -1, WindowEnd: spec.WindowEnd}
	for _, e := range spec.Partition {
		sort.By = append(sort.By, operators.SortKey{Expr: e, NullsFirst: true})
	}
	sort.By = append(sort.By, spec.By...)
	rows, err := sortRows(sort, in, counts)
	if err != nil {
		return nil, err
	}
	text := func(r row, terms []operators.SortKey) string {
		var values []any
		for _, t := range terms {
			v, err := eval(t.Expr, r.values)
			if err != nil {
				panic(err) // sortRows has computed it
			}
			values = append(values, v)
		}
		if spec.WindowEnd >= 0 {
			values = append(values, r.values[spec.WindowEnd])
		}
		return keyText(values)
	}
	var out []row
	numbers := map[operators.RankFunc]int64{}
	for i, r := range rows {
		switch {
		case i == 0 || text(r, sort.By[:len(spec.Partition)]) != text(rows[i-1], sort.By[:len(spec.Partition)]):
			numbers = map[operators.RankFunc]int64{operators.RowNumber: 1, operators.Rank: 1, operators.DenseRank: 1}
		case text(r, sort.By) == text(rows[i-1], sort.By):
			numbers[operators.RowNumber]++
		default:
			numbers[operators.RowNumber]++
			numbers[operators.Rank] = numbers[operators.RowNumber]
			numbers[operators.DenseRank]++
		}
		if spec.Limit >= 0 && numbers[spec.Funcs[spec.LimitOn]] > spec.Limit {
			continue
		}
		values := slices.Clone(r.values)
		for _, f := range spec.Funcs {
			values = append(values, numbers[f])
		}
		out = append(out, row{values, r.watermark})
	}
	return out, nil
}

// over adds functions of rows near each other. Unless there is one split, they are such that the order of rows of equal time does not
// matter, which is that of their coming.
func (p *planner) over(in *operators.Node) *operators.Node {
	at := timeColumn(in.Schema)
	if at < 0 {
		return in
	}
	isOrdered := p.hasOneOrder()
	p.plain = false
	spec := &operators.OverSpec{Time: expr.Column(in.Schema, at), Frame: operators.OverFrame{Range: time.Duration(p.IntN(10)) * time.Second}}
	if p.chance(40) {
		spec.Frame.RangeAfter = time.Duration(p.IntN(15)) * time.Second
	}
	funcs := []string{"rank", "dense_rank", "count", "sum", "min", "max"}
	if isOrdered {
		funcs = append(funcs, "row_number", "first_value", "last_value", "lag")
		if spec.Frame.RangeAfter == 0 {
			funcs = append(funcs, "lead")
		}
	}
	if isOrdered && p.chance(50) {
		spec.Frame = operators.OverFrame{IsRows: true, Rows: p.Int64N(4), RowsAfter: p.Int64N(3)}
	}
	for range p.IntN(3) {
		spec.Partition = append(spec.Partition, p.expression(in.Schema, pick(p.random, scalarTypes), p.IntN(2)))
	}
	fields := in.Schema.Fields()
	for range 1 + p.IntN(3) {
		f := operators.OverFunc{Name: p.name(), Type: batch.BigInt, Func: pick(p.random, funcs)}
		if f.Func != "rank" && f.Func != "dense_rank" && f.Func != "row_number" {
			column := p.IntN(in.Schema.NumFields())
			t := in.Schema.Field(column).Type
			if t.ID() == arrow.LIST || t.ID() == arrow.FLOAT64 || f.Func == "sum" && t.ID() != arrow.INT64 {
				continue
			}
			f.Arg = expr.Column(in.Schema, column)
			if f.Func != "count" && f.Func != "sum" {
				f.Type = t
			}
			if f.Func == "lag" || f.Func == "lead" {
				f.Offset = p.Int64N(4)
			}
		}
		spec.Funcs = append(spec.Funcs, f)
		fields = append(fields, field(f.Name, f.Type))
	}
	if len(spec.Funcs) == 0 {
		return in
	}
	return p.add(spec, arrow.NewSchema(fields, nil), in)
}

// rankWindows numbers the rows of each window of an aggregate by everything that is no mean or sum of DOUBLEs, keys included, so
// that rows are equal only where it does not matter.
func (p *planner) rankWindows(in *operators.Node) *operators.Node {
	agg := in
	for agg.Inputs != nil {
		if _, ok := agg.Spec.(*operators.AggregateSpec); ok {
			break
		}
		agg = p.c.Plan.Nodes[agg.Inputs[0]]
	}
	schema := withoutDoubles(in.Schema, len(agg.Spec.(*operators.AggregateSpec).Aggs))
	spec := &operators.RankSpec{Limit: p.Int64N(4) - 1, WindowEnd: 1}
	for _, i := range p.Perm(schema.NumFields()) {
		switch {
		case schema.Field(i).Type.ID() == arrow.NULL:
		case p.chance(30):
			spec.Partition = append(spec.Partition, expr.Column(schema, i))
		default:
			spec.By = append(spec.By, p.sortKey(expr.Column(schema, i)))
		}
	}
	fields := in.Schema.Fields()
	for _, f := range []operators.RankFunc{operators.RowNumber, operators.DenseRank, operators.Rank}[:1+p.IntN(3)] {
		spec.Funcs, spec.Names = append(spec.Funcs, f), append(spec.Names, p.name())
		fields = append(fields, field(spec.Names[len(spec.Names)-1], batch.BigInt))
	}
	spec.LimitOn = p.IntN(len(spec.Funcs))
	return p.add(spec, arrow.NewSchema(fields, nil), in)
}
