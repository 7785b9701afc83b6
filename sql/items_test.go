package sql_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/sql"
)

var wordSchema = arrow.NewSchema([]arrow.Field{
	{Name: "word", Type: batch.Text}, {Name: "n", Type: batch.BigInt}, {Name: "x", Type: batch.Double}, {Name: "window.end", Type: batch.Timestamp},
}, nil)

func TestBindItems(t *testing.T) {
	projection := func(text string) (string, error) {
		spec, err := sql.BindProjection(wordSchema, text)
		if err != nil {
			return "", err
		}
		return fmt.Sprint(spec, spec.Names), nil
	}
	aggregate := func(text string) (string, error) {
		aggs, err := sql.BindAggregate(wordSchema, text)
		return fmt.Sprint(aggs), err
	}
	expression := func(text string) (string, error) {
		e, err := sql.ParseExpr(text)
		if err != nil {
			return "", err
		}
		s, err := sql.BindExpr(wordSchema, e)
		if err != nil {
			return "", err
		}
		return s.String() + " " + batch.TypeName(s.Type), nil
	}
	for _, tt := range []struct {
		name string
		bind func(string) (string, error)
		in   string
		want string
	}{
		{"items of a projection", projection, "upper(word) AS w, n+1 AS m, x", "project [upper(word) AS w, n + 1 AS m, x] [w m x]"},
		{"a star in a projection", projection, "*, n + 1", "project [word, n, x, window.end, n + 1 AS (n + 1)] [word n x window.end (n + 1)]"},
		{"a column with a dot in its name", projection, "window.end, `window.end` AS e", "project [window.end AS end, window.end AS e] [end e]"},
		{"a projection has no aggregate", projection, "count(*)", "line 1, column 1: count is an aggregate, which can't stand in a projection"},
		{"a projection has no name twice", projection, "n, x AS n", "line 1, column 4: the result has two columns \"n\": name one of them otherwise, with AS"},
		{"text behind a projection", projection, "n FROM x", "line 1, column 3: expected a comma or the end, found \"FROM\""},
		{"aggregates", aggregate, "count(*) AS n, sum(x) AS s, max(word)", "[count(*) AS n sum(x) AS s max(word) AS max(word)]"},
		{"an aggregate of an expression", aggregate, "avg(n * 2) AS a", "[avg(n * 2) AS a]"},
		{"an item that is no aggregate", aggregate, "sum(x) / 2", "line 1, column 1: expected an aggregate, such as count(*) or sum(x): compute with results of aggregates in a projection behind them"},
		{"aggregates of one name", aggregate, "sum(x) AS a, sum(n) AS a", "line 1, column 14: the result has two columns \"a\": name one of them otherwise, with AS"},
		{"all faults at once", aggregate, "sum(word), sum(m)", "line 1, column 1: function sum takes (BIGINT) or (DOUBLE), got (TEXT)\nline 1, column 16: unknown column \"m\": there are word, n, x, window.end"},
		{"an expression", expression, "n > 1 AND word LIKE 'a%'", "n > 1 AND word LIKE 'a%' BOOLEAN"},
		{"an expression with an unknown column", expression, "wrod = 'a'", "line 1, column 1: unknown column \"wrod\": did you mean \"word\"?"},
		{"no expression", expression, "", "line 1, column 1: expected an expression, found the end of the statement"},
		{"more than an expression", expression, "n n", "line 1, column 3: expected the end of the expression, found \"n\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.bind(tt.in)
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("%s\nwant %s\ngot  %s", tt.in, tt.want, got)
			}
		})
	}
}

func TestModes(t *testing.T) {
	modes := map[string]operators.Mode{"append": operators.Append, "update": operators.Update, "complete": operators.Complete}
	for _, tt := range []struct{ name, mode, in, want string }{
		{"no aggregate appends", "", "SELECT k FROM plain", "append"},
		{"no aggregate appends in mode update, too", "update", "SELECT k FROM plain", "append"},
		{"an aggregate updates", "", "SELECT count(*) FROM plain", "update"},
		{"a window with a watermark appends", "", "SELECT count(*) FROM bids GROUP BY window(ts, '1 second')", "append"},
		{"a window over arrival_time appends", "", "SELECT count(*) FROM plain GROUP BY window(arrival_time, '1 second')", "append"},
		{"a window without a watermark updates", "", "SELECT count(*) FROM plain GROUP BY window(t, '1 second')", "update"},
		{"a window may be complete", "complete", "SELECT count(*) FROM plain GROUP BY window(t, '1 second')", "complete"},
		{"a sink's own mode goes first", "complete", "CREATE SINK s INTO 'x' WITH (mode = 'UPDATE') AS SELECT count(*) FROM plain", "update"},
		{"an aggregate in a view has the mode of the sink", "complete", "CREATE VIEW v AS SELECT count(*) AS n FROM plain; SELECT n FROM v", "complete"},
		{"an inner aggregate appends", "update",
			"SELECT max(n) FROM (SELECT count(*) AS n, window.end AS e FROM bids GROUP BY window(ts, '1 second')) GROUP BY e", "update"},
		{"a union with an update is one", "", "SELECT k FROM plain UNION ALL SELECT count(*) FROM plain", "update"},
		{"a union with complete is none", "complete", "SELECT k FROM plain UNION ALL SELECT count(*) FROM plain",
			"a result of mode complete can't be joined to one of mode append"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var mode *operators.Mode
			if tt.mode != "" {
				m := modes[tt.mode]
				mode = &m
			}
			job, err := bindScript(tt.in, false, mode)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				sink := job.Sinks[len(job.Sinks)-1]
				got = sink.Mode.String()
				if out := job.Plan.Nodes[sink.Node].Spec.(*operators.OutputSpec); out.Mode != sink.Mode || out.Sink != sink.Name {
					t.Errorf("the sink's node is %v", out)
				}
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("want %s, got %s", tt.want, got)
			}
		})
	}
}

// FuzzBind checks that no query that parses makes the binder panic, and that a plan it makes can be printed.
func FuzzBind(f *testing.F) {
	for _, s := range []string{
		"SELECT window, who, max(price) / count(*) AS top FROM bids GROUP BY window(ts, '1 minute'), who HAVING top > 1 ORDER BY window.end DESC, 3 LIMIT 2",
		"WITH a AS (SELECT explode(split(s, ',')) AS w, * FROM plain) SELECT upper(w) u, count(*) FROM a GROUP BY u ORDER BY sum(x)",
		"SELECT CASE k WHEN 1 THEN NULL ELSE x END AS y, k BETWEEN 1 AND 2 FROM plain UNION ALL SELECT 1, NULL FROM lines ORDER BY y",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		job, err := bindScript(text, false, nil)
		if err == nil && job.Plan.String() == "" {
			t.Errorf("the plan of %q has no text", text)
		}
	})
}
