package ingest

import (
	"bytes"
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// textFormat makes every line a row of one TEXT column, without its \n or \r\n. Blank lines are rows.
type textFormat struct{}

var _ Format = textFormat{}

// Name returns TEXT.
func (textFormat) Name() string { return "TEXT" }

// NewFramer returns a framer that ends records at \n.
func (textFormat) NewFramer() Framer { return newlineFramer{} }

// HasHeader returns false.
func (textFormat) HasHeader() bool { return false }

// Infer returns the column value.
func (textFormat) Infer([]byte) ([]arrow.Field, error) {
	return []arrow.Field{{Name: "value", Type: batch.Text, Nullable: true}}, nil
}

// NewDecoder returns a decoder for one TEXT column of any name.
func (textFormat) NewDecoder(spec DecodeSpec) (Decoder, error) {
	if len(spec.Declared) != 1 || spec.Declared[0].Type.ID() != arrow.STRING {
		return nil, fmt.Errorf("format TEXT: a line is one column of type TEXT: %d columns declared", len(spec.Declared))
	}
	d, err := newRecordDecoder("TEXT", spec)
	if err != nil {
		return nil, err
	}
	d.stops = lineStops
	return &textDecoder{recordDecoder: d, sieve: spec.Sieve}, nil
}

type textDecoder struct {
	*recordDecoder
	sieve Sieve

	// Of what the sieve left, valid until the next Decode.
	places  []int32
	sources []int32
	// unsieved is how many blocks are still to be decoded as a whole, since too little was left out of one.
	unsieved int
}

var _ Decoder = (*textDecoder)(nil)

// Decode returns one row per line, or the lines that the sieve left.
func (d *textDecoder) Decode(_ context.Context, b *Block, bad func(BadRow)) (batch.Batch, error) {
	if d.sieve != nil {
		if left, ok := d.sift(b); ok {
			return left, nil
		}
	}
	d.begin(b, bad)
	var rows int
	switch {
	case !d.isUTF8:
		rows = d.checkedLines()
	case len(d.columns) == 0:
		rows = int(b.NumRows)
	default:
		rows = d.lines()
	}
	return d.finish(rows)
}

func (d *textDecoder) lines() int {
	c := &d.columns[0]
	src, dst, offsets := d.buf, c.text, c.offsets[1:]
	rows, end := 0, 0
	for p := 0; p < d.limit; rows++ {
		if rows >= len(offsets) {
			return rows + 1
		}
		next := d.marks.next(p)
		n := next - p
		if n > 0 && src[next-1] == '\r' {
			n--
		}
		switch {
		case n <= 32:
			copy32(dst, end, src, p)
		case n <= 64:
			copy32(dst, end, src, p)
			copy32(dst, end+32, src, p+32)
		default:
			copy(dst[end:], src[p:p+n])
		}
		end += n
		offsets[rows] = int32(end)
		p = next + 1
	}
	c.end = end
	return rows
}

// checkedLines is lines for a block that has invalid UTF-8 somewhere.
func (d *textDecoder) checkedLines() int {
	rows := 0
	for p := 0; p < d.limit; rows++ {
		if rows == int(d.block.NumRows) {
			return rows + 1
		}
		end := p + bytes.IndexByte(d.buf[p:], '\n') + 1
		if d.checkUTF8(rows, p, end) && len(d.columns) > 0 {
			d.columns[0].setText(rows, trimLineEnd(d.buf[p:end]))
		}
		p = end
	}
	return rows
}

// Close releases all memory.
func (d *textDecoder) Close() {
	d.release()
	batch.FreeSlice(d.mem, d.places)
	batch.FreeSlice(d.mem, d.sources)
	d.places, d.sources = nil, nil
}
