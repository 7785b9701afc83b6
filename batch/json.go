package batch

import (
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// AppendJSON appends value i of arr as JSON. NULL is null; numbers are numbers, but for those that are not finite; all else but BOOLEAN
// is a string, of the form that AppendValue has.
func AppendJSON(dst []byte, arr arrow.Array, i int) []byte { return appendJSON(dst, arr, i, false) }

// AppendJSONWithoutNulls is AppendJSON that leaves out fields of structs that are NULL.
func AppendJSONWithoutNulls(dst []byte, arr arrow.Array, i int) []byte {
	return appendJSON(dst, arr, i, true)
}

func appendJSON(dst []byte, arr arrow.Array, i int, skipNulls bool) []byte {
	if arr.IsNull(i) {
		return append(dst, "null"...)
	}
	switch a := arr.(type) {
	case *array.Int64:
		if !IsInteger(a.DataType()) {
			dst = AppendInt(append(dst, '"'), a.DataType(), a.Value(i))
			return append(dst, '"')
		}
		return AppendValue(dst, arr, i)
	case *array.Boolean, *array.Decimal128:
		return AppendValue(dst, arr, i)
	case *array.Float64:
		if v := a.Value(i); v-v != 0 {
			dst = append(dst, '"')
			dst = AppendDouble(dst, v)
			return append(dst, '"')
		}
		return AppendValue(dst, arr, i)
	case *array.Timestamp:
		dst = append(dst, '"')
		dst = AppendTime(dst, Time(a.Value(i)))
		return append(dst, '"')
	case *array.String:
		if a.DataType() == Binary {
			dst = AppendValue(append(dst, '"'), arr, i)
			return append(dst, '"')
		}
		return AppendJSONString(dst, a.Value(i))
	case *array.Dictionary:
		return appendJSON(dst, a.Dictionary(), a.GetValueIndex(i), skipNulls)
	case *array.List:
		dst = append(dst, '[')
		start, end := a.ValueOffsets(i)
		for j := start; j < end; j++ {
			if j > start {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, a.ListValues(), int(j), skipNulls)
		}
		return append(dst, ']')
	case *array.Map:
		entries := a.ListValues().(*array.Struct)
		dst = append(dst, '{')
		start, end := a.ValueOffsets(i)
		for j := start; j < end; j++ {
			if j > start {
				dst = append(dst, ',')
			}
			dst = appendJSONKey(dst, entries.Field(0), int(j))
			dst = append(dst, ':')
			dst = appendJSON(dst, entries.Field(1), int(j), skipNulls)
		}
		return append(dst, '}')
	case *array.Struct:
		dst = append(dst, '{')
		t, first := a.DataType().(*arrow.StructType), len(dst)
		for k := range a.NumField() {
			if skipNulls && a.Field(k).IsNull(i) {
				continue
			}
			if len(dst) > first {
				dst = append(dst, ',')
			}
			dst = AppendJSONString(dst, t.Field(k).Name)
			dst = append(dst, ':')
			dst = appendJSON(dst, a.Field(k), i, skipNulls)
		}
		return append(dst, '}')
	}
	return append(dst, "null"...)
}

// appendJSONKey appends the key of a map's entry: its text, in quotes.
func appendJSONKey(dst []byte, keys arrow.Array, i int) []byte {
	start := len(dst)
	if dst = AppendJSON(dst, keys, i); dst[start] == '"' {
		return dst
	}
	key := string(dst[start:])
	return AppendJSONString(dst[:start], key)
}

const hexDigits = "0123456789abcdef"

// AppendJSONString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
