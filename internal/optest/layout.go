package optest

import (
	"hash/maphash"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// layout is how columns lie in memory.
type layout uint8

const (
	plain       layout = iota // no bitmap without NULLs, as long as the batch
	longColumns               // always a bitmap, garbage behind the last row: as batch.Column makes them
	allBitmaps                // always a bitmap, as long as the batch
	offsetOne                 // sliced, with one garbage row before, and more behind in the buffers
	offset63                  // sliced, with 63 garbage rows before
	dictionary                // TEXT as dictionary with repeated and unused entries
	offsetDictionary
)

var allLayouts = []layout{plain, longColumns, allBitmaps, offsetOne, offset63, dictionary, offsetDictionary}

func (l layout) String() string {
	return [...]string{
		"plain", "longer than batch", "all-valid bitmap", "offset 1", "offset 63", "dictionary", "dictionary, offset 5",
	}[l]
}

// before returns how many rows of garbage precede the first, in the buffers.
func (l layout) before() int {
	return map[layout]int{offsetOne: 1, offset63: 63, offsetDictionary: 5}[l]
}

// behind returns how many rows of garbage follow the last, within the array and in its buffers only.
func (l layout) behind() (inArray, inBuffers int) {
	switch l {
	case longColumns:
		return 7, 0
	case offsetOne, offset63:
		return 0, 3
	default:
		return 0, 0
	}
}

// input is a batch that the harness made, and its buffers, to hash and to overwrite.
type input struct {
	batch   batch.Batch
	buffers [][]byte
}

var hashSeed = maphash.MakeSeed()

// hash covers everything that the batch refers to.
func (in *input) hash() uint64 {
	var h maphash.Hash
	h.SetSeed(hashSeed)
	for _, b := range in.buffers {
		h.Write(b)
	}
	h.Write(arrow.Int32Traits.CastToBytes(in.batch.Sel))
	h.Write(arrow.Int32Traits.CastToBytes(in.batch.Origin.Source))
	for _, w := range in.batch.Origin.Watermarks {
		maphash.WriteComparable(&h, w)
	}
	for _, col := range in.batch.Rows.Columns() {
		maphash.WriteComparable(&h, [3]int{col.Len(), col.NullN(), col.Data().Offset()})
	}
	return h.Sum64()
}

// overwrite fills everything with garbage, as the maker of a batch does after the call.
func (in *input) overwrite() {
	for _, b := range in.buffers {
		for i := range b {
			b[i] = 0xA5
		}
	}
	for i := range in.batch.Sel {
		in.batch.Sel[i] = math.MinInt32
	}
	for i := range in.batch.Origin.Source {
		in.batch.Origin.Source[i] = math.MinInt32
	}
	for i := range in.batch.Origin.Watermarks {
		in.batch.Origin.Watermarks[i] = batch.Time(i) * 7919
	}
}

// newInput makes a batch of rows of a frame: rows has, per row of the batch, the frame's row, or -1 for a dead row of garbage.
func newInput(frame *batch.Frame, rows []int, l layout) *input {
	in := &input{}
	view := batch.NewView(frame.Schema())
	view.SetRows(len(rows))
	inArray, inBuffers := l.behind()
	padded := make([]int, 0, l.before()+len(rows)+inArray+inBuffers)
	for range l.before() {
		padded = append(padded, -1)
	}
	padded = append(padded, rows...)
	for range inArray + inBuffers {
		padded = append(padded, -1)
	}
	source := frame.Rows()
	for c := range source.NumCols() {
		view.Set(int(c), in.newArray(source.Column(int(c)), padded, l, l.before(), len(rows)+inArray))
	}
	in.batch.Rows = view
	for k, row := range rows {
		if row < 0 && in.batch.Sel == nil {
			in.batch.Sel = make([]int32, 0, len(rows))
			for j := range k {
				in.batch.Sel = append(in.batch.Sel, int32(j))
			}
		}
		if row >= 0 && in.batch.Sel != nil {
			in.batch.Sel = append(in.batch.Sel, int32(k))
		}
	}
	return in
}

// newArray lays out values of src, where rows is the source row per entry of the buffers, and returns length of them from offset.
func (in *input) newArray(src arrow.Array, rows []int, l layout, offset, length int) arrow.Array {
	valid := make([]byte, (len(rows)+7)/8)
	nulls := 0
	for k, row := range rows {
		// A third of the garbage is NULL.
		isNull := row < 0 && k%3 == 0 || row >= 0 && src.IsNull(row)
		if isNull {
			nulls++
		} else {
			bitutil.SetBit(valid, k)
		}
	}
	nullN := length - bitutil.CountSetBits(valid, offset, length)
	var bitmap *memory.Buffer
	switch l {
	case longColumns, allBitmaps:
		bitmap = in.buffer(valid)
	default:
		if nulls > 0 {
			bitmap = in.buffer(valid)
		}
	}
	// What stands under a NULL is garbage too.
	isGarbage := func(k int) bool { return rows[k] < 0 || src.IsNull(rows[k]) }
	make1 := func(t arrow.DataType, buffers ...*memory.Buffer) arrow.Array {
		data := array.NewData(t, length, append([]*memory.Buffer{bitmap}, buffers...), nil, nullN, offset)
		return array.MakeFromData(data)
	}
	switch a := src.(type) {
	case *array.Int64:
		return make1(a.DataType(), in.buffer(int64Bytes(a.Int64Values(), rows, isGarbage)))
	case *array.Timestamp:
		return make1(a.DataType(), in.buffer(int64Bytes(batch.Int64s(a), rows, isGarbage)))
	case *array.Float64:
		values := make([]float64, len(rows))
		for k, row := range rows {
			values[k] = math.Float64frombits(uint64(k) * 0x9E3779B97F4A7C15)
			if !isGarbage(k) {
				values[k] = a.Value(row)
			}
		}
		return make1(a.DataType(), in.buffer(arrow.Float64Traits.CastToBytes(values)))
	case *array.Boolean:
		bits := make([]byte, (len(rows)+7)/8)
		for k, row := range rows {
			if isGarbage(k) && k%2 == 0 || !isGarbage(k) && a.Value(row) {
				bitutil.SetBit(bits, k)
			}
		}
		return make1(a.DataType(), in.buffer(bits))
	case *array.String:
		texts := make([]string, len(rows))
		for k, row := range rows {
			texts[k] = []string{"garbage", "", "12", "löschen", "x,y z"}[k%5]
			if !isGarbage(k) {
				texts[k] = a.Value(row)
			}
		}
		if l == dictionary || l == offsetDictionary {
			return in.newDictionary(texts, bitmap, nullN, offset, length)
		}
		offsets, text := in.text(texts)
		return make1(a.DataType(), offsets, text)
	}
	if arr := in.newNested(src, rows, isGarbage, func(children []arrow.ArrayData, buffers ...*memory.Buffer) arrow.Array {
		data := array.NewData(src.DataType(), length, append([]*memory.Buffer{bitmap}, buffers...), children, nullN, offset)
		return array.MakeFromData(data)
	}); arr != nil {
		return arr
	}
	panic("optest: no layout for columns of type " + batch.TypeName(src.DataType()))
}

// newDictionary returns texts as a dictionary whose entries are unsorted, unused in part, and there twice.
func (in *input) newDictionary(texts []string, bitmap *memory.Buffer, nullN, offset, length int) arrow.Array {
	entries := []string{"unused"}
	codes := make([]int32, len(texts))
	seen := map[string][]int32{}
	for k, s := range texts {
		if len(seen[s]) < 2 {
			seen[s] = append(seen[s], int32(len(entries)))
			entries = append(entries, s)
		}
		codes[k] = seen[s][k%len(seen[s])]
	}
	offsets, text := in.text(entries)
	values := array.NewData(batch.Text, len(entries), []*memory.Buffer{nil, offsets, text}, nil, 0, 0)
	dtype := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: batch.Text}
	indices := in.buffer(arrow.Int32Traits.CastToBytes(codes))
	return array.NewDictionaryData(array.NewDataWithDictionary(dtype, length, []*memory.Buffer{bitmap, indices}, nullN, offset, values))
}

func (in *input) buffer(b []byte) *memory.Buffer {
	in.buffers = append(in.buffers, b)
	return memory.NewBufferBytes(b)
}

func (in *input) text(texts []string) (offsets, text *memory.Buffer) {
	// Text does not start at 0, as in a slice of a longer column.
	buf := []byte("xx")
	ends := []int32{2}
	for _, s := range texts {
		buf = append(buf, s...)
		ends = append(ends, int32(len(buf)))
	}
	return in.buffer(arrow.Int32Traits.CastToBytes(ends)), in.buffer(buf)
}

func int64Bytes(src []int64, rows []int, isGarbage func(k int) bool) []byte {
	values := make([]int64, len(rows))
	for k, row := range rows {
		values[k] = []int64{math.MinInt64, math.MaxInt64, 0, -1, int64(k) * 1_000_003}[k%5]
		if !isGarbage(k) {
			values[k] = src[row]
		}
	}
	return arrow.Int64Traits.CastToBytes(values)
}
