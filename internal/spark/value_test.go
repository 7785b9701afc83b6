package spark_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// typeText returns a type as golden.py writes Spark's.
func typeText(t arrow.DataType) string {
	switch t := t.(type) {
	case *arrow.ListType:
		return "ARRAY<" + typeText(t.Elem()) + ">"
	case *arrow.MapType:
		return "MAP<" + typeText(t.KeyType()) + ", " + typeText(t.ItemType()) + ">"
	case *arrow.StructType:
		fields := make([]string, t.NumFields())
		for i, f := range t.Fields() {
			fields[i] = f.Name + ": " + typeText(f.Type)
		}
		return "STRUCT<" + strings.Join(fields, ", ") + ">"
	}
	return batch.TypeName(t)
}

// valueText returns row i of arr as golden.py writes Spark's values.
func valueText(arr arrow.Array, i int) string {
	if arr.IsNull(i) {
		return "NULL"
	}
	switch a := arr.(type) {
	case *array.Dictionary:
		return valueText(a.Dictionary(), a.GetValueIndex(i))
	case *array.Float64:
		if a.DataType() == batch.Float {
			return floatText(a.Value(i), 32)
		}
		return floatText(a.Value(i), 64)
	case *array.String:
		if a.DataType() == batch.Binary {
			return fmt.Sprintf("X'%X'", a.Value(i))
		}
		return quoteJSON(a.Value(i))
	case *array.Binary:
		return fmt.Sprintf("X'%X'", a.Value(i))
	case *array.List:
		start, end := a.ValueOffsets(i)
		var parts []string
		for j := start; j < end; j++ {
			parts = append(parts, valueText(a.ListValues(), int(j)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *array.Map:
		start, end := a.ValueOffsets(i)
		var parts []string
		for j := start; j < end; j++ {
			parts = append(parts, valueText(a.Keys(), int(j))+": "+valueText(a.Items(), int(j)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case *array.Struct:
		var parts []string
		for k, f := range a.DataType().(*arrow.StructType).Fields() {
			parts = append(parts, f.Name+": "+valueText(a.Field(k), i))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return string(batch.AppendValue(nil, arr, i))
}

// floatText writes the shortest text that reads back as v, as Python's repr does.
func floatText(v float64, bits int) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		return strings.TrimPrefix(fmt.Sprintf("%+f", v)+"inity", "+")
	}
	text := strconv.FormatFloat(v, 'e', -1, bits)
	exponent, _ := strconv.Atoi(text[strings.IndexByte(text, 'e')+1:])
	if v == 0 || exponent >= -4 && exponent < 16 {
		text = strconv.FormatFloat(v, 'f', -1, bits)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
	}
	return text
}

func quoteJSON(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return err.Error()
	}
	text := strings.TrimSuffix(b.String(), "\n")
	return strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029").Replace(text)
}
