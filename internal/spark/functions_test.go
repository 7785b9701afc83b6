// Package spark_test compares what tidemill computes with what Spark has answered.
package spark_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/spark"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
	"github.com/tidemill/tidemill/sql"
)

// accepted has the differences, and which of them was met.
type accepted struct {
	t     *testing.T
	list  []spark.Difference
	isMet []bool
}

func newAccepted(t *testing.T) *accepted {
	t.Helper()
	list, err := spark.Differences()
	if err != nil {
		t.Fatal(err)
	}
	return &accepted{t: t, list: list, isMet: make([]bool, len(list))}
}

var typeWord = regexp.MustCompile(`\b[A-Z]+\b`)

// renamed returns Spark's answer with types called as tidemill calls them. The types of an answer stand before its first quote,
// figure or bracket.
func (a *accepted) renamed(answer, got string) string {
	for i, d := range a.list {
		name, isType := strings.CutPrefix(d.Case, "type ")
		if !isType || answer == got {
			continue
		}
		other := typeWord.ReplaceAllStringFunc(answer, func(word string) string {
			if word == name {
				return d.Tidemill
			}
			return word
		})
		if other != answer {
			answer, a.isMet[i] = other, true
		}
	}
	return answer
}

// compare reports got where it is neither Spark's answer nor what was accepted in its place.
func (a *accepted) compare(where, name, want, got string) {
	a.t.Helper()
	if want == "" {
		a.t.Errorf("%s: %s\nhas no answer: run make spark-golden", where, name)
		return
	}
	want = a.renamed(want, got)
	isSame := want == got || isError(want) && isError(got) && (!strings.Contains(got, "unknown function") || want == "ERROR UNRESOLVED_ROUTINE")
	i := slices.IndexFunc(a.list, func(d spark.Difference) bool { return d.Case == name })
	switch {
	case i < 0 && !isSame:
		a.t.Errorf("%s: %s\nSpark:    %s\ntidemill: %s", where, name, want, got)
	case i >= 0 && isSame:
		a.t.Errorf("%s: %s\nis the same as Spark now: take it out of differences.txt: %s", where, name, got)
	case i >= 0 && got != a.list[i].Tidemill && (a.list[i].Tidemill != "ERROR" || !isError(got)):
		a.t.Errorf("%s: %s\naccepted: %s\ntidemill: %s\nSpark:    %s", where, name, a.list[i].Tidemill, got, want)
	}
	if i >= 0 {
		a.isMet[i] = true
	}
}

func isError(answer string) bool { return strings.HasPrefix(answer, "ERROR") }

func TestFunctionsAnswerAsSpark(t *testing.T) {
	differences := newAccepted(t)
	mem := batch.NewPool(0)
	for _, c := range spark.Functions() {
		where := fmt.Sprintf("functions/%s.txt:%d", c.Area, c.Line)
		s, err := bind(c.Case)
		if err != nil {
			differences.compare(where, c.Case, c.Answer, "ERROR "+err.Error())
			continue
		}
		got, err := constantAnswer(mem, s)
		if err != nil {
			got = "ERROR " + err.Error()
		}
		differences.compare(where, c.Case, c.Answer, got)
		checkColumns(t, mem, where+": "+c.Case, s, got)
	}
	if held := mem.Used(); held != 0 {
		t.Errorf("%d bytes are still held", held)
	}
	for i, d := range differences.list {
		if !differences.isMet[i] && !isQuery(d.Case) {
			t.Errorf("differences.txt: no case %q has this difference: take it out", d.Case)
		}
	}
}

func isQuery(name string) bool {
	return slices.ContainsFunc(spark.Queries(), func(q spark.Query) bool { return q.Name == name })
}

// bind returns an expression over constants as the binder makes it.
func bind(expression string) (*expr.Spec, error) {
	script, err := sql.Parse("CREATE SOURCE one (x BIGINT) FROM 'one:'; SELECT " + expression + " AS v FROM one")
	if err != nil {
		return nil, err
	}
	job, err := sql.Bind(script, nil, sql.BindOptions{})
	if err != nil {
		return nil, err
	}
	for _, n := range job.Plan.Nodes {
		if p, isProject := n.Spec.(*operators.ProjectSpec); isProject {
			return p.Exprs[0], nil
		}
	}
	return nil, errors.New("the plan has no projection")
}

// constantAnswer returns type and value of s, which has no columns.
func constantAnswer(mem *batch.Pool, s *expr.Spec) (string, error) {
	in := batch.NewView(arrow.NewSchema(nil, nil))
	in.SetRows(1)
	values, err := answers(mem, s, in)
	if err != nil {
		return "", err
	}
	return values[0], nil
}

// answers returns type and value of s in each row of in. An error is that of a row too, but for the second.
func answers(mem *batch.Pool, s *expr.Spec, in *batch.View) ([]string, error) {
	x, err := expr.New(mem, s)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	var bad error
	arr, err := x.Eval(context.Background(), batch.Batch{Rows: in}, func(row int32, why string) {
		if bad == nil && row != 1 { // which is all NULL
			bad = fmt.Errorf("row %d: %s", row, why)
		}
	})
	if err := errors.Join(err, bad); err != nil {
		return nil, err
	}
	var values []string
	for i := range int(in.NumRows()) {
		values = append(values, typeText(x.Type())+" "+valueText(arr, i))
	}
	return values, nil
}

// checkColumns computes s again, with its constants as columns of three rows, of which the second is NULL everywhere, and reports
// where the first and the third are not want. Functions that take constants only are left out.
func checkColumns(t *testing.T, mem *batch.Pool, where string, s *expr.Spec, want string) {
	t.Helper()
	var columns []*batch.Column
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	s = withColumns(t, mem, s, &columns)
	if len(columns) == 0 {
		return
	}
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: fmt.Sprintf("c%d", i), Type: c.Type(), Nullable: true}
	}
	in := batch.NewView(arrow.NewSchema(fields, nil))
	in.SetRows(3)
	for i, c := range columns {
		in.Set(i, c.Array())
	}
	x, err := expr.New(mem, s)
	if err != nil {
		return
	}
	x.Close()
	got, err := answers(mem, s, in)
	switch {
	case err != nil && !isError(want):
		t.Errorf("%s\nover constants: %s\nover columns:   %v", where, want, err)
	case err == nil && (got[0] != want || got[2] != want):
		t.Errorf("%s\nover constants: %s\nover columns:   %s, %s", where, want, got[0], got[2])
	}
}

// ofConstants has the functions that the binder gives constants only: members of lists and names of fields.
var ofConstants = map[string]bool{"in": true, "named_struct": true, ".": true}

// withColumns returns s with a column in the place of each constant, but NULL and INTERVAL, and appends these to columns.
func withColumns(t *testing.T, mem *batch.Pool, s *expr.Spec, columns *[]*batch.Column) *expr.Spec {
	t.Helper()
	if s.Kind == expr.LiteralKind && s.Value != nil && s.Type != batch.DayTime {
		x, err := expr.New(mem, s)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		one := batch.NewView(arrow.NewSchema(nil, nil))
		one.SetRows(1)
		arr, err := x.Eval(context.Background(), batch.Batch{Rows: one}, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := batch.NewColumn(mem, s.Type)
		c.AppendRow(arr, 0)
		c.AppendNull()
		c.AppendRow(arr, 0)
		*columns = append(*columns, c)
		return &expr.Spec{Kind: expr.ColumnKind, Type: s.Type, Column: len(*columns) - 1, Name: fmt.Sprintf("c%d", len(*columns)-1)}
	}
	changed := *s
	changed.Args = nil
	for _, a := range s.Args {
		if a.Kind != expr.LiteralKind || !ofConstants[s.Func] {
			a = withColumns(t, mem, a, columns)
		}
		changed.Args = append(changed.Args, a)
	}
	return &changed
}
