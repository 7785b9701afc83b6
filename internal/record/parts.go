package record

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

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

// Types returns the types of the columns.
func (c *Codec[T]) Types() []arrow.DataType {
	types := make([]arrow.DataType, len(c.leaves))
	for i, l := range c.leaves {
		types[i] = l.dtype
	}
	return types
}

// TakesNull says whether a column may have NULLs.
func (c *Codec[T]) TakesNull() bool {
	return slices.ContainsFunc(c.leaves, func(l leaf) bool { return l.isOptional })
}

// ColumnType returns the type of one column that holds a T: that of a value, or a STRUCT.
func (c *Codec[T]) ColumnType() arrow.DataType {
	if c.isValue {
		return c.leaves[0].dtype
	}
	return arrow.StructOf(c.schema.Fields()...)
}

// WriteColumn makes a column of type ColumnType hold the values and nothing else.
func (c *Codec[T]) WriteColumn(column *batch.Column, values []T) {
	if c.isValue {
		c.WriteColumns([]*batch.Column{column}, values)
		return
	}
	column.Reset(len(values))
	columns := make([]*batch.Column, len(c.leaves))
	for i := range columns {
		columns[i] = column.Field(i)
	}
	c.WriteColumns(columns, values)
}
