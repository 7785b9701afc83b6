package bench

import (
	"context"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/egress"
)

// resultSink is a sink from which an answer can be had after the run.
type resultSink interface {
	egress.Sink
	// answer returns what came. It is not part of what is measured.
	answer(fold fold) Answer
}

// fold says how the rows of an aggregate become an answer.
type fold int

const (
	// foldNone takes rows as they are.
	foldNone fold = iota
	// foldSum adds up the last column, a BIGINT, over rows that are equal in the others: for windows by arrival, whose cut depends
	// on the clock.
	foldSum
	// foldLast takes the rows of the last interval: for groups that are never closed, in complete mode.
	foldLast
)

// plainSink has what sinks of this package have in common: nothing is staged.
type plainSink struct{}

// Open does nothing.
func (plainSink) Open(context.Context, egress.Spec, uint64, egress.Token) error { return nil }

// Prepare returns an empty token.
func (plainSink) Prepare(context.Context, uint64) (egress.Token, error) { return nil, nil }

// Commit does nothing.
func (plainSink) Commit(context.Context, uint64, egress.Token) error { return nil }

// Close does nothing.
func (plainSink) Close() error { return nil }

// tally drops rows, and keeps what costs next to nothing to compute and is wrong if rows are: their number, the sums of numbers,
// in thousandths for DOUBLE, and the bytes of text.
type tally struct {
	plainSink

	rows int64
	sums []int64
}

var _ resultSink = (*tally)(nil)

// Write adds in to the sums.
func (t *tally) Write(_ context.Context, _ batch.Interval, in batch.Batch) error {
	if t.sums == nil {
		t.sums = make([]int64, in.Rows.NumCols())
	}
	t.rows += int64(in.NumLive())
	for c, col := range in.Rows.Columns() {
		var sum int64
		switch a := col.(type) {
		case *array.Int64:
			sum = sumLive(a.Int64Values(), in, func(v int64) int64 { return v })
		case *array.Timestamp:
			sum = sumLive(a.Values(), in, func(v arrowTime) int64 { return int64(v) })
		case *array.Float64:
			sum = sumLive(a.Float64Values(), in, func(v float64) int64 { return int64(math.Round(v * 1000)) })
		case *array.Decimal128:
			scale := a.DataType().(*arrow.Decimal128Type).Scale
			sum = sumLive(a.Values(), in, func(v decimal128.Num) int64 { return int64(math.Round(v.ToFloat64(scale) * 1000)) })
		case *array.String:
			sum = textBytes(a, in)
		}
		t.sums[c] += sum
	}
	return nil
}

func sumLive[T any](values []T, in batch.Batch, number func(T) int64) (sum int64) {
	if in.Sel == nil {
		for _, v := range values[:in.NumRows()] {
			sum += number(v)
		}
		return sum
	}
	for _, i := range in.Sel {
		sum += number(values[i])
	}
	return sum
}

func textBytes(a *array.String, in batch.Batch) (sum int64) {
	if in.Sel == nil {
		offsets := a.ValueOffsets() // ValueOffset does not give the end of an array's last value
		if in.NumRows() == 0 {
			return 0
		}
		return int64(offsets[in.NumRows()] - offsets[0])
	}
	for _, i := range in.Sel {
		sum += int64(a.ValueLen(int(i)))
	}
	return sum
}

// answer returns one row: the number of rows and the sums.
func (t *tally) answer(fold) Answer { return tallyAnswer(t.rows, t.sums...) }

func tallyAnswer(rows int64, sums ...int64) Answer {
	text := strconv.AppendInt(nil, rows, 10)
	if rows > 0 {
		for _, s := range sums {
			text = strconv.AppendInt(append(text, '|'), s, 10)
		}
	}
	return answerOf(string(text))
}

// collector keeps rows, as copies of columns: results of aggregates are small, or copying them is small beside making them.
type collector struct {
	plainSink

	lastOnly bool // of an interval
	pool     *batch.Pool
	frame    *batch.Frame
	interval uint64
}

var _ resultSink = (*collector)(nil)

// Write copies in.
func (c *collector) Write(_ context.Context, iv batch.Interval, in batch.Batch) error {
	if c.frame == nil {
		c.pool = batch.NewPool(0)
		c.frame = batch.NewFrame(c.pool, in.Rows.Schema())
	}
	if in.NumLive() == 0 {
		return nil
	}
	if c.lastOnly && iv.ID != c.interval {
		c.frame.Reset(0)
	}
	c.interval = iv.ID
	c.frame.AppendBatch(in)
	return nil
}

// answer returns the rows, folded.
func (c *collector) answer(f fold) Answer {
	if c.frame == nil {
		return Answer{}
	}
	var (
		a       Answer
		row     []byte
		counts  = make(map[string]int64)
		rows    = c.frame.Rows()
		columns = rows.Columns()
	)
	for i := range int(rows.NumRows()) {
		switch f {
		case foldSum:
			n := len(columns) - 1
			row = appendRow(row[:0], columns[:n], i)
			counts[string(row)] += columns[n].(*array.Int64).Value(i)
		case foldNone, foldLast:
			row = appendRow(row[:0], columns, i)
			a.add(string(row))
		}
	}
	for key, n := range counts {
		a.add(key + "|" + whole(n))
	}
	c.frame.Release()
	return a
}
