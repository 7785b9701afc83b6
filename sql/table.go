package sql

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// createTable is rows that streams are joined with.
type createTable struct {
	name    ident
	columns []columnDef
	ends
}

// createTable parses what follows CREATE TABLE.
func (p *parser) createTable() statement {
	s := &createTable{name: p.created()}
	if !p.isSign("(") {
		p.unexpected("( and the columns of the table, such as (id BIGINT, name TEXT)")
	}
	p.take()
	for {
		at := p.peek().pos
		if p.isWords("WATERMARK", "FOR") {
			p.fail(at, "a table has no watermark: rows that change with time are a source, joined FOR SYSTEM_TIME AS OF")
		}
		c := p.columnDef()
		if c.computed != nil {
			p.fail(at, "a table has no computed columns: compute them where it is joined")
		}
		s.columns = append(s.columns, c)
		if !p.acceptSign(",") {
			break
		}
	}
	if !p.isSign(")") {
		p.unexpected(", or )")
	}
	p.take()
	if !p.isWords("FROM") {
		p.unexpected("FROM and where the rows are, such as FROM 'file:users.csv': results are written by CREATE SINK")
	}
	p.take()
	s.ends = p.ends("TABLE")
	return s
}

func (s *createTable) print(b *printer) {
	b.add("CREATE TABLE ")
	b.name(s.name.text)
	b.add(" (")
	b.list(len(s.columns), func(i int) {
		b.name(s.columns[i].name.text)
		b.add(" " + typeName(s.columns[i].typ))
	})
	b.add(") FROM ")
	s.ends.print(b)
}

// createTable makes a table known. It is read by the joins with it.
func (b *binder) createTable(st *createTable) {
	if !b.claim(st.name) {
		return
	}
	def := &TableDef{Name: st.name.text, URI: st.uri, Format: st.format.text, Options: st.optionMap(), Pos: st.name.at}
	taken := make(map[string]bool)
	for _, c := range st.columns {
		key := asciiLower(c.name.text)
		if taken[key] {
			b.fault(c.name.at, "column %q is given twice", c.name.text)
		}
		taken[key] = true
		def.Columns = append(def.Columns, arrow.Field{Name: c.name.text, Type: c.typ, Nullable: true})
	}
	b.scope.tables[asciiLower(st.name.text)] = &table{name: st.name, def: def}
}

// tableNamed returns the table of CREATE TABLE that FROM names, nil if it names anything else.
func (sc *scope) tableNamed(ref tableRef) *table {
	if ref.query != nil {
		return nil
	}
	for s := sc; s != nil; s = s.outer {
		if t := s.tables[asciiLower(ref.name.text)]; t != nil {
			if t.def == nil {
				return nil
			}
			return t
		}
	}
	return nil
}

// joinTable binds the join of a stream with a table. used says that where, which may be nil, became part of it.
func (b *binder) joinTable(left *relation, j *joinClause, t *table, where node) (r *relation, used bool) {
	if left == nil || !b.isJoinable(j, left) {
		return nil, false
	}
	switch {
	case j.kind == operators.RightJoin || j.kind == operators.FullJoin:
		b.fault(j.at, "a %s join would give rows of the table %q, which is no stream: JOIN, LEFT JOIN, LEFT SEMI JOIN and LEFT ANTI JOIN can be used",
			j.kind, t.name.text)
		return nil, false
	case j.right.match != nil:
		b.fault(j.right.name.at, "MATCH_RECOGNIZE reads a stream: %q is a table", t.name.text)
		return nil, false
	}
	qualifier := j.right.alias
	if qualifier == "" {
		qualifier = j.right.name.text
	}
	right := &relation{windowEnd: -1}
	for _, f := range t.def.Columns {
		right.columns = append(right.columns, column{name: f.Name, qualifier: qualifier})
	}
	right.node = b.node("", nil, arrow.NewSchema(t.def.Columns, nil)) // it feeds nothing, so that it is left out in the end
	jb := newJoinBinder(b, j, left, right)
	jb.table = t.def
	ok := jb.bindUsing()
	if j.on != nil {
		ok = jb.bindCondition(j.on, "ON") && ok
	}
	if where != nil && j.kind == operators.InnerJoin {
		used = true
		ok = jb.bindCondition(where, "WHERE") && ok
	}
	if !ok || !jb.divideTable() {
		return nil, used
	}
	return jb.relation(""), used
}

// divideTable is divide for a table: each of its columns is equal to a key once at most, and nothing goes below its side.
func (jb *joinBinder) divideTable() bool {
	var ofLeft, rest []*expr.Spec
	goesBelow := jb.spec.Kind == operators.InnerJoin || jb.spec.Kind == operators.SemiJoin
	for _, s := range jb.conjuncts {
		l, r, isKey := jb.key(s)
		isKey = isKey && r.Kind == expr.ColumnKind && !slices.ContainsFunc(jb.spec.RightKeys, func(k *expr.Spec) bool { return k.Column == r.Column })
		switch {
		case isKey:
			jb.spec.LeftKeys, jb.spec.RightKeys = append(jb.spec.LeftKeys, l), append(jb.spec.RightKeys, r)
		case goesBelow && jb.sideOf(s) == leftSide:
			ofLeft = append(ofLeft, s)
		default:
			rest = append(rest, s)
		}
	}
	if len(jb.spec.LeftKeys) == 0 {
		jb.b.fault(jb.j.at, "a join with a table needs a column of it that equals something of the stream, such as ON a.user = %s.%s",
			quoteName(jb.table.Name), quoteName(jb.table.Columns[0].Name))
		return false
	}
	jb.left = jb.below(jb.left, ofLeft)
	jb.spec.Residual = jb.all(rest)
	return true
}

// overTable adds the node that joins with a table, for the columns of r.
func (jb *joinBinder) overTable(r *relation) *relation {
	spec := &operators.TableJoinSpec{
		Kind: jb.spec.Kind, Table: jb.table.Name, Input: jb.b.schema(jb.left), Declared: jb.table.Columns, Keys: jb.spec.LeftKeys,
		Residual: jb.spec.Residual, Output: jb.spec.Output,
	}
	for i := range jb.table.Columns {
		spec.Used = append(spec.Used, i)
	}
	for _, k := range jb.spec.RightKeys {
		spec.TableKeys = append(spec.TableKeys, k.Column)
	}
	if jb.left.windowEnd >= 0 {
		r.windowEnd = slices.Index(spec.Output, jb.left.windowEnd)
	}
	r.node = jb.b.node("", spec, spec.Schema(), jb.left.node)
	jb.b.tables[r.node] = jb.table
	return r
}
