package operators

import "strings"

// compareKinds compares the state of operators that are no aggregates: they must be of one kind and do the same, with the same
// keys. Columns other than keys are found by name.
func (c *StateChange) compareKinds(was, is *meaning) {
	switch {
	case was.Kind != is.Kind:
		c.refuse("it was kept by %s, this job has %s of that name", kindText(was.Kind), kindText(is.Kind))
		return
	case is.Kind == codeKind:
		c.compareCode(was, is)
		return
	case was.Detail != is.Detail:
		c.refuse("it was kept %s, this job keeps it %s", detailText(was.Detail), detailText(is.Detail))
		return
	}
	c.compareKeys(was.Keys, is.Keys)
	for _, f := range c.want.Schema.Fields() {
		if !strings.HasPrefix(f.Name, keyPrefix) {
			c.columns = append(c.columns, c.copyOf(f.Name))
		}
	}
	if c.Fate != Refused {
		c.check()
	}
}

// keyPrefix begins the names of the columns that keys are kept in.
const keyPrefix = "key."

func kindText(kind string) string {
	if kind == "" {
		return "an aggregate"
	}
	return "a " + kind
}

func detailText(detail string) string {
	if detail == "" {
		return "for ever"
	}
	return detail
}
