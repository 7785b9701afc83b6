package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// avroKind is how a value lies in the bytes.
type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt // int and long, enum
	avroFloat
	avroDouble
	avroBytes // bytes and string
	avroFixed
	avroArray
	avroMap
	avroRecord
	avroUnion
)

// avroType is a type of the writer's schema. Those with a name may refer to themselves.
type avroType struct {
	kind    avroKind
	text    string // as the schema has it, for messages
	column  arrow.DataType
	scale   int64 // TIMESTAMP: microseconds of a unit, or -1000 for nanoseconds
	size    int   // of a fixed
	symbols []string
	items   *avroType   // of an array or a map
	parts   []*avroType // fields, or members of a union
	names   []string    // of fields
	null    int         // member of a union that is null, -1 if none is
}

// maxAvroDepth bounds how deep values are nested, which schemas that refer to themselves leave open.
const maxAvroDepth = 64

// parseAvroSchema returns the record that a schema is.
func parseAvroSchema(text []byte) (*avroType, error) {
	var parsed any
	if err := json.Unmarshal(text, &parsed); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	p := avroParser{named: make(map[string]*avroType)}
	t, err := p.parse(parsed, "", 0)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if t.kind != avroRecord {
		return nil, errors.New("schema: rows must be records")
	}
	return t, nil
}

type avroParser struct{ named map[string]*avroType }

var avroPlain = map[string]avroType{
	"null": {kind: avroNull}, "boolean": {kind: avroBoolean, column: batch.Boolean}, "int": {kind: avroInt, column: batch.Int},
	"long": {kind: avroInt, column: batch.BigInt}, "float": {kind: avroFloat, column: batch.Float}, "double": {kind: avroDouble, column: batch.Double},
	"bytes": {kind: avroBytes, column: batch.Binary}, "string": {kind: avroBytes, column: batch.Text},
}

func (p *avroParser) parse(s any, namespace string, depth int) (*avroType, error) {
	if depth > maxAvroDepth {
		return nil, errors.New("its types are nested too deep")
	}
	switch s := s.(type) {
	case string:
		if t, ok := avroPlain[s]; ok {
			t.text = s
			return &t, nil
		}
		for _, name := range []string{s, namespace + "." + s} {
			if t := p.named[name]; t != nil {
				return t, nil
			}
		}
		return nil, fmt.Errorf("type %q is unknown", s)
	case []any:
		return p.union(s, namespace, depth)
	case map[string]any:
		return p.complex(s, namespace, depth)
	}
	return nil, fmt.Errorf("want a type, got %v", s)
}

func (p *avroParser) union(members []any, namespace string, depth int) (*avroType, error) {
	u := &avroType{kind: avroUnion, null: -1, text: "union"}
	var column arrow.DataType
	others := 0
	for i, m := range members {
		t, err := p.parse(m, namespace, depth+1)
		if err != nil {
			return nil, err
		}
		u.parts = append(u.parts, t)
		if t.kind == avroNull {
			u.null = i
			continue
		}
		others++
		column = t.column
	}
	if others == 1 { // of one type and null: a column of that type
		u.column = column
	}
	return u, nil
}

func (p *avroParser) complex(s map[string]any, namespace string, depth int) (t *avroType, err error) {
	kind, ok := s["type"].(string)
	if !ok {
		return p.parse(s["type"], namespace, depth+1)
	}
	name, _ := s["name"].(string)
	if ns, ok := s["namespace"].(string); ok {
		namespace = ns
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		namespace, name = name[:i], name[i+1:]
	}
	define := func(t *avroType) *avroType {
		t.text = kind
		p.named[name], p.named[namespace+"."+name] = t, t
		return t
	}
	switch kind {
	case "record", "error":
		return p.record(define(&avroType{kind: avroRecord}), s, namespace, depth)
	case "enum":
		t = define(&avroType{kind: avroInt, column: batch.Text})
		symbols, _ := s["symbols"].([]any)
		for _, v := range symbols {
			text, _ := v.(string)
			t.symbols = append(t.symbols, text)
		}
	case "fixed":
		size, _ := s["size"].(float64)
		if size < 0 || size > maxGuarded {
			return nil, fmt.Errorf("a fixed of %v bytes", size)
		}
		t = define(&avroType{kind: avroFixed, column: batch.Binary, size: int(size)})
	case "array", "map":
		t = &avroType{kind: avroArray, text: kind}
		inner := s["items"]
		if kind == "map" {
			t.kind, inner = avroMap, s["values"]
		}
		if t.items, err = p.parse(inner, namespace, depth+1); err == nil && kind == "array" && t.items.column != nil {
			t.column = arrow.ListOf(t.items.column)
		}
		return t, err
	default:
		t, err = p.parse(kind, namespace, depth+1)
		if err != nil {
			return nil, err
		}
		plain := *t
		t = &plain
	}
	t.setLogical(s)
	return t, nil
}

func (p *avroParser) record(t *avroType, s map[string]any, namespace string, depth int) (*avroType, error) {
	fields, _ := s["fields"].([]any)
	var columns []arrow.Field
	for _, f := range fields {
		field, _ := f.(map[string]any)
		name, _ := field["name"].(string)
		part, err := p.parse(field["type"], namespace, depth+1)
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", name, err)
		}
		t.names, t.parts = append(t.names, name), append(t.parts, part)
		if part.column != nil {
			columns = append(columns, arrow.Field{Name: name, Type: part.column, Nullable: true})
		}
	}
	if len(columns) == len(t.parts) && len(columns) > 0 { // one that holds itself has no column there yet
		t.column = arrow.StructOf(columns...)
	}
	return t, nil
}

// setLogical takes in what the type means beyond its bytes.
func (t *avroType) setLogical(s map[string]any) {
	logical, _ := s["logicalType"].(string)
	precision, _ := s["precision"].(float64)
	scale, _ := s["scale"].(float64)
	switch {
	case logical == "":
	case logical == "date" && t.kind == avroInt:
		t.column = batch.Date
	case strings.HasSuffix(logical, "timestamp-millis") && t.kind == avroInt:
		t.column, t.scale = batch.Timestamp, 1000
	case strings.HasSuffix(logical, "timestamp-micros") && t.kind == avroInt:
		t.column, t.scale = batch.Timestamp, 1
	case strings.HasSuffix(logical, "timestamp-nanos") && t.kind == avroInt:
		t.column, t.scale = batch.Timestamp, -1000
	case logical == "decimal" && (t.kind == avroBytes || t.kind == avroFixed) &&
		precision >= 1 && precision <= decimal.MaxPrecision && scale >= 0 && scale <= precision:
		t.column = batch.Decimal(int32(precision), int32(scale))
	}
}
