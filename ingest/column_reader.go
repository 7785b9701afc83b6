package ingest

import (
	"fmt"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// columnReader checks the values of a column, and converts them where the engine has no such type.
type columnReader struct {
	mem    memory.Allocator
	want   arrow.DataType // of the engine
	own    *batch.Column  // what was converted; nil as long as nothing was
	faults []columnFault  // of the batch that was read last

	// The entries of the dictionary that came last, and which of them are no UTF-8; nil where all are.
	entries    arrow.ArrayData
	badEntries []bool

	scratch []arrow.Date32
	digits  []byte
}

// columnFault is a row whose value can't be used.
type columnFault struct {
	row int
	why string
}

// read returns the first n rows of arr as a column of the type that is wanted, valid until the next read and as long as arr is.
// canConvert has said that it can. An error says that arr is damaged as a whole.
func (c *columnReader) read(arr arrow.Array, n int) (arrow.Array, error) {
	c.faults = c.faults[:0]
	switch a := arr.(type) {
	case *array.String:
		if c.want != batch.Text {
			return copyBytes(c, a, a.ValueOffsets(), bytesOf(a.Data()), n)
		}
		return arr, c.checkText(a, n)
	case *array.Binary:
		return copyBytes(c, a, a.ValueOffsets(), bytesOf(a.Data()), n)
	case *array.LargeString:
		return copyBytes(c, a, a.ValueOffsets(), bytesOf(a.Data()), n)
	case *array.LargeBinary:
		return copyBytes(c, a, a.ValueOffsets(), bytesOf(a.Data()), n)
	case *array.FixedSizeBinary:
		own := c.begin(arr, n)
		for i := range n {
			if !own.IsNull(i) {
				own.SetString(i, string(a.Value(i)))
			}
		}
		return own.Array(), nil
	case *array.Dictionary:
		return arr, c.checkDictionary(a, n)
	case *array.Timestamp:
		return c.micros(a, n), nil
	case *array.Int8:
		return numbers(c, arr, a.Int8Values()[:n]), nil
	case *array.Int16:
		return numbers(c, arr, a.Int16Values()[:n]), nil
	case *array.Int32:
		return numbers(c, arr, a.Int32Values()[:n]), nil
	case *array.Int64:
		if c.want == batch.BigInt {
			return arr, nil
		}
		return numbers(c, arr, a.Int64Values()[:n]), nil
	case *array.Uint8:
		return numbers(c, arr, a.Uint8Values()[:n]), nil
	case *array.Uint16:
		return numbers(c, arr, a.Uint16Values()[:n]), nil
	case *array.Uint32:
		return numbers(c, arr, a.Uint32Values()[:n]), nil
	case *array.Float32:
		return numbers(c, arr, a.Float32Values()[:n]), nil
	case *array.Float64:
		if c.want == batch.Double {
			return arr, nil
		}
		return numbers(c, arr, a.Float64Values()[:n]), nil
	case *array.Date32:
		return c.days(a, a.Date32Values()[:n]), nil
	case *array.Date64:
		days := batch.GrowSlice(c.mem, c.scratch, n)
		c.scratch = days
		for i, v := range a.Date64Values()[:n] {
			days[i] = arrow.Date32(v / 86_400_000)
		}
		return c.days(a, days[:n]), nil
	case *array.Duration:
		return c.durations(a, n), nil
	case *array.MonthInterval:
		return numbers(c, arr, arrow.Int32Traits.CastFromBytes(arrow.MonthIntervalTraits.CastToBytes(a.MonthIntervalValues()))[:n]), nil
	case *array.Decimal128:
		return c.decimals(a, n), nil
	case *array.List, *array.Struct, *array.Map:
		if !arrow.TypeEqual(arr.DataType(), c.want) {
			own := c.begin(arr, 0)
			for i := range n {
				if err := appendConverted(own, arr, i); err != nil {
					return nil, err
				}
			}
			return own.Array(), nil
		}
	}
	return arr, nil
}

// begin returns the column to convert to, with n rows that are NULL where those of arr are.
func (c *columnReader) begin(arr arrow.Array, n int) *batch.Column {
	if c.own == nil {
		c.own = batch.NewColumn(c.mem, c.want)
	}
	c.own.Reset(n)
	if arr.NullN() > 0 {
		for i := range n {
			if arr.IsNull(i) {
				c.own.SetNull(i)
			}
		}
	}
	return c.own
}

// micros converts times to microseconds: nanoseconds are rounded down, times that are too far away are faults.
func (c *columnReader) micros(a *array.Timestamp, n int) arrow.Array {
	if arrow.TypeEqual(a.DataType(), batch.Timestamp) {
		return a
	}
	per, parts := unitMicros(a.DataType().(*arrow.TimestampType).Unit) // of another time zone, or of none, which is taken for UTC
	own := c.begin(a, n)
	to := own.Int64s()
	for i, v := range batch.Int64s(a)[:n] {
		to[i] = c.scaled(own, i, v, per, parts)
	}
	return own.Array()
}

// checkText checks offsets and UTF-8 of n rows.
func (c *columnReader) checkText(a *array.String, n int) error {
	if n == 0 {
		return nil
	}
	offsets, text := a.ValueOffsets()[:n+1], bytesOf(a.Data())
	if err := checkOffsets(offsets, len(text)); err != nil {
		return err
	}
	text = text[offsets[0]:offsets[n]]
	if isASCII(text) {
		return nil
	}
	for i := range n {
		if !utf8.Valid(text[offsets[i]-offsets[0]:offsets[i+1]-offsets[0]]) && a.IsValid(i) {
			c.faults = append(c.faults, columnFault{i, "invalid UTF-8"})
		}
	}
	return nil
}

// checkOffsets says whether texts lie one behind the other within size bytes.
func checkOffsets[T int32 | int64](offsets []T, size int) error {
	isOrdered := offsets[0] >= 0
	last := offsets[0]
	for _, o := range offsets {
		isOrdered = isOrdered && o >= last
		last = o
	}
	if !isOrdered || int64(last) > int64(size) {
		return fmt.Errorf("damaged: its texts do not lie one behind the other within %d bytes", size)
	}
	return nil
}

// isASCII says whether all bytes are below 128.
func isASCII(text []byte) bool {
	for len(text) >= 64 {
		p := text[:64]
		all := load(p, 0) | load(p, 8) | load(p, 16) | load(p, 24) | load(p, 32) | load(p, 40) | load(p, 48) | load(p, 56)
		if all&highs != 0 {
			return false
		}
		text = text[64:]
	}
	var rest byte
	for _, b := range text {
		rest |= b
	}
	return rest < utf8.RuneSelf
}

// checkDictionary checks the indices of n rows, and the entries if they are others than the last time.
func (c *columnReader) checkDictionary(a *array.Dictionary, n int) error {
	entries := a.Dictionary().(*array.String)
	if data := entries.Data(); data != c.entries {
		c.forgetEntries()
		if err := c.checkText(entries, entries.Len()); err != nil {
			return fmt.Errorf("dictionary: %w", err)
		}
		for _, f := range c.faults {
			if c.badEntries == nil {
				c.badEntries = make([]bool, entries.Len())
			}
			c.badEntries[f.row] = true
		}
		c.faults = c.faults[:0]
		data.Retain() // so that no other dictionary can have its address
		c.entries = data
	}
	switch codes := a.Indices().(type) {
	case *array.Int8:
		return checkCodes(c, a, codes.Int8Values()[:n])
	case *array.Int16:
		return checkCodes(c, a, codes.Int16Values()[:n])
	case *array.Int32:
		return checkCodes(c, a, codes.Int32Values()[:n])
	case *array.Int64:
		return checkCodes(c, a, codes.Int64Values()[:n])
	case *array.Uint8:
		return checkCodes(c, a, codes.Uint8Values()[:n])
	case *array.Uint16:
		return checkCodes(c, a, codes.Uint16Values()[:n])
	case *array.Uint32:
		return checkCodes(c, a, codes.Uint32Values()[:n])
	case *array.Uint64:
		return checkCodes(c, a, codes.Uint64Values()[:n])
	}
	return fmt.Errorf("dictionary: indices of type %s", a.Indices().DataType())
}

// checkCodes checks that indices are in the dictionary; those of NULLs are anything.
func checkCodes[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](c *columnReader, a *array.Dictionary, codes []T) error {
	entries := uint64(a.Dictionary().Len())
	if a.NullN() == 0 && c.badEntries == nil {
		var largest uint64
		for _, code := range codes {
			largest = max(largest, uint64(code)) // a negative one is large
		}
		if len(codes) > 0 && largest >= entries {
			return fmt.Errorf("damaged: an index %d of a dictionary of %d entries", largest, entries)
		}
		return nil
	}
	for i, code := range codes {
		switch {
		case a.IsNull(i):
		case uint64(code) >= entries:
			return fmt.Errorf("damaged: an index %d of a dictionary of %d entries", uint64(code), entries)
		case c.badEntries != nil && c.badEntries[code]:
			c.faults = append(c.faults, columnFault{i, "invalid UTF-8"})
		}
	}
	return nil
}

func (c *columnReader) forgetEntries() {
	if c.entries != nil {
		c.entries.Release()
	}
	c.entries, c.badEntries = nil, nil
}

func (c *columnReader) release() {
	c.forgetEntries()
	batch.FreeSlice(c.mem, c.scratch)
	c.scratch = nil
	if c.own != nil {
		c.own.Release()
		c.own = nil
	}
}
