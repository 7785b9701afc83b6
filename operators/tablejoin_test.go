package operators_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

var (
	tableInput = optest.MustSchema("at TIMESTAMP event, k BIGINT, a TEXT")
	// tableColumns has a column that is not used.
	tableColumns = optest.MustSchema("unused BOOLEAN, b DOUBLE, k BIGINT, name TEXT")
)

// tableCase joins rows of tableInput with a table on k, and gives k, a, b, name, of a semi or anti join k and a.
type tableCase struct {
	name     string
	kind     operators.JoinKind
	byText   bool   // on k and a = name
	residual bool   // b > k
	table    string // rows of tableColumns
	in, want string
}

func (c *tableCase) spec() *operators.TableJoinSpec {
	s := &operators.TableJoinSpec{
		Kind: c.kind, Table: "t", Input: tableInput, Declared: tableColumns.Fields(), Used: []int{1, 2, 3},
		Keys: []*expr.Spec{expr.Column(tableInput, 1)}, TableKeys: []int{1}, Output: []int{1, 2, 3, 5},
	}
	if c.kind == operators.SemiJoin || c.kind == operators.AntiJoin {
		s.Output = []int{1, 2}
	}
	if c.byText {
		s.Keys, s.TableKeys = append(s.Keys, expr.Column(tableInput, 2)), append(s.TableKeys, 2)
	}
	if c.residual {
		both := arrow.NewSchema(append(tableInput.Fields(), s.Columns().Fields()...), nil)
		s.Residual = mustCall(">", expr.Column(both, 3), mustCall("/", mustCast(expr.Column(both, 1), batch.Double), expr.Literal(1.0)))
	}
	return s
}

// newTableVersion makes rows for a join, of the columns that it uses, in pieces.
func newTableVersion(t testing.TB, env operators.Env, spec *operators.TableJoinSpec, rows string) *operators.TableVersion {
	t.Helper()
	v := operators.NewTableVersion(env.Mem, spec)
	for _, line := range strings.Split(strings.TrimSpace(rows), "\n") {
		f, err := batch.Parse(env.Mem, tableColumns, line)
		if err != nil {
			t.Fatal(err)
		}
		view := batch.NewView(spec.Columns())
		for i, c := range spec.Used {
			view.Set(i, f.Columns[c].Array())
		}
		view.SetRows(f.Len())
		if err := v.Add(batch.Batch{Rows: view}); err != nil {
			t.Fatal(err)
		}
		f.Release()
	}
	v.Seal()
	return v
}

// ownedTable is an operator with the table that it reads.
type ownedTable struct {
	operators.Operator
	table *operators.Table
}

func (o ownedTable) Close() {
	o.Operator.Close()
	o.table.Replace(nil)
}

func (c *tableCase) run(t *testing.T) {
	t.Helper()
	spec := c.spec()
	optest.Run(t, optest.Case{
		New: func(env operators.Env) (operators.Operator, error) {
			table := &operators.Table{}
			table.Replace(newTableVersion(t, env, spec, c.table))
			env.Table = func(*operators.TableJoinSpec) (operators.TableReader, error) { return table.NewReader(), nil }
			op, err := operators.NewTableJoin(spec, spec.Schema(), env)
			if err != nil {
				return nil, err
			}
			return ownedTable{op, table}, nil
		},
		Schemas: []*arrow.Schema{tableInput}, EventTime: []int{0}, In: c.in, Want: c.want,
	})
}

const tableRows = `
true 0.5 1 one
true 9 2 two
true 1.5 1 uno
true 4 null nobody
true null 3 null
`

const tableStream = `
2026-01-01T00:00:01Z 1 uno
2026-01-01T00:00:02Z 4 four
2026-01-01T00:00:05Z null null
2026-01-01T00:00:03Z 2 two
---
null 1 one
2026-01-01T00:00:09Z 3 three
`

func TestTableJoinGivesRowsOfTheStreamWithThoseOfTheTable(t *testing.T) {
	tests := []tableCase{
		{name: "inner join gives each match", kind: operators.InnerJoin, want: `
1 uno 0.5 one
1 uno 1.5 uno
2 two 9.0 two
---
1 one 0.5 one
1 one 1.5 uno
3 three null null`},
		{name: "left join gives rows without a match in their place", kind: operators.LeftJoin, want: `
1 uno 0.5 one
1 uno 1.5 uno
4 four null null
null null null null
2 two 9.0 two
---
1 one 0.5 one
1 one 1.5 uno
3 three null null`},
		{name: "semi join gives rows with a match once", kind: operators.SemiJoin, want: "1 uno\n2 two\n---\n1 one\n3 three"},
		{name: "anti join gives rows without one, also without a key", kind: operators.AntiJoin, want: "4 four\nnull null\n---"},
		{name: "two keys, one of them a text", kind: operators.InnerJoin, byText: true, want: "1 uno 1.5 uno\n2 two 9.0 two\n---\n1 one 0.5 one"},
		{name: "two keys of a left join", kind: operators.LeftJoin, byText: true, want: `
1 uno 1.5 uno
4 four null null
null null null null
2 two 9.0 two
---
1 one 0.5 one
3 three null null`},
		{name: "inner join with a condition", kind: operators.InnerJoin, residual: true, want: "1 uno 1.5 uno\n2 two 9.0 two\n---\n1 one 1.5 uno"},
		{name: "left join with a condition that decides what matches", kind: operators.LeftJoin, residual: true, want: `
1 uno 1.5 uno
4 four null null
null null null null
2 two 9.0 two
---
1 one 1.5 uno
3 three null null`},
		{name: "semi join with a condition", kind: operators.SemiJoin, residual: true, want: "1 uno\n2 two\n---\n1 one"},
		{name: "anti join with a condition", kind: operators.AntiJoin, residual: true, want: "4 four\nnull null\n---\n3 three"},
	}
	for _, c := range tests {
		c.table, c.in = tableRows, tableStream
		t.Run(c.name, func(t *testing.T) { c.run(t) })
	}
}

// TestTableJoinEqualsNestedLoopsOverRandomRows has keys with more rows than are looked at in one go.
func TestTableJoinEqualsNestedLoopsOverRandomRows(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	type row struct{ k, b int }
	for n := range 8 {
		c := tableCase{kind: []operators.JoinKind{operators.InnerJoin, operators.LeftJoin, operators.SemiJoin, operators.AntiJoin}[n%4], residual: n >= 4}
		var table []row
		var text, in, want strings.Builder
		for range 1 + random.IntN(40) {
			r := row{random.IntN(8), random.IntN(10)}
			table = append(table, r)
			fmt.Fprintf(&text, "false %d %d t%d\n", r.b, r.k, r.b)
		}
		for i := range 30 {
			k := random.IntN(12)
			fmt.Fprintf(&in, "2026-01-01T00:00:%02dZ %d s%d\n", i, k, i)
			matched := false
			for _, r := range table {
				if r.k != k || c.residual && r.b <= k {
					continue
				}
				if c.kind == operators.InnerJoin || c.kind == operators.LeftJoin {
					fmt.Fprintf(&want, "%d s%d %d.0 t%d\n", k, i, r.b, r.b)
				}
				matched = true
			}
			switch {
			case c.kind == operators.LeftJoin && !matched:
				fmt.Fprintf(&want, "%d s%d null null\n", k, i)
			case c.kind == operators.SemiJoin && matched, c.kind == operators.AntiJoin && !matched:
				fmt.Fprintf(&want, "%d s%d\n", k, i)
			}
		}
		c.table, c.in, c.want = text.String(), in.String(), want.String()
		t.Run(fmt.Sprintf("%s join, condition %t", c.kind, c.residual), func(t *testing.T) { c.run(t) })
	}
}

func TestTableJoinReportsWhatItCannotCompute(t *testing.T) {
	c := tableCase{kind: operators.LeftJoin, table: tableRows}
	spec := c.spec()
	both := arrow.NewSchema(append(tableInput.Fields(), spec.Columns().Fields()...), nil)
	spec.Residual = mustCall(">", mustCall("/", expr.Literal(1.0), mustCall("-", expr.Column(both, 3), expr.Literal(0.5))), expr.Literal(5.0))
	pool := batch.NewPool(0)
	var bad []string
	env := operators.Env{Mem: pool, Bad: func(o *batch.Origin, row int32, why string) {
		bad = append(bad, fmt.Sprint(o.BlockRow(int(row)), " ", why))
	}}
	table := &operators.Table{}
	table.Replace(newTableVersion(t, env, spec, c.table))
	env.Table = func(*operators.TableJoinSpec) (operators.TableReader, error) { return table.NewReader(), nil }
	op, err := operators.NewTableJoin(spec, spec.Schema(), env)
	if err != nil {
		t.Fatal(err)
	}
	in, err := batch.Parse(pool, tableInput, "2026-01-01T00:00:01Z 7 y\n2026-01-01T00:00:01Z 1 x")
	if err != nil {
		t.Fatal(err)
	}
	var got string
	err = op.Process(t.Context(), 0, batch.Batch{Rows: in.Rows()}, func(b batch.Batch) error { got += batch.Format(b); return nil })
	if err != nil || strings.TrimSpace(got) != "7 y null null\n1 x null null" || len(bad) != 1 || !strings.HasPrefix(bad[0], "1 ") {
		t.Errorf("rows %q, bad rows %q, error %v", got, bad, err)
	}
	in.Release()
	op.Close()
	table.Replace(nil)
	if pool.Used() != 0 {
		t.Errorf("%d bytes are left", pool.Used())
	}
}

// TestTableIsReplacedWhileNobodyReads reads one version after the other.
func TestTableIsReplacedWhileNobodyReads(t *testing.T) {
	c := tableCase{kind: operators.InnerJoin}
	spec := c.spec()
	pool := batch.NewPool(0)
	env := operators.Env{Mem: pool}
	table := &operators.Table{}
	env.Table = func(*operators.TableJoinSpec) (operators.TableReader, error) { return table.NewReader(), nil }
	op, err := operators.NewTableJoin(spec, spec.Schema(), env)
	if err != nil {
		t.Fatal(err)
	}
	in, err := batch.Parse(pool, tableInput, "2026-01-01T00:00:01Z 1 x")
	if err != nil {
		t.Fatal(err)
	}
	var got string
	emit := func(b batch.Batch) error { got += batch.Format(b); return nil }
	if err := op.Process(context.Background(), 0, batch.Batch{Rows: in.Rows()}, emit); err == nil {
		t.Error("a table that was not read is read without an error")
	}
	for _, rows := range []string{"true 1 1 old", "true 2 1 new\ntrue 3 1 newer", "true 4 7 other"} {
		table.Replace(newTableVersion(t, env, spec, rows))
		if err := op.Process(t.Context(), 0, batch.Batch{Rows: in.Rows()}, emit); err != nil {
			t.Fatal(err)
		}
	}
	if want := "1 x 1.0 old\n1 x 2.0 new\n1 x 3.0 newer\n"; got != want {
		t.Errorf("want %q, got %q", want, got)
	}
	in.Release()
	op.Close()
	table.Replace(nil)
	if pool.Used() != 0 {
		t.Errorf("%d bytes are left", pool.Used())
	}
}
