package tidemill

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// Map returns fn of each row. fn may be called by several workers at once.
//
// A time.Time of U with the tag `tidemill:"name,event"` keeps the watermark of the row that it comes from, so that windows over it
// close: whether a row is late is told by that watermark. The same holds for FlatMap and MapPartitions.
func Map[T, U any](s Stream[T], fn func(T) U) Stream[U] {
	return rowStep(s, nameOf("map", fn), func(f *rowFunc[T, U], from int) {
		for f.row = from; f.row < len(f.in.Values); f.row++ {
			v := fn(f.in.Values[f.row])
			f.out = append(f.out, v)
			f.from = append(f.from, f.in.At[f.row])
		}
	})
}

// FlatMap returns what fn emits for each row. fn may be called by several workers at once; emit is valid until it returns.
func FlatMap[T, U any](s Stream[T], fn func(row T, emit func(U))) Stream[U] {
	return rowStep(s, nameOf("flatMap", fn), func(f *rowFunc[T, U], from int) {
		for f.row = from; f.row < len(f.in.Values); f.row++ {
			fn(f.in.Values[f.row], f.emit)
		}
	})
}

// MapPartitions returns what fn emits for each batch of rows: those of one split that came together, at least one. fn may be called
// by several workers at once; rows and emit are valid until it returns. A panic makes all rows of the batch bad.
func MapPartitions[T, U any](s Stream[T], fn func(rows []T, emit func(U))) Stream[U] {
	return rowStep(s, nameOf("mapPartitions", fn), func(f *rowFunc[T, U], from int) {
		if from > 0 { // it has panicked
			return
		}
		f.row, f.isWhole = 0, true
		fn(f.in.Values, f.emit)
	})
}

// rowStep adds a step in the chains. loop runs over f.in from a row on, says by f.row where it is, and fills f.out and f.from.
func rowStep[T, U any](s Stream[T], name string, loop func(f *rowFunc[T, U], from int)) Stream[U] {
	c := s.rows.c
	out := codecOf[U](c)
	rows, _ := c.addStep("", []DStream{s.rows}, func(in []*arrow.Schema) (operators.Spec, *arrow.Schema, error) {
		schema := out.SchemaMarked(operators.TimeKey, operators.TimeEvent)
		spec := &operators.FuncSpec{Func: name, New: func(_ *arrow.Schema, env operators.Env) (operators.BatchFunc, error) {
			f := &rowFunc[T, U]{name: name, loop: loop, in: s.codec.NewRows(), codec: out, frame: batch.NewFrame(env.Mem, schema)}
			f.emit = func(v U) {
				f.out = append(f.out, v)
				f.from = append(f.from, f.in.At[f.row])
			}
			return f, nil
		}}
		return spec, schema, s.codec.Check(in[0])
	})
	return Stream[U]{rows: rows, codec: out, slide: s.slide}
}

// rowFunc runs a function of rows over batches.
type rowFunc[T, U any] struct {
	name  string
	loop  func(f *rowFunc[T, U], from int)
	emit  func(U) // into out, for the row that loop is at
	codec *record.Codec[U]

	// Scratch, written again for every batch.
	in      *record.Rows[T]
	out     []U
	from    []int32 // per value of out, the row of the batch that it was made of
	source  []int32
	row     int  // of in.Values, where loop is
	isWhole bool // loop is at all rows together
	frame   *batch.Frame
}

// Apply runs the function over the rows. After a panic it goes on with the next one.
func (f *rowFunc[T, U]) Apply(_ context.Context, in batch.Batch, bad expr.BadRow) (batch.Batch, error) {
	f.in.Read(in, bad)
	f.out, f.from = f.out[:0], f.from[:0]
	for next := 0; next < len(f.in.Values); {
		next = f.run(next, bad)
	}
	f.codec.Write(f.frame, f.out)
	f.source = f.source[:0]
	for _, row := range f.from {
		f.source = append(f.source, int32(in.Origin.BlockRow(int(row))))
	}
	out := batch.Batch{Rows: f.frame.Rows(), Origin: in.Origin}
	out.Origin.Source = f.source
	return out, nil
}

// run runs loop, and returns where to go on: behind the row that it panicked at.
func (f *rowFunc[T, U]) run(from int, bad expr.BadRow) (next int) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		why := fmt.Sprintf("%s panics: %v", f.name, cause)
		if f.isWhole {
			for _, row := range f.in.At {
				bad(row, why)
			}
			f.out, f.from, next = f.out[:0], f.from[:0], len(f.in.Values)
			return
		}
		at := f.in.At[f.row]
		bad(at, why)
		for len(f.from) > 0 && f.from[len(f.from)-1] == at { // what it emitted before
			f.out, f.from = f.out[:len(f.out)-1], f.from[:len(f.from)-1]
		}
		next = f.row + 1
	}()
	f.loop(f, from)
	return len(f.in.Values)
}

// Close releases all memory.
func (f *rowFunc[T, U]) Close() { f.frame.Release() }

// Filter keeps the rows for which fn is true. fn may be called by several workers at once.
func (s Stream[T]) Filter(fn func(T) bool) Stream[T] {
	name := nameOf("filter", fn)
	rows, _ := s.rows.c.addStep("", []DStream{s.rows}, func(in []*arrow.Schema) (operators.Spec, *arrow.Schema, error) {
		spec := &operators.FuncSpec{Func: name, New: func(*arrow.Schema, operators.Env) (operators.BatchFunc, error) {
			return &filterFunc[T]{name: name, fn: fn, in: s.codec.NewRows()}, nil
		}}
		return spec, in[0], s.codec.Check(in[0])
	})
	return Stream[T]{rows: rows, codec: s.codec, slide: s.slide}
}

// filterFunc narrows the selection of batches.
type filterFunc[T any] struct {
	name string
	fn   func(T) bool

	in  *record.Rows[T]
	sel []int32
	row int
}

// Apply returns the same columns with fewer live rows.
func (f *filterFunc[T]) Apply(_ context.Context, in batch.Batch, bad expr.BadRow) (batch.Batch, error) {
	f.in.Read(in, bad)
	f.sel = append(f.sel[:0], 0)[:0] // not nil, which would mean all rows
	for next := 0; next < len(f.in.Values); {
		next = f.run(next, bad)
	}
	in.Sel = f.sel
	return in, nil
}

// run looks at rows, and returns where to go on: behind the row that fn panicked at.
func (f *filterFunc[T]) run(from int, bad expr.BadRow) (next int) {
	defer func() {
		if cause := recover(); cause != nil {
			bad(f.in.At[f.row], fmt.Sprintf("%s panics: %v", f.name, cause))
			next = f.row + 1
		}
	}()
	for f.row = from; f.row < len(f.in.Values); f.row++ {
		if f.fn(f.in.Values[f.row]) {
			f.sel = append(f.sel, f.in.At[f.row])
		}
	}
	return len(f.in.Values)
}

// Close does nothing.
func (f *filterFunc[T]) Close() {}
