package record

import (
	"strings"
	"time"
	"unsafe"

	"github.com/tidemill/tidemill/batch"
)

// Write makes f, which has the codec's schema, hold the values and nothing else.
func (c *Codec[T]) Write(f *batch.Frame, values []T) {
	c.WriteColumns(f.Columns, values)
	f.SetRows(len(values))
}

// WriteColumns is Write for columns that are part of a frame.
func (c *Codec[T]) WriteColumns(columns []*batch.Column, values []T) {
	for i, l := range c.leaves {
		if l.kind == stringKind {
			columns[i].Reset(0)
		} else {
			columns[i].Reset(len(values))
		}
		if len(values) > 0 {
			l.write(columns[i], unsafe.Add(unsafe.Pointer(&values[0]), l.offset), c.size, len(values))
		}
		if l.isOptional && len(values) > 0 {
			l.writeValid(columns[i], unsafe.Add(unsafe.Pointer(&values[0]), l.valid), c.size, len(values))
		}
	}
}

// write fills a column from the field at p in the first of n values and, from there, every size bytes.
func (l *leaf) write(column *batch.Column, p unsafe.Pointer, size uintptr, n int) {
	switch l.kind {
	case intKind:
		for k, dst := 0, column.Int64s(); k < n; k++ {
			dst[k] = *(*int64)(unsafe.Add(p, uintptr(k)*size))
		}
	case timeKind:
		for k, dst := 0, column.Int64s(); k < n; k++ {
			dst[k] = (*time.Time)(unsafe.Add(p, uintptr(k)*size)).UnixMicro()
		}
	case floatKind:
		for k, dst := 0, column.Float64s(); k < n; k++ {
			dst[k] = *(*float64)(unsafe.Add(p, uintptr(k)*size))
		}
	case boolKind:
		for k := range n {
			column.SetBool(k, *(*bool)(unsafe.Add(p, uintptr(k)*size)))
		}
	case stringKind:
		for k := range n {
			column.AppendString(*(*string)(unsafe.Add(p, uintptr(k)*size)))
		}
	}
}

func (l *leaf) writeValid(column *batch.Column, p unsafe.Pointer, size uintptr, n int) {
	for k := range n {
		if !*(*bool)(unsafe.Add(p, uintptr(k)*size)) {
			column.SetNull(k)
		}
	}
}

// Own makes the texts of a value its own, so that it does not keep those of a whole batch.
func (c *Codec[T]) Own(v *T) {
	for _, l := range c.leaves {
		if l.kind == stringKind {
			s := (*string)(unsafe.Add(unsafe.Pointer(v), l.offset))
			*s = strings.Clone(*s)
		}
	}
}
