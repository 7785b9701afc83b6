package ingest

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/invariants"
)

// recordDecoder is what the decoders of all formats share: the columns they write, the rows that are not live, and the report of
// bad ones. It is used by one goroutine at a time.
type recordDecoder struct {
	mem     memory.Allocator
	columns []columnWriter
	times   timeParser
	// stops are the bytes at which values end.
	stops byteSet
	// isLenient says that values are read from any text form, which the record does not show to be of another type.
	isLenient bool
	// unescape writes the text that v stands for, which isEscaped, to dst and returns how many bytes it has: at most as many as v.
	unescape func(dst, v []byte) int
	// readNested writes nested values as readInts does integers. It is nil in formats that have none.
	readNested func(c *columnWriter, spans []span, row int) int

	// The block at hand, from begin to finish.
	block *Block
	bad   func(BadRow)
	// buf has the bytes of the block, always with a line end behind the last record, and batch.Slack readable bytes behind.
	buf []byte
	// limit is the index behind the last record in buf.
	limit int
	// marks are those of stops in buf.
	marks marks
	// isUTF8 says that all of buf is valid; otherwise records are looked at one by one.
	isUTF8 bool
	// Line ends before countedTo, for messages: bad rows come in order, so that all of them together count a block once.
	countedTo, counted int

	// A run of records: where each begins, and the spans of runRows values of every column, then of values that no column wants.
	starts [runRows]int
	spans  []span
	// most is how many records a run may have: fewer where values do not fit, since those behind such a value are taken apart again.
	most int

	// Memory that is reused for every block.
	frame *batch.Frame
	dead  []int32
	live  []int32
	own   []byte
}

func newRecordDecoder(format string, spec DecodeSpec) (*recordDecoder, error) {
	d := &recordDecoder{mem: spec.Mem, most: runRows}
	for _, f := range spec.Declared {
		if kind, ok := kindOf(f.Type); kind == nested && format != "JSON" {
			return nil, fmt.Errorf("format %s: column %s: a field can't be %s: declare it as TEXT, and take it apart with split or from_json",
				format, f.Name, batch.TypeName(f.Type))
		} else if kind == nested {
			if err := batch.CheckJSONType(f.Type); err != nil {
				return nil, fmt.Errorf("format JSON: column %s: %w", f.Name, err)
			}
		} else if !ok {
			return nil, fmt.Errorf("format %s: column %s: type %s can't be read: declare it as TEXT, and convert it",
				format, f.Name, batch.TypeName(f.Type))
		}
	}
	var used []arrow.Field
	isUsed := make([]bool, len(spec.Declared))
	for _, i := range spec.Used {
		if i < 0 || i >= len(spec.Declared) || isUsed[i] {
			return nil, invariants.Failf("decode %s: used columns %v of %d", format, spec.Used, len(spec.Declared))
		}
		isUsed[i] = true
		used = append(used, spec.Declared[i])
	}
	d.frame = batch.NewFrame(spec.Mem, arrow.NewSchema(used, nil))
	d.columns = make([]columnWriter, len(used))
	for k, f := range used {
		kind, _ := kindOf(f.Type)
		d.columns[k] = columnWriter{name: f.Name, typeName: batch.TypeName(f.Type), kind: kind, column: d.frame.Columns[k], places: 1}
	}
	d.spans = batch.MakeSlice[span](spec.Mem, (len(used)+1)*runRows)
	clear(d.spans)
	return d, nil
}

func (d *recordDecoder) begin(b *Block, bad func(BadRow)) {
	d.block, d.bad = b, bad
	d.buf, d.limit = b.Bytes, len(b.Bytes)
	unended := d.limit > 0 && b.Bytes[d.limit-1] != '\n'
	if unended || cap(b.Bytes)-d.limit < batch.Slack {
		// The end of a split that does not end in a line end: at most one block of each split.
		d.own = batch.GrowSlice(d.mem, d.own, d.limit+1+batch.Slack)
		copy(d.own, b.Bytes)
		d.buf = d.own
		if unended {
			d.own[d.limit] = '\n'
			d.limit++
		}
	}
	d.buf = d.buf[:d.limit+batch.Slack]
	d.marks = batch.GrowSlice(d.mem, d.marks, marksLen(d.limit))
	d.isUTF8 = d.marks.mark(d.buf, d.limit, &d.stops) || utf8.Valid(d.buf[:d.limit])
	d.countedTo, d.counted = 0, 0
	d.dead = d.dead[:0]
	d.frame.Reset(int(b.NumRows))
	for k := range d.columns {
		d.columns[k].begin(d.limit)
	}
}

// finish returns the batch; rows is how many records were found.
func (d *recordDecoder) finish(rows int) (batch.Batch, error) {
	for k := range d.columns {
		d.columns[k].finish()
	}
	if int64(rows) != d.block.NumRows {
		return batch.Batch{}, fmt.Errorf("decode: %w", invariants.Failf("block of %d records has %d", d.block.NumRows, rows))
	}
	b := batch.Batch{Rows: d.frame.Rows()}
	if len(d.dead) > 0 {
		b.Sel = d.alive(rows)
	}
	return b, nil
}

// alive returns the rows that are not in dead.
func (d *recordDecoder) alive(rows int) []int32 {
	d.live = batch.GrowSlice(d.mem, d.live, rows)[:0]
	next := int32(0)
	for _, dead := range d.dead {
		for ; next < dead; next++ {
			d.live = append(d.live, next)
		}
		next = dead + 1
	}
	for ; next < int32(rows); next++ {
		d.live = append(d.live, next)
	}
	return d.live
}

// kill makes a row not live.
func (d *recordDecoder) kill(row int) {
	d.dead = batch.AppendSlice(d.mem, d.dead, int32(row))
	d.rewind(row)
}

// rewind forgets what was written to a row.
func (d *recordDecoder) rewind(row int) {
	for k := range d.columns {
		d.columns[k].rewind(row)
	}
}

// maxRaw is how much of a bad record is shown or goes to the dead letters.
const maxRaw = 256

// reject reports the record buf[start:end] as bad and makes its row not live.
func (d *recordDecoder) reject(row, start, end int, column, why string) {
	d.kill(row)
	if d.bad == nil {
		return
	}
	d.counted += bytes.Count(d.buf[d.countedTo:start], newline)
	d.countedTo = start
	raw := trimLineEnd(d.buf[start:end])
	d.bad(BadRow{
		Line:   d.block.FirstLine + int64(d.counted) + 1,
		Offset: d.block.From.Pos + int64(start),
		Column: column,
		Why:    why,
		Raw:    raw[:min(len(raw), maxRaw)],
	})
}

// checkUTF8 says whether the record buf[start:end] is valid UTF-8, and rejects it otherwise.
func (d *recordDecoder) checkUTF8(row, start, end int) bool {
	if d.isUTF8 || utf8.Valid(d.buf[start:end]) {
		return true
	}
	d.reject(row, start, end, "", fmt.Sprintf("invalid UTF-8 at byte %d of the record", firstInvalid(d.buf[start:end])))
	return false
}

// release gives the memory back.
func (d *recordDecoder) release() {
	d.frame.Release()
	batch.FreeSlice(d.mem, d.dead)
	batch.FreeSlice(d.mem, d.live)
	batch.FreeSlice(d.mem, d.own)
	batch.FreeSlice(d.mem, d.marks)
	batch.FreeSlice(d.mem, d.spans)
	d.dead, d.live, d.own, d.marks, d.spans, d.buf, d.block = nil, nil, nil, nil, nil, nil, nil
}

// trimLineEnd returns the record without \n or \r\n at its end.
func trimLineEnd(record []byte) []byte {
	n := len(record)
	if n > 0 && record[n-1] == '\n' {
		n--
		if n > 0 && record[n-1] == '\r' {
			n--
		}
	}
	return record[:n]
}

// firstInvalid returns the index of the first byte that does not belong to valid UTF-8, from 0.
func firstInvalid(v []byte) int {
	for i := 0; i < len(v); {
		r, size := utf8.DecodeRune(v[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(v)
}
