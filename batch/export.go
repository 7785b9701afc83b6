package batch

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/internal/invariants"
)

// Export returns the live rows of b as an ordinary record batch in memory of its own, which outlives b, with Arrow's own types: an
// INT is an int32, a DATE a date32. Dictionaries become columns of their values. The caller releases it.
func Export(mem memory.Allocator, b Batch) arrow.RecordBatch {
	return build(mem, b, nativeSchema(b.Rows.Schema()))
}

// Copy is Export with the engine's own types, for rows that go back into it.
func Copy(mem memory.Allocator, b Batch) arrow.RecordBatch {
	schema := replaceTypes(b.Rows.Schema(), func(f arrow.Field) arrow.Field {
		f.Type = Dictless(f.Type)
		return f
	})
	rows := build(mem, b, StoredSchema(schema))
	defer rows.Release()
	return WithSchema(rows, schema)
}

func build(mem memory.Allocator, b Batch, schema *arrow.Schema) arrow.RecordBatch {
	builder := array.NewRecordBuilder(mem, schema)
	defer builder.Release()
	n := b.NumLive()
	builder.Reserve(n)
	for k := range n {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		for c, fb := range builder.Fields() {
			appendValue(fb, b.Rows.Column(c), i)
		}
	}
	return builder.NewRecordBatch()
}

func appendValue(fb array.Builder, arr arrow.Array, i int) {
	if arr.IsNull(i) {
		fb.AppendNull()
		return
	}
	switch a := arr.(type) {
	case *array.Int64:
		appendInt(fb, a.Value(i))
	case *array.Timestamp:
		fb.(*array.TimestampBuilder).Append(a.Value(i))
	case *array.Float64:
		if b, ok := fb.(*array.Float32Builder); ok {
			b.Append(float32(a.Value(i)))
			return
		}
		fb.(*array.Float64Builder).Append(a.Value(i))
	case *array.Decimal128:
		fb.(*array.Decimal128Builder).Append(a.Value(i))
	case *array.Boolean:
		fb.(*array.BooleanBuilder).Append(a.Value(i))
	case *array.String:
		if b, ok := fb.(*array.BinaryBuilder); ok {
			b.AppendString(a.Value(i))
			return
		}
		fb.(*array.StringBuilder).Append(a.Value(i))
	case *array.Dictionary:
		appendValue(fb, a.Dictionary(), a.GetValueIndex(i))
	case *array.List:
		lb := fb.(*array.ListBuilder)
		lb.Append(true)
		start, end := a.ValueOffsets(i)
		for j := start; j < end; j++ {
			appendValue(lb.ValueBuilder(), a.ListValues(), int(j))
		}
	case *array.Map:
		mb, entries := fb.(*array.MapBuilder), a.ListValues().(*array.Struct)
		mb.Append(true)
		start, end := a.ValueOffsets(i)
		for j := start; j < end; j++ {
			appendValue(mb.KeyBuilder(), entries.Field(0), int(j))
			appendValue(mb.ItemBuilder(), entries.Field(1), int(j))
		}
	case *array.Struct:
		sb := fb.(*array.StructBuilder)
		sb.Append(true)
		for k := range a.NumField() {
			appendValue(sb.FieldBuilder(k), a.Field(k), i)
		}
	default:
		panic(invariants.Failf("export of %s", arr.DataType()))
	}
}

func appendInt(fb array.Builder, v int64) {
	switch b := fb.(type) {
	case *array.Int8Builder:
		b.Append(int8(v))
	case *array.Int16Builder:
		b.Append(int16(v))
	case *array.Int32Builder:
		b.Append(int32(v))
	case *array.Int64Builder:
		b.Append(v)
	case *array.Date32Builder:
		b.Append(arrow.Date32(v))
	case *array.DurationBuilder:
		b.Append(arrow.Duration(v))
	case *array.MonthIntervalBuilder:
		b.Append(arrow.MonthInterval(v))
	}
}
