package tidemill

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// ForeachBatch calls fn with the rows of each interval, in order, one call after the other, also when there are none. rows is valid
// until fn returns. After a restart, intervals behind the last commit come again: fn is called at least once for each row. An error
// of fn ends the job.
func (s Stream[T]) ForeachBatch(name string, fn func(ctx context.Context, iv batch.Interval, rows []T) error) {
	rows := s.codec.NewRows()
	s.rows.ForeachBatch(name, func(ctx context.Context, iv batch.Interval, in arrow.RecordBatch) error {
		var err error
		rows.Read(batch.Batch{Rows: in}, func(row int32, why string) { err = fmt.Errorf("row %d: %s", row, why) })
		if err != nil {
			return err
		}
		return fn(ctx, iv, rows.Values)
	})
}

// Print prints the first n rows of each interval on Config.Stdout, below a line with the time of the interval's end, as Spark does.
func (s Stream[T]) Print(n int) {
	c := s.rows.c
	s.ForeachBatch(c.stateName("print"), func(_ context.Context, iv batch.Interval, rows []T) error {
		const line = "-------------------------------------------"
		if _, err := fmt.Fprintf(c.cfg.Stdout, "%s\nTime: %d ms\n%s\n", line, int64(iv.End)/1000, line); err != nil {
			return err
		}
		for i, row := range rows {
			if i == n {
				if _, err := fmt.Fprintln(c.cfg.Stdout, "..."); err != nil {
					return err
				}
				break
			}
			if _, err := fmt.Fprintf(c.cfg.Stdout, "%v\n", row); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintln(c.cfg.Stdout)
		return err
	})
}

// IntervalRows are the rows of one interval.
type IntervalRows[T any] struct {
	Interval batch.Interval
	Rows     []T
}

// Remembered keeps the rows of the last intervals of a stream, for code outside of the job. It is safe for concurrent use. It keeps
// nothing over a restart.
type Remembered[T any] struct {
	keep batch.Time

	mu        sync.Mutex
	intervals []IntervalRows[T] // in order
}

// Remember keeps the rows of the last intervals, as long ago as d, counted from the end of the last one. It is a plain list: rows
// can't be computed again, so that there is nothing that a cache could leave out.
func (s Stream[T]) Remember(name string, d time.Duration) *Remembered[T] {
	r := &Remembered[T]{keep: batch.Time(d.Microseconds())}
	s.ForeachBatch(name, func(_ context.Context, iv batch.Interval, rows []T) error {
		r.add(IntervalRows[T]{iv, slices.Clone(rows)})
		return nil
	})
	return r
}

func (r *Remembered[T]) add(rows IntervalRows[T]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.intervals = append(r.intervals, rows)
	r.intervals = slices.DeleteFunc(r.intervals, func(old IntervalRows[T]) bool { return old.Interval.End <= rows.Interval.End-r.keep })
}

// Slice returns the intervals that are remembered and end at from, at to, or between. Their rows are shared: they must not be changed.
func (r *Remembered[T]) Slice(from, to time.Time) []IntervalRows[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []IntervalRows[T]
	for _, rows := range r.intervals {
		if rows.Interval.End >= batch.TimeOf(from) && rows.Interval.End <= batch.TimeOf(to) {
			found = append(found, rows)
		}
	}
	return found
}
