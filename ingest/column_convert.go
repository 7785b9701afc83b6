package ingest

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// engineType returns the type that columns of an Arrow type have where none is declared, nil if they can't be read.
func engineType(t arrow.DataType) arrow.DataType {
	if l, ok := t.(*batch.Logical); ok {
		return l
	}
	switch t.ID() {
	case arrow.BOOL:
		return batch.Boolean
	case arrow.INT8:
		return batch.TinyInt
	case arrow.INT16, arrow.UINT8:
		return batch.SmallInt
	case arrow.INT32, arrow.UINT16:
		return batch.Int
	case arrow.INT64, arrow.UINT32:
		return batch.BigInt
	case arrow.FLOAT32:
		return batch.Float
	case arrow.FLOAT64:
		return batch.Double
	case arrow.STRING, arrow.LARGE_STRING:
		return batch.Text
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY:
		return batch.Binary
	case arrow.TIMESTAMP:
		return batch.Timestamp
	case arrow.DATE32, arrow.DATE64:
		return batch.Date
	case arrow.DURATION:
		return batch.DayTime
	case arrow.INTERVAL_MONTHS:
		return batch.YearMonth
	case arrow.DECIMAL128:
		if d := t.(*arrow.Decimal128Type); d.Scale >= 0 && d.Scale <= d.Precision {
			return t
		}
	case arrow.DICTIONARY:
		if t.(*arrow.DictionaryType).ValueType.ID() == arrow.STRING {
			return batch.Text
		}
	case arrow.LIST:
		if elem := engineType(t.(*arrow.ListType).Elem()); elem != nil {
			return arrow.ListOf(elem)
		}
	case arrow.STRUCT:
		fields := t.(*arrow.StructType).Fields()
		for i, f := range fields {
			dtype := engineType(f.Type)
			if dtype == nil {
				return nil
			}
			fields[i] = arrow.Field{Name: f.Name, Type: dtype, Nullable: true}
		}
		return arrow.StructOf(fields...)
	}
	return nil
}

// canConvert says whether values of an Arrow type become those of a type of the engine: numbers of any width, of which those out of range
// are bad rows, and types that mean the same.
func canConvert(from, to arrow.DataType) bool {
	isNumber := batch.IsInteger(to) || to.ID() == arrow.FLOAT64
	switch from.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32:
		if l, ok := from.(*batch.Logical); ok && !batch.IsInteger(l) {
			return from == to
		}
		return isNumber || to.ID() == arrow.DECIMAL128
	case arrow.FLOAT32, arrow.FLOAT64:
		return to.ID() == arrow.FLOAT64
	case arrow.DATE32, arrow.DATE64:
		return to == batch.Date || to.ID() == arrow.TIMESTAMP
	case arrow.DURATION:
		return to == batch.DayTime
	case arrow.INTERVAL_MONTHS:
		return to == batch.YearMonth
	case arrow.DECIMAL128:
		return to.ID() == arrow.DECIMAL128 || to.ID() == arrow.FLOAT64
	case arrow.STRING, arrow.LARGE_STRING, arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY:
		return to.ID() == arrow.STRING
	case arrow.DICTIONARY:
		return to == batch.Text
	case arrow.LIST:
		l, ok := to.(*arrow.ListType)
		return ok && canConvert(from.(*arrow.ListType).Elem(), l.Elem())
	case arrow.STRUCT:
		s, ok := to.(*arrow.StructType)
		if !ok || s.NumFields() != from.(*arrow.StructType).NumFields() {
			return false
		}
		for i, f := range from.(*arrow.StructType).Fields() {
			if f.Name != s.Field(i).Name || !canConvert(f.Type, s.Field(i).Type) {
				return false
			}
		}
		return true
	case arrow.MAP:
		return arrow.TypeEqual(from, to)
	}
	return from.ID() == to.ID()
}

// numbers converts numbers to the type that is wanted. Those that it does not hold are faults.
func numbers[F int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | float32 | float64](c *columnReader, arr arrow.Array, from []F) arrow.Array {
	own := c.begin(arr, len(from))
	switch c.want.ID() {
	case arrow.FLOAT64:
		to := own.Float64s()
		for i, v := range from {
			to[i] = float64(v)
			if c.want == batch.Float {
				to[i] = float64(float32(v))
			}
		}
	case arrow.DECIMAL128:
		t := c.want.(*arrow.Decimal128Type)
		to := own.Decimals()
		for i, v := range from {
			to[i] = decimal.Num{}
			if own.IsNull(i) {
				continue
			}
			scaled, ok := c.rescale(decimal128.FromI64(int64(v)), 0, t)
			if !ok {
				c.outOfRange(i, fmt.Sprint(v))
			}
			to[i] = scaled
		}
	default:
		low, high, _ := batch.IntRange(c.want)
		to := own.Int64s()
		for i, v := range from {
			to[i] = int64(v)
			if (to[i] < low || to[i] > high) && !own.IsNull(i) {
				c.outOfRange(i, fmt.Sprint(v))
			}
		}
	}
	return own.Array()
}

func (c *columnReader) outOfRange(row int, v string) {
	c.faults = append(c.faults, columnFault{row, fmt.Sprintf("%s is out of range for %s", v, batch.TypeName(c.want))})
}

// days gives days as DATE or TIMESTAMP.
func (c *columnReader) days(arr arrow.Array, from []arrow.Date32) arrow.Array {
	const microsPerDay = 86_400_000_000
	per := int64(1)
	if c.want.ID() == arrow.TIMESTAMP {
		per = microsPerDay
	}
	own := c.begin(arr, len(from))
	to := own.Int64s()
	for i, v := range from {
		to[i] = int64(v) * per
		if per > 1 && (int64(v) > math.MaxInt64/per || int64(v) < math.MinInt64/per) && !own.IsNull(i) {
			c.outOfRange(i, fmt.Sprintf("day %d", v))
		}
	}
	return own.Array()
}

// durations gives lengths of time in microseconds; nanoseconds are rounded down.
func (c *columnReader) durations(a *array.Duration, n int) arrow.Array {
	per, parts := unitMicros(a.DataType().(*arrow.DurationType).Unit)
	own := c.begin(a, n)
	to := own.Int64s()
	for i, v := range a.DurationValues()[:n] {
		to[i] = c.scaled(own, i, int64(v), per, parts)
	}
	return own.Array()
}

// unitMicros returns how many microseconds a unit has, or how many of it a microsecond.
func unitMicros(unit arrow.TimeUnit) (per, parts int64) {
	switch unit {
	case arrow.Second:
		return 1_000_000, 1
	case arrow.Millisecond:
		return 1000, 1
	case arrow.Nanosecond:
		return 1, 1000
	}
	return 1, 1
}

// scaled returns v units in microseconds.
func (c *columnReader) scaled(own *batch.Column, i int, v, per, parts int64) int64 {
	if v > math.MaxInt64/per || v < math.MinInt64/per {
		if !own.IsNull(i) {
			c.faults = append(c.faults, columnFault{i, fmt.Sprintf("time %d is out of the range of %s", v, batch.TypeName(c.want))})
		}
		return 0
	}
	v *= per
	down := v / parts
	if v%parts < 0 {
		down--
	}
	return down
}

// decimals converts to another precision and scale, or to DOUBLE. Digits behind the new scale are rounded away, half away from zero.
func (c *columnReader) decimals(a *array.Decimal128, n int) arrow.Array {
	has := a.DataType().(*arrow.Decimal128Type)
	if arrow.TypeEqual(has, c.want) {
		return a
	}
	own := c.begin(a, n)
	t, isDecimal := c.want.(*arrow.Decimal128Type)
	for i, v := range a.Values()[:n] {
		switch {
		case !isDecimal:
			own.Float64s()[i] = v.ToFloat64(has.Scale)
		case own.IsNull(i):
			own.Decimals()[i] = decimal.Num{}
		default:
			scaled, ok := c.rescale(v, has.Scale, t)
			if !ok {
				c.outOfRange(i, string(decimal.Append(nil, v, has.Scale)))
			}
			own.Decimals()[i] = scaled
		}
	}
	return own.Array()
}

// rescale returns v of a scale as a DECIMAL, ok if it has room.
func (c *columnReader) rescale(v decimal.Num, scale int32, t *arrow.Decimal128Type) (scaled decimal.Num, ok bool) {
	c.digits = decimal.Append(c.digits[:0], v, scale)
	scaled, fault := decimal.Parse(c.digits, t.Precision, t.Scale)
	return scaled, fault == 0
}

// bytesOf returns the bytes that values of an array with offsets lie in.
func bytesOf(d arrow.ArrayData) []byte {
	if b := d.Buffers()[2]; b != nil {
		return b.Bytes()
	}
	return nil
}

// copyBytes copies values to TEXT or BINARY.
func copyBytes[O int32 | int64](c *columnReader, arr arrow.Array, offsets []O, text []byte, n int) (arrow.Array, error) {
	own := c.begin(arr, n)
	if n == 0 {
		return own.Array(), nil
	}
	if err := checkOffsets(offsets[:n+1], len(text)); err != nil {
		return nil, err
	}
	for i := range n {
		if own.IsNull(i) {
			continue
		}
		v := text[offsets[i]:offsets[i+1]]
		if c.want == batch.Text && !utf8.Valid(v) {
			c.faults = append(c.faults, columnFault{i, "invalid UTF-8"})
			continue
		}
		own.SetText(i, v)
	}
	return own.Array(), nil
}

// appendConverted appends value i of a list, a struct or what is in them. Numbers in it are not checked: they only widen.
func appendConverted(to *batch.Column, arr arrow.Array, i int) error {
	if arr.IsNull(i) {
		to.AppendNull()
		return nil
	}
	switch a := arr.(type) {
	case *array.List:
		start, end := a.ValueOffsets(i)
		for j := start; j < end; j++ {
			if err := appendConverted(to.Child(), a.ListValues(), int(j)); err != nil {
				return err
			}
		}
		to.AppendList()
	case *array.Struct:
		for k := range a.NumField() {
			if err := appendConverted(to.Field(k), a.Field(k), i); err != nil {
				return err
			}
		}
		to.AppendStruct()
	default:
		return appendScalar(to, arr, i)
	}
	return nil
}

// appendScalar appends one value that is in a list or a struct.
func appendScalar(to *batch.Column, arr arrow.Array, i int) error {
	switch a := arr.(type) {
	case *array.Int8:
		return appendNumber(to, int64(a.Value(i)))
	case *array.Int16:
		return appendNumber(to, int64(a.Value(i)))
	case *array.Int32:
		return appendNumber(to, int64(a.Value(i)))
	case *array.Int64:
		return appendNumber(to, a.Value(i))
	case *array.Uint8:
		return appendNumber(to, int64(a.Value(i)))
	case *array.Uint16:
		return appendNumber(to, int64(a.Value(i)))
	case *array.Uint32:
		return appendNumber(to, int64(a.Value(i)))
	case *array.Date32:
		return appendNumber(to, int64(a.Value(i)))
	case *array.Float32:
		to.AppendFloat64(float64(a.Value(i)))
	case *array.Float64:
		to.AppendFloat64(a.Value(i))
	case *array.Timestamp:
		per, parts := unitMicros(a.DataType().(*arrow.TimestampType).Unit)
		to.AppendInt64(int64(a.Value(i)) * per / parts)
	case *array.String:
		return appendText(to, a.Value(i))
	case *array.LargeString:
		return appendText(to, a.Value(i))
	case *array.Binary:
		return appendText(to, string(a.Value(i)))
	case *array.Boolean, *array.Decimal128:
		to.AppendRow(arr, i)
	default:
		return fmt.Errorf("a value of type %s inside another can't be read", arr.DataType())
	}
	return nil
}

func appendNumber(to *batch.Column, v int64) error {
	if to.Type().ID() == arrow.FLOAT64 {
		to.AppendFloat64(float64(v))
		return nil
	}
	if low, high, _ := batch.IntRange(to.Type()); v < low || v > high {
		return fmt.Errorf("%d is out of range for %s", v, batch.TypeName(to.Type()))
	}
	to.AppendInt64(v)
	return nil
}

func appendText(to *batch.Column, v string) error {
	if to.Type() == batch.Text && !utf8.ValidString(v) {
		return errors.New("invalid UTF-8")
	}
	to.AppendString(v)
	return nil
}
