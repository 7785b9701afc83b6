package optest

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// newNested lays out lists, maps and structs, nil for other types: elements begin behind two of garbage, rows of garbage have
// elements of it too, and a struct that is NULL has garbage in its fields.
func (in *input) newNested(src arrow.Array, rows []int, isGarbage func(k int) bool,
	build func(children []arrow.ArrayData, buffers ...*memory.Buffer) arrow.Array,
) arrow.Array {
	part := func(src arrow.Array, rows []int) arrow.ArrayData {
		if src.DataType().ID() == arrow.STRUCT && isEntry(src) {
			return in.newEntries(src.(*array.Struct), rows)
		}
		return in.newArray(src, rows, allBitmaps, 0, len(rows)).Data()
	}
	if s, isStruct := src.(*array.Struct); isStruct {
		fieldRows := make([]int, len(rows))
		for k, row := range rows {
			fieldRows[k] = row
			if isGarbage(k) {
				fieldRows[k] = -1
			}
		}
		var children []arrow.ArrayData
		for f := range s.NumField() {
			children = append(children, part(s.Field(f), fieldRows))
		}
		return build(children)
	}
	offsets, elements, isList := batch.ListParts(src)
	if !isList {
		return nil
	}
	_, isMap := src.(*array.Map)
	var elementRows []int
	if elements.Len() > 0 && !isMap {
		elementRows = []int{-1, -1}
	}
	ends := []int32{int32(len(elementRows))}
	for k, row := range rows {
		switch {
		case !isGarbage(k):
			for j := offsets[row]; j < offsets[row+1]; j++ {
				elementRows = append(elementRows, int(j))
			}
		case k%2 == 0 && !isMap:
			elementRows = append(elementRows, -1)
		}
		ends = append(ends, int32(len(elementRows)))
	}
	return build([]arrow.ArrayData{part(elements, elementRows)}, in.buffer(arrow.Int32Traits.CastToBytes(ends)))
}

// isEntry says whether the keys of src may not be NULL, as those of a map.
func isEntry(src arrow.Array) bool {
	t := src.DataType().(*arrow.StructType)
	return t.NumFields() == 2 && !t.Field(0).Nullable
}

// newEntries lays out the entries of maps, none of which is garbage, since keys are never NULL.
func (in *input) newEntries(src *array.Struct, rows []int) arrow.ArrayData {
	var children []arrow.ArrayData
	for f := range src.NumField() {
		children = append(children, in.newArray(src.Field(f), rows, plain, 0, len(rows)).Data())
	}
	return array.NewData(src.DataType(), len(rows), []*memory.Buffer{nil}, children, 0, 0)
}
