package batch

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Files of state hold columns with the types of their storage, since Arrow's messages know no others; the metadata of a field says
// under typeKey which type of SQL that stands for. What embedders are given has Arrow's own types.

// typeKey is the key of the metadata of fields whose type is a Logical.
const typeKey = "tidemill.type"

// isLogical says whether t is a Logical or has one in it.
func isLogical(t arrow.DataType) bool {
	if _, ok := t.(*Logical); ok {
		return true
	}
	n, ok := t.(arrow.NestedType)
	return ok && slices.ContainsFunc(n.Fields(), func(f arrow.Field) bool { return isLogical(f.Type) })
}

// replaceType returns f with every type that is not nested replaced, as leaf says, in what it is made of.
func replaceType(f arrow.Field, leaf func(arrow.Field) arrow.Field) arrow.Field {
	switch t := f.Type.(type) {
	case *arrow.MapType:
		m := arrow.MapOfFields(replaceType(t.KeyField(), leaf), replaceType(t.ItemField(), leaf))
		m.KeysSorted = t.KeysSorted
		f.Type = m
	case *arrow.ListType:
		f.Type = arrow.ListOfField(replaceType(t.ElemField(), leaf))
	case *arrow.StructType:
		fields := t.Fields()
		for i := range fields {
			fields[i] = replaceType(fields[i], leaf)
		}
		f.Type = arrow.StructOf(fields...)
	default:
		return leaf(f)
	}
	return f
}

func replaceTypes(schema *arrow.Schema, leaf func(arrow.Field) arrow.Field) *arrow.Schema {
	fields, metadata := schema.Fields(), schema.Metadata()
	for i := range fields {
		fields[i] = replaceType(fields[i], leaf)
	}
	return arrow.NewSchema(fields, &metadata)
}

// StoredSchema returns schema with the types of the storage, and the types of SQL in the metadata of the fields; schema itself
// where that is the same.
func StoredSchema(schema *arrow.Schema) *arrow.Schema {
	if !slices.ContainsFunc(schema.Fields(), func(f arrow.Field) bool { return isLogical(f.Type) }) {
		return schema
	}
	return replaceTypes(schema, func(f arrow.Field) arrow.Field {
		if t, ok := f.Type.(*Logical); ok {
			keys, values := slices.Clone(f.Metadata.Keys()), slices.Clone(f.Metadata.Values())
			f.Metadata = arrow.NewMetadata(append(keys, typeKey), append(values, t.name))
			f.Type = t.storage
		}
		return f
	})
}

// LogicalSchema is the inverse of StoredSchema. It returns an error if metadata name a type that is not stored so.
func LogicalSchema(stored *arrow.Schema) (*arrow.Schema, error) {
	var fault error
	hasLogical := false
	schema := replaceTypes(stored, func(f arrow.Field) arrow.Field {
		at := f.Metadata.FindKey(typeKey)
		if at < 0 {
			return f
		}
		hasLogical = true
		keys, values := slices.Clone(f.Metadata.Keys()), slices.Clone(f.Metadata.Values())
		named, err := ParseType(values[at])
		if t, ok := named.(*Logical); err == nil && ok && arrow.TypeEqual(t.storage, f.Type) {
			f.Type = t
		} else if fault == nil {
			fault = fmt.Errorf("column %s: %s is no type that is stored as %s", f.Name, values[at], f.Type)
		}
		f.Metadata = arrow.NewMetadata(slices.Delete(keys, at, at+1), slices.Delete(values, at, at+1))
		return f
	})
	if fault != nil {
		return nil, fault
	}
	if !hasLogical {
		return stored, nil
	}
	return schema, nil
}

// WithSchema returns rows with the types of schema, which has the same layouts, over the same memory. The caller releases it.
func WithSchema(rows arrow.RecordBatch, schema *arrow.Schema) arrow.RecordBatch {
	cols := make([]arrow.Array, rows.NumCols())
	for i, c := range rows.Columns() {
		data := withType(c.Data(), schema.Field(i).Type)
		cols[i] = array.MakeFromData(data)
		data.Release()
		defer cols[i].Release()
	}
	return array.NewRecordBatch(schema, cols, rows.NumRows())
}

// withType returns data under another type of the same layout. The caller releases it.
func withType(data arrow.ArrayData, dtype arrow.DataType) arrow.ArrayData {
	var types []arrow.DataType
	switch t := dtype.(type) {
	case *arrow.MapType:
		types = []arrow.DataType{t.Elem()}
	case arrow.NestedType:
		for _, f := range t.Fields() {
			types = append(types, f.Type)
		}
	}
	children := data.Children()
	if len(types) == len(children) && len(types) > 0 {
		children = make([]arrow.ArrayData, len(types))
		for i, child := range data.Children() {
			children[i] = withType(child, types[i])
			defer children[i].Release()
		}
	}
	return array.NewData(dtype, data.Len(), data.Buffers(), children, data.NullN(), data.Offset())
}

// nativeSchema returns schema with the types that Arrow has for those of SQL, and with the types of their values in place of
// dictionaries.
func nativeSchema(schema *arrow.Schema) *arrow.Schema {
	return replaceTypes(schema, func(f arrow.Field) arrow.Field {
		f.Type = Dictless(f.Type)
		if t, ok := f.Type.(*Logical); ok {
			f.Type = t.native
		}
		return f
	})
}

// NativeType returns the type that Arrow has for t, which is what rows outside the engine have.
func NativeType(t arrow.DataType) arrow.DataType {
	return nativeSchema(arrow.NewSchema([]arrow.Field{{Type: t}}, nil)).Field(0).Type
}
