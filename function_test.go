package tidemill_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
)

// distance is what the function of that name takes.
type distance struct {
	From, To float64
	Unit     tidemill.Optional[string]
}

// addFunctions gives a job functions of all kinds.
func addFunctions(c *tidemill.Context) {
	tidemill.Function(c, "Squeeze", func(s string) (string, error) {
		switch s {
		case "bad":
			return "", errors.New("nothing to squeeze")
		case "panic":
			panic("squeezed too hard")
		}
		return strings.Join(strings.Fields(s), " "), nil
	})
	tidemill.Function(c, "distance", func(d distance) (tidemill.Optional[string], error) {
		if d.From == d.To {
			return tidemill.Optional[string]{}, nil
		}
		unit := "m"
		if d.Unit.Valid {
			unit = d.Unit.Value
		}
		return tidemill.Some(fmt.Sprint(d.To-d.From, unit)), nil
	})
	tidemill.Function(c, "next_day_of", func(t time.Time) (time.Time, error) { return t.AddDate(0, 0, 1), nil })
	tidemill.TableFunction(c, "parts", func(s string, emit func(string)) error {
		for p := range strings.SplitSeq(s, "-") {
			emit(p)
			if p == "bad" {
				return errors.New("a bad part")
			}
			if p == "panic" {
				panic("a part")
			}
		}
		return nil
	})
	c.VectorFunction("twice", tidemill.VectorFunction{
		Params: []arrow.DataType{batch.BigInt}, Result: batch.BigInt,
		New: func() tidemill.VectorKernel {
			return func(args []arrow.Array, rows []int32, out *batch.Column, bad func(int32, string)) {
				values := args[0].(*array.Int64).Int64Values()
				for _, i := range rows {
					switch values[i] {
					case 13:
						bad(i, "13 has no double")
					case 666:
						panic("the number")
					}
					out.Int64s()[i] = 2 * values[i]
				}
			}
		},
	})
}

func TestFunctionsOfTheProgram(t *testing.T) {
	tests := []struct {
		name  string
		query string
		want  string
		bad   string // reasons, in order of their first row
	}{
		{name: "a function of a text", query: "SELECT n, squeeze(s) AS s FROM t WHERE n < 3", want: "1,a b\n2,\n"},
		{name: "its name is written in any case", query: "SELECT SQUEEZE(' x ') AS s FROM t WHERE n = 1", want: "x\n"},
		{
			name: "errors and panics make bad rows", query: "SELECT n, squeeze(s) AS s FROM t WHERE n <= 6", want: "1,a b\n2,\n5,x\n6,x-y\n",
			bad: "squeeze: nothing to squeeze; squeeze: panics: squeezed too hard",
		},
		{
			name: "a NULL for what is no Optional gives NULL", query: "SELECT n, distance(d, 3, 'km') AS d FROM t WHERE n <= 3",
			want: "1,2km\n2,\n3,\n",
		},
		{name: "a NULL for an Optional is passed on", query: "SELECT distance(d, 3e0, NULL) AS d FROM t WHERE n = 1", want: "2m\n"},
		{name: "times", query: "SELECT next_day_of(TIMESTAMP '2026-02-28 01:02:03') AS d FROM t WHERE n = 1", want: "2026-03-01T01:02:03Z\n"},
		{name: "in conditions and aggregates", query: "SELECT max(length(squeeze(s))) AS l FROM t WHERE n < 7 AND twice(n) > 8", want: "3\n"},
		{
			name: "a function of vectors", query: "SELECT n, twice(n) AS d FROM t WHERE n IN (1, 6, 13)", want: "1,2\n6,12\n",
			bad: "twice: 13 has no double",
		},
		{name: "a function of vectors that panics", query: "SELECT n, twice(n) AS d FROM t WHERE n IN (1, 666)", want: "", bad: "twice panics: the number; twice panics: the number"},
		{name: "a NULL for a vector", query: "SELECT twice(CAST(s AS BIGINT)) AS d FROM t WHERE n = 2", want: "\n"},
		{name: "any number of rows", query: "SELECT n, explode(parts(s)) AS p FROM t WHERE n IN (1, 2, 6)", want: "1,\" a  b \"\n6,x\n6,y\n"},
		{
			name: "the rows of a call that fails go", query: "SELECT n, explode(parts(s)) AS p FROM t WHERE n IN (3, 4, 5)", want: "5,x\n",
			bad: "parts: a bad part; parts: panics: a part",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, workers := range []int{1, 3} {
				var out bytes.Buffer
				job, err := tidemill.New(tidemill.Config{Stdout: &out, Workers: workers, Log: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				addFunctions(job)
				file := filepath.Join(t.TempDir(), "t.csv")
				writeFile(t, file, "1,\" a  b \",1\n2,,\n3,bad,\n4,panic,\n5,x,\n6,x-y,\n13,,\n666,,\n")
				must(t, job.SQL("CREATE SOURCE t (n BIGINT, s TEXT, d DOUBLE) FROM 'file:"+file+"' FORMAT CSV; "+tt.query))
				must(t, job.Start(context.Background()))
				must(t, job.Wait())
				_, rows, _ := strings.Cut(out.String(), "\n")
				if diff := cmp.Diff(tt.want, rows); diff != "" {
					t.Errorf("rows (-want +got):\n%s", diff)
				}
				var why []string
				for _, b := range job.BadRows() {
					for _, row := range b.First {
						why = append(why, row.Why)
					}
				}
				if got := strings.Join(why, "; "); got != tt.bad {
					t.Errorf("bad rows: want %q, got %q", tt.bad, got)
				}
				if used := job.MemoryHeld(); used != 0 {
					t.Errorf("%d bytes are left", used)
				}
			}
		})
	}
}

func TestFunctionsThatAreNone(t *testing.T) {
	tests := []struct {
		name string
		add  func(c *tidemill.Context)
		sql  string
		want string
	}{
		{"a name of SQL", func(c *tidemill.Context) {
			tidemill.Function(c, "Upper", func(s string) (string, error) { return s, nil })
		}, "SELECT 1 AS x FROM r", `function "Upper": SQL has a function of that name`},
		{"a name of an aggregate", func(c *tidemill.Context) {
			tidemill.Function(c, "sum", func(s string) (string, error) { return s, nil })
		}, "SELECT 1 AS x FROM r", `function "sum": SQL has a function of that name`},
		{"a name twice", func(c *tidemill.Context) { addFunctions(c); addFunctions(c) }, "SELECT 1 AS x FROM r", `function "Squeeze": there are two of that name`},
		{"no name", func(c *tidemill.Context) {
			tidemill.Function(c, "a b", func(s string) (string, error) { return s, nil })
		}, "SELECT 1 AS x FROM r", `function "a b": want a name of letters, digits and _`},
		{"arguments that are no columns", func(c *tidemill.Context) {
			tidemill.Function(c, "f", func(chan int) (string, error) { return "", nil })
		}, "SELECT 1 AS x FROM r", "type chan int"},
		{"a type that it does not take", addFunctions, "SELECT squeeze(array(value)) AS x FROM r", "function squeeze takes (TEXT), got (ARRAY<BIGINT>)"},
		{"too many arguments", addFunctions, "SELECT twice(value, 2) AS x FROM r", "function twice takes (BIGINT), got (BIGINT, "},
		{"a slip", addFunctions, "SELECT squeze('x') AS x FROM r", `unknown function "squeze": did you mean "squeeze"?`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			job, err := tidemill.New(tidemill.Config{})
			if err != nil {
				t.Fatal(err)
			}
			tt.add(job)
			must(t, job.SQL("CREATE SOURCE r FROM 'rate:'; "+tt.sql))
			if err := job.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want %q, got %v", tt.want, err)
			}
		})
	}
}

// BenchmarkFunction compares functions of the program with those of SQL.
func BenchmarkFunction(b *testing.B) {
	for _, e := range []struct{ name, expr string }{
		{"sql", "value + value"}, {"vector", "twice(value)"}, {"row", "plus(value)"}, {"row of text", "length(squeeze('a b'))"}, {"sql of text", "length(trim('a b'))"},
	} {
		b.Run(e.name, func(b *testing.B) {
			job, err := tidemill.New(tidemill.Config{Workers: 1, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			addFunctions(job)
			tidemill.Function(job, "plus", func(v int64) (int64, error) { return v + v, nil })
			must(b, job.SQL(fmt.Sprintf("CREATE SOURCE r FROM 'rate:' WITH (rows_per_second = 0, rows = %d); CREATE SINK s INTO 'blackhole:' AS SELECT %s AS x FROM r WHERE value <> 13 AND value <> 666", b.N, e.expr)))
			b.ResetTimer()
			must(b, job.Start(context.Background()))
			must(b, job.Wait())
		})
	}
}
