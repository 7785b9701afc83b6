package expr

import (
	"context"

	"github.com/tidemill/tidemill/batch"
)

// Functions of maps that take a lambda function.

func runTransformValues(ctx context.Context, c *higherCall, in *batch.Batch) error {
	if err := c.fn.eval(ctx, c.batch(in)); err != nil {
		return err
	}
	keys, _ := entriesOf(c.elements.arr)
	c.appendElements(c.out.Child().Field(0), keys)
	c.appendElements(c.out.Child().Field(1), c.fn.body.arr)
	c.endEntries()
	return nil
}

// endEntries ends the entries whose fields were appended, and the rows.
func (c *higherCall) endEntries() {
	entries := c.out.Child()
	for entries.Len() < entries.Field(0).Len() {
		entries.AppendStruct()
	}
	c.endRows()
}

func runTransformKeys(ctx context.Context, c *higherCall, in *batch.Batch) error {
	if err := c.fn.eval(ctx, c.batch(in)); err != nil {
		return err
	}
	_, values := entriesOf(c.elements.arr)
	list, entries, body := &c.args[0], c.out.Child(), &c.fn.body
	for _, i := range c.rows {
		row := entries.Len()
		from, to := list.span(i)
		for j := from - c.elements.first; j < to-c.elements.first; j++ {
			if !c.appendKey(body, j, i) {
				break
			}
			entries.Field(1).AppendRow(values, int(j))
			entries.AppendStruct()
		}
		c.endMap(i, row)
	}
	c.checkKeys(&operand{env: c.fn.env})
	return nil
}
