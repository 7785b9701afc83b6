package ingest_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// newRecord returns a record batch of columns a, b and so on.
func newRecord(columns ...arrow.Array) arrow.RecordBatch {
	var fields []arrow.Field
	for i, c := range columns {
		fields = append(fields, arrow.Field{Name: string(rune('a' + i)), Type: c.DataType(), Nullable: true})
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, int64(columns[0].Len()))
}

// newArray returns an array of a type from JSON.
func newArray(t *testing.T, dtype arrow.DataType, json string) arrow.Array {
	t.Helper()
	arr, _, err := array.FromJSON(memory.NewGoAllocator(), dtype, strings.NewReader(json))
	if err != nil {
		t.Fatal(err)
	}
	return arr
}

// newTexts returns TEXT with any offsets over any bytes.
func newTexts(text string, offsets ...int32) arrow.Array {
	buffers := []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)), memory.NewBufferBytes([]byte(text))}
	return array.NewStringData(array.NewData(arrow.BinaryTypes.String, len(offsets)-1, buffers, nil, 0, 0))
}

func newCodes(index arrow.DataType, codes, entries arrow.Array) arrow.Array {
	return array.NewDictionaryArray(&arrow.DictionaryType{IndexType: index, ValueType: arrow.BinaryTypes.String}, codes, entries)
}

// decodeColumn decodes column a of record batches as a type, and returns rows and bad rows, a line each.
func decodeColumn(t *testing.T, dtype arrow.DataType, records ...arrow.RecordBatch) (string, error) {
	t.Helper()
	d := ingest.NewColumnDecoder(ingest.DecodeSpec{
		Declared: []arrow.Field{{Name: "unused", Type: batch.BigInt}, {Name: "A", Type: dtype}}, Used: []int{1}, Mem: newPool(t),
	})
	defer d.Close()
	var text strings.Builder
	row := int64(0)
	for _, r := range records {
		out, err := d.Decode(t.Context(), &ingest.Block{FirstRow: row, Rows: r, NumRows: r.NumRows()}, func(b ingest.BadRow) {
			fmt.Fprintf(&text, "bad row %d, column %s: %s\n", b.Line, b.Column, b.Why)
		})
		if err != nil {
			return text.String(), err
		}
		row += r.NumRows()
		text.WriteString(batch.Format(out))
	}
	return text.String(), nil
}

func TestColumnsOfRecordBatches(t *testing.T) {
	index := arrow.PrimitiveTypes.Int32
	seconds := &arrow.TimestampType{Unit: arrow.Second}
	for _, tt := range []struct {
		name string
		in   []arrow.Array
		as   arrow.DataType
		want string
	}{
		{"integers of 8 bits", []arrow.Array{newArray(t, arrow.PrimitiveTypes.Int8, "[-128, null, 127]")}, batch.BigInt, "-128\nnull\n127\n"},
		{"integers of 16 bits", []arrow.Array{newArray(t, arrow.PrimitiveTypes.Int16, "[-32768, 32767]")}, batch.BigInt, "-32768\n32767\n"},
		{"integers of 32 bits", []arrow.Array{newArray(t, arrow.PrimitiveTypes.Int32, "[-2147483648, 7]")}, batch.BigInt, "-2147483648\n7\n"},
		{"integers of 64 bits", []arrow.Array{newArray(t, arrow.PrimitiveTypes.Int64, "[1, null]")}, batch.BigInt, "1\nnull\n"},
		{"integers without sign of 8 bits", []arrow.Array{newArray(t, arrow.PrimitiveTypes.Uint8, "[255]")}, batch.BigInt, "255\n"},
		{"integers without sign of 16 bits", []arrow.Array{newArray(t, arrow.PrimitiveTypes.Uint16, "[65535]")}, batch.BigInt, "65535\n"},
		{"integers without sign of 32 bits", []arrow.Array{newArray(t, arrow.PrimitiveTypes.Uint32, "[4294967295]")}, batch.BigInt, "4294967295\n"},
		{"short floats", []arrow.Array{newArray(t, arrow.PrimitiveTypes.Float32, "[0.5, null]")}, batch.Double, "0.5\nnull\n"},
		{"a width that changes from batch to batch", []arrow.Array{
			newArray(t, arrow.PrimitiveTypes.Int8, "[1, null]"), newArray(t, arrow.PrimitiveTypes.Int64, "[2]"), newArray(t, arrow.PrimitiveTypes.Int16, "[3, 4]"),
		}, batch.BigInt, "1\nnull\n2\n3\n4\n"},
		{"a part of a longer column", []arrow.Array{array.NewSlice(newArray(t, arrow.PrimitiveTypes.Int16, "[1, 2, null, 4]"), 1, 3)}, batch.BigInt, "2\nnull\n"},
		{
			"seconds", []arrow.Array{newArray(t, seconds, `["1970-01-01 00:00:01", null]`)}, batch.Timestamp, "1970-01-01T00:00:01Z\nnull\n",
		},
		{
			"microseconds of no time zone are UTC",
			[]arrow.Array{newArray(t, &arrow.TimestampType{Unit: arrow.Microsecond}, `["1970-01-01 00:00:01.000002"]`)},
			batch.Timestamp, "1970-01-01T00:00:01.000002Z\n",
		},
		{
			"nanoseconds are rounded down",
			[]arrow.Array{newTimes(&arrow.TimestampType{Unit: arrow.Nanosecond}, 1999, -1)},
			batch.Timestamp, "1970-01-01T00:00:00.000001Z\n1969-12-31T23:59:59.999999Z\n",
		},
		{
			"a time that is too far away is a bad row",
			[]arrow.Array{newTimes(seconds, 1, math.MaxInt64, 2, math.MinInt64)},
			batch.Timestamp,
			"bad row 2, column A: time 9223372036854775807 is out of the range of TIMESTAMP\n" +
				"bad row 4, column A: time -9223372036854775808 is out of the range of TIMESTAMP\n1970-01-01T00:00:01Z\n1970-01-01T00:00:02Z\n",
		},
		{"truths", []arrow.Array{newArray(t, arrow.FixedWidthTypes.Boolean, "[true, null]")}, batch.Boolean, "true\nnull\n"},
		{"texts", []arrow.Array{newArray(t, arrow.BinaryTypes.String, `["é", "", null]`)}, batch.Text, "\"é\"\n\"\"\nnull\n"},
		{"texts with long offsets", []arrow.Array{newArray(t, arrow.BinaryTypes.LargeString, `["é", "", null]`)}, batch.Text, "\"é\"\n\"\"\nnull\n"},
		{
			"texts that are no UTF-8 are bad rows, also where two of them are a character together",
			[]arrow.Array{newTexts("ab\xffcé", 0, 2, 3, 4, 5, 6)},
			batch.Text,
			"bad row 2, column A: invalid UTF-8\nbad row 4, column A: invalid UTF-8\nbad row 5, column A: invalid UTF-8\nab\nc\n",
		},
		{
			"a dictionary",
			[]arrow.Array{newCodes(index, newArray(t, index, "[1, 0, null, 1]"), newArray(t, arrow.BinaryTypes.String, `["x", "y"]`))},
			batch.Text, "y\nx\nnull\ny\n",
		},
		{
			"entries of a dictionary that are no UTF-8 make bad rows of those that have them",
			[]arrow.Array{
				newCodes(index, newArray(t, index, "[1, 0, null, 1]"), newTexts("x\xff", 0, 1, 2)),
				newCodes(index, newArray(t, index, "[1]"), newTexts("xy", 0, 1, 2)),
			},
			batch.Text, "bad row 1, column A: invalid UTF-8\nbad row 4, column A: invalid UTF-8\nx\nnull\ny\n",
		},
		{"no rows", []arrow.Array{newArray(t, arrow.BinaryTypes.String, "[]"), newArray(t, arrow.BinaryTypes.LargeString, "[]")}, batch.Text, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var records []arrow.RecordBatch
			for _, arr := range tt.in {
				records = append(records, newRecord(arr))
			}
			got, err := decodeColumn(t, tt.as, records...)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func newTimes(dtype *arrow.TimestampType, values ...arrow.Timestamp) arrow.Array {
	b := array.NewTimestampBuilder(memory.NewGoAllocator(), dtype)
	b.AppendValues(values, nil)
	return b.NewArray()
}

func TestDamagedColumnsOfRecordBatches(t *testing.T) {
	index := arrow.PrimitiveTypes.Int32
	xy := newArray(t, arrow.BinaryTypes.String, `["x", "y"]`)
	for _, tt := range []struct {
		name string
		in   arrow.Array
		as   arrow.DataType
		want string
	}{
		{"an offset behind the text", newTexts("ab", 0, 3, 2), batch.Text, `column "A": damaged: its texts do not lie one behind the other within 2 bytes`},
		{"offsets that run back", newTexts("ab", 0, 2, 1), batch.Text, `column "A": damaged: its texts do not lie one behind the other within 2 bytes`},
		{"an offset before the text", newTexts("ab", 0, -1, 1), batch.Text, `column "A": damaged: its texts do not lie one behind the other within 2 bytes`},
		{
			"indices behind the dictionary", newCodes(index, newArray(t, index, "[0, 2]"), xy), batch.Text,
			`column "A": damaged: an index 2 of a dictionary of 2 entries`,
		},
		{
			"indices behind the dictionary beside a NULL", newCodes(index, newArray(t, index, "[null, 2]"), xy), batch.Text,
			`column "A": damaged: an index 2 of a dictionary of 2 entries`,
		},
		{
			"indices before the dictionary", newCodes(arrow.PrimitiveTypes.Int8, newArray(t, arrow.PrimitiveTypes.Int8, "[0, -1]"), xy), batch.Text,
			`column "A": damaged: an index 18446744073709551615 of a dictionary of 2 entries`,
		},
		{
			"offsets of a dictionary", newCodes(index, newArray(t, index, "[0]"), newTexts("a", 0, 1, 0)), batch.Text,
			`column "A": dictionary: damaged: its texts do not lie one behind the other within 1 bytes`,
		},
		{"another type", newArray(t, index, "[1]"), batch.Text, `column "A" is INT here, declared TEXT`},
		{
			"a type that is not read", newArray(t, arrow.PrimitiveTypes.Uint64, "[1]"), batch.BigInt,
			`column "A": its type uint64 can't be read: leave it out of the list of columns`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decodeColumn(t, tt.as, newRecord(tt.in))
			if fmt.Sprint(err) != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	other := arrow.NewSchema([]arrow.Field{{Name: "aa", Type: index}}, nil)
	_, err := decodeColumn(t, batch.BigInt, array.NewRecordBatch(other, []arrow.Array{newArray(t, index, "[1]")}, 1))
	if want := `column "A" is missing: possible are aa`; fmt.Sprint(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestRecordBatchesReplayFromEveryRow reads batches, and one batch in pieces of three rows, from every position.
func TestRecordBatchesReplayFromEveryRow(t *testing.T) {
	parts := []arrow.RecordBatch{
		newRecord(newArray(t, batch.BigInt, "[0, 1, 2, 3]")), newRecord(newArray(t, batch.BigInt, "[]")),
		newRecord(newArray(t, batch.BigInt, "[4]")), newRecord(newArray(t, batch.BigInt, "[5, 6]")),
	}
	one := []arrow.RecordBatch{newRecord(newArray(t, batch.BigInt, "[0, 1, 2, 3, 4, 5, 6]"))}
	for run := range int64(16) {
		parts, limit, at := parts, int64(0), run
		if run > 7 {
			parts, limit, at = one, 3, run-8
		}
		source, err := ingest.NewRecords(parts[0].Schema(), parts)
		if err != nil {
			t.Fatal(err)
		}
		if !source.Bounded() || !source.Replayable() {
			t.Error("record batches end, and can be replayed")
		}
		want := ""
		for i := at; i < 7; i++ {
			want += fmt.Sprintln(i)
		}
		rows, end, _ := readRate(t.Context(), t, source, map[string]ingest.Position{"batches": {Upto: ingest.Offset{Pos: at}, Rows: at}}, limit)
		if rows != want || !end.Ended || end.Upto.Pos != 7 || end.Rows != 7 {
			t.Errorf("from row %d: position %+v, got\n%swant\n%s", at, end, rows, want)
		}
	}
}

func TestRecordBatchesMustHaveTheSchemaAndTypesThatCanBeRead(t *testing.T) {
	a := newRecord(newArray(t, batch.BigInt, "[0]"))
	if _, err := ingest.NewRecords(newRecord(newArray(t, batch.Text, `["x"]`)).Schema(), []arrow.RecordBatch{a}); err == nil ||
		!strings.HasPrefix(err.Error(), "record batches: batch 0 has other columns than the schema: ") {
		t.Errorf("got %v", err)
	}
	_, err := ingest.NewRecords(newRecord(newArray(t, arrow.PrimitiveTypes.Uint64, "[0]")).Schema(), nil)
	if want := `record batches: column "a": its type uint64 can't be read: list the other columns`; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
