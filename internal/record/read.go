package record

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/invariants"
)

// Rows are rows of batches as values. They are used by one goroutine at a time and filled again and again.
type Rows[T any] struct {
	// Values are the live rows that were read.
	Values []T
	// At has, per value, the row of the batch that was read last.
	At []int32

	codec *Codec[T]
	live  []int32
}

// NewRows returns no rows.
func (c *Codec[T]) NewRows() *Rows[T] { return &Rows[T]{codec: c} }

// Read makes Values and At those of a batch, which it borrows. bad is told of rows that have NULL in a field that can't be NULL;
// these are left out. Texts are copied, all of a column into one piece of memory, which lives as long as any of them is used.
func (r *Rows[T]) Read(in batch.Batch, bad func(row int32, why string)) {
	r.At = r.codec.appendLive(r.At[:0], in, bad)
	r.Values = r.Values[:0]
	r.codec.appendValues(r, in, r.At)
}

// Add appends the live rows of a batch to Values, as Read does. At is left as it was.
func (r *Rows[T]) Add(in batch.Batch, bad func(row int32, why string)) {
	r.live = r.codec.appendLive(r.live[:0], in, bad)
	r.codec.appendValues(r, in, r.live)
}

// Reset forgets the values, and what they refer to.
func (r *Rows[T]) Reset() {
	clear(r.Values)
	r.Values, r.At = r.Values[:0], r.At[:0]
}

// appendLive appends the live rows that can be read.
func (c *Codec[T]) appendLive(rows []int32, in batch.Batch, bad func(row int32, why string)) []int32 {
	if in.Sel != nil {
		rows = append(rows, in.Sel...)
	} else {
		for i := range int32(in.NumRows()) {
			rows = append(rows, i)
		}
	}
	for i, l := range c.leaves {
		arr := in.Rows.Column(i)
		if l.isOptional || arr.NullN() == 0 {
			continue
		}
		rows = slices.DeleteFunc(rows, func(row int32) bool {
			if arr.IsValid(int(row)) {
				return false
			}
			bad(row, fmt.Sprintf("column %s is NULL, a field of %s that is no Optional can't be", l.name, reflect.TypeFor[T]()))
			return true
		})
	}
	return rows
}

// appendValues appends rows of a batch to r.
func (c *Codec[T]) appendValues(r *Rows[T], in batch.Batch, rows []int32) {
	if len(rows) == 0 {
		return
	}
	first := len(r.Values)
	r.Values = slices.Grow(r.Values, len(rows))[:first+len(rows)]
	clear(r.Values[first:])
	base := unsafe.Pointer(&r.Values[first])
	for i, l := range c.leaves {
		l.read(unsafe.Add(base, l.offset), c.size, in.Rows.Column(i), rows)
		if l.isOptional {
			l.readValid(unsafe.Add(base, l.valid), c.size, in.Rows.Column(i), rows)
		}
	}
}

// read writes values of arr to the field at p in the first value and, from there, every size bytes.
func (l *leaf) read(p unsafe.Pointer, size uintptr, arr arrow.Array, rows []int32) {
	switch l.kind {
	case intKind:
		values := batch.Int64s(arr)
		for k, i := range rows {
			*(*int64)(unsafe.Add(p, uintptr(k)*size)) = values[i]
		}
	case timeKind:
		values := batch.Int64s(arr)
		for k, i := range rows {
			*(*time.Time)(unsafe.Add(p, uintptr(k)*size)) = time.UnixMicro(values[i]).UTC()
		}
	case floatKind:
		values := arr.(*array.Float64).Float64Values()
		for k, i := range rows {
			*(*float64)(unsafe.Add(p, uintptr(k)*size)) = values[i]
		}
	case boolKind:
		values := arr.(*array.Boolean)
		for k, i := range rows {
			*(*bool)(unsafe.Add(p, uintptr(k)*size)) = values.Value(int(i))
		}
	case stringKind:
		readTexts(p, size, arr, rows)
	}
}

func (l *leaf) readValid(p unsafe.Pointer, size uintptr, arr arrow.Array, rows []int32) {
	for k, i := range rows {
		*(*bool)(unsafe.Add(p, uintptr(k)*size)) = arr.IsValid(int(i))
	}
}

// readTexts copies texts, each into a string of memory that all of them share. NULL is "".
func readTexts(p unsafe.Pointer, size uintptr, arr arrow.Array, rows []int32) {
	switch a := arr.(type) {
	case *array.String:
		total := 0
		for _, i := range rows {
			if a.IsValid(int(i)) {
				total += len(a.Value(int(i)))
			}
		}
		var all strings.Builder
		all.Grow(total)
		for k, i := range rows {
			if !a.IsValid(int(i)) {
				continue
			}
			from := all.Len()
			all.WriteString(a.Value(int(i)))
			*(*string)(unsafe.Add(p, uintptr(k)*size)) = all.String()[from:]
		}
	case *array.Dictionary:
		entries := a.Dictionary().(*array.String)
		texts := make([]string, entries.Len())
		for k, i := range rows {
			if !a.IsValid(int(i)) {
				continue
			}
			e := a.GetValueIndex(int(i))
			if texts[e] == "" {
				texts[e] = strings.Clone(entries.Value(e))
			}
			*(*string)(unsafe.Add(p, uintptr(k)*size)) = texts[e]
		}
	default:
		panic(invariants.Failf("record: text in %s", arr.DataType()))
	}
}
