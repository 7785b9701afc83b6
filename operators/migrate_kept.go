package operators

import (
	"strings"

	"github.com/tidemill/tidemill/batch"
)

// compareKept compares tables of rows that are kept for the same purpose: columns may be in another order, or go.
func (c *StateChange) compareKept() {
	var missing []string
	for _, f := range c.want.Schema.Fields() {
		at := c.have.Schema.FieldIndices(f.Name)
		if len(at) == 0 || batch.TypeName(c.have.Schema.Field(at[0]).Type) != batch.TypeName(f.Type) {
			missing = append(missing, f.Name+" "+batch.TypeName(f.Type))
			continue
		}
		c.columns = append(c.columns, columnSource{kind: copyColumn, from: [2]int{at[0]}})
	}
	if len(missing) > 0 {
		c.refuse("rows that are kept lack what this job needs of them: (%s): they have (%s)", strings.Join(missing, ", "), schemaText(c.have.Schema))
		return
	}
	for _, f := range c.have.Schema.Fields() {
		if len(c.want.Schema.FieldIndices(f.Name)) == 0 {
			c.note(Migrated, "column %s is dropped", f.Name)
		}
	}
	if c.Fate == Kept {
		c.note(Migrated, "the columns of the rows that are kept changed their order")
	}
}
