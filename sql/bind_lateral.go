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
		for _, c := range l.columns[1:] {
			it.aliases = append(it.aliases, c.text)
		}
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
	named := *out
	named.columns = slices.Clone(out.columns)
	for i := first; i < len(out.columns); i++ {
		named.columns[i] = column{name: schema.Field(i).Name, qualifier: l.table}
	}
	return &named
}
