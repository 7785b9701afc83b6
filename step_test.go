package tidemill_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
	"github.com/tidemill/tidemill/sql"
)

// evens passes rows on whose first column is even.
type evens struct{ sel []int32 }

func (e *evens) Apply(_ context.Context, in batch.Batch, _ expr.BadRow) (batch.Batch, error) {
	e.sel = e.sel[:0]
	values := batch.Int64s(in.Rows.Column(0))
	for k := range in.NumLive() {
		i := k
		if in.Sel != nil {
			i = int(in.Sel[k])
		}
		if values[i]%2 == 0 {
			e.sel = append(e.sel, int32(i))
		}
	}
	in.Sel = e.sel
	return in, nil
}

func (e *evens) Close() {}

func evensOf(input string) sql.Step {
	return sql.Step{Inputs: []string{input}, Make: func(in []*arrow.Schema) (operators.Spec, *arrow.Schema, error) {
		if id := in[0].Field(0).Type.ID(); id != arrow.INT64 {
			return nil, nil, errors.New("the first column must be BIGINT")
		}
		return &operators.FuncSpec{Func: "evens", New: func(*arrow.Schema, operators.Env) (operators.BatchFunc, error) {
			return &evens{}, nil
		}}, in[0], nil
	}}
}

func TestStepsOfGoCodeAreTables(t *testing.T) {
	const source = "CREATE SOURCE s (n BIGINT, k TEXT, at TIMESTAMP) FROM 'file:DIR/in.csv' FORMAT CSV;"
	for _, tt := range []struct {
		name, script, want, wantErr string
	}{
		{name: "a step is read like a view", script: source + "SELECT k, n FROM even WHERE n > 2", want: "k,n\nd,4\n"},
		{
			name: "a step over a view, in a view, read twice", want: "n\n4\n6\n",
			script: source + "CREATE VIEW big AS SELECT n + 2 AS n FROM s; CREATE VIEW both AS SELECT n FROM evenbig UNION ALL SELECT n FROM evenbig; SELECT x AS n FROM (SELECT n AS x, count(*) AS c FROM both GROUP BY n) WHERE c = 2 ORDER BY 1",
		},
		{name: "aggregates above a step", script: source + "SELECT sum(n) AS t FROM even", want: "t\n6\n"},
		{name: "a view of the same name goes before", script: source + "CREATE VIEW even AS SELECT 1 AS one FROM s; SELECT * FROM even LIMIT 1", want: "one\n1\n"},
		{name: "a fault of Make is reported where the step is read", script: source + "CREATE VIEW big AS SELECT k FROM s; SELECT * FROM evenbig", wantErr: `step "evenbig": the first column must be BIGINT`},
		{name: "an input that is unknown", script: source + "SELECT * FROM evenbig", wantErr: `unknown table "big"`},
		{name: "a step that reads itself", script: source + "SELECT * FROM loop", wantErr: `step "loop" reads itself`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "in.csv"), "1,a,2026-01-01T00:00:00Z\n2,b,2026-01-01T00:00:00Z\n3,c,2026-01-01T00:00:00Z\n4,d,2026-01-01T00:00:00Z\n")
			var out lockedBuffer
			job := newJob(t, tidemill.Config{Stdout: &out})
			job.Step("even", evensOf("s"))
			job.Step("evenBig", evensOf("big"))
			job.Step("loop", evensOf("LOOP"))
			if err := job.SQL(strings.ReplaceAll(tt.script, "DIR", dir)); err != nil {
				t.Fatal(err)
			}
			err := job.Check()
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error: want %q in it, got %v", tt.wantErr, err)
				}
				return
			}
			if err := ends(t, job); err != nil {
				t.Fatal(err)
			}
			if got := out.String(); got != tt.want {
				t.Errorf("rows: want %q, got %q", tt.want, got)
			}
			checkLedger(t, job.Status())
		})
	}
}
