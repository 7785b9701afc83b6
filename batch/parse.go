package batch

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch/decimal"
)

// AppendParsed adds the value that text, which AppendValue wrote, stands for to a scalar column.
func AppendParsed(col *Column, text []byte) error {
	switch t := col.Type(); t.ID() {
	case arrow.INT64:
		v, err := parseInt(t, text)
		if err != nil {
			return err
		}
		col.AppendInt64(v)
	case arrow.FLOAT64:
		bits := 64
		if t == Float {
			bits = 32
		}
		v, err := strconv.ParseFloat(string(text), bits)
		if err != nil {
			return err
		}
		col.AppendFloat64(v)
	case arrow.DECIMAL128:
		d := t.(*arrow.Decimal128Type)
		v, fault := decimal.Parse(text, d.Precision, d.Scale)
		if fault != decimal.Fine {
			return fmt.Errorf("%q is no %s", text, TypeName(t))
		}
		col.AppendDecimal(v)
	case arrow.BOOL:
		v, err := strconv.ParseBool(string(text))
		if err != nil {
			return err
		}
		col.AppendBool(v)
	case arrow.STRING:
		if t == Binary {
			v, err := base64.StdEncoding.AppendDecode(nil, text)
			if err != nil {
				return fmt.Errorf("BINARY: %w", err)
			}
			text = v
		}
		col.AppendText(text)
	case arrow.TIMESTAMP:
		v, err := time.Parse(time.RFC3339Nano, string(text))
		if err != nil {
			return err
		}
		if year := v.UTC().Year(); year < 0 || year > 9999 {
			return fmt.Errorf("time is outside the years 0 to 9999 in UTC: %s", text)
		}
		col.AppendInt64(v.UnixMicro())
	default:
		return fmt.Errorf("type %s has no text form here", TypeName(t))
	}
	return nil
}

func parseInt(t arrow.DataType, text []byte) (v int64, err error) {
	var ok bool
	switch t {
	case Date:
		v, ok = ParseDate(text)
	case DayTime:
		v, ok = ParseDayTime(text)
	case YearMonth:
		v, ok = ParseYearMonth(text)
	default:
		v, err = strconv.ParseInt(string(text), 10, 64)
		low, high, _ := IntRange(t)
		ok = err != nil || v >= low && v <= high
	}
	if !ok {
		err = fmt.Errorf("%q is no %s", text, TypeName(t))
	}
	return v, err
}
