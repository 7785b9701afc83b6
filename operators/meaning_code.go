package operators

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// codeKind is the kind of state that the user's code keeps in types of its own.
const codeKind = "code"

// MeaningOfCode returns the Meaning of a table of values of the user's own types, what of is a noun: "a value per key". Such state is
// compared by its columns: a column that may be NULL can be added, one can be dropped, and BIGINT can become DOUBLE, except in keys.
func MeaningOfCode(of string) string { return (&meaning{Kind: codeKind, Detail: of}).encode() }

// compareCode compares the columns of state that the user's code keeps.
func (c *StateChange) compareCode(was, is *meaning) {
	if was.Detail != is.Detail {
		c.refuse("it was %s, is %s", was.Detail, is.Detail)
		return
	}
	for i, f := range c.want.Schema.Fields() {
		at := c.have.Schema.FieldIndices(f.Name)
		switch {
		case len(at) == 0:
			c.addColumn(i, f)
		default:
			c.compareColumn(i, at[0], f)
		}
	}
	for i, f := range c.have.Schema.Fields() {
		switch {
		case len(c.want.Schema.FieldIndices(f.Name)) > 0:
		case slices.Contains(c.have.Keys, i):
			c.refuse("key column %s is gone: keys that were apart would become one", f.Name)
		default:
			c.note(Migrated, "column %s is dropped", f.Name)
		}
	}
}

func (c *StateChange) addColumn(i int, f arrow.Field) {
	switch {
	case slices.Contains(c.want.Keys, i):
		c.refuse("key column %s is new: of what is stored it is not known", f.Name)
	case !f.Nullable:
		c.refuse("column %s is new, and can't be NULL: make its field an Optional", f.Name)
	default:
		c.note(Migrated, "column %s is new: it is NULL in what is stored", f.Name)
		c.columns = append(c.columns, columnSource{kind: nullColumn})
	}
}

func (c *StateChange) compareColumn(i, at int, want arrow.Field) {
	have := c.have.Schema.Field(at)
	source := columnSource{kind: copyColumn, from: [2]int{at}}
	isKey := slices.Contains(c.want.Keys, i)
	was, is := batch.TypeName(have.Type), batch.TypeName(want.Type)
	switch {
	case isKey != slices.Contains(c.have.Keys, at) || isKey && was != is:
		c.refuse("key column %s was %s, is %s: keys that were apart could become one", want.Name, was, is)
	case was == "BIGINT" && is == "DOUBLE":
		c.note(Migrated, "column %s is widened from BIGINT to DOUBLE", want.Name)
		source.kind = intToDouble
	case was != is:
		c.refuse("column %s was %s, is %s", want.Name, was, is)
	case have.Nullable && !want.Nullable:
		c.refuse("column %s may be NULL in what is stored: leave its field an Optional", want.Name)
	}
	c.columns = append(c.columns, source)
}
