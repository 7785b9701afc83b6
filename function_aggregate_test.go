package tidemill_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
)

// weighted is a row of the aggregate of that name, weights its state.
type (
	weighted struct{ Value, Weight float64 }
	weights  struct{ Sum, Weight float64 }
)

// longest is the longest text so far, the smallest of those that are as long.
type longest struct {
	Text string
	Rows int64
}

func addAggregates(c *tidemill.Context) {
	tidemill.Aggregate(c, "Weighted_Mean", tidemill.Aggregator[weighted, weights, tidemill.Optional[float64]]{
		Add:   func(to *weights, row weighted) { to.Sum += row.Value * row.Weight; to.Weight += row.Weight },
		Merge: func(to *weights, from weights) { to.Sum += from.Sum; to.Weight += from.Weight },
		Result: func(of weights) (tidemill.Optional[float64], error) {
			if of.Weight < 0 {
				return tidemill.Optional[float64]{}, errors.New("the weights are below 0")
			}
			return tidemill.Optional[float64]{Value: of.Sum / of.Weight, Valid: of.Weight > 0}, nil
		},
	})
	take := func(to *longest, text string) {
		if len(text) > len(to.Text) || len(text) == len(to.Text) && text < to.Text {
			to.Text = text
		}
	}
	tidemill.Aggregate(c, "longest", tidemill.Aggregator[string, longest, string]{
		Add: func(to *longest, text string) {
			if text == "panic" {
				panic("a text")
			}
			take(to, text)
			to.Rows++
		},
		Merge:  func(to *longest, from longest) { take(to, from.Text); to.Rows += from.Rows },
		Result: func(of longest) (string, error) { return fmt.Sprint(of.Text, "/", of.Rows), nil },
	})
	tidemill.Aggregate(c, "nulls", tidemill.Aggregator[tidemill.Optional[string], int64, int64]{
		Add: func(to *int64, row tidemill.Optional[string]) {
			if !row.Valid {
				*to++
			}
		},
		Merge:  func(to *int64, from int64) { *to += from },
		Result: func(of int64) (int64, error) { return of, nil },
	})
}

// aggregateJob returns what a query over a file gives, and its bad rows.
func aggregateJob(t *testing.T, cfg tidemill.Config, text, query string) (rows, bad string) {
	t.Helper()
	var out bytes.Buffer
	cfg.Stdout, cfg.Log = &out, slog.New(slog.DiscardHandler)
	job, err := tidemill.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	addAggregates(job)
	file := writeFile(t, filepath.Join(t.TempDir(), "t.csv"), text)
	must(t, job.SQL("CREATE SOURCE t (k TEXT, at TIMESTAMP, s TEXT, v DOUBLE, w DOUBLE, WATERMARK FOR at AS at) FROM 'file:"+file+
		"' FORMAT CSV WITH (max_rows_per_interval = 2); "+query))
	must(t, job.Start(context.Background()))
	must(t, job.Wait())
	_, rows, _ = strings.Cut(out.String(), "\n")
	var why []string
	for _, op := range job.BadRows() {
		for _, row := range op.First {
			why = append(why, row.Why)
		}
	}
	if used := job.MemoryHeld(); used != 0 {
		t.Errorf("%d bytes are left", used)
	}
	return rows, strings.Join(why, "; ")
}

const aggregated = "a,2026-01-01T00:00:00Z,one,1,1\n" +
	"b,2026-01-01T00:00:01Z,three,2,3\n" +
	"a,2026-01-01T00:00:02Z,two,4,1\n" +
	"a,2026-01-01T00:00:05Z,,6,\n" +
	"b,2026-01-01T00:00:11Z,four,8,1\n" +
	"a,2026-01-01T00:00:12Z,eleven,10,2\n"

func TestAggregatesOfTheProgram(t *testing.T) {
	tests := []struct {
		name  string
		text  string
		query string
		want  string
		bad   string
	}{
		{
			name: "over all rows, at the end of them", query: "SELECT k, weighted_mean(v, w) AS m, longest(s) AS l, nulls(s) AS n FROM t GROUP BY window(at, '1 day'), k ORDER BY k",
			want: "a,6.25,eleven/3,1\nb,3.5,three/2,0\n",
		},
		{
			name: "in windows that slide", query: "SELECT window.end, longest(s) AS l, WEIGHTED_MEAN(v, w) AS m FROM t WHERE k = 'a' GROUP BY window(at, '6 seconds', '3 seconds') ORDER BY window.end",
			want: "2026-01-01T00:00:03Z,one/2,2.5\n2026-01-01T00:00:06Z,one/2,2.5\n2026-01-01T00:00:09Z,/0,\n" +
				"2026-01-01T00:00:15Z,eleven/1,10.0\n2026-01-01T00:00:18Z,eleven/1,10.0\n",
		},
		{
			name: "with a FILTER", query: "SELECT longest(s) FILTER (WHERE k = 'b') AS l FROM t GROUP BY window(at, '1 day')", want: "three/2\n",
		},
		{
			name: "code that panics makes the row of its group a bad one", text: aggregated + "b,2026-01-01T00:00:13Z,panic,1,1\n",
			query: "SELECT k, longest(s) AS l FROM t GROUP BY window(at, '1 day'), k", want: "a,eleven/3\n", bad: "longest panics: a text",
		},
		{
			name: "and so does a result that is an error", text: aggregated + "b,2026-01-01T00:00:13Z,x,1,-9\n",
			query: "SELECT k, weighted_mean(v, w) AS m FROM t GROUP BY window(at, '1 day'), k", want: "a,6.25\n", bad: "weighted_mean: the weights are below 0",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, workers := range []int{1, 3} {
				text := tt.text
				if text == "" {
					text = aggregated
				}
				rows, bad := aggregateJob(t, tidemill.Config{Workers: workers}, text, tt.query)
				if diff := cmp.Diff(tt.want, rows); diff != "" {
					t.Errorf("rows (-want +got):\n%s", diff)
				}
				if !strings.Contains(bad, tt.bad) || tt.bad == "" && bad != "" {
					t.Errorf("bad rows: want %q, got %q", tt.bad, bad)
				}
			}
		})
	}
}

func TestAggregatesOfTheProgramGoOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "in", "t.csv")
	run := func(state string) string {
		t.Helper()
		var out bytes.Buffer
		job, err := tidemill.New(tidemill.Config{Checkpoint: state, Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		addAggregates(job)
		must(t, job.SQL("CREATE SOURCE t (k TEXT, at TIMESTAMP, s TEXT, v DOUBLE, w DOUBLE) FROM 'file:"+filepath.Dir(file)+
			"/' FORMAT CSV; SELECT k, weighted_mean(v, w) AS m, longest(s) AS l FROM t GROUP BY k ORDER BY k"))
		must(t, job.Start(context.Background()))
		must(t, job.Wait())
		_, rows, _ := strings.Cut(out.String(), "\n")
		return rows
	}
	lines := strings.SplitAfter(aggregated, "\n")
	must(t, os.MkdirAll(filepath.Dir(file), 0o755))
	writeFile(t, file, strings.Join(lines[:3], ""))
	run(filepath.Join(dir, "state"))
	writeFile(t, filepath.Join(dir, "in", "u.csv"), strings.Join(lines[3:], ""))
	if got, want := run(filepath.Join(dir, "state")), "a,6.25,eleven/3\nb,3.5,three/2\n"; got != want {
		t.Errorf("want\n%sgot\n%s", want, got)
	}
}

func TestAggregatesThatCanNotBeCalledSo(t *testing.T) {
	tests := []struct{ name, query, want string }{
		{"with other types", "SELECT longest(array(v)) AS l FROM t GROUP BY k", "function longest takes (TEXT), got (ARRAY<DOUBLE>)"},
		{"with DISTINCT", "SELECT longest(DISTINCT s) AS l FROM t GROUP BY k", "longest is of the program: it takes no *, DISTINCT and WITHIN GROUP"},
		{"where no aggregate may be", "SELECT s FROM t WHERE longest(s) = 'x'", "longest is an aggregate, which can't stand in WHERE"},
		{"with a filter, where NULLs count", "SELECT nulls(s) FILTER (WHERE k = 'a') AS n FROM t GROUP BY k", "nulls counts NULLs, so that FILTER can't leave rows out"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			job, err := tidemill.New(tidemill.Config{})
			if err != nil {
				t.Fatal(err)
			}
			addAggregates(job)
			must(t, job.SQL("CREATE SOURCE t (k TEXT, s TEXT, v DOUBLE) FROM 'file:none.csv' FORMAT CSV; "+tt.query))
			if err := job.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want %q, got %v", tt.want, err)
			}
		})
	}
}
