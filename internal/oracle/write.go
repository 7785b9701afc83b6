package oracle

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// WriteCSV writes the rows of a split without a header: NULL is an empty field, an empty text is "". A row of one NULL would be a
// blank line, which is no record; random inputs have two columns at least.
func WriteCSV(w io.Writer, split Split) error {
	var line []byte
	for _, row := range split.Rows {
		line = line[:0]
		for i, v := range row {
			if i > 0 {
				line = append(line, ',')
			}
			switch v := v.(type) {
			case nil:
			case string:
				if v == "" || strings.ContainsAny(v, ",\"\r\n") || v != strings.TrimSpace(v) {
					v = `"` + strings.ReplaceAll(v, `"`, `""`) + `"`
				}
				line = append(line, v...)
			default:
				line = append(line, plainText(v)...)
			}
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes the rows of a split as one object a line, with the names of fields. A DOUBLE that is not finite is a string.
func WriteJSON(w io.Writer, fields []arrow.Field, split Split) error {
	var line bytes.Buffer
	for _, row := range split.Rows {
		line.Reset()
		line.WriteByte('{')
		for i, v := range row {
			if i > 0 {
				line.WriteByte(',')
			}
			line.Write(batch.AppendJSONString(nil, fields[i].Name))
			line.WriteByte(':')
			x, isDouble := v.(float64)
			switch v := v.(type) {
			case nil:
				line.WriteString("null")
			case string:
				line.Write(batch.AppendJSONString(nil, v))
			case batch.Time:
				line.Write(batch.AppendJSONString(nil, plainText(v)))
			default:
				if isDouble && (math.IsNaN(x) || math.IsInf(x, 0)) {
					line.WriteString(strconv.Quote(plainText(v)))
				} else {
					line.WriteString(plainText(v))
				}
			}
		}
		line.WriteString("}\n")
		if _, err := w.Write(line.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// plainText returns the text form of a value that is not NULL.
func plainText(v any) string {
	switch v := v.(type) {
	case float64:
		return string(batch.AppendDouble(nil, v))
	case batch.Time:
		return string(batch.AppendTime(nil, v))
	}
	return fmt.Sprint(v)
}

// ScanSchema returns the schema of what the decoder makes for a scan: that of the rows of a Split.
func ScanSchema(spec *operators.ScanSpec) *arrow.Schema { return arrow.NewSchema(spec.Columns, nil) }

// AppendRow adds a row to a frame.
func AppendRow(frame *batch.Frame, row []any) {
	for i, v := range row {
		c := frame.Columns[i]
		switch v := v.(type) {
		case nil:
			c.AppendNull()
		case bool:
			c.AppendBool(v)
		case int64:
			c.AppendInt64(v)
		case float64:
			c.AppendFloat64(v)
		case string:
			c.AppendString(v)
		case batch.Time:
			c.AppendInt64(int64(v))
		}
	}
	frame.SetRows(frame.Len() + 1)
}
