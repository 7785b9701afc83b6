package sql

import (
	"slices"
	"strings"
)

// laterals explodes the rows of in, one LATERAL VIEW after the other, each over the columns of all before it.
func (b *binder) laterals(s *selectClause, in *relation) *relation {
	for i := range s.laterals {
		if in = b.lateral(&s.laterals[i], in); in == nil {
			return nil
		}
	}
	return in
}

func (b *binder) lateral(l *lateralView, in *relation) *relation {
	c := *l.call
	if l.isOuter && !strings.HasSuffix(c.fn, "_outer") {
		c.fn += "_outer"
	}
	it := item{at: l.at, expr: &c}
	if len(l.columns) > 0 {
		it.alias = l.columns[0].text
	}
	before := len(b.faults.list)
	out, index := b.explode(&selectClause{at: l.at, items: []item{it}}, in)
	if out == nil {
		return nil
	}
	if index < 0 {
		if len(b.faults.list) == before {
			b.fault(l.at, "LATERAL takes a function that makes rows, such as explode(x): got %s", textOf(&c))
		}
		return nil
	}
	first, schema := len(in.columns), b.schema(out)
	added := len(out.columns) - first
	if len(l.columns) > 0 && len(l.columns) != added {
		b.fault(l.at, "LATERAL: %s gives %d columns, %d are named", textOf(&c), added, len(l.columns))
		return nil
	}
	named := *out
	named.columns = slices.Clone(out.columns)
	for i := range added {
		name := schema.Field(first + i).Name
		if len(l.columns) > 0 {
			name = l.columns[i].text
		}
		named.columns[first+i] = column{name: name, qualifier: l.table}
	}
	return &named
}
