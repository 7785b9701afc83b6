package batch_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

func TestColumnIsWrittenAgainWithoutAllocating(t *testing.T) {
	text := []byte("some words of a row")
	for name, dtype := range columnTypes() {
		t.Run(name, func(t *testing.T) {
			pool := newPool(t)
			c, from := batch.NewColumn(pool, dtype), batch.NewColumn(pool, dtype)
			var appendRow func(c *batch.Column, i int)
			appendRow = func(c *batch.Column, i int) {
				if i%7 == 0 {
					c.AppendNull()
					return
				}
				switch dt := c.Type().(type) {
				case *arrow.BooleanType:
					c.AppendBool(i%2 == 0)
				case *arrow.Int64Type, *arrow.TimestampType:
					c.AppendInt64(int64(i))
				case *arrow.Float64Type:
					c.AppendFloat64(float64(i))
				case *arrow.StringType:
					c.AppendText(text)
				case *arrow.ListType:
					appendRow(c.Child(), i+1)
					appendRow(c.Child(), i+2)
					c.AppendList()
				case *arrow.StructType:
					for k := range dt.NumFields() {
						appendRow(c.Field(k), i+k)
					}
					c.AppendStruct()
				}
			}
			for i := range 1000 {
				appendRow(from, i)
			}
			source := from.Array()
			sel := []int32{1, 2, 3, 7, 8, 500, 998, 999}
			write := func(n int) arrow.Array {
				c.Reset(0)
				for i := range n {
					appendRow(c, i)
				}
				c.AppendArray(source, 500, nil)
				c.AppendArray(source, 1000, sel)
				c.TruncateTo(c.Len() - 1)
				return c.Array()
			}
			write(1000)
			first := write(1000)
			allocs := testing.AllocsPerRun(20, func() {
				if write(1000) != first || write(500) != first {
					t.Error("the array was made anew though no buffer grew")
				}
			})
			if allocs != 0 {
				t.Errorf("%v allocations", allocs)
			}
			if write(10_000) == first {
				t.Error("the array is the old one though buffers grew")
			}
			c.Release()
			from.Release()
		})
	}
}

func TestColumnCanBeUsedAfterRelease(t *testing.T) {
	pool := newPool(t)
	for name, dtype := range columnTypes() {
		c := batch.NewColumn(pool, dtype)
		validate(t, name, c.Array()) // of a column that was never reset
		if c.Array().NullN() != 0 || c.Len() != 0 {
			t.Errorf("%s: %d rows, %d NULLs in a new column", name, c.Len(), c.Array().NullN())
		}
		for range 2 {
			c.AppendNull()
			checkColumn(t, name, c, []string{"null"})
			c.Release()
			if pool.Used() != 0 || c.Len() != 0 || c.Nulls() != 0 {
				t.Errorf("%s: %d bytes in use, %d rows, %d NULLs after Release", name, pool.Used(), c.Len(), c.Nulls())
			}
		}
		c.Release() // once more does nothing
	}
}

func TestColumnTakesTextThatAppendMoved(t *testing.T) {
	pool := newPool(t)
	for _, tt := range []struct {
		name string
		more int
		text string
	}{
		{name: "text that fits stays where it is", more: 10, text: "fits"},
		{name: "text that was not announced moves", more: 0, text: string(make([]byte, 5000))},
		{name: "no text is an empty value", more: 0, text: ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := batch.NewColumn(pool, batch.Text)
			defer c.Release()
			c.Reset(5)
			for _, i := range []int{0, 3} {
				c.SetTextBuffer(i, append(c.TextBuffer(tt.more), tt.text...))
			}
			c.SetString(4, "end")
			a := c.Array().(*array.String)
			for i, want := range []string{tt.text, "", "", tt.text, "end"} {
				if got := a.Value(i); got != want {
					t.Errorf("row %d is %q, want %q", i, got, want)
				}
			}
			if c.Bytes() != 2*len(tt.text)+3 {
				t.Errorf("%d bytes of text", c.Bytes())
			}
		})
	}
}

func TestColumnTakesWhatADecoderWrites(t *testing.T) {
	pool := newPool(t)
	c := batch.NewColumn(pool, batch.Text)
	c.Reset(3)
	text := c.TextBuffer(100)
	copy(text[:cap(text)], "abcdef")
	copy(c.Offsets(), []int32{0, 2, 2, 6})
	c.SetOffsets(text[:6])
	c.Validity()[0] &^= 0b010
	c.SetNulls(1)
	checkColumn(t, "decoded", c, []string{`"ab"`, "null", `"cdef"`})
	c.AppendString("g")
	checkColumn(t, "appended", c, []string{`"ab"`, "null", `"cdef"`, `"g"`})
	c.Release()

	flags := batch.NewColumn(pool, batch.Boolean)
	flags.Reset(10)
	copy(flags.Bits(), []byte{0b1010_0101, 0b10})
	checkColumn(t, "bits", flags, []string{"true", "false", "true", "false", "false", "true", "false", "true", "false", "true"})
	flags.Release()
}

func TestColumnForgetsNullsOnReset(t *testing.T) {
	pool := newPool(t)
	c := batch.NewColumn(pool, batch.BigInt)
	c.Reset(1000)
	for i := range 1000 {
		c.SetNull(i)
	}
	c.Array()
	c.Reset(3)
	copy(c.Int64s(), []int64{1, 2, 3})
	for range 100 {
		c.AppendInt64(4)
	}
	if c.Nulls() != 0 || c.Array().NullN() != 0 {
		t.Errorf("%d NULLs, %d in the array", c.Nulls(), c.Array().NullN())
	}
	for i := range c.Len() {
		if c.Array().IsNull(i) {
			t.Fatalf("row %d is NULL", i)
		}
	}
	c.Release()
}

// dictionary returns a dictionary of values with the given indices; the index -1 is NULL, and so is the value "null".
func dictionary(t *testing.T, pool *batch.Pool, values []string, indices []int8) *array.Dictionary {
	t.Helper()
	vb, ib := array.NewStringBuilder(pool), array.NewInt8Builder(pool)
	defer vb.Release()
	defer ib.Release()
	for _, v := range values {
		if v == "null" {
			vb.AppendNull()
		} else {
			vb.Append(v)
		}
	}
	for _, i := range indices {
		if i < 0 {
			ib.AppendNull()
		} else {
			ib.Append(i)
		}
	}
	va, ia := vb.NewArray(), ib.NewArray()
	defer va.Release()
	defer ia.Release()
	dtype := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: batch.Text}
	return array.NewDictionaryArray(dtype, ia, va)
}

func TestColumnAppendsDictionaries(t *testing.T) {
	pool := newPool(t)
	d := dictionary(t, pool, []string{"low", "null", "high"}, []int8{2, -1, 0, 1, 2})
	part := array.NewSlice(d, 1, 5)
	c := batch.NewColumn(pool, batch.Text)
	c.AppendArray(d, 5, nil)
	c.AppendArray(d, 5, []int32{0, 1, 4})
	c.AppendArray(part, 4, []int32{1, 2})
	c.AppendRow(part, 3)
	checkColumn(t, "appended", c, []string{
		`"high"`, "null", `"low"`, "null", `"high"`, `"high"`, "null", `"high"`, `"low"`, "null", `"high"`,
	})
	c.Release()
	part.Release()
	d.Release()
}

func TestInt64sReadsIntegersAndTimestamps(t *testing.T) {
	pool := newPool(t)
	for _, dtype := range []arrow.DataType{batch.BigInt, batch.Timestamp} {
		c := batch.NewColumn(pool, dtype)
		c.Reset(3)
		copy(c.Int64s(), []int64{5, 6, 7})
		part := array.NewSlice(c.Array(), 1, 3)
		if got := batch.Int64s(part); len(got) != 2 || got[0] != 6 || got[1] != 7 {
			t.Errorf("%s: got %d", dtype, got)
		}
		part.Release()
		c.Release()
	}
}
