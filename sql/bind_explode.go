package sql

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// isExplode says whether fn makes rows of the elements of a list.
func isExplode(fn string) bool {
	switch strings.TrimSuffix(fn, "_outer") {
	case "explode", "posexplode", "inline":
		return true
	}
	return false
}

// explode adds the node for an item that is explode(list) or another function that makes rows, whose columns are then the last ones.
// index is that of the item, -1 if there is none.
func (b *binder) explode(s *selectClause, in *relation) (out *relation, index int) {
	index = -1
	for i, it := range s.items {
		if c, ok := it.expr.(*call); ok && isExplode(c.fn) {
			if index >= 0 {
				b.fault(it.at, "a SELECT list has one explode(…) at most: explode the other in a query around it")
				return nil, -1
			}
			index = i
		}
	}
	if index < 0 {
		return in, -1
	}
	it := s.items[index]
	c := it.expr.(*call)
	if len(c.args) != 1 {
		b.fault(it.at, "%s takes one list, got %d arguments", c.fn, len(c.args))
		return nil, -1
	}
	list := b.overRelation(in, c.fn).bind(c.args[0])
	if list == nil {
		return nil, -1
	}
	spec := &operators.ExplodeSpec{List: list, Outer: strings.HasSuffix(c.fn, "_outer")}
	made := b.explodedFields(it, c.fn, spec)
	if made == nil {
		return nil, -1
	}
	for i := range in.columns {
		spec.Keep = append(spec.Keep, i)
	}
	fields := slices.Concat(b.schema(in).Fields(), made)
	exploded := *in
	exploded.node = b.node("", spec, arrow.NewSchema(fields, nil), in.node)
	exploded.columns = append(slices.Clone(in.columns), make([]column, len(made))...)
	exploded.keys = nil // many rows have the keys of one
	return &exploded, index
}

// explodedFields returns the columns that fn makes, under Spark's names or those of the item, nil after a fault.
func (b *binder) explodedFields(it item, fn string, spec *operators.ExplodeSpec) (made []arrow.Field) {
	fn = strings.TrimSuffix(fn, "_outer")
	add := func(name string, t arrow.DataType) {
		made = append(made, arrow.Field{Name: name, Type: t, Nullable: true})
	}
	if fn == "posexplode" {
		spec.Place = "pos"
		add(spec.Place, expr.PlaceType)
	}
	addParts := func(t *arrow.StructType) {
		spec.Parts = []string{}
		for _, f := range t.Fields() {
			spec.Parts = append(spec.Parts, f.Name)
			add(f.Name, f.Type)
		}
	}
	switch t := spec.List.Type.(type) {
	case *arrow.ListType:
		s, isStruct := t.Elem().(*arrow.StructType)
		if fn == "inline" {
			if !isStruct {
				b.fault(it.at, "inline takes an ARRAY of STRUCT, got %s", typeName(t))
				return nil
			}
			addParts(s)
			break
		}
		spec.Name = "col" // as in Spark
		add(spec.Name, t.Elem())
	case *arrow.MapType:
		if fn == "inline" {
			b.fault(it.at, "inline takes an ARRAY of STRUCT, got %s: explode gives key and value", typeName(t))
			return nil
		}
		addParts(t.Elem().(*arrow.StructType))
	default:
		b.fault(it.at, "%s takes an ARRAY, such as split(…) gives, or a MAP, got %s", fn, batch.TypeName(t))
		return nil
	}
	if it.alias == "" {
		return made
	}
	names := append([]string{it.alias}, it.aliases...)
	if len(names) != len(made) {
		b.fault(it.at, "%s makes %d columns, AS names %d: write AS (a, b) for several", fn, len(made), len(names))
		return nil
	}
	for i := range made {
		made[i].Name = names[i]
	}
	if spec.Place != "" {
		spec.Place, names = names[0], names[1:]
	}
	if spec.Parts != nil {
		spec.Parts = names
	} else {
		spec.Name = names[0]
	}
	return made
}
