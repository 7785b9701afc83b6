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
// sinks write them; a TIMESTAMP a string; a TEXT a string, or the JSON text of any other value; an ARRAY an array, a STRUCT or MAP an
// object.
type jsonFormat struct{}

var _ Format = jsonFormat{}

// Name returns JSON.
func (jsonFormat) Name() string { return "JSON" }

// NewFramer returns a framer that ends records at \n.
func (jsonFormat) NewFramer() Framer { return newlineFramer{} }

// HasHeader returns false.
func (jsonFormat) HasHeader() bool { return false }

// NewDecoder returns a decoder for columns of any type.
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
	base.stops, base.unescape = jsonStops, batch.Unescape
	d := &jsonDecoder{recordDecoder: base, keys: newKeyTable(base.columns), values: make([]jsonSpan, len(names))}
	base.readNested, d.nested.Scalar = d.readNested, d.appendScalar
	return d, nil
}

// jsonDecoder takes records apart by the shapes of earlier ones (see jsonShape), those that differ key by key, and reads values a run
// of records at a time. What has a fault or is rare it reads in full, first the structure and then the values.
type jsonDecoder struct {
	*recordDecoder
	keys keyTable

	// shapes are those learned; that of the last record that had one is tried first.
	shapes  []jsonShape
	current int
	// tries is how many more records in a row may have none of the shapes until they are given up. Then pause more records are read
	// without any, and of the next one the shape is learned. wait, where pause starts, doubles while shapes are of no use: few
	// records, which hits counts, have one.
	tries, pause, wait, hits int
	// unknown is where the record begins whose shape is to be learned, -1 if there is none.
	unknown int

	// Memory that is reused for every record read in full.
	scan    jsonScanner
	nested  batch.JSONReader
	values  []jsonSpan
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
	// maxShapes is how many kinds of records, or keys that may be missing, a stream can have at full speed.
	maxShapes = 8
	// maxTries lets a minority of records have other shapes.
	maxTries = 8
	// fewTries are those after shapes were of no use.
	fewTries = 2
	// fewHits is up to how many records shapes are of no use: learning one costs as much as they save.
	fewHits = 64
	// maxWait makes learning, which costs several times as much as reading a record, a small part of the whole where no two records
	// are alike, and still finds a new shape within a block.
	maxWait = 511
)

// maxShape is how long a record to learn from may be; the rest of a longer one weighs more than its shape.
const maxShape = 64 << 10

// Decode returns one row per line.
func (d *jsonDecoder) Decode(_ context.Context, b *Block, bad func(BadRow)) (batch.Batch, error) {
	d.begin(b, bad)
	d.scan.buf = d.buf
	rows := 0
	for p := 0; p < d.limit; {
		most := min(int(b.NumRows)-rows, d.most)
		if most == 0 {
			return d.finish(rows + 1)
		}
		n, written := 0, 0
		d.unknown = -1
		if d.isUTF8 {
			n, p = d.takeRun(p, most)
			written = d.readRun(rows, n)
			rows += written
		}
		switch {
		case written < n:
			p = d.starts[written]
		case n == most || p == d.limit:
			continue
		}
		end := p + bytes.IndexByte(d.buf[p:], '\n') + 1
		if d.checkUTF8(rows, p, end) {
			d.record(rows, p, end)
		}
		rows++
		p = end
	}
	return d.finish(rows)
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
	for k, v := range d.values {
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
	if start == d.unknown && !repeats && end-start <= maxShape {
		d.learn(start, end)
	}
}

// findValues walks over the object at p, which ends the record, and sets members, and values for every used column. It says
// whether a used key repeats, and returns the index behind the object, -1 if it is not well formed.
func (d *jsonDecoder) findValues(p int) (repeats bool, end int) {
	s := &d.scan
	clear(d.values)
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
			repeats = repeats || d.values[column].to > 0
			d.values[column] = v
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
	if len(d.keys.slots) == 0 { // while columns are inferred
		return -1
	}
	if stringEnd(d.buf, from) == to {
		return d.keys.find(d.buf, from, to).column
	}
	d.key = append(d.key[:0], d.buf[from:to]...)
	n := batch.Unescape(d.key, d.buf[from:to])
	d.key = append(d.key[:n], make([]byte, batch.Slack)...)
	return d.keys.find(d.key, 0, n).column
}

// setValue writes a value that is not null, and returns why it does not fit the column.
func (d *jsonDecoder) setValue(c *columnWriter, row int, v jsonSpan) (why string) {
	raw := d.buf[v.from:v.to]
	isString := raw[0] == '"'
	if c.kind == nested && (raw[0] == '{' || raw[0] == '[') {
		if why = d.setNested(c, row, raw); why == "" {
			return ""
		}
		if why[0] != '.' && why[0] != '[' { // no path
			why = ": " + why
		}
		return "column " + c.name + why
	}
	isNumber := raw[0] == '-' || isDigit(raw[0])
	if isString {
		raw = raw[1 : len(raw)-1]
		if v.isEscaped {
			if c.kind == text {
				c.end += batch.Unescape(c.text[c.end:], raw)
				c.offsets[row+1] = int32(c.end)
				return ""
			}
			d.key = append(d.key[:0], raw...)
			raw = d.key[:batch.Unescape(d.key, raw)]
		}
	}
	var f fault
	switch {
	case c.kind == text:
		c.setText(row, raw)
		return ""
	case (c.kind == timestamp || c.kind == calendar) && isString,
		(c.kind == double || c.kind == number) && (isNumber || isString && isNonFinite(raw)),
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
