package sql_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/sql"
)

var rewrite = flag.Bool("rewrite", false, "write what is computed into testdata")

// catalog knows the columns of formats that bring their own.
type catalog struct{}

func (catalog) Columns(def *sql.SourceDef) ([]arrow.Field, error) {
	switch def.Format {
	case "TEXT":
		return []arrow.Field{{Name: "value", Type: batch.Text, Nullable: true}}, nil
	case "LOG":
		return []arrow.Field{{Name: "ts", Type: batch.BigInt}, {Name: "level", Type: batch.Text}, {Name: "tags", Type: batch.TextList}}, nil
	}
	return nil, fmt.Errorf("format %q has no columns of its own: list them", def.Format)
}

// sources precedes each script of testdata.
const sources = `CREATE SOURCE lines FROM 'tcp://:9' FORMAT TEXT;
CREATE SOURCE bids (auction BIGINT, price DOUBLE, who TEXT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '5 seconds') FROM 'file:b' FORMAT CSV;
CREATE SOURCE plain (k BIGINT, x DOUBLE, ok BOOLEAN, t TIMESTAMP, s TEXT) FROM 'file:p' FORMAT JSON;
CREATE VIEW words AS SELECT explode(split(value, ' ')) AS word, arrival_time FROM lines;
`

// TestFiles runs testdata/*.txt: blocks of a script, ---- and what it becomes. In files that begin with script, the script is
// alone; in others the sources above precede it, on lines that are not counted.
func TestFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			alone := strings.HasPrefix(filepath.Base(path), "script")
			var out strings.Builder
			for _, block := range strings.Split(strings.TrimSpace(string(content)), "\n\n") {
				script, _, _ := strings.Cut(block, "\n----")
				script = strings.TrimSpace(script)
				fmt.Fprintf(&out, "%s\n----\n%s\n\n", script, strings.TrimSpace(explain(script, alone)))
			}
			got := strings.TrimSpace(out.String()) + "\n"
			if *rewrite {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := strings.Split(string(content), "\n")
			for i, line := range strings.Split(got, "\n") {
				if i >= len(want) || want[i] != line {
					t.Fatalf("%s:%d (-want +got)\n-%s\n+%s", path, i+1, strings.Join(want[min(i, len(want)):min(i+1, len(want))], ""), line)
				}
			}
		})
	}
}

// explain returns the plan of a script, or its errors.
func explain(script string, alone bool) string {
	job, err := bindScript(script, alone, nil)
	if err != nil {
		return detail(err)
	}
	var b strings.Builder
	if alone {
		for _, s := range job.Sources {
			fmt.Fprintf(&b, "source %s from %q format %q watermark %q %s options %v\n", s.Name, s.URI, s.Format, s.Watermark, s.Delay, s.Options)
		}
		for _, t := range job.Tables {
			fmt.Fprintf(&b, "table %s from %q format %q columns %d options %v\n", t.Name, t.URI, t.Format, len(t.Columns), t.Options)
		}
		for _, s := range job.Sinks {
			fmt.Fprintf(&b, "sink %s into %q format %q mode %s options %v\n", s.Name, s.URI, s.Format, s.Mode, s.Options)
		}
	}
	for _, n := range job.Plan.Nodes {
		fmt.Fprintf(&b, "%d", n.ID)
		if n.Name != "" {
			fmt.Fprintf(&b, " %s", n.Name)
		}
		if len(n.Inputs) > 0 {
			fmt.Fprintf(&b, " %v", n.Inputs)
		}
		fmt.Fprintf(&b, " %s (", n.Spec)
		for i, f := range n.Schema.Fields() {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%s %s", f.Name, batch.TypeName(f.Type))
			if kind, ok := f.Metadata.GetValue(operators.TimeKey); ok {
				b.WriteString(" " + kind)
			}
		}
		b.WriteString(")\n")
	}
	return b.String()
}

func bindScript(script string, alone bool, mode *operators.Mode) (*sql.Job, error) {
	text := script
	if !alone {
		text = strings.ReplaceAll(sources, "\n", " ") + "\n" + script
	}
	s, err := sql.Parse(text)
	if err != nil {
		return nil, err
	}
	return sql.Bind(s, catalog{}, sql.BindOptions{Mode: mode})
}

// detail returns the faults of a script with their carets.
func detail(err error) string {
	var list sql.Errors
	if !errors.As(err, &list) {
		return "not sql.Errors: " + err.Error()
	}
	return list.Detail()
}
