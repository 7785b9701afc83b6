package tidemill_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/egress"
	egressparquet "github.com/tidemill/tidemill/egress/parquet"
	"github.com/tidemill/tidemill/ingest"
	ingestparquet "github.com/tidemill/tidemill/ingest/parquet"
)

func withParquet(cfg tidemill.Config) tidemill.Config {
	cfg.Formats = []ingest.FormatKind{ingestparquet.Format()}
	cfg.FileFormats = []egress.FileFormat{egressparquet.Format()}
	return cfg
}

// writeColumns writes the events of writeEvents as files of columns, into _arrow and _parquet beside them: one file of each, and some rows a batch.
func writeColumns(t *testing.T, dir string) {
	t.Helper()
	script := strings.ReplaceAll(`
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT) FROM 'file:DIR/part-0.csv' FORMAT CSV;
CREATE SINK a INTO 'file:DIR/_arrow' FORMAT ARROW WITH (roll_rows = 110) AS SELECT * FROM e;
CREATE SINK p INTO 'file:DIR/_parquet' FORMAT PARQUET WITH (roll_rows = 130) AS SELECT * FROM e`, "DIR", dir)
	if err := runToEnd(t, withParquet(tidemill.Config{}), script, nil); err != nil {
		t.Fatal(err)
	}
}

// everyType are rows of all types, with what is rare of each.
const everyType = `id,x,ok,name,at
1,0.1,true,plain,2026-03-01T09:00:00.17Z
2,-0.0,false,"with, comma",1969-12-31T23:59:59.999999Z
3,1e+300,,,
4,NaN,true,"",9999-12-31T23:59:59.999999Z
-9223372036854775808,Infinity,false,"é

line",0001-01-01T00:00:00Z
9223372036854775807,5e-324,true,"""quoted""",2026-03-01T00:00:00Z
`

// TestFormatsRoundTrip writes rows in every format and with every codec, and reads them again.
func TestFormatsRoundTrip(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.csv"), []byte(everyType), 0o644); err != nil {
		t.Fatal(err)
	}
	const columns = "(id BIGINT, x DOUBLE, ok BOOLEAN, name TEXT, at TIMESTAMP)"
	source := "CREATE SOURCE s " + columns + " FROM 'file:" + dir + "/in.csv' FORMAT CSV WITH (header = true); "
	for _, format := range []string{
		"CSV", "CSV compression gzip", "CSV compression zstd", "CSV compression s2", "CSV compression snappy", "CSV compression lz4", "JSON compression lz4",
		"ARROW", "ARROW compression lz4", "ARROW compression zstd", "ARROW roll_rows 2", "PARQUET", "PARQUET compression none", "PARQUET compression gzip",
		"PARQUET compression zstd", "PARQUET compression brotli", "PARQUET compression lz4", "PARQUET roll_rows 4",
	} {
		t.Run(format, func(t *testing.T) {
			name, option, hasOption := strings.Cut(format, " ")
			with := ""
			if hasOption {
				key, value, _ := strings.Cut(option, " ")
				with = " WITH (" + key + " = '" + value + "')"
			}
			out := t.TempDir()
			cfg := withParquet(tidemill.Config{})
			if err := runToEnd(t, cfg, source+"CREATE SINK o INTO 'file:"+out+"/a' FORMAT "+name+with+" AS SELECT * FROM s", nil); err != nil {
				t.Fatal(err)
			}
			again := "CREATE SOURCE s " + columns + " FROM 'file:" + out + "/a/' FORMAT " + name + " WITH (ordered = true); " +
				"CREATE SINK o INTO 'file:" + out + "/b' FORMAT CSV WITH (header = true) AS SELECT * FROM s"
			if err := runToEnd(t, cfg, again, nil); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(out + "/b/*")
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			got, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(everyType, string(got)); diff != "" {
				t.Errorf("rows (-want +got)\n%s", diff)
			}
		})
	}
}

// TestParquetLeavesOutRowGroups looks at the plan, and at how many rows come in.
func TestParquetLeavesOutRowGroups(t *testing.T) {
	const file = "'file:ingest/parquet/testdata/groups.parquet'"
	for _, tt := range []struct {
		name, script, plan string
		rowsIn             int64
	}{
		{"a filter", "SELECT id FROM t WHERE id > 4 AND name < 'x'", "of parts with [id > 4, name < 'x']", 3},
		{"the constant first", "SELECT id FROM t WHERE 4 >= id", "of parts with [id <= 4]", 4},
		{"conditions of which one must hold", "SELECT id FROM t WHERE id > 4 OR id < 1", "scan t columns [id] -> ", 7},
		{"two readers", "SELECT id FROM t WHERE id > 4; SELECT count(*) AS n FROM t", "", 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			job, err := tidemill.New(withParquet(tidemill.Config{SinkDir: t.TempDir()}))
			if err != nil {
				t.Fatal(err)
			}
			if err := job.SQL("CREATE SOURCE t (id BIGINT, name TEXT) FROM " + file + "; " + tt.script); err != nil {
				t.Fatal(err)
			}
			plan, err := job.Plan()
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(plan.String(), tt.plan) {
				t.Errorf("plan\n%s", plan)
			}
			if err := job.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := job.Wait(); err != nil {
				t.Fatal(err)
			}
			if in := job.Status().RowsIn; in != tt.rowsIn {
				t.Errorf("%d rows in, want %d", in, tt.rowsIn)
			}
		})
	}
}
