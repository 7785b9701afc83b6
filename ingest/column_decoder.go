package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// columnDecoder makes batches of blocks that have rows already: it finds the used columns by name, in any case, checks what no
// compiler has checked (offsets, indices, UTF-8), and converts types that the engine does not have to ones that it has. Columns of
// the engine's types, and dictionaries of TEXT, pass without a copy.
type columnDecoder struct {
	mem     memory.Allocator
	used    []arrow.Field
	view    *batch.View
	columns []columnReader

	// Of the schema that came last: rows of one file or one source share it.
	schema *arrow.Schema
	index  []int // of used columns in it

	// Scratch, written by each Decode.
	isDead []bool // by row; empty where none is
	live   []int32
}

var _ Decoder = (*columnDecoder)(nil)

// NewColumnDecoder returns a decoder of the blocks of a ColumnSource. Its columns need not be in the order of spec.Declared, and may
// be more.
func NewColumnDecoder(spec DecodeSpec) Decoder {
	d := &columnDecoder{mem: spec.Mem}
	for _, i := range spec.Used {
		d.used = append(d.used, spec.Declared[i])
	}
	d.view = batch.NewView(arrow.NewSchema(d.used, nil))
	d.columns = make([]columnReader, len(d.used))
	for k := range d.columns {
		d.columns[k].mem, d.columns[k].want = spec.Mem, d.used[k].Type
	}
	d.index = make([]int, len(d.used))
	return d
}

// Decode returns the rows of b. One that has no valid value in a used column is bad.
func (d *columnDecoder) Decode(_ context.Context, b *Block, bad func(BadRow)) (batch.Batch, error) {
	if schema := b.Rows.Schema(); schema != d.schema {
		if err := d.bind(schema); err != nil {
			return batch.Batch{}, err
		}
		d.schema = schema
	}
	n := int(b.Rows.NumRows())
	d.isDead = d.isDead[:0]
	for k := range d.columns {
		c := &d.columns[k]
		arr, err := c.read(b.Rows.Column(d.index[k]), n)
		if err != nil {
			return batch.Batch{}, fmt.Errorf("column %q: %w", d.used[k].Name, err)
		}
		d.view.Set(k, arr)
		for _, f := range c.faults {
			if len(d.isDead) == 0 {
				d.isDead = slices.Grow(d.isDead, n)[:n]
				clear(d.isDead)
			}
			if !d.isDead[f.row] {
				d.isDead[f.row] = true
				bad(BadRow{Line: b.FirstRow + int64(f.row) + 1, Offset: b.FirstRow + int64(f.row), Column: d.used[k].Name, Why: f.why})
			}
		}
	}
	d.view.SetRows(n)
	out := batch.Batch{Rows: d.view}
	if len(d.isDead) > 0 {
		d.live = batch.GrowSlice(d.mem, d.live, n)[:0]
		for i, isDead := range d.isDead {
			if !isDead {
				d.live = append(d.live, int32(i))
			}
		}
		out.Sel = d.live
	}
	return out, nil
}

// bind finds the used columns in a schema. All faults are reported at once.
func (d *columnDecoder) bind(schema *arrow.Schema) error {
	var faults []error
	for k, f := range d.used {
		i := slices.IndexFunc(schema.Fields(), func(has arrow.Field) bool { return strings.EqualFold(has.Name, f.Name) })
		if i < 0 {
			faults = append(faults, fmt.Errorf("column %q is missing: %s", f.Name, suggest(f.Name, columnNames(schema.Fields()))))
			continue
		}
		has := schema.Field(i).Type
		switch t := engineType(has); {
		case t == nil:
			faults = append(faults, fmt.Errorf("column %q: its type %s can't be read: leave it out of the list of columns", f.Name, has))
		case !canConvert(has, f.Type):
			faults = append(faults, fmt.Errorf("column %q is %s here, declared %s", f.Name, batch.TypeName(t), batch.TypeName(f.Type)))
		}
		d.index[k] = i
	}
	return errors.Join(faults...)
}

func columnNames(fields []arrow.Field) (names []string) {
	for _, f := range fields {
		names = append(names, f.Name)
	}
	return names
}

// Close releases all memory.
func (d *columnDecoder) Close() {
	for k := range d.columns {
		d.columns[k].release()
	}
	batch.FreeSlice(d.mem, d.live)
	d.live, d.schema = nil, nil
}

// engineFields returns the columns of a schema under the engine's types. A column that can't be read is a fault.
func engineFields(schema *arrow.Schema) ([]arrow.Field, error) {
	var faults []error
	fields := make([]arrow.Field, 0, schema.NumFields())
	for _, f := range schema.Fields() {
		t := engineType(f.Type)
		if t == nil {
			faults = append(faults, fmt.Errorf("column %q: its type %s can't be read: list the other columns", f.Name, f.Type))
		}
		fields = append(fields, arrow.Field{Name: f.Name, Type: t, Nullable: true})
	}
	return fields, errors.Join(faults...)
}
