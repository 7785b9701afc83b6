package ingest

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/tidemill/tidemill/batch"
)

// jsonFormat makes a row of every line, which holds one object of RFC 8259; white space around it is fine and blank lines are no
// rows. Keys are matched exactly. A key that is missing or null is NULL, keys without a column are ignored, of a key that
// repeats the last one counts.
//
// A BIGINT is a number without fraction and exponent; a DOUBLE any number, or one of the strings NaN, Infinity and -Infinity, as
// sinks write them; a TIMESTAMP a string; a TEXT a string, or the JSON text of any other value.
type jsonFormat struct{}

var _ Format = jsonFormat{}

// Name returns JSON.
func (jsonFormat) Name() string { return "JSON" }

// NewFramer returns a framer that ends records at \n.
func (jsonFormat) NewFramer() Framer { return newlineFramer{} }

// HasHeader returns false.
func (jsonFormat) HasHeader() bool { return false }

// NewDecoder returns a decoder for columns of any scalar type.
func (jsonFormat) NewDecoder(spec DecodeSpec) (Decoder, error) {
	base, err := newRecordDecoder("JSON", spec)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(base.columns))
	for k, c := range base.columns {
		if slices.Contains(names[:k], c.name) {
			return nil, fmt.Errorf("format JSON: two columns are named %q", c.name)
		}
		names[k] = c.name
	}
	return &jsonDecoder{recordDecoder: base, keys: newKeyTable(names), spans: make([]jsonSpan, len(names))}, nil
}

// jsonDecoder reads records by the shape of an earlier one (see jsonShape), those that differ key by key, and in full, first the
// structure and then the values, what has a fault or is rare.
type jsonDecoder struct {
	*recordDecoder
	keys keyTable

	shape jsonShape
	// tries is how many more records in a row may differ from the shape until it is given up. Then pause more records are read
	// without one, and of the next one the shape is learned. wait, where pause starts, doubles while shapes are of no use.
	tries, pause, wait int

	// Memory that is reused for every record read in full.
	scan    jsonScanner
	spans   []jsonSpan
	members []jsonMember
	key     []byte
}

var _ Decoder = (*jsonDecoder)(nil)

// jsonSpan is a value in the buffer. One that is absent has to == 0.
type jsonSpan struct {
	from, to int
	// isEscaped says that it is a string with escapes.
	isEscaped bool
}

// jsonMember is where the value of a key begins and ends, where the key does, and its column, -1 if it is not used.
type jsonMember struct {
	jsonSpan
	keyFrom, keyTo int
	column         int
}

const (
	// maxTries lets a minority of records have other shapes.
	maxTries = 8
	// maxWait makes learning, which costs a few times as much as reading a record, a small part of the whole where no two records
	// are alike, and still finds a new shape within a block.
	maxWait = 255
)

// maxShape is how long a record to learn from may be; the rest of a longer one weighs more than its shape.
const maxShape = 64 << 10

// Decode returns one row per line.
func (d *jsonDecoder) Decode(_ context.Context, b *Block, bad func(BadRow)) (batch.Batch, error) {
	d.begin(b, bad)
	d.scan.buf = d.buf
	rows := 0
	for p := 0; p < d.limit; rows++ {
		if rows == int(b.NumRows) {
			return d.finish(rows + 1)
		}
		if d.isUTF8 {
			if next := d.readFast(rows, p); next > 0 {
				p = next
				continue
			}
		}
		end := p + bytes.IndexByte(d.buf[p:], '\n') + 1
		if d.checkUTF8(rows, p, end) {
			d.record(rows, p, end)
		}
		p = end
	}
	return d.finish(rows)
}

// readFast reads the record at p by the shape or in any order, and returns the index behind it; 0 if it is to be read in full.
func (d *jsonDecoder) readFast(row, p int) int {
	switch {
	case d.tries > 0:
		if next := d.shape.read(d, row, p); next > 0 {
			d.tries, d.wait = maxTries, 0
			return next
		}
		d.rewind(row)
		if d.tries--; d.tries == 0 {
			d.pause = d.wait
			d.wait = min(2*d.wait+1, maxWait)
		}
	case d.pause > 0:
		d.pause--
	default:
		return 0
	}
	if len(d.columns) > maxAnyColumns {
		return 0
	}
	next := d.readAny(row, p)
	if next == 0 {
		d.rewind(row)
	}
	return next
}

// record reads the record buf[start:end], end being behind its line end, in full.
func (d *jsonDecoder) record(row, start, end int) {
	p := skipBlanks(d.buf, start)
	if d.buf[p] == '\n' {
		d.kill(row)
		return
	}
	repeats, p := d.findValues(p)
	if p < 0 {
		d.reject(row, start, end, "", fmt.Sprintf("invalid JSON at byte %d of the record: %s", d.scan.at-start, d.scan.why))
		return
	}
	for k, v := range d.spans {
		c := &d.columns[k]
		if v.to == 0 || d.buf[v.from] == 'n' {
			c.setNull(row)
			continue
		}
		if why := d.setValue(c, row, v); why != "" {
			d.reject(row, start, end, c.name, why)
			return
		}
	}
	if d.tries == 0 && d.pause == 0 && !repeats && end-start <= maxShape {
		d.shape.learn(d.buf, start, end, d.members, d.columns)
		d.tries = maxTries
	}
}

// findValues walks over the object at p, which ends the record, and sets members, and spans for every used column. It says
// whether a used key repeats, and returns the index behind the object, -1 if it is not well formed.
func (d *jsonDecoder) findValues(p int) (repeats bool, end int) {
	s := &d.scan
	clear(d.spans)
	d.members = d.members[:0]
	if d.buf[p] != '{' {
		return false, s.failWant(p, "an object")
	}
	p = skipBlanks(d.buf, p+1)
	if d.buf[p] == '}' {
		return false, d.endOfRecord(p + 1)
	}
	for {
		key := p + 1
		keyEnd, value := s.key(p)
		if value < 0 {
			return false, -1
		}
		v := jsonSpan{from: value}
		if d.buf[value] == '"' {
			v.to = stringEnd(d.buf, value+1)
			if v.isEscaped = d.buf[v.to] != '"'; v.isEscaped {
				v.to = s.skipString(v.to) - 1
			}
			v.to++
		} else {
			v.to = s.skipValue(value, 1)
		}
		if v.to <= 0 {
			return false, -1
		}
		p = v.to
		column := d.columnOf(key, keyEnd-1)
		if column >= 0 {
			repeats = repeats || d.spans[column].to > 0
			d.spans[column] = v
		}
		d.members = append(d.members, jsonMember{jsonSpan: v, keyFrom: key, keyTo: keyEnd - 1, column: column})
		p = skipBlanks(d.buf, p)
		switch d.buf[p] {
		case '}':
			return repeats, d.endOfRecord(p + 1)
		case ',':
			p = skipBlanks(d.buf, p+1)
		default:
			return false, s.failWant(p, "',' or '}'")
		}
	}
}

func (d *jsonDecoder) endOfRecord(p int) int {
	p = skipBlanks(d.buf, p)
	if d.buf[p] != '\n' {
		return d.scan.failWant(p, "one object per line")
	}
	return p
}

// columnOf returns the used column of the key buf[from:to], -1 if there is none.
func (d *jsonDecoder) columnOf(from, to int) int {
	if stringEnd(d.buf, from) == to {
		return d.keys.find(d.buf, from, to)
	}
	d.key = append(d.key[:0], d.buf[from:to]...)
	n := unescape(d.key, d.buf[from:to])
	d.key = append(d.key[:n], make([]byte, 8)...)
	return d.keys.find(d.key, 0, n)
}

// setValue writes a value that is not null, and returns why it does not fit the column.
func (d *jsonDecoder) setValue(c *columnWriter, row int, v jsonSpan) (why string) {
	raw := d.buf[v.from:v.to]
	isString := raw[0] == '"'
	isNumber := raw[0] == '-' || isDigit(raw[0])
	if isString {
		raw = raw[1 : len(raw)-1]
		if v.isEscaped {
			if c.kind == text {
				c.end += unescape(c.text[c.end:], raw)
				c.offsets[row+1] = int32(c.end)
				return ""
			}
			d.key = append(d.key[:0], raw...)
			raw = d.key[:unescape(d.key, raw)]
		}
	}
	var f fault
	switch {
	case c.kind == text:
		c.setText(row, raw)
		return ""
	case c.kind == timestamp && isString,
		c.kind == double && (isNumber || isString && isNonFinite(raw)),
		c.kind == boolean && !isString && (raw[0] == 't' || raw[0] == 'f'):
		f = c.setFromText(row, raw, &d.times)
	case c.kind == bigInt && isNumber:
		if _, isInt := numberEnd(d.buf, v.from); isInt {
			f = c.setFromText(row, raw, &d.times)
			break
		}
		fallthrough
	default:
		return wrongJSONType(c, d.buf[v.from], raw)
	}
	if f != noFault {
		return c.explain(f, raw)
	}
	return ""
}

func isNonFinite(v []byte) bool {
	return string(v) == "NaN" || string(v) == "Infinity" || string(v) == "-Infinity"
}

// wrongJSONType explains that a value of another type than the column's was met; first is its first byte, raw its text.
func wrongJSONType(c *columnWriter, first byte, raw []byte) string {
	got := "number " + string(raw[:min(len(raw), maxQuoted)])
	switch first {
	case '"':
		got = "string " + quoteClipped(raw)
	case 't', 'f':
		got = string(raw)
	case '{':
		got = "an object"
	case '[':
		got = "an array"
	}
	why := fmt.Sprintf("column %s: want %s, got %s", c.name, c.typeName, got)
	if c.kind == timestamp && (first == '-' || isDigit(first)) {
		why += ": declare the column as BIGINT and convert it with timestamp_seconds, timestamp_millis or timestamp_micros"
	}
	return why
}

// Close releases all memory.
func (d *jsonDecoder) Close() { d.release() }
