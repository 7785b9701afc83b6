package operators

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// overEval computes the functions of an over for the rows that come out.
type overEval struct {
	o *over
	// frame computes aggregates over the rows of one frame; nil if there are none. aggOf has, per function, its aggregate, -1 for
	// others.
	frame *pane
	aggOf []int
	args  []arrow.Array

	// Of the rows that come out: the row, a row that is known behind it, and how many rows that is behind it.
	ready []int32 // those that the watermark has just passed, in order
	rows  []int32
	tails []int32
	steps []int64

	// Scratch.
	in      *batch.Frame
	results []*batch.Column
	view    *batch.View
	members []int32 // rows of a frame
	good    []int32 // rows whose aggregates can be given
	zeros   []int32
	sel     []int32
}

func (e *overEval) init(o *over) {
	e.o = o
	e.in = batch.NewFrame(o.env.Mem, o.inSchema)
	e.view = batch.NewView(o.schema)
	var aggs []AggSpec
	for i, f := range o.spec.Funcs {
		e.results = append(e.results, batch.NewColumn(o.env.Mem, o.schema.Field(o.inSchema.NumFields()+i).Type))
		e.aggOf = append(e.aggOf, -1)
		if f.isAggregate() {
			e.aggOf[i] = len(aggs)
			aggs = append(aggs, AggSpec{Func: f.Func, Arg: f.Arg, Name: f.Name, Type: f.Type})
		}
	}
	if aggs != nil {
		e.frame = newPane(o.env.Mem, nil, aggs, denseRoom)
		e.args = make([]arrow.Array, len(aggs))
	}
}

// emit emits the rows that can come out.
func (o *over) emit(ctx context.Context, emit batch.Emit) error {
	e := &o.eval
	e.rows, e.tails, e.steps = e.rows[:0], e.tails[:0], e.steps[:0]
	for _, row := range e.ready {
		if from := o.kept.walk(row, o.lead); from != noRow {
			e.add(from, row, o.lead)
		}
	}
	if o.bound == batch.MaxTime && o.lead > 0 {
		o.addPending()
	}
	for from := 0; from < len(e.rows); from += maxEmitRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(from+maxEmitRows, len(e.rows))
		if err := o.emitRows(e.rows[from:to], e.tails[from:to], e.steps[from:to], emit); err != nil {
			return err
		}
	}
	return nil
}

func (e *overEval) add(row, tail int32, steps int64) {
	e.rows, e.tails, e.steps = append(e.rows, row), append(e.tails, tail), append(e.steps, steps)
}

// addPending adds the rows that wait for rows behind them, which will not come.
func (o *over) addPending() {
	e := &o.eval
	pending := e.sel[:0]
	behind := make(map[int32]int64)
	for _, row := range o.last {
		for steps := int64(0); steps < o.lead && row != noRow; steps++ {
			pending = append(pending, row)
			behind[row] = steps
			row = o.kept.before[row]
		}
	}
	o.sort(pending)
	for _, row := range pending {
		e.add(row, o.last[o.kept.group[row]], behind[row])
	}
	e.sel = pending
}

// emitRows computes the functions of rows and emits them.
func (o *over) emitRows(rows, tails []int32, steps []int64, emit batch.Emit) error {
	e := &o.eval
	origin := batch.Origin{
		Split: -1, Block: o.interval.ID<<32 | o.sequence, Arrival: o.interval.End, Watermark: batch.MinTime,
	}
	columns := o.rows.Rows()
	for _, col := range e.results {
		col.Reset(0)
	}
	good := rows
	if e.frame != nil {
		good = e.aggregates(rows, columns, &origin)
	}
	for i := range o.spec.Funcs {
		switch f := &o.spec.Funcs[i]; {
		case f.isNumber():
			e.numbers(e.results[i], f.Func, good)
		case f.Func == "lag":
			for _, row := range good {
				e.value(e.results[i], columns, f, o.kept.walk(row, f.Offset))
			}
		case f.Func == "lead":
			next := 0 // of good, which are among rows in order
			for k, row := range rows {
				if next == len(good) || good[next] != row {
					continue
				}
				next++
				at := int32(noRow)
				if f.Offset <= steps[k] {
					at = o.kept.walk(tails[k], steps[k]-f.Offset)
				}
				e.value(e.results[i], columns, f, at)
			}
		case f.Func == "first_value":
			e.edge(e.results[i], columns, f, good, true)
		case f.Func == "last_value":
			e.edge(e.results[i], columns, f, good, false)
		}
	}
	if len(good) == 0 {
		return nil
	}
	e.in.Reset(0)
	e.in.AppendBatch(batch.Batch{Rows: columns, Sel: good})
	for i, col := range e.in.Columns {
		e.view.Set(i, col.Array())
	}
	for i, col := range e.results {
		e.view.Set(len(e.in.Columns)+i, col.Array())
	}
	e.view.SetRows(len(good))
	o.sequence++
	return emit(batch.Batch{Rows: e.view, Origin: origin})
}

func (e *overEval) numbers(col *batch.Column, fn string, rows []int32) {
	from := e.o.kept.number
	switch fn {
	case "rank":
		from = e.o.kept.rank
	case "dense_rank":
		from = e.o.kept.rise
	}
	col.Reset(len(rows))
	values := col.Int64s()
	for k, row := range rows {
		values[k] = from[row]
	}
}

// value appends the argument's value at a row, the default if there is no row.
func (e *overEval) value(col *batch.Column, columns *batch.View, f *OverFunc, row int32) {
	if row != noRow {
		col.AppendRow(columns.Column(f.Arg.Column), int(row))
		return
	}
	if f.Default == nil {
		col.AppendNull()
		return
	}
	switch v := f.Default.Value.(type) {
	case bool:
		col.AppendBool(v)
	case int64:
		col.AppendInt64(v)
	case float64:
		col.AppendFloat64(v)
	case string:
		col.AppendString(v)
	case batch.Time:
		col.AppendInt64(int64(v))
	case time.Duration:
		col.AppendInt64(v.Microseconds())
	case decimal.Num:
		col.AppendDecimal(v)
	default:
		col.AppendNull()
	}
}

// edge appends the values of the first or the last row of each row's frame.
func (e *overEval) edge(col *batch.Column, columns *batch.View, f *OverFunc, rows []int32, isFirst bool) {
	e.sel = e.sel[:0]
	for _, row := range rows {
		e.collect(row)
		if isFirst {
			row = e.members[len(e.members)-1]
		} else {
			row = e.members[0]
		}
		e.sel = append(e.sel, row)
	}
	col.AppendArray(columns.Column(f.Arg.Column), len(e.sel), e.sel)
}

// collect sets members to the rows of the frame of a row, the last one first.
func (e *overEval) collect(row int32) {
	k, frame := &e.o.kept, &e.o.spec.Frame
	e.members = e.members[:0]
	if frame.IsRows {
		n := frame.Rows
		for ; n < frame.Rows+frame.RowsAfter && k.next[row] != noRow; n++ {
			row = k.next[row]
		}
		for ; n >= 0 && row != noRow; n-- {
			e.members = append(e.members, row)
			row = k.before[row]
		}
		return
	}
	since := int64(batch.Time(k.times[row]).Sub(frame.Range))
	until := int64(batch.Time(k.times[row]).Sub(-frame.RangeAfter))
	row = k.peer[row]
	for next := k.next[row]; next != noRow && k.times[next] <= until; next = k.next[row] {
		row = next
	}
	for ; row != noRow && k.times[row] >= since; row = k.before[row] {
		e.members = append(e.members, row)
	}
}

// aggregates appends the aggregates of the frames of rows, and returns the rows without those for which one can't be given.
func (e *overEval) aggregates(rows []int32, columns *batch.View, origin *batch.Origin) []int32 {
	for i, at := range e.aggOf {
		if at >= 0 && e.o.spec.Funcs[i].Arg != nil {
			e.args[at] = columns.Column(e.o.spec.Funcs[i].Arg.Column)
		}
	}
	good := e.good[:0]
	var only [1]int32
	done, last := int32(noRow), "" // the row whose frame was computed, and what is wrong with it
	for _, row := range rows {
		same := !e.o.spec.Frame.IsRows && done != noRow && e.o.kept.peer[row] == e.o.kept.peer[done]
		if !same {
			last = e.compute(row)
			done = row
		}
		if last != "" {
			if e.o.env.Bad != nil {
				e.o.env.Bad(origin, int32(len(good)), last)
			}
			continue
		}
		good = append(good, row)
		for i, at := range e.aggOf {
			switch {
			case at < 0:
			case e.frame.accs[at] == nil:
				e.results[i].AppendInt64(e.frame.rec.rows(0))
			default:
				e.frame.accs[at].result(e.results[i], only[:])
			}
		}
	}
	e.good = good
	return good
}

// compute adds the frame of a row up, and says what is wrong with it, "" if nothing is.
func (e *overEval) compute(row int32) (fault string) {
	e.collect(row)
	for len(e.zeros) < len(e.members) {
		e.zeros = append(e.zeros, 0)
	}
	e.frame.reset()
	zeros := e.zeros[:len(e.members)]
	e.frame.table.lookup(nil, nil, zeros)
	e.frame.grow()
	e.frame.add(e.args, e.members, zeros)
	for _, acc := range e.frame.accs {
		if acc != nil && fault == "" {
			fault = acc.fault(0)
		}
	}
	return fault
}

func (e *overEval) close() {
	e.in.Release()
	for _, col := range e.results {
		col.Release()
	}
	if e.frame != nil {
		e.frame.close()
	}
}
