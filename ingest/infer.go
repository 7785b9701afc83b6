package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// maxInferred is how many records types are inferred from: enough to see a column's rare forms, quick enough not to be noticed.
const maxInferred = 1000

var errNothingToInfer = errors.New("no rows to infer columns from: give a column list")

// inferredColumn is a column whose type widens with every value.
type inferredColumn struct {
	name     string
	hasValue bool // other than NULL
	misfits  [len(inferenceOrder)]bool
	parts    inferredParts
}

// inferenceOrder has the types from the narrowest to TEXT, which everything fits.
var inferenceOrder = [...]valueKind{bigInt, double, timestamp, boolean, text}

var kindTypes = [...]arrow.DataType{
	bigInt: batch.BigInt, double: batch.Double, boolean: batch.Boolean, text: batch.Text, timestamp: batch.Timestamp,
}

// addText takes in a value by its text form.
func (c *inferredColumn) addText(v []byte, times *timeParser) {
	c.hasValue = true
	_, noInt := parseInt(v)
	_, noDouble := parseDouble(v)
	_, noTime := times.parse(v)
	_, noBool := parseBool(v)
	c.misfits[bigInt] = c.misfits[bigInt] || noInt != noFault
	c.misfits[double] = c.misfits[double] || noDouble != noFault
	c.misfits[timestamp] = c.misfits[timestamp] || noTime != noFault
	c.misfits[boolean] = c.misfits[boolean] || noBool != noFault
}

// misfitAllBut takes in a value that can only be TEXT or one other type.
func (c *inferredColumn) misfitAllBut(kind valueKind) {
	for _, k := range inferenceOrder {
		c.misfits[k] = c.misfits[k] || k != kind && k != text
	}
}

// inferredFields returns the columns with the narrowest types that fit.
func inferredFields(columns []inferredColumn) []arrow.Field {
	var fields []arrow.Field
	for i := range columns {
		fields = append(fields, arrow.Field{Name: columns[i].name, Type: columns[i].inferredType(), Nullable: true})
	}
	return fields
}

// Infer returns columns with the names of the header, which the sample begins with, or else c0, c1 and so on, as many as the
// first record has. Records that are not well formed do not count.
func (f csvFormat) Infer(sample []byte) ([]arrow.Field, error) {
	var columns []inferredColumn
	var times timeParser
	var pieces []csvPiece
	records := 0
	for isFirst := true; len(sample) > 0 && records < maxInferred; {
		n, _ := csvRecordEnd(sample, f.delimiter)
		record := trimLineEnd(sample[:n])
		sample = sample[n:]
		if isFirst && f.hasHeader {
			isFirst = false
			if columns = namedColumns(csvNames(record, f.delimiter)); hasTwice(columns) != "" {
				return nil, fmt.Errorf("format CSV: the header has column %s twice: give a column list", hasTwice(columns))
			}
			continue
		}
		var why string
		pieces, why = splitCSV(pieces[:0], record, f.delimiter)
		if len(record) == 0 || why != "" || !utf8.Valid(record) {
			continue
		}
		if columns == nil {
			names := make([]string, len(pieces))
			for i := range names {
				names[i] = "c" + strconv.Itoa(i)
			}
			columns = namedColumns(names)
		}
		if len(pieces) != len(columns) {
			continue
		}
		records++
		for i, piece := range pieces {
			v := record[piece.from:piece.to]
			if piece.isQuoted {
				v = appendUnquoted(nil, v)
			} else if string(v) == f.null {
				continue
			}
			columns[i].addText(v, &times)
		}
	}
	if records == 0 {
		return nil, fmt.Errorf("format CSV: %w", errNothingToInfer)
	}
	return inferredFields(columns), nil
}

func namedColumns(names []string) []inferredColumn {
	columns := make([]inferredColumn, len(names))
	for i, name := range names {
		columns[i].name = name
	}
	return columns
}

// hasTwice returns a name that two columns have, or the empty text.
func hasTwice(columns []inferredColumn) string {
	seen := make(map[string]bool)
	for _, c := range columns {
		if seen[c.name] {
			return c.name
		}
		seen[c.name] = true
	}
	return ""
}

// Infer returns a column for every key of the sample, in the order in which they are first met. Records that are not well formed
// do not count.
func (f jsonFormat) Infer(sample []byte) ([]arrow.Field, error) {
	var columns []inferredColumn
	var times timeParser
	position := make(map[string]int)
	d := &jsonDecoder{recordDecoder: &recordDecoder{}}
	records := 0
	for len(sample) > 0 && records < maxInferred {
		line, rest, _ := bytes.Cut(sample, newline)
		sample = rest
		// The scanner wants a line end and slack behind the record.
		d.buf = append(append(d.buf[:0], line...), '\n')
		d.buf = append(d.buf, make([]byte, batch.Slack)...)
		d.scan.buf = d.buf
		if _, end := d.findValues(skipBlanks(d.buf, 0)); end < 0 || !utf8.Valid(line) {
			continue
		}
		records++
		for _, m := range d.members {
			key := make([]byte, m.keyTo-m.keyFrom)
			key = key[:batch.Unescape(key, d.buf[m.keyFrom:m.keyTo])]
			i, isKnown := position[string(key)]
			if !isKnown {
				i = len(columns)
				position[string(key)] = i
				columns = append(columns, inferredColumn{name: string(key)})
			}
			columns[i].addJSON(d.buf[m.from:m.to], &times, 0)
		}
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("format JSON: %w", errNothingToInfer)
	}
	return inferredFields(columns), nil
}

// addJSON takes in a value by its JSON text, which is in depth objects and arrays of its column.
func (c *inferredColumn) addJSON(v []byte, times *timeParser, depth int) {
	if v[0] != 'n' && v[0] != '{' && v[0] != '[' {
		c.parts.hasScalar = true
	}
	switch v[0] {
	case 'n':
		return
	case '"':
		c.addText(v[1:len(v)-1], times)
		c.misfitAllBut(timestamp)
	case 't', 'f':
		c.addText(v, times)
	case '{', '[':
		c.addContainer(v, times, depth)
	default:
		c.addText(v, times)
		c.misfits[timestamp] = true
	}
}
