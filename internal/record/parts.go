package record

import "github.com/apache/arrow-go/v18/arrow"

// Fields returns the columns as part of a wider table: value becomes prefix, other names follow it and _. Those of an Optional may be
// NULL, others may not.
func (c *Codec[T]) Fields(prefix string) []arrow.Field {
	fields := make([]arrow.Field, len(c.leaves))
	for i, l := range c.leaves {
		name := prefix
		if !c.isValue {
			name += "_" + l.name
		}
		fields[i] = arrow.Field{Name: name, Type: l.dtype, Nullable: l.isOptional}
	}
	return fields
}
