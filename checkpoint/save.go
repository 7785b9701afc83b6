package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// maxFrameRows is where rows are cut into frames: about 2 MiB of a narrow table, what Restore holds at once.
const maxFrameRows = 64 << 10

// Save adds rows of one shard of a table to the commit that is being prepared: first deletedKeys, which has the table's key
// columns only, are deleted, then upserts are written over what had their keys. Either may be nil. A key is always saved under
// the same shard. If full, the Saves of the table in this commit, which all say so, are the whole table, and each of its keys
// occurs once; one without rows makes it empty. It borrows its arguments.
// After an error that is not about the arguments the Log refuses everything but Close.
func (l *Log) Save(ctx context.Context, spec Table, shard int, full bool, upserts, deletedKeys arrow.RecordBatch) error {
	if err := l.writable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.checkSave(&spec, shard, full, upserts, deletedKeys); err != nil {
		return fmt.Errorf("checkpoint %s: save table %s: %w", l.dir, spec.Name, err)
	}
	t, err := l.beginSave(&spec, full)
	if err != nil {
		return l.fail("save table "+spec.Name, err)
	}
	flags := uint16(0)
	if full {
		flags = baseFlag
	}
	if err := l.saveRows(ctx, t, frameHeader{kind: deleteFrame, shard: uint16(shard)}, deletedKeys); err != nil {
		return l.fail("save table "+spec.Name, err)
	}
	if err := l.saveRows(ctx, t, frameHeader{kind: upsertFrame, shard: uint16(shard), flags: flags}, upserts); err != nil {
		return l.fail("save table "+spec.Name, err)
	}
	return nil
}

func (l *Log) checkSave(spec *Table, shard int, full bool, upserts, deletedKeys arrow.RecordBatch) error {
	if shard < 0 || shard > math.MaxUint16 {
		return fmt.Errorf("shard is out of range: %d", shard)
	}
	if spec.Name == "" || len(spec.Keys) == 0 {
		return errors.New("a table needs a name and a key")
	}
	if full && deletedKeys != nil && deletedKeys.NumRows() > 0 {
		return errors.New("a full image deletes nothing")
	}
	t := l.tables[spec.Name]
	if t != nil && t.savedIn == l.saves+1 && t.savedFull != full {
		return errors.New("one commit has both a full image and changes")
	}
	if t == nil || !t.sameSpec(spec) {
		if t != nil && !full {
			return errors.New("columns, keys, version or meaning differ from the stored image's: save it in full")
		}
		for _, f := range spec.Schema.Fields() {
			if !isStorable(f.Type) {
				return fmt.Errorf("column %s has a type that state can't have: %s", f.Name, f.Type)
			}
		}
		for _, k := range spec.Keys {
			if k < 0 || k >= spec.Schema.NumFields() {
				return fmt.Errorf("key column is out of range: %d", k)
			}
		}
	}
	if err := checkColumns(upserts, spec.Schema.NumFields(), func(i int) arrow.Field { return spec.Schema.Field(i) }); err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	if err := checkColumns(deletedKeys, len(spec.Keys), func(i int) arrow.Field { return spec.Schema.Field(spec.Keys[i]) }); err != nil {
		return fmt.Errorf("deleted keys: %w", err)
	}
	return nil
}

func checkColumns(rows arrow.RecordBatch, n int, field func(int) arrow.Field) error {
	if rows == nil || rows.NumRows() == 0 {
		return nil
	}
	if int(rows.NumCols()) != n {
		return fmt.Errorf("%d columns, want %d", rows.NumCols(), n)
	}
	for i := range n {
		if got, want := rows.Column(i).DataType(), field(i); !arrow.TypeEqual(got, want.Type) {
			return fmt.Errorf("column %s is %s, want %s", want.Name, got, want.Type)
		}
	}
	return nil
}

func (t *table) sameSpec(spec *Table) bool {
	return t.spec.Version == spec.Version && t.spec.Meaning == spec.Meaning && slices.Equal(t.spec.Keys, spec.Keys) &&
		(t.spec.Schema == spec.Schema || t.spec.Schema.Equal(spec.Schema))
}

// isStorable says whether a column of package batch can have the type.
func isStorable(t arrow.DataType) bool {
	switch t := t.(type) {
	case *arrow.BooleanType, *arrow.Int64Type, *arrow.Float64Type, *arrow.StringType, *arrow.Decimal128Type, *batch.Logical:
		return true
	case *arrow.TimestampType:
		return t.Unit == arrow.Microsecond
	case *arrow.ListType:
		return isStorable(t.Elem())
	case *arrow.StructType:
		return !slices.ContainsFunc(t.Fields(), func(f arrow.Field) bool { return !isStorable(f.Type) })
	}
	return false
}

// beginSave finds or makes the table, and describes it where its segment or image begins.
func (l *Log) beginSave(spec *Table, full bool) (*table, error) {
	l.beginCommit(full)
	t := l.tables[spec.Name]
	isFirst := t == nil || t.savedIn != l.saves+1
	if t == nil {
		t = &table{}
		l.tables[spec.Name] = t
	}
	begins := t.spec.Schema == nil || isFirst && full
	if begins {
		t.begin()
		if err := t.setSpec(spec); err != nil {
			return nil, err
		}
		t.definedIn = nil
	}
	t.savedIn, t.savedFull = l.saves+1, full
	if t.definedIn != l.segments[len(l.segments)-1] {
		return t, l.describe(t, tableHeader{Full: begins})
	}
	return t, nil
}

// beginCommit makes sure that there is a segment to append to.
func (l *Log) beginCommit(full bool) {
	l.changed = true
	if n := len(l.segments); n > 0 {
		s := l.segments[n-1]
		isFirst := len(s.buf) == 0 && !s.isDirty
		// A full image in a segment of its own makes older segments removable as a whole.
		if !isFirst || s.size < l.opts.SegmentBytes && !full {
			return
		}
	}
	l.newSegment()
}

func (l *Log) newSegment() {
	s := &segment{number: l.nextSegment, isNew: true, fileName: l.path(segmentName(l.nextSegment))}
	l.nextSegment++
	s.buf = appendFileHeader(s.buf, segmentFile, s.number)
	s.size = int64(len(s.buf))
	l.segments = append(l.segments, s)
}

func (t *table) setSpec(spec *Table) error {
	t.spec = *spec
	t.spec.Keys = slices.Clone(spec.Keys)
	fields := make([]arrow.Field, len(spec.Keys))
	for i, k := range spec.Keys {
		fields[i] = spec.Schema.Field(k)
	}
	t.keys = arrow.NewSchema(fields, nil)
	var err error
	if t.messages.rows, err = schemaMessage(spec.Schema); err != nil {
		return err
	}
	t.messages.keys, err = schemaMessage(t.keys)
	return err
}

func schemaMessage(schema *arrow.Schema) ([]byte, error) {
	var w byteWriter
	p := ipc.GetSchemaPayload(batch.StoredSchema(schema), memory.NewGoAllocator())
	defer p.Release()
	_, err := p.WritePayload(&w)
	return w.bytes, err
}

// describe writes the frames that frames of the table in the last segment refer to.
func (l *Log) describe(t *table, h tableHeader) error {
	s := l.segments[len(l.segments)-1]
	if len(s.defined) > math.MaxUint16 {
		return fmt.Errorf("more than %d tables in one segment", math.MaxUint16)
	}
	t.definedIn, t.number = s, uint16(len(s.defined))
	s.defined = append(s.defined, t)
	h.Name, h.Version, h.Keys, h.Meaning = text(t.spec.Name), t.spec.Version, t.spec.Keys, text(t.spec.Meaning)
	payload, err := json.Marshal(&h)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		kind    frameKind
		payload []byte
	}{{tableFrame, payload}, {rowsSchemaFrame, t.messages.rows}, {keysSchemaFrame, t.messages.keys}} {
		before := len(s.buf)
		s.buf = appendFrame(s.buf, frameHeader{kind: f.kind, table: t.number}, f.payload)
		s.size += int64(len(s.buf) - before)
	}
	return nil
}

// saveRows writes rows, cut into frames.
func (l *Log) saveRows(ctx context.Context, t *table, h frameHeader, rows arrow.RecordBatch) error {
	if rows == nil {
		return nil
	}
	for from, n := int64(0), rows.NumRows(); from < n; from += maxFrameRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := rows.NewSlice(from, min(n, from+maxFrameRows))
		err := l.saveFrame(t, h, part)
		part.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) saveFrame(t *table, h frameHeader, rows arrow.RecordBatch) error {
	if schema := rows.Schema(); batch.StoredSchema(schema) != schema {
		rows = batch.WithSchema(rows, batch.StoredSchema(schema))
		defer rows.Release()
	}
	payload, err := ipc.GetRecordBatchPayload(rows, ipc.WithAllocator(zeroed{l.opts.Mem}))
	if err != nil {
		return err
	}
	w := byteWriter{bytes: l.message[:0]}
	_, err = payload.WritePayload(&w)
	payload.Release()
	if err != nil {
		return err
	}
	l.message = w.bytes

	s := t.definedIn
	start := len(s.buf)
	s.buf = append(s.buf, make([]byte, frameHeaderSize)...)
	if s.buf, h.codec, err = l.comp.append(s.buf, l.message); err != nil {
		return err
	}
	h.table, h.rows = t.number, uint32(rows.NumRows())
	frame := s.buf[start:]
	sealFrame(frame, h)
	stored, _ := parseFrameHeader(frame)
	t.add(frameRef{frameHeader: stored, segment: s, offset: s.size})
	s.size += int64(len(frame))
	if len(s.buf) >= flushBytes {
		return s.flush(l.fs)
	}
	return nil
}

// zeroed is an allocator whose new bytes are zero, as arrow-go's encoder takes for granted, and a batch.Pool does not promise.
type zeroed struct{ memory.Allocator }

// Allocate is memory.Allocator.
func (z zeroed) Allocate(size int) []byte {
	b := z.Allocator.Allocate(size)
	clear(b)
	return b
}

// Reallocate is memory.Allocator.
func (z zeroed) Reallocate(size int, b []byte) []byte {
	old := len(b)
	b = z.Allocator.Reallocate(size, b)
	if old < len(b) {
		clear(b[old:])
	}
	return b
}

// byteWriter appends what is written to it.
type byteWriter struct{ bytes []byte }

// Write is io.Writer.
func (w *byteWriter) Write(p []byte) (int, error) {
	w.bytes = append(w.bytes, p...)
	return len(p), nil
}
