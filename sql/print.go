package sql

import (
	"strconv"
	"strings"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
	"github.com/tidemill/tidemill/operators/expr"
)

// printer writes SQL text from which the same tree is parsed: operators are in brackets, names in back quotes where they are
// keywords or hold anything but letters, digits and underscores.
type printer struct{ strings.Builder }

// String returns the script as SQL text in one fixed form; parsing it gives an equal script.
func (s *Script) String() string {
	var b printer
	for _, st := range s.statements {
		st.print(&b)
		b.add(";\n")
	}
	return b.String()
}

func textOf(n node) string {
	var b printer
	n.print(&b)
	return b.String()
}

func (b *printer) add(parts ...string) {
	for _, s := range parts {
		b.WriteString(s)
	}
}

func (b *printer) name(s string) { b.add(quoteName(s)) }

func quoteName(s string) string {
	if t := lex(s); len(t) == 2 && t[0].kind == word && t[0].text == s && !isKeyword[t[0].upper] {
		return s
	}
	return "`" + strings.ReplaceAll(s, "`", "``") + "`"
}

func (b *printer) text(s string) {
	s = strings.ReplaceAll(s, `\`, `\\`)
	b.add("'", strings.ReplaceAll(s, "'", `\'`), "'")
}

// list calls each for 0 to n-1 with commas between.
func (b *printer) list(n int, each func(i int)) {
	for i := range n {
		if i > 0 {
			b.add(", ")
		}
		each(i)
	}
}

func (s *createSource) print(b *printer) {
	b.add("CREATE SOURCE ")
	b.name(s.name.text)
	parts := len(s.columns)
	if s.watermark != nil {
		parts++
	}
	if parts > 0 {
		b.add(" (")
		b.list(parts, func(i int) {
			if i == len(s.columns) {
				b.add("WATERMARK FOR ")
				b.name(s.watermark.column.text)
				b.add(" AS ")
				s.watermark.value.print(b)
				return
			}
			c := &s.columns[i]
			b.name(c.name.text)
			if c.computed != nil {
				b.add(" AS ")
				c.computed.print(b)
			} else {
				b.add(" ", batch.TypeName(c.typ))
			}
		})
		b.add(")")
	}
	b.add(" FROM ")
	s.ends.print(b)
}

func (e *ends) print(b *printer) {
	b.text(e.uri)
	if e.format.text != "" {
		b.add(" FORMAT ")
		b.name(e.format.text)
	}
	if len(e.options) > 0 {
		b.add(" WITH (")
		b.list(len(e.options), func(i int) {
			b.text(e.options[i].key.text)
			b.add(" = ")
			b.text(e.options[i].value)
		})
		b.add(")")
	}
}

func (s *createView) print(b *printer) {
	b.add("CREATE VIEW ")
	b.name(s.name.text)
	b.add(" AS ")
	s.query.print(b)
}

func (s *createSink) print(b *printer) {
	b.add("CREATE SINK ")
	b.name(s.name.text)
	b.add(" INTO ")
	s.ends.print(b)
	b.add(" AS ")
	s.query.print(b)
}

func (s *bareQuery) print(b *printer) { s.query.print(b) }

func (q *query) print(b *printer) {
	if len(q.with) > 0 {
		b.add("WITH ")
		b.list(len(q.with), func(i int) {
			b.name(q.with[i].name.text)
			b.add(" AS ")
			q.with[i].query.printInBrackets(b)
		})
		b.add(" ")
	}
	for i, t := range q.terms {
		if i > 0 {
			b.add(" UNION ALL ")
		}
		printTerm(b, t)
	}
	if len(q.orderBy) > 0 {
		b.add(" ORDER BY ")
		b.list(len(q.orderBy), func(i int) { q.orderBy[i].print(b) })
	}
	if q.limit >= 0 {
		b.add(" LIMIT ", strconv.FormatInt(q.limit, 10))
	}
}

func (q *query) printInBrackets(b *printer) {
	b.add("(")
	q.print(b)
	b.add(")")
}

func (s *selectClause) print(b *printer) {
	b.add("SELECT ")
	if s.distinct != nil {
		s.distinct.print(b)
	}
	b.list(len(s.items), func(i int) { s.items[i].print(b) })
	b.add(" FROM ")
	s.from.print(b)
	for i := range s.joins {
		s.joins[i].print(b)
	}
	for i := range s.laterals {
		s.laterals[i].print(b)
	}
	if s.where != nil {
		b.add(" WHERE ")
		s.where.print(b)
	}
	if len(s.groupBy) > 0 {
		b.add(" GROUP BY ")
		s.printGroupBy(b)
	}
	if s.having != nil {
		b.add(" HAVING ")
		s.having.print(b)
	}
	if len(s.windows) > 0 {
		b.add(" WINDOW ")
		b.list(len(s.windows), func(i int) {
			b.name(s.windows[i].name.text)
			b.add(" AS ")
			s.windows[i].over.print(b)
		})
	}
}

func (it *item) print(b *printer) {
	if it.expr == nil {
		if it.qualifier != "" {
			b.name(it.qualifier)
			b.add(".")
		}
		b.add("*")
		return
	}
	it.expr.print(b)
	switch {
	case it.aliases != nil:
		b.add(" AS (")
		b.name(it.alias)
		for _, a := range it.aliases {
			b.add(", ")
			b.name(a)
		}
		b.add(")")
	case it.alias != "":
		b.add(" AS ")
		b.name(it.alias)
	}
}

func (n *name) print(b *printer) {
	for i, p := range n.parts {
		if i > 0 {
			b.add(".")
		}
		b.name(p)
	}
}

func (n *literal) print(b *printer) {
	switch v := n.value.(type) {
	case nil:
		b.add("NULL")
	case bool:
		b.add(asciiUpper(strconv.FormatBool(v)))
	case int32:
		b.add(strconv.FormatInt(int64(v), 10))
	case int64:
		s := strconv.FormatInt(v, 10)
		if v == int64(int32(v)) {
			s += "L"
		}
		b.add(s)
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.Contains(s, "e") {
			s += "D"
		}
		b.add(s)
	case expr.Decimal:
		s := string(decimal.Append(nil, v.Value, v.Scale))
		if v.Scale == 0 {
			s += "BD"
		}
		b.add(s)
	case *expr.Spec:
		b.add(v.String(), numberSuffixes[v.Type])
	case string:
		b.text(v)
	case batch.Time:
		b.add("TIMESTAMP '", v.String(), "'")
	case time.Duration:
		b.add("INTERVAL '", formatInterval(v), "'")
	}
}

func (n *call) print(b *printer) {
	if op, ok := binaryOperators[n.fn]; ok && len(n.args) == 2 {
		b.add("(")
		n.args[0].print(b)
		b.add(" ", op.text, " ")
		n.args[1].print(b)
		b.add(")")
		return
	}
	switch n.fn {
	case "-": // of one argument
		b.add("(- ")
		n.args[0].print(b)
		b.add(")")
	case "not":
		if inner, ok := n.args[0].(*call); ok && inner.printPredicate(b, "NOT ") {
			return
		}
		b.add("(NOT ")
		n.args[0].print(b)
		b.add(")")
	case "is null", "is true", "is false", "between", "in", "like":
		n.printPredicate(b, "")
	case "[]":
		n.args[0].print(b)
		b.add("[")
		n.args[1].print(b)
		b.add("]")
	default:
		b.add(n.fn, "(")
		if n.distinct {
			b.add("DISTINCT ")
		}
		if n.star {
			b.add("*")
		}
		b.list(len(n.args), func(i int) { n.args[i].print(b) })
		b.add(")")
	}
	n.printParts(b)
	if n.over != nil {
		b.add(" OVER ")
		n.over.print(b)
	}
}

// printPredicate writes IS …, IN, LIKE and BETWEEN, with NOT where that belongs, and nothing for other calls.
func (n *call) printPredicate(b *printer, not string) bool {
	switch n.fn {
	case "is null", "is true", "is false", "between", "in", "like":
	default:
		return false
	}
	b.add("(")
	n.args[0].print(b)
	switch n.fn {
	case "between":
		b.add(" ", not, "BETWEEN ")
		n.args[1].print(b)
		b.add(" AND ")
		n.args[2].print(b)
	case "in":
		b.add(" ", not, "IN (")
		b.list(len(n.args)-1, func(i int) { n.args[i+1].print(b) })
		b.add(")")
	case "like":
		b.add(" ", not, "LIKE ")
		n.args[1].print(b)
	default:
		b.add(" IS ", not, asciiUpper(n.fn[len("is "):]))
	}
	b.add(")")
	return true
}

func (n *caseOf) print(b *printer) {
	b.add("CASE")
	if n.operand != nil {
		b.add(" ")
		n.operand.print(b)
	}
	for _, w := range n.whens {
		b.add(" WHEN ")
		w.condition.print(b)
		b.add(" THEN ")
		w.result.print(b)
	}
	if n.otherwise != nil {
		b.add(" ELSE ")
		n.otherwise.print(b)
	}
	b.add(" END")
}

func (n *cast) print(b *printer) {
	b.add(map[bool]string{false: "CAST(", true: "TRY_CAST("}[n.try])
	n.arg.print(b)
	b.add(" AS ", batch.TypeName(n.typ), ")")
}

func (n *field) print(b *printer) {
	n.of.print(b)
	b.add(".")
	b.name(n.name)
}
