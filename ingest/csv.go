package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// csvFormat is CSV by RFC 4180: fields in quotes may hold delimiters, line ends and doubled quotes. A record ends at \n or \r\n; a
// blank line is no row. Without header columns go by position and every record has as many fields as columns are declared. With
// header they go by name (the same letters in another case will do if there is no exact match), in any order, and every record
// has as many fields as the header. A declared column that the header lacks is NULL in all rows of the split, and one bad row, for
// the header, says so.
type csvFormat struct {
	hasHeader bool
	delimiter byte
	// null is the unquoted text that means NULL.
	null string
}

var _ Format = csvFormat{}

func newCSVFormat(options map[string]string) (csvFormat, error) {
	f := csvFormat{delimiter: ',', null: options["null"]}
	var faults []error
	if v, ok := options["header"]; ok {
		isTrue, fault := parseBool([]byte(v))
		if fault != noFault {
			faults = append(faults, fmt.Errorf("format CSV: option header: want true or false, got %q", v))
		}
		f.hasHeader = isTrue
	}
	if v, ok := options["delimiter"]; ok {
		if v == `\t` {
			v = "\t"
		}
		if len(v) != 1 || !isDelimiter(v[0]) {
			faults = append(faults, fmt.Errorf(`format CSV: option delimiter: want one of the ASCII signs or \t, but none of a quote, + - and ., got %q`, v))
		} else {
			f.delimiter = v[0]
		}
	}
	if strings.ContainsAny(f.null, "\"\r\n") || strings.IndexByte(f.null, f.delimiter) >= 0 {
		faults = append(faults, fmt.Errorf("format CSV: option null: want text without quote, delimiter and line end, got %q", f.null))
	}
	return f, errors.Join(faults...)
}

// isDelimiter says whether c can be no part of a value or line end.
func isDelimiter(c byte) bool {
	isLetter := c|0x20 >= 'a' && c|0x20 <= 'z'
	return c < 0x80 && !isLetter && !isDigit(c) && strings.IndexByte("\"\r\n+-.", c) < 0
}

// Name returns CSV.
func (csvFormat) Name() string { return "CSV" }

// NewFramer returns a framer that knows quotes.
func (f csvFormat) NewFramer() Framer { return &csvFramer{delimiter: f.delimiter} }

// HasHeader returns the option header.
func (f csvFormat) HasHeader() bool { return f.hasHeader }

// NewDecoder returns a decoder for columns of any scalar type.
func (f csvFormat) NewDecoder(spec DecodeSpec) (Decoder, error) {
	base, err := newRecordDecoder("CSV", spec)
	if err != nil {
		return nil, err
	}
	if len(spec.Declared) == 0 {
		return nil, errors.New("format CSV: at least one column must be declared")
	}
	base.stops, base.unescape, base.isLenient = csvStops(f.delimiter), unquote, true
	for k := range base.columns {
		base.columns[k].emptyIsNull = f.null == ""
	}
	d := &csvDecoder{recordDecoder: base, format: f, declared: spec.Declared, used: spec.Used}
	if !f.hasHeader {
		names := make([]string, len(spec.Declared))
		for i, c := range spec.Declared {
			names[i] = c.Name
		}
		d.layOut(names)
	}
	return d, nil
}

// csvField is what to do with a field of a record.
type csvField struct {
	name   string
	column *columnWriter // nil if the field is not used
	// spans is the index of the first span of the column.
	spans int
}

// csvDecoder takes records apart at their stops and reads values a run of records at a time; records that have a fault field by
// field.
type csvDecoder struct {
	*recordDecoder
	format   csvFormat
	declared []arrow.Field
	used     []int

	// header is the record that fields are laid out for.
	header []byte
	fields []csvField
	// missing are the used columns that the header lacks.
	missing []*columnWriter

	pieces []csvPiece
	plain  []byte // a quoted value with its doubled quotes made one
}

var _ Decoder = (*csvDecoder)(nil)

// layOut makes fields for records whose fields have these names.
func (d *csvDecoder) layOut(names []string) {
	d.fields, d.missing = make([]csvField, len(names)), nil
	for i, name := range names {
		d.fields[i] = csvField{name: name, spans: len(d.columns) * runRows}
	}
	clear(d.spans) // missing columns have no values
	for k, column := range d.used {
		c := &d.columns[k]
		i := column
		if d.format.hasHeader {
			i = findName(names, d.declared[column].Name)
		}
		if i < 0 {
			d.missing = append(d.missing, c)
			continue
		}
		d.fields[i].column = c
		d.fields[i].spans = k * runRows
	}
}

// findName returns the index of the name, in another case if it is not there exactly, or -1.
func findName(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	for i, n := range names {
		if strings.EqualFold(n, name) {
			return i
		}
	}
	return -1
}

// useHeader lays out fields by the header of the block.
func (d *csvDecoder) useHeader(b *Block) {
	if d.fields == nil || !bytes.Equal(d.header, b.Header) {
		d.header = append(d.header[:0], b.Header...)
		d.layOut(csvNames(d.header, d.format.delimiter))
	}
	if len(d.missing) == 0 || b.Seq > 0 || d.bad == nil {
		return
	}
	var lacks []string
	for _, c := range d.missing {
		lacks = append(lacks, c.name)
	}
	var has []string
	for _, f := range d.fields {
		has = append(has, f.name)
	}
	raw := trimLineEnd(b.Header)
	d.bad(BadRow{
		Line: 1, Column: lacks[0], Raw: raw[:min(len(raw), maxRaw)],
		Why: fmt.Sprintf("the header lacks column %s, which is NULL in all rows: it has %s", strings.Join(lacks, ", "), strings.Join(has, ", ")),
	})
}

// Decode returns one row per record.
func (d *csvDecoder) Decode(_ context.Context, b *Block, bad func(BadRow)) (batch.Batch, error) {
	d.begin(b, bad)
	if d.format.hasHeader {
		d.useHeader(b)
	}
	rows := 0
	for p := 0; p < d.limit; {
		most := min(int(b.NumRows)-rows, d.most)
		if most == 0 {
			return d.finish(rows + 1)
		}
		n, written := 0, 0
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
		end, isEnded := csvRecordEnd(d.buf[p:d.limit], d.format.delimiter)
		end += p
		if d.checkUTF8(rows, p, end) {
			d.record(rows, p, end, isEnded)
		}
		rows++
		p = end
	}
	return d.finish(rows)
}

// record reads the record buf[start:end] field by field; isEnded says that no quotes are open at its end.
func (d *csvDecoder) record(row, start, end int, isEnded bool) {
	record := trimLineEnd(d.buf[start:end])
	if len(record) == 0 {
		d.kill(row)
		return
	}
	if !isEnded {
		d.reject(row, start, end, "", "a quoted field does not end")
		return
	}
	var why string
	d.pieces, why = splitCSV(d.pieces[:0], record, d.format.delimiter)
	if why != "" {
		last := len(d.pieces)
		if last < len(d.fields) {
			d.reject(row, start, end, d.fields[last].name, fmt.Sprintf("column %s: %s", d.fields[last].name, why))
			return
		}
		d.reject(row, start, end, "", why)
		return
	}
	if n := len(d.pieces); n < len(d.fields) {
		name := d.fields[n].name
		d.reject(row, start, end, name, fmt.Sprintf("column %s missing: %d of %d columns", name, n, len(d.fields)))
		return
	} else if n > len(d.fields) {
		d.reject(row, start, end, "", fmt.Sprintf("too many columns: %d of %d", n, len(d.fields)))
		return
	}
	for i, piece := range d.pieces {
		c := d.fields[i].column
		if c == nil {
			continue
		}
		v := record[piece.from:piece.to]
		if piece.isQuoted {
			d.plain = appendUnquoted(d.plain[:0], v)
			v = d.plain
		} else if string(v) == d.format.null {
			c.setNull(row)
			continue
		}
		if f := c.setFromText(row, v, &d.times); f != noFault {
			d.reject(row, start, end, c.name, c.explain(f, v))
			return
		}
	}
	for _, c := range d.missing {
		c.setNull(row)
	}
}

// Close releases all memory.
func (d *csvDecoder) Close() { d.release() }
