package expr_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// typesByName has the types of columns of test schemas, "a BIGINT, s TEXT".
var typesByName = map[string]arrow.DataType{
	"BOOLEAN": batch.Boolean, "BIGINT": batch.BigInt, "DOUBLE": batch.Double, "TEXT": batch.Text, "TIMESTAMP": batch.Timestamp,
	"LIST": batch.TextList,
}

func mustSchema(text string) *arrow.Schema {
	var fields []arrow.Field
	for _, column := range strings.Split(text, ", ") {
		name, typ, _ := strings.Cut(column, " ")
		t := typesByName[typ]
		if t == nil {
			var err error
			if t, err = batch.ParseType(typ); err != nil {
				panic(err)
			}
		}
		fields = append(fields, arrow.Field{Name: name, Type: t, Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

// specParser reads expressions such as (+ a 1), (like s "a%"), (cast BIGINT s), (is_null a), where @… is a TIMESTAMP and ~5s an INTERVAL.
type specParser struct {
	schema *arrow.Schema
	rest   string
	params []*expr.Spec // of the lambda functions around what is read
}

// argument reads an argument of a call, which may be a lambda function: (-> x y (+ x y)).
func (p *specParser) argument(name string, args []*expr.Spec) (*expr.Spec, error) {
	rest, isLambda := strings.CutPrefix(strings.TrimLeft(p.rest, " \n\t"), "(-> ")
	if !isLambda {
		return p.spec()
	}
	types, _ := expr.LambdaParams(name, args, len(args))
	outer := p.params
	var params []*expr.Spec
	for rest[0] != '(' {
		var param string
		param, rest, _ = strings.Cut(rest, " ")
		if strings.HasSuffix(param, ")") { // the body is an atom
			rest = param + " " + rest
			break
		}
		if len(params) == len(types) || slices.Contains([]string{"null", "true", "false"}, param) || param[0] <= '9' {
			rest = param + " " + rest
			break
		}
		params = append(params, expr.Param(param, types[len(params)], len(outer)+len(params)))
	}
	p.params, p.rest = append(slices.Clip(outer), params...), rest
	body, err := p.spec()
	p.params = outer
	if err != nil {
		return nil, err
	}
	p.word() // the closing bracket
	return expr.Lambda(body, params...), nil
}

func parseSpec(schema *arrow.Schema, text string) (*expr.Spec, error) {
	p := &specParser{schema: schema, rest: text}
	s, err := p.spec()
	if err == nil && strings.TrimSpace(p.rest) != "" {
		err = fmt.Errorf("text behind the expression: %q", p.rest)
	}
	return s, err
}

func mustSpec(schema *arrow.Schema, text string) *expr.Spec {
	s, err := parseSpec(schema, text)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", text, err))
	}
	return s
}

func (p *specParser) word() string {
	p.rest = strings.TrimLeft(p.rest, " \n\t")
	if p.rest[0] == '(' || p.rest[0] == ')' {
		w := p.rest[:1]
		p.rest = p.rest[1:]
		return w
	}
	if p.rest[0] == '"' {
		w, err := strconv.QuotedPrefix(p.rest)
		if err != nil {
			panic(err)
		}
		p.rest = p.rest[len(w):]
		return w
	}
	n := strings.IndexAny(p.rest, " ()\n")
	if n < 0 {
		n = len(p.rest)
	}
	w := p.rest[:n]
	p.rest = p.rest[n:]
	return w
}

var errEnd = errors.New("end of list")

func (p *specParser) spec() (*expr.Spec, error) {
	w := p.word()
	if w == ")" {
		return nil, errEnd
	}
	if w != "(" {
		return p.atom(w), nil
	}
	name := p.word()
	var target arrow.DataType
	if name == "cast" || name == "try_cast" {
		target = typesByName[p.word()]
	}
	var args []*expr.Spec
	for {
		a, err := p.argument(name, args)
		if err == errEnd {
			break
		}
		if err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	switch name {
	case "cast":
		return expr.Cast(args[0], target)
	case "try_cast":
		return expr.TryCast(args[0], target)
	case "is_null", "is_not_null", "is_true", "is_false":
		name = strings.ReplaceAll(name, "_", " ")
	}
	return expr.Call(name, args...)
}

func (p *specParser) atom(w string) *expr.Spec {
	for _, param := range slices.Backward(p.params) {
		if param.Name == w {
			return param
		}
	}
	if found := p.schema.FieldIndices(w); found != nil {
		return expr.Column(p.schema, found[0])
	}
	switch {
	case w == "null":
		return expr.Literal(nil)
	case w == "true" || w == "false":
		return expr.Literal(w == "true")
	case w[0] == '"':
		text, _ := strconv.Unquote(w)
		return expr.Literal(text)
	case w[0] == '@':
		at, err := time.Parse(time.RFC3339Nano, w[1:])
		if err != nil {
			panic(err)
		}
		return expr.Literal(batch.TimeOf(at))
	case w[0] == '~':
		d, err := time.ParseDuration(w[1:])
		if err != nil {
			panic(err)
		}
		return expr.Literal(d)
	}
	if v, err := strconv.ParseInt(w, 10, 64); err == nil {
		return expr.Literal(v)
	}
	v, err := strconv.ParseFloat(w, 64)
	if err != nil {
		panic("no such column: " + w)
	}
	return expr.Literal(v)
}

// layout makes a batch of the same live rows in another form. release gives its memory back.
type layout struct {
	name string
	make func(pool *batch.Pool, f *batch.Frame) (in batch.Batch, release func())
}

var layouts = []layout{
	{"plain", func(_ *batch.Pool, f *batch.Frame) (batch.Batch, func()) {
		return batch.Batch{Rows: f.Rows()}, func() {}
	}},
	{"dead rows between", withDeadRows},
	{"slices with offset 1", func(p *batch.Pool, f *batch.Frame) (batch.Batch, func()) { return withOffset(p, f, 1) }},
	{"slices with offset 63", func(p *batch.Pool, f *batch.Frame) (batch.Batch, func()) { return withOffset(p, f, 63) }},
	{"dictionaries", withDictionaries},
}

// withDeadRows puts copies of rows between the live ones: if a copy is bad, nobody may be told.
func withDeadRows(pool *batch.Pool, f *batch.Frame) (batch.Batch, func()) {
	n := f.Len()
	wide := batch.NewFrame(pool, f.Schema())
	sel := []int32{}
	rows := f.Rows()
	for i := range n {
		for c, col := range wide.Columns {
			col.AppendRow(rows.Column(c), (i*7+3)%n)
			col.AppendRow(rows.Column(c), i)
		}
		sel = append(sel, int32(2*i+1))
	}
	wide.SetRows(2 * n)
	return batch.Batch{Rows: wide.Rows(), Sel: sel}, wide.Release
}

// withOffset copies the rows behind others into ordinary arrays, without a bitmap where nothing is NULL.
func withOffset(pool *batch.Pool, f *batch.Frame, offset int) (batch.Batch, func()) {
	long := batch.NewFrame(pool, f.Schema())
	defer long.Release()
	rows := f.Rows()
	for i := range offset + f.Len() {
		from := max(0, i-offset)
		for c, col := range long.Columns {
			col.AppendRow(rows.Column(c), from)
		}
	}
	long.SetRows(offset + f.Len())
	exported := batch.Copy(pool, batch.Batch{Rows: long.Rows()})
	view := batch.NewView(f.Schema())
	view.SetRows(f.Len())
	var slicesOf []arrow.Array
	for i, col := range exported.Columns() {
		if col.NullN() == 0 {
			buffers := slices.Clone(col.Data().Buffers())
			buffers[0] = nil
			data := array.NewData(col.DataType(), col.Len(), buffers, col.Data().Children(), 0, 0)
			col = array.MakeFromData(data)
			data.Release()
			defer col.Release()
		}
		s := array.NewSlice(col, int64(offset), int64(col.Len()))
		slicesOf = append(slicesOf, s)
		view.Set(i, s)
	}
	return batch.Batch{Rows: view}, func() {
		for _, s := range slicesOf {
			s.Release()
		}
		exported.Release()
	}
}

// withDictionaries makes dictionaries of TEXT columns: NULL is now a NULL index, now the index of a NULL.
func withDictionaries(pool *batch.Pool, f *batch.Frame) (batch.Batch, func()) {
	view := batch.NewView(f.Schema())
	view.SetRows(f.Len())
	var made []arrow.Array
	for c, col := range f.Rows().Columns() {
		view.Set(c, col)
		text, isText := col.(*array.String)
		if !isText {
			continue
		}
		indices := array.NewInt8Builder(pool)
		values := array.NewStringBuilder(pool)
		values.AppendNull()
		for i := range f.Len() {
			switch {
			case text.IsValid(i):
				indices.Append(int8(values.Len()))
				values.Append(text.Value(i))
			case i%2 == 0:
				indices.AppendNull()
			default:
				indices.Append(0)
			}
		}
		ia, va := indices.NewArray(), values.NewArray()
		indices.Release()
		values.Release()
		d := array.NewDictionaryArray(&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: batch.Text}, ia, va)
		ia.Release()
		va.Release()
		made = append(made, d)
		view.Set(c, d)
	}
	return batch.Batch{Rows: view}, func() {
		for _, d := range made {
			d.Release()
		}
	}
}

// run evaluates spec over rows in all layouts, with one instance, and returns the result of each row: its value, or "bad: why".
func run(t *testing.T, schema *arrow.Schema, spec *expr.Spec, rows string) string {
	t.Helper()
	pool := batch.NewPool(0)
	f, err := batch.Parse(pool, schema, rows)
	if err != nil {
		t.Fatal(err)
	}
	x, err := expr.New(pool, spec)
	if err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	first := ""
	for k, l := range layouts {
		in, release := l.make(pool, f)
		got := evalRows(t, x, in)
		if k == 0 {
			first = got
		}
		if got != first {
			t.Errorf("%s: layout %s differs:\n%swant:\n%s", spec, l.name, got, first)
		}
		if spec.Type.ID() == arrow.BOOL {
			checkSelect(t, pool, spec, in, got)
		}
		release()
	}
	x.Close()
	f.Release()
	if used := pool.Used(); used != 0 {
		t.Errorf("%s: %d bytes in use after Close", spec, used)
	}
	return first
}

func evalRows(t *testing.T, x expr.Expr, in batch.Batch) string {
	t.Helper()
	reasons := make(map[int32]string)
	arr, err := x.Eval(context.Background(), in, func(row int32, why string) {
		if in.Sel != nil && !slices.Contains(in.Sel, row) {
			t.Errorf("dead row %d is bad: %s", row, why)
		}
		reasons[row] = why
	})
	if err != nil {
		t.Fatal(err)
	}
	view := batch.NewView(arrow.NewSchema([]arrow.Field{{Name: "x", Type: x.Type(), Nullable: true}}, nil))
	view.Set(0, arr)
	view.SetRows(in.NumRows())
	lines := strings.SplitAfter(batch.Format(batch.Batch{Rows: view, Sel: in.Sel}), "\n")
	for k := range in.NumLive() {
		i := int32(k)
		if in.Sel != nil {
			i = in.Sel[k]
		}
		if why, isBad := reasons[i]; isBad {
			lines[k] = "bad: " + why + "\n"
		}
	}
	return strings.Join(lines, "")
}

// checkSelect compares what a Predicate selects with the values of Eval.
func checkSelect(t *testing.T, pool *batch.Pool, spec *expr.Spec, in batch.Batch, values string) {
	t.Helper()
	p, err := expr.NewPredicate(pool, spec)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	got, err := p.Select(context.Background(), in, []int32{-7}, func(int32, string) {})
	if err != nil {
		t.Fatal(err)
	}
	want := []int32{-7}
	for k, v := range strings.Fields(strings.ReplaceAll(values, "bad: ", "bad:")) {
		if k >= in.NumLive() || strings.HasPrefix(v, "bad:") {
			break // words of a reason: the rows before it are enough
		}
		if v != "true" {
			continue
		}
		if in.Sel != nil {
			want = append(want, in.Sel[k])
		} else {
			want = append(want, int32(k))
		}
	}
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("%s: Select gives %v, want %v", spec, got, want)
	}
}

// exprCase is an expression over rows of a schema, and the result of each row.
type exprCase struct {
	name    string
	columns string
	spec    string
	rows    string
	want    string
}

func runCases(t *testing.T, cases []exprCase) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			schema := mustSchema(tt.columns)
			got := run(t, schema, mustSpec(schema, tt.spec), tt.rows)
			if want := strings.ReplaceAll(tt.want, "\t", "") + "\n"; got != want {
				t.Errorf("%s: got\n%swant\n%s", tt.spec, got, want)
			}
		})
	}
}
