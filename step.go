package tidemill

import (
	"strings"

	"github.com/tidemill/tidemill/sql"
)

// Step adds a table that Go code makes of other tables, and returns its rows; SQL reads it by its name. What it reads must have
// been described before its first use. Functions of Go types need no Step of their own: see As.
func (c *Context) Step(name string, step sql.Step) DStream {
	if c.steps == nil {
		c.steps = make(map[string]*sql.Step)
	}
	if step.State == "" {
		step.State = name
	}
	c.steps[strings.ToLower(name)] = &step
	c.isBound = false
	return c.Table(name)
}
