package ingest

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// readNested writes objects and arrays, up to the first value that is none or does not fit.
func (d *jsonDecoder) readNested(c *columnWriter, spans []span, row int) int {
	for r, s := range spans {
		switch first := d.buf[s.from()]; {
		case s == 0 || first == 'n':
			c.setNull(row + r)
		case first != '{' && first != '[':
			return r
		default:
			if why := d.setNested(c, row+r, d.buf[s.from():s.to()]); why != "" {
				return r
			}
		}
	}
	return len(spans)
}

// setNested writes a well-formed value, and returns why it does not fit the column, which then has no value in the row.
func (d *jsonDecoder) setNested(c *columnWriter, row int, v []byte) (why string) {
	c.fillNested(row)
	if why = d.nested.Append(c.column, v); why != "" {
		c.column.TruncateTo(row)
	}
	return why
}

// appendScalar appends a number or string within a nested value.
func (d *jsonDecoder) appendScalar(c *batch.Column, v []byte, isString bool) (why string) {
	t := c.Type()
	fault := noFault
	switch {
	case batch.IsInteger(t) && !isString:
		var n int64
		if n, fault = parseInt(v); fault == noFault {
			if low, high, _ := batch.IntRange(t); n < low || n > high {
				fault = outOfRange
			} else {
				c.AppendInt64(n)
			}
		}
	case t == batch.Double && (!isString || isNonFinite(v)):
		var x float64
		if x, fault = parseDouble(v); fault == noFault {
			c.AppendFloat64(x)
		}
	case t.ID() == arrow.TIMESTAMP && isString:
		var at int64
		if at, fault = d.times.parse(v); fault == noFault {
			c.AppendInt64(at)
		}
	case batch.IsInteger(t) || t.ID() == arrow.FLOAT64 && isString && !isNonFinite(v) || t.ID() == arrow.TIMESTAMP:
		fault = notOfType
	default:
		if batch.AppendParsed(c, v) != nil {
			fault = notOfType
		}
	}
	switch fault {
	case noFault:
		return ""
	case outOfRange:
		return fmt.Sprintf("%s is out of range for %s", v[:min(len(v), maxQuoted)], batch.TypeName(t))
	case notOfType:
	}
	if isString {
		return fmt.Sprintf("want %s, got string %s", batch.TypeName(t), quoteClipped(v))
	}
	return fmt.Sprintf("want %s, got number %s", batch.TypeName(t), v[:min(len(v), maxQuoted)])
}

// fillNested makes the rows before row that were left out NULL: rows of a nested column are appended.
func (c *columnWriter) fillNested(row int) {
	for c.column.Len() < row {
		c.column.AppendNull()
	}
}

// inferredParts are what was seen of the objects and arrays of a column.
type inferredParts struct {
	hasScalar, hasObject, hasList bool
	fields                        []inferredColumn
	elem                          *inferredColumn
}

const (
	// maxInferredDepth is how deep objects and arrays are columns of their own; what is deeper is TEXT.
	maxInferredDepth = 16
	// maxInferredFields is how many keys an object may have to be a STRUCT: more are data, not names.
	maxInferredFields = 1000
)

// addContainer takes in an object or array by its JSON text, which is well formed.
func (c *inferredColumn) addContainer(v []byte, times *timeParser, depth int) {
	c.hasValue = true
	if depth == maxInferredDepth {
		c.misfitAllBut(text)
		c.parts.hasScalar = true
		return
	}
	isObject := v[0] == '{'
	c.parts.hasObject = c.parts.hasObject || isObject
	c.parts.hasList = c.parts.hasList || !isObject
	if !isObject && c.parts.elem == nil {
		c.parts.elem = &inferredColumn{}
	}
	s := batch.JSONScanner{Text: v}
	for p := s.Blanks(1); v[p] != '}' && v[p] != ']'; p = s.Blanks(p) {
		if v[p] == ',' {
			p = s.Blanks(p + 1)
		}
		of := c.parts.elem
		if isObject {
			keyEnd, value := s.Key(p)
			of = c.parts.field(batch.AppendUnescaped(nil, v[p+1:keyEnd-1]))
			p = value
		}
		end := s.Value(p, 0)
		of.addJSON(v[p:end], times, depth+1)
		p = end
	}
}

// field returns the column of a key.
func (p *inferredParts) field(key []byte) *inferredColumn {
	for i := range p.fields {
		if p.fields[i].name == string(key) {
			return &p.fields[i]
		}
	}
	if len(p.fields) == maxInferredFields {
		p.hasScalar = true // the whole is TEXT
		return &inferredColumn{}
	}
	p.fields = append(p.fields, inferredColumn{name: string(key)})
	return &p.fields[len(p.fields)-1]
}

// inferredType returns the narrowest type that all values fit: objects alone are a STRUCT, arrays alone an ARRAY, a mixture TEXT.
func (c *inferredColumn) inferredType() arrow.DataType {
	switch p := &c.parts; {
	case p.hasScalar:
	case p.hasObject && !p.hasList && len(p.fields) > 0:
		return arrow.StructOf(inferredFields(p.fields)...)
	case p.hasList && !p.hasObject:
		return arrow.ListOf(p.elem.inferredType())
	}
	for _, k := range inferenceOrder {
		if c.hasValue && !c.misfits[k] && !c.parts.hasObject && !c.parts.hasList {
			return kindTypes[k]
		}
	}
	return batch.Text
}
