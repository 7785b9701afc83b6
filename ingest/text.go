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
	return &textDecoder{recordDecoder: d}, nil
}

type textDecoder struct{ *recordDecoder }

var _ Decoder = (*textDecoder)(nil)

// Decode returns one row per line.
func (d *textDecoder) Decode(_ context.Context, b *Block, bad func(BadRow)) (batch.Batch, error) {
	d.begin(b, bad)
	rows := 0
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

// shortLine is up to how many bytes a line is copied in one piece of fixed size, which spares a call.
const shortLine = 32

func (d *textDecoder) lines() int {
	c := &d.columns[0]
	src, dst, offsets := d.buf, c.text, c.offsets
	rows, end := 0, 0
	for p := 0; p < d.limit; rows++ {
		if rows+1 >= len(offsets) {
			return rows + 1
		}
		n := bytes.IndexByte(src[p:], '\n')
		next := p + n + 1
		if n > 0 && src[p+n-1] == '\r' {
			n--
		}
		if n <= shortLine {
			*(*[shortLine]byte)(dst[end:]) = *(*[shortLine]byte)(src[p:])
		} else {
			copy(dst[end:], src[p:p+n])
		}
		end += n
		offsets[rows+1] = int32(end)
		p = next
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
func (d *textDecoder) Close() { d.release() }
