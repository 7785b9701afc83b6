package batch

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Format returns the live rows of b as text for tests, one line per row, values separated by one space: NULL is null, text is
// quoted as in Go when it is empty, reads as something else or holds anything but letters, digits and a few signs.
func Format(b Batch) string {
	var dst []byte
	for k := range b.NumLive() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		for c, col := range b.Rows.Columns() {
			if c > 0 {
				dst = append(dst, ' ')
			}
			dst = appendCell(dst, col, i)
		}
		dst = append(dst, '\n')
	}
	return string(dst)
}

func appendCell(dst []byte, col arrow.Array, i int) []byte {
	if col.IsNull(i) {
		return append(dst, "null"...)
	}
	if d, ok := col.(*array.Dictionary); ok {
		return appendCell(dst, d.Dictionary(), d.GetValueIndex(i))
	}
	start := len(dst)
	dst = AppendValue(dst, col, i)
	if id := col.DataType().ID(); id == arrow.STRING || id == arrow.INT64 && !IsInteger(col.DataType()) {
		if s := string(dst[start:]); !isPlainCell(s) {
			dst = strconv.AppendQuote(dst[:start], s)
		}
	}
	return dst
}

func isPlainCell(s string) bool {
	if s == "" || s == "null" {
		return false
	}
	for _, c := range []byte(s) {
		isPlain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-.:/", c) >= 0
		if !isPlain {
			return false
		}
	}
	return true
}

// Parse is the inverse of Format. Lists, maps and structs are JSON. The caller releases the frame.
func Parse(mem memory.Allocator, schema *arrow.Schema, text string) (*Frame, error) {
	f := NewFrame(mem, schema)
	rows := 0
	for n, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		rest := line
		for c, col := range f.Columns {
			var err error
			if rest, err = parseCell(col, rest); err != nil {
				f.Release()
				return nil, fmt.Errorf("parse rows: line %d: column %s: %w", n+1, schema.Field(c).Name, err)
			}
		}
		if strings.TrimSpace(rest) != "" {
			f.Release()
			return nil, fmt.Errorf("parse rows: line %d: more values than columns: %q", n+1, rest)
		}
		rows++
	}
	f.SetRows(rows)
	return f, nil
}

func parseCell(col *Column, line string) (rest string, err error) {
	line = strings.TrimLeft(line, " \t")
	if line == "" {
		return "", errors.New("value missing")
	}
	if Nesting(col.Type()) > 0 && line[0] != 'n' {
		return parseJSONCell(col, line)
	}
	var cell string
	quoted := line[0] == '"'
	if quoted {
		prefix, err := strconv.QuotedPrefix(line)
		if err != nil {
			return "", fmt.Errorf("bad quotes: %s", line)
		}
		rest = line[len(prefix):]
		if cell, err = strconv.Unquote(prefix); err != nil {
			return "", fmt.Errorf("bad quotes: %s", prefix)
		}
	} else {
		cell, rest, _ = strings.Cut(line, " ")
	}
	if cell == "null" && !quoted {
		col.AppendNull()
		return rest, nil
	}
	return rest, AppendParsed(col, []byte(cell))
}

func parseJSONCell(col *Column, line string) (rest string, err error) {
	scan := JSONScanner{Text: []byte(line)}
	end := scan.Value(0, 0)
	if end < 0 {
		return "", errors.New(scan.Why)
	}
	r := JSONReader{Scalar: appendJSONScalar}
	if why := r.Append(col, []byte(line[:end])); why != "" {
		return "", errors.New(why)
	}
	return line[end:], nil
}

// appendJSONScalar appends what AppendJSON writes of a scalar.
func appendJSONScalar(c *Column, text []byte, _ bool) (why string) {
	if err := AppendParsed(c, text); err != nil {
		return err.Error()
	}
	return ""
}
