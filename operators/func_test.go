package operators_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// doubler emits n*2 for each n, drops 3, can't do 4, and panics at 5.
type doubler struct{ out *batch.Frame }

func newDoubler(out *arrow.Schema, env operators.Env) (operators.BatchFunc, error) {
	return &doubler{batch.NewFrame(env.Mem, out)}, nil
}

func (d *doubler) Apply(_ context.Context, in batch.Batch, bad expr.BadRow) (batch.Batch, error) {
	d.out.Reset(0)
	values := batch.Int64s(in.Rows.Column(0))
	for k := range in.NumLive() {
		i := k
		if in.Sel != nil {
			i = int(in.Sel[k])
		}
		switch v := values[i]; v {
		case 3:
		case 4:
			bad(int32(i), "4 is too much")
		case 5:
			panic("five")
		default:
			d.out.Columns[0].AppendInt64(2 * v)
		}
	}
	d.out.SetRows(d.out.Columns[0].Len())
	return batch.Batch{Rows: d.out.Rows(), Origin: in.Origin}, nil
}

func (d *doubler) Close() { d.out.Release() }

func TestFunc(t *testing.T) {
	schema := optest.MustSchema("n BIGINT")
	for _, tt := range []struct {
		name, in, want string
		bad            []string
		skip           map[optest.Axis]string
	}{
		{name: "rows become others, or none, or are bad", in: "1\n3\n4\n2\n", want: "2\n4\n", bad: []string{"4 is too much"}},
		{
			name: "a panic makes all rows of its batch bad", in: "1\n5\n", want: "",
			bad:  []string{"doubler panics: five", "doubler panics: five"},
			skip: map[optest.Axis]string{optest.AxisBatchSize: "which rows are bad depends on the batch", optest.AxisIntervals: "as that"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			optest.Run(t, optest.Case{
				New:     build("", &operators.FuncSpec{Func: "doubler", New: newDoubler}, schema),
				Schemas: []*arrow.Schema{schema}, In: tt.in, Want: tt.want, WantBad: tt.bad, Skip: tt.skip,
			})
		})
	}
}

func TestFuncThatCannotBeMadeIsAnErrorOfBuild(t *testing.T) {
	_, err := build("", &operators.FuncSpec{Func: "map f", New: func(*arrow.Schema, operators.Env) (operators.BatchFunc, error) {
		return nil, errors.New("no")
	}}, optest.MustSchema("n BIGINT"))(operators.Env{})
	if err == nil || err.Error() != "map f: no" {
		t.Errorf("got %v", err)
	}
}

func TestCustomOperatorKeepsWhatItsSpecSays(t *testing.T) {
	schema := optest.MustSchema("n BIGINT")
	tables := func(name string) []operators.StateTable {
		return []operators.StateTable{{Name: name + "/rows", Schema: schema, Keys: []int{0}, Version: 1, Meaning: "sums of n"}}
	}
	spec := &operators.CustomSpec{
		Text: "sums", Tables: tables,
		New: func(n *operators.Node, env operators.Env) (operators.Operator, error) {
			return operators.NewUnion(nil, n.Schema, env)
		},
	}
	if _, err := build("s", spec, schema)(operators.Env{}); err == nil {
		t.Error("an operator without state was taken for one with tables")
	}
	node := &operators.Node{Name: "s", Spec: spec, Schema: schema}
	plan := &operators.Plan{Nodes: []*operators.Node{node}}
	if got, want := plan.String(), "#0 sums [s] -> (n BIGINT)\n  state s/rows (n BIGINT) key (n)\n"; got != want {
		t.Errorf("EXPLAIN: want %q, got %q", want, got)
	}
	have, want := operators.StateTables(node)[0], operators.StateTables(node)[0]
	if c := operators.CompareState(&have, &want); c.Fate != operators.Kept {
		t.Errorf("the same state: %s", c.Fate)
	}
	have.Meaning = "products of n"
	c := operators.CompareState(&have, &want)
	if got := fmt.Sprint(c.Fate, c.Why); got != "refused [it is the state of products of n, this job has sums of n here]" {
		t.Errorf("another state: %s", got)
	}
}
