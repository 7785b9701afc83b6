// Package record turns rows of Arrow columns into values of Go structs, and back. Reflection is used once per type; rows are
// moved a column at a time, by the offset of its field.
package record

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// Optional is a value that may be missing: NULL where it is a column.
type Optional[V any] struct {
	Value V
	Valid bool
}

// Some returns a value that is there.
func Some[V any](v V) Optional[V] { return Optional[V]{Value: v, Valid: true} }

func (Optional[V]) isOptional() {}

// leaf is a column: a field that has no fields of its own.
type leaf struct {
	name   string
	dtype  arrow.DataType
	offset uintptr
	kind   kind
	// valid is the offset of the bool that says whether the column has a value; only set if isOptional.
	valid      uintptr
	isOptional bool
	isTime     bool // marked by the option event
}

// kind is how a leaf lies in memory.
type kind uint8

const (
	intKind kind = iota // int64, or int where that has 64 bits
	floatKind
	boolKind
	stringKind
	timeKind
)

// Codec knows the columns of T. It is immutable and safe for concurrent use.
//
// A field is a column of its name in snake_case, or of the name in its tag `tidemill:"name"`; "-" leaves it out. int64, int and
// types made of them are BIGINT, float64 DOUBLE, string TEXT, bool BOOLEAN, time.Time TIMESTAMP. The fields of a struct in a
// struct are columns behind its name and _, those of an embedded one have no prefix. A field that is no Optional can't be NULL.
// A T that is no struct is one column, value.
type Codec[T any] struct {
	leaves []leaf
	size   uintptr
	schema *arrow.Schema
	// isValue says that T is no struct, or an Optional of one that is none.
	isValue bool
}

// For returns the codec of T. Its error has all fields that can't be columns; the codec then has no columns.
func For[T any]() (*Codec[T], error) {
	t := reflect.TypeFor[T]()
	c := &Codec[T]{size: t.Size()}
	b := &layout{}
	if k, dtype, ok := kindOf(t); ok {
		c.isValue = true
		b.leaves = []leaf{{name: "value", dtype: dtype, kind: k}}
	} else {
		b.add(t, "", 0, "value")
		c.isValue = isOptional(t) && len(b.leaves) == 1
	}
	taken := make(map[string]bool)
	for _, l := range b.leaves {
		if taken[strings.ToLower(l.name)] {
			b.fault("", "has two columns %q", l.name)
		}
		taken[strings.ToLower(l.name)] = true
	}
	if len(b.leaves) == 0 && b.errs == nil {
		b.fault("", "has no field that is a column")
	}
	if b.errs != nil {
		return &Codec[T]{schema: arrow.NewSchema(nil, nil)}, fmt.Errorf("type %s %w", t, errors.Join(b.errs...))
	}
	c.leaves = b.leaves
	fields := make([]arrow.Field, len(c.leaves))
	for i, l := range c.leaves {
		fields[i] = arrow.Field{Name: l.name, Type: l.dtype, Nullable: true}
	}
	c.schema = arrow.NewSchema(fields, nil)
	return c, nil
}

// layout collects the columns of a type.
type layout struct {
	leaves []leaf
	errs   []error
}

func (b *layout) fault(path, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if path != "" {
		err = fmt.Errorf("field %s: %w", path, err)
	}
	b.errs = append(b.errs, err)
}

// add adds the columns of a value of type t at an offset. name is its column, or what those of its fields begin with.
func (b *layout) add(t reflect.Type, path string, offset uintptr, name string) {
	if k, dtype, ok := kindOf(t); ok {
		b.leaves = append(b.leaves, leaf{name: name, dtype: dtype, offset: offset, kind: k})
		return
	}
	if isOptional(t) {
		b.addOptional(t, path, offset, name)
		return
	}
	if t.Kind() != reflect.Struct {
		b.fault(path, "%s can't be a column: there are int64, int, float64, string, bool, time.Time, Optional of these, and structs of these", t)
		return
	}
	prefix := name + "_"
	if path == "" {
		prefix = ""
	}
	b.addFields(t, path, offset, prefix)
}

func (b *layout) addFields(t reflect.Type, path string, offset uintptr, prefix string) {
	for f := range t.Fields() {
		tag, options, _ := strings.Cut(f.Tag.Get("tidemill"), ",")
		if tag == "-" {
			continue
		}
		inner := strings.TrimPrefix(path+"."+f.Name, ".")
		switch {
		case f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]():
			b.addFields(f.Type, inner, offset+f.Offset, prefix)
			continue
		case !f.IsExported():
			b.fault(inner, "it is not exported: export it, or leave it out by the tag `tidemill:\"-\"`")
			continue
		case tag == "":
			tag = snakeCase(f.Name)
		}
		first := len(b.leaves)
		b.add(f.Type, inner, offset+f.Offset, prefix+tag)
		switch {
		case options == "":
		case options != "event":
			b.fault(inner, "unknown option %q of the tag: there is event", options)
		case len(b.leaves) != first+1 || b.leaves[first].kind != timeKind:
			b.fault(inner, "the option event is for time.Time")
		default:
			b.leaves[first].isTime = true
		}
	}
}

func isOptional(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[interface{ isOptional() }]()) && t.Kind() == reflect.Struct && strings.HasPrefix(t.Name(), "Optional[")
}

// addOptional adds one column that may be NULL, or, for a struct, a BOOLEAN that says whether it is there, and its columns.
func (b *layout) addOptional(t reflect.Type, path string, offset uintptr, name string) {
	value, valid := t.Field(0), offset+t.Field(1).Offset
	if k, dtype, ok := kindOf(value.Type); ok {
		b.leaves = append(b.leaves, leaf{name: name, dtype: dtype, offset: offset, kind: k, valid: valid, isOptional: true})
		return
	}
	b.leaves = append(b.leaves, leaf{name: name + "_valid", dtype: batch.Boolean, offset: valid, kind: boolKind})
	if path == "" {
		path = value.Name
	}
	b.add(value.Type, path, offset, name)
}

func kindOf(t reflect.Type) (kind, arrow.DataType, bool) {
	if t == reflect.TypeFor[time.Time]() {
		return timeKind, batch.Timestamp, true
	}
	switch t.Kind() {
	case reflect.Int64:
		return intKind, batch.BigInt, true
	case reflect.Int:
		return intKind, batch.BigInt, t.Size() == 8
	case reflect.Float64:
		return floatKind, batch.Double, true
	case reflect.Bool:
		return boolKind, batch.Boolean, true
	case reflect.String:
		return stringKind, batch.Text, true
	default:
		return 0, nil, false
	}
}

// snakeCase returns a Go name as one of SQL: UserID is user_id.
func snakeCase(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		startsWord := unicode.IsUpper(r) && i > 0 &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if startsWord && runes[i-1] != '_' {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// ValueBytes returns the size of a T, without what it refers to.
func (c *Codec[T]) ValueBytes() int64 { return int64(c.size) }

// Schema returns the columns, in order of the fields.
func (c *Codec[T]) Schema() *arrow.Schema { return c.schema }

// IsValue says that T is no struct, or an Optional of one that is none, so that its one column may have any name.
func (c *Codec[T]) IsValue() bool { return c.isValue }

// SchemaMarked returns the columns, where those with the tag's option event have metadata key=value.
func (c *Codec[T]) SchemaMarked(key, value string) *arrow.Schema {
	fields := c.schema.Fields()
	for i, l := range c.leaves {
		if l.isTime {
			fields[i].Metadata = arrow.MetadataFrom(map[string]string{key: value})
		}
	}
	return arrow.NewSchema(fields, nil)
}

// Check returns an error unless rows of a schema can be read as T: it has the same columns in the same order. The column of a T
// that is no struct may have any name.
func (c *Codec[T]) Check(in *arrow.Schema) error {
	t := reflect.TypeFor[T]()
	if in.NumFields() != len(c.leaves) {
		return fmt.Errorf("%s has %d columns, the rows have %d", t, len(c.leaves), in.NumFields())
	}
	var errs []error
	for i, l := range c.leaves {
		f := in.Field(i)
		switch {
		case !c.isValue && !strings.EqualFold(f.Name, l.name):
			errs = append(errs, fmt.Errorf("column %d is %q, that of %s is %q", i+1, f.Name, t, l.name))
		case batch.TypeName(f.Type) != batch.TypeName(l.dtype):
			errs = append(errs, fmt.Errorf("column %q is %s, that of %s is %s", f.Name, batch.TypeName(f.Type), t, batch.TypeName(l.dtype)))
		}
	}
	return errors.Join(errs...)
}
