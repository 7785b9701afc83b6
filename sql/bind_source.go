package sql

import (
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (e *ends) optionMap() map[string]string {
	m := make(map[string]string, len(e.options))
	for _, o := range e.options {
		m[o.key.text] = o.value
	}
	return m
}

// source binds a CREATE SOURCE: the one node that reads it. A source with a fault is known, so that queries over it have no
// faults of their own.
func (b *binder) source(st *createSource) {
	if !b.claim(st.name) {
		return
	}
	t := &table{name: st.name, bound: make(map[request]*relation)}
	b.scope.tables[asciiLower(st.name.text)] = t
	t.bound[asDefault] = b.scan(st)
}

func (b *binder) scan(st *createSource) *relation {
	before := len(b.faults.list)
	def := &SourceDef{Name: st.name.text, URI: st.uri, Format: st.format.text, Options: st.optionMap(), Pos: st.name.at}
	taken := make(map[string]bool)
	for _, c := range st.columns {
		key := asciiLower(c.name.text)
		switch {
		case key == arrivalTime:
			b.fault(c.name.at, "every source has a hidden column %s already: choose another name", arrivalTime)
		case taken[key]:
			b.fault(c.name.at, "column %q is given twice", c.name.text)
		}
		taken[key] = true
		if c.computed == nil {
			def.Columns = append(def.Columns, arrow.Field{Name: c.name.text, Type: c.typ, Nullable: true})
		}
	}
	columns := def.Columns
	if columns == nil {
		columns = b.catalogColumns(def, taken)
	}
	if len(b.faults.list) > before {
		return nil
	}
	spec := &operators.ScanSpec{Source: def.Name, Columns: columns, Declared: columns, Arrival: true, EventTime: -1}
	for i := range columns {
		spec.Used = append(spec.Used, i)
	}
	fields := append([]arrow.Field(nil), columns...)
	fields = append(fields, b.computed(spec, st)...)
	if st.watermark != nil {
		b.watermark(def, spec, fields, st.watermark)
	}
	if len(b.faults.list) > before {
		return nil
	}
	fields = append(fields, arrow.Field{Name: arrivalTime, Type: batch.Timestamp, Nullable: true, Metadata: timeMark(operators.TimeArrival)})
	r := &relation{windowEnd: -1}
	for i, f := range fields {
		r.columns = append(r.columns, column{name: f.Name, hidden: i == len(fields)-1})
	}
	r.node = b.node("", spec, arrow.NewSchema(fields, nil))
	b.sources[r.node] = def
	return r
}

func timeMark(kind string) arrow.Metadata {
	if kind == "" {
		return arrow.Metadata{}
	}
	return arrow.MetadataFrom(map[string]string{operators.TimeKey: kind})
}

// timeKind returns how a column is marked: TimeEvent, TimeArrival or "".
func timeKind(f arrow.Field) string {
	kind, _ := f.Metadata.GetValue(operators.TimeKey)
	return kind
}

// catalogColumns asks the catalog for the columns of a source that declares none.
func (b *binder) catalogColumns(def *SourceDef, taken map[string]bool) []arrow.Field {
	if b.catalog == nil {
		b.fault(def.Pos, "source %q needs a list of columns", def.Name)
		return nil
	}
	found, err := b.catalog.Columns(def)
	if err != nil {
		b.fault(def.Pos, "source %q: %v", def.Name, err)
		return nil
	}
	columns := make([]arrow.Field, len(found))
	for i, f := range found {
		if asciiLower(f.Name) == arrivalTime || taken[asciiLower(f.Name)] {
			b.fault(def.Pos, "source %q: its column %q has the name of another one: list the columns under other names", def.Name, f.Name)
		}
		columns[i] = arrow.Field{Name: f.Name, Type: f.Type, Nullable: true}
	}
	return columns
}

// computed binds the computed columns, each over those that are read and those computed before it, and returns their fields.
func (b *binder) computed(spec *operators.ScanSpec, st *createSource) []arrow.Field {
	schema := arrow.NewSchema(spec.Columns, nil)
	r := &relation{windowEnd: -1}
	for _, f := range spec.Columns {
		r.columns = append(r.columns, column{name: f.Name})
	}
	var fields []arrow.Field
	eb := b.over("a computed column", func(n *name) *expr.Spec {
		if len(n.parts) == 1 {
			for i, f := range fields {
				if asciiLower(f.Name) == asciiLower(n.parts[0]) {
					return spec.Computed[i]
				}
			}
		}
		return b.columnOf(r, schema, n)
	})
	for _, c := range st.columns {
		if c.computed == nil {
			continue
		}
		e := eb.bind(c.computed)
		if e == nil || !b.isColumnType(c.name.at, c.name.text, e.Type) {
			continue
		}
		fields = append(fields, arrow.Field{Name: c.name.text, Type: e.Type, Nullable: true})
		spec.Computed = append(spec.Computed, e)
		spec.ComputedNames = append(spec.ComputedNames, c.name.text)
	}
	return fields
}

// watermark binds WATERMARK FOR c AS c - INTERVAL '…' and marks the column.
func (b *binder) watermark(def *SourceDef, spec *operators.ScanSpec, fields []arrow.Field, w *watermarkDef) {
	key := asciiLower(w.column.text)
	var names []string
	for i, f := range fields {
		names = append(names, f.Name)
		if asciiLower(f.Name) == key {
			spec.EventTime = i
		}
	}
	if spec.EventTime < 0 {
		if len(b.faults.list) == 0 || key == arrivalTime {
			b.unknownColumn(w.column.at, w.column.text, names)
		}
		return
	}
	f := &fields[spec.EventTime]
	if f.Type.ID() != arrow.TIMESTAMP {
		b.fault(w.column.at, "a watermark needs a TIMESTAMP: column %q is %s: add a computed column, such as at AS timestamp_millis(%s)",
			f.Name, batch.TypeName(f.Type), quoteName(f.Name))
		return
	}
	delay, ok := watermarkDelay(w.value, key)
	if !ok {
		b.fault(w.value.place(), "a watermark is its column minus an interval: write WATERMARK FOR %s AS %s - INTERVAL '5 seconds'",
			quoteName(f.Name), quoteName(f.Name))
		return
	}
	if delay < 0 {
		b.fault(w.value.place(), "a watermark can't be ahead of its column: got a delay of %s", formatInterval(delay))
		return
	}
	f.Metadata = timeMark(operators.TimeEvent)
	spec.Delay, def.Delay, def.Watermark = delay, delay, f.Name
}

// watermarkDelay returns the interval of c - INTERVAL '…', and 0 for c alone.
func watermarkDelay(n node, column string) (delay time.Duration, ok bool) {
	if c, isCall := n.(*call); isCall && c.fn == "-" && len(c.args) == 2 {
		if delay, ok = isInterval(c.args[1]); !ok {
			return 0, false
		}
		n = c.args[0]
	}
	c, isName := n.(*name)
	return delay, isName && len(c.parts) == 1 && asciiLower(c.parts[0]) == column
}
